//! What the API shows: rows and queries. Nothing here is on the path of an event.

use angarium_core::audit::{Action, EntryNo};
use angarium_core::batch::AttemptRecord;
use angarium_core::delivery::{DeliveryState, EndReason};
use angarium_core::endpoint::{EndpointConfig, EndpointCounters};
use angarium_core::event::Event;
use angarium_core::id::{
    DeliveryKey, EndpointId, EndpointNo, EnvironmentNo, EventId, EventKey, Generation, JobId,
    TenantNo,
};
use angarium_core::job::Recovery;
use angarium_core::lane::Lane;
use angarium_core::outcome::Class;
use angarium_core::retention::Gone;
use angarium_core::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The items; possibly fewer than asked for although there is more.
    pub items: Vec<T>,
    /// Where the next page begins (after this one); none at the end.
    pub next: Option<C>,
}

/// An endpoint as it is shown.
#[derive(Debug, Clone)]
pub struct EndpointRow {
    /// The store's number.
    pub no: EndpointNo,
    /// Its configuration, secrets decrypted.
    pub config: EndpointConfig,
    /// Counters as of the checkpoint; its shard knows newer ones.
    pub counters: EndpointCounters,
}

/// An event as it is shown.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// The event.
    pub event: Arc<Event>,
    /// The endpoints that it matched, with their sequence numbers.
    pub fanout: Vec<(EndpointNo, u64)>,
    /// Why it has no payload any more; its data is empty then.
    pub gone: Option<Gone>,
}

/// The place of a rejected request among all that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RejectionNo(pub i64);

/// Whose entries of the audit log may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditBounds {
    /// Of this environment alone.
    pub environment: Option<EnvironmentNo>,
    /// Of this tenant alone.
    pub tenant: Option<TenantNo>,
}

/// Which entries of the audit log to list.
#[derive(Debug, Clone)]
pub struct AuditQuery {
    /// Those that may be read.
    pub bounds: AuditBounds,
    /// About a tenant that has, or had, this id.
    pub tenant: Option<String>,
    /// By whoever holds the key of this id, or `server`.
    pub actor: Option<String>,
    /// Of this action.
    pub action: Option<Action>,
    /// About the object of this id.
    pub object: Option<String>,
    /// Committed at or after.
    pub after: Option<Timestamp>,
    /// Committed before.
    pub before: Option<Timestamp>,
    /// Where the page begins: before this one.
    pub cursor: Option<EntryNo>,
    /// Most entries of the page.
    pub limit: usize,
    /// Most rows that are read for it.
    pub rows_read: usize,
}

/// Which events to list.
#[derive(Debug, Clone)]
pub struct EventQuery {
    /// Of which environment.
    pub environment: EnvironmentNo,
    /// Of which tenant; all of the environment if none.
    pub tenant: Option<TenantNo>,
    /// Of which type.
    pub kind: Option<String>,
    /// About which subject.
    pub subject: Option<String>,
    /// With which ordering key.
    pub ordering_key: Option<String>,
    /// Accepted at or after.
    pub after: Option<Timestamp>,
    /// Accepted before.
    pub before: Option<Timestamp>,
    /// Older than this event: the cursor.
    pub cursor: Option<EventKey>,
    /// At most so many.
    pub limit: usize,
    /// At most so many rows read.
    pub rows_read: usize,
}

/// Which deliveries to list.
#[derive(Debug, Clone)]
pub struct DeliveryQuery {
    /// Of which environment.
    pub environment: EnvironmentNo,
    /// Of which tenant; all of the environment if none.
    pub tenant: Option<TenantNo>,
    /// To which endpoint.
    pub endpoint: Option<EndpointNo>,
    /// Of which event.
    pub event: Option<EventKey>,
    /// In which state; `in_flight` reads as `pending` here.
    pub state: Option<DeliveryState>,
    /// Whose last attempt was of which class.
    pub class: Option<Class>,
    /// Of events of which type.
    pub kind: Option<String>,
    /// Of events accepted at or after.
    pub after: Option<Timestamp>,
    /// Of events accepted before.
    pub before: Option<Timestamp>,
    /// After this delivery in the list: the cursor.
    pub cursor: Option<DeliveryKey>,
    /// At most so many.
    pub limit: usize,
    /// At most so many rows read.
    pub rows_read: usize,
}

