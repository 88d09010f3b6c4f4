//! Publishes notices as events of the operator: the tenant that every environment has for it.
//!
//! A notice goes the way of every event, and its own id makes it one however often it is told. What
//! a notice's delivery brings about is no notice again ([`Kind::is_told_of_operator`]).

use crate::api::App;
use crate::clock::Clock;
use crate::in_order::in_order;
use crate::runner::Published;
use angarium_core::account::{Environment, Tenant};
use angarium_core::audit::{Action, Author, Deed, Place};
use angarium_core::batch::Trace;
use angarium_core::event::NewEvent;
use angarium_core::id::{EnvironmentNo, TenantNo};
use angarium_core::notice::{About, Fact, KeyRotation, Kind, Notice, OPERATOR};
use angarium_core::refusal::{Code, Refusal};
use angarium_core::secret::SigningKey;
use angarium_core::shard::{Audience, Lookup};
use angarium_core::time::Timestamp;
use angarium_store::{AccountChange, Accounts, Store, StoreResult};
use std::sync::Arc;
use std::time::Duration;

/// Notices that are published at once.
const AT_ONCE: usize = 64;
/// Pause before a notice that cannot be stored now is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The operator's tenant of an environment, to be made.
pub(crate) fn operator_of(environment: EnvironmentNo, now: Timestamp) -> Tenant {
    Tenant {
        no: TenantNo::new(0),
        environment,
        id: OPERATOR.into(),
        name: Some("Operator".into()),
        plan: None,
        metadata: serde_json::Map::new(),
        rate: None,
        created_at: now,
    }
}

/// What is committed with an operator: the server makes it.
pub(crate) fn operator_made(environment: EnvironmentNo) -> Trace {
    let place = Place::Environment(environment);
    Trace::of(Deed::new(Author::SERVER, Action::TenantCreate, place, &OPERATOR))
}

/// Sees to it that every environment has its operator, before its shards are read. Answers whether
/// one was missing.
///
/// # Errors
/// The store's.
pub(crate) async fn ensure_operators(
    store: &dyn Store,
    accounts: &Accounts,
    clock: &dyn Clock,
) -> StoreResult<bool> {
    let has = |environment: &Environment| {
        let mut tenants = accounts.tenants.iter();
        tenants.any(|tenant| tenant.environment == environment.no && tenant.id == OPERATOR)
    };
    let missing: Vec<_> = accounts.environments.iter().filter(|e| !has(e)).collect();
    for environment in &missing {
        let operator = AccountChange::PutTenant(operator_of(environment.no, clock.now()));
        store.change_account(operator, operator_made(environment.no), clock.now()).await?;
    }
    Ok(!missing.is_empty())
}

/// The rotation of a tenant's keys under a contract, the current key first; nothing if there was
/// none.
pub(crate) fn rotated(
    tenant: TenantNo,
    contract: &str,
    keys: &[SigningKey],
    now: Timestamp,
) -> Option<Notice> {
    let fact = Fact::KeyRotated(KeyRotation::last(keys)?);
    Some(Notice { at: now, about: About::Tenant { tenant, contract: contract.into() }, fact })
}

/// Publishes notices as they are told, each until it is stored.
pub(crate) async fn publish_for_ever(app: Arc<App>) {
    tell_rotations_again(&app);
    loop {
        let mut left = app.runner.next_notices(AT_ONCE).await;
        while !left.is_empty() {
            let tried = in_order(left.into_iter().map(|notice| publish(&app, notice))).await;
            left = tried.into_iter().flatten().collect();
            if !left.is_empty() {
                app.clock.sleep(AGAIN).await;
            }
        }
    }
}

/// After a restart: the notice of a rotation may not have been published before.
fn tell_rotations_again(app: &App) {
    let now = app.now();
    app.directory.look_at_signing_keys(|tenant, contract, keys| {
        if let Some(notice) = rotated(tenant, contract, keys, now).filter(Notice::is_recent) {
            app.runner.tell(notice);
        }
    });
}

/// Publishes a notice to whom it is for. Gives it back if it cannot be stored now.
async fn publish(app: &App, notice: Notice) -> Option<Notice> {
    let (event, environments) = match addressed(app, &notice).await {
        Ok(Some(addressed)) => addressed,
        Ok(None) => return None,
        Err(error) => {
            tracing::warn!(%error, "a notice has no figure of what waits");
            return Some(notice);
        }
    };
    let event = Arc::new(event);
    for environment in environments {
        let Some(operator) = app.directory.tenant(environment, OPERATOR) else {
            continue;
        };
        match publish_to(app, operator.no, Arc::clone(&event)).await {
            Ok(Published::Accepted { .. }) => {
                tracing::info!(
                    kind = Kind::of(&notice).as_str(),
                    id = event.own_id.as_deref().unwrap_or_default(),
                    "told the operator"
                );
            }
            Ok(Published::Known(_)) => {}
            Err(Refusal { code: Code::Unavailable | Code::Overloaded, .. }) => {
                return Some(notice);
            }
            Err(refusal) => tracing::error!(%refusal, "a notice was not published"),
        }
    }
    None
}

async fn publish_to(
    app: &App,
    operator: TenantNo,
    event: Arc<NewEvent>,
) -> Result<Published, Refusal> {
    app.runner.publish(operator, event, Audience::Matching, Lookup::NotYet, None).await
}

/// The event that tells a notice, and the environments whose operators it is for; nothing if nobody
/// is to be told.
async fn addressed(
    app: &App,
    notice: &Notice,
) -> StoreResult<Option<(NewEvent, Vec<EnvironmentNo>)>> {
    let tenant = match notice.tenant() {
        // Who was deleted meanwhile is nobody's concern.
        Some(no) => match app.directory.tenant_by_no(no) {
            Some(tenant) => Some(tenant),
            None => return Ok(None),
        },
        None => None,
    };
    let kind = Kind::of(notice);
    let is_operator = tenant.as_ref().is_some_and(|tenant| tenant.id == OPERATOR);
    if is_operator && !kind.is_told_of_operator() {
        return Ok(None);
    }
    let waiting = match kind.tells_waiting() {
        true => Some(app.runner.waiting(notice.endpoint().map(|endpoint| endpoint.no)).await?),
        false => None,
    };
    let environments = match &tenant {
        Some(tenant) => vec![tenant.environment],
        None => app.directory.environments().iter().map(|environment| environment.no).collect(),
    };
    let whose = tenant.as_ref().map(|tenant| tenant.id.as_str());
    Ok(Some((notice.event(whose, waiting), environments)))
}
