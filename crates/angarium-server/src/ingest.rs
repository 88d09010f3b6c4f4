//! Reads what a publisher says: bytes in, a checked event out. The hot path of the product.
//!
//! The body is walked once. `data` is never taken apart: it stays a slice of the request's own
//! bytes, so it goes out exactly as it came in.

use crate::api::json::{self, Pairs};
use angarium_core::event::{DataKind, EventType, NewEvent};
use angarium_core::limits::Limits;
use angarium_core::refusal::{Code, Refusal};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An event as it was published, with the tenant that it names.
#[derive(Debug)]
pub struct Publication {
    /// The tenant, unless the key is a tenant's.
    pub tenant: Option<Box<str>>,
    /// The event, checked.
    pub event: NewEvent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventBody<'a> {
    tenant: Option<Box<str>>,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    id: Option<Box<str>>,
    time: Option<Box<str>>,
    subject: Option<Box<str>>,
    key: Option<Box<str>>,
    #[serde(default)]
    attributes: Pairs,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchBody<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

/// Parses and checks one event.
///
/// # Errors
/// The first rule that it breaks, by the member at fault.
pub fn event(body: &Bytes, limits: &Limits) -> Result<Publication, Refusal> {
    publication(body, json::parse_whole(body)?, limits)
}

/// The events of a batch, each still as its own text: one bad event refuses only itself.
///
/// # Errors
/// `batch_too_large`, and what is wrong with the frame.
pub fn batch(body: &Bytes, limits: &Limits) -> Result<Vec<Bytes>, Refusal> {
    let BatchBody { events } = json::parse_whole(body)?;
    if events.is_empty() || events.len() > limits.batch_events {
        let message = format!("between 1 and {} events", limits.batch_events);
        return Err(Refusal::field(Code::BatchTooLarge, "events", message));
    }
    Ok(events.iter().map(|event| body.slice_ref(event.get().as_bytes())).collect())
}

fn publication(
    whole: &Bytes,
    body: EventBody<'_>,
    limits: &Limits,
) -> Result<Publication, Refusal> {
    let data = body.data.get().as_bytes();
    if data.len() > limits.body_bytes {
        let message = format!("data has at most {} bytes", limits.body_bytes);
        return Err(Refusal::field(Code::BodyTooLarge, "data", message));
    }
    json::check_depth(data, limits).map_err(|refusal| refusal.below("data"))?;
    let event = NewEvent {
        own_id: body.id,
        kind: EventType::try_new(&body.kind, limits)?,
        time: body.time,
        subject: body.subject,
        ordering_key: body.key,
        attributes: body.attributes.0,
        data: whole.slice_ref(data),
        data_kind: DataKind::Json,
    };
    event.check(limits)?;
    Ok(Publication { tenant: body.tenant, event })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Publication, Refusal> {
        event(&Bytes::copy_from_slice(text.as_bytes()), &Limits::default())
    }

    #[test]
    fn data_is_kept_byte_for_byte_without_a_copy() {
        let data = "{ \"n\" : 1.10, \"big\":12345678901234567890123, \"\\u00e4\":[ ] }";
        let body = Bytes::from(format!(r#"{{"tenant":"t","type":"a.b","data": {data} }}"#));
        let publication = event(&body, &Limits::default()).expect("an event");
        assert_eq!(publication.event.data, data.as_bytes());
        assert!(body.as_ptr_range().contains(&publication.event.data.as_ptr()));
    }

    #[test]
    fn every_member_reaches_the_event_and_null_reads_as_absent() {
        let text = r#"{"tenant":"t","type":"a.b","id":"o-1","time":"2026-04-20T14:32:00Z",
            "subject":"s","key":"k","attributes":{"b":"2","a":"1"},"data":null}"#;
        let Publication { tenant, event } = parse(text).expect("an event");
        assert_eq!(tenant.as_deref(), Some("t"));
        assert_eq!(event.own_id.as_deref(), Some("o-1"));
        assert_eq!(event.ordering_key.as_deref(), Some("k"));
        assert_eq!(event.attributes, [("b".into(), "2".into()), ("a".into(), "1".into())]);
        assert_eq!(&event.data[..], b"null");
        let nulls = r#"{"type":"a","id":null,"subject":null,"attributes":null,"data":1}"#;
        assert_eq!(parse(nulls).expect("an event").event.own_id, None);
    }

    #[test]
    fn an_event_is_refused_by_the_member_at_fault() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        let rows = [
            (r#"{"type":"a"}"#.into(), Code::MissingField, "data"),
            (r#"{"data":1}"#.into(), Code::MissingField, "type"),
            (r#"{"type":"a b","data":1}"#.into(), Code::InvalidEventType, "type"),
            (r#"{"type":1,"data":1}"#.into(), Code::InvalidField, "type"),
            (r#"{"type":"a","data":1,"x":1}"#.into(), Code::UnknownField, "x"),
            (r#"{"type":"a","data":1,"id":"evt_1"}"#.into(), Code::InvalidEventId, "id"),
            (
                r#"{"type":"a","data":1,"attributes":{"a":1}}"#.into(),
                Code::InvalidField,
                "attributes.a",
            ),
            (
                r#"{"type":"a","data":1,"attributes":{"a":"1","a":"2"}}"#.into(),
                Code::InvalidField,
                "attributes",
            ),
            (format!(r#"{{"type":"a","data":{}}}"#, deep(65)), Code::JsonTooDeep, "data"),
            (r#"{"type":"a","type":"b","data":1}"#.into(), Code::InvalidField, "type"),
        ];
        for (text, code, field) in rows {
            let refusal = parse(&text).expect_err(&text);
            assert_eq!((refusal.code, refusal.field.as_deref()), (code, Some(field)), "{text}");
        }
        assert!(parse(&format!(r#"{{"type":"a","data":{}}}"#, deep(64))).is_ok());
        let as_it_is = parse(r#"{"type":"a","data":{"b":1,"b":2}}"#).expect("data is not judged");
        assert_eq!(&*as_it_is.event.data, br#"{"b":1,"b":2}"#);
    }

    #[test]
    fn a_batch_holds_at_the_limit_and_is_refused_one_past_it() {
        let limits = Limits::default();
        let frame = |n: usize| {
            let events = vec![r#"{"type":"a","data":1}"#; n].join(",");
            Bytes::from(format!(r#"{{"events":[{events}]}}"#))
        };
        assert_eq!(batch(&frame(1_000), &limits).expect("a batch").len(), 1_000);
        for n in [0, 1_001] {
            let refusal = batch(&frame(n), &limits).expect_err("refused");
            assert_eq!(
                (refusal.code, refusal.field.as_deref()),
                (Code::BatchTooLarge, Some("events"))
            );
        }
    }

    #[test]
    fn a_bad_event_in_a_batch_leaves_the_others_whole() {
        let body = Bytes::from_static(br#"{"events":[{"type":"a","data":1},{"type":2},[]]}"#);
        let events = batch(&body, &Limits::default()).expect("a batch");
        let good: Vec<_> = events.iter().map(|e| event(e, &Limits::default()).is_ok()).collect();
        assert_eq!(good, [true, false, false]);
    }
}
