//! `/v1/keys`: a key is shown once; what is stored of it is a hash.

use super::auth::{Caller, Reader, hash, make_key};
use super::idempotency::Command;
use super::json::{Answer, Empty, Time};
use super::page::{self, ListName, Listed, Query};
use super::problem::{Problem, not_found};
use super::{App, Named};
use crate::entropy::random;
use angarium_core::account::{ApiKey, Environment, Scope, Tenant};
use angarium_core::audit::{Action, Place};
use angarium_core::event::check_text;
use angarium_core::id::ApiKeyId;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::secret::SecretText;
use angarium_core::time::Timestamp;
use angarium_store::AccountChange;
use angarium_store::read::Page;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Scope)]
pub(super) enum ScopeName {
    /// Publish events.
    Publish,
    /// Change endpoints, tenants, keys and deliveries; and read.
    Manage,
    /// Read everything but secrets.
    Read,
}

impl From<ScopeName> for Scope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::Publish => Scope::Publish,
            ScopeName::Manage => Scope::Manage,
            ScopeName::Read => Scope::Read,
        }
    }
}

impl From<Scope> for ScopeName {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Publish => ScopeName::Publish,
            Scope::Manage => ScopeName::Manage,
            Scope::Read => ScopeName::Read,
        }
    }
}

/// A new key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// For people.
    #[schema(min_length = 1, max_length = 512, example = "publisher")]
    name: String,
    /// The environment that it is bound to; that of the call if absent, else the instance.
    #[schema(example = "prod")]
    environment: Option<String>,
    /// The tenant that it is bound to.
    tenant: Option<String>,
    /// What it may do; not more than the key that makes it.
    #[schema(min_items = 1, example = json!(["publish"]))]
    scopes: Vec<ScopeName>,
    /// When it ends by itself.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// A key, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(super) struct KeyView {
    /// Its public id.
    #[schema(example = "key_01kcq0a3f7e8vb6k2m4n5p6q7r")]
    id: String,
    /// For people.
    name: String,
    /// The environment that it is bound to; null for keys of the instance.
    environment: Option<String>,
    /// The tenant that it is bound to.
    tenant: Option<String>,
    /// What it may do.
    scopes: Vec<ScopeName>,
    /// When it was made.
    created_at: Time,
    /// When it ends by itself.
    expires_at: Option<Time>,
}

/// A new key, with its text for the only time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MadeKey)]
pub(super) struct MadeKeyView {
    /// The text to send as `Authorization: Bearer`.
    key: String,
    /// The rest.
    #[serde(flatten)]
    shown: KeyView,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct KeysQuery {
    /// Items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// The page before gave it as `next`.
    cursor: Option<String>,
}

/// Make a key
///
/// Its text is in this answer and never again.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = NewKey,
    responses((status = 201, description = "Made", body = MadeKeyView)))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    call: Command<NewKey>,
) -> Result<Answer, Problem> {
    let (key, text) = bounded_key(&app, &call.caller, &call.body)?;
    let shown = show(&app, &key);
    let answer = Answer::created(&MadeKeyView { key: text.expose().into(), shown });
    let made = call.caller.does(Action::KeyCreate, place(&key), &key.id).making(&key);
    app.change(AccountChange::CreateKey(key), call.trace(&answer, made)).await?;
    Ok(answer)
}

/// List keys
///
/// Newest first; those within the bounds of the key that asks, or of the environment it names.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", params(KeysQuery),
    responses((status = 200, description = "A page", body = Listed<KeyView>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(query): Query<KeysQuery>,
) -> Result<Json<Listed<KeyView>>, Problem> {
    let named = caller.named_environment()?.map(|environment| environment.no);
    let name = ListName(format!("keys/{}/{named:?}", caller.key.id));
    let limit = page::limit(query.limit.as_deref(), &app.limits)?;
    let before = name.parse(query.cursor.as_deref())?;
    let wanted =
        |key: &ApiKey| within(&caller, key) && (named.is_none() || key.environment == named);
    let mut items = app.directory.keys(before, limit + 1, wanted);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| last.id);
    Ok(Json(name.page(Page { items, next }, |key| show(&app, &key))))
}

/// Revoke a key
///
/// It ends at once.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 204, description = "Revoked")))]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<Empty>,
) -> Result<Answer, Problem> {
    let key = id
        .parse()
        .ok()
        .and_then(|id| app.directory.key_by_id(id))
        .filter(|key| within(&call.caller, key))
        .ok_or_else(|| not_found("key"))?;
    let answer = Answer::nothing();
    let revoked = call.caller.does(Action::KeyRevoke, place(&key), &key.id).removing(&*key);
    app.change(AccountChange::RevokeKey(key.id), call.trace(&answer, revoked)).await?;
    Ok(answer)
}

