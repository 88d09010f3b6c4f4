//! `/v1/keys`: a key is shown once; what is stored of it is a hash.

use super::auth::{Caller, Reader};
use super::endpoints::Rate;
use super::idempotency::Command;
use super::json::{Answer, Empty, Time};
use super::new_key::{NewKey, ScopeName, bounded_key};
use super::page::{self, ListName, Listed, Query};
use super::problem::{Problem, not_found};
use super::{App, Named};
use crate::key_ring::KnownKey;
use angarium_core::account::ApiKey;
use angarium_core::audit::{Action, Place};
use angarium_core::rate::RateLimit;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::time::Timestamp;
use angarium_store::AccountChange;
use angarium_store::read::Page;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Whether a key opens anything.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KeyState)]
pub(super) enum StateName {
    /// It does.
    Active,
    /// It has ended by itself; it is listed for 30 days more, a portal key for one.
    Expired,
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
    /// Whether it opens anything.
    state: StateName,
    /// How many calls may be made with it; null where the server's default holds.
    #[schema(value_type = Option<Rate>)]
    rate: Option<RateLimit>,
    /// When it was made.
    created_at: Time,
    /// When it ends by itself.
    expires_at: Option<Time>,
    /// When a call was last made with it, true to a minute.
    last_used_at: Option<Time>,
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
    // Until it is made, nobody else makes one for the tenant.
    let _turn = match key.tenant {
        Some(tenant) => Some(app.turns.turn(&("keys", tenant)).await),
        None => None,
    };
    check_room(&app, &key)?;
    let shown = show(&app, &key, None);
    let answer = Answer::created(&MadeKeyView { key: text.expose().into(), shown });
    let made = call.caller.does(Action::KeyCreate, place(&key), &key.id).making(&key);
    app.change(AccountChange::CreateKey(key), call.trace(&answer, made)).await?;
    Ok(answer)
}

/// List keys
///
/// Newest first; those within the bounds of the key that asks, or of the environment it names.
/// Revoked keys are gone; those that have ended by themselves stay for 30 days as
/// `expired`, portal keys for one.
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
    let next = items.last().filter(|_| more).map(|last| last.key.id);
    let show = |known: Arc<KnownKey>| show(&app, &known.key, known.last_used_at());
    Ok(Json(name.page(Page { items, next }, show)))
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
    call.caller.named_environment()?;
    let known = id
        .parse()
        .ok()
        .and_then(|id| app.directory.key_by_id(id))
        .filter(|known| within(&call.caller, &known.key))
        .ok_or_else(|| not_found("key"))?;
    let answer = Answer::nothing();
    let key = &known.key;
    let revoked = call.caller.does(Action::KeyRevoke, place(key), &key.id).removing(&**key);
    app.change(AccountChange::RevokeKey(key.id), call.trace(&answer, revoked)).await?;
    Ok(answer)
}

/// Refuses a key beyond those that a tenant may have.
fn check_room(app: &App, key: &ApiKey) -> Result<(), Refusal> {
    let most = app.limits.keys_per_tenant;
    let has_room = |tenant| app.directory.open_keys(tenant, app.clock.wall()) < most;
    if key.tenant.is_none_or(has_room) {
        return Ok(());
    }
    let message = format!("a tenant has at most {most} keys that are valid; revoke one first");
    Err(Refusal::field(Code::TooManyKeys, "tenant", message))
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

fn show(app: &App, key: &ApiKey, last_used_at: Option<Timestamp>) -> KeyView {
    let environment = key.environment.and_then(|no| app.directory.environment(no));
    let tenant = key.tenant.and_then(|no| app.directory.tenant_by_no(no));
    KeyView {
        id: key.id.to_string(),
        name: key.name.clone(),
        environment: environment.map(|environment| environment.slug.clone()),
        tenant: tenant.map(|tenant| tenant.id.clone()),
        scopes: key.scopes.iter().copied().map(ScopeName::from).collect(),
        state: match key.has_ended(app.clock.wall()) {
            false => StateName::Active,
            true => StateName::Expired,
        },
        rate: key.rate,
        created_at: Time(key.created_at),
        expires_at: key.expires_at.map(Time),
        last_used_at: last_used_at.map(Time),
    }
}
