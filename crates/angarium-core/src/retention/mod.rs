//! How long what was accepted is kept.
//!
//! An event goes in parts, each at its age: first its payload and what its receivers answered, then
//! all that is left of it (design.md, rule 11). Ages count from the time in the event's key, which
//! rises in commit order: so one cursor for each part follows them, and a clock that is set back
//! makes nothing older than it is.

mod doubt;

pub use doubt::{Belief, Looked};

use crate::id::EventKey;
use crate::refusal::{Code, Refusal};
use crate::time::{Timestamp, parse_span, print_span};
use serde::{Deserialize, Deserializer, Serialize};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// No age is longer: ten years.
const LONGEST: Duration = Duration::from_secs(3_650 * 24 * 3_600);

/// What of an event goes at an age of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Its data, and the headers of one that was received.
    Payload = 1,
    /// Its attempts, with what receivers answered.
    Attempts = 2,
    /// Everything else: the event itself, its deliveries, the publisher's own id.
    Metadata = 3,
}

impl Part {
    /// All of them, in the order in which they go.
    pub const ALL: [Part; 3] = [Part::Payload, Part::Attempts, Part::Metadata];

    /// The name in the API and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Part::Payload => "payload",
            Part::Attempts => "attempts",
            Part::Metadata => "metadata",
        }
    }

    /// The stored number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The youngest age at which it may go. Answers that are kept for `Idempotency-Key` live for a
    /// day and name their event, so events live as long.
    const fn youngest(self) -> Duration {
        match self {
            Part::Payload | Part::Attempts => HOUR,
            Part::Metadata => DAY,
        }
    }

    /// The age at which it goes where nothing is set.
    const fn usual(self) -> Age {
        match self {
            Part::Payload | Part::Attempts => Age::Of(Duration::from_secs(30 * 24 * 3_600)),
            Part::Metadata => Age::Of(Duration::from_secs(90 * 24 * 3_600)),
        }
    }
}

/// Why an event has no payload any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoneWhy {
    /// It came of age.
    Expired,
    /// Somebody had it erased.
    Erased,
}

/// An event's payload is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    /// Why.
    pub why: GoneWhy,
    /// Since when.
    pub at: Timestamp,
}

impl Gone {
    /// Why the event cannot be sent again.
    pub fn refusal(self) -> Refusal {
        let at = self.at;
        match self.why {
            GoneWhy::Expired => Refusal::whole(
                Code::PayloadExpired,
                format!("the event's payload came of age and was removed at {at}"),
            ),
            GoneWhy::Erased => {
                Refusal::whole(Code::EventErased, format!("the event was erased at {at}"))
            }
        }
    }
}

/// An age as it is written; absent where it is as by default.
pub type WrittenAge = Option<Option<String>>;

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WrittenAge, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Age {
    /// So long.
    Of(Duration),
    /// Whatever its age.
    ForEver,
}

impl Age {
    /// The span; none if it does not end.
    pub const fn span(self) -> Option<Duration> {
        match self {
            Age::Of(span) => Some(span),
            Age::ForEver => None,
        }
    }

    /// As it is written.
    pub fn written(self) -> Option<String> {
        self.span().map(print_span)
    }
}

/// The ages of an environment as they are written: spans such as `30d`, and null for ever.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenRetention {
    /// Of payloads.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub payload: WrittenAge,
    /// Of attempts.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub attempts: WrittenAge,
    /// Of all else.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub metadata: WrittenAge,
    /// Of the audit log's entries.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub audit: WrittenAge,
}

/// What an environment sets; the rest is as by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    payload: Option<Age>,
    attempts: Option<Age>,
    metadata: Option<Age>,
    audit: Option<Age>,
}

impl Retention {
    /// Checks what is written.
    ///
    /// # Errors
    /// `invalid_field`, naming the member: payloads and attempts are kept for an hour at least,
    /// metadata and entries of the audit log for a day; nothing for more than ten years, and
    /// metadata not shorter than payloads or attempts.
    pub fn try_new(written: &WrittenRetention) -> Result<Self, Refusal> {
        let of_part =
            |part: Part, text: &WrittenAge| age(part.as_str(), text.as_ref(), part.youngest());
        let set = Self {
            payload: of_part(Part::Payload, &written.payload)?,
            attempts: of_part(Part::Attempts, &written.attempts)?,
            metadata: of_part(Part::Metadata, &written.metadata)?,
            audit: age("audit", written.audit.as_ref(), DAY)?,
        };
        for (part, own) in [(Part::Payload, set.payload), (Part::Attempts, set.attempts)] {
            if own.zip(set.metadata).is_some_and(|(own, metadata)| own > metadata) {
                let message = format!("not shorter than {}: it goes last", part.as_str());
                return Err(Refusal::field(Code::InvalidField, "metadata", message));
            }
        }
        Ok(set)
    }

    /// As it was written.
    pub fn written(&self) -> WrittenRetention {
        WrittenRetention {
            payload: self.payload.map(Age::written),
            attempts: self.attempts.map(Age::written),
            metadata: self.metadata.map(Age::written),
            audit: self.audit.map(Age::written),
        }
    }

    /// The ages in force. What is not set gives way to what is: payloads and attempts never stay
    /// longer than metadata.
    pub fn ages(&self) -> Ages {
        let set = [self.payload, self.attempts].into_iter().flatten().max();
        let usual = Part::Metadata.usual();
        let metadata = self.metadata.unwrap_or(set.map_or(usual, |set| usual.max(set)));
        let or_usual = |own: Option<Age>, part: Part| own.unwrap_or(part.usual().min(metadata));
        Ages {
            payload: or_usual(self.payload, Part::Payload),
            attempts: or_usual(self.attempts, Part::Attempts),
            metadata,
            audit: self.audit.unwrap_or(Age::ForEver),
        }
    }
}