/// Which of an endpoint's sequence numbers to list.
#[derive(Debug, Clone, Copy)]
pub struct SequenceQuery {
    /// Of which endpoint; it may be deleted.
    pub endpoint: EndpointNo,
    /// The first number.
    pub from: u64,
    /// The last number.
    pub to: u64,
    /// After this event: the cursor.
    pub cursor: Option<EventKey>,
    /// At most so many.
    pub limit: usize,
    /// At most so many rows read.
    pub rows_read: usize,
}

/// What of an endpoint can be recovered.
#[derive(Debug, Clone)]
pub struct RecoverableQuery {
    /// Of which endpoint.
    pub endpoint: EndpointNo,
    /// Of which events, and in which states.
    pub recovery: Recovery,
    /// What had ended by then: what ends later is left alone.
    pub ended_by: Timestamp,
    /// After this event: the cursor; zero for the first page.
    pub cursor: EventKey,
    /// At most so many.
    pub limit: usize,
    /// At most so many rows read.
    pub rows_read: usize,
}

/// Which jobs to list.
#[derive(Debug, Clone, Copy)]
pub struct JobQuery {
    /// Of which environment.
    pub environment: EnvironmentNo,
    /// Of which tenant; all of the environment if none.
    pub tenant: Option<TenantNo>,
    /// Of which endpoint of theirs.
    pub endpoint: Option<EndpointNo>,
    /// Older than this one: the cursor.
    pub before: Option<JobId>,
    /// At most so many.
    pub limit: usize,
}

/// A sequence number of an endpoint, with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceRow {
    /// The delivery that got the number.
    pub first: DeliveryRow,
    /// Those that repeat it and carry the same number, newest first.
    pub again: Vec<DeliveryRow>,
}

/// A delivery as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Which.
    pub key: DeliveryKey,
    /// Whose.
    pub tenant: TenantNo,
    /// The event's public id.
    pub event_id: EventId,
    /// The event's type.
    pub event_kind: String,
    /// The endpoint's public id.
    pub endpoint_id: EndpointId,
    /// Where it stands; never `in_flight` here, which its shard knows.
    pub state: DeliveryState,
    /// Why it ended without success.
    pub reason: Option<EndReason>,
    /// Attempts so far.
    pub attempts: u16,
    /// When it is due; none if it is parked or final.
    pub next_due: Option<Timestamp>,
    /// When it ended; none while it has not.
    pub ended_at: Option<Timestamp>,
    /// The endpoint's sequence number.
    pub sequence: u64,
    /// The last attempt.
    pub last: Option<LastAttempt>,
    /// The delivery that this one repeats.
    pub redelivery_of: Option<Generation>,
    /// The lane that it waits in, if it has a row there.
    pub lane: Option<Lane>,
}

/// The last attempt, in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastAttempt {
    /// The answer's status.
    pub status: Option<u16>,
    /// What it meant.
    pub class: Class,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
}

/// A delivery with everything that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryWithAttempts {
    /// The delivery.
    pub row: DeliveryRow,
    /// Its attempts, first to last.
    pub attempts: Vec<AttemptRecord>,
}

/// What a tenant takes of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Deliveries that wait in the store. One that has waited for less than about two seconds may
    /// still be in memory only, and is not counted.
    pub pending: u64,
    /// Bytes of payload.
    pub bytes: u64,
}

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Rows in `pending`, counted when the store was opened and kept since.
    pub pending: u64,
    /// The earliest due time of a row.
    pub oldest_due: Option<Timestamp>,
    /// Events in the store, counted when it was opened and kept since.
    pub events: u64,
    /// When the oldest event that is kept was committed.
    pub oldest_event: Option<Timestamp>,
    /// Bytes of the store's files.
    pub bytes: u64,
}
