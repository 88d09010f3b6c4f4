//! The node's attempts: how many are under way, and how many more may start (design.md, rule 9).

use std::sync::atomic::{AtomicUsize, Ordering};

/// Slots of a node. A slot is free again when the record of its attempt is committed.
#[derive(Debug)]
pub(super) struct Budget {
    total: usize,
    in_flight: AtomicUsize,
    /// Attempts older than a second, counted by the upkeep.
    slow: AtomicUsize,
}

impl Budget {
    pub(super) fn new(total: usize) -> Self {
        Self { total, in_flight: AtomicUsize::new(0), slow: AtomicUsize::new(0) }
    }

    /// Slots that are free. Two shards that ask at once may both use them, so the total may be
    /// passed by what the node's cores start at the same moment.
    pub(super) fn free(&self) -> usize {
        self.total.saturating_sub(self.in_flight())
    }

    /// Slots that endpoints with old attempts may use: those hold at most three quarters.
    pub(super) fn free_for_slow(&self) -> usize {
        let most = self.total / 4 * 3;
        most.saturating_sub(self.slow.load(Ordering::Relaxed)).min(self.free())
    }

    pub(super) fn take(&self, slots: usize) {
        self.in_flight.fetch_add(slots, Ordering::Relaxed);
    }

    pub(super) fn give_back(&self, slots: usize) {
        self.in_flight.fetch_sub(slots, Ordering::Relaxed);
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn set_slow(&self, slow: usize) {
        self.slow.store(slow, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_slots_is_kept_from_endpoints_with_old_attempts() {
        let budget = Budget::new(16);
        budget.take(12);
        budget.set_slow(12);
        assert_eq!((budget.free(), budget.free_for_slow()), (4, 0));
        budget.give_back(8);
        budget.set_slow(4);
        assert_eq!((budget.free(), budget.free_for_slow()), (12, 8));
    }
}
