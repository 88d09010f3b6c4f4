//! Attempts to many endpoints start in portions.
//!
//! An event to a thousand endpoints opens a thousand connections, which is all that two cores can
//! do for forty milliseconds, and an event to one would stand behind them at every step. So those
//! to many wait in a crowd, like all that waits: they may still be cancelled, and their endpoints
//! paused or deleted. What goes to a few goes by them.

use super::queue::Queue;
use super::{Effects, Shard};
use crate::id::EndpointNo;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// However many attempts wait, they have started after about so many portions.
const PORTIONS: usize = 250;
/// They are counted anew after so many.
const UNTIL_COUNTED: usize = 50;

/// Whether something concerns more endpoints than are served at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spread {
    ToFew,
    ToMany,
}

/// Endpoints whose attempts wait for nothing but their turn.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    turns: VecDeque<EndpointNo>,
    /// Attempts in a portion, at least.
    portion: usize,
    /// Portions until they are counted.
    until_counted: usize,
}

impl Crowd {
    pub(super) fn len(&self) -> usize {
        self.turns.len()
    }

    /// The endpoint waits for its turn.
    pub(super) fn join(&mut self, no: EndpointNo, queue: &mut Queue) {
        if queue.in_crowd {
            return;
        }
        if self.turns.is_empty() {
            self.until_counted = 0;
        }
        queue.in_crowd = true;
        self.turns.push_back(no);
    }
}

impl<T> Shard<T> {
    /// Whether so many endpoints are many.
    pub(super) fn spread(&self, endpoints: usize) -> Spread {
        if endpoints > self.limits.start_endpoints { Spread::ToMany } else { Spread::ToFew }
    }

    /// How many attempts may start at once if they go to so many endpoints.
    pub(super) fn starts_to(&self, endpoints: usize) -> usize {
        match self.spread(endpoints) {
            Spread::ToFew => usize::MAX,
            Spread::ToMany => 0,
        }
    }

    /// Starts a portion of the crowd: `least` attempts, or more where very many wait.
    pub fn start_portion(&mut self, least: usize, now: Timestamp, fx: &mut Effects<T>) {
        if self.crowd.until_counted == 0 {
            let queues = self.crowd.turns.iter().filter_map(|no| self.queues.get(no));
            let startable: usize = queues.map(Queue::startable).sum();
            self.crowd.portion = startable.min(fx.slots) / PORTIONS;
            self.crowd.until_counted = UNTIL_COUNTED;
        }
        self.crowd.until_counted -= 1;
        fx.starts = self.crowd.portion.max(least);
        while fx.starts > 0
            && let Some(no) = self.crowd.turns.pop_front()
        {
            if let Some(queue) = self.queues.get_mut(&no) {
                queue.in_crowd = false;
            }
            self.run(no, now, fx);
        }
        fx.crowded |= !self.crowd.turns.is_empty();
    }
}
