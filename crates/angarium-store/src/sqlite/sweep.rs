//! What is of age goes, a bounded step at a time: payloads, attempts, then all that is left.
//!
//! A cursor for each environment and part follows the keys of events, which rise with time. It
//! stops before what may not go yet, so that nothing is passed over (design.md, rule 11).

use super::codec::Columns as _;
use super::events::Stored;
use super::fault::Fault;
use super::purge;
use super::readers::View;
use super::removal::{self, Found};
use super::rows::Rows;
use super::writer::Tx;
use crate::read::{DeliveryRow, Page};
use crate::removal::{ExpiringQuery, SweepNext, SweepOrder, Swept};
use angarium_core::id::{
    DeliveryKey, EndpointNo, EnvironmentNo, EventKey, Generation, JobId, ShardId, TenantNo,
};
use angarium_core::retention::{Gone, GoneWhy, Part};
use angarium_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

/// Most events that one step looks at, whosever they are.
const LOOKED_AT: usize = 2_000;
/// Most events of which one step removes something: whoever publishes meanwhile waits for it.
const EVENTS: u64 = 250;
/// After so many bytes of payload a step ends.
const BYTES: usize = 512 * 1024;
/// Most ended jobs and deleted endpoints that one step removes.
const LEFT_OVERS: i64 = 100;
/// Most entries of the audit log that one step removes.
const ENTRIES: i64 = 1_000;

pub(super) const CURSOR: &str = "
    SELECT upto FROM swept WHERE environment = ?1 AND part = ?2";

pub(super) const MOVE: &str = "
    INSERT INTO swept (environment, part, upto) VALUES (?1, ?2, ?3)
    ON CONFLICT (environment, part) DO UPDATE SET upto = excluded.upto";

pub(super) const OF_AGE: &str = "
    SELECT key, event.shard, event.tenant, environment
    FROM event LEFT JOIN tenant ON tenant.no = event.tenant
    WHERE key > ?1 AND key < ?2 ORDER BY key LIMIT ?3";

pub(super) const EXPIRING: &str = "
    SELECT pending.event, pending.endpoint, generation, environment
    FROM pending CROSS JOIN event ON event.key = pending.event
    LEFT JOIN tenant ON tenant.no = event.tenant
    WHERE (pending.event, pending.endpoint, generation) > (?1, ?2, ?3) AND pending.event < ?4
    ORDER BY pending.event, pending.endpoint, generation LIMIT ?5";

pub(super) const CHECKPOINT: &str = "SELECT checkpoint FROM shard WHERE shard = ?1";

pub(super) const ENDED_JOBS: &str = "
    DELETE FROM job WHERE id IN (
        SELECT id FROM job WHERE environment = ?1 AND id < ?2 AND status <> 'running'
        ORDER BY id LIMIT ?3)";

pub(super) const DELETED_ENDPOINTS: &str = "
    SELECT no FROM endpoint
    WHERE environment = ?1 AND deleted_at IS NOT NULL AND deleted_at < ?2
      AND NOT EXISTS (SELECT 1 FROM pair_by_endpoint WHERE pair_by_endpoint.endpoint = no)
    ORDER BY deleted_at LIMIT ?3";

pub(super) const OLDEST_ENTRIES: &str = "
    SELECT no, at, hash FROM audit WHERE no < ?1 ORDER BY no LIMIT ?2";

/// Up to where a part of an environment's events is removed.
fn cursor(connection: &Connection, of: EnvironmentNo, part: Part) -> Result<EventKey, Fault> {
    let of = params![of.get(), part.number()];
    let upto = connection.prepare_cached(CURSOR)?.query_row(of, |row| row.get(0)).optional()?;
    Ok(upto.map_or(EventKey::ZERO, EventKey::new))
}

