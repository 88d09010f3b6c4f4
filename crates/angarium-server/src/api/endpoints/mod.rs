//! `/v1/endpoints`: where a tenant's deliveries go. Changes go through the shard: an answer means
//! committed and applied (design.md, rule 6).

mod auth;
mod configure;
mod form;
mod operations;
mod prepare;
mod test;
mod view;

pub(in crate::api) use auth::CertificateView;
pub(in crate::api) use form::Rate;
pub(crate) use form::{EndpointChange, NewEndpoint};
pub(crate) use operations::{Endpoints, facts};
pub(crate) use prepare::{prepare as prepared, prepared_anew};
pub(super) use test::{__path_test, test};
pub(crate) use test::{TestEvent, Tested, send_tests};

use super::auth::Reader;
use super::idempotency::Command;
use super::json::{Answer, Empty, Secret};
use super::page::{self, ListName, Listed, Query};
use super::problem::Problem;
use super::{App, Named};
use angarium_core::audit::Action;
use angarium_core::contract::api::EndpointFacts;
use angarium_core::endpoint::{EndpointConfig, EndpointStatus};
use angarium_core::refusal::{Code, Refusal};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use view::{EndpointView, MadeEndpointView};

/// The new secret of an endpoint.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct SecretRotation {
    /// The new secret, where it was made elsewhere; else one is made.
    #[schema(value_type = Option<String>, format = Password)]
    secret: Option<Secret>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct EndpointsQuery {
    /// Of this tenant.
    tenant: Option<String>,
    /// `active`, `paused` or `disabled`.
    #[param(pattern = "^(active|paused|disabled)$")]
    status: Option<String>,
    /// Items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// The page before gave it as `next`.
    cursor: Option<String>,
}

/// Make an endpoint
///
/// It gets every event that is published after this answer. Where the contract signs per endpoint,
/// the answer has the `secret`, for the only time.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/endpoints", tag = "endpoints",
    params(("tenant" = String, Path, description = "The platform's own id")),
    request_body = NewEndpoint,
    responses((status = 201, description = "Made", body = MadeEndpointView)))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Named(tenant): Named,
    call: Command<NewEndpoint>,
) -> Result<Answer, Problem> {
    let tenant = call.caller.tenant(&app, &tenant)?;
    let print = |made: &EndpointFacts<'_>| Answer::created(&view::made(&app, made));
    Endpoints::of(&app, &call.caller)?.create(&tenant, &call.body, &call.idempotency, print).await
}

/// List endpoints
///
/// Newest first.
#[utoipa::path(get, path = "/v1/endpoints", tag = "endpoints", params(EndpointsQuery),
    responses((status = 200, description = "A page", body = Listed<EndpointView>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(query): Query<EndpointsQuery>,
) -> Result<Json<Listed<EndpointView>>, Problem> {
    let environment = caller.environment()?.no;
    let tenant = caller.tenant_meant(&app, query.tenant.as_deref())?.map(|tenant| tenant.no);
    let statuses = ["active", "paused", "disabled"];
    let status = query.status.as_deref();
    let status = page::choice("status", status, EndpointStatus::parse, &statuses)?;
    let name = ListName(format!("endpoints/{environment}/{tenant:?}"));
    let before = name.parse(query.cursor.as_deref())?;
    let limit = page::limit(query.limit.as_deref(), &app.limits)?;
    let page = app.store.endpoints(environment, tenant, status, before, limit).await?;
    Ok(Json(name.page(page, |row| view::of_row(&app, &row))))
}

/// Show an endpoint
#[utoipa::path(get, path = "/v1/endpoints/{id}", tag = "endpoints",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The endpoint", body = EndpointView)))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Named(id): Named,
) -> Result<Json<EndpointView>, Problem> {
    let row = Endpoints::of(&app, &caller)?.find(&id).await?;
    Ok(Json(view::of_row(&app, &row)))
}

/// Change an endpoint
///
/// What is absent stays; null clears what may be absent.
#[utoipa::path(patch, path = "/v1/endpoints/{id}", tag = "endpoints",
    params(("id" = String, Path, description = "Its id")),
    request_body = EndpointChange,
    responses((status = 200, description = "Changed", body = EndpointView)))]
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<EndpointChange>,
) -> Result<Answer, Problem> {
    let endpoints = Endpoints::of(&app, &call.caller)?;
    endpoints.change(&id, &call.body, &call.idempotency, shown(&app)).await
}

/// Delete an endpoint
///
/// No attempt starts after the answer; what waits is cancelled.
#[utoipa::path(delete, path = "/v1/endpoints/{id}", tag = "endpoints",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 204, description = "Deleted")))]
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<Empty>,
) -> Result<Answer, Problem> {
    let endpoints = Endpoints::of(&app, &call.caller)?;
    endpoints.delete(&id, &call.idempotency, Answer::nothing()).await
}

