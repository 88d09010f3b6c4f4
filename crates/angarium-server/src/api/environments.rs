//! `/v1/environments`: platform products, their contracts and hosts.

use super::auth::{Caller, Reader};
use super::egress::{EgressForm, EgressView};
use super::idempotency::Command;
use super::json::{Answer, Empty, Time, present};
use super::page::{self, ListName, Listed, Query};
use super::problem::Problem;
use super::retention::{RetentionForm, RetentionView};
use super::tenants::delete_endpoints;
use super::{App, Named};
use crate::contract_api::{Collision, first_collision};
use crate::docs::TAKEN_SLUG;
use crate::notices;
use angarium_core::account::Environment;
use angarium_core::audit::{Action, Place};
use angarium_core::batch::Trace;
use angarium_core::event::check_text;
use angarium_core::id::EnvironmentNo;
use angarium_core::limits::Limits;
use angarium_core::notice::OPERATOR;
use angarium_core::refusal::{Code, Refusal};
use angarium_store::read::{EndpointRow, Page};
use angarium_store::{AccountChange, AccountChanged};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// A new environment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEnvironment {
    /// The name in URLs, for ever.
    #[schema(pattern = "^[a-z0-9-]{1,63}$", example = "prod")]
    slug: String,
    /// For people; the slug if absent.
    #[schema(min_length = 1, max_length = 512, example = "Production")]
    title: Option<String>,
    /// Contracts in use; the first is the default.
    #[schema(min_items = 1, example = json!(["standard"]))]
    contracts: Vec<String>,
    /// Hosts whose root serves the contracts' routes; lower case, without port.
    #[serde(default)]
    #[schema(example = json!([]))]
    hosts: Vec<String>,
    /// Where requests may go on its behalf, and by which way; as the server was started, if
    /// absent.
    egress: Option<EgressForm>,
    /// How long what it accepts is kept.
    retention: Option<RetentionForm>,
}

/// A change of an environment; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvironmentChange {
    /// For people; null makes it the slug again.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 512, example = "Production")]
    title: Option<Option<String>>,
    /// Contracts in use; one that endpoints follow cannot be removed.
    #[schema(min_items = 1, example = json!(["standard"]))]
    contracts: Option<Vec<String>>,
    /// Hosts whose root serves the contracts' routes.
    #[schema(example = json!([]))]
    hosts: Option<Vec<String>>,
    /// Where requests may go on its behalf, whole; null makes it as the server was started.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<EgressForm>)]
    egress: Option<Option<EgressForm>>,
    /// How long what it accepts is kept, whole; null makes it as by default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<RetentionForm>)]
    retention: Option<Option<RetentionForm>>,
}

/// One platform product.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Environment)]
pub(super) struct EnvironmentView {
    /// The name in URLs.
    #[schema(example = "prod")]
    slug: String,
    /// For people.
    title: String,
    /// Contracts in use; the first is the default.
    contracts: Vec<String>,
    /// Hosts whose root serves the contracts' routes.
    hosts: Vec<String>,
    /// Where requests may go on its behalf; absent where it sets nothing, and for a tenant's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    egress: Option<EgressView>,
    /// How long what it accepts is kept.
    retention: RetentionView,
    /// When it was made.
    created_at: Time,
}

