//! The way in: one event, or a batch of them. A 202 means committed and synced.

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::idempotency::{Idempotency, Opened, mismatch, replayed};
use crate::api::json::{self, Answer};
use crate::api::problem::{self, Problem, ProblemBody, not_found};
use crate::in_order::in_order;
use crate::ingest::{self, Publication};
use crate::runner::Published;
use angarium_core::account::{Scope, Tenant, Validation};
use angarium_core::batch::{Guard, GuardAnswer};
use angarium_core::event::{Event, NewEvent};
use angarium_core::id::{EventId, EventKey, TenantNo};
use angarium_core::refusal::{Code, Refusal};
use angarium_store::Answered;
use angarium_store::read::EventRow;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// An event to publish.
#[derive(ToSchema)]
#[schema(as = NewEvent)]
#[expect(dead_code, reason = "the document's shape of what ingest reads")]
pub(in crate::api) struct EventBody {
    /// The tenant; may be absent when the key is a tenant's.
    #[schema(example = "acme")]
    tenant: Option<String>,
    /// The type.
    #[schema(pattern = "^[A-Za-z0-9_.:-]{1,128}$", example = "order.paid")]
    r#type: String,
    /// The publisher's own id: a second event of the same id is the same event.
    #[schema(pattern = "^(?!evt_)[A-Za-z0-9_-]{1,64}$", example = "order-17-paid")]
    id: Option<String>,
    /// The time of the fact, RFC 3339; kept as written.
    #[schema(example = "2026-04-20T14:32:00Z")]
    time: Option<String>,
    /// What the event is about.
    #[schema(min_length = 1, max_length = 512, example = "order-17")]
    subject: Option<String>,
    /// The ordering key.
    #[schema(min_length = 1, max_length = 512)]
    key: Option<String>,
    /// Names and values that subscriptions can ask for.
    attributes: Option<BTreeMap<String, String>>,
    /// Any JSON; delivered byte for byte.
    #[schema(value_type = Value, required = true)]
    data: serde_json::Value,
}

/// Events to publish, in order.
#[derive(ToSchema)]
#[schema(as = NewEvents)]
#[expect(dead_code, reason = "the document's shape of what ingest reads")]
pub(in crate::api) struct BatchBody {
    /// Up to 1,000 events.
    #[schema(min_items = 1, max_items = 1000)]
    events: Vec<EventBody>,
}

/// An accepted event.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Accepted {
    /// The event's id: the publisher's own, or one that was made.
    #[schema(example = "order-17-paid")]
    id: String,
    /// The event's place among the tenant's.
    sequence: u64,
    /// Whether it was known already; then this is the first event's answer.
    duplicate: bool,
    /// How many endpoints it goes to.
    endpoints: usize,
    /// What is wrong with the data, where the event type only warns.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

/// What became of each event of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct BatchAccepted {
    /// In the order of the events.
    results: Vec<ItemResult>,
}

/// What became of one event of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct ItemResult {
    /// 202, or the status of the refusal.
    #[schema(minimum = 202, maximum = 599)]
    status: u16,
    /// The accepted event.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    accepted: Option<Accepted>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ProblemBody>,
}

/// Publish an event
///
/// The answer comes when the event is committed and synced. A known `id` of the tenant answers as
/// the first time, with `duplicate: true`; the same id with another type, key or data is refused.
#[utoipa::path(post, path = "/v1/events", tag = "events", request_body = EventBody,
    responses((status = 202, description = "Accepted and durable", body = Accepted)))]
pub(in crate::api) async fn publish(State(app): State<Arc<App>>, request: Request) -> Response {
    publish_directly(&app, request).await
}

/// As the call `POST /v1/events`, for a listener that serves this path before it routes.
pub async fn publish_directly<B>(app: &Arc<App>, request: http::Request<B>) -> Response
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: Into<axum::BoxError>,
{
    let answer = publish_one(app, request).await;
    answer.unwrap_or_else(|problem| {
        app.metrics.refused(problem.0.code);
        problem.into_response()
    })
}

