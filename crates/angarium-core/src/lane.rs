//! Lanes: the ordered lines in which an endpoint's deliveries stand (design.md section 2).
//!
//! Within a lane the next delivery starts only after the record of the one before is committed as
//! final. Lanes do not wait for each other, and a delivery without a lane waits for none.

use crate::event::{DataKind, NewEvent};
use crate::refusal::{Code, Refusal};
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// A lane of an endpoint: a fingerprint of what its events have in common. Two keys of the same
/// fingerprint, which nobody will meet, would share a lane and still be in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane([u8; 16]);

impl Lane {
    /// The one lane of an endpoint whose deliveries are all in order.
    pub const WHOLE: Lane = Lane([0; 16]);

    /// The lane of a key.
    pub fn of_key(key: &str) -> Self {
        let mut lane = [0; 16];
        lane.copy_from_slice(&digest(&SHA256, key.as_bytes()).as_ref()[..16]);
        Self(lane)
    }

    /// From the stored bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The stored bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lane({})", hex::encode(self.0))
    }
}

/// What an endpoint's deliveries are ordered by, where it does not leave that to its contract
/// (api.md, `ordering`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// By nothing.
    None,
    /// By the event's key; events without one are in no lane.
    Key,
    /// All of the endpoint's deliveries stand in one lane.
    Endpoint,
    /// By what the data has at a JSON pointer (RFC 6901); events that have nothing there are in no
    /// lane.
    Pointer(String),
}

impl Ordering {
    /// Checks a pointer: empty, or beginning with a slash, of at most 256 characters.
    ///
    /// # Errors
    /// [`Code::InvalidField`] on `ordering.pointer`.
    pub fn check(&self) -> Result<(), Refusal> {
        match self {
            Ordering::Pointer(pointer)
                if pointer.len() > 256 || !(pointer.is_empty() || pointer.starts_with('/')) =>
            {
                let message = "a JSON pointer such as \"/order/id\", of at most 256 bytes";
                Err(Refusal::field(Code::InvalidField, "ordering.pointer", message))
            }
            Ordering::None | Ordering::Key | Ordering::Endpoint | Ordering::Pointer(_) => Ok(()),
        }
    }

    /// The lane that an event's delivery stands in; none if it waits for no other.
    pub fn lane(&self, event: &NewEvent) -> Option<Lane> {
        match self {
            Ordering::None => None,
            Ordering::Key => event.ordering_key.as_deref().map(Lane::of_key),
            Ordering::Endpoint => Some(Lane::WHOLE),
            Ordering::Pointer(pointer) => match event.data_kind {
                DataKind::Json => {
                    let data: Value = serde_json::from_slice(&event.data).ok()?;
                    // The kind of value counts: the number 1 and the text "1" are two keys.
                    data.pointer(pointer)
                        .filter(|value| !value.is_null())
                        .map(|value| Lane::of_key(&value.to_string()))
                }
                DataKind::Text | DataKind::Binary => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventType;
    use bytes::Bytes;

    fn event(key: Option<&str>, data: &'static str) -> NewEvent {
        NewEvent {
            own_id: None,
            kind: EventType::from_stored("a.b"),
            time: None,
            subject: None,
            ordering_key: key.map(Into::into),
            attributes: vec![],
            data: Bytes::from_static(data.as_bytes()),
            data_kind: DataKind::Json,
        }
    }

    #[test]
    fn events_share_a_lane_if_and_only_if_they_have_the_key_in_common() {
        let lane = |ordering: &Ordering, key, data| ordering.lane(&event(key, data));
        assert_eq!(lane(&Ordering::None, Some("a"), "{}"), None);
        assert_eq!(lane(&Ordering::Key, None, "{}"), None);
        let a = lane(&Ordering::Key, Some("a"), "{}");
        assert!(a.is_some() && a == lane(&Ordering::Key, Some("a"), "[]"));
        assert_ne!(a, lane(&Ordering::Key, Some("b"), "{}"));
        assert_eq!(lane(&Ordering::Endpoint, None, "{}"), Some(Lane::WHOLE));
        let pointer = Ordering::Pointer("/o/id".into());
        let one = lane(&pointer, None, r#"{"o":{"id":1}}"#);
        assert!(one.is_some() && one == lane(&pointer, Some("x"), r#"{"n":2,"o":{"id":1}}"#));
        assert_ne!(one, lane(&pointer, None, r#"{"o":{"id":"1"}}"#));
        for nothing in [r#"{"o":{}}"#, r#"{"o":{"id":null}}"#, "3"] {
            assert_eq!(lane(&pointer, None, nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_pointer_is_empty_or_begins_with_a_slash() {
        for (pointer, sound) in [("", true), ("/a/b", true), ("a", false)] {
            assert_eq!(Ordering::Pointer(pointer.into()).check().is_ok(), sound, "{pointer}");
        }
    }

    #[test]
    fn a_lane_is_read_back_as_it_was_stored() {
        let lane = Lane::of_key("order-7");
        assert_eq!(Lane::from_bytes(lane.to_bytes()), lane);
        assert_ne!(lane.to_bytes(), Lane::of_key("order-8").to_bytes());
    }

    #[test]
    fn a_pointer_has_at_most_256_bytes() {
        let pointer = |length: usize| Ordering::Pointer(format!("/{}", "a".repeat(length - 1)));
        assert_eq!(pointer(256).check(), Ok(()));
        let refusal = pointer(257).check().expect_err("one too many");
        assert_eq!(refusal.field.as_deref(), Some("ordering.pointer"));
    }
}
