//! What a shard asks its store to write, and what the store answers.
//!
//! A batch is one shard's share of a group commit: all of it is written, or nothing (design.md
//! section 2). Its parts are applied in the order of the fields. Every write is idempotent, so that
//! a commit whose result was lost can be repeated.

mod fanout;
mod guard;
mod result;
mod trace;

pub use fanout::{Fanout, FanoutStart};
pub use guard::{Guard, GuardAnswer};
pub use result::{ActionResult, BatchResult, Committed, EndpointResult, Standing};
pub use trace::Trace;

use crate::delivery::{DeliveryState, EndReason};
use crate::endpoint::{EndpointConfig, EndpointCounters};
use crate::event::NewEvent;
use crate::id::{DeliveryKey, EndpointNo, Epoch, EventKey, ShardId, TenantNo};
use crate::lane::Lane;
use crate::notice::DeadLetter;
use crate::outcome::Class;
use crate::replay::Replayed;
use crate::time::Timestamp;
use crate::waiting::LaneHold;
use std::sync::Arc;
use std::time::Duration;

/// One shard's share of a group commit.
#[derive(Debug, Default, Clone)]
pub struct ShardBatch {
    /// Whose batch it is.
    pub shard: ShardId,
    /// The ownership under which it was made; a stale one rejects this batch only.
    pub epoch: Epoch,
    /// New events; the store gives out their keys in this order.
    pub events: Vec<EventWrite>,
    /// Deliveries that changed: attempts that ended, deliveries that left memory.
    pub deliveries: Vec<DeliveryWrite>,
    /// Lanes that stand still from now on, or go on.
    pub lanes: Vec<LaneWrite>,
    /// What people asked for concerning single deliveries that may have a row only.
    pub actions: Vec<RowAction>,
    /// Endpoints that were made, changed or deleted.
    pub endpoints: Vec<EndpointWrite>,
    /// What is left of cancels that change nothing but memory, for now.
    pub cancelled: Vec<(DeliveryKey, Trace)>,
    /// The shard's checkpoint, when it moves.
    pub checkpoint: Option<Checkpoint>,
}

impl ShardBatch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.deliveries.is_empty()
            && self.lanes.is_empty()
            && self.actions.is_empty()
            && self.endpoints.is_empty()
            && self.cancelled.is_empty()
            && self.checkpoint.is_none()
    }
}

/// A new event with the endpoints that it matched.
#[derive(Debug, Clone)]
pub struct EventWrite {
    /// Whose event it is.
    pub tenant: TenantNo,
    /// The tenant's sequence number.
    pub sequence: u64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// What the publisher said.
    pub body: Arc<NewEvent>,
    /// The endpoints that matched.
    pub fanout: Vec<Fanout>,
    /// The call's idempotency record, committed with the event.
    pub guard: Option<Guard>,
}

/// A delivery that changed.
#[derive(Debug, Clone)]
pub struct DeliveryWrite {
    /// Which.
    pub key: DeliveryKey,
    /// The endpoint's sequence number.
    pub sequence: u64,
    /// Attempts so far, this one included.
    pub attempts: u16,
    /// The lane that it stands in.
    pub lane: Option<Lane>,
    /// Whether it has a `pending` row now.
    pub has_row: bool,
    /// The attempt that ended, if one did.
    pub attempt: Option<Box<AttemptRecord>>,
    /// Where it stands now.
    pub next: NextState,
}

/// Where a delivery stands after a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextState {
    /// Waits behind the head of its lane, with a row.
    Queued,
    /// Waits, with a row.
    Pending {
        /// When it is due; `None` while it is parked.
        due: Option<Timestamp>,
    },
    /// Final: delivered, dead, cancelled or suppressed.
    Ended {
        /// The final state.
        state: DeliveryState,
        /// Why, unless it was delivered.
        reason: Option<EndReason>,
        /// When.
        at: Timestamp,
    },
}

/// A lane that is held by a dead letter, or no longer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneWrite {
    /// The lane stands still.
    Hold(LaneHold),
    /// What the event's dead letter held goes on, since the event has arrived.
    Release {
        /// Whose lane.
        endpoint: EndpointNo,
        /// The event.
        event: EventKey,
    },
}

