//! `DELETE /v1/events/{id}`, `/v1/tenants/{tenant}/erasures` and `/v1/erasures`: what people want
//! erased.

use super::auth::{Caller, Reader};
use super::events::{EventOf, find};
use super::idempotency::Command;
use super::json::{Answer, Empty, Time};
use super::page::{self, ListName, Listed, Query};
use super::problem::{Problem, not_found};
use super::{App, Named};
use crate::entropy::random;
use crate::erasures::{ErasingFailed, erase_event};
use angarium_core::audit::{Action, Place};
use angarium_core::erasure::{Erasure, ErasureStatus};
use angarium_core::event::check_text;
use angarium_core::id::ErasureId;
use angarium_core::refusal::{Code, Refusal};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Whose data is erased.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewErasure)]
pub(super) struct ErasureBody {
    /// The `subject` of the events. It is kept only as long as the erasure runs.
    #[schema(min_length = 1, max_length = 512, example = "customer-17")]
    subject: String,
}

/// An erasure that is under way or has ended. Whom it is about is not shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Erasure)]
pub(super) struct ErasureView {
    /// Its id.
    #[schema(example = "ers_00cq0a3f7e8vb6k2m4n5p6q7r8")]
    id: String,
    /// The tenant.
    tenant: String,
    /// `running` or `done`.
    #[schema(example = "running")]
    status: &'static str,
    /// Events that it has erased.
    erased: u64,
    /// When it began.
    created_at: Time,
    /// When it last got on.
    updated_at: Time,
    /// When it ended.
    ended_at: Option<Time>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ErasuresQuery {
    /// Items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// The page before gave it as `next`.
    cursor: Option<String>,
}

/// Erase an event
///
/// Its data, headers, subject, ordering key and attributes are gone at the answer, and so is what
/// its receivers answered. What waits of it is cancelled first, and an attempt that is under way is
/// waited for. Its id, type and time stay for as long as events do, so that it is still known when
/// it is published again.
#[utoipa::path(delete, path = "/v1/events/{id}", tag = "events",
    params(("id" = String, Path, description = "Its id, the publisher's own or one that was made"),
        EventOf),
    responses((status = 204, description = "Erased")))]
pub(super) async fn erase(
    State(app): State<Arc<App>>,
    Named(id): Named,
    Query(query): Query<EventOf>,
    call: Command<Empty>,
) -> Result<Answer, Problem> {
    let environment = call.caller.environment()?.no;
    let tenant = call.caller.tenant_meant(&app, query.tenant.as_deref())?.map(|tenant| tenant.no);
    let event = find(&app, environment, tenant, &id).await?;
    let event = event.ok_or_else(|| not_found("event"))?.event;
    let answer = Answer::nothing();
    let erased = call.caller.does(Action::EventErase, Place::Tenant(event.tenant), &event.id());
    let trace = call.trace(&answer, erased);
    match erase_event(&app, event.tenant, event.key, trace).await {
        Ok(()) => Ok(answer),
        Err(ErasingFailed::Refused(refusal)) => Err(refusal.into()),
        Err(ErasingFailed::Store(error)) => Err(error.into()),
    }
}

/// Erase a subject's events
///
/// Every event of the tenant with this `subject` that was accepted before the call is erased, as by
/// a call for each. It goes on in the background, through restarts.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/erasures", tag = "tenants",
    params(("tenant" = String, Path, description = "The platform's own id")),
    request_body = ErasureBody,
    responses((status = 202, description = "The erasure is durable", body = ErasureView)))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Named(tenant): Named,
    call: Command<ErasureBody>,
) -> Result<Answer, Problem> {
    let tenant = call.caller.tenant(&app, &tenant)?;
    check_text("subject", Some(&call.body.subject), app.limits.text_chars)?;
    let now = app.now();
    let erasure = Erasure {
        id: ErasureId::from_parts(now, random(&*app.entropy)),
        tenant: tenant.no,
        status: ErasureStatus::Running,
        erased: 0,
        created_at: now,
        updated_at: now,
        ended_at: None,
    };
    let answer = Answer::accepted(&view(&app, &erasure));
    // The subject does not go into the log, which keeps what it has.
    let begun = call.caller.does(Action::TenantErase, Place::Tenant(tenant.no), &tenant.id);
    let trace = call.trace(&answer, begun.noting("erasure", erasure.id.to_string()));
    let most = app.limits.jobs_per_tenant;
    let subject = &call.body.subject;
    let made = app.store.create_erasure(&erasure, subject, most, trace, now).await;
    // One whose maker does not learn of it goes on too.
    app.erasing.notify_one();
    if !made? {
        let message = format!("{most} erasures of the tenant run; wait for the end of one");
        return Err(Refusal::whole(Code::TooManyJobs, message).into());
    }
    Ok(answer)
}

/// List a tenant's erasures
///
/// Newest first.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/erasures", tag = "tenants",
    params(("tenant" = String, Path, description = "The platform's own id"), ErasuresQuery),
    responses((status = 200, description = "A page", body = Listed<ErasureView>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Named(tenant): Named,
    Query(query): Query<ErasuresQuery>,
) -> Result<Json<Listed<ErasureView>>, Problem> {
    let tenant = caller.tenant(&app, &tenant)?.no;
    let name = ListName(format!("erasures/{tenant}"));
    let before = name.parse(query.cursor.as_deref())?;
    let limit = page::limit(query.limit.as_deref(), &app.limits)?;
    let page = app.store.erasures(tenant, before, limit).await?;
    Ok(Json(name.page(page, |erasure| view(&app, &erasure))))
}

/// Show an erasure
#[utoipa::path(get, path = "/v1/erasures/{id}", tag = "tenants",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The erasure", body = ErasureView)))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Named(id): Named,
) -> Result<Json<ErasureView>, Problem> {
    let erasure = seen(&app, &caller, &id).await?;
    Ok(Json(view(&app, &erasure)))
}

async fn seen(app: &App, caller: &Caller, id: &str) -> Result<Erasure, Problem> {
    caller.environment()?;
    let unknown = || not_found("erasure");
    let id: ErasureId = id.parse().map_err(|_| unknown())?;
    let erasure = app.store.erasure(id).await?.ok_or_else(unknown)?;
    caller.owner(app, erasure.tenant, "erasure")?;
    Ok(erasure)
}

fn view(app: &App, erasure: &Erasure) -> ErasureView {
    let tenant = app.directory.tenant_by_no(erasure.tenant);
    ErasureView {
        id: erasure.id.to_string(),
        tenant: tenant.map(|tenant| tenant.id.clone()).unwrap_or_default(),
        status: erasure.status.as_str(),
        erased: erasure.erased,
        created_at: Time(erasure.created_at),
        updated_at: Time(erasure.updated_at),
        ended_at: erasure.ended_at.map(Time),
    }
}
