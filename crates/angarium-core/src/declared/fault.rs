//! What is wrong with a text, whoever reads it: a reason, a cure, and the name that was probably
//! meant.

/// What is wrong with a text, as long as nobody said where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: String,
    pub(crate) cure: Option<String>,
}

impl Fault {
    /// Adds what to write instead.
    #[must_use]
    pub(crate) fn cured_by(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }

    /// Adds the known name that was probably meant; else what to do instead.
    #[must_use]
    pub(crate) fn meant<'n>(
        self,
        name: &str,
        known: impl IntoIterator<Item = &'n str>,
        instead: impl Into<String>,
    ) -> Self {
        match nearest(name, known) {
            Some(meant) => self.cured_by(format!("did you mean `{meant}`?")),
            None => self.cured_by(instead),
        }
    }
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self { reason, cure: None }
    }
}

impl From<&str> for Fault {
    fn from(reason: &str) -> Self {
        Self::from(reason.to_owned())
    }
}

/// Finds a name in a table.
pub(crate) fn known<T: Clone>(table: &[(&str, T)], name: &str) -> Result<T, Fault> {
    let found = table.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.clone()).ok_or_else(|| {
        let names: Vec<_> = table.iter().map(|(known, _)| *known).collect();
        let instead = match names.len() {
            ..=3 => format!("write \"{}\"", names.join("\" or \"")),
            _ => "write one of them".to_owned(),
        };
        let fault = Fault::from(format!("{name:?} is none of {}", quoted(&names)));
        fault.meant(name, names, instead)
    })
}

/// A text that cannot stand in a header.
pub(crate) fn not_visible(text: &str) -> Fault {
    Fault::from(format!("{text:?} is not visible ASCII"))
        .cured_by("a header takes letters, digits, signs and spaces; encode anything else")
}

/// `` `a`, `b`, `c` ``
pub(crate) fn quoted(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// How alike two names are at least, from 0 to 1, so that one was probably meant by the other.
const ALIKE: f64 = 0.5;

/// The known name that a wrong one is most like; the first of several.
pub(crate) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let known = known.into_iter().map(|known| (likeness(name, known), known));
    let alike = known.filter(|(likeness, _)| *likeness > ALIKE);
    alike.reduce(|a, b| if b.0 > a.0 { b } else { a }).map(|(_, known)| known)
}

/// By edit distance, upper and lower case being the same. What both begin with, up to a dot, says
/// nothing: `event.kind` is not like `event.id`.
fn likeness(name: &str, known: &str) -> f64 {
    let (name, known) = (name.to_lowercase(), known.to_lowercase());
    let (name, known) = match (name.rsplit_once('.'), known.rsplit_once('.')) {
        (Some((place, name)), Some((same, known))) if place == same => (name, known),
        _ => (&*name, &*known),
    };
    strsim::normalized_damerau_levenshtein(name, known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_the_one_that_was_meant_and_a_strange_one_finds_none() {
        let known = [
            "event.id",
            "event.type",
            "event.time",
            "title",
            "events",
            "hmac-sha256",
            "hmac-sha512",
            "POST",
        ];
        for (name, meant) in [
            ("titel", Some("title")),
            ("event", Some("events")),
            ("HMAC-SHA256", Some("hmac-sha256")),
            ("hmac-sha512 ", Some("hmac-sha512")),
            ("Post", Some("POST")),
            ("event.tipe", Some("event.type")),
            ("event.kind", None),
            ("owner", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), meant, "{name}");
        }
    }
}