async fn publish_one<B>(app: &App, request: http::Request<B>) -> Result<Response, Problem>
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: Into<axum::BoxError>,
{
    let (parts, body) = request.into_parts();
    let caller = Caller::identify(app, &parts.headers)?;
    caller.require(Scope::Publish)?;
    let body = json::read(body, app.limits.body_bytes).await?;
    let idempotency = match Idempotency::open(app, &caller, &parts, &body).await? {
        Opened::First(idempotency) => idempotency,
        Opened::Repeated(answer) => return repeat(app, &caller, &body, answer).await,
    };
    json::check_content_type(&parts.headers, &body)?;
    let guard = idempotency.guard(GuardAnswer::Event);
    let accepted = accept(app, &caller, &body, guard).await?;
    Ok(Answer::accepted(&accepted).into_response())
}

/// Publish a batch
///
/// Each event is accepted or refused for itself; the results are in the order of the events.
#[utoipa::path(post, path = "/v1/events/batch", tag = "events", request_body = BatchBody,
    responses((status = 202, description = "A result for each event", body = BatchAccepted)))]
pub(in crate::api) async fn publish_batch(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Answer, Problem> {
    let (parts, body) = request.into_parts();
    let caller = Caller::identify(&app, &parts.headers)?;
    caller.require(Scope::Publish)?;
    let body = json::read(body, app.limits.batch_bytes).await?;
    let Opened::First(idempotency) = Idempotency::open(&app, &caller, &parts, &body).await? else {
        return Err(not_found("batch").into());
    };
    json::check_content_type(&parts.headers, &body)?;
    let events = ingest::batch(&body, &app.limits)?;
    let items = events.iter().enumerate().map(|(i, event)| {
        let guard = idempotency.guard_item(i);
        accept_item(&app, &caller, event, guard)
    });
    let results = in_order(items).await;
    if results.iter().any(is_mismatch) {
        return Err(mismatch().into());
    }
    Ok(Answer::accepted(&BatchAccepted { results }))
}

/// One event of a batch: what it answered before, or what it answers now.
async fn accept_item(app: &App, caller: &Caller, body: &Bytes, guard: Option<Guard>) -> ItemResult {
    match accept_guarded(app, caller, body, guard).await {
        Ok(accepted) => ItemResult {
            status: 202,
            accepted: Some(accepted),
            error: None,
        },
        Err(Problem(refusal)) => {
            app.metrics.refused(refusal.code);
            let error = Some(problem::body(&refusal));
            ItemResult {
                status: refusal.code.status(),
                accepted: None,
                error,
            }
        }
    }
}

async fn accept_guarded(
    app: &App,
    caller: &Caller,
    body: &Bytes,
    guard: Option<Guard>,
) -> Result<Accepted, Problem> {
    let Some(guard) = guard else {
        return accept(app, caller, body, None).await;
    };
    match app.store.guarded_answer(&guard.scope, app.now()).await? {
        None => accept(app, caller, body, Some(guard)).await,
        Some(stored) if stored.fingerprint != guard.fingerprint => Err(mismatch().into()),
        Some(stored) => {
            let Publication { tenant, event } = ingest::event(body, &app.limits)?;
            let tenant = tenant_of(app, caller, tenant.as_deref())?;
            let warning = warning(app, &tenant, &event)?;
            first_event(app, tenant.no, answered_event(stored.answer)?, warning).await
        }
    }
}

/// Accepts one event: parse, check, commit.
async fn accept(
    app: &App,
    caller: &Caller,
    body: &Bytes,
    guard: Option<Guard>,
) -> Result<Accepted, Problem> {
    let Publication { tenant, event } = ingest::event(body, &app.limits)?;
    let tenant = tenant_of(app, caller, tenant.as_deref())?;
    let warning = warning(app, &tenant, &event)?;
    let event = Arc::new(event);
    match app
        .runner
        .publish(tenant.no, Arc::clone(&event), guard)
        .await?
    {
        Published::Accepted {
            key,
            sequence,
            endpoints,
        } => {
            app.metrics.accepted();
            let own = event.own_id.clone();
            let id = own.map_or(EventId::Made(key), EventId::Own).to_string();
            Ok(Accepted {
                id,
                sequence,
                duplicate: false,
                endpoints,
                warning,
            })
        }
        Published::Known(key) => {
            app.metrics.duplicate();
            known(app, tenant.no, key, &event, warning).await
        }
    }
}

/// The first event of this id answers again, unless this one says something else.
async fn known(
    app: &App,
    tenant: TenantNo,
    key: EventKey,
    event: &NewEvent,
    warning: Option<String>,
) -> Result<Accepted, Problem> {
    let row = stored(app, tenant, key).await?;
    if !is_same(&row.event, event) {
        let message = "this id was published before with another type, key or data";
        return Err(Refusal::field(Code::EventIdConflict, "id", message).into());
    }
    Ok(Accepted {
        duplicate: true,
        ..answer_of(&row, warning)
    })
}

fn is_same(first: &Event, event: &NewEvent) -> bool {
    first.body.kind == event.kind
        && first.body.ordering_key == event.ordering_key
        && first.body.data == event.data
}

/// What the event's own publish answered.
async fn first_event(
    app: &App,
    tenant: TenantNo,
    key: EventKey,
    warning: Option<String>,
) -> Result<Accepted, Problem> {
    let row = stored(app, tenant, key).await?;
    Ok(answer_of(&row, warning))
}

async fn stored(app: &App, tenant: TenantNo, key: EventKey) -> Result<EventRow, Problem> {
    let row = app.store.event(tenant, key).await?;
    row.ok_or_else(|| not_found("event").into())
}

fn answer_of(row: &EventRow, warning: Option<String>) -> Accepted {
    Accepted {
        id: row.event.id().to_string(),
        sequence: row.event.sequence,
        duplicate: false,
        endpoints: row.fanout.len(),
        warning,
    }
}

/// A publish that was answered before answers the same.
async fn repeat(
    app: &App,
    caller: &Caller,
    body: &Bytes,
    answer: Answered,
) -> Result<Response, Problem> {
    let Publication { tenant, event } = ingest::event(body, &app.limits)?;
    let tenant = tenant_of(app, caller, tenant.as_deref())?;
    let warning = warning(app, &tenant, &event)?;
    let accepted = first_event(app, tenant.no, answered_event(answer)?, warning).await?;
    Ok(replayed(Answer::accepted(&accepted).into_response()))
}

fn answered_event(answer: Answered) -> Result<EventKey, Refusal> {
    match answer {
        Answered::Event(key) => Ok(key),
        Answered::Given { .. } | Answered::Delivery(_) => Err(problem::internal()),
    }
}

fn tenant_of(app: &App, caller: &Caller, id: Option<&str>) -> Result<Arc<Tenant>, Refusal> {
    let tenant = caller.tenant_meant(app, id)?;
    tenant.ok_or_else(|| {
        let message = "an event names its tenant, unless the key is a tenant's";
        Refusal::field(Code::MissingField, "tenant", message)
    })
}

/// Holds the data against the event type's schema, as the type says.
fn warning(app: &App, tenant: &Tenant, event: &NewEvent) -> Result<Option<String>, Refusal> {
    let Some(entry) = app
        .directory
        .event_type(tenant.environment, event.kind.as_str())
    else {
        return Ok(None);
    };
    let Some(violation) = entry.violation(&event.data) else {
        return Ok(None);
    };
    match entry.config.validate {
        Validation::Off => Ok(None),
        Validation::Warn => Ok(Some(violation)),
        Validation::Reject => Err(Refusal::field(Code::SchemaViolation, "data", violation)),
    }
}

fn is_mismatch(item: &ItemResult) -> bool {
    let mismatch = Code::IdempotencyMismatch.as_str();
    item.error
        .as_ref()
        .is_some_and(|error| error.code == mismatch)
}
