//! Test events: with them a tenant sees whether its receiver is there and verifies.
//!
//! They are events like any other: accepted, signed, retried, listed, and suppressed where an
//! endpoint is disabled. Only their audience is named instead of matched, and their ids begin with
//! `test_`. A call counts as one event of the tenant's rate, however many it sends. Whoever asks,
//! the native API and the contracts' routes call the same functions.

use super::configure;
use super::operations::Endpoints;
use crate::api::App;
use crate::api::Named;
use crate::api::events::{Accepted, admit};
use crate::api::idempotency::{Command, Idempotency, Turn};
use crate::api::json::Answer;
use crate::api::problem::{Problem, internal};
use crate::entropy::random;
use angarium_core::account::Tenant;
use angarium_core::batch::{Guard, GuardAnswer};
use angarium_core::event::{DataKind, EventType, NewEvent};
use angarium_core::id::EndpointNo;
use angarium_core::refusal::Refusal;
use angarium_core::shard::{Audience, Lookup};
use angarium_store::read::EndpointRow;
use axum::extract::State;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use utoipa::ToSchema;

/// A test event.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestEvent {
    /// The type; if absent, the first of the catalog that the endpoint asks for.
    #[serde(rename = "type")]
    #[schema(pattern = "^[A-Za-z0-9_.:-]{1,128}$", example = "order.paid")]
    pub(crate) kind: Option<String>,
    /// The data, delivered byte for byte; if absent, the catalog's example.
    #[schema(value_type = Option<Value>)]
    pub(crate) data: Option<Box<RawValue>>,
}

/// What was sent, to how many.
#[derive(Debug)]
pub(crate) struct Tested {
    /// The ids of the events: one for each type and data.
    pub(crate) events: Vec<String>,
    /// How many endpoints they go to.
    pub(crate) endpoints: usize,
}

/// One event and the endpoints that it goes to.
#[derive(Debug)]
struct Planned {
    event: NewEvent,
    receivers: Vec<EndpointNo>,
}

/// Send a test event
///
/// To this endpoint alone, whatever it asks for; signed and retried as a real one.
#[utoipa::path(post, path = "/v1/endpoints/{id}/test", tag = "endpoints",
    params(("id" = String, Path, description = "Its id")),
    request_body = TestEvent,
    responses((status = 202, description = "Accepted and durable", body = Accepted)))]
pub(in crate::api) async fn test(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<TestEvent>,
) -> Result<Answer, Problem> {
    let row = Endpoints::of(&app, &call.caller)?.find(&id).await?;
    let tenant = call.caller.owner(&app, row.config.tenant, "endpoint")?;
    let planned = plan(&app, &tenant, &[row], &call.body)?.pop().ok_or_else(internal)?;
    app.rates.admit_by(Some(call.caller.key.id), [&*tenant])?;
    let guard = call.idempotency.guard(GuardAnswer::Event);
    Ok(Answer::accepted(&send(&app, &tenant, planned, guard).await?))
}

/// Sends test events to endpoints of one tenant; those for which the same type and data are chosen
/// share one event. The answer is kept with the last event: if the server dies before, the call is
/// done anew when it is repeated.
///
/// # Errors
/// What is wrong with `wanted`, by its member; `rate_limited`; `not_found` when an endpoint was
/// deleted meanwhile; and the store's.
pub(crate) async fn send_tests(
    app: &App,
    tenant: &Tenant,
    endpoints: &[EndpointRow],
    wanted: &TestEvent,
    idempotency: &Idempotency,
    print: impl FnOnce(&Tested) -> Answer,
) -> Result<Answer, Problem> {
    let planned = plan(app, tenant, endpoints, wanted)?;
    app.rates.admit([tenant])?;
    let id = |planned: &Planned| planned.event.own_id.as_deref().unwrap_or_default().to_owned();
    let events = planned.iter().map(id).collect();
    let answer = print(&Tested { events, endpoints: endpoints.len() });
    let mut guard = idempotency.keep(&answer);
    let last = planned.len();
    for (nth, planned) in (1..).zip(planned) {
        let guard = if nth == last { guard.take() } else { None };
        send(app, tenant, planned, guard).await?;
    }
    Ok(answer)
}

async fn send(
    app: &App,
    tenant: &Tenant,
    planned: Planned,
    guard: Option<Guard>,
) -> Result<Accepted, Problem> {
    let audience = Audience::Only(planned.receivers);
    admit(app, tenant, planned.event, audience, Lookup::NotYet, Turn::First(guard)).await
}

/// Which events go to which endpoints.
fn plan(
    app: &App,
    tenant: &Tenant,
    endpoints: &[EndpointRow],
    wanted: &TestEvent,
) -> Result<Vec<Planned>, Refusal> {
    let mut planned: Vec<Planned> = Vec::new();
    for row in endpoints {
        let (kind, data) = choose(app, tenant, row, wanted)?;
        let same = |other: &&mut Planned| other.event.kind == kind && other.event.data == data;
        match planned.iter_mut().find(same) {
            Some(other) => other.receivers.push(row.no),
            None => {
                planned.push(Planned { event: new_event(app, kind, data), receivers: vec![row.no] })
            }
        }
    }
    Ok(planned)
}

/// The type and data for one endpoint: those that are named, or the catalog's.
fn choose(
    app: &App,
    tenant: &Tenant,
    row: &EndpointRow,
    wanted: &TestEvent,
) -> Result<(EventType, Bytes), Refusal> {
    let contract = configure::contract(app, &row.config.contract)?;
    let own = configure::own_types(app, tenant.environment);
    let kind = match &wanted.kind {
        Some(named) => {
            let kind = EventType::try_new(named, &app.limits)?;
            contract.check_type(&kind, &own)?;
            kind
        }
        None => contract.sample_type(&row.config.subscription, &own, &app.limits)?,
    };
    let data = match &wanted.data {
        Some(given) => Bytes::copy_from_slice(given.get().as_bytes()),
        None => {
            let own = app.directory.event_type(tenant.environment, kind.as_str());
            let own = own.and_then(|entry| entry.config.example.as_ref().map(ToString::to_string));
            let example = own.or_else(|| contract.example(&kind).map(str::to_owned));
            Bytes::from(example.unwrap_or_else(|| "{}".to_owned()))
        }
    };
    Ok((kind, data))
}

fn new_event(app: &App, kind: EventType, data: Bytes) -> NewEvent {
    let id = format!("test_{}", hex::encode(random::<16>(&*app.entropy)));
    NewEvent {
        own_id: Some(id.into()),
        kind,
        time: None,
        subject: None,
        ordering_key: None,
        attributes: Vec::new(),
        data,
        data_kind: DataKind::Json,
    }
}
