//! What a new key is: within the bounds of the key that makes it, in the form of its environment's
//! contract.

use super::App;
use super::auth::{Caller, hash, make_key};
use super::endpoints::Rate;
use crate::entropy::random;
use angarium_core::account::{ApiKey, Environment, Scope, Tenant};
use angarium_core::event::check_text;
use angarium_core::id::ApiKeyId;
use angarium_core::permission::{end_of, granted, rate_of};
use angarium_core::rate::{RateLimit, RateSpec};
use angarium_core::refusal::{Code, Refusal};
use angarium_core::secret::SecretText;
use angarium_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

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
    /// What a tenant's own customer does in a portal: look at and change its endpoints, see events
    /// and deliveries, deliver anew. Stands alone, needs a `tenant`, and ends within a day.
    Portal,
}

impl From<ScopeName> for Scope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::Publish => Scope::Publish,
            ScopeName::Manage => Scope::Manage,
            ScopeName::Read => Scope::Read,
            ScopeName::Portal => Scope::Portal,
        }
    }
}

impl From<Scope> for ScopeName {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Publish => ScopeName::Publish,
            Scope::Manage => ScopeName::Manage,
            Scope::Read => ScopeName::Read,
            Scope::Portal => ScopeName::Portal,
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
    /// When it ends by itself. A portal key that names no time ends after an hour.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// How many calls may be made with it; the server's default if absent. Not more than with the
    /// key that makes it.
    #[schema(value_type = Option<Rate>)]
    rate: Option<RateSpec>,
}

/// The key that is asked for, and its text.
///
/// # Errors
/// What is wrong with `new`, by its member; `forbidden` for more than the caller's key may do.
pub(super) fn bounded_key(
    app: &App,
    caller: &Caller,
    new: &NewKey,
) -> Result<(ApiKey, SecretText), Refusal> {
    check_text("name", Some(&new.name), app.limits.text_chars)?;
    let environment = environment_of(app, caller, new)?;
    let tenant = tenant_of(app, caller, environment.as_deref(), new)?;
    let scopes: Vec<_> = new.scopes.iter().copied().map(Scope::from).collect();
    let scopes = granted(&caller.key, &scopes)?;
    if scopes.contains(&Scope::Portal) && tenant.is_none() {
        let message = "a portal key is one tenant's";
        return Err(Refusal::field(Code::MissingField, "tenant", message));
    }
    let rate = rate_of(&caller.key, new.rate.map(RateLimit::try_new).transpose()?)?;
    let asked = new.expires_at.as_deref().map(end_of_text).transpose()?;
    let expires_at = end_of(&scopes, asked, app.clock.wall(), &app.limits)?;
    let now = app.now();
    let text = new_text(app, environment.as_deref());
    let key = ApiKey {
        id: ApiKeyId::from_parts(now, random(&*app.entropy)),
        hash: hash(text.expose()),
        name: new.name.clone(),
        environment: environment.map(|environment| environment.no),
        tenant: tenant.map(|tenant| tenant.no),
        scopes,
        rate,
        created_at: now,
        expires_at,
        last_used_at: None,
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

fn end_of_text(text: &str) -> Result<Timestamp, Refusal> {
    let message = "a time to come, in RFC 3339";
    Timestamp::parse(text).ok_or_else(|| Refusal::field(Code::InvalidField, "expires_at", message))
}
