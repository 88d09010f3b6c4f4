//! The embedded store with faults: the real SQL, run in place, behind errors before a commit,
//! errors after one, and delays.

use crate::world::Sim;
use angarium_core::audit::{Entry, EntryNo, Link};
use angarium_core::batch::{BatchResult, ShardBatch, Trace};
use angarium_core::endpoint::EndpointStatus;
use angarium_core::id::{
    ApiKeyId, DeliveryKey, EndpointId, EndpointNo, EnvironmentNo, Epoch, EventKey, JobId, ShardId,
    SourceId, TenantNo,
};
use angarium_core::job::Job;
use angarium_core::lane::Lane;
use angarium_core::replay::Replayed;
use angarium_core::source::Rejection;
use angarium_core::time::Timestamp;
use angarium_core::waiting::{DuePage, RecoveredEvent};
use angarium_store::read::{
    AuditBounds, AuditQuery, DeliveryQuery, DeliveryRow, DeliveryWithAttempts, Depth, EndpointRow,
    EventQuery, EventRow, JobQuery, Page, RecoverableQuery, RejectionNo, SequenceQuery,
    SequenceRow, Usage,
};
use angarium_store::seal::MasterKey;
use angarium_store::{
    AccountChange, AccountChanged, Accounts, Encryption, MasterKeyRotated, ShardState, Store,
    StoreError, StoreResult, StoredAnswer, Upkeep,
};
use async_trait::async_trait;
use std::path::Path;
use std::sync::Arc;

/// See the module.
pub(crate) struct FaultyStore(pub(crate) Arc<Sim>);

/// How a write fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    None,
    NotCommitted,
    Lost,
    AnswerLost,
}

impl FaultyStore {
    pub(crate) fn draw_failure(&self) -> Failure {
        let mut world = self.0.world();
        let faults = world.plan.faults;
        if world.fails(faults.not_committed) {
            Failure::NotCommitted
        } else if world.fails(faults.lost) {
            Failure::Lost
        } else if world.fails(faults.answer_lost) {
            Failure::AnswerLost
        } else {
            Failure::None
        }
    }

    /// Reads, with a delay on both sides: what is read may be old when it arrives.
    pub(crate) async fn read<T>(
        &self,
        what: &str,
        read: impl Future<Output = StoreResult<T>>,
    ) -> StoreResult<T> {
        let sim = &self.0;
        let (before, after, is_failed) = {
            let mut world = sim.world();
            let rate = world.plan.faults.unreadable;
            (world.delay(), world.delay(), world.fails(rate))
        };
        sim.pass(before).await;
        if is_failed {
            sim.world().note(&format!("{what} fails"));
            return Err(StoreError::Unavailable("simulated".into()));
        }
        sim.world().note(what);
        let result = read.await;
        sim.pass(after).await;
        result
    }

    /// Writes: nothing, or all of it, and perhaps nobody learns which.
    pub(crate) async fn write<T>(
        &self,
        failure: Failure,
        write: impl Future<Output = StoreResult<T>>,
    ) -> StoreResult<T> {
        let sim = &self.0;
        let (before, after) = {
            let mut world = sim.world();
            (world.delay(), world.delay())
        };
        sim.pass(before).await;
        match failure {
            Failure::NotCommitted => {
                return Err(StoreError::NotCommitted("simulated".into()));
            }
            Failure::Lost => return Err(StoreError::Ambiguous("simulated: it did not".into())),
            Failure::None | Failure::AnswerLost => {}
        }
        let result = write.await;
        // Between a commit and its answer the process may be killed.
        sim.pass(after).await;
        match failure {
            Failure::AnswerLost => Err(StoreError::Ambiguous("simulated: it did".into())),
            Failure::None | Failure::NotCommitted | Failure::Lost => result,
        }
    }

    async fn claim_and_book(
        &self,
        shards: &[ShardId],
        now: Timestamp,
    ) -> StoreResult<Vec<(ShardId, Epoch)>> {
        let claimed = self.0.store.claim(shards, now).await;
        if claimed.is_ok() {
            self.0.world().ledger.claimed(now);
        }
        claimed
    }

    async fn commit_and_book(
        &self,
        batches: &Arc<Vec<ShardBatch>>,
        now: Timestamp,
    ) -> StoreResult<Vec<BatchResult>> {
        let results = self.0.store.commit(Arc::clone(batches), now).await;
        let mut world = self.0.world();
        let at = world.now();
        match &results {
            Ok(results) => {
                world.ledger.written_at = now;
                for line in world.ledger.committed(batches, results, at) {
                    world.note(&line);
                }
            }
            Err(error) => world.ledger.violated(format!("the store failed by itself: {error}")),
        }
        results
    }

