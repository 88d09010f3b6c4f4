//! Rotates tenants' signing keys by themselves, where their contract says how old a key may get.
//!
//! A key is rotated as by a call, in its tenant's turn. Between two rotations nothing is read but
//! the clock: no key can become due before the earliest one that was seen, or before one that was
//! made since then has reached the shortest age of any contract.

use crate::api::App;
use crate::api::problem::Problem;
use crate::api::signing_keys::rotate_if_due;
use angarium_core::contract::ContractLibrary;
use angarium_core::id::TenantNo;
use angarium_core::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// The longest sleep, after which the clock is read again: it may have jumped (D17). So long, too,
/// until a rotation that failed is tried again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The shortest sleep.
const GRAIN: Duration = Duration::from_millis(10);

/// Rotates keys as they come of age; ends at once where no contract lets keys age.
pub(crate) async fn rotate_for_ever(app: Arc<App>) {
    let Some(shortest) = shortest_age(&app.contracts) else {
        return;
    };
    let mut next = app.now();
    loop {
        let now = app.now();
        if next <= now {
            next = rotate_due(&app, now, shortest).await;
        }
        app.clock.sleep(next.since(app.now()).clamp(GRAIN, LOOK_EVERY)).await;
    }
}

fn shortest_age(contracts: &ContractLibrary) -> Option<Duration> {
    let rules = contracts.iter().filter_map(|contract| contract.key_rule());
    rules.filter_map(|rule| rule.rotate_every).min()
}

/// Rotates every key that is due, and says when the next one can be.
async fn rotate_due(app: &Arc<App>, now: Timestamp, shortest: Duration) -> Timestamp {
    let (due, earliest) = look(app, now);
    let mut next = earliest.map_or(now + shortest, |at| at.min(now + shortest));
    for (tenant, contract) in due {
        match rotate(app, tenant, &contract).await {
            Ok(()) => tracing::info!(%tenant, contract, "a signing key was rotated by its age"),
            Err(Problem(refusal)) => {
                tracing::error!(%tenant, contract, %refusal, "a signing key cannot be rotated");
                next = next.min(now + LOOK_EVERY);
            }
        }
    }
    next
}

/// The keys that are due, and when the next one is.
fn look(app: &App, now: Timestamp) -> (Vec<(TenantNo, String)>, Option<Timestamp>) {
    let (mut due, mut earliest) = (Vec::new(), None);
    app.directory.look_at_signing_keys(|tenant, contract, keys| {
        let rule = app.contracts.get(contract).and_then(|contract| contract.key_rule());
        match rule.and_then(|rule| rule.rotates_at(keys)) {
            Some(at) if at <= now => due.push((tenant, contract.to_owned())),
            Some(at) => earliest = Some(earliest.unwrap_or(at).min(at)),
            None => {}
        }
    });
    (due, earliest)
}

async fn rotate(app: &Arc<App>, tenant: TenantNo, contract: &str) -> Result<(), Problem> {
    match app.directory.tenant_by_no(tenant) {
        Some(tenant) => rotate_if_due(app, &tenant, contract).await,
        // It was deleted meanwhile, and its keys with it.
        None => Ok(()),
    }
}
