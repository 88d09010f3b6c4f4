//! How many bytes of payload wait in a shard's memory, and how many are on their way there.
//!
//! A load is promised a part of what is free and gives it back when it ends, so that a thousand
//! endpoints that read their rows at once do not each fill the memory that all of them share.

use super::Room;
use super::Rows;
use crate::id::EndpointNo;
use std::collections::BTreeMap;

/// A load is promised one of so many parts of what is free.
const PARTS: usize = 8;
/// The least promise: a full shard reads some small deliveries at a time rather than one.
const LEAST: usize = 4 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Memory {
    most: usize,
    held: usize,
    promised: usize,
    loads: BTreeMap<(EndpointNo, Rows), usize>,
}

impl Memory {
    pub(super) fn new(most: usize) -> Self {
        Self { most, held: 0, promised: 0, loads: BTreeMap::new() }
    }

    /// Whether so many bytes more fit. What is promised is not counted: a new event does not have
    /// to wait for another endpoint's rows.
    pub(super) fn has_room(&self, weight: usize) -> bool {
        self.held + weight <= self.most
    }

    /// Whether so many bytes more may stay for a moment although they do not fit, half as much as
    /// fits: what is sent to many endpoints is one payload, and counted as often as it is sent.
    pub(super) fn may_overflow(&self, weight: usize) -> bool {
        self.held + weight <= self.most + self.most / 2
    }

    /// Whether loads find more than the least.
    pub(super) fn room(&self) -> Room {
        if self.free() > LEAST { Room::Free } else { Room::Full }
    }

    fn free(&self) -> usize {
        self.most.saturating_sub(self.held + self.promised)
    }

    pub(super) fn hold(&mut self, weight: usize) {
        self.held += weight;
    }

    pub(super) fn release(&mut self, weight: usize) {
        self.held = self.held.saturating_sub(weight);
    }

    /// A load begins; at most about how many bytes it may read.
    pub(super) fn promise(&mut self, endpoint: EndpointNo, rows: Rows) -> usize {
        let bytes = (self.free() / PARTS).max(LEAST).min(self.most);
        self.promised += bytes;
        self.loads.insert((endpoint, rows), bytes);
        bytes
    }

    /// How many are under way.
    pub(super) fn loads(&self) -> usize {
        self.loads.len()
    }

    /// A load has ended, whatever it brought.
    pub(super) fn load_ended(&mut self, endpoint: EndpointNo, rows: Rows) {
        let bytes = self.loads.remove(&(endpoint, rows)).unwrap_or_default();
        self.promised = self.promised.saturating_sub(bytes);
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    const DUE: Rows = Rows::Due(Timestamp::from_millis(0));

    #[test]
    fn a_thousand_loads_at_once_are_promised_little_more_than_there_is() {
        let mut memory = Memory::new(4 << 20);
        let promised: usize = (0..1_000).map(|no| memory.promise(EndpointNo::new(no), DUE)).sum();
        assert!(promised <= (4 << 20) + 1_000 * LEAST, "{promised}");
        assert_eq!(memory.room(), Room::Full);
        assert!(memory.has_room(1_000), "a new event finds room");
        (0..1_000).for_each(|no| memory.load_ended(EndpointNo::new(no), DUE));
        assert_eq!((memory.free(), memory.room()), (4 << 20, Room::Free));
    }

    #[test]
    fn what_is_held_is_not_promised_and_a_promise_ends_once() {
        let mut memory = Memory::new(1 << 20);
        memory.hold(1 << 19);
        let first = memory.promise(EndpointNo::new(1), DUE);
        assert_eq!(first, (1 << 19) / PARTS);
        assert!(memory.promise(EndpointNo::new(2), DUE) < first);
        (0..2).for_each(|_| memory.load_ended(EndpointNo::new(1), DUE));
        memory.load_ended(EndpointNo::new(2), DUE);
        memory.release(1 << 19);
        assert_eq!((memory.held(), memory.free()), (0, 1 << 20));
    }
}
