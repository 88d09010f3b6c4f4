//! The shards' machines behind their locks, and the queue of those that have something to commit.

use super::Runner;
use super::uncommitted::Entered;
use angarium_core::id::{Epoch, ShardId};
use angarium_core::shard::{Effects, Reply, Shard};
use angarium_core::time::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// Who waits for a reply of a machine, and what is counted as waiting until it is given.
#[derive(Debug)]
pub(super) struct Ticket {
    reply: oneshot::Sender<Reply>,
    _entered: Option<Entered>,
}

impl Ticket {
    pub(super) fn new(entered: Option<Entered>) -> (Self, oneshot::Receiver<Reply>) {
        let (reply, receiver) = oneshot::channel();
        (Self { reply, _entered: entered }, receiver)
    }

    /// A caller that went away needs no answer.
    pub(super) fn answer(self, reply: Reply) {
        let _ = self.reply.send(reply);
    }
}

/// A machine of the runner.
pub(super) type Machine = Shard<Ticket>;

/// All machines.
pub(super) struct Shards {
    slots: Vec<Slot>,
}

struct Slot {
    /// None while the shard is being read from the store.
    machine: Mutex<Option<Owned>>,
    /// When the machine wants to be woken, in milliseconds; `i64::MAX` for never.
    wake_at: AtomicI64,
    /// Whether an attempt waits only for a slot of the node.
    starved: AtomicBool,
    /// Whether some wait for their turn.
    crowded: AtomicBool,
}

/// A machine with the ownership under which it was made.
pub(super) struct Owned {
    pub(super) epoch: Epoch,
    pub(super) machine: Machine,
    /// Whether the shard stands in the commit queue.
    queued: bool,
}

impl Shards {
    pub(super) fn new() -> Self {
        let slot = |_| Slot {
            machine: Mutex::new(None),
            wake_at: AtomicI64::new(i64::MAX),
            starved: AtomicBool::new(false),
            crowded: AtomicBool::new(false),
        };
        Self { slots: ShardId::all().map(slot).collect() }
    }

    fn slot(&self, id: ShardId) -> &Slot {
        &self.slots[usize::from(id.get()) % self.slots.len()]
    }

    fn lock(&self, id: ShardId) -> MutexGuard<'_, Option<Owned>> {
        self.slot(id).machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a machine without changing it; none while it is being read from the store.
    pub(super) fn look<R>(&self, id: ShardId, look: impl FnOnce(&Machine) -> R) -> Option<R> {
        self.lock(id).as_ref().map(|owned| look(&owned.machine))
    }

    /// Puts a machine in its place.
    pub(super) fn install(&self, id: ShardId, epoch: Epoch, machine: Machine) {
        *self.lock(id) = Some(Owned { epoch, machine, queued: false });
    }

    /// Takes a machine out of its place.
    pub(super) fn remove(&self, id: ShardId) -> Option<Machine> {
        self.lock(id).take().map(|owned| owned.machine)
    }

    /// Takes a shard's batch for the commit that begins now.
    pub(super) fn take_batch(&self, id: ShardId) -> Option<angarium_core::batch::ShardBatch> {
        let mut guard = self.lock(id);
        let owned = guard.as_mut()?;
        owned.queued = false;
        owned.machine.take_batch()
    }

    /// The shard that wants to be woken first.
    pub(super) fn next_wake(&self) -> Timestamp {
        let wake_at = |slot: &Slot| slot.wake_at.load(Ordering::Relaxed);
        Timestamp::from_millis(self.slots.iter().map(wake_at).min().unwrap_or(i64::MAX))
    }

    /// Shards whose time has come.
    pub(super) fn due(&self, now: Timestamp) -> Vec<ShardId> {
        let is_due =
            |id: &ShardId| self.slot(*id).wake_at.load(Ordering::Relaxed) <= now.as_millis();
        ShardId::all().filter(is_due).collect()
    }

    /// Whether a shard waits for a slot of the node.
    pub(super) fn has_starved(&self) -> bool {
        self.slots.iter().any(|slot| slot.starved.load(Ordering::Relaxed))
    }

    /// Shards that wait for a slot of the node; they are asked once.
    pub(super) fn take_starved(&self) -> Vec<ShardId> {
        self.take_marked(|slot| &slot.starved)
    }

