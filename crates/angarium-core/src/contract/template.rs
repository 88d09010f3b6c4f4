//! Templates: text with placeholders in braces, cut into parts once, when the contract is read.

use super::time_form::TimeForm;
use crate::declared::{Fault, Piece, not_visible, split, unknown_placeholder};
use crate::event::{DataKind, Event};
use crate::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;
use std::fmt::Write;

/// A fact of the delivery that a template may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placeholder {
    /// The event's id.
    Id,
    /// The event's type.
    Type,
    /// The time of the fact, in the publisher's words.
    Time,
    /// The data, byte for byte.
    Data,
    /// What the event is about; may be absent.
    Subject,
    /// The ordering key; may be absent.
    Key,
    /// An attribute; may be absent.
    Attribute(Box<str>),
    /// The endpoint's sequence number.
    Sequence,
    /// When this attempt is made, in unix seconds.
    Timestamp,
}

impl Placeholder {
    const NAMES: &[(&str, Placeholder)] = &[
        ("event.id", Placeholder::Id),
        ("event.type", Placeholder::Type),
        ("event.time", Placeholder::Time),
        ("event.data", Placeholder::Data),
        ("event.subject", Placeholder::Subject),
        ("event.key", Placeholder::Key),
        ("sequence", Placeholder::Sequence),
        ("timestamp", Placeholder::Timestamp),
    ];

    pub(super) fn parse(name: &str) -> Result<Self, Fault> {
        if let Some(attribute) = name.strip_prefix("event.attributes.")
            && !attribute.is_empty()
        {
            return Ok(Placeholder::Attribute(attribute.into()));
        }
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, placeholder)| placeholder.clone()).ok_or_else(|| {
            let mut known: Vec<_> = Self::NAMES.iter().map(|(known, _)| *known).collect();
            known.push("event.attributes.NAME");
            unknown_placeholder(name, &known)
        })
    }

    /// Whether an event may lack it.
    pub(super) fn may_be_absent(&self) -> bool {
        match self {
            Placeholder::Subject | Placeholder::Key | Placeholder::Attribute(_) => true,
            Placeholder::Id
            | Placeholder::Type
            | Placeholder::Time
            | Placeholder::Data
            | Placeholder::Sequence
            | Placeholder::Timestamp => false,
        }
    }
}

/// What templates are filled with: one delivery's facts at one attempt.
pub(crate) struct Facts<'a> {
    event: &'a Event,
    time: TimeForm,
    id: Cow<'a, str>,
    sequence: u64,
    now: Timestamp,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(event: &'a Event, sequence: u64, time: TimeForm, now: Timestamp) -> Self {
        let id = match event.body.own_id.as_deref() {
            Some(own) => Cow::Borrowed(own),
            None => Cow::Owned(event.id().to_string()),
        };
        Self { event, time, id, sequence, now }
    }

    /// The event.
    pub(crate) fn event(&self) -> &'a Event {
        self.event
    }

    /// The event's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The attempt's time in unix seconds.
    pub(crate) fn seconds(&self) -> i64 {
        self.now.as_seconds()
    }

    /// Whether the event has what the placeholder names.
    pub(super) fn has(&self, placeholder: &Placeholder) -> bool {
        !placeholder.may_be_absent() || self.text(placeholder).is_some()
    }

    /// A fact as text; `None` where the event has none.
    pub(super) fn text(&self, placeholder: &Placeholder) -> Option<Cow<'_, str>> {
        let body = &self.event.body;
        Some(match placeholder {
            Placeholder::Id => Cow::Borrowed(&*self.id),
            Placeholder::Type => Cow::Borrowed(body.kind.as_str()),
            Placeholder::Time => match body.time.as_deref() {
                Some(time) => Cow::Borrowed(time),
                None => Cow::Owned(self.time.text(self.event.accepted_at)),
            },
            Placeholder::Data => match body.data_kind {
                DataKind::Json | DataKind::Text => String::from_utf8_lossy(&body.data),
                DataKind::Binary => Cow::Owned(STANDARD.encode(&body.data)),
            },
            Placeholder::Subject => Cow::Borrowed(body.subject.as_deref()?),
            Placeholder::Key => Cow::Borrowed(body.ordering_key.as_deref()?),
            Placeholder::Attribute(name) => Cow::Borrowed(body.attribute(name)?),
            Placeholder::Sequence => Cow::Owned(self.sequence.to_string()),
            Placeholder::Timestamp => Cow::Owned(self.seconds().to_string()),
        })
    }
}

/// A part of a text that is filled in for each attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Fact(Placeholder),
}

/// Where a text stands, which says how it is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the value of a header: visible ASCII and space, anything else percent-encoded.
    Header,
    /// In a query: everything but RFC 3986's unreserved characters is percent-encoded.
    Query,
}

impl Place {
    fn keeps(self, byte: u8) -> bool {
        match self {
            Place::Header => (b' '..=b'~').contains(&byte) && byte != b'%',
            Place::Query => byte.is_ascii_alphanumeric() || b"-._~".contains(&byte),
        }
    }

    /// Adds a text, escaped for this place.
    pub(crate) fn push(self, text: &str, out: &mut String) {
        if text.bytes().all(|byte| self.keeps(byte)) {
            return out.push_str(text);
        }
        for byte in text.bytes() {
            if self.keeps(byte) {
                out.push(char::from(byte));
            } else {
                write!(out, "%{byte:02X}").expect("writing to a String cannot fail");
            }
        }
    }
}

/// The value of a header or a query parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextTemplate {
    place: Place,
    parts: Box<[Part]>,
    /// As it stands in the file.
    pub(crate) written: Box<str>,
}

impl TextTemplate {
    pub(super) fn parse(text: &str, place: Place) -> Result<Self, Fault> {
        let part = |piece| match piece {
            Piece::Literal(literal) if place == Place::Header => {
                let allowed = |byte: u8| (b' '..=b'~').contains(&byte);
                match literal.bytes().all(allowed) {
                    true => Ok(Part::Literal(literal.into())),
                    false => Err(not_visible(&literal)),
                }
            }
            Piece::Literal(literal) => {
                let mut escaped = String::new();
                place.push(&literal, &mut escaped);
                Ok(Part::Literal(escaped.into()))
            }
            Piece::Name(name) => match Placeholder::parse(name)? {
                Placeholder::Data => Err(Fault::from("the data can stand only in a body")
                    .cured_by("name a fact that is short, such as `{event.id}`")),
                fact => Ok(Part::Fact(fact)),
            },
        };
        let parts = split(text)?.into_iter().map(part).collect::<Result<_, _>>()?;
        Ok(Self { place, parts, written: text.into() })
    }

    /// Adds the text to `out`; `None`, and nothing added, where a fact that it names is absent.
    pub(crate) fn fill(&self, facts: &Facts<'_>, out: &mut String) -> Option<()> {
        let start = out.len();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Fact(fact) => match facts.text(fact) {
                    Some(text) => self.place.push(&text, out),
                    None => {
                        out.truncate(start);
                        return None;
                    }
                },
            }
        }
        Some(())
    }
}
