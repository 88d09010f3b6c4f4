//! The embedded store: SQLite in one directory, one writer, a few readers.
//!
//! The code is synchronous inside and async at its edge. With [`Mode::Threads`] a thread owns the
//! connection that writes, and others read; with [`Mode::InPlace`] the same code runs in the
//! caller and never waits, so that the simulator can drive it under its own clock.

mod log;
mod open;
mod private;
mod settings;

mod orders;
mod writer;

mod data_keys;
mod keyring;
mod reseal;

mod commit;
mod events;

mod audit;
mod deliveries;
mod endpoints;
mod environments;
mod guards;
mod trace;

mod holds;
mod replay;

mod accounts;
mod api_keys;
mod rejections;
mod sources;

mod readers;
mod recovery;

mod jobs;
mod lists;
mod recoverable;
mod rows;
mod sequence;

mod upkeep;

mod codec;
mod crc;
mod fault;
mod state;

#[cfg(test)]
mod failures;
#[cfg(test)]
mod plans;

use crate::error::{StoreError, StoreResult};
use crate::read::{
    AuditBounds, AuditQuery, DeliveryQuery, DeliveryRow, DeliveryWithAttempts, Depth, EndpointRow,
    EventQuery, EventRow, JobQuery, Page, RecoverableQuery, RejectionNo, SequenceQuery,
    SequenceRow,
};
use crate::seal::MasterKey;
use crate::{
    AccountChange, AccountChanged, Accounts, Encryption, MasterKeyRotated, Room, ShardState, Store,
    StoredAnswer, Upkeep,
};
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
use async_trait::async_trait;
use endpoints::EndpointQuery;
use fault::Fault;
use guards::Subject;
use keyring::Keyring;
use open::Database;
use orders::{Order, Orders};
use readers::{Readers, View, lock};
use recovery::DueQuery;
use rusqlite::params;
pub use settings::{Mode, SqliteConfig, Synchronous};
use state::Gauges;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use writer::{Tx, Work, Writer};

/// Threads that read.
const READERS: usize = 3;
/// Free bytes that are kept for the records of what is under way: below this nothing new is begun.
const RESERVE: u64 = 16 * 1024 * 1024;

/// The embedded store.
pub struct SqliteStore {
    orders: Orders,
    reads: Reads,
    gauges: Arc<Gauges>,
    files: Vec<PathBuf>,
}

