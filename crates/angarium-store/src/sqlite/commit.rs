//! A shard's batch, in the order of its fields; all of it, or nothing.

use super::fault::Fault;
use super::guards::{self, Subject};
use super::writer::Tx;
use super::{deliveries, endpoints, events, holds, trace};
use angarium_core::batch::{BatchResult, Checkpoint, Committed, ShardBatch};
use angarium_core::id::{Epoch, ShardId};
use angarium_core::outcome::Class;
use angarium_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, params};
use std::time::Duration;

pub(super) const CLAIM: &str = "
    UPDATE shard SET epoch = epoch + 1 WHERE shard = ?1 RETURNING epoch";

pub(super) const MOVE_CHECKPOINT: &str = "
    UPDATE shard SET checkpoint = max(checkpoint, ?2) WHERE shard = ?1";

pub(super) const COUNT_TENANT: &str = "
    INSERT INTO tenant_counter (tenant, sequence) VALUES (?1, ?2)
    ON CONFLICT (tenant) DO UPDATE SET sequence = max(sequence, excluded.sequence)";

pub(super) const COUNT_ENDPOINT: &str = "
    INSERT INTO endpoint_counter (endpoint, sequence, failures, last_success_at, last_failure_at,
                                  dead, failure_class, failure_status, failing_since, incident)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (endpoint) DO UPDATE SET
        sequence = max(sequence, excluded.sequence), failures = excluded.failures,
        last_success_at = excluded.last_success_at, last_failure_at = excluded.last_failure_at,
        dead = excluded.dead, failure_class = excluded.failure_class,
        failure_status = excluded.failure_status, failing_since = excluded.failing_since,
        incident = excluded.incident";

pub(super) const LAST_WRITTEN: &str = "
    SELECT value FROM meta WHERE name = 'written_at'";

pub(super) const NOTE_WRITTEN: &str = "
    INSERT INTO meta (name, value) VALUES ('written_at', ?1)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

pub(super) const BRING_FORWARD: &str = "
    UPDATE pending SET due = due - ?1 WHERE due IS NOT NULL";

/// Raises the epochs of shards.
pub(super) fn claim(
    tx: &mut Tx<'_>,
    shards: &[ShardId],
    now: Timestamp,
) -> Result<Vec<(ShardId, Epoch)>, Fault> {
    keep_waits(tx, now)?;
    let mut claimed = Vec::with_capacity(shards.len());
    for &shard in shards {
        let epoch: i64 =
            tx.connection.prepare_cached(CLAIM)?.query_row([shard.get()], |row| row.get(0))?;
        tx.state.set_epoch(shard, epoch);
        claimed.push((shard, Epoch::new(epoch)));
    }
    Ok(claimed)
}

/// A clock that stands before the last commit was set back. Due times that are stored go back with
/// it, so that nothing waits longer by that much (D17).
fn keep_waits(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Fault> {
    let noted = tx.connection.prepare_cached(LAST_WRITTEN)?;
    let noted = { noted }.query_row([], |row| row.get(0).map(Timestamp::from_millis)).optional()?;
    let last = noted.max(tx.state.written_at.take());
    let set_back = last.map_or(Duration::ZERO, |last| last.since(now));
    if !set_back.is_zero() {
        tracing::warn!(?set_back, "the clock was set back; what waits is brought forward");
        let millis = i64::try_from(set_back.as_millis()).unwrap_or(i64::MAX);
        tx.connection.prepare_cached(BRING_FORWARD)?.execute([millis])?;
    }
    note_written(tx, now)
}

/// Notes that something was written now.
pub(super) fn note_written(tx: &Tx<'_>, now: Timestamp) -> Result<(), Fault> {
    tx.connection.prepare_cached(NOTE_WRITTEN)?.execute([now.as_millis()])?;
    Ok(())
}

/// Writes batches of several shards; a stale epoch rejects its own batch only.
pub(super) fn commit(
    tx: &mut Tx<'_>,
    batches: &[ShardBatch],
    now: Timestamp,
) -> Result<Vec<BatchResult>, Fault> {
    tx.state.written_at = Some(now);
    batches
        .iter()
        .map(|batch| {
            if tx.state.epoch(batch.shard) == batch.epoch.get() {
                write(tx, batch, now).map(BatchResult::Committed)
            } else {
                Ok(BatchResult::StaleEpoch)
            }
        })
        .collect()
}

fn write(tx: &mut Tx<'_>, batch: &ShardBatch, now: Timestamp) -> Result<Committed, Fault> {
    let mut done = Committed::default();
    for event in &batch.events {
        done.events.push(events::insert(tx, batch.shard, event, now)?);
    }
    for delivery in &batch.deliveries {
        deliveries::write(tx, batch.shard, delivery)?;
    }
    for lane in &batch.lanes {
        holds::write(tx, *lane)?;
    }
    for action in &batch.actions {
        done.actions.push(deliveries::act(tx, batch.shard, action, now)?);
    }
    for endpoint in &batch.endpoints {
        done.endpoints.push(endpoints::write(tx, batch.shard, endpoint, now)?);
    }
    for (key, trace) in &batch.cancelled {
        trace::keep(tx, trace, guards::NOBODY, Subject::Delivery(*key), now)?;
    }
    if let Some(checkpoint) = &batch.checkpoint {
        move_checkpoint(tx, batch.shard, checkpoint)?;
    }
    done.high_water = tx.state.last;
    Ok(done)
}

/// Nothing of a checkpoint goes back: a repeated or late one is harmless.
fn move_checkpoint(tx: &Tx<'_>, shard: ShardId, checkpoint: &Checkpoint) -> Result<(), Fault> {
    tx.connection
        .prepare_cached(MOVE_CHECKPOINT)?
        .execute(params![shard.get(), checkpoint.upto.get()])?;
    for (tenant, sequence) in &checkpoint.tenants {
        tx.connection
            .prepare_cached(COUNT_TENANT)?
            .execute(params![tenant.get(), sequence.cast_signed()])?;
    }
    for counters in &checkpoint.endpoints {
        tx.connection.prepare_cached(COUNT_ENDPOINT)?.execute(params![
            counters.endpoint.get(),
            counters.sequence.cast_signed(),
            counters.health.consecutive_failures,
            counters.health.last_success_at.map(Timestamp::as_millis),
            counters.health.last_failure_at.map(Timestamp::as_millis),
            counters.health.dead_in_a_row,
            counters.health.last_failure_class.map(Class::number),
            counters.health.last_failure_status,
            counters.health.failing_since.map(Timestamp::as_millis),
            counters.health.incident.map(Timestamp::as_millis),
        ])?;
    }
    Ok(())
}
