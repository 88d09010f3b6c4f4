//! Where Angarium keeps events and deliveries.
//!
//! The trait speaks the domain's verbs: batches in, batches out; it knows shards, epochs and `now`
//! as an argument, and nothing of HTTP. SQL writes what the machine decided; it never decides.
//! Every write is idempotent, and a commit is durable before it is answered (design.md sections 2
//! and 4).

pub mod error;
pub mod read;
pub mod removal;
pub mod seal;
pub mod sqlite;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use error::{StoreError, StoreResult};

use angarium_core::account::{ApiKey, Environment, EventTypeConfig, Tenant};
use angarium_core::audit::{Entry, EntryNo, Link};
use angarium_core::batch::{BatchResult, ShardBatch, Trace};
use angarium_core::endpoint::{EndpointConfig, EndpointCounters};
use angarium_core::event::Event;
use angarium_core::id::{
    ApiKeyId, DeliveryKey, EndpointId, EndpointNo, EnvironmentNo, Epoch, EventKey, JobId, ShardId,
    SourceId, TenantNo,
};
use angarium_core::job::Job;
use angarium_core::lane::Lane;
use angarium_core::replay::Replayed;
use angarium_core::secret::SigningKey;
use angarium_core::source::{Rejection, SourceConfig};
use angarium_core::time::Timestamp;
use angarium_core::waiting::{DuePage, LaneHold, RecoveredEvent, StoredLane};
use async_trait::async_trait;
use read::{
    AuditBounds, AuditQuery, DeliveryQuery, DeliveryRow, DeliveryWithAttempts, Depth, EndpointRow,
    EventQuery, EventRow, JobQuery, Page, RecoverableQuery, RejectionNo, SequenceQuery,
    SequenceRow, Usage,
};
pub use removal::Removal;
use seal::{MasterKey, MasterKeyId};
use std::sync::Arc;