impl EnvironmentView {
    /// As a caller may see it: a platform's network is none of its customers' business.
    fn for_caller(environment: &Environment, caller: &Caller) -> Self {
        let egress =
            caller.own_tenant().is_none().then(|| EgressView::of(&environment.egress)).flatten();
        Self {
            slug: environment.slug.clone(),
            title: environment.title.clone(),
            contracts: environment.contracts.clone(),
            hosts: environment.hosts.clone(),
            egress,
            retention: RetentionView::of(&environment.retention),
            created_at: Time(environment.created_at),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EnvironmentsQuery {
    /// Items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// The page before gave it as `next`.
    cursor: Option<String>,
}

/// Make an environment
#[utoipa::path(post, path = "/v1/environments", tag = "environments",
    request_body = NewEnvironment,
    responses((status = 201, description = "Made", body = EnvironmentView)))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    call: Command<NewEnvironment>,
) -> Result<Answer, Problem> {
    let new = &call.body;
    let environment = Environment {
        no: EnvironmentNo::new(0),
        slug: new.slug.clone(),
        title: new.title.clone().unwrap_or_else(|| new.slug.clone()),
        contracts: new.contracts.clone(),
        hosts: new.hosts.clone(),
        egress: EgressForm::settings(new.egress.as_ref(), &app)?,
        retention: RetentionForm::settings(new.retention.as_ref())?,
        created_at: app.now(),
    };
    check(&environment, &app)?;
    if environment.slug == TAKEN_SLUG {
        let message = "`api` is taken: /docs/api is the page of the native API";
        return Err(Refusal::field(Code::InvalidEnvironment, "slug", message).into());
    }
    let answer = Answer::created(&EnvironmentView::for_caller(&environment, &call.caller));
    let created = call.caller.does(Action::EnvironmentCreate, Place::Instance, &environment.slug);
    let trace = call.trace(&answer, created.making(&environment));
    let made = AccountChange::CreateEnvironment(environment);
    if let AccountChanged::Created(no) = app.change(made, trace).await? {
        make_operator(&app, EnvironmentNo::new(no)).await?;
    }
    Ok(answer)
}

/// List environments
///
/// Newest first; those that the key may see.
#[utoipa::path(get, path = "/v1/environments", tag = "environments", params(EnvironmentsQuery),
    responses((status = 200, description = "A page", body = Listed<EnvironmentView>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(query): Query<EnvironmentsQuery>,
) -> Result<Json<Listed<EnvironmentView>>, Problem> {
    let name = ListName(format!("environments/{}", caller.key.id));
    let limit = page::limit(query.limit.as_deref(), &app.limits)?;
    let before = name.parse::<i64>(query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let visible = app.directory.environments().into_iter();
    let mut items: Vec<_> = visible
        .filter(|e| e.no.get() < before && caller.key.environment.is_none_or(|own| own == e.no))
        .take(limit + 1)
        .collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| last.no.get());
    Ok(Json(name.page(Page { items, next }, |e| EnvironmentView::for_caller(&e, &caller))))
}

/// Show an environment
#[utoipa::path(get, path = "/v1/environments/{slug}", tag = "environments",
    params(("slug" = String, Path, description = "Its slug")),
    responses((status = 200, description = "The environment", body = EnvironmentView)))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Named(slug): Named,
) -> Result<Json<EnvironmentView>, Problem> {
    let environment = seen(&app, &caller, &slug)?;
    Ok(Json(EnvironmentView::for_caller(&environment, &caller)))
}

/// Change an environment
#[utoipa::path(patch, path = "/v1/environments/{slug}", tag = "environments",
    params(("slug" = String, Path, description = "Its slug")),
    request_body = EnvironmentChange,
    responses((status = 200, description = "Changed", body = EnvironmentView)))]
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Named(slug): Named,
    call: Command<EnvironmentChange>,
) -> Result<Answer, Problem> {
    // What one change leaves alone must not undo another's.
    let no = seen(&app, &call.caller, &slug)?.no;
    let _turn = app.turns.turn(&("environment", no)).await;
    let before = seen(&app, &call.caller, &slug)?;
    let mut environment = Environment::clone(&before);
    let change = &call.body;
    if let Some(title) = &change.title {
        environment.title = title.clone().unwrap_or_else(|| slug.clone());
    }
    if let Some(contracts) = &change.contracts {
        keep_followed(&app, &environment, contracts).await?;
        environment.contracts.clone_from(contracts);
    }
    if let Some(hosts) = &change.hosts {
        environment.hosts.clone_from(hosts);
    }
    if let Some(egress) = &change.egress {
        environment.egress = EgressForm::settings(egress.as_ref(), &app)?;
    }
    if let Some(retention) = &change.retention {
        environment.retention = RetentionForm::settings(retention.as_ref())?;
    }
    check(&environment, &app)?;
    let answer = Answer::ok(&EnvironmentView::for_caller(&environment, &call.caller));
    let place = Place::Environment(environment.no);
    let changed = call.caller.does(Action::EnvironmentUpdate, place, &slug);
    let trace = call.trace(&answer, changed.changing(&*before, &environment));
    app.change(AccountChange::ReplaceEnvironment(environment), trace).await?;
    Ok(answer)
}

/// Delete an environment
///
/// One that still has tenants is `in_use`.
#[utoipa::path(delete, path = "/v1/environments/{slug}", tag = "environments",
    params(("slug" = String, Path, description = "Its slug")),
    responses((status = 204, description = "Deleted, with its keys and event types")))]
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Named(slug): Named,
    call: Command<Empty>,
) -> Result<Answer, Problem> {
    let environment = seen(&app, &call.caller, &slug)?;
    let answer = Answer::nothing();
    let has_customers = !app.directory.tenants(environment.no, None, 1).is_empty();
    let operator = app.directory.tenant(environment.no, OPERATOR).filter(|_| !has_customers);
    if let Some(operator) = operator {
        let caller = &call.caller;
        delete_endpoints(&app, &operator, caller).await?;
        let gone = caller.does(Action::TenantDelete, Place::Tenant(operator.no), &operator.id);
        let trace = Trace::of(gone.removing(&*operator));
        app.change(AccountChange::DeleteTenant(operator.no), trace).await?;
    }
    let place = Place::Environment(environment.no);
    let gone = call.caller.does(Action::EnvironmentDelete, place, &slug).removing(&*environment);
    let deleted = AccountChange::DeleteEnvironment(environment.no);
    if let Err(refused) = app.change(deleted, call.trace(&answer, gone)).await {
        // A tenant was made meanwhile: the environment stays, and keeps its operator.
        make_operator(&app, environment.no).await?;
        return Err(refused);
    }
    Ok(answer)
}

