//! What the store answers to a batch.

use crate::id::{DeliveryKey, EndpointNo, EventKey};
use crate::lane::Lane;

/// The store's answer to one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchResult {
    /// All of it is durable.
    Committed(Committed),
    /// The shard has another owner; nothing of this batch was written.
    StaleEpoch,
}

/// What a commit gave out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// Keys of the new events, in the batch's order.
    pub events: Vec<EventKey>,
    /// For each action: what it made or changed, or none if there was no such row.
    pub actions: Vec<Option<ActionResult>>,
    /// For each endpoint write: the endpoint's number, and the rows that it touched.
    pub endpoints: Vec<EndpointResult>,
    /// The newest key of the store, below which an idle shard has nothing open.
    pub high_water: EventKey,
}

/// What became of an action on a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionResult {
    /// The delivery that was made or changed.
    pub key: DeliveryKey,
    /// Where the row stood in its lane, if it stood in one.
    pub stood: Option<(Lane, Standing)>,
}

/// Where a waiting delivery stands in its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is the next to be sent, or in no lane.
    Head,
    /// It waits for those before it.
    Behind,
}

/// What became of an endpoint write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointResult {
    /// The endpoint's number.
    pub no: EndpointNo,
    /// Waiting rows that were cancelled, parked or unparked; fewer than the limit means none are
    /// left.
    pub rows: usize,
}
