//! The embedded store: SQLite in one directory, one writer, a few readers.
//!
//! The code is synchronous inside and async at its edge. With [`Mode::Threads`] a thread owns the
//! connection that writes, and others read; with [`Mode::InPlace`] the same code runs in the
//! caller and never waits, so that the simulator can drive it under its own clock.

mod log;
mod open;
mod private;
mod settings;
mod store;

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
mod usage;

mod erase;
mod erasures;
mod purge;
mod removal;
mod remover;
mod sweep;

mod clock;
mod codec;
mod crc;
mod fault;
mod state;

#[cfg(test)]
mod failures;
#[cfg(test)]
mod plans;

use crate::error::StoreResult;
use crate::read::{
    AuditBounds, AuditQuery, DeliveryQuery, DeliveryRow, DeliveryWithAttempts, Depth, EndpointRow,
    EventQuery, EventRow, JobQuery, Page, RecoverableQuery, RejectionNo, SequenceQuery,
    SequenceRow, Usage,
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
use guards::Subject;
use recovery::DueQuery;
use rusqlite::params;
pub use settings::{Mode, SqliteConfig, Synchronous};
use std::path::Path;
use std::sync::Arc;
pub use store::SqliteStore;

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

    async fn audit_ends(&self) -> StoreResult<(Link, Link)> {
        self.read(|view| Ok((audit::base(view.connection)?, audit::head(view.connection)?))).await
    }

    async fn upkeep(&self, now: Timestamp) -> StoreResult<Upkeep> {
        let done = self.write_alone(move |tx| upkeep::step(tx, now)).await?;
        if !done.more {
            self.scrub().await?;
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
        Ok(Depth {
            oldest_due: self.read(recovery::oldest_due).await?,
            pending: self.gauges().pending(),
            events: self.gauges().events(),
            oldest_event: self.read(sweep::oldest_event).await?,
            bytes: self.bytes(),
        })
    }

    fn room(&self) -> Room {
        self.room_on_disk()
    }

    fn usage(&self, tenant: TenantNo) -> Usage {
        self.gauges().usages.of(tenant)
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
        self.copy(to).await
    }

    async fn close(&self) {
        self.end().await;
    }
}
