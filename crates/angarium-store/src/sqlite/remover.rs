//! [`Removal`] of the embedded store.

use super::{SqliteStore, clock, erase, erasures, purge, sweep};
use crate::error::StoreResult;
use crate::read::{DeliveryRow, Page};
use crate::removal::{
    ErasedEvent, ErasureStep, ExpiringQuery, Purged, Removal, SweepNext, SweepOrder, Swept,
};
use angarium_core::batch::Trace;
use angarium_core::erasure::Erasure;
use angarium_core::id::{DeliveryKey, ErasureId, EventKey, TenantNo};
use angarium_core::retention::Looked;
use angarium_core::time::Timestamp;
use async_trait::async_trait;

#[async_trait]
impl Removal for SqliteStore {
    async fn expiring(&self, query: ExpiringQuery) -> StoreResult<Page<DeliveryRow, DeliveryKey>> {
        self.read(move |view| sweep::expiring(view, query)).await
    }

    async fn sweep(&self, order: SweepOrder, now: Timestamp) -> StoreResult<Swept> {
        let swept = self.write_alone(move |tx| sweep::step(tx, &order, now)).await?;
        if swept.next != SweepNext::More {
            self.scrub().await?;
        }
        Ok(swept)
    }

    async fn sweep_audit(&self, upto: Timestamp) -> StoreResult<u64> {
        self.write_alone(move |tx| sweep::audit(tx, upto)).await
    }

    async fn purge(&self) -> StoreResult<Purged> {
        let purged = self.write_alone(purge::step).await?;
        if !matches!(purged, Purged::Some(_)) {
            self.scrub().await?;
        }
        Ok(purged)
    }

    async fn clock_looked_at(&self) -> StoreResult<(Option<Looked>, Timestamp)> {
        self.read(clock::looked_at).await
    }

    async fn note_clock(&self, looked: Looked) -> StoreResult<()> {
        self.write_alone(move |tx| clock::note(tx, looked)).await
    }

    async fn erase_event(
        &self,
        tenant: TenantNo,
        event: EventKey,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<ErasedEvent> {
        let erase = self.write_alone(move |tx| erase::event(tx, tenant, event, &trace, now));
        let erased = erase.await?;
        if erased == ErasedEvent::Erased {
            self.scrub().await?;
        }
        Ok(erased)
    }

    async fn create_erasure(
        &self,
        erasure: &Erasure,
        subject: &str,
        most: usize,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<bool> {
        let (erasure, subject) = (erasure.clone(), subject.to_owned());
        self.write(move |tx| erasures::create(tx, &erasure, &subject, most, &trace, now)).await
    }

    async fn step_erasure(&self, id: ErasureId, now: Timestamp) -> StoreResult<ErasureStep> {
        let step = self.write_alone(move |tx| erasures::step(tx, id, now)).await?;
        if step == ErasureStep::Ended {
            self.scrub().await?;
        }
        Ok(step)
    }

    async fn erasure(&self, id: ErasureId) -> StoreResult<Option<Erasure>> {
        self.read(move |view| erasures::find(view, id)).await
    }

    async fn erasures(
        &self,
        tenant: TenantNo,
        before: Option<ErasureId>,
        limit: usize,
    ) -> StoreResult<Page<Erasure, ErasureId>> {
        self.read(move |view| erasures::list(view, tenant, before, limit)).await
    }

    async fn running_erasures(&self) -> StoreResult<Vec<ErasureId>> {
        self.read(erasures::running).await
    }
}
