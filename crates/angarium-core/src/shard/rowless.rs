//! Rows for what has waited long without one, and for what found no room, a few at a time.

use super::Shard;
use super::portions::Portions;
use crate::batch::{NextState, Standing};
use crate::id::EndpointNo;
use crate::time::Timestamp;
use std::ops::Bound;
use std::time::Duration;

/// What waits longer gets a row, so that the range above the checkpoint is bounded (rule 10).
pub(super) const ROWLESS_AT_MOST: Duration = Duration::from_secs(2);
/// The least that is worth a commit.
const SMALL: usize = 16;

/// A round under way: whatever is too old at its beginning gets a row in it, and what overflows.
#[derive(Debug)]
pub(super) struct Round {
    /// The last endpoint of which nothing is left to write.
    done: Option<EndpointNo>,
    portions: Portions,
}

impl<T> Shard<T> {
    /// Begins a round and writes its first portion, if none is under way.
    pub(super) fn begin_rowless(&mut self, now: Timestamp) {
        if self.rowless.is_none() {
            let queues = self.queues.values_mut();
            let count = queues
                .map(|queue| queue.count_rowless(ROWLESS_AT_MOST, now) + queue.overflowing())
                .sum();
            self.overflows = false;
            let most = self.limits.commit_deliveries / 2;
            let portions = Portions::of(count, SMALL, most, now);
            self.rowless = Some(Round { done: None, portions });
        }
        self.write_rowless(now);
    }

    /// When the next portion is due.
    pub(super) fn rowless_at(&self) -> Option<Timestamp> {
        self.rowless.as_ref().map(|round| round.portions.at())
    }

    /// Writes a portion if one is due. While many wait to be written already, it waits too.
    pub(super) fn write_rowless(&mut self, now: Timestamp) {
        let Some(round) = self.rowless.as_mut() else {
            return;
        };
        if !round.portions.is_due(now) {
            return;
        }
        let room = self.limits.commit_deliveries.saturating_sub(self.batch.deliveries.len());
        let portion = round.portions.each.min(room);
        let (mut rowless, mut spilled) = (Vec::with_capacity(portion), Vec::new());
        let after = round.done.map_or(Bound::Unbounded, Bound::Excluded);
        for (no, queue) in self.queues.range_mut((after, Bound::Unbounded)) {
            let room = portion - rowless.len() - spilled.len();
            if room == 0 {
                break;
            }
            let marked = queue.mark_rowless(ROWLESS_AT_MOST, room, now);
            let room = room - marked.len();
            rowless.extend(marked.into_iter().map(|(held, standing)| (*no, held, standing)));
            spilled.extend(queue.spill(room).map(|held| (*no, held)));
            if rowless.len() + spilled.len() < portion {
                round.done = Some(*no);
            }
        }
        if rowless.len() + spilled.len() < portion {
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
        for (no, held) in spilled {
            self.memory.release(held.event.body.weight());
            self.tickets.left_to_rows.push((no, held.due));
            self.write_held(no, &held, NextState::Pending { due: Some(held.due) });
        }
    }
}