/// One bounded step.
pub(super) fn step(tx: &mut Tx<'_>, order: &SweepOrder, now: Timestamp) -> Result<Swept, Fault> {
    let mut from = cursor(tx.connection, order.environment, order.part)?;
    if order.again {
        from = from.min(cursor(tx.connection, order.environment, Part::Payload)?);
    }
    let mut step = Step { order: *order, now, events: 0, damaged: 0, bytes: 0, upto: from };
    let next = removal::for_good(tx, |tx| step.take(tx))?;
    if step.upto > from {
        let upto = step.upto.get();
        let moved = params![order.environment.get(), order.part.number(), upto];
        tx.connection.prepare_cached(MOVE)?.execute(moved)?;
    }
    let Step { events, damaged, upto, .. } = step;
    tx.state.removed |= events > 0;
    if next != SweepNext::More && tx.state.removed {
        (tx.state.to_scrub, tx.state.removed) = (true, false);
    }
    Ok(Swept { events, damaged, upto, next })
}

struct Step {
    order: SweepOrder,
    now: Timestamp,
    events: u64,
    damaged: u64,
    bytes: usize,
    upto: EventKey,
}

impl Step {
    fn take(&mut self, tx: &mut Tx<'_>) -> Result<SweepNext, Fault> {
        // What the listing indexes do not have yet would get rows there afterwards.
        let end = self.order.end.get().min(tx.state.indexed_upto.get().saturating_add(1));
        let seen = of_age(tx.connection, self.upto, end)?;
        let looked_at = seen.len();
        for (key, shard, tenant, environment) in seen {
            if environment.is_none() {
                // Accepted before its tenant was deleted, and committed after it.
                purge::begin(tx, tenant)?;
            }
            if environment == Some(self.order.environment.get()) {
                if self.events >= EVENTS || self.bytes >= BYTES {
                    return Ok(SweepNext::More);
                }
                if key > checkpoint(tx.connection, shard)? {
                    return Ok(SweepNext::HeldUp(Vec::new()));
                }
                if let Some(holds) = self.remove(tx, key)? {
                    return Ok(SweepNext::HeldUp(holds));
                }
            }
            self.upto = key;
        }
        if looked_at == LOOKED_AT {
            return Ok(SweepNext::More);
        }
        match self.order.part == Part::Metadata && left_overs(tx, &self.order)? {
            true => Ok(SweepNext::More),
            false => Ok(SweepNext::Reached),
        }
    }

    /// Removes the part of one event, unless something of it has not ended: then it answers which
    /// dead letters hold their lanes.
    fn remove(
        &mut self,
        tx: &mut Tx<'_>,
        key: EventKey,
    ) -> Result<Option<Vec<DeliveryKey>>, Fault> {
        let part = self.order.part;
        if part != Part::Attempts && !removal::waiting(tx.connection, key)?.is_empty() {
            return Ok(Some(Vec::new()));
        }
        if part == Part::Attempts {
            self.events += u64::from(removal::attempts(tx, key)?);
            return Ok(None);
        }
        if key < self.order.attempts_end {
            removal::attempts(tx, key)?;
        }
        match removal::find(tx.connection, key)? {
            Found::Nothing => return Ok(None),
            // Its payload cannot be told from the rest.
            Found::Damaged => self.damaged += u64::from(removal::damaged(tx, key)?),
            Found::Sound(stored) => {
                self.bytes += stored.event.body.weight();
                if part == Part::Metadata {
                    let holds = removal::holds(tx.connection, &stored)?;
                    if !holds.is_empty() {
                        return Ok(Some(holds));
                    }
                    removal::whole(tx, &stored)?;
                } else {
                    self.strip(tx, stored)?;
                }
            }
        }
        self.events += 1;
        Ok(None)
    }

    fn strip(&self, tx: &mut Tx<'_>, stored: Stored) -> Result<(), Fault> {
        match stored.gone {
            Some(_) => Ok(()),
            None => removal::payload(tx, stored, Gone { why: GoneWhy::Expired, at: self.now }),
        }
    }
}

type Seen = (EventKey, ShardId, TenantNo, Option<i64>);

fn of_age(connection: &Connection, after: EventKey, end: i64) -> Result<Vec<Seen>, Fault> {
    let mut select = connection.prepare_cached(OF_AGE)?;
    let mut rows = select.query(params![after.get(), end, at_most(LOOKED_AT)])?;
    let mut seen = Vec::new();
    while let Some(row) = rows.next()? {
        let tenant = row.tenant(2)?;
        // A damaged row stops nobody; a shard follows from its tenant.
        let shard = row.shard(1).unwrap_or_else(|_| ShardId::of(tenant));
        seen.push((EventKey::new(row.get(0)?), shard, tenant, row.get(3)?));
    }
    Ok(seen)
}

