//! Work in the background, a slice at a time between the group commits: the listing indexes, the
//! index of publishers' own ids, records, rejected requests and keys that expire, and secrets whose
//! key is on its way out.
//!
//! Filled in big sorted slices an index costs a seventh of what it costs on each insert
//! (storage.md, section 2.2).

use super::fault::Fault;
use super::readers::View;
use super::writer::Tx;
use super::{api_keys, codec, commit, rejections, reseal, usage};
use crate::Upkeep;
use angarium_core::id::{EventKey, TenantNo};
use angarium_core::time::Timestamp;
use aws_lc_rs::digest;
use rusqlite::params;
use std::collections::BTreeMap;

/// Most rows that one step writes: the writer is held no longer than by a commit, since whoever
/// publishes meanwhile waits for it.
const SLICE_ROWS: usize = 1_000;

/// Bits of a key below its slice: 2^31 milliseconds, some 25 days.
const SLICE_BITS: u32 = 51;

pub(super) const UNINDEXED: &str = "
    SELECT key, tenant, own_id, fanout, length(data) FROM event
    WHERE key > ?1 ORDER BY key LIMIT ?2";

pub(super) const INSERT_EVENT: &str = "
    INSERT INTO event_by_tenant (tenant, event) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

pub(super) const INSERT_PAIR: &str = "
    INSERT INTO pair_by_endpoint (endpoint, event, sequence) VALUES (?1, ?2, ?3)
    ON CONFLICT DO NOTHING";

pub(super) const INSERT_OWN_ID: &str = "
    INSERT INTO own_id (slice, tenant, hash, event) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT DO NOTHING";

