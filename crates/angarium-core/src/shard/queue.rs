//! One endpoint's deliveries in memory: ready, waiting for their time, and in flight.
//!
//! What does not fit stays in the store as rows; the queue knows when the earliest of them is due.

mod overflow;
mod refill;
mod rowless;
mod slots;

pub(super) use slots::Backlog;

use super::held::{Existence, Held, Kept, Recorded, Sending};
use super::lanes::{Arrival, BatchNo, Lanes};
use crate::batch::Standing;
use crate::endpoint::{Endpoint, EndpointHealth, EndpointStatus};
use crate::gate::Gate;
use crate::id::{DeliveryKey, EventKey, Generation};
use crate::lane::Lane;
use crate::limits::Limits;
use crate::notice::{Growth, Letters, Turn};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How far ahead a retry may be due to wait in memory rather than in the store only.
const NEAR: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) existence: Existence,
    /// The newest version that was accepted, committed or not.
    pub(super) version: u64,
    /// The newest version that a person made, or that was there at the start.
    pub(super) changed_at: u64,
    /// The last sequence number that was given to a delivery.
    pub(super) sequence: u64,
    pub(super) health: EndpointHealth,
    /// Counters changed since the last checkpoint.
    pub(super) dirty: bool,
    /// When the timer of this queue stands, if it does.
    pub(super) timer: Option<Timestamp>,
    pub(super) lanes: Lanes,
    /// What people have been told of its dead letters and its backlog.
    pub(super) letters: Letters,
    pub(super) growth: Growth,
    pub(super) gate: Gate,
    /// What the gate holds may start at this time, if nothing else opens it before.
    pub(super) opens_at: Option<Timestamp>,
    /// Whether it waits for its turn in the shard's crowd.
    pub(super) in_crowd: bool,
    ready: VecDeque<Held>,
    /// Deliveries without a row that come after everything that the store has (`overflow.rs`).
    overflow: VecDeque<Held>,
    waiting: BTreeMap<(Timestamp, EventKey, Generation), Held>,
    sending: BTreeMap<(EventKey, Generation), Sending>,
    /// Deliveries of events that are being committed; their places are kept.
    reserved: usize,
    /// The earliest due time among the rows that are not in memory.
    unloaded: Option<Timestamp>,
    loading: bool,
    /// Deliveries whose rows a commit changed while due rows were being read: what is read of them
    /// is out of date.
    outdated: BTreeSet<(EventKey, Generation)>,
}

impl Queue {
    pub(super) fn new(endpoint: Arc<Endpoint>) -> Self {
        Self {
            existence: Existence::Alive,
            version: endpoint.config.version,
            changed_at: endpoint.config.version,
            endpoint,
            sequence: 0,
            health: EndpointHealth::default(),
            dirty: false,
            timer: None,
            lanes: Lanes::default(),
            letters: Letters::default(),
            growth: Growth::default(),
            gate: Gate::default(),
            opens_at: None,
            in_crowd: false,
            ready: VecDeque::new(),
            overflow: VecDeque::new(),
            waiting: BTreeMap::new(),
            sending: BTreeMap::new(),
            reserved: 0,
            unloaded: None,
            loading: false,
            outdated: BTreeSet::new(),
        }
    }

    /// Whether attempts may start at all.
    pub(super) fn is_open(&self) -> bool {
        self.existence == Existence::Alive && self.endpoint.config.status == EndpointStatus::Active
    }

    /// Whether there is room in memory for one that comes last (rule 4).
    pub(super) fn has_room(&self, limits: &Limits, now: Timestamp) -> bool {
        self.overflow.is_empty() && !self.is_behind_rows(now) && self.free(limits) > 0
    }

    /// Whether older ones are due in the store.
    fn is_behind_rows(&self, now: Timestamp) -> bool {
        self.loading || self.unloaded.is_some_and(|due| due <= now)
    }

    fn free(&self, limits: &Limits) -> usize {
        let held = self.ready.len() + self.waiting.len() + self.lanes.behind() + self.reserved;
        limits.endpoint_ready.saturating_sub(held)
    }

    /// Keeps a place for a delivery whose event is being committed.
    pub(super) fn reserve(&mut self) {
        self.reserved += 1;
    }

    /// Puts a delivery in the place that was kept for it.
    pub(super) fn fill_reserved(&mut self, held: Held) {
        self.reserved = self.reserved.saturating_sub(1);
        self.ready.push_back(held);
    }

    /// Puts a follower in the place that was kept for it, or at the end of those that are ready if
    /// nobody is before it any more. One whose place is in the store is given back.
    pub(super) fn fill_reserved_behind(&mut self, lane: Lane, held: Held) -> Option<Held> {
        self.reserved = self.reserved.saturating_sub(1);
        self.push_behind(lane, held)
    }

    /// As [`Queue::fill_reserved_behind`], after a restart.
    pub(super) fn push_behind(&mut self, lane: Lane, held: Held) -> Option<Held> {
        match self.lanes.arrived(lane, held) {
            Arrival::Ready(held) => self.ready.push_back(held),
            Arrival::Behind => {}
            Arrival::Stored(held) => return Some(held),
        }
        None
    }

    /// An event holds its lane no longer: the next one in memory becomes ready.
    pub(super) fn release(&mut self, event: EventKey, now: Timestamp) {
        let next = self.lanes.release(event);
        self.ready.extend(next.map(|held| Held { due: now, ..held }));
    }

    /// The end of a lane's head is committed: the next one in memory becomes ready.
    pub(super) fn head_ended(&mut self, lane: Lane, now: Timestamp) {
        let next = self.lanes.head_ended(lane);
        self.ready.extend(next.map(|held| Held { due: now, ..held }));
    }

