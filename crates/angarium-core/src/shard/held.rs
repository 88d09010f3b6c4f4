//! A delivery in memory, and how far it has come.

use crate::delivery::EndReason;
use crate::event::Event;
use crate::id::{DeliveryKey, EventKey, Generation};
use crate::lane::Lane;
use crate::notice::Turn;
use crate::time::Timestamp;
use crate::waiting::DueDelivery;
use std::sync::Arc;

/// A delivery in memory that is not in flight.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) event: Arc<Event>,
    pub(super) generation: Generation,
    pub(super) sequence: u64,
    /// Attempts so far.
    pub(super) attempts: u16,
    /// The lane that it stands in.
    pub(super) lane: Option<Lane>,
    /// Since when it could be sent.
    pub(super) due: Timestamp,
    /// Whether it has a `pending` row.
    pub(super) has_row: bool,
}

impl Held {
    /// A delivery that was read from its row.
    pub(super) fn of_row(row: DueDelivery) -> Self {
        Self {
            generation: row.key.generation,
            event: row.event,
            sequence: row.sequence,
            attempts: row.attempts,
            lane: row.lane,
            due: row.due,
            has_row: true,
        }
    }

    /// Whether it is this delivery.
    pub(super) fn is(&self, key: DeliveryKey) -> bool {
        (self.event.key, self.generation) == (key.event, key.generation)
    }
}

/// An attempt under way, or ended and not yet recorded.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) held: Held,
    pub(super) started_at: Timestamp,
    /// The endpoint's version by which it was sent.
    pub(super) version: u64,
    /// No retry follows: a person cancelled it meanwhile, or its event came of age.
    pub(super) last_for: Option<EndReason>,
    /// The outcome is in a batch; the slot is free when that is committed.
    pub(super) recorded: Option<Recorded>,
    /// What people learn once it is.
    pub(super) turn: Option<Turn>,
}

/// What follows once the record of an attempt is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recorded {
    /// The delivery has ended.
    Ended,
    /// It has ended as a dead letter that holds its lane.
    Holds,
    /// It waits for its next attempt, with a row; without a time while the endpoint is off.
    Waits(Option<Timestamp>),
}

/// Whether the endpoint still exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existence {
    Alive,
    /// A deletion is being committed, or rows of it are still being cancelled.
    Deleted,
}

/// Where a retry waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    InMemory,
    InStore,
}

/// What to load for a queue.
#[derive(Debug)]
pub(super) struct LoadWish {
    pub(super) skip: Vec<(EventKey, Generation)>,
    pub(super) limit: usize,
}
