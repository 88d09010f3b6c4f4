//! The clock's part: shards are woken when a retry is due, checkpoints move, indexes are filled.

use super::Runner;
use angarium_core::id::{EventKey, ShardId};
use angarium_core::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// How often checkpoints move; what waits longer than two seconds gets a row then (rule 10).
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// How often the store may fill its listing indexes when it has nothing more to do at once.
const INDEX_EVERY: u32 = 2;
/// Pause between two steps of upkeep, so that commits go first.
const BREATH: Duration = Duration::from_millis(5);
/// Timers closer together than this are served together.
const GRAIN: Duration = Duration::from_millis(2);
/// The longest sleep, after which the clock is read again: it may have jumped (D17).
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

impl Runner {
    pub(super) async fn wake_for_ever(self: Arc<Self>) {
        loop {
            let wait = self.shards.next_wake().since(self.now()).min(LONGEST_SLEEP);
            tokio::select! {
                biased;
                () = self.earlier.notified() => continue,
                () = self.parts.clock.sleep(wait.max(GRAIN)) => {}
            }
            self.look_for_room();
            for id in self.shards.due(self.now()) {
                let _ = self.with(id, |owned, now, fx| owned.machine.tick(now, fx));
            }
        }
    }

    pub(super) async fn keep_up_for_ever(self: Arc<Self>) {
        let mut turns = tokio::time::interval(CHECKPOINT_EVERY);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for turn in 0u32.. {
            turns.tick().await;
            self.look_for_room();
            self.write_checkpoints();
            self.count_slow();
            self.feed_starved();
            self.look_over();
            if turn.is_multiple_of(INDEX_EVERY) {
                self.fill_indexes().await;
            }
        }
    }

    /// Every shard's checkpoint moves as far as it goes; nothing is written where nothing changed.
    pub(super) fn write_checkpoints(self: &Arc<Self>) {
        let newest = |id| self.shards.look(id, angarium_core::shard::Shard::high_water);
        let high_water = ShardId::all().filter_map(newest).max().unwrap_or(EventKey::ZERO);
        for id in ShardId::all() {
            let _ = self.with(id, |owned, now, _| owned.machine.checkpoint(high_water, now));
        }
    }

    fn count_slow(&self) {
        let now: Timestamp = self.now();
        let slow = |id| self.shards.look(id, |shard| shard.slow_attempts(now));
        self.budget.set_slow(ShardId::all().filter_map(slow).sum());
    }

    async fn fill_indexes(self: &Arc<Self>) {
        loop {
            let done = match self.parts.store.upkeep(self.now()).await {
                Ok(done) => done,
                Err(error) => return tracing::warn!(%error, "upkeep of the store failed"),
            };
            for id in ShardId::all() {
                let upto = done.own_ids_indexed_upto;
                let _ = self.with(id, |owned, now, _| owned.machine.own_ids_indexed(upto, now));
            }
            if !done.more {
                return;
            }
            tokio::time::sleep(BREATH).await;
        }
    }
}
