//! A queue's deliveries that have no row: they are known from their event alone.

use super::{Held, Queue};
use crate::batch::Standing;
use crate::time::Timestamp;
use std::time::Duration;

impl Queue {
    /// How many have waited longer than `age`, in flight or not.
    pub(in crate::shard) fn count_rowless(&mut self, age: Duration, now: Timestamp) -> usize {
        self.rowless(age, now).count()
    }

    /// At most so many of those; they are marked as having a row.
    pub(in crate::shard) fn mark_rowless(
        &mut self,
        age: Duration,
        most: usize,
        now: Timestamp,
    ) -> Vec<(Held, Standing)> {
        let rowless = self.rowless(age, now).take(most);
        let mark = |(held, standing): (&mut Held, _)| {
            held.has_row = true;
            (held.clone(), standing)
        };
        rowless.map(mark).collect()
    }

    fn rowless(
        &mut self,
        age: Duration,
        now: Timestamp,
    ) -> impl Iterator<Item = (&mut Held, Standing)> {
        let sending = self.sending.values_mut();
        let sending = sending.filter(|sending| sending.recorded.is_none());
        let heads = self.ready.iter_mut().chain(sending.map(|sending| &mut sending.held));
        let heads = heads.map(|held| (held, Standing::Head));
        let held = heads.chain(self.lanes.iter_mut().map(|held| (held, Standing::Behind)));
        held.filter(move |(held, _)| !held.has_row && now.since(held.due) >= age)
    }
}
