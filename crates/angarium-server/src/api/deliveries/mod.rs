//! `/v1/deliveries`: what was sent, what came back, and what a person does about it.

mod sequence;
mod view;

pub(super) use sequence::{__path_numbers, numbers};

use super::auth::{Caller, Reader};
use super::endpoints::Endpoints;
use super::events::refuse_gone;
use super::idempotency::Command;
use super::json::{Answer, Empty};
use super::page::{self, ListName, Listed, Query};
use super::problem::{Problem, not_found};
use super::{App, Named};
use angarium_core::account::Tenant;
use angarium_core::audit::{Action, Place};
use angarium_core::batch::Trace;
use angarium_core::delivery::DeliveryState;
use angarium_core::id::{DeliveryKey, EndpointNo, EnvironmentNo, EventId, EventKey, TenantNo};
use angarium_core::outcome::Class;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::shard::Seen;
use angarium_store::read::{DeliveryQuery, DeliveryRow, DeliveryWithAttempts, EventRow};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
pub(super) use view::{DeliveryView, view};
use view::{FullView, full};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveriesQuery {
    /// Of this tenant.
    tenant: Option<String>,
    /// To this endpoint.
    endpoint: Option<String>,
    /// Of this event; a publisher's own id needs `tenant`, unless the key is a tenant's.
    event: Option<String>,
    /// In this state.
    #[param(pattern = "^(queued|pending|in_flight|delivered|dead|cancelled|suppressed)$")]
    state: Option<String>,
    /// Whose last attempt was of this class.
    class: Option<String>,
    /// Of events of this type.
    r#type: Option<String>,
    /// Of events accepted at or after.
    #[param(value_type = Option<String>, format = DateTime)]
    after: Option<String>,
    /// Of events accepted before.
    #[param(value_type = Option<String>, format = DateTime)]
    before: Option<String>,
    /// Items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// The page before gave it as `next`.
    cursor: Option<String>,
}

/// List deliveries
///
/// Those of the newest event first. A page may have fewer items than asked for although there are
/// more.
#[utoipa::path(get, path = "/v1/deliveries", tag = "deliveries", params(DeliveriesQuery),
    responses((status = 200, description = "A page", body = Listed<DeliveryView>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Json<Listed<DeliveryView>>, Problem> {
    let Some((name, query)) = wanted(&app, &caller, query).await? else {
        return Ok(Json(Listed { data: Vec::new(), next: None }));
    };
    let mut page = app.store.deliveries(&query).await?;
    as_memory_knows(&app, &mut page.items);
    if let Some(state) = query.state {
        page.items.retain(|row| row.state == state);
    }
    Ok(Json(name.page(page, |row| view(&app, row))))
}

/// Show a delivery
#[utoipa::path(get, path = "/v1/deliveries/{id}", tag = "deliveries",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The delivery with its attempts", body = FullView)))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Named(id): Named,
) -> Result<Json<FullView>, Problem> {
    let (_, mut delivery) = find(&app, &caller, &id).await?;
    as_memory_knows(&app, std::slice::from_mut(&mut delivery.row));
    Ok(Json(full(&app, delivery)))
}

/// Retry a delivery
///
/// One that waits becomes due at once; one that has ended is delivered anew, as another delivery,
/// which is the answer. One in flight is `invalid_state`.
#[utoipa::path(post, path = "/v1/deliveries/{id}/retry", tag = "deliveries",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 202, description = "The delivery that will be attempted",
        body = DeliveryView)))]
pub(super) async fn retry(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<Empty>,
) -> Result<Response, Problem> {
    let (tenant, delivery) = find(&app, &call.caller, &id).await?;
    if delivery.row.state == DeliveryState::Queued {
        let message = "it waits behind an earlier delivery of its lane; cancel that one";
        return Err(Refusal::whole(Code::InvalidState, message).into());
    }
    let key = delivery.row.key;
    refuse_gone(&app, tenant.no, key.event).await?;
    let trace = does(&call, Action::DeliveryRetry, &delivery);
    let seen = seen(&delivery);
    let tried = app.runner.retry_delivery(tenant.no, key, seen, trace.clone()).await;
    let retried = match tried {
        Err(Refusal { code: Code::Conflict, .. }) => {
            let (_, delivery) = find(&app, &call.caller, &id).await?;
            app.runner.retry_delivery(tenant.no, key, self::seen(&delivery), trace).await
        }
        decided => decided,
    };
    accepted(&app, &call.caller, retried?).await
}

/// Cancel a delivery
///
/// One that waits ends; one in flight is not tried again. One that has ended is `invalid_state`.
#[utoipa::path(post, path = "/v1/deliveries/{id}/cancel", tag = "deliveries",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 202, description = "The delivery", body = DeliveryView)))]
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<Empty>,
) -> Result<Response, Problem> {
    let (tenant, delivery) = find(&app, &call.caller, &id).await?;
    if delivery.row.state.is_final() {
        let message = format!("it has ended: {}", delivery.row.state.as_str());
        return Err(Refusal::whole(Code::InvalidState, message).into());
    }
    let trace = does(&call, Action::DeliveryCancel, &delivery);
    let key = app.runner.cancel_delivery(tenant.no, delivery.row.key, trace).await?;
    accepted(&app, &call.caller, key).await
}

/// Skip a dead letter
///
/// The lane that it holds goes on with the next delivery; the dead letter stays one, and can still
/// be delivered anew. One that holds no lane is `invalid_state`.
#[utoipa::path(post, path = "/v1/deliveries/{id}/skip", tag = "deliveries",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 202, description = "The delivery", body = DeliveryView)))]
pub(super) async fn skip(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<Empty>,
) -> Result<Response, Problem> {
    let (tenant, delivery) = find(&app, &call.caller, &id).await?;
    let trace = does(&call, Action::DeliverySkip, &delivery);
    let key = app.runner.skip_delivery(tenant.no, delivery.row.key, trace).await?;
    accepted(&app, &call.caller, key).await
}

