//! What an endpoint asks for, and whether an event is that.

use crate::event::{EventType, NewEvent};
use crate::limits::Limits;
use crate::refusal::{Code, Refusal};
use serde::{Deserialize, Serialize};

/// A pattern of event types (contracts.md, G4): `*` is every type, `a.b.*` every type below `a.b`
/// at any depth but not `a.b` itself, anything else is the type itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TypePattern(String);

impl TypePattern {
    /// Checks and takes over a pattern.
    ///
    /// # Errors
    /// [`Code::InvalidSubscription`], naming what is allowed.
    pub fn try_new(text: &str, limits: &Limits) -> Result<Self, Refusal> {
        let stem = match text {
            "*" => return Ok(Self(text.to_owned())),
            _ => text.strip_suffix(".*").unwrap_or(text),
        };
        EventType::try_new(stem, limits).map_err(|_| {
            let message = format!("{text:?} is not an event type, `*`, or a type followed by `.*`");
            Refusal::whole(Code::InvalidSubscription, message)
        })?;
        Ok(Self(text.to_owned()))
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a type is meant.
    pub fn matches(&self, kind: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some("") => true,
            // The stem keeps its dot, so `a.b` itself is not below `a.b.*`.
            Some(stem) => kind.len() > stem.len() && kind.starts_with(stem),
            None => self.0 == kind,
        }
    }
}

/// What an endpoint asks for. All conditions must hold; an absent one always does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Subscription {
    /// Types, of which one must match.
    pub types: Vec<TypePattern>,
    /// Subjects, of which one must be the event's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<Vec<String>>,
    /// Attributes that the event must have with exactly these values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
}

/// Why a subscription does not want an event; for people, in `explain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// No pattern matches the type.
    Type,
    /// The subject is not in the list.
    Subject,
    /// An attribute is absent or different.
    Attribute,
}

impl Subscription {
    /// Checks sizes and makes the patterns.
    ///
    /// # Errors
    /// [`Code::InvalidSubscription`] or [`Code::InvalidField`], naming the member.
    pub fn try_new(
        types: &[String],
        subjects: Option<Vec<String>>,
        attributes: Vec<(String, String)>,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        if types.is_empty() || types.len() > limits.subscription_types {
            let message = format!("between 1 and {} types", limits.subscription_types);
            return Err(Refusal::field(Code::InvalidSubscription, "types", message));
        }
        let pattern = |(i, text): (usize, &String)| {
            TypePattern::try_new(text, limits)
                .map_err(|refusal| refusal.below(&format!("types[{i}]")))
        };
        let types = types.iter().enumerate().map(pattern).collect::<Result<_, _>>()?;
        for (i, subject) in subjects.iter().flatten().enumerate() {
            crate::event::check_text(&format!("subjects[{i}]"), Some(subject), limits.text_chars)?;
        }
        if subjects.as_ref().is_some_and(|s| s.is_empty() || s.len() > limits.subscription_types) {
            let message =
                format!("between 1 and {} subjects, or none at all", limits.subscription_types);
            return Err(Refusal::field(Code::InvalidSubscription, "subjects", message));
        }
        if attributes.len() > limits.attributes {
            let message = format!("at most {} attributes", limits.attributes);
            return Err(Refusal::field(Code::InvalidSubscription, "attributes", message));
        }
        for (name, value) in &attributes {
            crate::event::check_text("attributes", Some(name), limits.text_chars)?;
            crate::event::check_text(
                &format!("attributes.{name}"),
                Some(value),
                limits.text_chars,
            )?;
        }
        Ok(Self { types, subjects, attributes })
    }

    /// Whether an event is wanted, or by which rule not.
    pub fn check(&self, event: &NewEvent) -> Result<(), Mismatch> {
        if !self.types.iter().any(|pattern| pattern.matches(event.kind.as_str())) {
            return Err(Mismatch::Type);
        }
        if let Some(subjects) = &self.subjects
            && !event.subject.as_deref().is_some_and(|mine| subjects.iter().any(|s| s == mine))
        {
            return Err(Mismatch::Subject);
        }
        let has = |(name, value): &(String, String)| event.attribute(name) == Some(value);
        if !self.attributes.iter().all(has) {
            return Err(Mismatch::Attribute);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_everything_below_its_stem_and_not_the_stem() {
        let rows = [
            ("*", "a", true),
            ("a.b", "a.b", true),
            ("a.b", "a.b.c", false),
            ("a.b.*", "a.b.c", true),
            ("a.b.*", "a.b.c.d", true),
            ("a.b.*", "a.b", false),
            ("a.b.*", "a.b.", false),
            ("a.b.*", "a.bc.d", false),
            ("a.*", "ab", false),
        ];
        for (pattern, kind, wanted) in rows {
            let pattern = TypePattern::try_new(pattern, &Limits::default()).expect("a pattern");
            assert_eq!(pattern.matches(kind), wanted, "{pattern:?} {kind}");
        }
    }

    #[test]
    fn a_star_inside_a_pattern_is_refused_with_the_pattern_named() {
        for bad in ["a.*.b", "**", "a*", "", ".*", "a b"] {
            let refusal = TypePattern::try_new(bad, &Limits::default()).expect_err(bad);
            assert_eq!(refusal.code, Code::InvalidSubscription);
            assert!(refusal.message.contains(bad));
        }
    }
}
