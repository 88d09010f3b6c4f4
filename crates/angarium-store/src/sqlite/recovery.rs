//! What the owner of a shard reads when it takes over, and when memory has room again.

use super::codec::Columns as _;
use super::fault::Fault;
use super::readers::View;
use super::{accounts, endpoints, events, holds};
use crate::{LoadedEndpoint, ShardState};
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, Generation, ShardId, TenantNo};
use angarium_core::lane::Lane;
use angarium_core::replay::UNNUMBERED;
use angarium_core::secret::SigningKey;
use angarium_core::time::Timestamp;
use angarium_core::waiting::{DueDelivery, DuePage, RecoveredEvent, StoredLane};
use rusqlite::{CachedStatement, Row, params};
use std::collections::{HashMap, HashSet};

pub(super) const ENDPOINTS: &str = "
    SELECT no, id, tenant, config, secrets, made_by, created_at,
           sequence, failures, last_success_at, last_failure_at, dead,
           failure_class, failure_status, failing_since, incident, crc
    FROM endpoint LEFT JOIN endpoint_counter ON endpoint = no
    WHERE shard = ?1 AND deleted_at IS NULL ORDER BY no";

pub(super) const DELETED_WITH_ROWS: &str = "
    SELECT no FROM endpoint WHERE shard = ?1 AND deleted_at IS NOT NULL
    AND EXISTS (SELECT 1 FROM pending WHERE pending.endpoint = endpoint.no)
    ORDER BY deleted_at, no";

pub(super) const NEXT_DUE: &str = "
    SELECT min(due) FROM pending WHERE endpoint = ?1 AND due IS NOT NULL";

pub(super) const OLDEST_DUE: &str = "
    SELECT min((SELECT min(due) FROM pending WHERE pending.endpoint = endpoint.no
                AND due IS NOT NULL))
    FROM endpoint INDEXED BY endpoint_by_shard";

pub(super) const PARKED: &str = "
    SELECT 1 FROM pending WHERE endpoint = ?1 AND due IS NULL AND state = 2 LIMIT 1";

pub(super) const LANES: &str = "
    SELECT lane, max(state = 2), sum(state = 1), min(CASE WHEN state = 1 THEN event END)
    FROM pending INDEXED BY pending_by_lane
    WHERE endpoint = ?1 AND lane IS NOT NULL GROUP BY lane";

pub(super) const BEHIND: &str = "
    SELECT event, generation, sequence, attempts, lane, 0 FROM pending
    WHERE endpoint = ?1 AND lane = ?2 AND state = 1 ORDER BY event, generation";

pub(super) const TENANTS: &str = "
    SELECT tenant.no, ifnull(sequence, 0) FROM tenant
    LEFT JOIN tenant_counter ON tenant_counter.tenant = tenant.no
    WHERE shard = ?1 ORDER BY tenant.no";

pub(super) const TENANT_KEYS: &str = "
    SELECT tenant_key.tenant, contract, keys FROM tenant
    JOIN tenant_key ON tenant_key.tenant = tenant.no
    WHERE shard = ?1 ORDER BY tenant.no, contract";

/// The columns stand in the order of `events::read`.
pub(super) const EVENTS_ABOVE: &str = "
    SELECT key, shard, tenant, sequence, accepted_at, type, own_id, time, subject, ordering_key,
           attributes, fanout, data_kind, data, crc, gone_at
    FROM event WHERE key > ?1 ORDER BY key LIMIT ?2";

pub(super) const RECORDED: &str = "
    SELECT endpoint FROM delivery WHERE event = ?1 AND generation = 0
    UNION ALL SELECT endpoint FROM pending WHERE event = ?1 AND generation = 0";

pub(super) const DUE: &str = "
    SELECT event, generation, sequence, attempts, lane, due FROM pending
    WHERE endpoint = ?1 AND due IS NOT NULL ORDER BY due, event, generation";

/// What shards hold in memory, but for the events above their checkpoints.
pub(super) fn load_shards(view: &View<'_>, shards: &[ShardId]) -> Result<Vec<ShardState>, Fault> {
    shards.iter().map(|shard| load_shard(view, *shard)).collect()
}

