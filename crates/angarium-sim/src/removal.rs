//! What removes, with faults, and in the books.

use crate::store::FaultyStore;
use angarium_core::batch::Trace;
use angarium_core::erasure::Erasure;
use angarium_core::id::{DeliveryKey, ErasureId, EventKey, TenantNo};
use angarium_core::retention::Looked;
use angarium_core::time::Timestamp;
use angarium_store::StoreResult;
use angarium_store::read::{DeliveryRow, Page};
use angarium_store::removal::{
    ErasedEvent, ErasureStep, ExpiringQuery, Purged, Removal, SweepOrder, Swept,
};
use async_trait::async_trait;

impl FaultyStore {
    /// Books what is gone at the moment in which it is durable.
    async fn sweep_and_book(&self, order: SweepOrder, now: Timestamp) -> StoreResult<Swept> {
        let swept = self.0.store.sweep(order, now).await;
        if let Ok(swept) = &swept {
            let mut world = self.0.world();
            let at = world.now().clock;
            if swept.events > 0 {
                let (part, events) = (order.part.as_str(), swept.events);
                world.note(&format!("the {part} of {events} events is removed"));
            }
            world.ledger.swept(order.part, swept.upto, at);
        }
        swept
    }
}

#[async_trait]
impl Removal for FaultyStore {
    async fn expiring(&self, query: ExpiringQuery) -> StoreResult<Page<DeliveryRow, DeliveryKey>> {
        self.read("expiring", self.0.store.expiring(query)).await
    }

    async fn sweep(&self, order: SweepOrder, now: Timestamp) -> StoreResult<Swept> {
        let failure = self.draw_failure();
        self.write(failure, self.sweep_and_book(order, now)).await
    }

    async fn sweep_audit(&self, upto: Timestamp) -> StoreResult<u64> {
        self.0.store.sweep_audit(upto).await
    }

    async fn purge(&self) -> StoreResult<Purged> {
        self.0.store.purge().await
    }

    async fn clock_looked_at(&self) -> StoreResult<(Option<Looked>, Timestamp)> {
        self.read("clock_looked_at", self.0.store.clock_looked_at()).await
    }

    async fn note_clock(&self, looked: Looked) -> StoreResult<()> {
        let failure = self.draw_failure();
        self.write(failure, self.0.store.note_clock(looked)).await
    }

    async fn erase_event(
        &self,
        tenant: TenantNo,
        event: EventKey,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<ErasedEvent> {
        self.0.store.erase_event(tenant, event, trace, now).await
    }

    async fn create_erasure(
        &self,
        erasure: &Erasure,
        subject: &str,
        most: usize,
        trace: Trace,
        now: Timestamp,
    ) -> StoreResult<bool> {
        self.0.store.create_erasure(erasure, subject, most, trace, now).await
    }

    async fn step_erasure(&self, id: ErasureId, now: Timestamp) -> StoreResult<ErasureStep> {
        self.0.store.step_erasure(id, now).await
    }

    async fn erasure(&self, id: ErasureId) -> StoreResult<Option<Erasure>> {
        self.0.store.erasure(id).await
    }

    async fn erasures(
        &self,
        tenant: TenantNo,
        before: Option<ErasureId>,
        limit: usize,
    ) -> StoreResult<Page<Erasure, ErasureId>> {
        self.0.store.erasures(tenant, before, limit).await
    }

    async fn running_erasures(&self) -> StoreResult<Vec<ErasureId>> {
        self.0.store.running_erasures().await
    }
}
