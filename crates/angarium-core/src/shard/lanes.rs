//! The lanes of one endpoint: who is at the head, who waits behind in memory, and how many wait
//! behind in the store.
//!
//! A lane's head goes like any delivery: it is ready, waits for its retry, or is in flight, in
//! memory or with a row of its own. Those behind it start one after the other, each when the record
//! of the one before is committed as final. Those in memory come before those in the store.

mod hold;
mod loading;
#[cfg(test)]
mod tests;

use super::Room;
use super::held::Held;
use crate::id::{DeliveryKey, EventKey};
use crate::lane::Lane;
use crate::waiting::StoredLane;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lines: BTreeMap<Lane, Line>,
    /// Deliveries that wait behind in memory.
    behind: usize,
    /// Lanes that stand still, by the event whose dead letter holds them.
    held: BTreeMap<EventKey, Lane>,
    /// Lanes whose next delivery is to be read from the store.
    to_load: BTreeSet<Lane>,
    /// Lanes that wait for rows that are still being committed, until the next commit.
    too_early: BTreeSet<Lane>,
    /// Lanes in which rows are being written that stand before others, by the batch that has them:
    /// until it is committed nothing of the lane begins or is read, or the younger would go first.
    writing: BTreeMap<Lane, BatchNo>,
    /// Commits that have ended.
    ended: u64,
}

/// The number of a shard's batch, in the order of its commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct BatchNo(pub(super) u64);

#[derive(Debug, Default)]
struct Line {
    head: Head,
    behind: VecDeque<Held>,
    /// Followers in memory whose events are being committed.
    coming: usize,
    /// Followers with a row that are not in memory.
    stored: usize,
    /// The first of them, as recovery found it.
    first_stored: Option<EventKey>,
    loading: Option<Loading>,
    /// Rows that a commit took away while they were being read.
    gone: Vec<DeliveryKey>,
}

/// Rows are being read.
#[derive(Debug, Clone, Copy)]
struct Loading {
    /// How many there were when they were asked for.
    expected: usize,
    commits: Commits,
    /// Commits that had ended before.
    ended: u64,
}

/// Whether a commit of the shard may still write rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Commits {
    UnderWay,
    Settled,
}

/// Whether a lane has a head, wherever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Head {
    #[default]
    Nobody,
    Somebody,
    /// A dead letter, behind which everything waits in the store.
    DeadLetter(DeliveryKey),
}

/// Where a follower stands whose event is committed now.
#[derive(Debug)]
pub(super) enum Arrival {
    /// Nobody is before it any more.
    Ready(Held),
    /// Behind others, in memory.
    Behind,
    /// Behind others in the store, where it is to be written.
    Stored(Held),
}

/// Where a new delivery of a lane stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At the head.
    Head,
    /// Behind others, in memory.
    Behind,
    /// Behind others, in the store.
    Stored,
}

impl Line {
    fn is_empty(&self) -> bool {
        self.head == Head::Nobody
            && self.behind.is_empty()
            && (self.coming, self.stored) == (0, 0)
            && self.loading.is_none()
    }
}

impl Lanes {
    /// Deliveries that wait behind in memory.
    pub(super) fn behind(&self) -> usize {
        self.behind
    }

    /// Whether no delivery of any lane is in memory or expected there.
    pub(super) fn is_idle(&self) -> bool {
        self.behind == 0
            && self.lines.values().all(|line| line.coming == 0 && line.loading.is_none())
    }

    /// Gives a new delivery its place.
    pub(super) fn enter(&mut self, lane: Lane, room: Room) -> Place {
        let line = self.lines.entry(lane).or_default();
        if line.is_empty() {
            line.head = Head::Somebody;
            return Place::Head;
        }
        let is_in_memory = line.stored == 0 && line.loading.is_none() && !line.is_held();
        if room == Room::Free && is_in_memory {
            line.coming += 1;
            return Place::Behind;
        }
        line.stored += 1;
        Place::Stored
    }

    /// Gives a delivery without a row its place after a restart: before the rows of younger events.
    pub(super) fn reenter(&mut self, lane: Lane, event: EventKey, room: Room) -> Place {
        let line = self.lines.entry(lane).or_default();
        let is_older = line.first_stored.is_none_or(|first| event < first);
        if line.head == Head::Nobody && line.coming == 0 && is_older {
            line.head = Head::Somebody;
            return Place::Head;
        }
        if room == Room::Free && is_older && !line.is_held() {
            line.coming += 1;
            return Place::Behind;
        }
        line.stored += 1;
        line.first_stored = Some(line.first_stored.map_or(event, |first| first.min(event)));
        Place::Stored
    }

