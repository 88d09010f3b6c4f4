//! Which queues may use a slot of the node, and which use theirs slowly.

use super::super::held::Sending;
use super::Queue;
use crate::gate::Opening;
use crate::time::Timestamp;
use std::time::Duration;

/// An attempt that takes longer makes its endpoint slow (design.md, rule 9).
const SLOW: Duration = Duration::from_secs(1);

impl Queue {
    /// Whether a delivery waits for nothing but the gate and a slot.
    pub(in crate::shard) fn has_ready(&self) -> bool {
        self.is_open() && !self.ready.is_empty()
    }

    /// Whether the next delivery could start if the node had a slot.
    pub(in crate::shard) fn wants_slot(&mut self, now: Timestamp) -> bool {
        self.opens_at = None;
        if !self.has_ready() {
            return false;
        }
        match self.gate.opening(&self.endpoint.gate, self.sending.len(), now) {
            Opening::Now => true,
            Opening::At(at, _) => {
                self.opens_at = Some(at);
                false
            }
            Opening::AfterOutcome(_) => false,
        }
    }

    /// Whether an attempt has been under way for more than a second.
    pub(in crate::shard) fn is_slow(&self, now: Timestamp) -> bool {
        self.sending
            .values()
            .any(|sending| sending.recorded.is_none() && now.since(sending.started_at) > SLOW)
    }

    /// Attempts that have been under way for more than a second.
    pub(in crate::shard) fn slow_attempts(&self, now: Timestamp) -> usize {
        let slow = |sending: &&Sending| now.since(sending.started_at) > SLOW;
        self.sending.values().filter(slow).count()
    }
}
