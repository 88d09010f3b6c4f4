//! Shards are taken over and read from the store: at the start, and after a commit whose result is
//! not known (design.md, rule 5).

use super::Runner;
use super::shards::Machine;
use angarium_core::endpoint::{Endpoint, PlainHttp};
use angarium_core::id::{Epoch, EventKey, ShardId, TenantNo};
use angarium_core::refusal::Refusal;
use angarium_core::shard::Shard;
use angarium_store::{LoadedEndpoint, ShardState, StoreError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Events above the checkpoint that are read at once.
const EVENTS_AT_ONCE: usize = 1_000;
/// Pause before a shard that cannot be read is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Why shards could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store failed.
    #[error("the shards could not be read from the store")]
    Store(#[from] StoreError),
    /// A contract in use is missing.
    #[error(
        "endpoint {endpoint} follows the contract {contract:?}, which this server does not have: \
         add its file with --contracts"
    )]
    MissingContract {
        /// The endpoint.
        endpoint: String,
        /// The contract.
        contract: String,
    },
    /// A stored endpoint breaks a rule that it kept when it was stored.
    #[error("endpoint {endpoint} cannot be used")]
    Endpoint {
        /// The endpoint.
        endpoint: String,
        /// The rule.
        #[source]
        refusal: Refusal,
    },
    /// A stored signing key breaks a rule of its contract.
    #[error("a signing key of tenant {tenant} cannot be used")]
    TenantKey {
        /// The tenant.
        tenant: TenantNo,
        /// The rule.
        #[source]
        refusal: Refusal,
    },
}

type Recovering = BTreeMap<ShardId, (Epoch, EventKey, Machine)>;

impl Runner {
    /// Takes shards over and fills their machines. Attempts start with [`Runner::begin`].
    pub(super) async fn recover(self: &Arc<Self>, shards: &[ShardId]) -> Result<(), StartError> {
        let epochs: BTreeMap<_, _> =
            self.parts.store.claim(shards, self.now()).await?.into_iter().collect();
        let mut recovering = Recovering::new();
        for state in self.parts.store.load_shards(shards).await? {
            let epoch = epochs.get(&state.shard).copied().unwrap_or_default();
            let machine = self.machine(epoch, &state)?;
            recovering.insert(state.shard, (epoch, state.checkpoint, machine));
        }
        self.recover_own_ids(&mut recovering).await?;
        self.recover_events(&mut recovering).await?;
        for (id, (epoch, _, machine)) in recovering {
            self.shards.install(id, epoch, machine);
        }
        Ok(())
    }

    /// Starts the attempts of recovered shards.
    pub(super) fn begin(self: &Arc<Self>, shards: &[ShardId]) {
        for id in shards {
            let _ = self.with(*id, |owned, now, fx| owned.machine.begin(now, fx));
        }
    }

    /// Drops what is known of shards and reads them anew, as often as it takes. Whoever waited
    /// learns that nothing is promised.
    pub(super) async fn reload(self: &Arc<Self>, shards: Vec<ShardId>) {
        self.counts.reloads.fetch_add(shards.len() as u64, Ordering::Relaxed);
        for id in &shards {
            let Some(machine) = self.shards.remove(*id) else {
                continue;
            };
            self.budget.give_back(machine.in_flight());
            for (ticket, reply) in machine.abandon() {
                ticket.answer(reply);
            }
        }
        while let Err(error) = self.recover_with_room(&shards).await {
            tracing::error!(error = &error as &dyn std::error::Error, "shards cannot be read");
            tokio::time::sleep(AGAIN).await;
        }
        tracing::info!(shards = shards.len(), "shards were read anew");
        self.recording.resume();
        self.begin(&shards);
        self.feed_starved();
    }

    /// Takes shards over once the store can write and has room: else what they start could not be
    /// recorded, and would be repeated.
    async fn recover_with_room(self: &Arc<Self>, shards: &[ShardId]) -> Result<(), StartError> {
        self.look_for_room();
        self.parts.store.ping(self.now()).await?;
        self.recover(shards).await
    }

    fn machine(&self, epoch: Epoch, state: &ShardState) -> Result<Machine, StartError> {
        let limits = self.parts.limits.clone();
        let mut machine = Shard::new(state.shard, epoch, state.checkpoint, limits);
        for (tenant, sequence) in &state.tenants {
            machine.recover_tenant(*tenant, *sequence);
        }
        for (tenant, contract, keys) in &state.tenant_keys {
            // Keys of a contract that no endpoint follows any more may stay unused.
            let Some(contract) = self.parts.contracts.get(contract) else {
                continue;
            };
            self.set_tenant_keys(*tenant, contract, keys)
                .map_err(|refusal| StartError::TenantKey { tenant: *tenant, refusal })?;
        }
        for loaded in &state.endpoints {
            let endpoint = self.endpoint(loaded)?;
            let (counters, lanes) = (&loaded.counters, &loaded.lanes);
            let next_due = loaded.next_due;
            machine.recover_endpoint(endpoint, counters, next_due, lanes, self.now());
            loaded.holds.iter().for_each(|hold| machine.recover_hold(*hold));
        }
        for loaded in &state.endpoints {
            let off = loaded.config.status != angarium_core::endpoint::EndpointStatus::Active;
            if loaded.parked != off && (loaded.parked || loaded.next_due.is_some()) {
                machine.recover_rows(loaded.no, self.now());
            }
        }
        for no in &state.deleted_with_rows {
            machine.recover_deleted(*no, self.now());
        }
        Ok(machine)
    }

    fn endpoint(&self, loaded: &LoadedEndpoint) -> Result<Arc<Endpoint>, StartError> {
        let config = &loaded.config;
        let contract = self.parts.contracts.get(&config.contract).ok_or_else(|| {
            let (endpoint, contract) = (config.id.to_string(), config.contract.clone());
            StartError::MissingContract { endpoint, contract }
        })?;
        // One tenant's plain http endpoint must not keep the node from starting: it is refused
        // when it is sent to (`attempt.rs`).
        let (limits, plain_http) = (&self.parts.limits, PlainHttp::Allowed);
        Endpoint::prepare(config.clone(), Arc::clone(contract), limits, plain_http)
            .map(Arc::new)
            .map_err(|refusal| StartError::Endpoint { endpoint: config.id.to_string(), refusal })
    }

    async fn recover_own_ids(&self, recovering: &mut Recovering) -> Result<(), StoreError> {
        for (tenant, own_id, key) in self.parts.store.own_id_tail().await? {
            if let Some((.., machine)) = recovering.get_mut(&ShardId::of(tenant)) {
                machine.recover_own_id(tenant, &own_id, key);
            }
        }
        Ok(())
    }

    async fn recover_events(&self, recovering: &mut Recovering) -> Result<(), StoreError> {
        let checkpoints: Vec<_> =
            recovering.iter().map(|(id, (_, checkpoint, _))| (*id, *checkpoint)).collect();
        let mut after = checkpoints.iter().map(|(_, c)| *c).min().unwrap_or(EventKey::ZERO);
        loop {
            let (events, next) =
                self.parts.store.events_above(&checkpoints, after, EVENTS_AT_ONCE).await?;
            for recovered in &events {
                if let Some((.., machine)) = recovering.get_mut(&recovered.shard) {
                    machine.recover_event(recovered, self.now());
                }
            }
            match next {
                Some(next) => after = next,
                None => return Ok(()),
            }
        }
    }
}
