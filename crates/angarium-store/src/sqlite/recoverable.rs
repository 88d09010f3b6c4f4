//! What of an endpoint can be recovered: pairs whose newest delivery ended without success, upwards
//! by event.
//!
//! Each state has its own span of the index. The spans are read side by side, a chunk at a time, up
//! to where the shortest of them reaches.

use super::codec::Columns as _;
use super::deliveries::LAST_GENERATION;
use super::fault::Fault;
use super::lists::COMMIT_LAG;
use super::readers::View;
use crate::read::{Page, RecoverableQuery};
use angarium_core::delivery::DeliveryState;
use angarium_core::event::EventType;
use angarium_core::id::{DeliveryKey, EventKey, Generation};
use angarium_core::replay::Replayed;
use angarium_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, params};
use std::collections::BTreeSet;

/// Keys that are fetched at a time: as many as may be wanted, within these bounds.
const CHUNK: std::ops::RangeInclusive<usize> = 16..=256;

pub(super) const IN_STATE: &str = "
    SELECT DISTINCT event FROM delivery INDEXED BY undelivered_by_endpoint
    WHERE state <> 4 AND endpoint = ?1 AND state = ?2 AND event > ?3 AND event < ?4
    ORDER BY event LIMIT ?5";

pub(super) const NEWEST: &str = "
    SELECT generation, state, sequence, ended_at FROM delivery
    WHERE event = ?1 AND endpoint = ?2 ORDER BY generation DESC LIMIT 1";

pub(super) const EVENT: &str = "
    SELECT type, accepted_at FROM event WHERE key = ?1 AND gone_at IS NULL";

/// A page of the deliveries that a recovery makes.
pub(super) fn page(
    view: &View<'_>,
    query: &RecoverableQuery,
) -> Result<Page<Replayed, EventKey>, Fault> {
    let recovery = &query.recovery;
    let begin = EventKey::new(EventKey::first_at(recovery.since).get().saturating_sub(1));
    let end = EventKey::first_at(recovery.until + COMMIT_LAG);
    let mut after = query.cursor.max(begin);
    let mut rows_left = query.rows_read.max(1);
    let mut items = Vec::new();
    loop {
        let most = query.limit.clamp(*CHUNK.start(), *CHUNK.end()).min(rows_left);
        let (keys, reach) = chunk(view, query, after, end, most)?;
        for key in keys {
            rows_left = rows_left.saturating_sub(1);
            items.extend(recoverable(view, query, key)?);
            if items.len() >= query.limit || rows_left == 0 {
                return Ok(Page { items, next: Some(key) });
            }
        }
        match reach {
            Some(reach) => after = reach,
            None => return Ok(Page { items, next: None }),
        }
    }
}

/// The next events with a delivery in one of the states, and up to where that is all of them;
/// none at the end.
fn chunk(
    view: &View<'_>,
    query: &RecoverableQuery,
    after: EventKey,
    end: EventKey,
    most: usize,
) -> Result<(BTreeSet<EventKey>, Option<EventKey>), Fault> {
    let (mut keys, mut reach) = (BTreeSet::new(), None);
    for state in &query.recovery.states {
        let found = in_state(view, query, *state, after, end, most)?;
        let last = found.last().copied().filter(|_| found.len() == most);
        reach = [reach, last].into_iter().flatten().min();
        keys.extend(found);
    }
    keys.retain(|key| reach.is_none_or(|reach| *key <= reach));
    Ok((keys, reach))
}

fn in_state(
    view: &View<'_>,
    query: &RecoverableQuery,
    state: DeliveryState,
    after: EventKey,
    end: EventKey,
    most: usize,
) -> Result<Vec<EventKey>, Fault> {
    let (endpoint, most) = (query.endpoint.get(), i64::try_from(most).unwrap_or(i64::MAX));
    let span = params![endpoint, state.number(), after.get(), end.get(), most];
    let mut select = view.connection.prepare_cached(IN_STATE)?;
    let keys = select.query_map(span, |row| row.get(0).map(EventKey::new))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// The delivery that is made for an event, unless a newer one has begun or ended otherwise.
fn recoverable(
    view: &View<'_>,
    query: &RecoverableQuery,
    event: EventKey,
) -> Result<Option<Replayed>, Fault> {
    let pair = params![event.get(), query.endpoint.get()];
    let mut newest = view.connection.prepare_cached(NEWEST)?;
    let mut rows = newest.query(pair)?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let (generation, sequence): (u32, u64) = (row.get(0)?, row.count(2)?);
    let has_ended_so = query.recovery.states.contains(&row.state(1)?)
        && row.time(3)?.is_some_and(|at| at <= query.ended_by);
    let last: u32 =
        view.connection.prepare_cached(LAST_GENERATION)?.query_row(pair, |row| row.get(0))?;
    if !has_ended_so || last != generation || !is_meant(view, query, event)? {
        return Ok(None);
    }
    let first = DeliveryKey::first(event, query.endpoint);
    Ok(Some(Replayed {
        key: DeliveryKey { generation: Generation::new(generation + 1), ..first },
        sequence,
        repeats: Some(Generation::new(generation)),
        due: None,
    }))
}

fn is_meant(view: &View<'_>, query: &RecoverableQuery, event: EventKey) -> Result<bool, Fault> {
    let read = |row: &rusqlite::Row<'_>| {
        let kind = row.get::<_, String>(0)?;
        Ok((EventType::from_stored(&kind), Timestamp::from_millis(row.get(1)?)))
    };
    let event = view.connection.prepare_cached(EVENT)?.query_row([event.get()], read).optional()?;
    Ok(event.is_some_and(|(kind, accepted_at)| query.recovery.wants(&kind, accepted_at)))
}
