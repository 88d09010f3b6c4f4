//! What is removed of one event, and when it may be: the one place where rows of events end.

use super::codec;
use super::events::{self, Stored};
use super::fault::Fault;
use super::rows::REPLAYED;
use super::upkeep;
use super::usage;
use super::writer::Tx;
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, Generation, TenantNo};
use angarium_core::retention::Gone;
use rusqlite::{Connection, params};
use std::collections::BTreeSet;

pub(super) const WAITING: &str = "
    SELECT endpoint, generation FROM pending WHERE event = ?1";

pub(super) const RECORDED: &str = "
    SELECT endpoint FROM delivery WHERE event = ?1 AND generation = 0";

pub(super) const DELETE_ATTEMPTS: &str = "DELETE FROM attempt WHERE event = ?1";

/// What lists show of the last attempt stays: when it was, how long it took, what it meant.
pub(super) const STRIP_DELIVERIES: &str = "
    UPDATE delivery SET n = NULL, detail = NULL, request = NULL, response = NULL, body = NULL
    WHERE event = ?1 AND n IS NOT NULL";

pub(super) const DELETE_DELIVERIES: &str = "DELETE FROM delivery WHERE event = ?1";

pub(super) const DELETE_EVENT: &str = "DELETE FROM event WHERE key = ?1";

pub(super) const DELETE_OF_TENANT: &str = "
    DELETE FROM event_by_tenant WHERE tenant = ?1 AND event = ?2";

pub(super) const DELETE_PAIR: &str = "
    DELETE FROM pair_by_endpoint WHERE endpoint = ?1 AND event = ?2";

pub(super) const DELETE_OWN_ID: &str = "
    DELETE FROM own_id WHERE slice = ?1 AND tenant = ?2 AND hash = ?3 AND event = ?4";

/// What a deleted endpoint was held by holds nothing.
pub(super) const HOLDS: &str = "
    SELECT generation FROM lane_hold JOIN endpoint ON endpoint.no = lane_hold.endpoint
    WHERE lane_hold.endpoint = ?1 AND event = ?2 AND deleted_at IS NULL";

pub(super) const DELETE_HOLD: &str = "DELETE FROM lane_hold WHERE endpoint = ?1 AND event = ?2";

/// What can be read whatever a row's checksum says.
pub(super) const DAMAGED: &str = "
    SELECT tenant, CAST(own_id AS BLOB), fanout, length(data) FROM event WHERE key = ?1";

/// Removes in such a way that pages that become free are overwritten too. Commits of shards do
/// without, and free none that has a payload (decision 9).
pub(super) fn for_good<T>(
    tx: &mut Tx<'_>,
    remove: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    tx.connection.execute_batch("PRAGMA secure_delete = ON")?;
    let removed = remove(tx);
    tx.connection.execute_batch("PRAGMA secure_delete = FAST")?;
    removed
}

/// An event that is to be removed.
pub(super) enum Found {
    /// As it was written.
    Sound(Stored),
    /// Something else than was written. Nobody can read it, and nothing can be taken from it but
    /// all of it.
    Damaged,
    /// There is none.
    Nothing,
}

/// Looks for an event. One that is damaged keeps nobody from removing it, and what comes after it.
pub(super) fn find(connection: &Connection, key: EventKey) -> Result<Found, Fault> {
    match events::find(connection, key) {
        Ok(Some(stored)) => Ok(Found::Sound(stored)),
        Ok(None) => Ok(Found::Nothing),
        Err(fault) if fault.is_of_a_row() => {
            tracing::error!(event = key.get(), error = %fault, "an event that is to go is damaged");
            Ok(Found::Damaged)
        }
        Err(fault) => Err(fault),
    }
}