    /// Books a job at the moment in which it is durable.
    async fn book_job(
        &self,
        job: &Job,
        write: impl Future<Output = StoreResult<bool>>,
    ) -> StoreResult<bool> {
        let written = write.await;
        if matches!(written, Ok(true)) {
            let mut world = self.0.world();
            let (id, done, step) = (job.id, job.done, job.step.len());
            let status = job.status.as_str();
            world.note(&format!("{id} is {status}: {done} done, {step} in hand"));
            world.ledger.job_stored(job);
        }
        written
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn claim(
        &self,
        shards: &[ShardId],
        now: Timestamp,
    ) -> StoreResult<Vec<(ShardId, Epoch)>> {
        let failure = self.draw_failure();
        self.write(failure, self.claim_and_book(shards, now)).await
    }

    async fn commit(
        &self,
        batches: Arc<Vec<ShardBatch>>,
        now: Timestamp,
    ) -> StoreResult<Vec<BatchResult>> {
        let failure = self.draw_failure();
        let result = self.write(failure, self.commit_and_book(&batches, now)).await;
        let mut world = self.0.world();
        let at = world.time();
        match &result {
            Ok(results) => world.ledger.answered(&batches, results, at),
            Err(error) => {
                let shards: Vec<_> = batches.iter().map(|batch| batch.shard).collect();
                world.ledger.interrupt(&shards, at);
                world.note(&format!("commit fails: {error}"));
            }
        }
        result
    }

    async fn load_shards(&self, shards: &[ShardId]) -> StoreResult<Vec<ShardState>> {
        let states = self.read("load_shards", self.0.store.load_shards(shards)).await;
        if states.is_ok() {
            self.0.world().ledger.taken_over(shards);
        }
        states
    }

    async fn events_above(
        &self,
        shards: &[(ShardId, EventKey)],
        after: EventKey,
        limit: usize,
    ) -> StoreResult<(Vec<RecoveredEvent>, Option<EventKey>)> {
        // Few at a time, so that there are pages.
        let read = self.0.store.events_above(shards, after, limit.min(7));
        self.read("events_above", read).await
    }

    async fn load_due(
        &self,
        endpoint: EndpointNo,
        due_by: Timestamp,
        skip: &[DeliveryKey],
        limit: usize,
        bytes: usize,
    ) -> StoreResult<DuePage> {
        let what = format!("endpoint {endpoint}: load_due by {due_by}, {limit} but {}", skip.len());
        let read = self.0.store.load_due(endpoint, due_by, skip, limit, bytes);
        self.read(&what, read).await
    }

    async fn load_behind(
        &self,
        endpoint: EndpointNo,
        lane: Lane,
        limit: usize,
        bytes: usize,
    ) -> StoreResult<DuePage> {
        let what = format!("endpoint {endpoint}: load_behind, {limit}");
        self.read(&what, self.0.store.load_behind(endpoint, lane, limit, bytes)).await
    }

    async fn own_id_tail(&self) -> StoreResult<Vec<(TenantNo, Box<str>, EventKey)>> {
        self.read("own_id_tail", self.0.store.own_id_tail()).await
    }

    async fn find_own_id(&self, tenant: TenantNo, own_id: &str) -> StoreResult<Option<EventKey>> {
        self.read("find_own_id", self.0.store.find_own_id(tenant, own_id)).await
    }

    async fn waiting(&self, endpoint: EndpointNo, most: usize) -> StoreResult<u64> {
        self.0.store.waiting(endpoint, most).await
    }

    async fn accounts(&self) -> StoreResult<Accounts> {
        self.0.store.accounts().await
    }

    async fn change_account(
        &self,
        change: AccountChange,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<AccountChanged> {
        self.0.store.change_account(change, trace, now).await
    }

    async fn guarded_answer(
        &self,
        scope: &[u8; 32],
        now: Timestamp,
    ) -> StoreResult<Option<StoredAnswer>> {
        self.0.store.guarded_answer(scope, now).await
    }

    async fn note_key_uses(&self, uses: &[(ApiKeyId, Timestamp)]) -> StoreResult<()> {
        let failure = self.draw_failure();
        self.write(failure, self.0.store.note_key_uses(uses)).await
    }

    async fn keep_rejections(&self, rejections: Vec<Rejection>, most: usize) -> StoreResult<()> {
        let failure = self.draw_failure();
        self.write(failure, self.0.store.keep_rejections(rejections, most)).await
    }

    async fn rejections(
        &self,
        source: SourceId,
        before: Option<RejectionNo>,
        limit: usize,
    ) -> StoreResult<Page<(RejectionNo, Rejection), RejectionNo>> {
        self.0.store.rejections(source, before, limit).await
    }

    async fn endpoint(&self, id: EndpointId) -> StoreResult<Option<EndpointRow>> {
        self.0.store.endpoint(id).await
    }

    async fn endpoints(
        &self,
        environment: EnvironmentNo,
        tenant: Option<TenantNo>,
        status: Option<EndpointStatus>,
        before: Option<EndpointNo>,
        limit: usize,
    ) -> StoreResult<Page<EndpointRow, EndpointNo>> {
        self.0.store.endpoints(environment, tenant, status, before, limit).await
    }

    async fn endpoint_ids(
        &self,
        numbers: &[EndpointNo],
    ) -> StoreResult<Vec<(EndpointNo, EndpointId)>> {
        self.0.store.endpoint_ids(numbers).await
    }

    async fn event(&self, tenant: TenantNo, key: EventKey) -> StoreResult<Option<EventRow>> {
        self.0.store.event(tenant, key).await
    }

    async fn events(&self, query: &EventQuery) -> StoreResult<Page<EventRow, EventKey>> {
        self.0.store.events(query).await
    }

    async fn delivery(&self, key: DeliveryKey) -> StoreResult<Option<DeliveryWithAttempts>> {
        self.0.store.delivery(key).await
    }

    async fn deliveries(
        &self,
        query: &DeliveryQuery,
    ) -> StoreResult<Page<DeliveryRow, DeliveryKey>> {
        self.0.store.deliveries(query).await
    }

    async fn deliveries_by_sequence(
        &self,
        query: SequenceQuery,
    ) -> StoreResult<Page<SequenceRow, EventKey>> {
        self.0.store.deliveries_by_sequence(query).await
    }

    async fn recoverable(&self, query: &RecoverableQuery) -> StoreResult<Page<Replayed, EventKey>> {
        self.read("recoverable", self.0.store.recoverable(query)).await
    }

    async fn create_job(
        &self,
        job: &Job,
        most: usize,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<bool> {
        let create = self.0.store.create_job(job, most, trace, now);
        self.write(self.draw_failure(), self.book_job(job, create)).await
    }

    async fn advance_job(&self, job: &Job, trace: Trace, now: Timestamp) -> StoreResult<bool> {
        let advance = self.0.store.advance_job(job, trace, now);
        self.write(self.draw_failure(), self.book_job(job, advance)).await
    }

    async fn job(&self, id: JobId) -> StoreResult<Option<Job>> {
        self.read("job", self.0.store.job(id)).await
    }

    async fn jobs(&self, query: JobQuery) -> StoreResult<Page<Job, JobId>> {
        self.0.store.jobs(query).await
    }

    async fn running_jobs(&self) -> StoreResult<Vec<Job>> {
        self.read("running_jobs", self.0.store.running_jobs()).await
    }

    async fn rotate_master_key(
        &self,
        next: MasterKey,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<MasterKeyRotated> {
        let failure = self.draw_failure();
        self.write(failure, self.0.store.rotate_master_key(next, trace, now)).await
    }

    async fn rotate_data_keys(
        &self,
        tenant: Option<TenantNo>,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<()> {
        let failure = self.draw_failure();
        self.write(failure, self.0.store.rotate_data_keys(tenant, trace, now)).await
    }

    async fn encryption(&self) -> StoreResult<Encryption> {
        self.0.store.encryption().await
    }

    async fn audit(&self, query: &AuditQuery) -> StoreResult<Page<Entry, EntryNo>> {
        self.0.store.audit(query).await
    }

    async fn audit_after(
        &self,
        bounds: AuditBounds,
        after: EntryNo,
        limit: usize,
    ) -> StoreResult<Vec<Entry>> {
        self.0.store.audit_after(bounds, after, limit).await
    }

    async fn audit_ends(&self) -> StoreResult<(Link, Link)> {
        self.0.store.audit_ends().await
    }

    async fn upkeep(&self, now: Timestamp) -> StoreResult<Upkeep> {
        let failure = self.draw_failure();
        self.write(failure, self.0.store.upkeep(now)).await
    }

    async fn depth(&self, now: Timestamp) -> StoreResult<Depth> {
        self.0.store.depth(now).await
    }

    fn usage(&self, tenant: TenantNo) -> Usage {
        self.0.store.usage(tenant)
    }

    async fn ping(&self, now: Timestamp) -> StoreResult<()> {
        self.0.store.ping(now).await
    }

    async fn backup(&self, to: &Path) -> StoreResult<()> {
        self.0.store.backup(to).await
    }

    async fn close(&self) {
        self.0.store.close().await;
    }
}