/// A store. One process owns an embedded one; several nodes may share a server's.
///
/// Calls for different tenants never see each other's rows: every look-up of an object takes its
/// tenant.
#[async_trait]
pub trait Store: Removal + Send + Sync + 'static {
    // Shards: what the runner calls.
    // ------------------------------------------------------------------------------

    /// Takes over shards: raises their epochs, durably, so that an earlier owner's commits are
    /// refused. A clock that stands before the last commit was set back: the due times that are
    /// stored go back with it, so that nothing waits longer for that (D17).
    async fn claim(&self, shards: &[ShardId], now: Timestamp)
    -> StoreResult<Vec<(ShardId, Epoch)>>;

    /// Commits batches of several shards at once and answers for each, in order, after the sync.
    ///
    /// # Errors
    /// [`StoreError::NotCommitted`] when certainly nothing was written; [`StoreError::Ambiguous`]
    /// when it is not known: the caller drops what it holds of these shards and reads them anew
    /// (rule 5).
    async fn commit(
        &self,
        batches: Arc<Vec<ShardBatch>>,
        now: Timestamp,
    ) -> StoreResult<Vec<BatchResult>>;

    /// What the owner of shards must hold in memory, but for the events above the checkpoint.
    async fn load_shards(&self, shards: &[ShardId]) -> StoreResult<Vec<ShardState>>;

    /// Events after `after`, in key order, that stand above the checkpoint of their shard. `shards`
    /// names the shards that are wanted with their checkpoints. The second value is where to go
    /// on; none at the end.
    async fn events_above(
        &self,
        shards: &[(ShardId, EventKey)],
        after: EventKey,
        limit: usize,
    ) -> StoreResult<(Vec<RecoveredEvent>, Option<EventKey>)>;

    /// Due rows of one endpoint, earliest first, without those in `skip` (the shard holds them): at
    /// most `limit` rows and, after the first, at most about `bytes` of payload.
    async fn load_due(
        &self,
        endpoint: EndpointNo,
        due_by: Timestamp,
        skip: &[DeliveryKey],
        limit: usize,
        bytes: usize,
    ) -> StoreResult<DuePage>;

    /// Rows of one endpoint that wait in a lane behind its head, oldest event first: at most
    /// `limit` rows and, after the first, at most about `bytes` of payload.
    async fn load_behind(
        &self,
        endpoint: EndpointNo,
        lane: Lane,
        limit: usize,
        bytes: usize,
    ) -> StoreResult<DuePage>;

    /// The publisher's own ids that the index does not have yet, with their events: the tail that
    /// shards hold in memory (rule 7).
    async fn own_id_tail(&self) -> StoreResult<Vec<(TenantNo, Box<str>, EventKey)>>;

    /// Looks a publisher's own id up in the index and the tail.
    async fn find_own_id(&self, tenant: TenantNo, own_id: &str) -> StoreResult<Option<EventKey>>;

    /// How many rows of an endpoint wait, counted up to `most`: a figure for people.
    async fn waiting(&self, endpoint: EndpointNo, most: usize) -> StoreResult<u64>;

    // Accounts: what the directory and the API call.
    // --------------------------------------------------------------

    /// Environments, tenants with their signing keys, API keys, event types and sources, whole: the
    /// directory holds them in memory.
    async fn accounts(&self) -> StoreResult<Accounts>;

    /// Changes an account, with what is committed with the change.
    async fn change_account(
        &self,
        change: AccountChange,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<AccountChanged>;

    /// Writes when keys were used last, in slices between the commits of shards. After an error
    /// some may be written and some not.
    async fn note_key_uses(&self, uses: &[(ApiKeyId, Timestamp)]) -> StoreResult<()>;

    /// What a guarded call answered before; nothing once it has expired.
    async fn guarded_answer(
        &self,
        scope: &[u8; 32],
        now: Timestamp,
    ) -> StoreResult<Option<StoredAnswer>>;

    // Sources: what the receiver and the API call.
    // ------------------------------------------------------------------

    /// Keeps requests that sources rejected, of each source the newest `most`; those of sources
    /// that are deleted are dropped. Publishing comes first: they are written in slices between the
    /// commits of shards, and while room is scarce not at all. After an error some may be kept and
    /// some not.
    async fn keep_rejections(&self, rejections: Vec<Rejection>, most: usize) -> StoreResult<()>;

    /// Rejected requests of a source, newest first. `before` is the cursor.
    async fn rejections(
        &self,
        source: SourceId,
        before: Option<RejectionNo>,
        limit: usize,
    ) -> StoreResult<Page<(RejectionNo, Rejection), RejectionNo>>;

    // Reading: what the API shows.
    // --------------------------------------------------------------------------------

    /// One endpoint of a tenant, unless it is deleted.
    async fn endpoint(&self, id: EndpointId) -> StoreResult<Option<EndpointRow>>;

    /// Endpoints of an environment or a tenant, newest first, deleted ones left out. `before` is
    /// the cursor.
    async fn endpoints(
        &self,
        environment: EnvironmentNo,
        tenant: Option<TenantNo>,
        status: Option<angarium_core::endpoint::EndpointStatus>,
        before: Option<EndpointNo>,
        limit: usize,
    ) -> StoreResult<Page<EndpointRow, EndpointNo>>;

    /// Public ids of endpoints, deleted ones too, for the log.
    async fn endpoint_ids(
        &self,
        numbers: &[EndpointNo],
    ) -> StoreResult<Vec<(EndpointNo, EndpointId)>>;

    /// One event of a tenant.
    async fn event(&self, tenant: TenantNo, key: EventKey) -> StoreResult<Option<EventRow>>;

    /// Events, newest first.
    async fn events(&self, query: &EventQuery) -> StoreResult<Page<EventRow, EventKey>>;

    /// One delivery with its attempts. A delivery above the checkpoint without a row is `pending`
    /// with no attempts; whether it is in flight, its shard knows.
    async fn delivery(&self, key: DeliveryKey) -> StoreResult<Option<DeliveryWithAttempts>>;

    /// Deliveries, newest event first; a page may be short and still have `next` (rule 10).
    async fn deliveries(
        &self,
        query: &DeliveryQuery,
    ) -> StoreResult<Page<DeliveryRow, DeliveryKey>>;

    /// An endpoint's sequence numbers from one to another, upwards, none left out: cancelled and
    /// suppressed ones too, and those above the checkpoint without a row (rule 8). A page may be
    /// short and still have `next`.
    async fn deliveries_by_sequence(
        &self,
        query: SequenceQuery,
    ) -> StoreResult<Page<SequenceRow, EventKey>>;

    // Jobs: what the API and the task that drives them call.
    // ----------------------------------------------------------------

    /// The deliveries that a recovery makes, oldest event first: of every pair whose newest
    /// delivery has ended in one of the states. A page may be short and still have `next`.
    async fn recoverable(&self, query: &RecoverableQuery) -> StoreResult<Page<Replayed, EventKey>>;

    /// Begins a job, with what is committed with it; not if `most` jobs of its tenant run
    /// already.
    async fn create_job(
        &self,
        job: &Job,
        most: usize,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<bool>;

    /// Writes where a job stands, with what is committed with the change; not if it has ended.
    async fn advance_job(&self, job: &Job, trace: Trace, now: Timestamp) -> StoreResult<bool>;

    /// One job.
    async fn job(&self, id: JobId) -> StoreResult<Option<Job>>;

    /// Jobs, newest first.
    async fn jobs(&self, query: JobQuery) -> StoreResult<Page<Job, JobId>>;

    /// Every job that runs.
    async fn running_jobs(&self) -> StoreResult<Vec<Job>>;

    // Keys. --------------------------------------------------------------------------------------

    /// Puts the store under another master key, in one commit, with the trace of the call; the
    /// earlier one opens it no more. Reading and writing go on before and after.
    async fn rotate_master_key(
        &self,
        next: MasterKey,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<MasterKeyRotated>;

    /// Begins a new data key for a tenant, or for everybody and for what belongs to nobody. What
    /// is written from now on is sealed with it; upkeep seals the rest anew, then deletes the
    /// earlier key.
    async fn rotate_data_keys(
        &self,
        tenant: Option<TenantNo>,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<()>;

    /// What secrets are encrypted with.
    async fn encryption(&self) -> StoreResult<Encryption>;

    // The audit log: what the API shows.
    // ----------------------------------------------------------------------------

    /// Entries of the audit log, newest first. A page may be short and still have `next`.
    async fn audit(&self, query: &AuditQuery) -> StoreResult<Page<Entry, EntryNo>>;

    /// Entries of the audit log after one, upwards: the next `limit`, fewer only at the end.
    async fn audit_after(
        &self,
        bounds: AuditBounds,
        after: EntryNo,
        limit: usize,
    ) -> StoreResult<Vec<Entry>>;

    /// Where the chain of the audit log begins and ends: the entry before the first that is kept,
    /// and the last.
    async fn audit_ends(&self) -> StoreResult<(Link, Link)>;

    // Upkeep. ------------------------------------------------------------------------------------

    /// One bounded step of background work: fills listing and id indexes, forgets expired
    /// idempotency records, requests that were rejected more than a week ago and keys that ended
    /// long ago, seals anew what was sealed with keys on their way out.
    async fn upkeep(&self, now: Timestamp) -> StoreResult<Upkeep>;

    /// What waits, for `/readyz` and `/metrics`.
    async fn depth(&self, now: Timestamp) -> StoreResult<Depth>;

    /// How much room there is; asked often, and answered at once.
    fn room(&self) -> Room {
        Room::Ample
    }

    /// What a tenant takes of the store, as of the last commit; asked with each publish, and
    /// answered at once.
    fn usage(&self, tenant: TenantNo) -> Usage;

    /// Whether the store can write and has room: a commit of its own, synced.
    async fn ping(&self, now: Timestamp) -> StoreResult<()>;

    /// Writes a consistent copy of an embedded store to a new file.
    async fn backup(&self, to: &std::path::Path) -> StoreResult<()>;

    /// Ends: what was handed in is written, files are closed.
    async fn close(&self);
}

/// What the owner of a shard holds in memory.
#[derive(Debug, Clone, Default)]
pub struct ShardState {
    /// Which shard.
    pub shard: ShardId,
    /// Every pair of an event up to here has a row.
    pub checkpoint: EventKey,
    /// Tenants with their last sequence numbers as of the checkpoint.
    pub tenants: Vec<(TenantNo, u64)>,
    /// Signing keys of tenants, by contract.
    pub tenant_keys: Vec<(TenantNo, String, Vec<SigningKey>)>,
    /// Endpoints that are not deleted.
    pub endpoints: Vec<LoadedEndpoint>,
    /// Deleted endpoints that still have waiting rows, to be cancelled in slices.
    pub deleted_with_rows: Vec<EndpointNo>,
}

/// An endpoint as its shard loads it.
#[derive(Debug, Clone)]
pub struct LoadedEndpoint {
    /// The store's number.
    pub no: EndpointNo,
    /// Its configuration, secrets decrypted.
    pub config: EndpointConfig,
    /// Counters as of the checkpoint.
    pub counters: EndpointCounters,
    /// The earliest due time of its rows; none if no row has one.
    pub next_due: Option<Timestamp>,
    /// Its lanes that have rows.
    pub lanes: Vec<StoredLane>,
    /// Its lanes that a dead letter holds.
    pub holds: Vec<LaneHold>,
    /// Whether it has rows that are parked.
    pub parked: bool,
}

/// Everything of [`Store::accounts`].
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    /// All environments.
    pub environments: Vec<Environment>,
    /// All tenants.
    pub tenants: Vec<Tenant>,
    /// All keys that are not revoked.
    pub keys: Vec<ApiKey>,
    /// Event types beside those of the contracts.
    pub event_types: Vec<(EnvironmentNo, EventTypeConfig)>,
    /// Signing keys of tenants, by contract, the current key first.
    pub tenant_keys: Vec<(TenantNo, String, Vec<SigningKey>)>,
    /// All sources in the order of their making, secrets decrypted.
    pub sources: Vec<SourceConfig>,
}

/// A change of an account.
#[derive(Debug, Clone)]
pub enum AccountChange {
    /// A new environment; the slug and each host are unique.
    CreateEnvironment(Environment),
    /// Takes the place of the environment of this number.
    ReplaceEnvironment(Environment),
    /// Deletes an environment that has no tenants.
    DeleteEnvironment(EnvironmentNo),
    /// Makes or replaces a tenant, by environment and id.
    PutTenant(Tenant),
    /// Deletes a tenant whose endpoints and sources are all deleted, with its data keys: nothing
    /// that is left of its secrets anywhere can be decrypted.
    DeleteTenant(TenantNo),
    /// A new key.
    CreateKey(ApiKey),
    /// Revokes a key at once.
    RevokeKey(ApiKeyId),
    /// Makes or replaces an event type.
    PutEventType(EnvironmentNo, EventTypeConfig),
    /// Takes the place of a tenant's signing keys under a contract.
    PutTenantKeys(TenantNo, String, Vec<SigningKey>),
    /// A new source, unless its tenant has so many.
    CreateSource(SourceConfig, usize),
    /// Takes the place of the tenant's source of this id.
    ReplaceSource(SourceConfig),
    /// Deletes a source with what it rejected.
    DeleteSource(SourceId),
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountChanged {
    /// Made; the store's number where it gave one out, else 0.
    Created(i64),
    /// Replaced, deleted or revoked.
    Done,
    /// There is nothing of that name.
    NotFound,
    /// The slug, host or hash is taken.
    Taken,
    /// It still has tenants, endpoints or sources.
    InUse,
    /// There are as many as may be.
    TooMany,
}

/// A guarded call's first answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// SHA-256 of the first call's body: another body is refused.
    pub fingerprint: [u8; 32],
    /// The answer.
    pub answer: Answered,
}

/// What a guarded call answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// As it was given.
    Given {
        /// The status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
    /// The event that was accepted.
    Event(EventKey),
    /// The delivery that was made or changed.
    Delivery(DeliveryKey),
}

/// What the secrets of a store are encrypted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encryption {
    /// The master key that the store is under.
    pub master_key: MasterKeyId,
    /// Data keys, those too that are on their way out.
    pub data_keys: u64,
    /// Data keys that another is taking the place of.
    pub retired_data_keys: u64,
    /// Whether secrets are there that are sealed with the master key itself, as all were before
    /// there were data keys.
    pub has_earlier_form: bool,
}

/// What became of a rotation of the master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MasterKeyRotated {
    /// The store is under the new one.
    Done,
    /// It was before.
    Same,
}

/// How much room a store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// More than what is under way can need.
    Ample,
    /// What is under way can be recorded; nothing else should begin.
    Scarce,
}

/// What a step of upkeep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Upkeep {
    /// Own ids up to here stand in the index, and may leave the shards' tails.
    pub own_ids_indexed_upto: EventKey,
    /// Whether there is more to do at once.
    pub more: bool,
}

/// A store that is shared.
pub type SharedStore = Arc<dyn Store>;

/// An event with nothing else; a convenience for callers that need only that.
pub type SharedEvent = Arc<Event>;
