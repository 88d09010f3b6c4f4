//! The checkpoint: below it, every pair of event and endpoint has a row, and no counter says less
//! than its events.

use super::Shard;
use super::portions::Portions;
use super::rowless::ROWLESS_AT_MOST;
use crate::batch::Checkpoint;
use crate::endpoint::EndpointCounters;
use crate::id::{EndpointNo, EventKey};
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::ops::Bound;

/// Committed events with pairs that have no row, in key order.
#[derive(Debug)]
pub(super) struct OpenEvents {
    open: VecDeque<(EventKey, usize)>,
    /// The newest committed event of the shard.
    newest: EventKey,
    /// What the store has, or the current or the committing batch says.
    checkpoint: EventKey,
}

impl OpenEvents {
    pub(super) fn new(checkpoint: EventKey) -> Self {
        Self { open: VecDeque::new(), newest: checkpoint, checkpoint }
    }

    /// An event is committed, with so many pairs that have no row.
    pub(super) fn opened(&mut self, key: EventKey, rowless: usize) {
        self.newest = self.newest.max(key);
        if rowless > 0 {
            self.open.push_back((key, rowless));
        }
    }

    /// One more pair of an event has a row.
    pub(super) fn has_row(&mut self, key: EventKey) {
        let place = self.open.partition_point(|(open, _)| *open < key);
        if let Some((open, rowless)) = self.open.get_mut(place)
            && *open == key
        {
            *rowless = rowless.saturating_sub(1);
        }
        while self.open.front().is_some_and(|(_, rowless)| *rowless == 0) {
            self.open.pop_front();
        }
    }

    /// Where the checkpoint could stand.
    fn reached(&self, high_water: EventKey) -> EventKey {
        match self.open.front() {
            Some((oldest, _)) => EventKey::new(oldest.get() - 1),
            None => self.newest.max(high_water),
        }
    }

    fn oldest(&self) -> Option<Timestamp> {
        self.open.front().map(|(key, _)| key.time())
    }
}

/// The checkpoint is about to move: first the counters that changed are written.
#[derive(Debug)]
pub(super) struct Move {
    upto: EventKey,
    /// The last endpoint whose counters are written, if they had changed.
    done: Option<EndpointNo>,
    portions: Portions,
}

impl<T> Shard<T> {
    /// Moves the checkpoint as far as it goes and writes the counters that changed; called about
    /// once a second. Those of many endpoints are written a few at a time, and the checkpoint moves
    /// with the last. Nothing is written while nothing changes. `high_water` is the newest key of
    /// the store, up to which an idle shard has nothing open.
    pub fn checkpoint(&mut self, high_water: EventKey, now: Timestamp) {
        self.high_water = self.high_water.max(high_water);
        let oldest = self.open.oldest();
        if self.overflows || oldest.is_some_and(|oldest| now.since(oldest) > ROWLESS_AT_MOST) {
            self.begin_rowless(now);
        }
        self.begin_move(now);
        self.write_due_counters(now);
    }

    /// As [`Shard::checkpoint`], all at once: the node stops.
    pub fn last_checkpoint(&mut self, high_water: EventKey, now: Timestamp) {
        self.checkpoint(high_water, now);
        self.write_changed_counters(usize::MAX);
    }

    fn begin_move(&mut self, now: Timestamp) {
        // While a batch of this shard is on its way, its events are not known to be below.
        let in_batch = self.committing.is_some() || !self.batch.events.is_empty();
        let high_water = if in_batch { EventKey::ZERO } else { self.high_water };
        let upto = self.open.reached(high_water);
        if upto <= self.open.checkpoint || self.moving.is_some() {
            return;
        }
        let most = self.limits.commit_counters;
        let changed = self.queues.values().filter(|queue| queue.dirty).count();
        let portions = Portions::of(changed, most, most, now);
        self.moving = Some(Move { upto, done: None, portions });
    }

    /// When the next counters are to be written.
    pub(super) fn counters_at(&self) -> Option<Timestamp> {
        self.moving.as_ref().map(|moving| moving.portions.at())
    }

    /// Writes a portion of the counters if one is due.
    pub(super) fn write_due_counters(&mut self, now: Timestamp) {
        if let Some(moving) = self.moving.as_mut()
            && moving.portions.is_due(now)
        {
            let portion = moving.portions.each;
            self.write_changed_counters(portion);
        }
    }

    /// Writes so many counters that have changed, and with the last of them the checkpoint. One
    /// that says more than the checkpoint does no harm: numbers are only given once.
    fn write_changed_counters(&mut self, most: usize) {
        let Some(Move { upto, done, .. }) = self.moving else {
            return;
        };
        let after = done.map_or(Bound::Unbounded, Bound::Excluded);
        let changed = self.queues.range((after, Bound::Unbounded));
        let changed = changed.filter(|(_, queue)| queue.dirty).map(|(no, _)| *no);
        let changed: Vec<_> = changed.take(most).collect();
        for no in &changed {
            self.write_counters(*no);
        }
        if changed.len() == most {
            self.moving.iter_mut().for_each(|moving| moving.done = changed.last().copied());
            return;
        }
        self.moving = None;
        self.open.checkpoint = upto;
        let tenants = std::mem::take(&mut self.dirty_tenants);
        let sequence = |no| self.tenants.get(&no).map_or(0, |tenant| tenant.sequence);
        let checkpoint = self.batch.checkpoint.get_or_insert_default();
        checkpoint.upto = upto;
        checkpoint.tenants.extend(tenants.into_iter().map(|no| (no, sequence(no))));
    }

    /// Whether time alone will bring something about for [`Shard::checkpoint`] or
    /// [`Shard::look_over`]. If not, neither need be asked before something happens.
    pub fn is_watched(&self, now: Timestamp) -> bool {
        self.open.oldest().is_some() || self.queues.values().any(|queue| queue.is_watched(now))
    }

    /// Writes the counters of one endpoint with the batch, so that what people learn of them is as
    /// durable as what brought it about.
    pub(super) fn write_counters(&mut self, endpoint: EndpointNo) {
        let Some(queue) = self.queues.get_mut(&endpoint) else {
            return;
        };
        queue.dirty = false;
        let (sequence, health) = (queue.sequence, queue.health);
        let stays = Checkpoint { upto: self.open.checkpoint, ..Checkpoint::default() };
        let checkpoint = self.batch.checkpoint.get_or_insert(stays);
        checkpoint.endpoints.push(EndpointCounters { endpoint, sequence, health });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkpoint_stands_just_below_the_oldest_event_with_a_pair_without_a_row() {
        let key = EventKey::new;
        let mut open = OpenEvents::new(key(10));
        open.opened(key(20), 2);
        open.opened(key(30), 0);
        open.opened(key(40), 1);
        assert_eq!(open.reached(key(99)), key(19));
        open.has_row(key(40));
        open.has_row(key(20));
        assert_eq!(open.reached(key(99)), key(19));
        open.has_row(key(20));
        assert_eq!(open.reached(EventKey::ZERO), key(40));
        assert_eq!(open.reached(key(99)), key(99));
        open.has_row(key(15));
    }
}
