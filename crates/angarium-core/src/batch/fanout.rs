//! Whom a new event goes to, and how each of its deliveries begins.

use crate::id::EndpointNo;
use crate::lane::Lane;
use crate::time::Timestamp;

/// One endpoint that an event matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fanout {
    /// The endpoint.
    pub endpoint: EndpointNo,
    /// The endpoint's sequence number for this delivery (rule 8).
    pub sequence: u64,
    /// The lane that it stands in.
    pub lane: Option<Lane>,
    /// Whether the delivery starts in memory or with a row.
    pub start: FanoutStart,
}

/// How the delivery of a new event begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FanoutStart {
    /// In the shard's memory, without a row: the happy path.
    Held,
    /// In the shard's memory, without a row, behind the head of its lane.
    Behind,
    /// In the shard's memory, without a row, until there is room for it or a later commit gives it
    /// one: an event to many endpoints that found none.
    Overflow,
    /// With a row in the event's commit, behind others of its lane that have one.
    Queued,
    /// With a `pending` row in the event's commit: behind others in the store, or parked (due
    /// `None`).
    Pending {
        /// When it is due; `None` while the endpoint is paused.
        due: Option<Timestamp>,
    },
    /// With a final row in the event's commit: the endpoint is disabled.
    Suppressed,
}

impl FanoutStart {
    /// Whether the event's commit writes a row for it.
    pub fn has_row(self) -> bool {
        match self {
            Self::Held | Self::Behind | Self::Overflow => false,
            Self::Queued | Self::Pending { .. } | Self::Suppressed => true,
        }
    }
}