fn age(
    name: &str,
    text: Option<&Option<String>>,
    youngest: Duration,
) -> Result<Option<Age>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let Some(text) = text else { return Ok(Some(Age::ForEver)) };
    let age = parse_span(text).filter(|age| (youngest..=LONGEST).contains(age));
    age.map(|age| Some(Age::Of(age))).ok_or_else(|| {
        let (youngest, longest) = (print_span(youngest), print_span(LONGEST));
        let message = format!(
            "an age from {youngest} to {longest}, such as \"30d\" or \"12h\", or null for ever"
        );
        Refusal::field(Code::InvalidField, name, message)
    })
}

/// The ages in force in an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    /// Of payloads.
    pub payload: Age,
    /// Of attempts.
    pub attempts: Age,
    /// Of all else.
    pub metadata: Age,
    /// Of the audit log's entries.
    pub audit: Age,
}

impl Ages {
    /// The age of a part.
    pub const fn of(&self, part: Part) -> Age {
        match part {
            Part::Payload => self.payload,
            Part::Attempts => self.attempts,
            Part::Metadata => self.metadata,
        }
    }

    /// The part of every event below this key is of age.
    pub fn end(&self, part: Part, now: Timestamp) -> EventKey {
        match self.of(part) {
            Age::Of(age) => EventKey::first_at(now - age + Duration::from_millis(1)),
            Age::ForEver => EventKey::ZERO,
        }
    }
}

/// How old an entry of the audit log may become. The log is one chain, and can be cut at its
/// beginning only: so the longest age of all environments counts, and none while one of them keeps
/// its entries for ever.
pub fn audit_age<'a>(all: impl IntoIterator<Item = &'a Ages>) -> Option<Duration> {
    all.into_iter().map(|ages| ages.audit).max().and_then(Age::span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(payload: &str, attempts: &str, metadata: &str) -> WrittenRetention {
        let some = |text: &str| match text {
            "" => None,
            "null" => Some(None),
            text => Some(Some(text.to_owned())),
        };
        let (payload, attempts, metadata) = (some(payload), some(attempts), some(metadata));
        WrittenRetention { payload, attempts, metadata, audit: None }
    }

    fn refused(written: &WrittenRetention) -> Option<String> {
        Retention::try_new(written).err().and_then(|refusal| refusal.field)
    }

    #[test]
    fn an_age_is_within_its_bounds_and_metadata_goes_last() {
        for good in [("1h", "1h", "1d"), ("3650d", "", "3650d"), ("", "", ""), ("null", "2d", "")] {
            let written = written(good.0, good.1, good.2);
            let retention = Retention::try_new(&written).expect("within bounds");
            assert_eq!(retention.written(), written);
        }
        for (bad, member) in [
            (written("59m", "", ""), "payload"),
            (written("", "3599s", ""), "attempts"),
            (written("", "", "23h"), "metadata"),
            (written("3651d", "", ""), "payload"),
            (written("30", "", ""), "payload"),
            (written("2d", "", "1d"), "metadata"),
            (written("", "2d", "1d"), "metadata"),
            (written("null", "", "3650d"), "metadata"),
            (WrittenRetention { audit: Some(Some("1h".into())), ..Default::default() }, "audit"),
        ] {
            assert_eq!(refused(&bad).as_deref(), Some(member), "{bad:?}");
        }
    }

    #[test]
    fn what_is_not_set_gives_way_to_what_is() {
        let ages = |payload, attempts, metadata| {
            let retention = Retention::try_new(&written(payload, attempts, metadata));
            let ages = retention.expect("within bounds").ages();
            Part::ALL.map(|part| ages.of(part).written().unwrap_or_else(|| "for ever".into()))
        };
        assert_eq!(ages("", "", ""), ["30d", "30d", "90d"]);
        assert_eq!(ages("", "", "7d"), ["7d", "7d", "7d"]);
        assert_eq!(ages("120d", "", ""), ["120d", "30d", "120d"]);
        assert_eq!(ages("null", "", ""), ["for ever", "30d", "for ever"]);
        assert_eq!(ages("", "", "null"), ["30d", "30d", "for ever"]);
    }

    #[test]
    fn a_part_is_of_age_at_its_age_and_not_a_millisecond_before() {
        let ages = Retention::default().ages();
        let key = EventKey::ZERO.next(Timestamp::from_millis(1_000_000));
        let of_age = key.time() + ages.payload.span().expect("a default");
        assert!(key < ages.end(Part::Payload, of_age));
        assert!(key >= ages.end(Part::Payload, of_age - Duration::from_millis(1)));
    }

    #[test]
    fn what_is_kept_for_ever_is_never_of_age_and_written_as_null() {
        let text = r#"{"payload":null,"attempts":null,"metadata":null}"#;
        let written: WrittenRetention = serde_json::from_str(text).expect("it is read");
        assert_eq!(serde_json::to_string(&written).expect("it is written"), text);
        let ages = Retention::try_new(&written).expect("allowed").ages();
        let far = Timestamp::from_millis(i64::MAX >> 22);
        assert!(Part::ALL.iter().all(|part| ages.end(*part, far) == EventKey::ZERO));
    }

    #[test]
    fn the_log_is_cut_where_no_environment_wants_it_any_more() {
        let keeping = |audit: Option<u64>| Ages {
            audit: audit.map_or(Age::ForEver, |age| Age::Of(Duration::from_secs(age))),
            ..Retention::default().ages()
        };
        assert_eq!(audit_age(&[keeping(Some(5)), keeping(Some(9))]), Some(Duration::from_secs(9)));
        assert_eq!(audit_age(&[keeping(Some(5)), keeping(None)]), None);
        assert_eq!(audit_age(&[]), None);
    }
}
