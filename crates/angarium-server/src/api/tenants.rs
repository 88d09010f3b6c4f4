//! `/v1/tenants`: the platform's customers, under the platform's own ids.

use super::auth::{Caller, Reader};
use super::endpoints::Rate;
use super::idempotency::Command;
use super::json::{Answer, Empty, Time, present};
use super::page::{self, ListName, Listed, Query};
use super::problem::Problem;
use super::signing_keys::ensure_tenant_key;
use super::{App, Named};
use angarium_core::account::{Environment, Tenant, check_tenant_id};
use angarium_core::audit::{Action, Place};
use angarium_core::batch::Trace;
use angarium_core::event::check_text;
use angarium_core::id::TenantNo;
use angarium_core::limits::Limits;
use angarium_core::notice::OPERATOR;
use angarium_core::rate::{RateLimit, RateSpec};
use angarium_core::refusal::{Code, Refusal};
use angarium_store::AccountChange;
use angarium_store::read::Page;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// What a tenant is; what is absent is cleared.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantBody {
    /// For people.
    #[schema(min_length = 1, max_length = 512, example = "Acme")]
    name: Option<String>,
    /// The plan, one of the contract's.
    #[schema(min_length = 1, max_length = 512, example = "basic")]
    plan: Option<String>,
    /// The platform's own data, as given.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({}))]
    metadata: Map<String, Value>,
    /// How many events it may publish, a test call counted as one; the server's default if absent.
    #[schema(value_type = Option<Rate>)]
    rate: Option<RateSpec>,
}

/// A change of a tenant; what is absent stays, null clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantChange {
    /// For people.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 512, example = "Acme")]
    name: Option<Option<String>>,
    /// The plan, one of the contract's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 512, example = "basic")]
    plan: Option<Option<String>>,
    /// The platform's own data, all of it anew.
    #[schema(value_type = Option<Object>, example = json!({}))]
    metadata: Option<Map<String, Value>>,
    /// How many events it may publish; null for the server's default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Rate>)]
    rate: Option<Option<RateSpec>>,
}

/// One customer of the platform.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tenant)]
pub(super) struct TenantView {
    /// The platform's own id.
    #[schema(example = "acme")]
    id: String,
    /// For people.
    name: Option<String>,
    /// The plan.
    plan: Option<String>,
    /// The platform's own data.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// How many events it may publish; null where the server's default holds.
    #[schema(value_type = Option<Rate>)]
    rate: Option<RateLimit>,
    /// When it was made.
    created_at: Time,
}

