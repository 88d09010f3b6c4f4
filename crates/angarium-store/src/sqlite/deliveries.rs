//! Rows of deliveries: `pending` while they wait outside memory, `delivery` once they have ended,
//! `attempt` for the attempts before the last one.
//!
//! The happy path comes here once, for one insert.

use super::codec::{Columns as _, micros, stored};
use super::crc;
use super::events;
use super::fault::Fault;
use super::guards::{self, Subject};
use super::holds;
use super::replay::replay;
use super::writer::Tx;
use super::{trace, usage};
use angarium_core::batch::{
    ActionResult, AttemptRecord, DeliveryWrite, Fanout, LaneWrite, NextState, RowAction,
    RowActionKind, Standing,
};
use angarium_core::delivery::{DeliveryState, EndReason};
use angarium_core::id::{DeliveryKey, Generation, ShardId};
use angarium_core::lane::Lane;
use angarium_core::time::Timestamp;
use angarium_core::waiting::LaneHold;
use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension as _, params};

pub(super) const INSERT_DELIVERY: &str = "
    INSERT INTO delivery (event, endpoint, generation, sequence, state, reason, attempts, ended_at,
                          repeats, tenant, n, at, took, class, status, detail, request, response,
                          body, crc)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
            ?20)
    ON CONFLICT DO NOTHING";

pub(super) const INSERT_ATTEMPT: &str = "
    INSERT INTO attempt (event, endpoint, generation, n, at, took, class, status, detail, request,
                         response, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT DO NOTHING";

pub(super) const INSERT_PENDING: &str = "
    INSERT INTO pending (event, endpoint, generation, shard, sequence, attempts, state, due, lane,
                         repeats)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT DO NOTHING";

pub(super) const UPDATE_PENDING: &str = "
    UPDATE pending SET attempts = ?4, state = ?5, due = ?6
    WHERE event = ?1 AND endpoint = ?2 AND generation = ?3";

pub(super) const DELETE_PENDING: &str = "
    DELETE FROM pending WHERE event = ?1 AND endpoint = ?2 AND generation = ?3";

pub(super) const SELECT_PENDING: &str = "
    SELECT sequence, attempts, repeats, state, lane FROM pending
    WHERE event = ?1 AND endpoint = ?2 AND generation = ?3";

pub(super) const MAKE_DUE: &str = "
    UPDATE pending SET due = ?4
    WHERE event = ?1 AND endpoint = ?2 AND generation = ?3 AND state = 2";

pub(super) const SELECT_ENDED: &str = "
    SELECT sequence FROM delivery WHERE event = ?1 AND endpoint = ?2 AND generation = ?3";

pub(super) const LAST_GENERATION: &str = "
    SELECT max(
        ifnull((SELECT max(generation) FROM delivery WHERE event = ?1 AND endpoint = ?2), 0),
        ifnull((SELECT max(generation) FROM pending WHERE event = ?1 AND endpoint = ?2), 0))";

/// A delivery that waits outside memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) key: DeliveryKey,
    pub(super) sequence: u64,
    pub(super) attempts: u16,
    /// `Pending`, or `Queued` behind the head of its lane.
    pub(super) state: DeliveryState,
    pub(super) due: Option<Timestamp>,
    pub(super) lane: Option<Lane>,
    pub(super) repeats: Option<Generation>,
}

impl Waiting {
    /// The first delivery of a pair, without a time.
    pub(super) fn first(key: DeliveryKey, fanout: &Fanout) -> Self {
        Self {
            key,
            sequence: fanout.sequence,
            attempts: 0,
            state: DeliveryState::Pending,
            due: None,
            lane: fanout.lane,
            repeats: None,
        }
    }

    /// Where it stands in its lane.
    fn stood(&self) -> Option<(Lane, Standing)> {
        let standing = match self.state {
            DeliveryState::Queued => Standing::Behind,
            _ => Standing::Head,
        };
        Some((self.lane?, standing))
    }
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy)]
struct Ended {
    sequence: u64,
    attempts: u16,
    state: DeliveryState,
    reason: Option<EndReason>,
    at: Timestamp,
    repeats: Option<Generation>,
}

