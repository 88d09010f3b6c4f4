//! What removes: ages that are reached, and what people want erased.
//!
//! Every call takes a bounded step between the commits of shards. What is removed is overwritten
//! where it stood, in the database's file and, once a run has ended, in its log.

use crate::error::StoreResult;
use crate::read::{DeliveryRow, Page};
use angarium_core::batch::Trace;
use angarium_core::erasure::Erasure;
use angarium_core::id::{DeliveryKey, EnvironmentNo, ErasureId, EventKey, TenantNo};
use angarium_core::retention::{Looked, Part};
use angarium_core::time::Timestamp;
use async_trait::async_trait;

/// The part of a store that removes what it has.
#[async_trait]
pub trait Removal {
    /// Waiting deliveries of an environment's events whose payload is of age, oldest event first.
    /// A page may be short and still have `next`.
    async fn expiring(&self, query: ExpiringQuery) -> StoreResult<Page<DeliveryRow, DeliveryKey>>;

    /// Removes a part of an environment's oldest events, as far as they are of age. It stops before
    /// an event above the checkpoint of its shard, one with a waiting delivery, and one whose dead
    /// letter holds a lane (rule 11).
    async fn sweep(&self, order: SweepOrder, now: Timestamp) -> StoreResult<Swept>;

    /// Removes entries from the beginning of the audit log that were committed up to a time, all
    /// but its last one; says how many.
    async fn sweep_audit(&self, upto: Timestamp) -> StoreResult<u64>;

    /// Removes what deleted tenants had.
    async fn purge(&self) -> StoreResult<Purged>;

    /// What was noted of the clock, and the last time that something was written.
    async fn clock_looked_at(&self) -> StoreResult<(Option<Looked>, Timestamp)>;

    /// Notes what is known of the clock.
    async fn note_clock(&self, looked: Looked) -> StoreResult<()>;

    /// Removes everything of an event but its id, type and time, and with it what its receivers
    /// answered. Not while one of its deliveries has not ended.
    async fn erase_event(
        &self,
        tenant: TenantNo,
        event: EventKey,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<ErasedEvent>;

    /// Begins to erase the events about a subject that are there now; not if `most` erasures of the
    /// tenant run already.
    async fn create_erasure(
        &self,
        erasure: &Erasure,
        subject: &str,
        most: usize,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<bool>;

    /// Takes the next step of an erasure.
    async fn step_erasure(&self, id: ErasureId, now: Timestamp) -> StoreResult<ErasureStep>;

    /// One erasure.
    async fn erasure(&self, id: ErasureId) -> StoreResult<Option<Erasure>>;

    /// A tenant's erasures, newest first. `before` is the cursor.
    async fn erasures(
        &self,
        tenant: TenantNo,
        before: Option<ErasureId>,
        limit: usize,
    ) -> StoreResult<Page<Erasure, ErasureId>>;

    /// Every erasure that runs.
    async fn running_erasures(&self) -> StoreResult<Vec<ErasureId>>;
}

/// Which waiting deliveries are to be given up.
#[derive(Debug, Clone, Copy)]
pub struct ExpiringQuery {
    /// Of which environment.
    pub environment: EnvironmentNo,
    /// Of events below this one.
    pub end: EventKey,
    /// After this one: the cursor.
    pub cursor: Option<DeliveryKey>,
    /// At most so many.
    pub limit: usize,
}

/// What is to be removed.
#[derive(Debug, Clone, Copy)]
pub struct SweepOrder {
    /// Of which environment.
    pub environment: EnvironmentNo,
    /// Which part of its events.
    pub part: Part,
    /// Of events below this one.
    pub end: EventKey,
    /// Attempts of events below this one go too: those of deliveries that were made late.
    pub attempts_end: EventKey,
    /// Begins again with the oldest event that has its payload: so attempts go too that were made
    /// after those of their event had gone.
    pub again: bool,
}

/// What a step removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// From so many events.
    pub events: u64,
    /// So many of them were damaged, and went whole.
    pub damaged: u64,
    /// Up to here nothing is left to remove.
    pub upto: EventKey,
    /// What follows.
    pub next: SweepNext,
}

/// What follows a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SweepNext {
    /// Another step.
    More,
    /// Nothing: everything of age is removed.
    Reached,
    /// The next event cannot go yet: what waits of it has to end first, and these dead letters
    /// have to let their lanes go on.
    HeldUp(Vec<DeliveryKey>),
}

/// What is left of deleted tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purged {
    /// So many events went, and there is more to do.
    Some(u64),
    /// Something of the next event is still under way.
    HeldUp,
    /// Nothing is left.
    Nothing,
}

/// What became of an event that is to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErasedEvent {
    /// Everything but its id, type and time is gone.
    Erased,
    /// These deliveries have not ended.
    Waiting(Vec<DeliveryKey>),
    /// There is no such event.
    NotFound,
}

/// What a step of an erasure did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErasureStep {
    /// There is more to do.
    More,
    /// These deliveries have to end first.
    Waiting(TenantNo, Vec<DeliveryKey>),
    /// It has ended.
    Ended,
}
