//! The node's publishes that wait for their commit: as many as memory is meant for.
//!
//! The shards bound each tenant's share; this bounds their sum.

use angarium_core::limits::Limits;
use angarium_core::shard::Room;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How much waits.
#[derive(Debug)]
pub(super) struct Uncommitted {
    events: AtomicUsize,
    bytes: AtomicUsize,
    most_events: usize,
    most_bytes: usize,
}

impl Uncommitted {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            events: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            most_events: limits.node_uncommitted,
            most_bytes: limits.node_uncommitted_bytes,
        })
    }

    /// Counts an event, until what is given back is dropped.
    pub(super) fn enter(self: &Arc<Self>, bytes: usize) -> Entered {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Entered { all: Arc::clone(self), bytes }
    }

    /// Whether those that are counted may all wait.
    pub(super) fn room(&self) -> Room {
        let fits = self.events.load(Ordering::Relaxed) <= self.most_events
            && self.bytes.load(Ordering::Relaxed) <= self.most_bytes;
        if fits { Room::Free } else { Room::Full }
    }
}

/// An event that is counted.
#[derive(Debug)]
pub(super) struct Entered {
    all: Arc<Uncommitted>,
    bytes: usize,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.all.events.fetch_sub(1, Ordering::Relaxed);
        self.all.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_events_and_so_many_bytes_may_wait_and_one_more_of_either_may_not() {
        let limits =
            Limits { node_uncommitted: 2, node_uncommitted_bytes: 10, ..Limits::default() };
        for (weights, expected) in
            [(vec![1, 1], Room::Free), (vec![1, 1, 1], Room::Full), (vec![5, 6], Room::Full)]
        {
            let all = Uncommitted::new(&limits);
            let mut entered: Vec<_> = weights.iter().map(|bytes| all.enter(*bytes)).collect();
            assert_eq!(all.room(), expected, "{weights:?}");
            entered.pop();
            assert_eq!(all.room(), Room::Free, "what left leaves room");
        }
    }
}