impl From<&Tenant> for TenantView {
    fn from(tenant: &Tenant) -> Self {
        Self {
            id: tenant.id.clone(),
            name: tenant.name.clone(),
            plan: tenant.plan.clone(),
            metadata: tenant.metadata.clone(),
            rate: tenant.rate,
            created_at: Time(tenant.created_at),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TenantsQuery {
    /// Items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// The page before gave it as `next`.
    cursor: Option<String>,
}

/// Make or replace a tenant
#[utoipa::path(put, path = "/v1/tenants/{tenant}", tag = "tenants",
    params(("tenant" = String, Path, description = "The platform's own id",
        pattern = "^[A-Za-z0-9_.:@-]{1,64}$")),
    request_body = TenantBody,
    responses((status = 200, description = "Replaced", body = TenantView),
        (status = 201, description = "Made", body = TenantView)))]
pub(super) async fn put(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<TenantBody>,
) -> Result<Answer, Problem> {
    check_tenant_id(&id, &app.limits)?;
    refuse_operator(&id)?;
    let environment = call.caller.environment()?;
    let turn = app.turns.turn(&("tenant", environment.no, &id)).await;
    let known = app.directory.tenant(environment.no, &id);
    let tenant = Tenant {
        no: known.as_ref().map_or(TenantNo::new(0), |tenant| tenant.no),
        environment: environment.no,
        id: id.clone(),
        name: call.body.name.clone(),
        plan: call.body.plan.clone(),
        metadata: call.body.metadata.clone(),
        rate: call.body.rate.map(RateLimit::try_new).transpose()?,
        created_at: known.as_ref().map_or(app.now(), |tenant| tenant.created_at),
    };
    check(&app, environment, &tenant)?;
    let view = TenantView::from(&tenant);
    let (answer, put) = match &known {
        Some(known) => {
            let put = call.caller.does(Action::TenantUpdate, Place::Tenant(known.no), &id);
            (Answer::ok(&view), put.changing(&**known, &tenant))
        }
        None => {
            let place = Place::Environment(environment.no);
            let put = call.caller.does(Action::TenantCreate, place, &id);
            (Answer::created(&view), put.making(&tenant))
        }
    };
    app.change(AccountChange::PutTenant(tenant), call.trace(&answer, put)).await?;
    // Its keys take turns of their own.
    drop(turn);
    let tenant = call.caller.tenant(&app, &id)?;
    for contract in &environment.contracts {
        ensure_tenant_key(&app, &tenant, contract).await?;
    }
    Ok(answer)
}

/// Change a tenant
///
/// What is absent stays; null clears what may be absent.
#[utoipa::path(patch, path = "/v1/tenants/{tenant}", tag = "tenants",
    params(("tenant" = String, Path, description = "The platform's own id")),
    request_body = TenantChange,
    responses((status = 200, description = "Changed", body = TenantView)))]
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<TenantChange>,
) -> Result<Answer, Problem> {
    refuse_operator(&id)?;
    let _turn = app.turns.turn(&call.caller.tenant(&app, &id)?.no).await;
    let known = call.caller.tenant(&app, &id)?;
    let tenant = changed(&known, &call.body)?;
    check(&app, call.caller.environment()?, &tenant)?;
    let answer = Answer::ok(&TenantView::from(&tenant));
    let changed = call.caller.does(Action::TenantUpdate, Place::Tenant(tenant.no), &id);
    let trace = call.trace(&answer, changed.changing(&*known, &tenant));
    app.change(AccountChange::PutTenant(tenant), trace).await?;
    Ok(answer)
}

fn changed(known: &Tenant, change: &TenantChange) -> Result<Tenant, Refusal> {
    let mut tenant = known.clone();
    if let Some(name) = &change.name {
        tenant.name.clone_from(name);
    }
    if let Some(plan) = &change.plan {
        tenant.plan.clone_from(plan);
    }
    if let Some(metadata) = &change.metadata {
        tenant.metadata.clone_from(metadata);
    }
    if let Some(rate) = change.rate {
        tenant.rate = rate.map(RateLimit::try_new).transpose()?;
    }
    Ok(tenant)
}

/// Show a tenant
#[utoipa::path(get, path = "/v1/tenants/{tenant}", tag = "tenants",
    params(("tenant" = String, Path, description = "The platform's own id")),
    responses((status = 200, description = "The tenant", body = TenantView)))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Named(id): Named,
) -> Result<Json<TenantView>, Problem> {
    let tenant = caller.tenant(&app, &id)?;
    Ok(Json(TenantView::from(&*tenant)))
}

/// List tenants
///
/// Newest first, without the operator; a tenant's key sees its own only.
#[utoipa::path(get, path = "/v1/tenants", tag = "tenants", params(TenantsQuery),
    responses((status = 200, description = "A page", body = Listed<TenantView>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(query): Query<TenantsQuery>,
) -> Result<Json<Listed<TenantView>>, Problem> {
    let environment = caller.environment()?.no;
    let name = ListName(format!("tenants/{environment}/{:?}", caller.key.tenant));
    let limit = page::limit(query.limit.as_deref(), &app.limits)?;
    let before = name.parse(query.cursor.as_deref())?;
    let mut items = match caller.own_tenant() {
        Some(own) => vec![Arc::clone(own)],
        None => app.directory.tenants(environment, before, limit + 1),
    };
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| last.no);
    Ok(Json(name.page(Page { items, next }, |tenant| TenantView::from(&*tenant))))
}

