//! An event goes out again: to the endpoints that it matched, or to those that are named.
//!
//! What each endpoint gets follows from what its deliveries look like now. The shard makes all of
//! it in one commit, or nothing if anything has changed meanwhile; then it is looked at anew.

use super::view::{EventOf, find};
use crate::api::auth::Caller;
use crate::api::deliveries::{self, DeliveryView, view};
use crate::api::endpoints::Endpoints;
use crate::api::idempotency::Command;
use crate::api::json::Answer;
use crate::api::page::Query;
use crate::api::problem::{Problem, not_found};
use crate::api::{App, Named};
use angarium_core::audit::{Action, Place};
use angarium_core::delivery::DeliveryState;
use angarium_core::id::{EndpointId, EndpointNo, EnvironmentNo, EventKey, TenantNo};
use angarium_core::refusal::{Code, Refusal};
use angarium_core::replay::{NotReplayed, Past, Replayed, replay as decide};
use angarium_core::shard::Replay;
use angarium_store::read::{DeliveryRow, EventRow};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use utoipa::ToSchema;

/// How often a replay is begun anew when something changed meanwhile.
const TRIES: usize = 4;

/// Where an event goes again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Replay)]
pub(in crate::api) struct ReplayBody {
    /// To these endpoints, whether the event matched them or not; if absent, to all that it
    /// matched.
    #[schema(min_items = 1, max_items = 1000)]
    endpoints: Option<Vec<String>>,
}

/// What a replay made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Replayed)]
pub(in crate::api) struct ReplayedView {
    /// The new deliveries.
    deliveries: Vec<DeliveryView>,
    /// The endpoints that get none.
    not_replayed: Vec<NotReplayedView>,
}

/// An endpoint that gets no new delivery.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotReplayed)]
pub(in crate::api) struct NotReplayedView {
    /// The endpoint's id.
    endpoint: String,
    /// `endpoint_deleted`, `endpoint_disabled`, or `still_waiting` where a delivery of the event
    /// has not ended.
    #[schema(example = "endpoint_disabled")]
    reason: &'static str,
}

/// Replay an event
///
/// New deliveries to the endpoints that it matched, or to those that are named, with the same event
/// id. A paused endpoint gets its own when it is resumed. Endpoints that get none are named with
/// the reason.
#[utoipa::path(post, path = "/v1/events/{id}/replay", tag = "events",
    params(("id" = String, Path, description = "Its id, the publisher's own or one that was made"),
        EventOf),
    request_body = ReplayBody,
    responses((status = 202, description = "The new deliveries are durable",
        body = ReplayedView)))]