impl Ended {
    /// The checksum of the row, over what `rows.rs` reads in a list.
    fn crc(&self, key: DeliveryKey, attempt: Option<&AttemptRecord>) -> u32 {
        crc::of([
            ValueRef::Integer(key.event.get()),
            ValueRef::Integer(key.endpoint.get()),
            ValueRef::Integer(key.generation.get().into()),
            ValueRef::Integer(stored(self.sequence)),
            ValueRef::Integer(self.state.number().into()),
            crc::integer(self.reason.map(|reason| reason.number().into())),
            ValueRef::Integer(self.attempts.into()),
            crc::integer(self.repeats.map(|repeats| repeats.get().into())),
            crc::integer(attempt.map(|a| a.at.as_millis())),
            crc::integer(attempt.map(|a| micros(a.took))),
            crc::integer(attempt.map(|a| a.class.number().into())),
            crc::integer(attempt.and_then(|a| a.status).map(i64::from)),
            ValueRef::Integer(self.at.as_millis()),
        ])
    }
}

/// Writes what became of a delivery.
pub(super) fn write(tx: &mut Tx<'_>, shard: ShardId, write: &DeliveryWrite) -> Result<(), Fault> {
    let attempt = write.attempt.as_deref();
    let waits = |state, due| Waiting {
        key: write.key,
        sequence: write.sequence,
        attempts: write.attempts,
        state,
        due,
        lane: write.lane,
        repeats: None,
    };
    match write.next {
        NextState::Queued => put_waiting(tx, shard, write, &waits(DeliveryState::Queued, None)),
        NextState::Pending { due } => {
            if let Some(attempt) = attempt {
                insert_attempt(tx, write.key, attempt)?;
            }
            put_waiting(tx, shard, write, &waits(DeliveryState::Pending, due))
        }
        NextState::Ended { state, reason, at } => {
            // Only a redelivery repeats another, and it always has a row (rule 3).
            let repeats = match write.key.generation.get() {
                0 => None,
                _ => find_waiting(tx, write.key)?.and_then(|waiting| waiting.repeats),
            };
            let ended = Ended {
                sequence: write.sequence,
                attempts: write.attempts,
                state,
                reason,
                at,
                repeats,
            };
            insert_ended(tx, write.key, ended, attempt)?;
            if write.has_row {
                delete_waiting(tx, write.key)?;
            }
            Ok(())
        }
    }
}

fn put_waiting(
    tx: &mut Tx<'_>,
    shard: ShardId,
    write: &DeliveryWrite,
    waiting: &Waiting,
) -> Result<(), Fault> {
    match write.has_row {
        true => update_waiting(tx, shard, waiting),
        false => insert_waiting(tx, shard, waiting),
    }
}

/// Writes a `pending` row; one that is there already is brought up to date.
pub(super) fn insert_waiting(
    tx: &mut Tx<'_>,
    shard: ShardId,
    waiting: &Waiting,
) -> Result<(), Fault> {
    let key = waiting.key;
    let inserted = tx.connection.prepare_cached(INSERT_PENDING)?.execute(params![
        key.event.get(),
        key.endpoint.get(),
        key.generation.get(),
        shard.get(),
        stored(waiting.sequence),
        waiting.attempts,
        waiting.state.number(),
        waiting.due.map(Timestamp::as_millis),
        waiting.lane.map(Lane::to_bytes),
        waiting.repeats.map(Generation::get),
    ])?;
    if inserted == 0 {
        return update_waiting(tx, shard, waiting);
    }
    tx.state.pending += 1;
    usage::count_waiting(tx, key.endpoint, 1)
}

fn update_waiting(tx: &mut Tx<'_>, shard: ShardId, waiting: &Waiting) -> Result<(), Fault> {
    let key = waiting.key;
    let updated = tx.connection.prepare_cached(UPDATE_PENDING)?.execute(params![
        key.event.get(),
        key.endpoint.get(),
        key.generation.get(),
        waiting.attempts,
        waiting.state.number(),
        waiting.due.map(Timestamp::as_millis),
    ])?;
    if updated == 0 {
        return insert_waiting(tx, shard, waiting);
    }
    Ok(())
}