pub(super) const FORGET: &str = "
    DELETE FROM idempotency WHERE scope IN (
        SELECT scope FROM idempotency WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";

pub(super) const OWN_ID_TAIL: &str = "
    SELECT tenant, own_id, key FROM event
    WHERE key > (SELECT value FROM meta WHERE name = 'indexed_upto') AND own_id IS NOT NULL";

pub(super) const FIND_IN_TAIL: &str = "
    SELECT key FROM event
    WHERE key > (SELECT value FROM meta WHERE name = 'indexed_upto')
      AND own_id = ?2 AND tenant = ?1 LIMIT 1";

pub(super) const FIND_IN_SLICE: &str = "
    SELECT own_id.event FROM own_id JOIN event ON event.key = own_id.event
    WHERE slice = ?1 AND own_id.tenant = ?2 AND hash = ?3 AND event.own_id = ?4 LIMIT 1";

/// Rows of the three indexes for some events, still to be sorted.
#[derive(Default)]
struct Slice {
    events: Vec<(i64, i64)>,
    pairs: Vec<(i64, i64, i64)>,
    own_ids: Vec<[i64; 4]>,
    /// Bytes of payload, by tenant.
    bytes: BTreeMap<i64, i64>,
    upto: EventKey,
}

impl Slice {
    fn rows(&self) -> usize {
        self.events.len() + self.pairs.len() + self.own_ids.len()
    }
}

/// One bounded step.
pub(super) fn step(tx: &mut Tx<'_>, now: Timestamp) -> Result<Upkeep, Fault> {
    let mut slice = collect(tx)?;
    let rows = slice.rows();
    if rows > 0 {
        write(tx, &mut slice)?;
    }
    if let Some(at) = tx.state.written_at.take() {
        commit::note_written(tx, at)?;
    }
    let room = i64::try_from(SLICE_ROWS.saturating_sub(rows)).unwrap_or_default();
    let forgotten =
        tx.connection.prepare_cached(FORGET)?.execute(params![now.as_millis(), room])?;
    let rejections = rejections::forget(tx, now)?;
    let is_resealing = reseal::step(tx)?;
    let keys = api_keys::forget(tx, now)?;
    Ok(Upkeep {
        own_ids_indexed_upto: tx.state.indexed_upto,
        more: rows + forgotten >= SLICE_ROWS
            || rejections >= rejections::SLICE
            || is_resealing
            || keys >= api_keys::SLICE
            || tx.state.indexed_upto < newest(tx)?,
    })
}

fn newest(tx: &Tx<'_>) -> Result<EventKey, Fault> {
    let select = "SELECT ifnull(max(key), 0) FROM event";
    let key = tx.connection.prepare_cached(select)?.query_row([], |row| row.get(0))?;
    Ok(EventKey::new(key))
}

/// Events after the last one that is indexed, as many as fit; always one, whatever its fan-out.
fn collect(tx: &Tx<'_>) -> Result<Slice, Fault> {
    let mut slice = Slice::default();
    let mut select = tx.connection.prepare_cached(UNINDEXED)?;
    let most = i64::try_from(SLICE_ROWS).unwrap_or_default();
    let mut rows = select.query(params![tx.state.indexed_upto.get(), most])?;
    while let Some(row) = rows.next()? {
        let (key, tenant): (i64, i64) = (row.get(0)?, row.get(1)?);
        let own_id = row.get_ref(2)?.as_str_or_null();
        let own_id = own_id.map_err(|e| Fault::damaged("event.own_id", e))?;
        let fanout = row.get_ref(3)?.as_blob().map_err(|e| Fault::damaged("event.fanout", e))?;
        let fanout = codec::fanout(fanout)?;
        let own_rows = usize::from(own_id.is_some()) + fanout.len() + 1;
        if slice.rows() > 0 && slice.rows() + own_rows > SLICE_ROWS {
            break;
        }
        slice.events.push((tenant, key));
        *slice.bytes.entry(tenant).or_default() += row.get::<_, i64>(4)?;
        let pair = |(endpoint, sequence): (angarium_core::id::EndpointNo, u64)| {
            (endpoint.get(), key, codec::stored(sequence))
        };
        slice.pairs.extend(fanout.into_iter().map(pair));
        if let Some(own_id) = own_id {
            slice.own_ids.push(own_id_row(TenantNo::new(tenant), own_id, EventKey::new(key)));
        }
        slice.upto = EventKey::new(key);
    }
    Ok(slice)
}

fn write(tx: &mut Tx<'_>, slice: &mut Slice) -> Result<(), Fault> {
    slice.events.sort_unstable();
    slice.pairs.sort_unstable();
    slice.own_ids.sort_unstable();
    let mut insert = tx.connection.prepare_cached(INSERT_EVENT)?;
    for (tenant, event) in &slice.events {
        insert.execute(params![tenant, event])?;
    }
    let mut insert = tx.connection.prepare_cached(INSERT_PAIR)?;
    for (endpoint, event, sequence) in &slice.pairs {
        insert.execute(params![endpoint, event, sequence])?;
    }
    let mut insert = tx.connection.prepare_cached(INSERT_OWN_ID)?;
    for row in &slice.own_ids {
        insert.execute(*row)?;
    }
    for (tenant, bytes) in &slice.bytes {
        usage::settle_bytes(tx, TenantNo::new(*tenant), *bytes)?;
    }
    let update = "UPDATE meta SET value = ?1 WHERE name = 'indexed_upto'";
    tx.connection.prepare_cached(update)?.execute([slice.upto.get()])?;
    tx.state.indexed_upto = slice.upto;
    Ok(())
}

/// The row of the index for a publisher's own id: slice, tenant, hash, event.
pub(super) fn own_id_row(tenant: TenantNo, own_id: &str, event: EventKey) -> [i64; 4] {
    let key = event.get();
    [key >> SLICE_BITS, tenant.get(), hash(own_id), key]
}

/// 64 bits of SHA-256: a publisher cannot choose ids that collide.
fn hash(own_id: &str) -> i64 {
    let digest = digest::digest(&digest::SHA256, own_id.as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest.as_ref()[..8]);
    i64::from_be_bytes(bytes)
}

/// Own ids above the index.
pub(super) fn own_id_tail(view: &View<'_>) -> Result<Vec<(TenantNo, Box<str>, EventKey)>, Fault> {
    let tail = view
        .connection
        .prepare_cached(OWN_ID_TAIL)?
        .query_map([], |row| {
            Ok((TenantNo::new(row.get(0)?), row.get(1)?, EventKey::new(row.get(2)?)))
        })?
        .collect::<Result<_, _>>()?;
    Ok(tail)
}

/// The event with a publisher's own id: first in the tail, then slice by slice, newest first.
pub(super) fn find_own_id(
    view: &View<'_>,
    tenant: TenantNo,
    own_id: &str,
) -> Result<Option<EventKey>, Fault> {
    let mut tail = view.connection.prepare_cached(FIND_IN_TAIL)?;
    let mut rows = tail.query(params![tenant.get(), own_id])?;
    if let Some(row) = rows.next()? {
        return Ok(Some(EventKey::new(row.get(0)?)));
    }
    let slices = "SELECT ifnull((SELECT min(slice) FROM own_id), 0),
                         ifnull((SELECT max(slice) FROM own_id), -1)";
    let (oldest, newest): (i64, i64) = view
        .connection
        .prepare_cached(slices)?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut select = view.connection.prepare_cached(FIND_IN_SLICE)?;
    for slice in (oldest..=newest).rev() {
        let mut rows = select.query(params![slice, tenant.get(), hash(own_id), own_id])?;
        if let Some(row) = rows.next()? {
            return Ok(Some(EventKey::new(row.get(0)?)));
        }
    }
    Ok(None)
}