/// Delete a tenant
///
/// Its endpoints are deleted first, and what waits for them is cancelled; its keys end.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}", tag = "tenants",
    params(("tenant" = String, Path, description = "The platform's own id")),
    responses((status = 204, description = "Deleted")))]
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<Empty>,
) -> Result<Answer, Problem> {
    refuse_operator(&id)?;
    let tenant = call.caller.tenant(&app, &id)?;
    delete_endpoints(&app, &tenant, &call.caller).await?;
    let answer = Answer::nothing();
    let gone = call.caller.does(Action::TenantDelete, Place::Tenant(tenant.no), &id);
    let trace = call.trace(&answer, gone.removing(&*tenant));
    app.change(AccountChange::DeleteTenant(tenant.no), trace).await?;
    app.rates.forget(tenant.no);
    Ok(answer)
}

/// Nobody changes or deletes the operator.
fn refuse_operator(id: &str) -> Result<(), Refusal> {
    let message = "this tenant is built in: it is the operator's, who gets notices";
    let refused = || Refusal::field(Code::Forbidden, "tenant", message);
    if id == OPERATOR { Err(refused()) } else { Ok(()) }
}

/// Deletes a tenant's endpoints, and cancels what waits for them.
///
/// # Errors
/// The store's.
pub(super) async fn delete_endpoints(
    app: &App,
    tenant: &Tenant,
    caller: &Caller,
) -> Result<(), Problem> {
    let (environment, most) = (tenant.environment, app.limits.page);
    loop {
        let page = app.store.endpoints(environment, Some(tenant.no), None, None, most).await?;
        if page.items.is_empty() {
            return Ok(());
        }
        for row in page.items {
            let config = &row.config;
            let gone = caller.does(Action::EndpointDelete, Place::Tenant(tenant.no), &config.id);
            let trace = Trace::of(gone.removing(config));
            app.runner.delete_endpoint(tenant.no, row.no, trace).await?;
        }
    }
}

fn check(app: &App, environment: &Environment, tenant: &Tenant) -> Result<(), Refusal> {
    let limits = &app.limits;
    check_text("name", tenant.name.as_deref(), limits.text_chars)?;
    check_text("plan", tenant.plan.as_deref(), limits.text_chars)?;
    check_metadata(&tenant.metadata, limits)?;
    check_plan(app, environment, tenant.plan.as_deref())
}

/// Refuses a plan that none of the environment's contracts knows, where they know any.
fn check_plan(app: &App, environment: &Environment, plan: Option<&str>) -> Result<(), Refusal> {
    let contracts = environment.contracts.iter().filter_map(|name| app.contracts.get(name));
    let known: Vec<&str> = contracts.flat_map(|contract| contract.plans()).map(|p| &**p).collect();
    match plan {
        Some(plan) if !known.is_empty() && !known.contains(&plan) => {
            let message = format!("one of the plans {}", known.join(", "));
            Err(Refusal::field(Code::InvalidField, "plan", message))
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses metadata that is too long.
pub(super) fn check_metadata(
    metadata: &Map<String, Value>,
    limits: &Limits,
) -> Result<(), Refusal> {
    let bytes = serde_json::to_vec(metadata).map_or(0, |text| text.len());
    if bytes > limits.metadata_bytes {
        let message = format!("at most {} bytes as JSON", limits.metadata_bytes);
        return Err(Refusal::field(Code::InvalidField, "metadata", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_holds_at_the_limit_and_is_refused_one_past_it() {
        let limits = Limits::default();
        let with = |n: usize| Map::from_iter([("a".to_owned(), Value::from("x".repeat(n)))]);
        let frame = r#"{"a":""}"#.len();
        assert!(check_metadata(&with(limits.metadata_bytes - frame), &limits).is_ok());
        let refusal = check_metadata(&with(limits.metadata_bytes - frame + 1), &limits);
        assert_eq!(refusal.expect_err("too long").field.as_deref(), Some("metadata"));
    }
}
