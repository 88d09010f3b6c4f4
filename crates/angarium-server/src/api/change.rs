//! Changes of accounts: committed by the store, then followed by the directory and the runner.

use super::problem::{Problem, internal};
use super::{App, sources};
use angarium_core::batch::Trace;
use angarium_core::id::TenantNo;
use angarium_core::refusal::{Code, Refusal};
use angarium_store::{AccountChange, AccountChanged, StoreResult};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};

/// Changes of one account take their turns; those of different accounts share a group commit.
#[derive(Debug)]
pub struct Lanes([Mutex<()>; 64]);

impl Default for Lanes {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }
}

impl Lanes {
    /// Waits for the turn of whatever is called this.
    pub async fn turn(&self, name: &impl std::hash::Hash) -> MutexGuard<'_, ()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(name);
        let lane = usize::try_from(hash % 64).unwrap_or_default();
        self.0[lane].lock().await
    }
}

impl App {
    /// Makes a change of an account. It goes on to its end even if the caller leaves: the directory
    /// must follow what the store has committed.
    ///
    /// # Errors
    /// `not_found`, `already_exists`, `in_use`, and the store's.
    pub async fn change(
        self: &Arc<Self>,
        change: AccountChange,
        trace: Trace,
    ) -> Result<AccountChanged, Problem> {
        let app = Arc::clone(self);
        let followed = tokio::spawn(async move { app.commit_and_follow(change, trace).await });
        let changed = followed.await.map_err(|_| internal())??;
        match changed {
            AccountChanged::Created(_) | AccountChanged::Done => Ok(changed),
            AccountChanged::NotFound => Err(super::not_found("object").into()),
            AccountChanged::Taken => {
                let message = "that name, or one of the hosts, is taken";
                Err(Refusal::whole(Code::AlreadyExists, message).into())
            }
            AccountChanged::TooMany => {
                let message = "there are as many as may be; delete one first";
                Err(Refusal::whole(Code::TooManySources, message).into())
            }
            AccountChanged::InUse => {
                let message = "something still belongs to it; delete that first";
                Err(Refusal::whole(Code::InUse, message).into())
            }
        }
    }

    async fn commit_and_follow(
        &self,
        change: AccountChange,
        trace: Trace,
    ) -> StoreResult<AccountChanged> {
        let _turn = self.lanes.turn(&self.account_name(&change)).await;
        let changed = self.store.change_account(change.clone(), trace, self.now()).await?;
        let followed = match (&change, changed) {
            (AccountChange::PutTenant(_), AccountChanged::Created(no)) => {
                self.runner.add_tenant(TenantNo::new(no));
                Ok(())
            }
            (AccountChange::PutTenantKeys(tenant, contract, keys), AccountChanged::Done) => {
                let contract = self.contracts.get(contract);
                contract.map_or(Ok(()), |c| self.runner.set_tenant_keys(*tenant, c, keys))
            }
            (
                AccountChange::CreateSource(config, _) | AccountChange::ReplaceSource(config),
                AccountChanged::Created(_) | AccountChanged::Done,
            ) => sources::ready(self, config.clone()).map(|ready| self.directory.put_source(ready)),
            (AccountChange::DeleteTenant(_), AccountChanged::Done) => {
                // What is left of its keys goes soon, also where nothing else happens.
                self.runner.look_after_store();
                self.sweeping.notify_one();
                Ok(())
            }
            (AccountChange::ReplaceEnvironment(_), AccountChanged::Done) => {
                // It may keep things for another time from now on.
                self.sweeping.notify_one();
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(refusal) = followed {
            tracing::error!(%refusal, "a change is stored and not in force");
        }
        self.directory.apply(change, changed);
        Ok(changed)
    }

    /// What a change is about: changes of the same name never overtake each other.
    fn account_name(&self, change: &AccountChange) -> String {
        match change {
            AccountChange::CreateEnvironment(_)
            | AccountChange::ReplaceEnvironment(_)
            | AccountChange::DeleteEnvironment(_) => "environments".into(),
            AccountChange::PutTenant(tenant) => {
                format!("tenant {} {}", tenant.environment, tenant.id)
            }
            AccountChange::DeleteTenant(no) => match self.directory.tenant_by_no(*no) {
                Some(tenant) => format!("tenant {} {}", tenant.environment, tenant.id),
                None => format!("tenant {no}"),
            },
            AccountChange::CreateKey(key) => format!("key {}", key.id),
            AccountChange::RevokeKey(id) => format!("key {id}"),
            AccountChange::PutEventType(environment, config) => {
                format!("type {environment} {}", config.name)
            }
            AccountChange::CreateSource(config, _) | AccountChange::ReplaceSource(config) => {
                format!("source {}", config.id)
            }
            AccountChange::DeleteSource(id) => format!("source {id}"),
            AccountChange::PutTenantKeys(tenant, contract, _) => {
                format!("keys {tenant} {contract}")
            }
        }
    }
}
