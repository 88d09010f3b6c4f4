//! What a shard reads back from its store: events above the checkpoint, deliveries that are due.

use crate::event::Event;
use crate::id::{DeliveryKey, EndpointNo, EventKey, ShardId};
use crate::lane::Lane;
use crate::time::Timestamp;
use std::sync::Arc;

/// An event above the checkpoint, as recovery reads it.
#[derive(Debug, Clone)]
pub struct RecoveredEvent {
    /// Its shard.
    pub shard: ShardId,
    /// The event.
    pub event: Arc<Event>,
    /// The endpoints it matched, with their sequence numbers.
    pub fanout: Vec<(EndpointNo, u64)>,
    /// Those of them whose first delivery has a row already.
    pub recorded: Vec<EndpointNo>,
}

/// A waiting delivery that was read from the store.
#[derive(Debug, Clone)]
pub struct DueDelivery {
    /// Which.
    pub key: DeliveryKey,
    /// The endpoint's sequence number.
    pub sequence: u64,
    /// Attempts so far.
    pub attempts: u16,
    /// The lane that it stands in.
    pub lane: Option<Lane>,
    /// When it was due; for one that waits in its lane, when its event was accepted.
    pub due: Timestamp,
    /// The event.
    pub event: Arc<Event>,
}

/// A page of due deliveries of one endpoint, earliest first.
#[derive(Debug, Clone, Default)]
pub struct DuePage {
    /// The deliveries.
    pub deliveries: Vec<DueDelivery>,
    /// The earliest due time among the rows that were neither returned nor skipped.
    pub next_due: Option<Timestamp>,
}

/// A lane that stands still after a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneHold {
    /// Which.
    pub lane: Lane,
    /// The dead letter that holds it, of the endpoint whose lane it is.
    pub by: DeliveryKey,
}

/// A lane with rows, as recovery reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredLane {
    /// Which.
    pub lane: Lane,
    /// Whether its head has a row that is due, or parked while the endpoint is off.
    pub has_head: bool,
    /// How many wait behind.
    pub behind: usize,
    /// The event of the first that waits behind.
    pub first: EventKey,
}
