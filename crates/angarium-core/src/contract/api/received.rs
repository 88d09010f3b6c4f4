//! What is told of sources: what they are, what they received, and how it was forwarded.

use super::fact::{ForwardFact, ReceivedFact, SourceFact, VerdictFact};
use super::object::Forms;
use crate::delivery::DeliveryState;
use crate::event::{DataKind, Event};
use crate::id::{DeliveryKey, EventId, SourceId};
use crate::secret::SecretText;
use crate::source::{SchemeChoice, SourceConfig};
use crate::time::Timestamp;
use bytes::Bytes;
use serde_json::Value;

/// What is known of a source.
#[derive(Debug, Clone, Copy)]
pub struct SourceFacts<'a> {
    /// As it is configured.
    pub config: &'a SourceConfig,
    /// Where third parties send to it, as the caller knows the server.
    pub receive_url: &'a str,
    /// Its secret, in the one answer that shows it.
    pub secret: Option<&'a SecretText>,
    /// How many events were forwarded, with success or without.
    pub deliveries: u64,
    /// When the last of them was.
    pub last_delivery_at: Option<Timestamp>,
}

/// An event that a source received.
#[derive(Debug, Clone, Copy)]
pub struct ReceivedEvent<'a> {
    /// The event.
    pub event: &'a Event,
    /// The source.
    pub source: SourceId,
    /// The source's name.
    pub source_name: &'a str,
    /// Whether its payload has come of age.
    pub is_gone: bool,
}

/// How an event was forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardDelivery {
    /// Which delivery.
    pub key: DeliveryKey,
    /// The event.
    pub event: EventId,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u16,
    /// The status of the last answer, if there was one.
    pub answer_status: Option<u16>,
    /// The beginning of the last answer's body, if it was kept.
    pub answer_body: Option<Bytes>,
    /// When the event was accepted.
    pub created_at: Timestamp,
    /// When it arrived, if it did.
    pub delivered_at: Option<Timestamp>,
}

/// Whether a request is genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestVerdict<'a> {
    /// It is.
    Genuine,
    /// It is not, and why, for people.
    Rejected(&'a str),
}

pub(super) fn of_source(
    source: &SourceFacts<'_>,
    fact: SourceFact,
    api: &Forms<'_>,
) -> Option<Value> {
    let config = source.config;
    Some(match fact {
        SourceFact::Id => api.id.show(config.id).into(),
        SourceFact::Name => config.name.as_str().into(),
        SourceFact::Url => config.forward.url.as_deref().unwrap_or(source.receive_url).into(),
        SourceFact::ReceiveUrl => source.receive_url.into(),
        SourceFact::Scheme => match &config.scheme {
            SchemeChoice::Named(name) => name.as_str().into(),
            SchemeChoice::Described(scheme) => scheme.clone(),
        },
        SourceFact::Description => config.description.as_deref()?.into(),
        SourceFact::Types => config.types.iter().map(|pattern| pattern.as_str()).collect(),
        SourceFact::Status => config.status.as_str().into(),
        SourceFact::Active => config.status.takes_in().into(),
        SourceFact::Deliveries => source.deliveries.into(),
        SourceFact::LastDeliveryAt => api.time.value(source.last_delivery_at?),
        SourceFact::CreatedAt => api.time.value(config.created_at),
        SourceFact::UpdatedAt => api.time.value(config.updated_at),
    })
}

pub(super) fn of_received(
    received: &ReceivedEvent<'_>,
    fact: ReceivedFact,
    api: &Forms<'_>,
) -> Value {
    let body = &received.event.body;
    match fact {
        ReceivedFact::EventId => received.event.id().to_string().into(),
        ReceivedFact::SourceId => api.id.show(received.source).into(),
        ReceivedFact::SourceName => received.source_name.into(),
        ReceivedFact::Type => body.kind.as_str().into(),
        ReceivedFact::Data if received.is_gone => Value::Null,
        ReceivedFact::Data => data(body.data_kind, &body.data),
        ReceivedFact::At => api.time.value(received.event.accepted_at),
    }
}

/// JSON as it is, everything else as text.
fn data(kind: DataKind, bytes: &[u8]) -> Value {
    let json = || match kind {
        DataKind::Json => serde_json::from_slice(bytes).ok(),
        DataKind::Text | DataKind::Binary => None,
    };
    json().unwrap_or_else(|| String::from_utf8_lossy(bytes).into())
}

pub(super) fn of_forward(
    forward: &ForwardDelivery,
    fact: ForwardFact,
    api: &Forms<'_>,
) -> Option<Value> {
    Some(match fact {
        ForwardFact::Id => forward.key.to_string().into(),
        ForwardFact::EventId => forward.event.to_string().into(),
        ForwardFact::Status => forward.state.as_str().into(),
        ForwardFact::Retries => forward.attempts.saturating_sub(1).into(),
        ForwardFact::AnswerStatus => forward.answer_status?.into(),
        ForwardFact::AnswerBody => String::from_utf8_lossy(forward.answer_body.as_deref()?).into(),
        ForwardFact::CreatedAt => api.time.value(forward.created_at),
        ForwardFact::DeliveredAt => api.time.value(forward.delivered_at?),
    })
}

pub(super) fn of_verdict(verdict: RequestVerdict<'_>, fact: VerdictFact) -> Option<Value> {
    match (fact, verdict) {
        (VerdictFact::Valid, RequestVerdict::Genuine) => Some(true.into()),
        (VerdictFact::Valid, RequestVerdict::Rejected(_)) => Some(false.into()),
        (VerdictFact::Reason, RequestVerdict::Genuine) => None,
        (VerdictFact::Reason, RequestVerdict::Rejected(reason)) => Some(reason.into()),
    }
}