/// Every environment has an operator, who gets its notices.
async fn make_operator(app: &Arc<App>, environment: EnvironmentNo) -> Result<(), Problem> {
    if app.directory.tenant(environment, OPERATOR).is_none() {
        let operator = notices::operator_of(environment, app.now());
        let trace = notices::operator_made(environment);
        app.change(AccountChange::PutTenant(operator), trace).await?;
    }
    Ok(())
}

fn seen(app: &App, caller: &Caller, slug: &str) -> Result<Arc<Environment>, Refusal> {
    app.directory
        .environment_by_slug(slug)
        .filter(|e| caller.key.environment.is_none_or(|own| own == e.no))
        .ok_or_else(|| {
            let message = "there is no such environment";
            Refusal::field(Code::EnvironmentNotFound, "environment", message)
        })
}

fn check(environment: &Environment, app: &App) -> Result<(), Refusal> {
    let slug = &environment.slug;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if slug.is_empty() || slug.len() > 63 || !slug.bytes().all(allowed) {
        let message = "a slug has 1 to 63 characters of a-z 0-9 -";
        return Err(Refusal::field(Code::InvalidEnvironment, "slug", message));
    }
    check_text("title", Some(&environment.title), app.limits.text_chars)?;
    check_contracts(&environment.contracts, app)?;
    check_hosts(&environment.hosts, &app.limits)
}

fn check_contracts(contracts: &[String], app: &App) -> Result<(), Refusal> {
    if contracts.is_empty() {
        let message = "an environment has at least one contract";
        return Err(Refusal::field(Code::InvalidField, "contracts", message));
    }
    for (i, contract) in contracts.iter().enumerate() {
        let field = format!("contracts[{i}]");
        if app.contracts.get(contract).is_none() {
            let message = format!("there is no contract {contract:?}");
            return Err(Refusal::field(Code::UnknownContract, field, message));
        }
        if contracts[..i].contains(contract) {
            return Err(Refusal::field(Code::InvalidField, field, "it is there already"));
        }
    }
    match first_collision(contracts, &app.contracts) {
        None => Ok(()),
        Some(Collision { one, other, call }) => {
            let message = format!("{one} and {other} both have the call {call}");
            Err(Refusal::field(Code::InvalidField, "contracts", message))
        }
    }
}

fn check_hosts(hosts: &[String], limits: &Limits) -> Result<(), Refusal> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let label = |label: &str| !label.is_empty() && label.len() <= 63 && label.bytes().all(allowed);
    for (i, host) in hosts.iter().enumerate() {
        let field = format!("hosts[{i}]");
        if host.len() > 253.min(limits.text_chars) || !host.split('.').all(label) {
            let message = "a host is a name in lower case, without port";
            return Err(Refusal::field(Code::InvalidField, field, message));
        }
        if hosts[..i].contains(host) {
            return Err(Refusal::field(Code::InvalidField, field, "it is there already"));
        }
    }
    Ok(())
}

/// Refuses to take away a contract that an endpoint follows.
async fn keep_followed(app: &App, now: &Environment, wanted: &[String]) -> Result<(), Problem> {
    if now.contracts.iter().all(|contract| wanted.contains(contract)) {
        return Ok(());
    }
    let operator = app.directory.tenant(now.no, OPERATOR).map(|operator| operator.no);
    let mut before = None;
    loop {
        let page = app.store.endpoints(now.no, None, None, before, app.limits.page).await?;
        let loses = |row: &&EndpointRow| {
            let contract = &row.config.contract;
            now.contracts.contains(contract) && !wanted.contains(contract)
        };
        let is_customers = |row: &&EndpointRow| Some(row.config.tenant) != operator;
        if let Some(row) = page.items.iter().filter(is_customers).find(loses) {
            let message = format!("endpoints follow the contract {:?}", row.config.contract);
            return Err(Refusal::field(Code::InUse, "contracts", message).into());
        }
        before = match page.next {
            Some(next) => Some(next),
            None => return Ok(()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_lower_case_name_without_port_and_stands_there_once() {
        let check = |hosts: &[&str]| {
            let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
            check_hosts(&hosts, &Limits::default()).map_err(|r| r.field)
        };
        assert_eq!(check(&["api.aioka.io", "localhost"]), Ok(()));
        for bad in ["API.aioka.io", "a.b:80", "a..b", "", "a_b", "https://a.b"] {
            assert_eq!(check(&["ok.io", bad]), Err(Some("hosts[1]".into())), "{bad}");
        }
        assert_eq!(check(&["a.b", "a.b"]), Err(Some("hosts[1]".into())));
    }
}
