//! Drives the shards: hands them what comes in, commits what they write, starts the attempts they
//! ask for.
//!
//! A shard's machine stands behind a lock that is held for microseconds; whoever brings an input
//! carries out the effects. One task commits for all shards (`committer.rs`), one wakes them by the
//! clock and keeps their checkpoints (`upkeep.rs`), and one starts attempts where they go to many
//! (`starting.rs`). Nothing is claimed from the store on the way: what was just committed is handed
//! to the sender from memory.

mod attempt;
mod budget;
mod calls;
mod committer;
mod look;
mod notices;
mod recording;
mod recovery;
mod shards;
mod starting;
mod uncommitted;
mod upkeep;
mod validate;

pub use calls::Published;
pub use recovery::StartError;

use crate::clock::Clock;
use crate::directory::Directory;
use crate::egress::Transport;
use crate::entropy::Entropy;
use crate::tokens::Tokens;
use angarium_core::contract::{Contract, ContractLibrary, KeyScope, TenantSigner};
use angarium_core::delivery::DeliveryState;
use angarium_core::endpoint::{EndpointHealth, PlainHttp};
use angarium_core::id::{DeliveryKey, EndpointNo, ShardId, TenantNo};
use angarium_core::limits::Limits;
use angarium_core::outcome::Class;
use angarium_core::refusal::Refusal;
use angarium_core::secret::SigningKey;
use angarium_core::shard::Publishers;
use angarium_core::time::Timestamp;
use angarium_store::SharedStore;
use budget::Budget;
use recording::Recording;
use shards::{CommitQueue, Machine, Shards};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use uncommitted::Uncommitted;
use upkeep::Stir;

/// What a runner is made of; the simulator replaces store, transport, clock and entropy.
#[derive(Clone)]
pub struct Parts {
    /// Where events and deliveries are kept.
    pub store: SharedStore,
    /// What sends.
    pub transport: Arc<dyn Transport>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// What draws jitter.
    pub entropy: Arc<dyn Entropy>,
    /// The contracts that endpoints follow.
    pub contracts: Arc<ContractLibrary>,
    /// Who says where requests may go on behalf of a tenant.
    pub directory: Arc<Directory>,
    /// The limits in force.
    pub limits: Limits,
    /// Whether plain http is sent to.
    pub plain_http: PlainHttp,
}

