//! Text as literals of the languages, so that no contract's text can break out of one.

/// How a language writes a text.
pub(super) struct Quoting {
    /// What stands on both sides.
    pub(super) mark: char,
    /// What has a meaning of its own inside, besides the mark and the backslash.
    pub(super) special: &'static [char],
    /// How a control character is written.
    pub(super) control: fn(char) -> String,
}

impl Quoting {
    /// The literal.
    pub(super) fn quote(&self, text: &str) -> String {
        format!("{0}{1}{0}", self.mark, self.inside(text))
    }

    /// What stands between the marks.
    pub(super) fn inside(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                special if special == self.mark || self.special.contains(&special) => {
                    out.extend(['\\', special]);
                }
                control if control.is_control() => out.push_str(&(self.control)(control)),
                plain => out.push(plain),
            }
        }
        out
    }
}

/// `\u0001`: JavaScript, Go, C#.
pub(super) fn four_digits(control: char) -> String {
    named(control).unwrap_or_else(|| format!("\\u{:04x}", u32::from(control)))
}

/// `\u{1}`: Rust, Ruby.
pub(super) fn in_braces(control: char) -> String {
    named(control).unwrap_or_else(|| format!("\\u{{{:x}}}", u32::from(control)))
}

/// `\001`: Python, and Java, which would read `\u0001` before it reads the literal.
pub(super) fn octal(control: char) -> String {
    named(control).unwrap_or_else(|| format!("\\{:03o}", u32::from(control)))
}

fn named(control: char) -> Option<String> {
    match control {
        '\n' => Some("\\n".to_owned()),
        '\r' => Some("\\r".to_owned()),
        '\t' => Some("\\t".to_owned()),
        _unnamed => None,
    }
}
