//! `/v1/tenants/{tenant}/signing-keys`: the keys that sign for all of a tenant's endpoints, where
//! the contract says so.

use super::auth::{Caller, Reader};
use super::idempotency::{Command, Idempotency};
use super::json::{Answer, Secret, Time};
use super::page::Listed;
use super::problem::Problem;
use super::{App, Named};
use crate::entropy::{Entropy, random};
use crate::notices::rotated;
use angarium_core::account::Tenant;
use angarium_core::audit::{Action, Author, Deed, Place};
use angarium_core::batch::Trace;
use angarium_core::contract::{KeyRule, KeyScope};
use angarium_core::id::SigningKeyId;
use angarium_core::permission::Need;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::secret::{SecretText, SigningKey};
use angarium_core::time::Timestamp;
use angarium_store::AccountChange;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// Which key to rotate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// The contract whose key it is; may be absent where only one contract of the environment
    /// signs with the tenant's key.
    #[schema(example = "aleta")]
    contract: Option<String>,
    /// The new key, where it was made elsewhere.
    #[schema(value_type = Option<String>, format = Password)]
    secret: Option<Secret>,
}

/// A signing key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SigningKey)]
pub(super) struct SigningKeyView {
    /// Its public name.
    #[schema(example = "sk_01kcq0a3f7e8vb6k2m4n5p6q7r")]
    id: String,
    /// The contract that it signs under.
    contract: String,
    /// The secret, for keys that may manage; absent for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// `active`, or `retired` when a newer one took its place.
    #[schema(pattern = "^(active|retired)$")]
    status: &'static str,
    /// When it was made or imported.
    created_at: Time,
    /// When a newer one took its place.
    retired_at: Option<Time>,
    /// Until when a retired key still signs beside the current one.
    signs_until: Option<Time>,
}

/// List a tenant's signing keys
///
/// The current one and the retired ones that the contract keeps known, newest first, for each
/// contract that signs with the tenant's key.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/signing-keys", tag = "signing keys",
    params(("tenant" = String, Path, description = "The platform's own id")),
    responses((status = 200, description = "The keys", body = Listed<SigningKeyView>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Named(id): Named,
) -> Result<Json<Listed<SigningKeyView>>, Problem> {
    let tenant = caller.tenant(&app, &id)?;
    let shown = match caller.check(Need::MANAGE) {
        Ok(()) => Shown::WithSecret,
        Err(_) => Shown::WithoutSecret,
    };
    let keys = app.directory.signing_keys(tenant.no);
    let views = keys.iter().flat_map(|(contract, keys)| {
        let known = tenant_rule(&app, contract).map(|rule| rule.known(keys));
        views(contract, known.unwrap_or_default(), shown)
    });
    Ok(Json(Listed { data: views.collect(), next: None }))
}

/// Rotate a tenant's signing key
///
/// Deliveries are signed with the new key at once; the contract says for how long the old one
/// signs beside it.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/signing-keys/rotate", tag = "signing keys",
    params(("tenant" = String, Path, description = "The platform's own id")),
    request_body = Rotation,
    responses((status = 200, description = "The new key and those that stay known",
        body = Listed<SigningKeyView>)))]
pub(super) async fn rotate(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<Rotation>,
) -> Result<Answer, Problem> {
    let tenant = call.caller.tenant(&app, &id)?;
    let contracts = &call.caller.environment()?.contracts;
    let contract = contract_of(&app, contracts, call.body.contract.as_deref())?;
    let print = |keys: &[SigningKey]| {
        let data = views(&contract, keys, Shown::WithSecret).collect();
        Answer::ok(&Listed { data, next: None })
    };
    let given = call.body.secret.as_ref();
    let of = (&*tenant, contract.as_str());
    rotate_tenant_key(&app, &call.caller, of, given, &call.idempotency, print).await
}

/// The tenant's keys under a contract that it may know, the current one first.
pub(crate) fn known_keys(app: &App, tenant: &Tenant, contract: &str) -> Vec<SigningKey> {
    let keys = kept_keys(app, tenant, contract);
    let known = tenant_rule(app, contract).map(|rule| rule.known(&keys).to_vec());
    known.unwrap_or_default()
}

/// Gives a tenant a new key under a contract: `given`, or one that is made. `print` gets the keys
/// that may be known, the new one first.
///
/// # Errors
/// `invalid_state` where the contract does not sign with a tenant's key, `invalid_secret`, and the
/// store's.
pub(crate) async fn rotate_tenant_key(
    app: &Arc<App>,
    caller: &Caller,
    (tenant, contract): (&Tenant, &str),
    given: Option<&Secret>,
    idempotency: &Idempotency,
    print: impl FnOnce(&[SigningKey]) -> Answer,
) -> Result<Answer, Problem> {
    let rule = tenant_rule(app, contract).ok_or_else(no_tenant_key)?;
    let new = new_key(rule, given, app.now(), &*app.entropy)?;
    let _turn = app.turns.turn(&tenant.no).await;
    let before = kept_keys(app, tenant, contract);
    let keys = rule.succeed(&before, new, app.now());
    let answer = print(rule.known(&keys));
    let rotated = caller.does(Action::KeysRotate, Place::Tenant(tenant.no), &contract);
    let trace = idempotency.trace(&answer, rotated.changing(&before[..], &keys[..]));
    put_keys(app, tenant, contract, keys, trace).await?;
    Ok(answer)
}