fn at_most(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn checkpoint(connection: &Connection, shard: ShardId) -> Result<EventKey, Fault> {
    let mut select = connection.prepare_cached(CHECKPOINT)?;
    let checkpoint = select.query_row([shard.get()], |row| row.get(0)).optional()?;
    Ok(checkpoint.map_or(EventKey::ZERO, EventKey::new))
}

/// Removes jobs that ended, and endpoints that were deleted, before the oldest event that is left;
/// says whether there is more.
fn left_overs(tx: &Tx<'_>, order: &SweepOrder) -> Result<bool, Fault> {
    let (environment, end) = (order.environment.get(), order.end.time());
    let before = JobId::from_parts(end, [0; 10]).to_bytes();
    let jobs = params![environment, before, LEFT_OVERS];
    let jobs = tx.connection.prepare_cached(ENDED_JOBS)?.execute(jobs)?;
    // An event may name an endpoint that was deleted while it was committed.
    let deleted = (end - super::lists::COMMIT_LAG).as_millis();
    let endpoints = tx
        .connection
        .prepare_cached(DELETED_ENDPOINTS)?
        .query_map(params![environment, deleted, LEFT_OVERS], |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    for no in &endpoints {
        purge::endpoint(tx, EndpointNo::new(*no))?;
    }
    Ok(at_most(jobs) >= LEFT_OVERS || at_most(endpoints.len()) >= LEFT_OVERS)
}

/// A page of the waiting deliveries whose events are of age.
pub(super) fn expiring(
    view: &View<'_>,
    query: ExpiringQuery,
) -> Result<Page<DeliveryRow, DeliveryKey>, Fault> {
    let first = DeliveryKey::first(EventKey::ZERO, EndpointNo::default());
    let after = query.cursor.unwrap_or(first);
    let mut select = view.connection.prepare_cached(EXPIRING)?;
    let mut rows = select.query(params![
        after.event.get(),
        after.endpoint.get(),
        after.generation.get(),
        query.end.get(),
        at_most(LOOKED_AT),
    ])?;
    let mut read = Rows::new(view);
    let mut page = Page { items: Vec::new(), next: None };
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        let endpoint = EndpointNo::new(row.get(1)?);
        let generation = Generation::new(row.get(2)?);
        let key = DeliveryKey { event: EventKey::new(row.get(0)?), endpoint, generation };
        looked_at += 1;
        if row.get::<_, Option<i64>>(3)? == Some(query.environment.get()) {
            match read.one(key) {
                Ok(found) => page.items.extend(found),
                // One that nobody can read stops no other.
                Err(fault) if fault.is_of_a_row() => {
                    tracing::error!(%key, error = %fault, "a delivery that is of age is damaged");
                }
                Err(fault) => return Err(fault),
            }
        }
        if page.items.len() >= query.limit || looked_at == LOOKED_AT {
            page.next = Some(key);
            break;
        }
    }
    Ok(page)
}

/// When the oldest event was committed.
pub(super) fn oldest_event(view: &View<'_>) -> Result<Option<Timestamp>, Fault> {
    let select = "SELECT min(key) FROM event";
    let key = view.connection.prepare_cached(select)?.query_row([], |row| row.get(0))?;
    Ok(Option::map(key, |key| EventKey::new(key).time()))
}

/// Removes entries from the beginning of the audit log, all but the last.
pub(super) fn audit(tx: &mut Tx<'_>, upto: Timestamp) -> Result<u64, Fault> {
    let head = tx.state.audited.no.get();
    let mut select = tx.connection.prepare_cached(OLDEST_ENTRIES)?;
    let mut rows = select.query(params![head, ENTRIES])?;
    let (mut removed, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(1)? > upto.as_millis() {
            break;
        }
        removed += 1;
        last = Some((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(2)?));
    }
    drop(rows);
    let Some((no, hash)) = last else { return Ok(0) };
    removal::for_good(tx, |tx| {
        tx.connection.execute("DELETE FROM audit WHERE no <= ?1", [no])?;
        tx.connection.execute("UPDATE audit_base SET no = ?1, hash = ?2", params![no, hash])?;
        tx.state.to_scrub = true;
        Ok(removed)
    })
}
