//! The group committer: everything that waits in all shards goes into one commit, and whoever waits
//! is answered after its sync.

use super::Runner;
use angarium_core::batch::{BatchResult, ShardBatch};
use angarium_core::id::ShardId;
use angarium_core::shard::Ownership;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Runner {
    pub(super) async fn commit_for_ever(self: Arc<Self>) {
        loop {
            let waiting = self.queue.take().await;
            let batches = waiting.into_iter().filter_map(|id| self.shards.take_batch(id));
            let batches: Vec<ShardBatch> = batches.collect();
            if !batches.is_empty() {
                self.commit(batches).await;
            }
        }
    }

    async fn commit(self: &Arc<Self>, batches: Vec<ShardBatch>) {
        let batches = Arc::new(batches);
        self.counts.commits.fetch_add(1, Ordering::Relaxed);
        let ended = self.parts.store.commit(Arc::clone(&batches), self.now()).await;
        self.look_for_room();
        match ended {
            Ok(results) => {
                self.recording.succeed();
                let lost: Vec<_> = batches
                    .iter()
                    .zip(&results)
                    .filter(|(batch, result)| self.committed(batch, result) == Ownership::Lost)
                    .map(|(batch, _)| batch.shard)
                    .collect();
                self.feed_starved();
                if !lost.is_empty() {
                    tracing::error!(shards = lost.len(), "shards have another owner");
                    self.reload(lost).await;
                }
            }
            Err(error) => {
                let shards: Vec<ShardId> = batches.iter().map(|batch| batch.shard).collect();
                let pause = self.recording.fail();
                tracing::error!(%error, ?pause, "a commit failed; its shards are read anew");
                tokio::time::sleep(pause).await;
                self.reload(shards).await;
            }
        }
    }

    fn committed(self: &Arc<Self>, batch: &ShardBatch, result: &BatchResult) -> Ownership {
        let ended = batch.deliveries.iter().filter(|write| write.attempt.is_some()).count();
        let applied = self.with(batch.shard, |owned, now, fx| {
            if owned.epoch != batch.epoch {
                return Ownership::Ours;
            }
            self.budget.give_back(ended);
            fx.slots = fx.slots.saturating_add(ended);
            if !self.may_start() {
                fx.slots = 0;
            }
            owned.machine.committed(batch, result, now, fx)
        });
        let accepted = u64::try_from(batch.events.len()).unwrap_or_default();
        self.counts.accepted.fetch_add(accepted, Ordering::Relaxed);
        applied.unwrap_or(Ownership::Ours)
    }

    /// Slots became free: shards that wait only for one go on.
    pub(super) fn feed_starved(self: &Arc<Self>) {
        for id in self.shards.take_starved() {
            let _ = self.with(id, |owned, now, fx| owned.machine.use_slots(now, fx));
        }
    }
}