fn does(call: &Command<Empty>, action: Action, delivery: &DeliveryWithAttempts) -> Trace {
    let DeliveryRow { tenant, key, .. } = &delivery.row;
    call.trace_delivery(call.caller.does(action, Place::Tenant(*tenant), key))
}

/// The answer of an action: the delivery as it stands.
pub(super) async fn accepted(
    app: &App,
    caller: &Caller,
    key: DeliveryKey,
) -> Result<Response, Problem> {
    let (_, mut delivery) = find(app, caller, &key.to_string()).await?;
    as_memory_knows(app, std::slice::from_mut(&mut delivery.row));
    Ok(Answer::accepted(&view(app, delivery.row)).into_response())
}

fn seen(delivery: &DeliveryWithAttempts) -> Seen {
    if delivery.row.state.is_final() { Seen::Ended } else { Seen::Waiting }
}

async fn find(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<(Arc<Tenant>, DeliveryWithAttempts), Problem> {
    caller.environment()?;
    let unknown = || not_found("delivery");
    let key = id.parse().map_err(|_| unknown())?;
    let delivery = app.store.delivery(key).await?.ok_or_else(unknown)?;
    let tenant = caller.owner(app, delivery.row.tenant, "delivery")?;
    Ok((tenant, delivery))
}

/// What the store is asked; nothing where a filter names what does not exist for the caller.
async fn wanted(
    app: &Arc<App>,
    caller: &Caller,
    query: DeliveriesQuery,
) -> Result<Option<(ListName, DeliveryQuery)>, Problem> {
    let environment = caller.environment()?.no;
    let tenant = caller.tenant_meant(app, query.tenant.as_deref())?.map(|tenant| tenant.no);
    let states: Vec<_> = DeliveryState::ALL.iter().map(|state| state.as_str()).collect();
    let classes: Vec<_> = Class::ALL.iter().map(|class| class.as_str()).collect();
    let name = ListName(format!("deliveries/{environment}/{tenant:?}"));
    let asked = DeliveryQuery {
        environment,
        tenant,
        endpoint: None,
        event: None,
        state: page::choice("state", query.state.as_deref(), DeliveryState::parse, &states)?,
        class: page::choice("class", query.class.as_deref(), Class::parse, &classes)?,
        kind: query.r#type,
        after: page::time("after", query.after.as_deref())?,
        before: page::time("before", query.before.as_deref())?,
        cursor: name.parse(query.cursor.as_deref())?,
        limit: page::limit(query.limit.as_deref(), &app.limits)?,
        rows_read: app.limits.page_rows_read,
    };
    let endpoint = endpoint_no(app, caller, query.endpoint.as_deref()).await?;
    let event = event_key(app, tenant, query.event.as_deref()).await?;
    let (Some(endpoint), Some(event)) = (endpoint, event) else {
        return Ok(None);
    };
    Ok(Some((name, DeliveryQuery { endpoint, event, ..asked })))
}

/// The number of the endpoint that is named: none if there is no filter, nothing if the filter
/// names what does not exist.
///
/// # Errors
/// The store's.
pub(super) async fn endpoint_no(
    app: &Arc<App>,
    caller: &Caller,
    id: Option<&str>,
) -> Result<Option<Option<EndpointNo>>, Problem> {
    let Some(id) = id else { return Ok(Some(None)) };
    match Endpoints::of(app, caller)?.find(id).await {
        Ok(row) => Ok(Some(Some(row.no))),
        Err(Problem(Refusal { code: Code::NotFound, .. })) => Ok(None),
        Err(problem) => Err(problem),
    }
}

async fn event_key(
    app: &App,
    tenant: Option<TenantNo>,
    id: Option<&str>,
) -> Result<Option<Option<EventKey>>, Problem> {
    let Some(id) = id else { return Ok(Some(None)) };
    match (EventId::parse(id), tenant) {
        (Ok(EventId::Made(key)), _) => Ok(Some(Some(key))),
        (Ok(EventId::Own(own)), Some(tenant)) => {
            Ok(app.store.find_own_id(tenant, &own).await?.map(Some))
        }
        (Ok(EventId::Own(_)), None) | (Err(_), _) => Ok(None),
    }
}

/// What is in flight, only the shard knows.
pub(super) fn as_memory_knows(app: &App, rows: &mut [DeliveryRow]) {
    for row in rows.iter_mut().filter(|row| !row.state.is_final()) {
        row.state = app.runner.state_in_memory(row.tenant, row.key).unwrap_or(row.state);
    }
}

/// Every delivery of an event, the newest of each endpoint first: bounded by the endpoints that it
/// can have.
///
/// # Errors
/// The store's.
pub(super) async fn of_event(
    app: &App,
    environment: EnvironmentNo,
    event: &EventRow,
) -> Result<Vec<DeliveryRow>, Problem> {
    let mut query = DeliveryQuery {
        environment,
        tenant: Some(event.event.tenant),
        endpoint: None,
        event: Some(event.event.key),
        state: None,
        class: None,
        kind: None,
        after: None,
        before: None,
        cursor: None,
        limit: app.limits.page_rows_read,
        rows_read: app.limits.page_rows_read,
    };
    let mut rows = Vec::new();
    loop {
        let page = app.store.deliveries(&query).await?;
        rows.extend(page.items);
        query.cursor = page.next;
        if query.cursor.is_none() {
            return Ok(rows);
        }
    }
}
