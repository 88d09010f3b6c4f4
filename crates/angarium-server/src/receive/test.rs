//! Test events of a source: with them a tenant sees its wiring without the third party. Each is an
//! event like those that the source receives: listed, routed and forwarded.

use crate::api::App;
use crate::api::idempotency::Idempotency;
use crate::api::json::Answer;
use crate::api::problem::{Problem, not_found};
use crate::entropy::random;
use angarium_core::event::{DataKind, EventType, NewEvent};
use angarium_core::id::EventId;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::shard::{Audience, Lookup};
use angarium_core::source::Source;
use angarium_core::subscription::TypePattern;
use bytes::Bytes;
use std::sync::Arc;

/// The type of a test where nobody names one.
const TEST: &str = "test";

/// A test event; what is absent is made up.
#[derive(Debug)]
pub(crate) struct TestEvent {
    /// The type; else the first one that the source names.
    pub(crate) kind: Option<String>,
    /// The data, JSON; else the type and no more.
    pub(crate) data: Option<Bytes>,
}

/// Makes a test event.
///
/// # Errors
/// `forbidden` where the source takes nothing in, `invalid_event_type`, `rate_limited`, and the
/// store's.
pub(crate) async fn make(
    app: &Arc<App>,
    source: &Source,
    wanted: TestEvent,
    idempotency: &Idempotency,
    print: impl FnOnce(&EventId) -> Answer,
) -> Result<Answer, Problem> {
    if !source.config.status.takes_in() {
        let message = "this takes nothing in: it is switched off";
        return Err(Refusal::whole(Code::Forbidden, message).into());
    }
    let tenant = app.directory.tenant_by_no(source.config.tenant);
    let tenant = tenant.ok_or_else(|| not_found("tenant"))?;
    let event = new_event(app, source, wanted)?;
    app.rates.admit([&*tenant])?;
    let id = EventId::Own(event.own_id.clone().unwrap_or_default());
    let answer = print(&id);
    let (event, guard) = (Arc::new(event), idempotency.keep(&answer));
    app.runner.publish(tenant.no, event, Audience::Matching, Lookup::NotYet, guard).await?;
    app.metrics.accepted();
    Ok(answer)
}

fn new_event(app: &App, source: &Source, wanted: TestEvent) -> Result<NewEvent, Refusal> {
    let named = wanted.kind.as_deref().or_else(|| first_type(&source.config.types));
    let kind = EventType::try_new(named.unwrap_or(TEST), &app.limits)?;
    let plain = || serde_json::json!({ "type": kind.as_str() }).to_string().into();
    Ok(NewEvent {
        own_id: Some(format!("test_{}", hex::encode(random::<16>(&*app.entropy))).into()),
        data: wanted.data.unwrap_or_else(plain),
        kind,
        time: None,
        subject: Some(source.config.id.to_string().into()),
        ordering_key: None,
        attributes: vec![("content_type".into(), "application/json".into())],
        data_kind: DataKind::Json,
    })
}

/// The first of the patterns that is a type itself.
fn first_type(patterns: &[TypePattern]) -> Option<&str> {
    patterns.iter().map(TypePattern::as_str).find(|pattern| !pattern.contains('*'))
}
