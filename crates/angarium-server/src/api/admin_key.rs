//! The instance's admin key: the one that the operator gives, or one that the first start makes.

use super::auth::{hash, make_key};
use crate::clock::Clock;
use crate::entropy::{Entropy, random};
use angarium_core::account::{ApiKey, Scope};
use angarium_core::audit::{Action, Author, Deed, Place};
use angarium_core::batch::Trace;
use angarium_core::id::ApiKeyId;
use angarium_core::permission::Level;
use angarium_core::secret::SecretText;
use angarium_core::time::Timestamp;
use angarium_store::{AccountChange, AccountChanged, Store, StoreError, StoreResult};

/// The name of the admin key that the environment variable gives.
const GIVEN: &str = "ANGARIUM_ADMIN_KEY";

/// Why a server has no admin key.
#[derive(Debug, thiserror::Error)]
pub enum AdminKeyError {
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The given text was a key's that was revoked.
    #[error("the key in ANGARIUM_ADMIN_KEY was revoked; give another one: openssl rand -hex 24")]
    Revoked,
    /// The given text is another key's, which may not manage the instance.
    #[error(
        "the key in ANGARIUM_ADMIN_KEY is another key already, which may not manage the instance; \
         give another one: openssl rand -hex 24"
    )]
    NotAdmin,
}

/// Sees to it that the instance has an admin key: the one that is given, or, on the first start, a
/// new one that is returned to be printed once. A key that was given before and differs is revoked.
///
/// # Errors
/// [`AdminKeyError`]; nothing is revoked then.
pub async fn ensure_admin_key(
    store: &dyn Store,
    given: Option<&SecretText>,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Option<SecretText>, AdminKeyError> {
    let keys = store.accounts().await?.keys;
    let now = clock.now();
    let Some(given) = given.map(|text| hash(text.expose())) else {
        if keys.iter().any(|key| is_admin(key, now)) {
            return Ok(None);
        }
        let text = make_key(entropy);
        let key = admin_key("first admin key", hash(text.expose()), now, entropy);
        make(store, key, now).await?;
        return Ok(Some(text));
    };
    match keys.iter().find(|key| key.hash == given) {
        Some(known) if is_admin(known, now) => {}
        Some(_) => return Err(AdminKeyError::NotAdmin),
        None => {
            let key = admin_key(GIVEN, given, now, entropy);
            if make(store, key, now).await? == AccountChanged::Taken {
                return Err(AdminKeyError::Revoked);
            }
        }
    }
    let is_earlier =
        |key: &&ApiKey| key.name == GIVEN && key.level() == Level::Instance && key.hash != given;
    for key in keys.iter().filter(is_earlier) {
        let revoked = Deed::new(Author::SERVER, Action::KeyRevoke, Place::Instance, &key.id);
        let trace = Trace::of(revoked.removing(key));
        store.change_account(AccountChange::RevokeKey(key.id), trace, now).await?;
    }
    Ok(None)
}

async fn make(store: &dyn Store, key: ApiKey, now: Timestamp) -> StoreResult<AccountChanged> {
    let made = Deed::new(Author::SERVER, Action::KeyCreate, Place::Instance, &key.id).making(&key);
    store.change_account(AccountChange::CreateKey(key), Trace::of(made), now).await
}

fn is_admin(key: &ApiKey, now: Timestamp) -> bool {
    let manages = key.scopes.contains(&Scope::Manage);
    key.level() == Level::Instance && manages && !key.has_ended(now)
}

fn admin_key(name: &str, hash: [u8; 32], now: Timestamp, entropy: &dyn Entropy) -> ApiKey {
    ApiKey {
        id: ApiKeyId::from_parts(now, random(entropy)),
        hash,
        name: name.into(),
        environment: None,
        tenant: None,
        scopes: vec![Scope::Publish, Scope::Manage, Scope::Read],
        rate: None,
        created_at: now,
        expires_at: None,
        last_used_at: None,
    }
}