fn delete_waiting(tx: &mut Tx<'_>, key: DeliveryKey) -> Result<(), Fault> {
    let deleted = tx.connection.prepare_cached(DELETE_PENDING)?.execute(params![
        key.event.get(),
        key.endpoint.get(),
        key.generation.get(),
    ])?;
    if deleted > 0 {
        tx.state.pending -= 1;
        usage::count_waiting(tx, key.endpoint, -1)?;
    }
    Ok(())
}

fn find_waiting(tx: &Tx<'_>, key: DeliveryKey) -> Result<Option<Waiting>, Fault> {
    let mut select = tx.connection.prepare_cached(SELECT_PENDING)?;
    let mut rows =
        select.query(params![key.event.get(), key.endpoint.get(), key.generation.get()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(Waiting {
        key,
        sequence: row.count(0)?,
        attempts: row.get(1)?,
        state: row.state(3)?,
        due: None,
        lane: row.get::<_, Option<[u8; 16]>>(4)?.map(Lane::from_bytes),
        repeats: row.get::<_, Option<u32>>(2)?.map(Generation::new),
    }))
}

/// Writes the final row of a delivery whose endpoint was off when the event was accepted.
pub(super) fn insert_suppressed(
    tx: &Tx<'_>,
    key: DeliveryKey,
    sequence: u64,
    at: Timestamp,
) -> Result<(), Fault> {
    let ended = Ended {
        sequence,
        attempts: 0,
        state: DeliveryState::Suppressed,
        reason: Some(EndReason::EndpointDisabled),
        at,
        repeats: None,
    };
    insert_ended(tx, key, ended, None)
}

/// Cancels a waiting delivery; none if it does not wait.
pub(super) fn cancel(
    tx: &mut Tx<'_>,
    key: DeliveryKey,
    reason: EndReason,
    at: Timestamp,
) -> Result<Option<ActionResult>, Fault> {
    end_waiting(tx, key, DeliveryState::Cancelled, reason, at)
}

/// Gives a waiting delivery up whose event is of age; at the head of its lane it may hold that.
fn expire(
    tx: &mut Tx<'_>,
    key: DeliveryKey,
    holds: bool,
    at: Timestamp,
) -> Result<Option<ActionResult>, Fault> {
    let done = end_waiting(tx, key, DeliveryState::Dead, EndReason::Expired, at)?;
    if let Some(ActionResult { stood: Some((lane, Standing::Head)), .. }) = done
        && holds
    {
        holds::write(tx, LaneWrite::Hold(LaneHold { lane, by: key }))?;
    }
    Ok(done)
}

/// Ends a waiting delivery without another attempt; none if it does not wait.
fn end_waiting(
    tx: &mut Tx<'_>,
    key: DeliveryKey,
    state: DeliveryState,
    reason: EndReason,
    at: Timestamp,
) -> Result<Option<ActionResult>, Fault> {
    let Some(waiting) = find_waiting(tx, key)? else {
        return Ok(None);
    };
    let ended = Ended {
        sequence: waiting.sequence,
        attempts: waiting.attempts,
        state,
        reason: Some(reason),
        at,
        repeats: waiting.repeats,
    };
    insert_ended(tx, key, ended, None)?;
    delete_waiting(tx, key)?;
    Ok(Some(ActionResult { key, stood: waiting.stood() }))
}

fn insert_ended(
    tx: &Tx<'_>,
    key: DeliveryKey,
    ended: Ended,
    attempt: Option<&AttemptRecord>,
) -> Result<(), Fault> {
    let tenant = match ended.state {
        DeliveryState::Delivered => None,
        _ => tx
            .connection
            .prepare_cached(usage::OWNER)?
            .query_row([key.endpoint.get()], |row| row.get::<_, i64>(0))
            .optional()?,
    };
    tx.connection.prepare_cached(INSERT_DELIVERY)?.execute(params![
        key.event.get(),
        key.endpoint.get(),
        key.generation.get(),
        stored(ended.sequence),
        ended.state.number(),
        ended.reason.map(EndReason::number),
        ended.attempts,
        ended.at.as_millis(),
        ended.repeats.map(Generation::get),
        tenant,
        attempt.map(|a| a.n),
        attempt.map(|a| a.at.as_millis()),
        attempt.map(|a| micros(a.took)),
        attempt.map(|a| a.class.number()),
        attempt.and_then(|a| a.status),
        attempt.and_then(|a| a.detail.as_deref()),
        attempt.map(|a| &*a.request),
        attempt.map(|a| &*a.response),
        attempt.map(|a| &*a.body),
        ended.crc(key, attempt),
    ])?;
    Ok(())
}

fn insert_attempt(tx: &Tx<'_>, key: DeliveryKey, attempt: &AttemptRecord) -> Result<(), Fault> {
    tx.connection.prepare_cached(INSERT_ATTEMPT)?.execute(params![
        key.event.get(),
        key.endpoint.get(),
        key.generation.get(),
        attempt.n,
        attempt.at.as_millis(),
        micros(attempt.took),
        attempt.class.number(),
        attempt.status,
        attempt.detail.as_deref(),
        &*attempt.request,
        &*attempt.response,
        &*attempt.body,
    ])?;
    Ok(())
}

/// Does what a person asked for; none if there is no such row.
pub(super) fn act(
    tx: &mut Tx<'_>,
    shard: ShardId,
    action: &RowAction,
    now: Timestamp,
) -> Result<Option<ActionResult>, Fault> {
    let key = action.key;
    let alone = |key| ActionResult { key, stood: None };
    let done = match &action.kind {
        RowActionKind::Cancel => cancel(tx, key, EndReason::CancelledByCall, action.at)?,
        RowActionKind::Expire { holds, .. } => expire(tx, key, *holds, action.at)?,
        RowActionKind::DueNow => make_due(tx, key, action.at)?.then_some(alone(key)),
        RowActionKind::Redeliver => redeliver(tx, shard, key, action.at)?.map(alone),
        RowActionKind::Skip => holds::skip(tx, key)?,
        RowActionKind::Replay(made) => replay(tx, shard, made)?.then_some(alone(key)),
    };
    if let Some(ActionResult { key, .. }) = done {
        trace::keep(tx, &action.trace, guards::NOBODY, Subject::Delivery(key), now)?;
    }
    Ok(done)
}

fn make_due(tx: &Tx<'_>, key: DeliveryKey, at: Timestamp) -> Result<bool, Fault> {
    let updated = tx.connection.prepare_cached(MAKE_DUE)?.execute(params![
        key.event.get(),
        key.endpoint.get(),
        key.generation.get(),
        at.as_millis(),
    ])?;
    Ok(updated > 0)
}

/// Makes the next generation of a pair whose delivery has ended, due at once.
fn redeliver(
    tx: &mut Tx<'_>,
    shard: ShardId,
    ended: DeliveryKey,
    at: Timestamp,
) -> Result<Option<DeliveryKey>, Fault> {
    let (event, endpoint) = (ended.event.get(), ended.endpoint.get());
    let sequence = tx
        .connection
        .prepare_cached(SELECT_ENDED)?
        .query_row(params![event, endpoint, ended.generation.get()], |row| row.get::<_, i64>(0))
        .optional()?;
    let Some(sequence) = sequence else {
        return Ok(None);
    };
    if !events::has_payload(tx.connection, ended.event)? {
        return Ok(None);
    }
    let last: u32 = tx
        .connection
        .prepare_cached(LAST_GENERATION)?
        .query_row(params![event, endpoint], |row| row.get(0))?;
    let key = DeliveryKey { generation: Generation::new(last + 1), ..ended };
    let waiting = Waiting {
        key,
        sequence: sequence.cast_unsigned(),
        attempts: 0,
        state: DeliveryState::Pending,
        due: Some(at),
        // It comes later than what followed the first one, so it stands in no lane.
        lane: None,
        repeats: Some(ended.generation),
    };
    insert_waiting(tx, shard, &waiting)?;
    Ok(Some(key))
}
