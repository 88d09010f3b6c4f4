//! The checkpoint: below it, every pair of event and endpoint has a row.

use super::Shard;
use super::rowless::ROWLESS_AT_MOST;
use crate::batch::Checkpoint;
use crate::endpoint::EndpointCounters;
use crate::id::{EndpointNo, EventKey};
use crate::time::Timestamp;
use std::collections::VecDeque;

/// Committed events with pairs that have no row, in key order.
#[derive(Debug)]
pub(super) struct OpenEvents {
    open: VecDeque<(EventKey, usize)>,
    /// The newest committed event of the shard.
    newest: EventKey,
    /// What the store has.
    checkpoint: EventKey,
    /// What the current or the committing batch says.
    asked: EventKey,
}

impl OpenEvents {
    pub(super) fn new(checkpoint: EventKey) -> Self {
        Self { open: VecDeque::new(), newest: checkpoint, checkpoint, asked: checkpoint }
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

    pub(super) fn checkpoint_committed(&mut self, upto: EventKey) {
        self.checkpoint = self.checkpoint.max(upto);
    }

    fn oldest(&self) -> Option<Timestamp> {
        self.open.front().map(|(key, _)| key.time())
    }
}

impl<T> Shard<T> {
    /// Moves the checkpoint as far as it goes and writes the counters that changed; called about
    /// once a second. Nothing is written while nothing changes. `high_water` is the newest key of
    /// the store, up to which an idle shard has nothing open.
    pub fn checkpoint(&mut self, high_water: EventKey, now: Timestamp) {
        self.high_water = self.high_water.max(high_water);
        if self.open.oldest().is_some_and(|oldest| now.since(oldest) > ROWLESS_AT_MOST) {
            self.begin_rowless(now);
        }
        // While a batch of this shard is on its way, its events are not known to be below.
        let in_batch = self.committing.is_some() || !self.batch.events.is_empty();
        let high_water = if in_batch { EventKey::ZERO } else { self.high_water };
        let upto = self.open.reached(high_water);
        if upto <= self.open.asked {
            return;
        }
        self.open.asked = upto;
        let endpoints = self.queues.iter_mut().filter(|(_, queue)| queue.dirty);
        let endpoints = endpoints
            .map(|(no, queue)| {
                queue.dirty = false;
                let (sequence, health) = (queue.sequence, queue.health);
                EndpointCounters { endpoint: *no, sequence, health }
            })
            .collect();
        let tenants = std::mem::take(&mut self.dirty_tenants);
        let sequence = |no| self.tenants.get(&no).map_or(0, |tenant| tenant.sequence);
        let tenants = tenants.into_iter().map(|no| (no, sequence(no))).collect();
        self.batch.checkpoint = Some(Checkpoint { upto, tenants, endpoints });
    }

    /// Whether time alone will bring something about for [`Shard::checkpoint`] or
    /// [`Shard::look_over`]. If not, neither need be asked before something happens.
    pub fn is_watched(&self, now: Timestamp) -> bool {
        self.open.oldest().is_some() || self.queues.values().any(|queue| queue.is_watched(now))
    }

    /// Writes the counters of one endpoint with the batch, so that what people learn of them is as
    /// durable as what brought it about.
    pub(super) fn write_counters(&mut self, endpoint: EndpointNo) {
        let Some(queue) = self.queues.get(&endpoint) else {
            return;
        };
        let counters =
            EndpointCounters { endpoint, sequence: queue.sequence, health: queue.health };
        let stays = Checkpoint { upto: self.open.asked, ..Checkpoint::default() };
        let checkpoint = self.batch.checkpoint.get_or_insert(stays);
        checkpoint.endpoints.retain(|other| other.endpoint != endpoint);
        checkpoint.endpoints.push(counters);
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
