//! Deliveries and attempts as they are shown.

use crate::api::App;
use crate::api::json::{Pairs, Time};
use angarium_core::batch::AttemptRecord;
use angarium_core::id::DeliveryKey;
use angarium_store::read::{DeliveryRow, DeliveryWithAttempts, LastAttempt};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// The event of a delivery.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct DeliveredEvent {
    /// Its id.
    id: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
}

/// The last attempt.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LastAttempt)]
pub(in crate::api) struct LastView {
    /// The answer's status; null if there was none.
    status: Option<u16>,
    /// What it meant.
    class: &'static str,
    /// When it began.
    at: Time,
    /// How long it took.
    duration_ms: u64,
}

/// One event for one endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(in crate::api) struct DeliveryView {
    /// Its id.
    #[schema(example = "dlv_00cq0a3f7e8vb6k2m4n5p6q7r8")]
    id: String,
    /// The tenant.
    tenant: String,
    /// The event.
    #[schema(inline)]
    event: DeliveredEvent,
    /// The endpoint's id.
    endpoint: String,
    /// `queued`, `pending`, `in_flight`, or one of the final `delivered`, `dead`, `cancelled`,
    /// `suppressed`.
    #[schema(example = "delivered")]
    state: &'static str,
    /// Why it ended without success.
    reason: Option<&'static str>,
    /// Attempts so far.
    attempts: u16,
    /// When the next attempt is due.
    next_attempt_at: Option<Time>,
    /// Its number among the endpoint's deliveries; 0 for a replay to an endpoint that the event
    /// did not match, which stands outside them.
    sequence: u64,
    /// The last attempt.
    #[schema(inline)]
    last: Option<LastView>,
    /// The delivery that this one repeats.
    redelivery_of: Option<String>,
}

/// A delivery with everything that was tried.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryWithAttempts)]
pub(in crate::api) struct FullView {
    /// The delivery, but for its count of attempts.
    #[serde(flatten)]
    row: DeliveryHead,
    /// Its attempts, first to last.
    attempts: Vec<AttemptView>,
}

/// A delivery, but for its attempts.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct DeliveryHead {
    /// Its id.
    id: String,
    /// The tenant.
    tenant: String,
    /// The event.
    #[schema(inline)]
    event: DeliveredEvent,
    /// The endpoint's id.
    endpoint: String,
    /// Where it stands.
    state: &'static str,
    /// Why it ended without success.
    reason: Option<&'static str>,
    /// When the next attempt is due.
    next_attempt_at: Option<Time>,
    /// Its number among the endpoint's deliveries.
    sequence: u64,
    /// The last attempt.
    #[schema(inline)]
    last: Option<LastView>,
    /// The delivery that this one repeats.
    redelivery_of: Option<String>,
}

/// One HTTP exchange.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(in crate::api) struct AttemptView {
    /// 1 for the first attempt of the delivery.
    n: u16,
    /// When it began.
    at: Time,
    /// How long it took.
    duration_ms: u64,
    /// What it meant.
    class: &'static str,
    /// The answer's status; null if there was none.
    status: Option<u16>,
    /// What went wrong.
    detail: Option<String>,
    /// What was sent, secrets masked.
    request: RequestView,
    /// What came back; null if nothing did.
    response: Option<ResponseView>,
}

/// What was sent; the body is the contract's form of the event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SentRequest)]
pub(in crate::api) struct RequestView {
    /// The method.
    method: String,
    /// The URL.
    url: String,
    /// The headers.
    #[schema(value_type = BTreeMap<String, String>)]
    headers: Pairs,
}

/// What came back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReceivedResponse)]
pub(in crate::api) struct ResponseView {
    /// The headers that are kept.
    #[schema(value_type = BTreeMap<String, String>)]
    headers: Pairs,
    /// The beginning of the body, as text.
    body: String,
}

pub(in crate::api) fn view(app: &App, row: DeliveryRow) -> DeliveryView {
    let attempts = row.attempts;
    let head = head(app, row);
    DeliveryView {
        id: head.id,
        tenant: head.tenant,
        event: head.event,
        endpoint: head.endpoint,
        state: head.state,
        reason: head.reason,
        attempts,
        next_attempt_at: head.next_attempt_at,
        sequence: head.sequence,
        last: head.last,
        redelivery_of: head.redelivery_of,
    }
}

pub(super) fn full(app: &App, delivery: DeliveryWithAttempts) -> FullView {
    FullView {
        row: head(app, delivery.row),
        attempts: delivery.attempts.into_iter().map(attempt).collect(),
    }
}

fn head(app: &App, row: DeliveryRow) -> DeliveryHead {
    let repeated = |generation| DeliveryKey { generation, ..row.key }.to_string();
    let tenant = app.directory.tenant_by_no(row.tenant);
    DeliveryHead {
        id: row.key.to_string(),
        tenant: tenant.map(|tenant| tenant.id.clone()).unwrap_or_default(),
        endpoint: row.endpoint_id.to_string(),
        state: row.state.as_str(),
        reason: row.reason.map(|reason| reason.as_str()),
        next_attempt_at: row.next_due.map(Time),
        sequence: row.sequence,
        last: row.last.map(last),
        redelivery_of: row.redelivery_of.map(repeated),
        event: DeliveredEvent { id: row.event_id.to_string(), kind: row.event_kind },
    }
}

fn last(last: LastAttempt) -> LastView {
    LastView {
        status: last.status,
        class: last.class.as_str(),
        at: Time(last.at),
        duration_ms: millis(last.took),
    }
}

fn attempt(record: AttemptRecord) -> AttemptView {
    let answered = record.status.is_some();
    AttemptView {
        n: record.n,
        at: Time(record.at),
        duration_ms: millis(record.took),
        class: record.class.as_str(),
        status: record.status,
        detail: record.detail.map(String::from),
        request: request(&record.request),
        response: answered.then(|| ResponseView {
            headers: header_lines(record.response.lines()),
            body: String::from_utf8_lossy(&record.body).into_owned(),
        }),
    }
}

fn request(head: &str) -> RequestView {
    let mut lines = head.lines();
    let (method, url) = lines.next().and_then(|line| line.split_once(' ')).unwrap_or_default();
    RequestView { method: method.into(), url: url.into(), headers: header_lines(lines) }
}

/// Headers as an object; the values of a repeated name are joined as HTTP joins them.
fn header_lines<'a>(lines: impl Iterator<Item = &'a str>) -> Pairs {
    let mut headers: Vec<(Box<str>, Box<str>)> = Vec::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        match headers.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, values)) => *values = format!("{values}, {value}").into(),
            None => headers.push((name.into(), value.into())),
        }
    }
    Pairs(headers)
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_request_reads_back_in_its_parts() {
        let shown = request("POST https://a.io/h?x=1\nx-a: 1\nx-b: a: b\nx-a: 2");
        assert_eq!((shown.method.as_str(), shown.url.as_str()), ("POST", "https://a.io/h?x=1"));
        let headers = [("x-a".into(), "1, 2".into()), ("x-b".into(), "a: b".into())];
        assert_eq!(shown.headers.0, headers);
    }
}
