//! Erasures of a subject: where each stands, in one row, and the step that it takes.

use super::codec::{Columns as _, stored};
use super::erase;
use super::fault::Fault;
use super::guards::Subject;
use super::readers::View;
use super::removal;
use super::trace;
use super::writer::Tx;
use crate::read::Page;
use crate::removal::{ErasedEvent, ErasureStep};
use angarium_core::batch::Trace;
use angarium_core::erasure::{Erasure, ErasureStatus};
use angarium_core::id::{ErasureId, EventKey, TenantNo};
use angarium_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

/// Most events that one step looks at.
const LOOKED_AT: i64 = 500;
/// Most events that one step erases.
const EVENTS: u64 = 100;

const INSERT: &str = "
    INSERT INTO erasure (id, tenant, subject, status, erased, cursor, upto, created_at, updated_at,
                         ended_at)
    VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9)";

pub(super) const COUNT_RUNNING: &str = "
    SELECT count(*) FROM erasure WHERE tenant = ?1 AND status = 'running'";

pub(super) const RUNNING: &str = "SELECT id FROM erasure WHERE status = 'running' ORDER BY id";

pub(super) const PLACE: &str = "
    SELECT tenant, subject, cursor, upto FROM erasure
    WHERE id = ?1 AND status = 'running' AND subject IS NOT NULL";

pub(super) const MOVE: &str = "
    UPDATE erasure SET erased = erased + ?2, cursor = ?3, updated_at = ?4 WHERE id = ?1";

/// Whom it was about is forgotten, too.
pub(super) const END: &str = "
    UPDATE erasure SET status = ?2, subject = NULL, ended_at = ?3 WHERE id = ?1";

pub(super) const CANDIDATES: &str = "
    SELECT event_by_tenant.event, event.subject IS ?4
    FROM event_by_tenant CROSS JOIN event ON event.key = event_by_tenant.event
    WHERE event_by_tenant.tenant = ?1 AND event_by_tenant.event > ?2
      AND event_by_tenant.event <= ?3
    ORDER BY event_by_tenant.event LIMIT ?5";

pub(super) const SELECT: &str = "
    SELECT id, tenant, status, erased, created_at, updated_at, ended_at FROM erasure
    WHERE id = ?1";

pub(super) const OF_TENANT: &str = "
    SELECT id, tenant, status, erased, created_at, updated_at, ended_at FROM erasure
    WHERE tenant = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";

/// Above every id.
const TOP: [u8; 16] = [0xff; 16];

/// Begins an erasure, unless `most` of its tenant run already.
pub(super) fn create(
    tx: &mut Tx<'_>,
    erasure: &Erasure,
    subject: &str,
    most: usize,
    trace: &Trace,
    now: Timestamp,
) -> Result<bool, Fault> {
    let running: i64 = tx
        .connection
        .prepare_cached(COUNT_RUNNING)?
        .query_row([erasure.tenant.get()], |row| row.get(0))?;
    if usize::try_from(running).unwrap_or(usize::MAX) >= most {
        return Ok(false);
    }
    tx.connection.prepare_cached(INSERT)?.execute(params![
        erasure.id.to_bytes(),
        erasure.tenant.get(),
        subject,
        erasure.status.as_str(),
        stored(erasure.erased),
        tx.state.last.get(),
        erasure.created_at.as_millis(),
        erasure.updated_at.as_millis(),
        erasure.ended_at.map(Timestamp::as_millis),
    ])?;
    trace::keep(tx, trace, erasure.tenant, Subject::Nothing, now)?;
    Ok(true)
}

struct Place {
    tenant: TenantNo,
    subject: String,
    cursor: i64,
    upto: i64,
}

