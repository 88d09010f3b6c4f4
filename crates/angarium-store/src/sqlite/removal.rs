//! What is removed of one event, and when it may be: the one place where rows of events end.

use super::events::{self, Stored};
use super::fault::Fault;
use super::rows::REPLAYED;
use super::upkeep;
use super::usage;
use super::writer::Tx;
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, Generation};
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

pub(super) const HOLDS: &str = "
    SELECT generation FROM lane_hold WHERE endpoint = ?1 AND event = ?2";

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
    for endpoint in endpoints(connection, stored)? {
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
fn endpoints(connection: &Connection, stored: &Stored) -> Result<BTreeSet<EndpointNo>, Fault> {
    let mut endpoints: BTreeSet<_> = stored.fanout.iter().map(|(no, _)| *no).collect();
    let mut select = connection.prepare_cached(REPLAYED)?;
    let replayed =
        select.query_map([stored.event.key.get()], |row| row.get(0).map(EndpointNo::new))?;
    for endpoint in replayed {
        endpoints.insert(endpoint?);
    }
    Ok(endpoints)
}

/// Removes the payload.
pub(super) fn payload(tx: &mut Tx<'_>, stored: Stored, gone: Gone) -> Result<(), Fault> {
    events::strip(tx, stored, gone)
}

/// Removes the attempts with what receivers answered.
pub(super) fn attempts(tx: &Tx<'_>, event: EventKey) -> Result<(), Fault> {
    for remove in [DELETE_ATTEMPTS, STRIP_DELIVERIES] {
        tx.connection.prepare_cached(remove)?.execute([event.get()])?;
    }
    Ok(())
}

/// Removes all that is left of an event that the listing indexes have.
pub(super) fn whole(tx: &mut Tx<'_>, stored: &Stored) -> Result<(), Fault> {
    let event = &stored.event;
    let (key, tenant) = (event.key.get(), event.tenant.get());
    usage::take_off(tx, event)?;
    let connection = tx.connection;
    for endpoint in endpoints(connection, stored)? {
        connection.prepare_cached(DELETE_PAIR)?.execute([endpoint.get(), key])?;
    }
    for remove in [DELETE_ATTEMPTS, DELETE_DELIVERIES] {
        connection.prepare_cached(remove)?.execute([key])?;
    }
    connection.prepare_cached(DELETE_OF_TENANT)?.execute([tenant, key])?;
    if let Some(own_id) = &event.body.own_id {
        let own_id = upkeep::own_id_row(event.tenant, own_id, event.key);
        connection.prepare_cached(DELETE_OWN_ID)?.execute(own_id)?;
    }
    let removed = connection.prepare_cached(DELETE_EVENT)?.execute([key])?;
    tx.state.events -= i64::from(removed > 0);
    Ok(())
}