pub(in crate::api) async fn replay(
    State(app): State<Arc<App>>,
    Named(id): Named,
    Query(query): Query<EventOf>,
    call: Command<ReplayBody>,
) -> Result<Answer, Problem> {
    let environment = call.caller.environment()?.no;
    let tenant = call.caller.tenant_meant(&app, query.tenant.as_deref())?.map(|tenant| tenant.no);
    let event = find(&app, environment, tenant, &id).await?;
    let event = event.ok_or_else(|| not_found("event"))?;
    let named = named(&app, &call.caller, &event, call.body.endpoints.as_deref()).await?;
    let mut tries = 1..=TRIES;
    loop {
        refuse_gone(&app, event.event.tenant, event.event.key).await?;
        let plan = Plan::of(&app, environment, &event, named.as_ref()).await?;
        let answer = Answer::accepted(&plan.shown(&app, &event));
        let ids: Vec<_> = plan.made.iter().map(|(_, id)| id.to_string()).collect();
        let place = Place::Tenant(event.event.tenant);
        let replayed = call.caller.does(Action::EventReplay, place, &event.event.id());
        let trace = call.trace(&answer, replayed.noting("endpoints", ids));
        let deliveries = plan.made.into_iter().map(|(made, _)| made).collect();
        let (tenant, event) = (event.event.tenant, event.event.key);
        tries.next();
        match app.runner.replay(Replay { tenant, event, deliveries, trace }).await {
            Ok(()) => return Ok(answer),
            Err(Refusal { code: Code::Conflict, .. }) if !tries.is_empty() => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
}

/// Refuses an event whose payload is gone.
///
/// # Errors
/// `payload_expired`, `event_erased`, `not_found`, and the store's.
pub(in crate::api) async fn refuse_gone(
    app: &App,
    tenant: TenantNo,
    event: EventKey,
) -> Result<(), Problem> {
    let row = app.store.event(tenant, event).await?.ok_or_else(|| not_found("event"))?;
    row.gone.map_or(Ok(()), |gone| Err(gone.refusal().into()))
}

/// The endpoints that are named, if any are.
async fn named(
    app: &Arc<App>,
    caller: &Caller,
    event: &EventRow,
    ids: Option<&[String]>,
) -> Result<Option<BTreeSet<EndpointNo>>, Problem> {
    let Some(ids) = ids else { return Ok(None) };
    let most = app.limits.endpoints_per_event;
    if ids.is_empty() || ids.len() > most {
        let message = format!("between 1 and {most} endpoints, or none at all");
        return Err(Refusal::field(Code::InvalidField, "endpoints", message).into());
    }
    let endpoints = Endpoints::of(app, caller)?;
    let mut numbers = BTreeSet::new();
    for (place, id) in ids.iter().enumerate() {
        let at_its_place = |refusal: Refusal| refusal.below(&format!("endpoints[{place}]"));
        let row = endpoints.find(id).await.map_err(|Problem(refusal)| at_its_place(refusal))?;
        if row.config.tenant != event.event.tenant {
            return Err(at_its_place(not_found("endpoint")).into());
        }
        numbers.insert(row.no);
    }
    Ok(Some(numbers))
}

/// What a replay does for each endpoint, as things stand.
struct Plan {
    made: Vec<(Replayed, EndpointId)>,
    not_made: Vec<(NotReplayed, EndpointId)>,
}

impl Plan {
    async fn of(
        app: &App,
        environment: EnvironmentNo,
        event: &EventRow,
        named: Option<&BTreeSet<EndpointNo>>,
    ) -> Result<Self, Problem> {
        // Endpoints are looked at first: one that changes afterwards is refused by its shard.
        let gates = app.runner.gates(event.event.tenant)?;
        let gates: BTreeMap<_, _> = gates.into_iter().map(|gate| (gate.no, gate)).collect();
        let rows = deliveries::of_event(app, environment, event).await?;
        let pasts = pasts(event, &rows);
        let matched = || event.fanout.iter().map(|(no, _)| *no).collect();
        let receivers = named.cloned().unwrap_or_else(matched);
        let mut plan = Self { made: Vec::new(), not_made: Vec::new() };
        for no in receivers {
            let gate = gates.get(&no);
            let before = rows.iter().find(|row| row.key.endpoint == no);
            let id = gate.map(|gate| gate.endpoint.config.id);
            let id = id.or(before.map(|row| row.endpoint_id));
            let id = id.ok_or_else(|| not_found("endpoint"))?;
            let past = pasts.get(&no).cloned().unwrap_or_default();
            let status = gate.map(|gate| gate.admission.status);
            match decide(event.event.key, no, &past, status, app.now()) {
                Ok(made) => plan.made.push((made, id)),
                Err(why) => plan.not_made.push((why, id)),
            }
        }
        Ok(plan)
    }

    fn shown(&self, app: &App, event: &EventRow) -> ReplayedView {
        let made = self.made.iter().map(|(made, id)| view(app, row(event, *made, *id)));
        let not_made = self
            .not_made
            .iter()
            .map(|(why, id)| NotReplayedView { endpoint: id.to_string(), reason: why.as_str() });
        ReplayedView { deliveries: made.collect(), not_replayed: not_made.collect() }
    }
}

/// What became of the event at each of its endpoints.
fn pasts(event: &EventRow, rows: &[DeliveryRow]) -> BTreeMap<EndpointNo, Past> {
    let matched = event
        .fanout
        .iter()
        .map(|(no, sequence)| (*no, Past { sequence: Some(*sequence), deliveries: Vec::new() }));
    let mut pasts: BTreeMap<_, _> = matched.collect();
    for row in rows {
        let past = pasts.entry(row.key.endpoint).or_default();
        past.deliveries.push((row.key.generation, row.state));
    }
    pasts
}

/// The new delivery as it begins.
fn row(event: &EventRow, made: Replayed, endpoint_id: EndpointId) -> DeliveryRow {
    DeliveryRow {
        key: made.key,
        tenant: event.event.tenant,
        event_id: event.event.id(),
        event_kind: event.event.body.kind.as_str().to_owned(),
        endpoint_id,
        state: DeliveryState::Pending,
        reason: None,
        attempts: 0,
        next_due: made.due,
        ended_at: None,
        sequence: made.sequence,
        last: None,
        redelivery_of: made.repeats,
        lane: None,
    }
}
