//! The shard machine: everything that happens to one slice of the tenants, decided in one place.
//!
//! In come published events, commits that ended, outcomes of attempts, ticks, and changes of
//! endpoints; out go a batch to write, attempts to start, replies, rows to load, and when to be
//! woken ([`Effects`]). There is no clock and no I/O here, so order and concurrency are exact and a
//! test or the simulator can drive it step by step.
//!
//! ```text
//! publish ──▶ batch ──▶ commit ──▶ ready ──▶ in flight ──▶ outcome ──▶ batch ──▶ commit ──▶ gone
//!                          │         ▲ ▲                       │
//!                 (queue full)  load │ │ due                   ▼
//!                          └──▶ pending row ◀── waiting ◀── retry
//! ```
//!
//! What is promised (design.md section 2):
//! - An attempt starts only after the commit that accepted its event, and its slot is free only
//!   after the commit that records it: duplicates after a crash are bounded by the slots.
//! - Memory is a window on the store: a full queue leaves its rows there and reads them back.
//! - Every pair of event and endpoint below the checkpoint has a row; above it, recovery makes up
//!   for those that have none.
//! - After a commit of unknown result the machine is dropped and made anew from the store.

mod action;
mod attempt;
mod change;
mod checkpoint;
mod commit;
mod crowd;
mod expire;
mod health;
mod held;
mod lanes;
mod look;
mod memory;
mod notices;
mod outcome;
mod own_ids;
mod portions;
mod publish;
mod publishers;
mod queue;
mod recovery;
mod replay;
mod rowless;
mod tenant;
mod turns;

#[cfg(test)]
mod tests;

pub use action::{DeliveryAction, Seen};
pub use commit::Ownership;
pub use expire::Expiry;
pub use look::EndpointInForce;
pub use outcome::EndedAttempt;
pub use own_ids::Lookup;
pub use publish::{Audience, Publish};
pub use publishers::Publishers;
pub use replay::Replay;
pub use turns::Room;

use crate::batch::{EndpointWrite, ShardBatch};
use crate::endpoint::Endpoint;
use crate::event::Event;
use crate::id::{DeliveryKey, EndpointNo, Epoch, EventKey, ShardId, TenantNo};
use crate::lane::Lane;
use crate::limits::Limits;
use crate::notice::Notice;
use crate::rate::RateLimit;
use crate::refusal::{Code, Refusal};
use crate::time::Timestamp;
use checkpoint::{Move, OpenEvents};
use crowd::Crowd;
use lanes::BatchNo;
use memory::Memory;
use own_ids::OwnIds;
use queue::Queue;
use rowless::Round;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tenant::TenantState;

/// One slice of the tenants. `T` is the caller's way to answer: a reply is sent for each ticket.
#[derive(Debug)]
pub struct Shard<T> {
    id: ShardId,
    epoch: Epoch,
    limits: Limits,
    tenants: BTreeMap<TenantNo, TenantState<T>>,
    /// Tenants with publishes that wait for a later commit than the next.
    in_line: BTreeSet<TenantNo>,
    /// How fast a tenant's publishes go into commits while others publish too; none for any rate.
    commit_rate: Option<RateLimit>,
    /// When the first in line may go on that only its tenant's rate keeps.
    line_moves_at: Option<Timestamp>,
    queues: BTreeMap<EndpointNo, Queue>,
    /// When each endpoint next needs a look, earliest first.
    timers: BTreeSet<(Timestamp, EndpointNo)>,
    memory: Memory,
    batch: ShardBatch,
    tickets: Tickets<T>,
    committing: Option<Tickets<T>>,
    /// The number of `batch`.
    filling: BatchNo,
    open: OpenEvents,
    own_ids: OwnIds<T>,
    /// Tenants whose sequence numbers changed since the last checkpoint.
    dirty_tenants: BTreeSet<TenantNo>,
    high_water: EventKey,
    /// Deliveries whose rows people's wishes are changing, and how many of these there are; what a
    /// load says of them is out of date.
    acted_on: BTreeMap<DeliveryKey, usize>,
    /// Attempts that ended while there was no room for their records in the next commit.
    ended_in_line: VecDeque<EndedAttempt>,
    /// The checkpoint's move, if one is under way.
    moving: Option<Move>,
    /// Whether deliveries of events to many endpoints have found no room since the last round.
    overflows: bool,
    /// The round in which what has waited long gets its rows, if one is under way.
    rowless: Option<Round>,
    /// The endpoint that free slots were given to last.
    served_last: EndpointNo,
    crowd: Crowd,
}