enum Reads {
    Threads(Readers),
    WithWriter(Arc<Mutex<Writer>>),
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("files", &self.files).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens a store, or makes one; brings an older schema up to date.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::WrongMasterKey`], [`StoreError::NewerSchema`],
    /// [`StoreError::DivergentSchema`], [`StoreError::Corrupt`] or [`StoreError::CannotOpen`].
    pub fn open(config: SqliteConfig) -> StoreResult<Self> {
        let database = Database::acquire(&config)?;
        let masters = std::iter::once(&config.master_key).chain(&config.next_master_key);
        let keyring = Arc::new(Keyring::new(masters));
        database.settle()?;
        let cannot = |fault: Fault| database.cannot_open(fault);
        let mut connection = database.connect_writer().map_err(cannot)?;
        open::migrate(&mut connection)?;
        open::prepare(&mut connection, &keyring, config.master_key.id())?;
        open::inspect(&connection)?;
        let mut connections = Vec::new();
        if config.mode == Mode::Threads {
            for _ in 0..READERS {
                connections.extend(database.connect_reader().map_err(cannot)?);
            }
        }
        let files = database.files();
        let gauges = Arc::new(Gauges::default());
        let writer = Writer::new(database, connection, Arc::clone(&keyring), Arc::clone(&gauges));
        let writer = Arc::new(Mutex::new(writer.map_err(Fault::of_reading)?));
        let no_thread = |error: std::io::Error| StoreError::CannotOpen {
            path: "a thread".into(),
            reason: error.to_string(),
        };
        let reads = if connections.is_empty() {
            Reads::WithWriter(Arc::clone(&writer))
        } else {
            Reads::Threads(Readers::start(connections, &keyring).map_err(no_thread)?)
        };
        let orders = Orders::open(writer, config.mode).map_err(no_thread)?;
        Ok(Self { orders, reads, gauges, files })
    }

    /// Writes together with everything else that waits, and answers after the sync.
    async fn write<T, F>(&self, write: F) -> StoreResult<T>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        self.order(Order::Together, write).await
    }

    /// Writes in a transaction of its own, after what waits to be written together.
    async fn write_alone<T, F>(&self, write: F) -> StoreResult<T>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        self.order(Order::Alone, write).await
    }

    async fn order<T, F>(&self, order: fn(Box<dyn Work>) -> Order, write: F) -> StoreResult<T>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        let (work, answer) = writer::job(write);
        self.orders.hand_in(order(work)).await?;
        // The writer vanished with the work in its hands: nobody knows.
        answer.await.map_err(|_| StoreError::Ambiguous("the writer has ended".into()))?
    }

    /// What is free where the database is; none in memory, or if the file system does not say.
    fn free_bytes(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(self.files.first()?.parent()?).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Refuses what can be done without while only what is under way has room.
    fn ensure_room(&self) -> StoreResult<()> {
        match self.room() {
            Room::Ample => Ok(()),
            Room::Scarce => Err(StoreError::NotCommitted(format!(
                "the disk is full: less than {} MiB are free",
                RESERVE >> 20
            ))),
        }
    }

    async fn read<T, F>(&self, read: F) -> StoreResult<T>
    where
        F: FnOnce(&View<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        match &self.reads {
            Reads::Threads(readers) => readers.read(read).await,
            Reads::WithWriter(writer) => lock(writer).look(read),
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn claim(
        &self,
        shards: &[ShardId],
        now: Timestamp,
    ) -> StoreResult<Vec<(ShardId, Epoch)>> {
        let shards = shards.to_vec();
        self.write(move |tx| commit::claim(tx, &shards, now)).await
    }

    async fn commit(
        &self,
        batches: Arc<Vec<ShardBatch>>,
        now: Timestamp,
    ) -> StoreResult<Vec<BatchResult>> {
        self.write(move |tx| commit::commit(tx, &batches, now)).await
    }

    async fn load_shards(&self, shards: &[ShardId]) -> StoreResult<Vec<ShardState>> {
        let shards = shards.to_vec();
        self.read(move |view| recovery::load_shards(view, &shards)).await
    }

    async fn events_above(
        &self,
        shards: &[(ShardId, EventKey)],
        after: EventKey,
        limit: usize,
    ) -> StoreResult<(Vec<RecoveredEvent>, Option<EventKey>)> {
        let shards = shards.to_vec();
        self.read(move |view| recovery::events_above(view, &shards, after, limit)).await
    }

    async fn load_due(
        &self,
        endpoint: EndpointNo,
        due_by: Timestamp,
        skip: &[DeliveryKey],
        limit: usize,
        bytes: usize,
    ) -> StoreResult<DuePage> {
        let skip = skip.to_vec();
        let query = DueQuery { endpoint, due_by, limit, bytes };
        self.read(move |view| recovery::load_due(view, query, &skip)).await
    }

    async fn load_behind(
        &self,
        endpoint: EndpointNo,
        lane: Lane,
        limit: usize,
        bytes: usize,
    ) -> StoreResult<DuePage> {
        self.read(move |view| recovery::load_behind(view, endpoint, lane, limit, bytes)).await
    }

    async fn own_id_tail(&self) -> StoreResult<Vec<(TenantNo, Box<str>, EventKey)>> {
        self.read(upkeep::own_id_tail).await
    }

    async fn find_own_id(&self, tenant: TenantNo, own_id: &str) -> StoreResult<Option<EventKey>> {
        let own_id = own_id.to_owned();
        self.read(move |view| upkeep::find_own_id(view, tenant, &own_id)).await
    }

    async fn accounts(&self) -> StoreResult<Accounts> {
        self.read(accounts::all).await
    }

    async fn change_account(
        &self,
        change: AccountChange,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<AccountChanged> {
        self.write(move |tx| accounts::change(tx, &change, &trace, now)).await
    }

    async fn guarded_answer(
        &self,
        scope: &[u8; 32],
        now: Timestamp,
    ) -> StoreResult<Option<StoredAnswer>> {
        let scope = *scope;
        self.read(move |view| guards::answer(view, &scope, now)).await
    }

    async fn note_key_uses(&self, uses: &[(ApiKeyId, Timestamp)]) -> StoreResult<()> {
        for slice in uses.chunks(api_keys::SLICE) {
            let slice = slice.to_vec();
            self.write_alone(move |tx| api_keys::note_uses(tx, &slice)).await?;
        }
        Ok(())
    }

    async fn keep_rejections(&self, rejections: Vec<Rejection>, most: usize) -> StoreResult<()> {
        self.ensure_room()?;
        let mut rest = rejections.into_iter().peekable();
        while rest.peek().is_some() {
            let slice: Vec<_> = rest.by_ref().take(rejections::SLICE).collect();
            self.write_alone(move |tx| rejections::keep(tx, &slice, most)).await?;
        }
        Ok(())
    }

    async fn rejections(
        &self,
        source: SourceId,
        before: Option<RejectionNo>,
        limit: usize,
    ) -> StoreResult<Page<(RejectionNo, Rejection), RejectionNo>> {
        self.read(move |view| rejections::page(view, source, before, limit)).await
    }

    async fn endpoint(&self, id: EndpointId) -> StoreResult<Option<EndpointRow>> {
        self.read(move |view| endpoints::find(view, id)).await
    }

    async fn endpoints(
        &self,
        environment: EnvironmentNo,
        tenant: Option<TenantNo>,
        status: Option<EndpointStatus>,
        before: Option<EndpointNo>,
        limit: usize,
    ) -> StoreResult<Page<EndpointRow, EndpointNo>> {
        let query = EndpointQuery { environment, tenant, status, before, limit };
        self.read(move |view| endpoints::list(view, query)).await
    }

    async fn waiting(&self, endpoint: EndpointNo, most: usize) -> StoreResult<u64> {
        self.read(move |view| endpoints::waiting(view, endpoint, most)).await
    }

    async fn endpoint_ids(
        &self,
        numbers: &[EndpointNo],
    ) -> StoreResult<Vec<(EndpointNo, EndpointId)>> {
        let numbers = numbers.to_vec();
        self.read(move |view| endpoints::ids(view, &numbers)).await
    }

    async fn event(&self, tenant: TenantNo, key: EventKey) -> StoreResult<Option<EventRow>> {
        self.read(move |view| lists::event(view, tenant, key)).await
    }

    async fn events(&self, query: &EventQuery) -> StoreResult<Page<EventRow, EventKey>> {
        let query = query.clone();
        self.read(move |view| lists::events(view, &query)).await
    }

    async fn delivery(&self, key: DeliveryKey) -> StoreResult<Option<DeliveryWithAttempts>> {
        self.read(move |view| rows::delivery(view, key)).await
    }

    async fn deliveries(
        &self,
        query: &DeliveryQuery,
    ) -> StoreResult<Page<DeliveryRow, DeliveryKey>> {
        let query = query.clone();
        self.read(move |view| lists::deliveries(view, &query)).await
    }

    async fn deliveries_by_sequence(
        &self,
        query: SequenceQuery,
    ) -> StoreResult<Page<SequenceRow, EventKey>> {
        self.read(move |view| sequence::page(view, query)).await
    }

    async fn recoverable(&self, query: &RecoverableQuery) -> StoreResult<Page<Replayed, EventKey>> {
        let query = query.clone();
        self.read(move |view| recoverable::page(view, &query)).await
    }

    async fn create_job(
        &self,
        job: &Job,
        most: usize,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<bool> {
        let job = job.clone();
        self.write(move |tx| jobs::create(tx, &job, most, &trace, now)).await
    }

    async fn advance_job(&self, job: &Job, trace: Trace, now: Timestamp) -> StoreResult<bool> {
        let job = job.clone();
        self.write(move |tx| jobs::advance(tx, &job, &trace, now)).await
    }

    async fn job(&self, id: JobId) -> StoreResult<Option<Job>> {
        self.read(move |view| jobs::find(view, id)).await
    }

    async fn jobs(&self, query: JobQuery) -> StoreResult<Page<Job, JobId>> {
        self.read(move |view| jobs::list(view, query)).await
    }

    async fn running_jobs(&self) -> StoreResult<Vec<Job>> {
        self.read(jobs::running).await
    }

    async fn audit(&self, query: &AuditQuery) -> StoreResult<Page<Entry, EntryNo>> {
        let query = query.clone();
        self.read(move |view| audit::page(view, &query)).await
    }

    async fn audit_after(
        &self,
        bounds: AuditBounds,
        after: EntryNo,
        limit: usize,
    ) -> StoreResult<Vec<Entry>> {
        self.read(move |view| audit::after(view, bounds, after, limit)).await
    }

    async fn audit_head(&self) -> StoreResult<Link> {
        self.read(|view| audit::head(view.connection)).await
    }

    async fn upkeep(&self, now: Timestamp) -> StoreResult<Upkeep> {
        let done = self.write_alone(move |tx| upkeep::step(tx, now)).await?;
        if !done.more {
            self.orders.scrub().await?;
        }
        Ok(done)
    }

    async fn rotate_master_key(
        &self,
        next: MasterKey,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<MasterKeyRotated> {
        self.write_alone(move |tx| {
            let rotated = data_keys::rotate_master(tx, &next)?;
            if rotated == MasterKeyRotated::Done {
                trace::keep(tx, &trace, guards::NOBODY, Subject::Nothing, now)?;
            }
            Ok(rotated)
        })
        .await
    }

    async fn rotate_data_keys(
        &self,
        tenant: Option<TenantNo>,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<()> {
        self.write_alone(move |tx| {
            data_keys::retire(tx, tenant)?;
            trace::keep(tx, &trace, guards::NOBODY, Subject::Nothing, now)
        })
        .await
    }

    async fn encryption(&self) -> StoreResult<Encryption> {
        self.read(data_keys::encryption).await
    }

    async fn depth(&self, _now: Timestamp) -> StoreResult<Depth> {
        let oldest_due = self.read(recovery::oldest_due).await?;
        let size = |file: &PathBuf| std::fs::metadata(file).map_or(0, |found| found.len());
        Ok(Depth {
            pending: self.gauges.pending(),
            oldest_due,
            events: self.gauges.events(),
            bytes: self.files.iter().map(size).sum(),
        })
    }

    fn room(&self) -> Room {
        match self.free_bytes() {
            Some(0..RESERVE) => Room::Scarce,
            Some(RESERVE..) | None => Room::Ample,
        }
    }

    async fn ping(&self, now: Timestamp) -> StoreResult<()> {
        self.ensure_room()?;
        self.write(move |tx| {
            let update = "UPDATE meta SET value = ?1 WHERE name = 'pinged_at'";
            tx.connection.prepare_cached(update)?.execute(params![now.as_millis()])?;
            Ok(())
        })
        .await
    }

    async fn backup(&self, to: &Path) -> StoreResult<()> {
        match &self.reads {
            Reads::Threads(readers) => readers.copy(to.to_owned()).await,
            Reads::WithWriter(writer) => lock(writer).copy(to),
        }
    }

    async fn close(&self) {
        if let Reads::Threads(readers) = &self.reads {
            readers.close().await;
        }
        self.orders.close().await;
    }
}