/// Deliveries of an event that have a waiting row.
pub(super) fn waiting(connection: &Connection, event: EventKey) -> Result<Vec<DeliveryKey>, Fault> {
    let mut select = connection.prepare_cached(WAITING)?;
    let keys = select.query_map([event.get()], |row| {
        let (endpoint, generation) = (EndpointNo::new(row.get(0)?), row.get(1)?);
        Ok(DeliveryKey { event, endpoint, generation: Generation::new(generation) })
    })?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// Deliveries of an event that have not ended, those too that have no row yet.
pub(super) fn unended(connection: &Connection, stored: &Stored) -> Result<Vec<DeliveryKey>, Fault> {
    let event = stored.event.key;
    let mut unended = waiting(connection, event)?;
    let mut select = connection.prepare_cached(RECORDED)?;
    let recorded: BTreeSet<i64> =
        select.query_map([event.get()], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for (endpoint, _) in &stored.fanout {
        let first = DeliveryKey::first(event, *endpoint);
        if !recorded.contains(&endpoint.get()) && !unended.contains(&first) {
            unended.push(first);
        }
    }
    Ok(unended)
}

/// Dead letters of an event that hold a lane.
pub(super) fn holds(connection: &Connection, stored: &Stored) -> Result<Vec<DeliveryKey>, Fault> {
    let event = stored.event.key;
    let mut select = connection.prepare_cached(HOLDS)?;
    let mut holds = Vec::new();
    for endpoint in endpoints(connection, event, &stored.fanout)? {
        let generations =
            select.query_map(params![endpoint.get(), event.get()], |row| row.get::<_, u32>(0))?;
        for generation in generations {
            let generation = Generation::new(generation?);
            holds.push(DeliveryKey { event, endpoint, generation });
        }
    }
    Ok(holds)
}

/// The endpoints that an event matched, and others that it was replayed to.
fn endpoints(
    connection: &Connection,
    event: EventKey,
    fanout: &[(EndpointNo, u64)],
) -> Result<BTreeSet<EndpointNo>, Fault> {
    let mut endpoints: BTreeSet<_> = fanout.iter().map(|(no, _)| *no).collect();
    let mut select = connection.prepare_cached(REPLAYED)?;
    let replayed = select.query_map([event.get()], |row| row.get(0).map(EndpointNo::new))?;
    for endpoint in replayed {
        endpoints.insert(endpoint?);
    }
    Ok(endpoints)
}

/// Removes the payload.
pub(super) fn payload(tx: &mut Tx<'_>, stored: Stored, gone: Gone) -> Result<(), Fault> {
    events::strip(tx, stored, gone)
}

/// Removes the attempts with what receivers answered; says whether there were any.
pub(super) fn attempts(tx: &Tx<'_>, event: EventKey) -> Result<bool, Fault> {
    let mut removed = 0;
    for remove in [DELETE_ATTEMPTS, STRIP_DELIVERIES] {
        removed += tx.connection.prepare_cached(remove)?.execute([event.get()])?;
    }
    Ok(removed > 0)
}

/// Removes all that is left of an event that the listing indexes have.
pub(super) fn whole(tx: &mut Tx<'_>, stored: &Stored) -> Result<(), Fault> {
    let (event, body) = (&stored.event, &stored.event.body);
    let endpoints = endpoints(tx.connection, event.key, &stored.fanout)?;
    let (own_id, bytes) = (body.own_id.as_deref(), usage::length(&body.data));
    rows(tx, &Rows { key: event.key, tenant: event.tenant, own_id, bytes, endpoints })
}

/// Removes an event that is damaged with all that names it, unless something of it waits; says
/// whether it did.
pub(super) fn damaged(tx: &mut Tx<'_>, key: EventKey) -> Result<bool, Fault> {
    if !waiting(tx.connection, key)?.is_empty() {
        return Ok(false);
    }
    type Read = (i64, Option<Vec<u8>>, Vec<u8>, i64);
    let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Read> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    };
    let (tenant, own_id, fanout, bytes) =
        tx.connection.prepare_cached(DAMAGED)?.query_row([key.get()], read)?;
    let fanout = codec::fanout(&fanout).unwrap_or_default();
    let mut endpoints = endpoints(tx.connection, key, &fanout)?;
    let mut select = tx.connection.prepare_cached(RECORDED)?;
    let recorded = select.query_map([key.get()], |row| row.get(0).map(EndpointNo::new))?;
    for endpoint in recorded {
        endpoints.insert(endpoint?);
    }
    let own_id = own_id.as_deref().and_then(|own_id| std::str::from_utf8(own_id).ok());
    rows(tx, &Rows { key, tenant: TenantNo::new(tenant), own_id, bytes, endpoints })?;
    Ok(true)
}

/// What names an event.
struct Rows<'a> {
    key: EventKey,
    tenant: TenantNo,
    own_id: Option<&'a str>,
    /// Of its payload.
    bytes: i64,
    endpoints: BTreeSet<EndpointNo>,
}

fn rows(tx: &mut Tx<'_>, of: &Rows<'_>) -> Result<(), Fault> {
    usage::take_off(tx, of.tenant, of.key, of.bytes)?;
    let (connection, key, tenant) = (tx.connection, of.key.get(), of.tenant.get());
    for endpoint in &of.endpoints {
        for remove in [DELETE_PAIR, DELETE_HOLD] {
            connection.prepare_cached(remove)?.execute([endpoint.get(), key])?;
        }
    }
    for remove in [DELETE_ATTEMPTS, DELETE_DELIVERIES] {
        connection.prepare_cached(remove)?.execute([key])?;
    }
    connection.prepare_cached(DELETE_OF_TENANT)?.execute([tenant, key])?;
    if let Some(own_id) = of.own_id {
        let own_id = upkeep::own_id_row(of.tenant, own_id, of.key);
        connection.prepare_cached(DELETE_OWN_ID)?.execute(own_id)?;
    }
    let removed = connection.prepare_cached(DELETE_EVENT)?.execute([key])?;
    tx.state.events -= i64::from(removed > 0);
    Ok(())
}