    /// A commit has ended: lanes that waited for it go on.
    pub(super) fn commit_ended(&mut self, committed: BatchNo, now: Timestamp) {
        let next = self.lanes.commit_ended(committed);
        self.ready.extend(next.into_iter().map(|held| Held { due: now, ..held }));
    }

    /// Puts a delivery at the end of those that are ready.
    pub(super) fn push_ready(&mut self, held: Held) {
        self.ready.push_back(held);
    }

    /// Keeps a retry in memory if it is near and there is room; else it is in the store only.
    pub(super) fn wait(&mut self, held: Held, limits: &Limits, now: Timestamp) -> Kept {
        let behind = self.unloaded.is_some_and(|due| due <= held.due);
        if behind || held.due > now + NEAR || self.free(limits) == 0 {
            self.note_unloaded(held.due);
            return Kept::InStore;
        }
        self.waiting.insert((held.due, held.event.key, held.generation), held);
        Kept::InMemory
    }

    /// Moves retries whose time has come to those that are ready.
    pub(super) fn wake(&mut self, now: Timestamp) {
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 > now {
                return;
            }
            self.ready.push_back(entry.remove());
        }
    }

    /// Takes the next delivery to send.
    pub(super) fn next_to_send(&mut self) -> Option<Held> {
        self.ready.pop_front()
    }

    /// Puts a delivery in flight.
    pub(super) fn send(&mut self, held: Held, now: Timestamp) {
        let key = (held.event.key, held.generation);
        self.gate.started(&self.endpoint.gate, now);
        let version = self.endpoint.config.version;
        let (last_for, recorded, turn) = (None, None, None);
        let sending = Sending { held, started_at: now, version, last_for, recorded, turn };
        self.sending.insert(key, sending);
    }

    /// An attempt that is under way or not yet recorded.
    pub(super) fn sending_mut(&mut self, key: DeliveryKey) -> Option<&mut Sending> {
        self.sending.get_mut(&(key.event, key.generation))
    }

    /// Frees the slot of an attempt whose record is committed.
    pub(super) fn free_slot(&mut self, key: DeliveryKey) -> Option<(Held, Recorded, Option<Turn>)> {
        let recorded = self.sending.get(&(key.event, key.generation))?.recorded?;
        let sending = self.sending.remove(&(key.event, key.generation))?;
        Some((sending.held, recorded, sending.turn))
    }

    /// A retry that is being recorded will not wait in memory: only its row counts.
    pub(super) fn leave_retry_to_row(&mut self, key: DeliveryKey) {
        if let Some(sending) = self.sending_mut(key)
            && matches!(sending.recorded, Some(Recorded::Waits(_)))
        {
            sending.recorded = Some(Recorded::Waits(None));
        }
    }

    /// Whether an attempt is under way whose outcome is not known.
    pub(super) fn is_sending(&self, key: DeliveryKey) -> bool {
        self.sending
            .get(&(key.event, key.generation))
            .is_some_and(|sending| sending.recorded.is_none())
    }

    /// Attempts under way or not yet recorded.
    pub(super) fn in_flight(&self) -> usize {
        self.sending.len()
    }

    /// Whether a delivery waits in memory behind the head of its lane.
    pub(super) fn is_behind(&self, key: DeliveryKey) -> bool {
        self.lanes.has_behind(key)
    }

    /// Takes a delivery that is ready or waits out of memory.
    pub(super) fn take(&mut self, key: DeliveryKey) -> Option<Held> {
        let is_it = |held: &Held| held.is(key);
        for line in [&mut self.ready, &mut self.overflow] {
            if let Some(place) = line.iter().position(is_it) {
                return line.remove(place);
            }
        }
        let waiting = self.waiting.iter().find(|(_, held)| is_it(held)).map(|(key, _)| *key)?;
        self.waiting.remove(&waiting)
    }

    /// Takes everything that is not in flight out of memory.
    pub(super) fn take_all(&mut self) -> Vec<(Held, Standing)> {
        let waiting = std::mem::take(&mut self.waiting).into_values();
        let overflow = std::mem::take(&mut self.overflow);
        let heads = std::mem::take(&mut self.ready).into_iter().chain(waiting).chain(overflow);
        let heads = heads.map(|held| (held, Standing::Head));
        let behind = self.lanes.take_all().into_iter().map(|held| (held, Standing::Behind));
        heads.chain(behind).collect()
    }

    /// Everything that is in memory.
    pub(super) fn held_keys(&self) -> BTreeSet<(EventKey, Generation)> {
        let held = self.ready.iter().chain(self.waiting.values());
        let held = held.map(|held| (held.event.key, held.generation));
        held.chain(self.sending.keys().copied()).collect()
    }

    /// When this queue next needs a look: a retry in memory or a row in the store becomes due.
    pub(super) fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.is_open() {
            return None;
        }
        let waiting = self.waiting.first_key_value().map(|((due, ..), _)| *due);
        // Rows that are due already are loaded as memory empties, not by the clock.
        let unloaded = self.unloaded.filter(|due| *due > now && !self.loading);
        [waiting, unloaded, self.opens_at].into_iter().flatten().min()
    }

    /// Whether nothing of it is in memory or under way.
    pub(super) fn is_idle(&self) -> bool {
        self.ready.is_empty()
            && self.overflow.is_empty()
            && self.waiting.is_empty()
            && self.sending.is_empty()
            && self.reserved == 0
            && self.lanes.is_idle()
    }
}