    /// Shards whose attempts wait for their turn; they are asked once.
    pub(super) fn take_crowded(&self) -> Vec<ShardId> {
        self.take_marked(|slot| &slot.crowded)
    }

    fn take_marked(&self, mark: impl Fn(&Slot) -> &AtomicBool) -> Vec<ShardId> {
        let is_marked = |id: &ShardId| {
            let mark = mark(self.slot(*id));
            mark.load(Ordering::Relaxed) && mark.swap(false, Ordering::Relaxed)
        };
        ShardId::all().filter(is_marked).collect()
    }
}

/// Shards that have something to commit.
#[derive(Debug, Default)]
pub(super) struct CommitQueue {
    waiting: Mutex<Vec<ShardId>>,
    /// Whether a commit is under way.
    committing: AtomicBool,
    filled: Notify,
}

impl CommitQueue {
    fn push(&self, id: ShardId) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(id);
        if waiting.len() == 1 {
            self.filled.notify_one();
        }
    }

    /// Everything that waits; waits until something does.
    pub(super) async fn take(&self) -> Vec<ShardId> {
        loop {
            let filled = self.filled.notified();
            let waiting = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *waiting)
            };
            if !waiting.is_empty() {
                self.committing.store(true, Ordering::SeqCst);
                return waiting;
            }
            self.committing.store(false, Ordering::SeqCst);
            filled.await;
        }
    }

    /// Whether something waits or is being committed.
    pub(super) fn is_busy(&self) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        !waiting.is_empty() || self.committing.load(Ordering::SeqCst)
    }
}

/// A shard is being read from the store, and serves nobody meanwhile.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShardOut;

impl Runner {
    /// Gives a machine an input and carries out what it asks for.
    pub(super) fn with<R>(
        self: &Arc<Self>,
        id: ShardId,
        input: impl FnOnce(&mut Owned, Timestamp, &mut Effects<Ticket>) -> R,
    ) -> Result<R, ShardOut> {
        let slots = if self.may_start() { self.budget.free() } else { 0 };
        let slow_slots = self.budget.free_for_slow().min(slots);
        let mut fx = Effects::new(slots, slow_slots);
        fx.room = self.uncommitted.room();
        fx.publishers = self.publishers();
        let (result, epoch) = {
            let mut guard = self.shards.lock(id);
            let owned = guard.as_mut().ok_or(ShardOut)?;
            let result = input(owned, self.now(), &mut fx);
            self.after_input(id, owned, &fx);
            (result, owned.epoch)
        };
        self.carry_out(id, epoch, fx);
        Ok(result)
    }

    /// While the lock is held: the shard's place in the commit queue, its timer, its slots.
    fn after_input(&self, id: ShardId, owned: &mut Owned, fx: &Effects<Ticket>) {
        if !owned.queued && owned.machine.wants_commit() {
            owned.queued = true;
            self.queue.push(id);
            self.stir.note();
        }
        let slot = self.shards.slot(id);
        let wake_at = owned.machine.wake_at().map_or(i64::MAX, Timestamp::as_millis);
        if slot.wake_at.swap(wake_at, Ordering::Relaxed) > wake_at {
            self.earlier.notify_one();
        }
        if fx.starved {
            slot.starved.store(true, Ordering::Relaxed);
        }
        if fx.crowded {
            slot.crowded.store(true, Ordering::Relaxed);
            self.crowd.notify_one();
        }
        if fx.starved || fx.crowded || !fx.attempts.is_empty() {
            self.stir.note();
        }
        self.budget.take(fx.attempts.len());
    }

    fn carry_out(self: &Arc<Self>, id: ShardId, epoch: Epoch, fx: Effects<Ticket>) {
        for (ticket, reply) in fx.replies {
            ticket.answer(reply);
        }
        if !fx.notices.is_empty() {
            self.told.tell(fx.notices, &self.parts.limits);
        }
        for start in fx.attempts {
            tokio::spawn(Arc::clone(self).attempt(id, epoch, start));
        }
        for load in fx.loads {
            tokio::spawn(Arc::clone(self).load(id, epoch, load));
        }
    }
}