/// Enable an endpoint
///
/// What was parked while it was disabled goes on; what was suppressed stays so until it is
/// recovered.
#[utoipa::path(post, path = "/v1/endpoints/{id}/enable", tag = "endpoints",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "Active", body = EndpointView)))]
pub(super) async fn enable(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<Empty>,
) -> Result<Answer, Problem> {
    take(&app, &id, &call, Step::Enable).await
}

/// Disable an endpoint
///
/// New events are suppressed; what waits is parked.
#[utoipa::path(post, path = "/v1/endpoints/{id}/disable", tag = "endpoints",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "Disabled", body = EndpointView)))]
pub(super) async fn disable(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<Empty>,
) -> Result<Answer, Problem> {
    take(&app, &id, &call, Step::Disable).await
}

/// Pause an endpoint
///
/// Everything waits until it is resumed.
#[utoipa::path(post, path = "/v1/endpoints/{id}/pause", tag = "endpoints",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "Paused", body = EndpointView)))]
pub(super) async fn pause(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<Empty>,
) -> Result<Answer, Problem> {
    take(&app, &id, &call, Step::Pause).await
}

/// Resume an endpoint
#[utoipa::path(post, path = "/v1/endpoints/{id}/resume", tag = "endpoints",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "Active", body = EndpointView)))]
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<Empty>,
) -> Result<Answer, Problem> {
    take(&app, &id, &call, Step::Resume).await
}

/// Rotate an endpoint's secret
///
/// Deliveries are signed with the new one at once; the contract says for how long the old one signs
/// beside it. The answer has the new `secret`, for the only time.
#[utoipa::path(post, path = "/v1/endpoints/{id}/rotate-secret", tag = "endpoints",
    params(("id" = String, Path, description = "Its id")),
    request_body = SecretRotation,
    responses((status = 200, description = "Rotated", body = MadeEndpointView)))]
pub(super) async fn rotate_secret(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<SecretRotation>,
) -> Result<Answer, Problem> {
    let print = |rotated: &EndpointFacts<'_>| Answer::ok(&view::made(&app, rotated));
    let endpoints = Endpoints::of(&app, &call.caller)?;
    endpoints.rotate(&id, call.body.secret.as_ref(), &call.idempotency, print).await
}

/// 200 with the endpoint as it is now.
fn shown(app: &App) -> impl Fn(&EndpointFacts<'_>) -> Answer {
    |endpoint| Answer::ok(&view::of(app, endpoint))
}

async fn take(
    app: &Arc<App>,
    id: &str,
    call: &Command<Empty>,
    taken: Step,
) -> Result<Answer, Problem> {
    let apply = |config: &mut EndpointConfig| step(config, taken);
    let endpoints = Endpoints::of(app, &call.caller)?;
    endpoints.amend(id, taken.action(), &call.idempotency, apply, shown(app)).await
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Enable,
    Disable,
    Pause,
    Resume,
}

impl Step {
    fn action(self) -> Action {
        match self {
            Step::Enable => Action::EndpointEnable,
            Step::Disable => Action::EndpointDisable,
            Step::Pause => Action::EndpointPause,
            Step::Resume => Action::EndpointResume,
        }
    }
}

/// Where a step leads; a pause does not undo a disable, nor the other way round (rule 12).
fn step(config: &mut EndpointConfig, step: Step) -> Result<(), Refusal> {
    use EndpointStatus::{Active, Disabled, Paused};
    let refused = |message| Err(Refusal::whole(Code::InvalidState, message));
    let status = match (step, config.status) {
        (Step::Disable, _) => Disabled,
        (Step::Enable, Active | Disabled) | (Step::Resume, Active | Paused) => Active,
        (Step::Pause, Active | Paused) => Paused,
        (Step::Enable, Paused) => return refused("it is paused; resume it"),
        (Step::Resume | Step::Pause, Disabled) => return refused("it is disabled; enable it"),
    };
    configure::set_status(config, status);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::endpoints::configure::tests::config;

    #[test]
    fn a_pause_does_not_undo_a_disable_nor_the_other_way_round() {
        use EndpointStatus::{Active, Disabled, Paused};
        let rows = [
            (Step::Enable, Disabled, Some(Active)),
            (Step::Enable, Active, Some(Active)),
            (Step::Enable, Paused, None),
            (Step::Resume, Paused, Some(Active)),
            (Step::Resume, Disabled, None),
            (Step::Pause, Active, Some(Paused)),
            (Step::Pause, Disabled, None),
            (Step::Disable, Active, Some(Disabled)),
            (Step::Disable, Paused, Some(Disabled)),
        ];
        for (taken, from, to) in rows {
            let mut config = EndpointConfig { status: from, ..config() };
            let reached = step(&mut config, taken).ok().map(|()| config.status);
            assert_eq!(reached, to, "{taken:?} {from:?}");
        }
    }
}
