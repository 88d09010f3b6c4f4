//! Which queues may use a slot of the node, and which use theirs slowly.

use super::super::held::Sending;
use super::{Held, Queue};
use crate::gate::{Bar, Opening};
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// An attempt that takes longer makes its endpoint slow (design.md, rule 9).
const SLOW: Duration = Duration::from_secs(1);

/// What waits beyond its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::shard) enum Backlog {
    /// Nothing, or only what people have parked.
    None,
    /// The oldest is due since then, and waits for a slot of the node.
    OfNode(Timestamp),
    /// The oldest is due since then, and waits for its endpoint.
    OfEndpoint(Timestamp),
    /// The endpoint is down and left alone.
    Held,
}

impl Queue {
    /// Whether a delivery waits for nothing but the gate and a slot.
    pub(in crate::shard) fn has_ready(&self) -> bool {
        !self.ready.is_empty() && self.is_open()
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

    /// How many attempts could start now, as far as the window goes.
    pub(in crate::shard) fn startable(&self) -> usize {
        let window = self.gate.view(&self.endpoint.gate).window;
        self.ready.len().min(window.saturating_sub(self.sending.len()))
    }

    /// When the oldest delivery that could be sent now became due; what the gate holds could not.
    pub(in crate::shard) fn oldest_sendable(&self) -> Option<Timestamp> {
        if !self.is_open() || self.opens_at.is_some() {
            return None;
        }
        self.oldest_due()
    }

    /// Since when its oldest delivery could be sent, in memory or not.
    fn oldest_due(&self) -> Option<Timestamp> {
        let first = |line: &VecDeque<Held>| line.front().map(|held| held.due);
        [first(&self.ready), first(&self.overflow), self.unloaded].into_iter().flatten().min()
    }

    /// Since when the oldest delivery is due, and what it waits for.
    pub(in crate::shard) fn backlog(&self, now: Timestamp) -> Backlog {
        let Some(oldest) = self.oldest_due().filter(|due| *due <= now && self.is_open()) else {
            return Backlog::None;
        };
        match self.gate.clone().opening(&self.endpoint.gate, self.sending.len(), now) {
            Opening::Now => Backlog::OfNode(oldest),
            Opening::At(_, Bar::Breaker) | Opening::AfterOutcome(Bar::Breaker) => Backlog::Held,
            Opening::At(_, Bar::Window | Bar::Pace | Bar::Rate)
            | Opening::AfterOutcome(Bar::Window | Bar::Pace | Bar::Rate) => {
                Backlog::OfEndpoint(oldest)
            }
        }
    }

    /// Whether time alone brings something about that people are told.
    pub(in crate::shard) fn is_watched(&self, now: Timestamp) -> bool {
        match self.backlog(now) {
            Backlog::OfNode(_) | Backlog::OfEndpoint(_) => true,
            Backlog::None | Backlog::Held => self.letters.is_counting(),
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