/// Where a key belongs.
fn place(key: &ApiKey) -> Place {
    match (key.environment, key.tenant) {
        (_, Some(tenant)) => Place::Tenant(tenant),
        (Some(environment), None) => Place::Environment(environment),
        (None, None) => Place::Instance,
    }
}

/// Whether a key lies within the bounds of the caller's.
fn within(caller: &Caller, key: &ApiKey) -> bool {
    let bound = &caller.key;
    bound.environment.is_none_or(|own| key.environment == Some(own))
        && bound.tenant.is_none_or(|own| key.tenant == Some(own))
}

fn bounded_key(app: &App, caller: &Caller, new: &NewKey) -> Result<(ApiKey, SecretText), Refusal> {
    check_text("name", Some(&new.name), app.limits.text_chars)?;
    let environment = environment_of(app, caller, new)?;
    let tenant = tenant_of(app, caller, environment.as_deref(), new)?;
    let now = app.now();
    let text = new_text(app, environment.as_deref());
    let key = ApiKey {
        id: ApiKeyId::from_parts(now, random(&*app.entropy)),
        hash: hash(text.expose()),
        name: new.name.clone(),
        environment: environment.map(|environment| environment.no),
        tenant: tenant.map(|tenant| tenant.no),
        scopes: scopes_of(caller, new)?,
        created_at: now,
        expires_at: end_of(new, now)?,
    };
    Ok((key, text))
}

/// A key's text, in the form of the environment's first contract that has one.
fn new_text(app: &App, environment: Option<&Environment>) -> SecretText {
    let contracts = environment.map_or(&[][..], |environment| &environment.contracts);
    let form = contracts.iter().find_map(|name| app.contracts.get(name)?.api()?.auth.key.as_ref());
    match form {
        Some(form) => form.make(&random(&*app.entropy)),
        None => make_key(&*app.entropy),
    }
}

fn environment_of(
    app: &App,
    caller: &Caller,
    new: &NewKey,
) -> Result<Option<Arc<Environment>>, Refusal> {
    let Some(slug) = &new.environment else {
        return match new.tenant {
            Some(_) => caller.environment().cloned().map(Some),
            None => Ok(caller.named_environment()?.cloned()),
        };
    };
    let found = app.directory.environment_by_slug(slug);
    let seen = found.filter(|e| caller.key.environment.is_none_or(|own| own == e.no));
    seen.map(Some).ok_or_else(|| {
        let message = format!("there is no environment {slug:?}");
        Refusal::field(Code::EnvironmentNotFound, "environment", message)
    })
}

fn tenant_of(
    app: &App,
    caller: &Caller,
    environment: Option<&Environment>,
    new: &NewKey,
) -> Result<Option<Arc<Tenant>>, Refusal> {
    let Some(id) = &new.tenant else {
        return Ok(caller.own_tenant().cloned());
    };
    let visible = |t: &Arc<Tenant>| caller.key.tenant.is_none_or(|own| own == t.no);
    let found = environment.and_then(|environment| app.directory.tenant(environment.no, id));
    found
        .filter(visible)
        .map(Some)
        .ok_or_else(|| Refusal::field(Code::TenantNotFound, "tenant", "there is no such tenant"))
}

fn scopes_of(caller: &Caller, new: &NewKey) -> Result<Vec<Scope>, Refusal> {
    if new.scopes.is_empty() {
        return Err(Refusal::field(Code::InvalidField, "scopes", "a key has at least one scope"));
    }
    let mut scopes: Vec<Scope> = Vec::new();
    for scope in new.scopes.iter().copied().map(Scope::from) {
        caller.require(scope).map_err(|refusal| refusal.below("scopes"))?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

fn end_of(new: &NewKey, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = &new.expires_at else {
        return Ok(None);
    };
    match Timestamp::parse(text) {
        Some(end) if end > now => Ok(Some(end)),
        Some(_) | None => {
            let message = "a time to come, in RFC 3339";
            Err(Refusal::field(Code::InvalidField, "expires_at", message))
        }
    }
}

fn show(app: &App, key: &ApiKey) -> KeyView {
    let environment = key.environment.and_then(|no| app.directory.environment(no));
    let tenant = key.tenant.and_then(|no| app.directory.tenant_by_no(no));
    KeyView {
        id: key.id.to_string(),
        name: key.name.clone(),
        environment: environment.map(|environment| environment.slug.clone()),
        tenant: tenant.map(|tenant| tenant.id.clone()),
        scopes: key.scopes.iter().copied().map(ScopeName::from).collect(),
        created_at: Time(key.created_at),
        expires_at: key.expires_at.map(Time),
    }
}