/// Who waits for what in a batch, parallel to its parts, and what follows from it.
#[derive(Debug)]
struct Tickets<T> {
    events: Vec<T>,
    actions: Vec<T>,
    endpoints: Vec<EndpointTicket<T>>,
    /// Deliveries that are the store's from the commit on, and when they are due. A load that
    /// begins before would not find their rows.
    left_to_rows: Vec<(EndpointNo, Timestamp)>,
}

impl<T> Default for Tickets<T> {
    fn default() -> Self {
        let (events, actions, endpoints, left_to_rows) = Default::default();
        Self { events, actions, endpoints, left_to_rows }
    }
}

/// Who waits for an endpoint write; slices have nobody.
#[derive(Debug)]
struct EndpointTicket<T> {
    ticket: Option<T>,
    /// What the endpoint is after the commit.
    endpoint: Option<Arc<Endpoint>>,
}

/// What the machine asks of the world around it after one input.
#[derive(Debug)]
pub struct Effects<T> {
    /// Attempts to start, in order.
    pub attempts: Vec<Start>,
    /// Answers to give.
    pub replies: Vec<(T, Reply)>,
    /// Rows to read.
    pub loads: Vec<Load>,
    /// What people should learn.
    pub notices: Vec<Notice>,
    /// How many attempts may start: the node's free slots, set by the caller, counted down here.
    pub slots: usize,
    /// How many of them may go to endpoints with an attempt older than a second (rule 9).
    pub slow_slots: usize,
    /// Whether an attempt waits only for a slot.
    pub starved: bool,
    /// How many attempts may start without a wait for their turn.
    pub starts: usize,
    /// Whether they also start to an endpoint that waits for its turn.
    goes_by: bool,
    /// Whether some wait for their turn ([`Shard::start_portion`]).
    pub crowded: bool,
    /// Whether the node takes events in, set by the caller.
    pub room: Room,
    /// Who publishes on this node, set by the caller.
    pub publishers: Publishers,
}

impl<T> Effects<T> {
    /// Nothing yet, with so many slots.
    pub fn new(slots: usize, slow_slots: usize) -> Self {
        let (attempts, replies, loads, notices) = Default::default();
        Self {
            attempts,
            replies,
            loads,
            notices,
            slots,
            slow_slots,
            starved: false,
            starts: usize::MAX,
            goes_by: false,
            crowded: false,
            room: Room::Free,
            publishers: Publishers::default(),
        }
    }

    fn refuse(&mut self, ticket: T, refusal: Refusal) {
        self.replies.push((ticket, Reply::Refused(refusal)));
    }
}

/// An attempt to start. Endpoint and contract are as they are now (rule 6).
#[derive(Debug, Clone)]
pub struct Start {
    /// Which delivery.
    pub key: DeliveryKey,
    /// 1 for the first attempt.
    pub attempt: u16,
    /// The endpoint's sequence number.
    pub sequence: u64,
    /// Where to.
    pub endpoint: Arc<Endpoint>,
    /// What.
    pub event: Arc<Event>,
}

/// Rows to read from the store; the answer comes back by [`Shard::loaded`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// Of which endpoint.
    pub endpoint: EndpointNo,
    /// Which of its rows.
    pub rows: Rows,
    /// Those that the shard holds already.
    pub skip: Vec<DeliveryKey>,
    /// At most so many.
    pub limit: usize,
    /// At most about so many bytes of payload, but one delivery always.
    pub bytes: usize,
}

/// Which waiting rows of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rows {
    /// Those that are due by this time, earliest first.
    Due(Timestamp),
    /// Those that wait in this lane, oldest event first.
    Behind(Lane),
}

