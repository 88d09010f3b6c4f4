//! Requests that sources rejected: shown to those who own the source, for a while. Nothing else
//! depends on them, so the path of an event never waits for more than a slice of them.

use super::accounts::{from_json, json};
use super::codec::{Columns as _, stored};
use super::fault::Fault;
use super::readers::View;
use super::removal;
use super::writer::Tx;
use crate::read::{Page, RejectionNo};
use angarium_core::id::SourceId;
use angarium_core::source::Rejection;
use angarium_core::time::Timestamp;
use rusqlite::{Row, params};
use std::collections::BTreeSet;
use std::time::Duration;

/// Most rows that one transaction writes or deletes: each may hold some kilobytes of a body, and
/// whoever publishes meanwhile waits for it.
pub(super) const SLICE: usize = 50;

/// Third parties send again what was rejected for up to three days (features.md, section 1); a week
/// leaves time to look after that, and a weekend before.
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3_600);

pub(super) const INSERT: &str = "
    INSERT INTO rejection (source, at, cause, reason, method, target, headers, body_bytes, body)
    SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM source WHERE id = ?1";

pub(super) const KEEP_NEWEST: &str = "
    DELETE FROM rejection WHERE source = ?1 AND no <= (
        SELECT no FROM rejection WHERE source = ?1 ORDER BY no DESC LIMIT 1 OFFSET ?2)";

pub(super) const DELETE: &str = "DELETE FROM rejection WHERE source = ?1";

pub(super) const FORGET: &str = "
    DELETE FROM rejection WHERE no IN (
        SELECT no FROM rejection WHERE at <= ?1 ORDER BY at LIMIT ?2)";

pub(super) const PAGE: &str = "
    SELECT no, source, at, cause, reason, method, target, headers, body_bytes, body
    FROM rejection WHERE source = ?1 AND no < ?2 ORDER BY no DESC LIMIT ?3";

/// Keeps rejections of sources that there are, of each source the newest `most`.
pub(super) fn keep(tx: &Tx<'_>, rejections: &[Rejection], most: usize) -> Result<(), Fault> {
    let mut insert = tx.connection.prepare_cached(INSERT)?;
    for rejection in rejections {
        insert.execute(params![
            rejection.source.to_bytes(),
            rejection.at.as_millis(),
            rejection.cause,
            rejection.reason,
            rejection.method,
            rejection.target,
            json("rejection.headers", &rejection.headers)?,
            stored(rejection.body_bytes),
            &*rejection.body,
        ])?;
    }
    let mut keep_newest = tx.connection.prepare_cached(KEEP_NEWEST)?;
    let sources: BTreeSet<_> = rejections.iter().map(|rejection| rejection.source).collect();
    for source in sources {
        keep_newest.execute(params![source.to_bytes(), at_most(most)])?;
    }
    Ok(())
}

/// Deletes all that a source rejected.
pub(super) fn delete_of(tx: &Tx<'_>, source: SourceId) -> Result<(), Fault> {
    tx.connection.prepare_cached(DELETE)?.execute([source.to_bytes()])?;
    Ok(())
}

/// Forgets the oldest of those that were kept long enough, a slice of them; says how many.
pub(super) fn forget(tx: &mut Tx<'_>, now: Timestamp) -> Result<usize, Fault> {
    let of_age = params![(now - KEPT_FOR).as_millis(), at_most(SLICE)];
    let forgotten =
        removal::for_good(tx, |tx| Ok(tx.connection.prepare_cached(FORGET)?.execute(of_age)?))?;
    tx.state.to_scrub |= forgotten > 0;
    Ok(forgotten)
}

/// A page of what a source rejected, newest first.
pub(super) fn page(
    view: &View<'_>,
    source: SourceId,
    before: Option<RejectionNo>,
    limit: usize,
) -> Result<Page<(RejectionNo, Rejection), RejectionNo>, Fault> {
    let mut select = view.connection.prepare_cached(PAGE)?;
    let mut rows = select.query(params![
        source.to_bytes(),
        before.map_or(i64::MAX, |no| no.0),
        at_most(limit.saturating_add(1)),
    ])?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(read(row)?);
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|(no, _)| *no);
    Ok(Page { items, next })
}

fn read(row: &Row<'_>) -> Result<(RejectionNo, Rejection), Fault> {
    let rejection = Rejection {
        source: SourceId::from_bytes(row.get(1)?),
        at: Timestamp::from_millis(row.get(2)?),
        cause: row.get(3)?,
        reason: row.get(4)?,
        method: row.get(5)?,
        target: row.get(6)?,
        headers: from_json("rejection.headers", &row.get::<_, String>(7)?)?,
        body_bytes: row.count(8)?,
        body: row.get::<_, Vec<u8>>(9)?.into(),
    };
    Ok((RejectionNo(row.get(0)?), rejection))
}

fn at_most(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
