//! What found no room and has no row: deliveries of events to many endpoints.
//!
//! A thousand rows in the commit of one event keep everybody's publish waiting for as long as
//! writing them takes. So they stay here, behind what the store has, until there is room after all,
//! or a round gives them their rows a few at a time (`shard/rowless.rs`).

use super::{Held, Queue};
use crate::limits::Limits;
use crate::shard::Room;
use crate::time::Timestamp;

impl Queue {
    /// Puts a delivery behind everything else.
    pub(in crate::shard) fn overflow(&mut self, held: Held) {
        self.overflow.push_back(held);
    }

    /// Moves what there is room for to those that are ready; in a full shard only one, if nothing
    /// else is.
    pub(in crate::shard) fn take_in_overflow(
        &mut self,
        limits: &Limits,
        memory: Room,
        now: Timestamp,
    ) {
        if self.overflow.is_empty() || self.is_behind_rows(now) {
            return;
        }
        let most = match memory {
            Room::Free => self.free(limits),
            Room::Full => usize::from(self.ready.is_empty()),
        };
        let most = most.min(self.overflow.len());
        self.ready.extend(self.overflow.drain(..most));
    }

    /// How many are here.
    pub(in crate::shard) fn overflowing(&self) -> usize {
        self.overflow.len()
    }

    /// Takes at most so many, oldest first, to get their rows.
    pub(in crate::shard) fn spill(&mut self, most: usize) -> impl Iterator<Item = Held> {
        let most = most.min(self.overflow.len());
        self.overflow.drain(..most)
    }
}