/// An answer to a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The event is durable.
    Accepted {
        /// Its key.
        key: EventKey,
        /// The tenant's sequence number.
        sequence: u64,
        /// Endpoints that it matched.
        endpoints: usize,
    },
    /// An event of this id was accepted before.
    Known(EventKey),
    /// The id is not in memory: look it up in the store and publish again with the finding.
    LookUp,
    /// The endpoint was made.
    EndpointMade(EndpointNo),
    /// The change is durable and in force.
    Done,
    /// The delivery that will be attempted, or was changed.
    Delivery(DeliveryKey),
    /// Refused; nothing was changed.
    Refused(Refusal),
}

impl<T> Shard<T> {
    /// An empty shard; recovery fills it before it is used (`recovery.rs`).
    pub fn new(id: ShardId, epoch: Epoch, checkpoint: EventKey, limits: Limits) -> Self {
        Self {
            id,
            epoch,
            tenants: BTreeMap::new(),
            in_line: BTreeSet::new(),
            commit_rate: turns::commit_rate(&limits),
            line_moves_at: None,
            queues: BTreeMap::new(),
            timers: BTreeSet::new(),
            memory: Memory::new(limits.shard_ready_bytes),
            limits,
            batch: ShardBatch { shard: id, epoch, ..ShardBatch::default() },
            tickets: Tickets::default(),
            committing: None,
            filling: BatchNo(1),
            open: OpenEvents::new(checkpoint),
            own_ids: OwnIds::default(),
            dirty_tenants: BTreeSet::new(),
            high_water: checkpoint,
            acted_on: BTreeMap::new(),
            ended_in_line: VecDeque::new(),
            moving: None,
            overflows: false,
            rowless: None,
            served_last: EndpointNo::default(),
            crowd: Crowd::default(),
        }
    }

    /// Whether there is something to commit and no commit of this shard is under way.
    pub fn wants_commit(&self) -> bool {
        self.committing.is_none() && !self.batch.is_empty()
    }

    /// Everything that waits to be written, unless a commit of this shard is under way already.
    pub fn take_batch(&mut self) -> Option<ShardBatch> {
        if !self.wants_commit() {
            return None;
        }
        self.committing = Some(std::mem::take(&mut self.tickets));
        self.filling = BatchNo(self.filling.0 + 1);
        let empty = ShardBatch { shard: self.id, epoch: self.epoch, ..ShardBatch::default() };
        Some(std::mem::replace(&mut self.batch, empty))
    }

    /// When [`Shard::tick`] has something to do.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let timer = self.timers.first().map(|(at, _)| *at);
        [timer, self.line_moves_at, self.rowless_at(), self.counters_at()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Gives up what is in memory and answers everyone who waits. Used when the result of a commit
    /// is not known or the shard has another owner; a new machine is made from the store.
    pub fn abandon(self) -> Vec<(T, Reply)> {
        let unavailable = || {
            let message = "it is not known whether this was stored; send it again with the same id";
            Reply::Refused(Refusal::whole(Code::Unavailable, message))
        };
        let tickets = [Some(self.tickets), self.committing];
        let waiting = tickets.into_iter().flatten().flat_map(|tickets| {
            let endpoints = tickets.endpoints.into_iter().filter_map(|waiting| waiting.ticket);
            tickets.events.into_iter().chain(tickets.actions).chain(endpoints)
        });
        let in_line = self.tenants.into_values().flat_map(|state| state.turn.into_waiting());
        let waiting = waiting.chain(self.own_ids.into_waiting()).chain(in_line);
        waiting.map(|ticket| (ticket, unavailable())).collect()
    }

    /// Makes a tenant known.
    pub fn add_tenant(&mut self, tenant: TenantNo) {
        self.tenants.entry(tenant).or_default();
    }

    /// Own ids up to here stand in the store's index and may leave memory.
    pub fn own_ids_indexed(&mut self, upto: EventKey, now: Timestamp) {
        self.own_ids.forget(upto, now);
    }

    fn push_endpoint_write(&mut self, write: EndpointWrite, ticket: EndpointTicket<T>) {
        self.batch.endpoints.push(write);
        self.tickets.endpoints.push(ticket);
    }
}
