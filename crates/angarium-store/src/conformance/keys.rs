//! Keys: what is encrypted with them reads the same before and after they are rotated.

use super::Harness;
use super::sources::source;
use super::world::{SECRET, World, at, guarded, signing_key};
use crate::AccountChange::{CreateSource, DeleteTenant, PutTenantKeys};
use crate::seal::MasterKey;
use crate::{AccountChanged, Accounts, Answered, MasterKeyRotated};
use angarium_core::batch::{Guard, GuardAnswer, Trace};
use angarium_core::endpoint::EndpointSecrets;
use angarium_core::id::TenantNo;
use angarium_core::secret::SigningKey;
use angarium_core::source::SourceConfig;
use std::sync::Arc;

/// More answers than one step of upkeep seals anew.
const ANSWERS: u8 = 250;

/// Everything secret that a store has.
#[derive(Debug, PartialEq)]
struct Secrets {
    endpoints: Vec<EndpointSecrets>,
    tenant_keys: Vec<(TenantNo, String, Vec<SigningKey>)>,
    sources: Vec<SourceConfig>,
    answers: Vec<Answered>,
}

impl World {
    /// Gives each tenant a secret of each kind, and keeps answers with secrets in them.
    async fn furnish(&self, answers: u8) {
        for (tenant, random) in self.tenants.into_iter().zip(1..) {
            self.endpoint(tenant, random).await;
            let keys = PutTenantKeys(tenant, "aleta".into(), vec![signing_key()]);
            self.store.change_account(keys, Trace::default(), at(5)).await.expect("put");
            let source = CreateSource(source(tenant, random), 1);
            self.store.change_account(source, Trace::default(), at(5)).await.expect("made");
        }
        for number in 0..answers {
            let owner = self.tenants[usize::from(number % 2)];
            let keys = PutTenantKeys(owner, "aleta".into(), vec![signing_key()]);
            let put = self.store.change_account(keys, guarded(guard(number)), at(6)).await;
            assert_eq!(put.expect("put"), AccountChanged::Done);
        }
    }

    async fn secrets(&self, answers: u8) -> Secrets {
        let mut endpoints = Vec::new();
        for tenant in self.tenants {
            let loaded = self.shard(tenant).await.endpoints.into_iter();
            endpoints.extend(loaded.map(|endpoint| endpoint.config.secrets));
        }
        let Accounts { tenant_keys, sources, .. } = self.store.accounts().await.expect("read");
        let mut kept = Vec::new();
        for number in 0..answers {
            let answer = self.store.guarded_answer(&guard(number).scope, at(7)).await;
            kept.push(answer.expect("read").expect("it is kept").answer);
        }
        Secrets { endpoints, tenant_keys, sources, answers: kept }
    }

    async fn rotate_master_key(&self, byte: u8) -> MasterKeyRotated {
        let next = MasterKey::from_bytes([byte; 32]);
        self.store.rotate_master_key(next, Trace::default(), at(8)).await.expect("an answer")
    }

    async fn rotate_data_keys(&self, tenant: Option<TenantNo>) {
        self.store.rotate_data_keys(tenant, Trace::default(), at(8)).await.expect("rotated");
    }

    /// Data keys, and those of them that are on their way out.
    async fn data_keys(&self) -> (u64, u64) {
        let encryption = self.store.encryption().await.expect("read");
        (encryption.data_keys, encryption.retired_data_keys)
    }
}

fn guard(number: u8) -> Guard {
    Guard {
        scope: [number; 32],
        fingerprint: [2; 32],
        expires_at: at(900),
        answer: GuardAnswer::Given { status: 200, body: format!("{SECRET} {number}").into() },
    }
}

/// Whichever key is rotated, and while the rest is sealed anew; who reads meanwhile does not
/// notice.
pub async fn secrets_read_the_same_whichever_key_is_rotated(harness: &dyn Harness) {
    let world = World::new(harness).await;
    world.furnish(3).await;
    let before = world.secrets(3).await;
    assert_eq!(before.endpoints.len(), 2);
    for byte in [101, 102] {
        let next = MasterKey::from_bytes([byte; 32]).id();
        assert_eq!(world.rotate_master_key(byte).await, MasterKeyRotated::Done);
        assert_eq!(world.store.encryption().await.expect("read").master_key, next);
        assert_eq!(world.rotate_master_key(byte).await, MasterKeyRotated::Same);
        assert_eq!(world.secrets(3).await, before);
    }
    for tenant in [Some(world.tenants[0]), None] {
        world.rotate_data_keys(tenant).await;
        assert_eq!(world.secrets(3).await, before);
        assert_ne!(world.data_keys().await.1, 0);
        assert_eq!(world.rotate_master_key(103).await == MasterKeyRotated::Done, tenant.is_some());
        world.index_all().await;
        assert_eq!(world.data_keys().await, (2, 0), "each tenant has one of its own");
        assert_eq!(world.secrets(3).await, before);
    }
}

/// What is written while a key is on its way out is not sealed with it.
pub async fn data_keys_are_replaced_in_bounded_steps(harness: &dyn Harness) {
    let world = World::new(harness).await;
    world.furnish(ANSWERS).await;
    let before = world.secrets(ANSWERS).await;
    world.rotate_data_keys(None).await;
    let first = world.store.upkeep(at(8)).await.expect("upkeep");
    assert!(first.more, "one step does not seal everything anew");
    assert_ne!(world.data_keys().await.1, 0);
    world.furnish(0).await;
    assert_eq!(world.secrets(ANSWERS).await.answers, before.answers);
    world.index_all().await;
    assert_eq!(world.data_keys().await, (2, 0));
    assert_eq!(world.secrets(ANSWERS).await, before);
}

/// Its key is gone, and with it every answer that held its secrets; another tenant's stay.
pub async fn the_data_keys_of_a_tenant_end_with_it(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let [acme, globex] = world.tenants;
    for (tenant, number) in [(acme, 0), (globex, 1)] {
        let keys = PutTenantKeys(tenant, "aleta".into(), vec![signing_key()]);
        let put = world.store.change_account(keys, guarded(guard(number)), at(6)).await;
        assert_eq!(put.expect("put"), AccountChanged::Done);
    }
    world.rotate_data_keys(Some(acme)).await;
    assert_eq!(world.data_keys().await, (2, 1));
    let deleted = world.store.change_account(DeleteTenant(acme), Trace::default(), at(7)).await;
    assert_eq!(deleted.expect("an answer"), AccountChanged::Done);
    assert_eq!(world.data_keys().await, (1, 0));
    let answers = [0, 1].map(|number| {
        let store = Arc::clone(&world.store);
        async move { store.guarded_answer(&guard(number).scope, at(7)).await.expect("read") }
    });
    let [of_acme, of_globex] = answers;
    assert_eq!(of_acme.await, None);
    assert!(of_globex.await.is_some());
    let left = world.store.accounts().await.expect("read").tenant_keys;
    assert_eq!(left.iter().map(|(tenant, ..)| *tenant).collect::<Vec<_>>(), [globex]);
}
