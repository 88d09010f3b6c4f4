//! What an accepted request becomes: an event with its exact bytes.

use super::arrived::Arrived;
use crate::api::json;
use angarium_core::event::{DataKind, EventType, NewEvent, RECEIVED_HEADER};
use angarium_core::limits::Limits;
use angarium_core::scheme::Verified;
use angarium_core::source::Source;
use http::header;
use serde::de::IgnoredAny;

/// The attribute with the third party's own id.
pub(crate) const ID: &str = "id";
/// The attribute with the body's content type.
const CONTENT_TYPE: &str = "content_type";

/// The event of a request that is genuine. Its own id is added where it is published.
pub(super) fn of(
    source: &Source,
    verified: &Verified,
    kind: EventType,
    arrived: &Arrived,
    limits: &Limits,
) -> NewEvent {
    NewEvent {
        own_id: None,
        kind,
        time: None,
        subject: Some(source.config.id.to_string().into()),
        ordering_key: None,
        attributes: attributes(source, verified, arrived, limits),
        data: arrived.body.clone(),
        data_kind: data_kind(&arrived.body, limits),
    }
}

/// What is kept beside the body; what is longer than an attribute may be is left out.
fn attributes(
    source: &Source,
    verified: &Verified,
    arrived: &Arrived,
    limits: &Limits,
) -> Vec<(Box<str>, Box<str>)> {
    let text = |value: &http::HeaderValue| value.to_str().ok().map(Box::from);
    let content_type = arrived.headers.get(header::CONTENT_TYPE).and_then(text);
    let facts = [(CONTENT_TYPE, content_type), (ID, verified.id.as_deref().map(Box::from))];
    let facts = facts.into_iter().filter_map(|(name, value)| Some((name.into(), value?)));
    let headers = arrived.kept(source).filter_map(|(name, value)| {
        Some((format!("{RECEIVED_HEADER}{name}").into(), text(value)?))
    });
    let fits = |(name, value): &(Box<str>, Box<str>)| {
        let length = value.chars().count();
        (1..=limits.text_chars).contains(&length) && name.len() <= limits.text_chars
    };
    facts.chain(headers).filter(fits).take(limits.attributes).collect()
}

fn data_kind(body: &[u8], limits: &Limits) -> DataKind {
    let is_json = || {
        json::check_depth(body, limits).is_ok()
            && serde_json::from_slice::<IgnoredAny>(body).is_ok()
    };
    match std::str::from_utf8(body) {
        Ok(_) if is_json() => DataKind::Json,
        Ok(_) => DataKind::Text,
        Err(_) => DataKind::Binary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json_text_or_neither() {
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        let rows: [(&[u8], DataKind); 6] = [
            (b"{\"a\": 1}\n", DataKind::Json),
            (b"17", DataKind::Json),
            (b"a=1&b=2", DataKind::Text),
            (b"", DataKind::Text),
            (b"\xff\x00", DataKind::Binary),
            (deep.as_bytes(), DataKind::Text),
        ];
        for (body, expected) in rows {
            assert_eq!(data_kind(body, &Limits::default()), expected);
        }
    }
}
