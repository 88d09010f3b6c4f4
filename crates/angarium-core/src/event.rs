//! An event: a fact accepted once. Its data is kept byte for byte.

use crate::id::{EventId, EventKey, TenantNo};
use crate::limits::Limits;
use crate::refusal::{Code, Refusal};
use crate::time::Timestamp;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// What the attribute's name begins with in which a source keeps a header of what it received.
pub const RECEIVED_HEADER: &str = "header.";

/// The type of an event: `[A-Za-z0-9_.:-]`, at most 128 characters (api.md, "Limits").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(Arc<str>);

impl EventType {
    /// Checks and takes over an event type.
    ///
    /// # Errors
    /// [`Code::InvalidEventType`], naming what is allowed.
    pub fn try_new(text: &str, limits: &Limits) -> Result<Self, Refusal> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.:-".contains(&b);
        if text.is_empty() || text.len() > limits.event_type_chars || !text.bytes().all(allowed) {
            return Err(Refusal::field(
                Code::InvalidEventType,
                "type",
                format!(
                    "an event type has 1 to {} characters of A-Z a-z 0-9 _ . : -",
                    limits.event_type_chars
                ),
            ));
        }
        Ok(Self(text.into()))
    }

    /// As the store has it, where it was checked before.
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the data is, which says how a body template takes it in (design.md section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataKind {
    /// One JSON value, spliced byte for byte.
    #[default]
    Json,
    /// UTF-8 text that is not JSON; becomes a JSON string.
    Text,
    /// Other bytes; become a JSON string in base64.
    Binary,
}

/// What a publisher says, checked: everything of an event but what acceptance adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The publisher's own id (contracts.md, G2).
    pub own_id: Option<Box<str>>,
    /// The type.
    pub kind: EventType,
    /// The time of the fact in the publisher's own words; absent means the time of acceptance.
    pub time: Option<Box<str>>,
    /// What the event is about.
    pub subject: Option<Box<str>>,
    /// The ordering key.
    pub ordering_key: Option<Box<str>>,
    /// Names and values, in the publisher's order.
    pub attributes: Vec<(Box<str>, Box<str>)>,
    /// The data, byte for byte.
    pub data: Bytes,
    /// What the data is.
    pub data_kind: DataKind,
}

impl NewEvent {
    /// Checks the parts that have rules of their own; `data` must be what `data_kind` says already.
    ///
    /// # Errors
    /// The first field that breaks a limit, with its code.
    pub fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        if let Some(id) = &self.own_id {
            check_own_id(id, limits)?;
        }
        let texts = [("time", &self.time), ("subject", &self.subject), ("key", &self.ordering_key)];
        for (field, text) in texts {
            check_text(field, text.as_deref(), limits.text_chars)?;
        }
        if self.time.as_deref().is_some_and(|time| !is_time(time)) {
            let message = "a time is RFC 3339, such as 2026-04-20T14:32:00Z";
            return Err(Refusal::field(Code::InvalidField, "time", message));
        }
        if self.attributes.len() > limits.attributes {
            let message = format!("an event has at most {} attributes", limits.attributes);
            return Err(Refusal::field(Code::InvalidField, "attributes", message));
        }
        for (name, value) in &self.attributes {
            check_text("attributes", Some(name), limits.text_chars)?;
            check_text(&format!("attributes.{name}"), Some(value), limits.text_chars)?;
        }
        Ok(())
    }

    /// Bytes that the event holds in memory, roughly.
    pub fn weight(&self) -> usize {
        self.data.len() + self.kind.as_str().len() + 256
    }

    /// The headers that a source kept of what it received, name by name.
    pub fn received_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(RECEIVED_HEADER)?, &**value)))
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| &**n == name).map(|(_, value)| &**value)
    }
}

