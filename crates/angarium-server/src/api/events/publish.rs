//! The way in: one event, or a batch of them. A 202 means committed and synced.

use super::accept::{Prepared, accept, prepare, prepare_for_turn};
use crate::api::auth::Caller;
use crate::api::idempotency::{Idempotency, Opened, Turn, replayed};
use crate::api::json::{self, Answer};
use crate::api::problem::{self, Problem, ProblemBody};
use crate::api::quota;
use crate::api::{App, DIRECT};
use crate::bodies::Sender;
use crate::in_order::in_order;
use crate::ingest;
use angarium_core::account::Tenant;
use angarium_core::batch::GuardAnswer;
use angarium_core::id::ApiKeyId;
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
    pub(super) id: String,
    /// The event's place among the tenant's.
    pub(super) sequence: u64,
    /// Whether it was known already; then this is the first event's answer.
    pub(super) duplicate: bool,
    /// How many endpoints it goes to.
    pub(super) endpoints: usize,
    /// What is wrong with the data, where the event type only warns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) warning: Option<String>,
}

/// What became of each event of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct BatchAccepted {
    /// In the order of the events.
    results: Vec<ItemResult>,
}

/// What became of one event of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(in crate::api) enum ItemResult {
    /// It was accepted.
    Accepted {
        /// Always 202.
        #[schema(minimum = 202, maximum = 202)]
        status: u16,
        /// As the answer to the one event.
        #[serde(flatten)]
        accepted: Accepted,
    },
    /// It was refused.
    Refused {
        /// The status that the one event would have got.
        #[schema(minimum = 400, maximum = 599)]
        status: u16,
        /// Why.
        error: ProblemBody,
    },
}

/// Publish an event
///
/// The answer comes when the event is committed and synced. A known `id` of the tenant answers as
/// the first time, with `duplicate: true`; the same id with another type, key or data is refused.
#[utoipa::path(post, path = "/v1/events", tag = "events", request_body = EventBody,
    responses((status = 202, description = "Accepted and durable", body = Accepted)))]
pub(in crate::api) async fn publish(State(app): State<Arc<App>>, request: Request) -> Response {
    publish_any(&app, request).await
}

/// As the call, for a body of any kind.
pub(in crate::api) async fn publish_any<B>(app: &App, request: http::Request<B>) -> Response
where
    B: hyper::body::Body<Data = Bytes>,
{
    let answer = publish_one(app, request).await;
    answered(app, answer)
}

/// The answer; a refusal is counted.
fn answered(app: &App, answer: Result<impl IntoResponse, Problem>) -> Response {
    match answer {
        Ok(answer) => answer.into_response(),
        Err(problem) => {
            app.metrics.refused(problem.0.code);
            problem.into_response()
        }
    }
}

async fn publish_one<B>(app: &App, request: http::Request<B>) -> Result<Response, Problem>
where
    B: hyper::body::Body<Data = Bytes>,
{
    let (parts, body) = request.into_parts();
    let caller = Caller::allowed_on(app, &parts, DIRECT)?;
    let body = app.bodies.read(body, app.limits.body_bytes, Sender::Known).await?;
    match Idempotency::open(app, &caller, &parts, parts.uri.path(), &body).await? {
        Opened::First(idempotency) => {
            json::check_content_type(&parts.headers, &body)?;
            let turn = Turn::First(idempotency.guard(GuardAnswer::Event));
            let event = prepare(app, &caller, &body)?;
            let tenant = Arc::clone(&event.tenant);
            let key = Some(caller.key.id);
            let answer = accept_within_rate(app, key, event, turn).await;
            let mut response = answered(app, answer);
            quota::say_published(app.rates.quota(key, Some(&tenant)), &mut response);
            Ok(response)
        }
        Opened::Repeated(answer) => {
            let event = prepare(app, &caller, &body)?;
            let accepted = accept(app, event, Turn::Repeated(answer)).await?;
            Ok(replayed(Answer::accepted(&accepted).into_response()))
        }
    }
}

async fn accept_within_rate(
    app: &App,
    key: Option<ApiKeyId>,
    event: Prepared,
    turn: Turn,
) -> Result<Answer, Problem> {
    app.rates.admit_by(key, [&*event.tenant])?;
    let accepted = accept(app, event, turn).await?;
    Ok(Answer::accepted(&accepted))
}

/// Publish a batch
///
/// Each event is accepted or refused for itself, in the order of the batch; so are the results. A
/// batch that is beyond a tenant's rate is refused as a whole.
#[utoipa::path(post, path = "/v1/events/batch", tag = "events", request_body = BatchBody,
    responses((status = 202, description = "A result for each event", body = BatchAccepted)))]
pub(in crate::api) async fn publish_batch(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = Caller::allowed(&app, &parts)?;
    let body = app.bodies.read(body, app.limits.batch_bytes, Sender::Known).await?;
    // A batch has no record of its own: each of its events has one.
    let Opened::First(idempotency) =
        Idempotency::open(&app, &caller, &parts, parts.uri.path(), &body).await?
    else {
        return Err(problem::internal().into());
    };
    json::check_content_type(&parts.headers, &body)?;
    let events = ingest::batch(&body, &app.limits)?;
    let turns = idempotency.turns(&app, events.len()).await?;
    let prepared = in_order(events.iter().map(async |event| prepare(&app, &caller, event))).await;
    let items: Vec<_> = prepared.into_iter().zip(turns).collect();
    let tenants: Vec<_> = items.iter().filter_map(tenant_of_new).collect();
    // Of several tenants it cannot be said in two headers.
    let alike = tenants.windows(2).all(|pair| pair[0].no == pair[1].no);
    let whose = tenants.first().filter(|_| alike).cloned();
    let key = Some(caller.key.id);
    let answer = match app.rates.admit_by(key, tenants.iter().map(|tenant| &**tenant)) {
        Ok(()) => Ok(accept_items(&app, items).await),
        Err(refusal) => Err(refusal.into()),
    };
    let mut response = answered(&app, answer);
    quota::say_published(app.rates.quota(key, whose.as_deref()), &mut response);
    Ok(response)
}

type Item = (Result<Prepared, Problem>, Turn);

/// Whose event it is, if it is one that counts: what cannot be read does not, nor what was accepted
/// before under the same `Idempotency-Key`.
fn tenant_of_new((event, turn): &Item) -> Option<Arc<Tenant>> {
    match (event, turn) {
        (Ok(event), Turn::First(_)) => Some(Arc::clone(&event.tenant)),
        (Ok(_), Turn::Repeated(_)) | (Err(_), _) => None,
    }
}

async fn accept_items(app: &App, items: Vec<Item>) -> Answer {
    let (events, turns): (Vec<_>, Vec<_>) = items.into_iter().unzip();
    let looked_up = in_order(events.into_iter().map(|event| prepare_for_turn(app, event))).await;
    let items = looked_up.into_iter().zip(turns);
    let results = in_order(items.map(|(event, turn)| accept_item(app, event, turn))).await;
    Answer::accepted(&BatchAccepted { results })
}

async fn accept_item(app: &App, event: Result<Prepared, Problem>, turn: Turn) -> ItemResult {
    let accepted = match event {
        Ok(event) => accept(app, event, turn).await,
        Err(problem) => Err(problem),
    };
    match accepted {
        Ok(accepted) => ItemResult::Accepted { status: 202, accepted },
        Err(Problem(refusal)) => {
            app.metrics.refused(refusal.code);
            ItemResult::Refused { status: refusal.code.status(), error: problem::body(&refusal) }
        }
    }
}