/// Drives the shards. Every call answers after the commit.
pub struct Runner {
    parts: Parts,
    shards: Shards,
    queue: CommitQueue,
    budget: Budget,
    /// Rings when attempts are to start to many endpoints.
    crowd: Notify,
    uncommitted: Arc<Uncommitted>,
    publishers: std::sync::Mutex<Publishers>,
    recording: Recording,
    tokens: Tokens,
    signers: RwLock<HashMap<(TenantNo, String), Arc<TenantSigner>>>,
    counts: Counts,
    told: notices::Told,
    stopping: AtomicBool,
    /// Rings when a shard wants to be woken earlier than before.
    earlier: Notify,
    stir: Stir,
    tasks: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

/// Counts since the start, for the metrics.
#[derive(Debug, Default)]
pub struct Counts {
    /// Events that were accepted.
    pub accepted: AtomicU64,
    /// Commits of the group committer.
    pub commits: AtomicU64,
    /// Shards that were read anew after a commit of unknown result.
    pub reloads: AtomicU64,
    attempts: [AtomicU64; 16],
}

impl Counts {
    /// Attempts of a class that have ended.
    pub fn attempts(&self, class: Class) -> u64 {
        let count = self.attempts.get(usize::from(class.number()));
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    fn attempt(&self, class: Class) {
        if let Some(count) = self.attempts.get(usize::from(class.number())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Runner {
    /// Takes over all shards, recovers them and begins to send.
    ///
    /// # Errors
    /// When the store cannot be read, or an endpoint in it follows a contract that is not there.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, StartError> {
        let runner = Arc::new(Self {
            shards: Shards::new(),
            queue: CommitQueue::default(),
            budget: Budget::new(parts.limits.node_window),
            crowd: Notify::new(),
            uncommitted: Uncommitted::new(&parts.limits),
            publishers: std::sync::Mutex::default(),
            recording: Recording::default(),
            tokens: Tokens::new(
                Arc::clone(&parts.transport),
                Arc::clone(&parts.clock),
                parts.plain_http,
            ),
            signers: RwLock::default(),
            counts: Counts::default(),
            told: notices::Told::default(),
            stopping: AtomicBool::new(false),
            earlier: Notify::new(),
            stir: Stir::default(),
            tasks: std::sync::Mutex::default(),
            parts,
        });
        let all: Vec<_> = ShardId::all().collect();
        runner.recover(&all).await?;
        let tasks = [
            tokio::spawn(Arc::clone(&runner).commit_for_ever()),
            tokio::spawn(Arc::clone(&runner).start_for_ever()),
            tokio::spawn(Arc::clone(&runner).wake_for_ever()),
            tokio::spawn(Arc::clone(&runner).keep_up_for_ever()),
        ];
        runner.tasks.lock().unwrap_or_else(PoisonError::into_inner).extend(tasks);
        runner.look_for_room();
        runner.begin(&all);
        Ok(runner)
    }

    /// Stops cleanly: nothing new is taken, what is in flight has `grace` to end and is recorded,
    /// the checkpoint is written. A delivery that outlasts the grace is sent again after a start.
    pub async fn stop(self: &Arc<Self>, grace: Duration) {
        self.stopping.store(true, Ordering::SeqCst);
        let until = tokio::time::Instant::now() + grace;
        let busy = || self.budget.in_flight() > 0 || self.queue.is_busy();
        while busy() && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.write_checkpoints(Machine::last_checkpoint);
        let until = tokio::time::Instant::now() + Duration::from_secs(5);
        while self.queue.is_busy() && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            task.abort();
        }
    }

    /// Counts since the start.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Attempts under way.
    pub fn attempts_in_flight(&self) -> usize {
        self.budget.in_flight()
    }

    /// When the oldest delivery that could be sent now became due; what a gate holds could not.
    pub fn oldest_sendable(&self) -> Option<Timestamp> {
        let oldest =
            ShardId::all().filter_map(|id| self.shards.look(id, |shard| shard.oldest_sendable()));
        oldest.flatten().min()
    }

    /// Shards that are being read anew; none of their tenants is served meanwhile.
    pub fn shards_out(&self) -> usize {
        ShardId::all().filter(|id| self.shards.look(*id, |_| ()).is_none()).count()
    }

    /// Where a delivery stands that the store shows as waiting: in flight, or queued in its lane.
    pub fn state_in_memory(&self, tenant: TenantNo, key: DeliveryKey) -> Option<DeliveryState> {
        self.shards.look(ShardId::of(tenant), |shard| shard.state_in_memory(key)).flatten()
    }

    /// What an endpoint's recent attempts say; none if the shard does not know it.
    pub fn health(&self, tenant: TenantNo, no: EndpointNo) -> Option<EndpointHealth> {
        self.shards.look(ShardId::of(tenant), |shard| shard.health(no)).flatten()
    }

    /// How many deliveries an endpoint was given, if its shard has it.
    pub fn deliveries_of(&self, tenant: TenantNo, no: EndpointNo) -> Option<u64> {
        self.shards.look(ShardId::of(tenant), |shard| shard.deliveries_of(no)).flatten()
    }

    /// Gives the sender a tenant's signing keys under a contract, after the store has them.
    ///
    /// # Errors
    /// `invalid_secret` when a key does not have a form that the contract knows.
    pub fn set_tenant_keys(
        &self,
        tenant: TenantNo,
        contract: &Contract,
        keys: &[SigningKey],
    ) -> Result<(), Refusal> {
        let signer = Arc::new(TenantSigner::prepare(contract, keys)?);
        let mut signers = self.signers.write().unwrap_or_else(PoisonError::into_inner);
        signers.insert((tenant, contract.name().to_owned()), signer);
        Ok(())
    }

    /// The tenant's keys, where the contract signs with them.
    fn signer(&self, tenant: TenantNo, contract: &Contract) -> Option<Arc<TenantSigner>> {
        contract.key_rule().filter(|rule| rule.scope == KeyScope::Tenant)?;
        let signers = self.signers.read().unwrap_or_else(PoisonError::into_inner);
        signers.get(&(tenant, contract.name().to_owned())).cloned()
    }

    /// Who publishes on this node.
    fn publishers(&self) -> Publishers {
        *self.publishers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Whether an attempt may start now.
    fn may_start(&self) -> bool {
        !self.is_stopping() && self.recording.is_possible()
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}
