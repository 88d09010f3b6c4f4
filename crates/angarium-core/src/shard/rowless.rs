//! Rows for what has waited long without one, a few at a time.
//!
//! An event to a thousand endpoints that hang is a thousand rows two seconds later. In one commit
//! they would keep everybody's publish waiting for as long as that takes; spread over the time
//! until the next round, they ride with commits that are made anyway.

use super::Shard;
use crate::batch::{NextState, Standing};
use crate::id::EndpointNo;
use crate::time::Timestamp;
use std::ops::Bound;
use std::time::Duration;

/// What waits longer gets a row, so that the range above the checkpoint is bounded (rule 10).
pub(super) const ROWLESS_AT_MOST: Duration = Duration::from_secs(2);
/// A round is over before the next one may begin, a second later.
const SPREAD: Duration = Duration::from_millis(800);
/// Into how many portions a round is divided if they are not very small or large.
const PORTIONS: usize = 40;
/// The least that is worth a commit.
const SMALL: usize = 16;

/// A round under way: whatever is too old at its beginning gets a row in it.
#[derive(Debug)]
pub(super) struct Round {
    /// The last endpoint of which nothing is left to write.
    done: Option<EndpointNo>,
    portion: usize,
    pause: Duration,
    /// When the next portion is due.
    at: Timestamp,
}

impl Round {
    fn new(count: usize, most: usize, now: Timestamp) -> Self {
        let portion = count.div_ceil(PORTIONS).max(SMALL).min(most).max(1);
        let portions = u32::try_from(count.div_ceil(portion)).unwrap_or(u32::MAX).max(1);
        Self { done: None, portion, pause: SPREAD / portions, at: now }
    }
}

impl<T> Shard<T> {
    /// Begins a round and writes its first portion, if none is under way.
    pub(super) fn begin_rowless(&mut self, now: Timestamp) {
        if self.rowless.is_none() {
            let queues = self.queues.values_mut();
            let count = queues.map(|queue| queue.count_rowless(ROWLESS_AT_MOST, now)).sum();
            self.rowless = Some(Round::new(count, self.limits.commit_deliveries / 2, now));
        }
        self.write_rowless(now);
    }

    /// When the next portion is due.
    pub(super) fn rowless_at(&self) -> Option<Timestamp> {
        self.rowless.as_ref().map(|round| round.at)
    }

    /// Writes a portion if one is due. While many wait to be written already, it waits too.
    pub(super) fn write_rowless(&mut self, now: Timestamp) {
        let Some(round) = self.rowless.as_mut().filter(|round| round.at <= now) else {
            return;
        };
        round.at = now + round.pause;
        let room = self.limits.commit_deliveries.saturating_sub(self.batch.deliveries.len());
        let portion = round.portion.min(room);
        let mut rowless = Vec::with_capacity(portion);
        let after = round.done.map_or(Bound::Unbounded, Bound::Excluded);
        for (no, queue) in self.queues.range_mut((after, Bound::Unbounded)) {
            if rowless.len() == portion {
                break;
            }
            let marked = queue.mark_rowless(ROWLESS_AT_MOST, portion - rowless.len(), now);
            rowless.extend(marked.into_iter().map(|(held, standing)| (*no, held, standing)));
            if rowless.len() < portion {
                round.done = Some(*no);
            }
        }
        if rowless.len() < portion {
            self.rowless = None;
        }
        for (no, mut held, standing) in rowless {
            held.has_row = false;
            let next = match standing {
                Standing::Head => NextState::Pending { due: Some(held.due) },
                Standing::Behind => NextState::Queued,
            };
            self.write_held(no, &held, next);
        }
    }
}
