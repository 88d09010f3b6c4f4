//! `/v1/endpoints`: where a tenant's deliveries go. Changes go through the shard: an answer means
//! committed and applied (design.md, rule 6).

mod form;
mod view;

use super::auth::{Caller, Reader};
use super::idempotency::Command;
use super::json::{Answer, Empty, Secret};
use super::page::{self, ListName, Listed, Query};
use super::problem::{Problem, not_found};
use super::signing_keys::{ensure_tenant_key, new_key, succeed};
use super::{App, Named};
use angarium_core::contract::{KeyRule, KeyScope};
use angarium_core::endpoint::{Endpoint, EndpointConfig, EndpointStatus};
use angarium_core::id::EndpointId;
use angarium_core::refusal::{Code, Refusal};
use angarium_store::read::EndpointRow;
use axum::Json;
use axum::extract::State;
use form::{EndpointChange, NewEndpoint};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use view::{EndpointView, MadeEndpointView};

/// How often a change is begun anew when the shard made one meanwhile.
const TRIES: usize = 4;

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
    let config = form::new_config(&app, &call.caller, &tenant, &call.body)?;
    let contract = config.contract.clone();
    let endpoint = prepare(&app, config)?;
    ensure_tenant_key(&app, &tenant, &contract).await?;
    let answer = Answer::created(&view::made(&endpoint.config, &tenant));
    let most = call.caller.own_tenant().and(endpoint.contract.rules().max_per_key);
    app.runner.create_endpoint(Arc::new(endpoint), most, call.keep(&answer)).await?;
    Ok(answer)
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
    let row = find(&app, &caller, &id).await?;
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
    let apply = |config: &mut EndpointConfig| form::change(config, &call.body, &app.limits);
    amend(&app, &call, &id, apply, Answer::ok).await
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
    let row = find(&app, &call.caller, &id).await?;
    let answer = Answer::nothing();
    app.runner.delete_endpoint(row.config.tenant, row.no, call.keep(&answer)).await?;
    Ok(answer)
}

/// Enable an endpoint
///
/// What was parked while it was disabled goes on; what was suppressed stays so.
#[utoipa::path(post, path = "/v1/endpoints/{id}/enable", tag = "endpoints",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "Active", body = EndpointView)))]
pub(super) async fn enable(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<Empty>,
) -> Result<Answer, Problem> {
    amend(&app, &call, &id, |config| step(config, Step::Enable), Answer::ok).await
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
    amend(&app, &call, &id, |config| step(config, Step::Disable), Answer::ok).await
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
    amend(&app, &call, &id, |config| step(config, Step::Pause), Answer::ok).await
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
    amend(&app, &call, &id, |config| step(config, Step::Resume), Answer::ok).await
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
    let row = find(&app, &call.caller, &id).await?;
    let rule = endpoint_rule(&app, &row.config.contract)?;
    let now = app.now();
    let new = new_key(&rule, call.body.secret.as_ref(), now, &*app.entropy)?;
    let secret = new.secret.clone();
    let rotate = |config: &mut EndpointConfig| {
        config.secrets.keys = succeed(&config.secrets.keys, new.clone(), rule.overlap, now);
        Ok(())
    };
    let print = |shown: &EndpointView| Answer::ok(&view::with_secret(shown, &secret));
    amend(&app, &call, &id, rotate, print).await
}

/// Reads an endpoint, changes it, and puts it in its place; anew if the shard changed it meanwhile.
async fn amend<T>(
    app: &App,
    call: &Command<T>,
    id: &str,
    apply: impl Fn(&mut EndpointConfig) -> Result<(), Refusal>,
    print: impl Fn(&EndpointView) -> Answer,
) -> Result<Answer, Problem> {
    let _turn = app.turns.turn(&id).await;
    for _ in 0..TRIES {
        let mut row = find(app, &call.caller, id).await?;
        row.config.version += 1;
        row.config.updated_at = app.now();
        apply(&mut row.config)?;
        let endpoint = prepare(app, row.config.clone())?;
        row.config = endpoint.config.clone();
        let answer = print(&view::of_row(app, &row));
        let guard = call.keep(&answer);
        match app.runner.replace_endpoint(row.no, Arc::new(endpoint), guard).await {
            Err(Refusal { code: Code::Conflict, .. }) => {}
            done => return done.map(|()| answer).map_err(Problem),
        }
    }
    let message = "others change this endpoint all the time; send it again";
    Err(Refusal::whole(Code::Conflict, message).into())
}

async fn find(app: &App, caller: &Caller, id: &str) -> Result<EndpointRow, Problem> {
    caller.environment()?;
    let unknown = || not_found("endpoint");
    let id: EndpointId = id.parse().map_err(|_| unknown())?;
    let row = app.store.endpoint(id).await?.ok_or_else(unknown)?;
    caller.owner(app, row.config.tenant, "endpoint")?;
    Ok(row)
}

/// Makes an endpoint ready: its URL canonical, its host one that may be dialled.
fn prepare(app: &App, config: EndpointConfig) -> Result<Endpoint, Refusal> {
    let contract = app.contracts.get(&config.contract).ok_or_else(|| {
        let message = format!("there is no contract {:?}", config.contract);
        Refusal::field(Code::UnknownContract, "contract", message)
    })?;
    let contract = Arc::clone(contract);
    let mut endpoint = Endpoint::prepare(config, contract, &app.limits, app.plain_http)?;
    app.addresses.judge_host(&endpoint.destination.host)?;
    endpoint.config.url = endpoint.destination.text.to_string();
    Ok(endpoint)
}

fn endpoint_rule(app: &App, contract: &str) -> Result<KeyRule, Refusal> {
    let rule = app.contracts.get(contract).and_then(|contract| contract.key_rule());
    let message = match rule {
        Some(rule) => match rule.scope {
            KeyScope::Endpoint => return Ok(rule.clone()),
            KeyScope::Tenant => "it is signed with the tenant's key; rotate that",
        },
        None => "its contract does not sign",
    };
    Err(Refusal::whole(Code::InvalidState, message))
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Enable,
    Disable,
    Pause,
    Resume,
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
    form::set_status(config, status);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::endpoints::form::tests::config;

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
