//! What deleted tenants had goes, a bounded step at a time. Nobody can read it meanwhile: what is
//! read is found by its tenant, which is gone.

use super::fault::Fault;
use super::holds;
use super::removal::{self, Found};
use super::writer::Tx;
use crate::removal::Purged;
use angarium_core::id::{EndpointNo, EventKey, TenantNo};
use rusqlite::params;

/// Most events that one step removes.
const EVENTS: i64 = 250;
/// After so many bytes of payload a step ends.
const BYTES: usize = 512 * 1024;
/// Most endpoints, jobs and erasures that one step removes.
const ROWS: i64 = 100;

const TENANTS: &str = "SELECT tenant FROM purge ORDER BY tenant LIMIT ?1";

pub(super) const EVENTS_OF_TENANT: &str = "
    SELECT event FROM event_by_tenant WHERE tenant = ?1 ORDER BY event LIMIT ?2";

pub(super) const UNINDEXED_OF_TENANT: &str = "
    SELECT 1 FROM event WHERE key > ?2 AND tenant = ?1 LIMIT 1";

pub(super) const ENDPOINTS_OF_TENANT: &str = "
    SELECT no FROM endpoint WHERE tenant = ?1 AND deleted_at IS NOT NULL LIMIT ?2";

const DELETE_JOBS: &str = "
    DELETE FROM job WHERE id IN (SELECT id FROM job WHERE tenant = ?1 LIMIT ?2)";

const DELETE_ERASURES: &str = "
    DELETE FROM erasure WHERE id IN (SELECT id FROM erasure WHERE tenant = ?1 LIMIT ?2)";

/// A tenant is deleted: what it had is to go.
pub(super) fn begin(tx: &Tx<'_>, tenant: TenantNo) -> Result<(), Fault> {
    let insert = "INSERT INTO purge (tenant) VALUES (?1) ON CONFLICT DO NOTHING";
    tx.connection.execute(insert, [tenant.get()])?;
    Ok(())
}

/// One bounded step.
pub(super) fn step(tx: &mut Tx<'_>) -> Result<Purged, Fault> {
    let tenants = tx
        .connection
        .prepare_cached(TENANTS)?
        .query_map([ROWS], |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    let mut purged = Purged::Nothing;
    for tenant in tenants {
        purged = removal::for_good(tx, |tx| of_tenant(tx, tenant))?;
        // One that cannot go yet stops no other.
        if purged != Purged::HeldUp {
            break;
        }
    }
    tx.state.removed |= matches!(purged, Purged::Some(_));
    if !matches!(purged, Purged::Some(1..)) && tx.state.removed {
        (tx.state.to_scrub, tx.state.removed) = (true, false);
    }
    Ok(purged)
}

fn of_tenant(tx: &mut Tx<'_>, tenant: i64) -> Result<Purged, Fault> {
    let keys = tx
        .connection
        .prepare_cached(EVENTS_OF_TENANT)?
        .query_map([tenant, EVENTS], |row| row.get(0).map(EventKey::new))?
        .collect::<Result<Vec<_>, _>>()?;
    let (mut removed, mut bytes) = (0, 0);
    for key in &keys {
        let went = match removal::find(tx.connection, *key)? {
            Found::Nothing => continue,
            Found::Damaged => removal::damaged(tx, *key)?,
            Found::Sound(stored) => {
                let has_ended = removal::unended(tx.connection, &stored)?.is_empty();
                if has_ended {
                    bytes += stored.event.body.weight();
                    removal::whole(tx, &stored)?;
                }
                has_ended
            }
        };
        if !went {
            return Ok(if removed > 0 { Purged::Some(removed) } else { Purged::HeldUp });
        }
        removed += 1;
        if bytes >= BYTES {
            break;
        }
    }
    let unindexed = params![tenant, tx.state.indexed_upto.get()];
    match (removed, tx.connection.prepare_cached(UNINDEXED_OF_TENANT)?.exists(unindexed)?) {
        (1.., _) => Ok(Purged::Some(removed)),
        (0, true) => Ok(Purged::HeldUp),
        (0, false) => left_overs(tx, tenant),
    }
}

fn left_overs(tx: &Tx<'_>, tenant: i64) -> Result<Purged, Fault> {
    let endpoints = tx
        .connection
        .prepare_cached(ENDPOINTS_OF_TENANT)?
        .query_map([tenant, ROWS], |row| row.get(0).map(EndpointNo::new))?
        .collect::<Result<Vec<_>, _>>()?;
    let mut rows = endpoints.len();
    for no in endpoints {
        endpoint(tx, no)?;
    }
    for delete in [DELETE_JOBS, DELETE_ERASURES] {
        rows += tx.connection.prepare_cached(delete)?.execute([tenant, ROWS])?;
    }
    if rows == 0 {
        for delete in
            ["DELETE FROM purge WHERE tenant = ?1", "DELETE FROM tenant_usage WHERE tenant = ?1"]
        {
            tx.connection.execute(delete, [tenant])?;
        }
    }
    Ok(Purged::Some(0))
}

/// Removes the row of an endpoint that was deleted and that no event names.
pub(super) fn endpoint(tx: &Tx<'_>, no: EndpointNo) -> Result<(), Fault> {
    holds::forget(tx, no)?;
    for delete in
        ["DELETE FROM endpoint_counter WHERE endpoint = ?1", "DELETE FROM endpoint WHERE no = ?1"]
    {
        tx.connection.prepare_cached(delete)?.execute([no.get()])?;
    }
    Ok(())
}
