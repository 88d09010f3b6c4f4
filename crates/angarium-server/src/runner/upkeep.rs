//! The clock's part: shards are woken when a retry is due, checkpoints move, indexes are filled.
//!
//! Upkeep follows what happens. Where nothing does, it sleeps too: an idle server writes nothing
//! and wakes a few times an hour.

use super::Runner;
use super::shards::Machine;
use angarium_core::id::{EventKey, ShardId};
use angarium_core::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// How often checkpoints move; what waits longer than two seconds gets a row then (rule 10).
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// In how many turns the store may fill its listing indexes once, when it has nothing more to do at
/// once.
const INDEX_EVERY: u32 = 2;
/// How often the store is looked after while nothing happens: records expire by the clock alone.
const IDLE_TURN: Duration = Duration::from_secs(300);
/// Pause between two steps of upkeep, so that commits go first.
const BREATH: Duration = Duration::from_millis(5);
/// Timers closer together than this are served together.
const GRAIN: Duration = Duration::from_millis(2);

/// Whether anything has happened that upkeep has to follow.
#[derive(Debug, Default)]
pub(super) struct Stir {
    happened: AtomicBool,
    bell: Notify,
}

impl Stir {
    /// Something happens.
    pub(super) fn note(&self) {
        if !self.happened.swap(true, Ordering::SeqCst) {
            self.bell.notify_one();
        }
    }

    /// Whether anything has happened since this was asked before.
    fn take(&self) -> bool {
        self.happened.swap(false, Ordering::SeqCst)
    }

    async fn wait(&self) {
        while !self.happened.load(Ordering::SeqCst) {
            self.bell.notified().await;
        }
    }
}

impl Runner {
    pub(super) async fn wake_for_ever(self: Arc<Self>) {
        loop {
            let wake_at = self.shards.next_wake().max(self.now() + GRAIN);
            tokio::select! {
                biased;
                () = self.earlier.notified() => continue,
                () = self.parts.clock.sleep_until(wake_at) => {}
            }
            self.look_for_room();
            for id in self.shards.due(self.now()) {
                let _ = self.with(id, |owned, now, fx| owned.machine.tick(now, fx));
            }
        }
    }

    /// Sees to it that the store is looked after soon, although no event asks for it.
    pub fn look_after_store(&self) {
        self.stir.note();
    }

    pub(super) async fn keep_up_for_ever(self: Arc<Self>) {
        let mut quiet = 0;
        for turn in 0u32.. {
            let is_idle = quiet > INDEX_EVERY;
            self.look_for_room();
            self.write_checkpoints(Machine::checkpoint);
            self.count_slow();
            self.feed_starved();
            self.look_over();
            if is_idle || turn.is_multiple_of(INDEX_EVERY) {
                self.fill_indexes().await;
            }
            let happened = self.stir.take() || self.has_unfinished();
            quiet = if happened { 0 } else { quiet.saturating_add(1) };
            if quiet > INDEX_EVERY {
                tokio::select! {
                    biased;
                    () = self.stir.wait() => {}
                    () = tokio::time::sleep(IDLE_TURN) => {}
                }
            }
            tokio::time::sleep(CHECKPOINT_EVERY).await;
        }
    }

    /// Whether anything is under way that the next turn may have to do something for.
    fn has_unfinished(&self) -> bool {
        let now = self.now();
        let is_at_rest = |id| self.shards.look(id, |shard| !shard.is_watched(now)).unwrap_or(false);
        self.budget.in_flight() > 0
            || self.queue.is_busy()
            || self.shards.has_starved()
            || !self.recording.is_possible()
            || !ShardId::all().all(is_at_rest)
    }

    /// Every shard's checkpoint moves as far as it goes; nothing is written where nothing changed.
    pub(super) fn write_checkpoints(
        self: &Arc<Self>,
        write: impl Fn(&mut Machine, EventKey, Timestamp),
    ) {
        let newest = |id| self.shards.look(id, angarium_core::shard::Shard::high_water);
        let high_water = ShardId::all().filter_map(newest).max().unwrap_or(EventKey::ZERO);
        for id in ShardId::all() {
            let _ = self.with(id, |owned, now, _| write(&mut owned.machine, high_water, now));
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
                Err(error) => {
                    self.stir.note();
                    return tracing::warn!(%error, "upkeep of the store failed");
                }
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