/// Rotates a tenant's key that is as old as its contract lets it get; one that was rotated
/// meanwhile, or whose contract does not say so, stays.
///
/// # Errors
/// The store's.
pub(crate) async fn rotate_if_due(
    app: &Arc<App>,
    tenant: &Tenant,
    contract: &str,
) -> Result<(), Problem> {
    let Some(rule) = tenant_rule(app, contract) else {
        return Ok(());
    };
    let _turn = app.turns.turn(&tenant.no).await;
    let (keys, now) = (kept_keys(app, tenant, contract), app.now());
    if rule.rotates_at(&keys).is_none_or(|due| now < due) {
        return Ok(());
    }
    let after = rule.succeed(&keys, new_key(rule, None, now, &*app.entropy)?, now);
    let place = Place::Tenant(tenant.no);
    let rotated = Deed::new(Author::SERVER, Action::KeysRotate, place, &contract);
    let trace = Trace::of(rotated.changing(&keys[..], &after[..]));
    put_keys(app, tenant, contract, after, trace).await
}

async fn put_keys(
    app: &Arc<App>,
    tenant: &Tenant,
    contract: &str,
    keys: Vec<SigningKey>,
    trace: Trace,
) -> Result<(), Problem> {
    let notice = rotated(tenant.no, contract, &keys, app.now());
    let change = AccountChange::PutTenantKeys(tenant.no, contract.to_owned(), keys);
    app.change(change, trace).await?;
    notice.into_iter().for_each(|notice| app.runner.tell(notice));
    Ok(())
}

/// Sees to it that a tenant has a key under a contract that signs with the tenant's.
pub(crate) async fn ensure_tenant_key(
    app: &Arc<App>,
    tenant: &Tenant,
    contract: &str,
) -> Result<(), Problem> {
    let Some(rule) = tenant_rule(app, contract) else {
        return Ok(());
    };
    let _turn = app.turns.turn(&tenant.no).await;
    if !kept_keys(app, tenant, contract).is_empty() {
        return Ok(());
    }
    let first = [new_key(rule, None, app.now(), &*app.entropy)?];
    let place = Place::Tenant(tenant.no);
    let made = Deed::new(Author::SERVER, Action::KeysCreate, place, &contract).making(&first[..]);
    put_keys(app, tenant, contract, first.to_vec(), Trace::of(made)).await
}

/// A new key: the one that is given, or one made by the contract's rule.
pub(crate) fn new_key(
    rule: &KeyRule,
    given: Option<&Secret>,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<SigningKey, Refusal> {
    let secret: SecretText = match given {
        Some(Secret(secret)) => {
            rule.check_key(secret.expose())?;
            secret.clone()
        }
        None => rule.generate_key(&random(entropy)),
    };
    Ok(SigningKey {
        id: SigningKeyId::from_parts(now, random(entropy)),
        secret,
        created_at: now,
        retired_at: None,
        signs_until: None,
    })
}

#[derive(Debug, Clone, Copy)]
enum Shown {
    WithSecret,
    WithoutSecret,
}

fn views(
    contract: &str,
    keys: &[SigningKey],
    shown: Shown,
) -> impl Iterator<Item = SigningKeyView> {
    keys.iter().map(move |key| SigningKeyView {
        id: key.id.to_string(),
        contract: contract.to_owned(),
        secret: match shown {
            Shown::WithSecret => Some(key.secret.expose().to_owned()),
            Shown::WithoutSecret => None,
        },
        status: key.retired_at.map_or("active", |_| "retired"),
        created_at: Time(key.created_at),
        retired_at: key.retired_at.map(Time),
        signs_until: key.signs_until.map(Time),
    })
}

fn kept_keys(app: &App, tenant: &Tenant, contract: &str) -> Vec<SigningKey> {
    let all = app.directory.signing_keys(tenant.no);
    all.into_iter().find(|(name, _)| name == contract).map(|(_, keys)| keys).unwrap_or_default()
}

fn tenant_rule<'a>(app: &'a App, contract: &str) -> Option<&'a KeyRule> {
    let rule = app.contracts.get(contract)?.key_rule()?;
    match rule.scope {
        KeyScope::Tenant => Some(rule),
        KeyScope::Endpoint => None,
    }
}

fn contract_of(app: &App, of: &[String], named: Option<&str>) -> Result<String, Refusal> {
    if let Some(named) = named {
        let found = of.iter().find(|name| *name == named);
        return found.cloned().ok_or_else(|| {
            let message = format!("the environment has no contract {named:?}");
            Refusal::field(Code::UnknownContract, "contract", message)
        });
    }
    let mut signing = of.iter().filter(|name| tenant_rule(app, name).is_some());
    match (signing.next(), signing.next()) {
        (Some(only), None) => Ok(only.clone()),
        (Some(_), Some(_)) => {
            let message = "several contracts sign with the tenant's key; name one";
            Err(Refusal::field(Code::MissingField, "contract", message))
        }
        (None, _) => Err(no_tenant_key()),
    }
}

fn no_tenant_key() -> Refusal {
    let message = "this contract does not sign with a tenant's key; endpoints have their own";
    Refusal::whole(Code::InvalidState, message)
}
