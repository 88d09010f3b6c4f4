//! Lanes that stand still after a dead letter, until it is skipped or has arrived after all.

use super::{Head, Lanes, Line};
use crate::id::{DeliveryKey, EventKey};
use crate::lane::Lane;
use crate::shard::held::Held;
use crate::waiting::LaneHold;

impl Line {
    pub(super) fn is_held(&self) -> bool {
        matches!(self.head, Head::DeadLetter(_))
    }
}

impl Lanes {
    /// The head has become a dead letter that holds its lane. What waits behind it in memory is
    /// given back, in its order: a hold may last for days, so it waits in the store.
    pub(in crate::shard) fn hold(&mut self, hold: LaneHold) -> Vec<Held> {
        let line = self.lines.entry(hold.lane).or_default();
        line.head = Head::DeadLetter(hold.by);
        self.held.insert(hold.by.event, hold.lane);
        line.stored += line.behind.len();
        self.behind -= line.behind.len();
        line.behind.drain(..).collect()
    }

    /// The dead letter that holds a lane.
    pub(in crate::shard) fn holder(&self, lane: Lane) -> Option<DeliveryKey> {
        match self.lines.get(&lane)?.head {
            Head::DeadLetter(by) => Some(by),
            Head::Nobody | Head::Somebody => None,
        }
    }

    /// The lane that a dead letter of this event holds.
    pub(in crate::shard) fn held_by(&self, event: EventKey) -> Option<Lane> {
        self.held.get(&event).copied()
    }

    /// An event holds its lane no longer: the next one, if it is in memory.
    pub(in crate::shard) fn release(&mut self, event: EventKey) -> Option<Held> {
        let lane = self.held.remove(&event)?;
        self.head_ended(lane)
    }
}