    /// A follower's event is committed.
    pub(super) fn arrived(&mut self, lane: Lane, held: Held) -> Arrival {
        let line = self.lines.entry(lane).or_default();
        line.coming = line.coming.saturating_sub(1);
        match line.head {
            Head::Nobody if line.behind.is_empty() && !self.writing.contains_key(&lane) => {
                line.head = Head::Somebody;
                return Arrival::Ready(held);
            }
            Head::Nobody if line.behind.is_empty() => drop(self.too_early.insert(lane)),
            Head::Nobody | Head::Somebody => {}
            Head::DeadLetter(_) => {
                line.stored += 1;
                return Arrival::Stored(held);
            }
        }
        line.behind.push_back(held);
        self.behind += 1;
        Arrival::Behind
    }

    /// The head's end is committed: the next one, if it is in memory. One that is in the store is
    /// asked for by [`Lanes::next_load`].
    pub(super) fn head_ended(&mut self, lane: Lane) -> Option<Held> {
        self.lines.get_mut(&lane)?.head = Head::Nobody;
        self.advance(lane)
    }

    fn advance(&mut self, lane: Lane) -> Option<Held> {
        let line = self.lines.get_mut(&lane)?;
        if line.head != Head::Nobody || line.loading.is_some() {
            return None;
        }
        if self.writing.contains_key(&lane) {
            self.too_early.insert(lane);
            return None;
        }
        if let Some(next) = line.behind.pop_front() {
            line.head = Head::Somebody;
            self.behind -= 1;
            return Some(next);
        }
        if line.coming == 0 && line.stored > 0 {
            self.to_load.insert(lane);
        }
        if line.is_empty() {
            self.lines.remove(&lane);
        }
        None
    }

    /// Whether a delivery waits behind in memory.
    pub(super) fn has_behind(&self, key: DeliveryKey) -> bool {
        let behind = |line: &Line| line.behind.iter().any(|held| held.is(key));
        self.behind > 0 && self.lines.values().any(behind)
    }

    /// Takes a delivery that waits behind out of memory; its row takes its place.
    pub(super) fn take(&mut self, key: DeliveryKey) -> Option<Held> {
        for line in self.lines.values_mut() {
            if let Some(place) = line.behind.iter().position(|held| held.is(key)) {
                self.behind -= 1;
                line.stored += 1;
                return line.behind.remove(place);
            }
        }
        None
    }

    /// Takes everything that waits behind out of memory; rows take its place.
    pub(super) fn take_all(&mut self) -> Vec<Held> {
        let mut all = Vec::with_capacity(self.behind);
        for line in self.lines.values_mut() {
            line.stored += line.behind.len();
            all.extend(line.behind.drain(..));
        }
        self.behind = 0;
        all
    }

    /// Everything that waits behind in memory.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        self.lines.values_mut().flat_map(|line| line.behind.iter_mut())
    }

    /// A row that waited behind is gone.
    pub(super) fn row_gone(&mut self, lane: Lane, key: DeliveryKey) {
        if let Some(line) = self.lines.get_mut(&lane) {
            line.stored = line.stored.saturating_sub(1);
            line.gone.extend(line.loading.map(|_| key));
        }
        if self.lines.get(&lane).is_some_and(Line::is_empty) {
            self.lines.remove(&lane);
        }
    }

    /// What the store has of a lane.
    pub(super) fn recover(&mut self, stored: &StoredLane) {
        let line = self.lines.entry(stored.lane).or_default();
        line.head = if stored.has_head { Head::Somebody } else { Head::Nobody };
        line.stored = stored.behind;
        line.first_stored = (stored.behind > 0).then_some(stored.first);
    }

    /// Everything is recovered: lanes whose head is in the store ask for it.
    pub(super) fn begin(&mut self) {
        for (lane, line) in &mut self.lines {
            line.first_stored = None;
            if line.head == Head::Nobody && line.stored > 0 {
                self.to_load.insert(*lane);
            }
        }
    }
}