fn check_own_id(id: &str, limits: &Limits) -> Result<(), Refusal> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if id.is_empty() || id.len() > limits.id_chars || !id.bytes().all(allowed) {
        let message =
            format!("an event id has 1 to {} characters of A-Z a-z 0-9 _ -", limits.id_chars);
        return Err(Refusal::field(Code::InvalidEventId, "id", message));
    }
    if id.starts_with("evt_") {
        let message = "ids that begin with evt_ are made by Angarium; choose another prefix";
        return Err(Refusal::field(Code::InvalidEventId, "id", message));
    }
    Ok(())
}

/// Refuses text that is empty, too long or has control characters.
///
/// # Errors
/// [`Code::InvalidField`], naming the field.
pub fn check_text(field: &str, text: Option<&str>, most_chars: usize) -> Result<(), Refusal> {
    let Some(text) = text else { return Ok(()) };
    if text.is_empty() || text.chars().count() > most_chars || text.chars().any(char::is_control) {
        let message = format!("text of 1 to {most_chars} characters without control characters");
        return Err(Refusal::field(Code::InvalidField, field, message));
    }
    Ok(())
}

/// RFC 3339, or the shorter form without seconds that a published page shows (contracts.md, Q2).
fn is_time(text: &str) -> bool {
    let minutes_only = || {
        let longer = text.strip_suffix('Z').map(|head| format!("{head}:00Z"));
        text.len() == "2023-03-15T12:46Z".len()
            && longer.is_some_and(|longer| Timestamp::parse(&longer).is_some())
    };
    Timestamp::parse(text).is_some() || minutes_only()
}

/// An accepted event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Given out by the commit that accepted it.
    pub key: EventKey,
    /// Whose event it is.
    pub tenant: TenantNo,
    /// Its place among the tenant's events (rule 8).
    pub sequence: u64,
    /// When it was accepted; the retry window counts from here (rule 12).
    pub accepted_at: Timestamp,
    /// What the publisher said.
    pub body: Arc<NewEvent>,
}

impl Event {
    /// The event's public id.
    pub fn id(&self) -> EventId {
        match &self.body.own_id {
            Some(own) => EventId::Own(own.clone()),
            None => EventId::Made(self.key),
        }
    }

    /// The time of the fact: the publisher's own words, or when it was accepted.
    pub fn time_text(&self) -> String {
        match &self.body.time {
            Some(text) => text.to_string(),
            None => self.accepted_at.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> NewEvent {
        NewEvent {
            own_id: None,
            kind: EventType::from_stored("a.b"),
            time: None,
            subject: None,
            ordering_key: None,
            attributes: vec![],
            data: Bytes::from_static(b"{}"),
            data_kind: DataKind::Json,
        }
    }

    #[test]
    fn an_event_type_holds_at_the_limit_and_is_refused_one_past_it() {
        let limits = Limits::default();
        assert!(EventType::try_new(&"a".repeat(128), &limits).is_ok());
        for bad in [&"a".repeat(129), "", "a b", "ä", "a/b"] {
            let refusal = EventType::try_new(bad, &limits).expect_err(bad);
            assert_eq!(refusal.code, Code::InvalidEventType);
        }
    }

    #[test]
    fn an_own_id_is_at_most_64_characters_and_never_ours() {
        let limits = Limits::default();
        let check = |id: &str| NewEvent { own_id: Some(id.into()), ..event() }.check(&limits);
        assert!(check(&"a".repeat(64)).is_ok());
        for bad in [&"a".repeat(65), "", "a.b", "evt_1", "a b"] {
            assert_eq!(check(bad).map_err(|r| r.code), Err(Code::InvalidEventId), "{bad}");
        }
    }

    #[test]
    fn a_time_is_rfc_3339_or_ends_with_minutes() {
        let limits = Limits::default();
        let check = |time: &str| NewEvent { time: Some(time.into()), ..event() }.check(&limits);
        for good in ["2026-04-20T14:32:00Z", "2023-03-15T12:46Z", "2026-04-20T14:32:00.5+02:00"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["yesterday", "2026-04-20", "2026-04-20T14:32", "1776686400"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