fn load_shard(view: &View<'_>, shard: ShardId) -> Result<ShardState, Fault> {
    let no = shard.get();
    let select = "SELECT checkpoint FROM shard WHERE shard = ?1";
    let checkpoint = view.connection.prepare_cached(select)?.query_row([no], |row| row.get(0))?;
    let tenants = view
        .connection
        .prepare_cached(TENANTS)?
        .query_map([no], |row| {
            Ok((TenantNo::new(row.get(0)?), row.get::<_, i64>(1)?.cast_unsigned()))
        })?
        .collect::<Result<_, _>>()?;
    let deleted_with_rows = view
        .connection
        .prepare_cached(DELETED_WITH_ROWS)?
        .query_map([no], |row| row.get(0).map(EndpointNo::new))?
        .collect::<Result<_, _>>()?;
    Ok(ShardState {
        shard,
        checkpoint: EventKey::new(checkpoint),
        tenants,
        tenant_keys: tenant_keys(view, shard)?,
        endpoints: load_endpoints(view, shard)?,
        deleted_with_rows,
    })
}

fn tenant_keys(
    view: &View<'_>,
    shard: ShardId,
) -> Result<Vec<(TenantNo, String, Vec<SigningKey>)>, Fault> {
    let mut select = view.connection.prepare_cached(TENANT_KEYS)?;
    let mut rows = select.query([shard.get()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let tenant: i64 = row.get(0)?;
        let contract: String = row.get(1)?;
        let sealed: Vec<u8> = row.get(2)?;
        let keys = accounts::unseal_keys(view, tenant, &contract, &sealed)?;
        all.push((TenantNo::new(tenant), contract, keys));
    }
    Ok(all)
}

fn load_endpoints(view: &View<'_>, shard: ShardId) -> Result<Vec<LoadedEndpoint>, Fault> {
    let mut select = view.connection.prepare_cached(ENDPOINTS)?;
    let mut next_due = view.connection.prepare_cached(NEXT_DUE)?;
    let mut parked = view.connection.prepare_cached(PARKED)?;
    let mut select_lanes = view.connection.prepare_cached(LANES)?;
    let mut rows = select.query([shard.get()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let endpoint = endpoints::read(view, row)?;
        let no = endpoint.no.get();
        let due = next_due.query_row([no], |row| row.get::<_, Option<i64>>(0))?;
        all.push(LoadedEndpoint {
            no: endpoint.no,
            config: endpoint.config,
            counters: endpoint.counters,
            next_due: due.map(Timestamp::from_millis),
            lanes: lanes(&mut select_lanes, endpoint.no)?,
            holds: holds::of_endpoint(view, endpoint.no)?,
            parked: parked.exists([no])?,
        });
    }
    Ok(all)
}

/// The lanes of an endpoint that have rows.
fn lanes(select: &mut CachedStatement<'_>, endpoint: EndpointNo) -> Result<Vec<StoredLane>, Fault> {
    let mut rows = select.query([endpoint.get()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(StoredLane {
            lane: Lane::from_bytes(row.get(0)?),
            has_head: row.get(1)?,
            behind: usize::try_from(row.count(2)?).unwrap_or(usize::MAX),
            first: EventKey::new(row.get::<_, Option<i64>>(3)?.unwrap_or_default()),
        });
    }
    Ok(all)
}

/// Events above the checkpoints of their shards, `limit` rows at a time.
pub(super) fn events_above(
    view: &View<'_>,
    shards: &[(ShardId, EventKey)],
    after: EventKey,
    limit: usize,
) -> Result<(Vec<RecoveredEvent>, Option<EventKey>), Fault> {
    let checkpoints: HashMap<_, _> = shards.iter().copied().collect();
    let Some(lowest) = checkpoints.values().min().copied() else {
        return Ok((Vec::new(), None));
    };
    let mut select = view.connection.prepare_cached(EVENTS_ABOVE)?;
    let rows_read = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
    let mut rows = select.query(params![after.max(lowest).get(), rows_read])?;
    let mut found = Vec::new();
    let mut last = None;
    let mut read = 0;
    while let Some(row) = rows.next()? {
        let stored = events::read(row)?;
        read += 1;
        last = Some(stored.event.key);
        if checkpoints.get(&stored.shard).is_some_and(|upto| stored.event.key > *upto) {
            found.push(RecoveredEvent {
                recorded: recorded(view, stored.event.key)?,
                shard: stored.shard,
                event: stored.event,
                fanout: stored.fanout,
            });
        }
    }
    Ok((found, last.filter(|_| read == rows_read)))
}

fn recorded(view: &View<'_>, event: EventKey) -> Result<Vec<EndpointNo>, Fault> {
    let recorded = view
        .connection
        .prepare_cached(RECORDED)?
        .query_map([event.get()], |row| row.get(0).map(EndpointNo::new))?
        .collect::<Result<_, _>>()?;
    Ok(recorded)
}

/// Which rows of an endpoint to load.
#[derive(Debug, Clone, Copy)]
pub(super) struct DueQuery {
    pub(super) endpoint: EndpointNo,
    pub(super) due_by: Timestamp,
    pub(super) limit: usize,
    pub(super) bytes: usize,
}

/// Due rows of an endpoint that its shard does not hold, earliest first.
pub(super) fn load_due(
    view: &View<'_>,
    query: DueQuery,
    skip: &[DeliveryKey],
) -> Result<DuePage, Fault> {
    let skip: HashSet<_> = skip.iter().copied().collect();
    let mut select = view.connection.prepare_cached(DUE)?;
    let mut rows = select.query([query.endpoint.get()])?;
    let mut page = DuePage::default();
    let mut weight = 0;
    while let Some(row) = rows.next()? {
        let key = key_of(row, query.endpoint)?;
        if skip.contains(&key) {
            continue;
        }
        let due = Timestamp::from_millis(row.get(5)?);
        let full = page.deliveries.len() >= query.limit
            || (!page.deliveries.is_empty() && weight >= query.bytes);
        if full || due > query.due_by {
            page.next_due = Some(due);
            break;
        }
        let delivery = waiting(view, row, key)?;
        weight += delivery.event.body.weight();
        page.deliveries.push(DueDelivery { due, ..delivery });
    }
    Ok(page)
}

/// Rows that wait in a lane, oldest event first: at most `limit`, and after the first at most about
/// `bytes` of payload.
pub(super) fn load_behind(
    view: &View<'_>,
    endpoint: EndpointNo,
    lane: Lane,
    limit: usize,
    bytes: usize,
) -> Result<DuePage, Fault> {
    let mut select = view.connection.prepare_cached(BEHIND)?;
    let mut rows = select.query(params![endpoint.get(), lane.to_bytes()])?;
    let mut page = DuePage::default();
    let mut weight = 0;
    while let Some(row) = rows.next()? {
        let has_some = !page.deliveries.is_empty();
        if page.deliveries.len() >= limit || (has_some && weight >= bytes) {
            break;
        }
        let delivery = waiting(view, row, key_of(row, endpoint)?)?;
        weight += delivery.event.body.weight();
        page.deliveries.push(delivery);
    }
    Ok(page)
}

fn key_of(row: &Row<'_>, endpoint: EndpointNo) -> Result<DeliveryKey, Fault> {
    let generation = Generation::new(row.get(1)?);
    Ok(DeliveryKey { event: EventKey::new(row.get(0)?), endpoint, generation })
}

/// A waiting delivery with its event, due since that was accepted.
fn waiting(view: &View<'_>, row: &Row<'_>, key: DeliveryKey) -> Result<DueDelivery, Fault> {
    let stored =
        events::find(view.connection, key.event)?
            .filter(|stored| stored.gone.is_none())
            .ok_or_else(|| Fault::damaged("pending.event", "there is no such event to send"))?;
    let sequence = row.count(2)?;
    let numbered = stored.fanout.iter().find(|(endpoint, _)| *endpoint == key.endpoint);
    if sequence != numbered.map_or(UNNUMBERED, |(_, sequence)| *sequence) {
        return Err(Fault::damaged("pending.sequence", "its event says another number"));
    }
    Ok(DueDelivery {
        key,
        sequence,
        attempts: row.get(3)?,
        lane: row.get::<_, Option<[u8; 16]>>(4)?.map(Lane::from_bytes),
        due: stored.event.accepted_at,
        event: stored.event,
    })
}

/// The earliest due time of any row: a seek for each endpoint, which an index on `due` alone would
/// spare at the price of another write for each row.
pub(super) fn oldest_due(view: &View<'_>) -> Result<Option<Timestamp>, Fault> {
    let due: Option<i64> =
        view.connection.prepare_cached(OLDEST_DUE)?.query_row([], |row| row.get(0))?;
    Ok(due.map(Timestamp::from_millis))
}