/// One HTTP exchange as it is kept. Sensitive header values are masked before they come here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// 1 for the first attempt of the delivery.
    pub n: u16,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What it meant.
    pub class: Class,
    /// The answer's status.
    pub status: Option<u16>,
    /// What went wrong, for the tenant.
    pub detail: Option<Box<str>>,
    /// The request's head: `METHOD url`, then a line for each header as `name: value`.
    pub request: Box<str>,
    /// The answer's head: a line for each header that is kept.
    pub response: Box<str>,
    /// The beginning of the answer's body.
    pub body: Box<[u8]>,
}

/// A person's wish concerning one delivery that the shard does not hold in memory.
#[derive(Debug, Clone)]
pub struct RowAction {
    /// Which.
    pub key: DeliveryKey,
    /// What.
    pub kind: RowActionKind,
    /// When.
    pub at: Timestamp,
    /// What is committed with the change.
    pub trace: Trace,
}

impl RowAction {
    /// The endpoints whose rows it changes.
    pub fn endpoints(&self) -> impl Iterator<Item = EndpointNo> {
        let replayed = match &self.kind {
            RowActionKind::Replay(made) => &made[..],
            RowActionKind::Cancel
            | RowActionKind::DueNow
            | RowActionKind::Redeliver
            | RowActionKind::Expire { .. }
            | RowActionKind::Skip => &[],
        };
        std::iter::once(self.key.endpoint).chain(replayed.iter().map(|made| made.key.endpoint))
    }
}

/// What a person asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowActionKind {
    /// End a waiting delivery.
    Cancel,
    /// Make a waiting delivery due at once.
    DueNow,
    /// Make a new delivery of one that has ended: the next generation of its pair, due at once.
    Redeliver,
    /// Give a waiting delivery up: its event's payload is of age.
    Expire {
        /// The dead letter that it becomes.
        letter: Box<DeadLetter>,
        /// Whether it holds its lane, if it stands at its head.
        holds: bool,
    },
    /// Let the lane go on that a dead letter of this pair holds.
    Skip,
    /// Make new deliveries of one event, all or none; the key names only the event.
    Replay(Box<[Replayed]>),
}

/// An endpoint that was made, changed or deleted.
#[derive(Debug, Clone)]
pub enum EndpointWrite {
    /// A new endpoint; the store gives it its number.
    Create {
        /// The endpoint.
        config: Box<EndpointConfig>,
        /// What is committed with the change.
        trace: Trace,
    },
    /// Takes the place of what was there.
    Replace {
        /// Which.
        no: EndpointNo,
        /// What it is now.
        config: Box<EndpointConfig>,
        /// What is committed with the change.
        trace: Trace,
    },
    /// Deleted for its callers; its row stays, so that the log can name it.
    Delete {
        /// Which.
        no: EndpointNo,
        /// When.
        at: Timestamp,
        /// What is committed with the change.
        trace: Trace,
    },
    /// Cancels up to so many waiting rows of a deleted endpoint (rule 12: in slices).
    CancelWaiting {
        /// Which.
        no: EndpointNo,
        /// When.
        at: Timestamp,
        /// At most so many rows.
        limit: usize,
    },
    /// Gives every parked row of a resumed or enabled endpoint a due time, up to so many.
    Unpark {
        /// Which.
        no: EndpointNo,
        /// Due when.
        due: Timestamp,
        /// At most so many rows.
        limit: usize,
    },
    /// Takes the due time from waiting rows of a paused or disabled endpoint, up to so many.
    Park {
        /// Which.
        no: EndpointNo,
        /// At most so many rows.
        limit: usize,
    },
}

/// The sequence below which every pair of event and endpoint has a row, with the counters that live
/// in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Every pair of an event up to here has a row.
    pub upto: EventKey,
    /// Sequence numbers of tenants that changed since the checkpoint moved.
    pub tenants: Vec<(TenantNo, u64)>,
    /// Counters of endpoints that changed since they were written; of one that stands here twice,
    /// the later ones count.
    pub endpoints: Vec<EndpointCounters>,
}