/// Takes the next step.
pub(super) fn step(tx: &mut Tx<'_>, id: ErasureId, now: Timestamp) -> Result<ErasureStep, Fault> {
    let place = |row: &Row<'_>| {
        let tenant = TenantNo::new(row.get(0)?);
        Ok(Place { tenant, subject: row.get(1)?, cursor: row.get(2)?, upto: row.get(3)? })
    };
    let mut select = tx.connection.prepare_cached(PLACE)?;
    let found = select.query_row([id.to_bytes()], place).optional()?;
    let Some(mut place) = found else { return Ok(ErasureStep::Ended) };
    let (from, mut erased) = (place.cursor, 0);
    let next = erase_some(tx, &mut place, &mut erased, now)?;
    if place.cursor > from {
        let moved = params![id.to_bytes(), stored(erased), place.cursor, now.as_millis()];
        tx.connection.prepare_cached(MOVE)?.execute(moved)?;
    }
    if next == ErasureStep::Ended {
        let ended = params![id.to_bytes(), ErasureStatus::Done.as_str(), now.as_millis()];
        removal::for_good(tx, |tx| Ok(tx.connection.prepare_cached(END)?.execute(ended)?))?;
        tx.state.to_scrub = true;
    }
    Ok(next)
}

fn erase_some(
    tx: &mut Tx<'_>,
    place: &mut Place,
    erased: &mut u64,
    now: Timestamp,
) -> Result<ErasureStep, Fault> {
    // What the listing index does not have yet is looked at once it has it.
    let upto = place.upto.min(tx.state.indexed_upto.get());
    let candidates = tx
        .connection
        .prepare_cached(CANDIDATES)?
        .query_map(
            params![place.tenant.get(), place.cursor, upto, place.subject, LOOKED_AT],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
        .collect::<Result<Vec<(i64, bool)>, _>>()?;
    let is_last = candidates.len() < usize::try_from(LOOKED_AT).unwrap_or(usize::MAX);
    for (key, is_meant) in candidates {
        if is_meant {
            if *erased >= EVENTS {
                return Ok(ErasureStep::More);
            }
            match erase::erase(tx, place.tenant, EventKey::new(key), now)? {
                ErasedEvent::Erased => *erased += 1,
                ErasedEvent::Waiting(unended) => {
                    return Ok(ErasureStep::Waiting(place.tenant, unended));
                }
                ErasedEvent::NotFound => {}
            }
        }
        place.cursor = key;
    }
    match is_last && tx.state.indexed_upto.get() >= place.upto {
        true => Ok(ErasureStep::Ended),
        false if is_last => Ok(ErasureStep::Waiting(place.tenant, Vec::new())),
        false => Ok(ErasureStep::More),
    }
}

/// One erasure.
pub(super) fn find(view: &View<'_>, id: ErasureId) -> Result<Option<Erasure>, Fault> {
    let mut select = view.connection.prepare_cached(SELECT)?;
    select.query_row([id.to_bytes()], |row| Ok(read(row))).optional()?.transpose()
}

/// Every erasure that runs.
pub(super) fn running(view: &View<'_>) -> Result<Vec<ErasureId>, Fault> {
    let mut select = view.connection.prepare_cached(RUNNING)?;
    let ids = select.query_map([], |row| row.get(0).map(ErasureId::from_bytes))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// A page of a tenant's erasures, newest first.
pub(super) fn list(
    view: &View<'_>,
    tenant: TenantNo,
    before: Option<ErasureId>,
    limit: usize,
) -> Result<Page<Erasure, ErasureId>, Fault> {
    let below = before.map_or(TOP, ErasureId::to_bytes);
    let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut select = view.connection.prepare_cached(OF_TENANT)?;
    let rows = select.query_map(params![tenant.get(), below, most], |row| Ok(read(row)))?;
    let mut items = rows.map(|row| row?).collect::<Result<Vec<_>, Fault>>()?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|erasure| erasure.id);
    Ok(Page { items, next })
}

fn read(row: &Row<'_>) -> Result<Erasure, Fault> {
    let status: String = row.get(2)?;
    Ok(Erasure {
        id: ErasureId::from_bytes(row.get(0)?),
        tenant: row.tenant(1)?,
        status: ErasureStatus::parse(&status)
            .ok_or_else(|| Fault::damaged("erasure.status", &status))?,
        erased: row.count(3)?,
        created_at: row.time(4)?.unwrap_or_default(),
        updated_at: row.time(5)?.unwrap_or_default(),
        ended_at: row.time(6)?,
    })
}
