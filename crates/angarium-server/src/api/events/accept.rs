//! One event: parsed, checked, committed, answered.

use super::publish::Accepted;
use crate::api::App;
use crate::api::auth::Caller;
use crate::api::idempotency::Turn;
use crate::api::problem::{self, Problem, not_found};
use crate::ingest::{self, Publication};
use crate::runner::Published;
use angarium_core::account::{Tenant, Validation};
use angarium_core::event::NewEvent;
use angarium_core::id::{EventId, EventKey, TenantNo};
use angarium_core::notice::OPERATOR;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::retention::GoneWhy;
use angarium_core::shard::{Audience, Lookup};
use angarium_store::Answered;
use angarium_store::read::EventRow;
use bytes::Bytes;
use std::sync::Arc;

/// An event that is checked, with its tenant and what is known of its id.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) tenant: Arc<Tenant>,
    event: NewEvent,
    lookup: Lookup,
}

/// Parses and checks an event.
pub(super) fn prepare(app: &App, caller: &Caller, body: &Bytes) -> Result<Prepared, Problem> {
    let Publication { tenant, event } = ingest::event(body, &app.limits)?;
    let tenant = tenant_of(app, caller, tenant.as_deref())?;
    if tenant.id == OPERATOR {
        let message = "this tenant's events are notices, which nobody else publishes";
        return Err(Refusal::field(Code::Forbidden, "tenant", message).into());
    }
    Ok(Prepared { tenant, event, lookup: Lookup::NotYet })
}

/// Looks its id up, for an event that is to be published in its turn.
pub(super) async fn prepare_for_turn(
    app: &App,
    prepared: Result<Prepared, Problem>,
) -> Result<Prepared, Problem> {
    let prepared = prepared?;
    let lookup = app.runner.look_up(prepared.tenant.no, &prepared.event).await?;
    Ok(Prepared { lookup, ..prepared })
}

/// Accepts an event, or answers as when it was accepted.
pub(super) async fn accept(app: &App, event: Prepared, turn: Turn) -> Result<Accepted, Problem> {
    let Prepared { tenant, event, lookup } = event;
    admit(app, &tenant, event, Audience::Matching, lookup, turn).await
}

/// Accepts a checked event for an audience, or answers as when it was accepted.
///
/// # Errors
/// `schema_violation`, `event_id_conflict`, `too_many_matches`, `not_found` for a named endpoint,
/// `too_many_pending`, `too_many_bytes`, `overloaded`, `node_overloaded`, and the store's.
pub(in crate::api) async fn admit(
    app: &App,
    tenant: &Tenant,
    event: NewEvent,
    audience: Audience,
    lookup: Lookup,
    turn: Turn,
) -> Result<Accepted, Problem> {
    let warning = warning(app, tenant, &event)?;
    let guard = match turn {
        Turn::First(guard) => guard,
        Turn::Repeated(answer) => {
            let row = stored(app, tenant.no, answered_event(answer)?).await?;
            return Ok(answer_of(&row, warning));
        }
    };
    let _reserved = match app.quotas.reserve(&*app.store, tenant, event.data.len()) {
        Ok(reserved) => reserved,
        // What is accepted already takes no more room.
        Err(refusal) => return again(app, tenant.no, &event, warning).await?.ok_or(refusal.into()),
    };
    let event = Arc::new(event);
    app.runner.note_publisher(tenant.no);
    match app.runner.publish(tenant.no, Arc::clone(&event), audience, lookup, guard).await? {
        Published::Accepted { key, sequence, endpoints } => {
            app.metrics.accepted();
            let own = event.own_id.clone();
            let id = own.map_or(EventId::Made(key), EventId::Own).to_string();
            Ok(Accepted { id, sequence, duplicate: false, endpoints, warning })
        }
        Published::Known(key) => {
            app.metrics.duplicate();
            known(app, tenant.no, key, &event, warning).await
        }
    }
}

/// The answer to an event whose own id is known, if it is.
async fn again(
    app: &App,
    tenant: TenantNo,
    event: &NewEvent,
    warning: Option<String>,
) -> Result<Option<Accepted>, Problem> {
    let Some(own_id) = event.own_id.as_deref() else { return Ok(None) };
    match app.store.find_own_id(tenant, own_id).await? {
        Some(key) => known(app, tenant, key, event, warning).await.map(Some),
        None => Ok(None),
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
    if !is_same(&row, event) {
        let message = "this id was published before with another type, key or data";
        return Err(Refusal::field(Code::EventIdConflict, "id", message).into());
    }
    Ok(Accepted { duplicate: true, ..answer_of(&row, warning) })
}

/// Whether it is said again. What is gone of the first one is not compared.
fn is_same(first: &EventRow, event: &NewEvent) -> bool {
    let body = &first.event.body;
    let has_data = first.gone.is_none();
    let has_key = first.gone.is_none_or(|gone| gone.why == GoneWhy::Expired);
    body.kind == event.kind
        && (!has_key || body.ordering_key == event.ordering_key)
        && (!has_data || body.data == event.data)
}

async fn stored(app: &App, tenant: TenantNo, key: EventKey) -> Result<EventRow, Problem> {
    let row = app.store.event(tenant, key).await?;
    row.ok_or_else(|| not_found("event").into())
}

pub(super) fn answer_of(row: &EventRow, warning: Option<String>) -> Accepted {
    Accepted {
        id: row.event.id().to_string(),
        sequence: row.event.sequence,
        duplicate: false,
        endpoints: row.fanout.len(),
        warning,
    }
}

fn answered_event(answer: Answered) -> Result<EventKey, Refusal> {
    match answer {
        Answered::Event(key) => Ok(key),
        Answered::Given { .. } | Answered::Delivery(_) => Err(problem::internal()),
    }
}

/// The tenant of an event: the one that it names, or the one that the key is bound to.
///
/// # Errors
/// `missing_field`, `tenant_not_found`, `environment_required`.
pub(in crate::api) fn tenant_of(
    app: &App,
    caller: &Caller,
    id: Option<&str>,
) -> Result<Arc<Tenant>, Refusal> {
    let tenant = caller.tenant_meant(app, id)?;
    tenant.ok_or_else(|| {
        let message = "an event names its tenant, unless the key is a tenant's";
        Refusal::field(Code::MissingField, "tenant", message)
    })
}

/// Holds the data against the event type's schema, as the type says.
///
/// # Errors
/// `schema_violation`.
pub(in crate::api) fn warning(
    app: &App,
    tenant: &Tenant,
    event: &NewEvent,
) -> Result<Option<String>, Refusal> {
    let Some(entry) = app.directory.event_type(tenant.environment, event.kind.as_str()) else {
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
