//! Endpoints: their configuration, their sealed secrets, and what becomes of what waits for them.

use super::codec::Columns as _;
use super::crc;
use super::deliveries;
use super::fault::Fault;
use super::guards::{self, Subject};
use super::holds;
use super::readers::View;
use super::trace;
use super::writer::Tx;
use crate::read::{EndpointRow, Page};
use crate::seal::SealedPlace;
use angarium_core::batch::{EndpointResult, EndpointWrite};
use angarium_core::delivery::EndReason;
use angarium_core::endpoint::{
    EndpointConfig, EndpointCounters, EndpointHealth, EndpointSecrets, EndpointStatus,
};
use angarium_core::id::{
    ApiKeyId, DeliveryKey, EndpointId, EndpointNo, EnvironmentNo, EventKey, Generation, ShardId,
    TenantNo,
};
use angarium_core::time::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension as _, Row, params};

pub(super) const INSERT: &str = "
    INSERT INTO endpoint (id, shard, environment, tenant, status, config, secrets, made_by,
                          created_at, crc)
    SELECT ?1, ?2, environment, no, ?4, ?5, ?6, ?7, ?8, ?9 FROM tenant WHERE no = ?3
    ON CONFLICT (id) DO NOTHING";

pub(super) const SELECT_NO: &str = "SELECT no FROM endpoint WHERE id = ?1";

pub(super) const REPLACE: &str = "
    UPDATE endpoint SET status = ?2, config = ?3, secrets = ?4, crc = ?5
    WHERE no = ?1 AND deleted_at IS NULL";

pub(super) const DELETE: &str = "
    UPDATE endpoint SET deleted_at = ?2, secrets = NULL WHERE no = ?1 AND deleted_at IS NULL";

pub(super) const WAITING: &str = "
    SELECT event, generation FROM pending WHERE endpoint = ?1 LIMIT ?2";

pub(super) const COUNT_WAITING: &str = "
    SELECT count(*) FROM (SELECT 1 FROM pending WHERE endpoint = ?1 LIMIT ?2)";

pub(super) const UNPARK: &str = "
    UPDATE pending SET due = ?2 WHERE (event, endpoint, generation) IN (
        SELECT event, endpoint, generation FROM pending
        WHERE endpoint = ?1 AND due IS NULL AND state = 2
        ORDER BY event LIMIT ?3)";

pub(super) const PARK: &str = "
    UPDATE pending SET due = NULL WHERE (event, endpoint, generation) IN (
        SELECT event, endpoint, generation FROM pending
        WHERE endpoint = ?1 AND due IS NOT NULL LIMIT ?2)";

pub(super) const SELECT_BY_ID: &str = "
    SELECT no, id, tenant, config, secrets, made_by, created_at,
           sequence, failures, last_success_at, last_failure_at, dead,
           failure_class, failure_status, failing_since, incident, crc
    FROM endpoint LEFT JOIN endpoint_counter ON endpoint = no
    WHERE id = ?1 AND deleted_at IS NULL";

pub(super) const SELECT_OF_TENANT: &str = "
    SELECT no, id, tenant, config, secrets, made_by, created_at,
           sequence, failures, last_success_at, last_failure_at, dead,
           failure_class, failure_status, failing_since, incident, crc
    FROM endpoint INDEXED BY endpoint_by_tenant LEFT JOIN endpoint_counter ON endpoint = no
    WHERE deleted_at IS NULL AND tenant = ?2 AND environment = ?1 AND no < ?3
      AND (?4 IS NULL OR status = ?4)
    ORDER BY no DESC LIMIT ?5";

pub(super) const SELECT_OF_ENVIRONMENT: &str = "
    SELECT no, id, tenant, config, secrets, made_by, created_at,
           sequence, failures, last_success_at, last_failure_at, dead,
           failure_class, failure_status, failing_since, incident, crc
    FROM endpoint INDEXED BY endpoint_by_environment LEFT JOIN endpoint_counter ON endpoint = no
    WHERE deleted_at IS NULL AND environment = ?1 AND ?2 IS NULL AND no < ?3
      AND (?4 IS NULL OR status = ?4)
    ORDER BY no DESC LIMIT ?5";

/// Writes a change of an endpoint.
pub(super) fn write(
    tx: &mut Tx<'_>,
    shard: ShardId,
    write: &EndpointWrite,
    now: Timestamp,
) -> Result<EndpointResult, Fault> {
    let (no, rows) = match write {
        EndpointWrite::Create { config, trace } => {
            let no = create(tx, shard, config)?;
            trace::keep(tx, trace, config.tenant, Subject::Nothing, now)?;
            (no, 0)
        }
        EndpointWrite::Replace { no, config, trace } => {
            replace(tx, *no, config)?;
            trace::keep(tx, trace, config.tenant, Subject::Nothing, now)?;
            (*no, 0)
        }
        EndpointWrite::Delete { no, at, trace } => {
            let delete = params![no.get(), at.as_millis()];
            tx.connection.prepare_cached(DELETE)?.execute(delete)?;
            holds::forget(tx, *no)?;
            trace::keep(tx, trace, guards::NOBODY, Subject::Nothing, now)?;
            (*no, 0)
        }
        EndpointWrite::CancelWaiting { no, at, limit } => {
            (*no, cancel_waiting(tx, *no, *at, *limit)?)
        }
        EndpointWrite::Unpark { no, due, limit } => {
            let unpark = params![no.get(), due.as_millis(), rows_at_most(*limit)];
            (*no, tx.connection.prepare_cached(UNPARK)?.execute(unpark)?)
        }
        EndpointWrite::Park { no, limit } => {
            let park = params![no.get(), rows_at_most(*limit)];
            (*no, tx.connection.prepare_cached(PARK)?.execute(park)?)
        }
    };
    Ok(EndpointResult { no, rows })
}

fn rows_at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn create(tx: &Tx<'_>, shard: ShardId, config: &EndpointConfig) -> Result<EndpointNo, Fault> {
    let (id, text) = (config.id.to_bytes(), config_text(config)?);
    tx.connection.prepare_cached(INSERT)?.execute(params![
        id,
        shard.get(),
        config.tenant.get(),
        config.status.as_str(),
        text,
        sealed_secrets(tx, config)?,
        config.made_by.map(ApiKeyId::to_bytes),
        config.created_at.as_millis(),
        checksum(config.id, config.tenant, &text),
    ])?;
    let no = tx
        .connection
        .prepare_cached(SELECT_NO)?
        .query_row([id], |row| row.get(0))
        .optional()?
        .ok_or_else(|| Fault::damaged("endpoint.tenant", "there is no such tenant"))?;
    Ok(EndpointNo::new(no))
}

fn replace(tx: &Tx<'_>, no: EndpointNo, config: &EndpointConfig) -> Result<(), Fault> {
    let text = config_text(config)?;
    tx.connection.prepare_cached(REPLACE)?.execute(params![
        no.get(),
        config.status.as_str(),
        text,
        sealed_secrets(tx, config)?,
        checksum(config.id, config.tenant, &text),
    ])?;
    Ok(())
}

/// Ends rows of a deleted endpoint, a slice at a time.
fn cancel_waiting(
    tx: &mut Tx<'_>,
    no: EndpointNo,
    at: Timestamp,
    limit: usize,
) -> Result<usize, Fault> {
    let keys = tx
        .connection
        .prepare_cached(WAITING)?
        .query_map(params![no.get(), rows_at_most(limit)], |row| {
            Ok(DeliveryKey {
                event: EventKey::new(row.get(0)?),
                endpoint: no,
                generation: Generation::new(row.get(1)?),
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    for key in &keys {
        deliveries::cancel(tx, *key, EndReason::EndpointDeleted, at)?;
    }
    Ok(keys.len())
}

/// Of what decides where the tenant's events go.
fn checksum(id: EndpointId, tenant: TenantNo, config: &str) -> u32 {
    let (id, config) = (id.to_bytes(), config.as_bytes());
    crc::of([ValueRef::Blob(&id), ValueRef::Integer(tenant.get()), ValueRef::Text(config)])
}

fn config_text(config: &EndpointConfig) -> Result<String, Fault> {
    serde_json::to_string(config).map_err(|e| Fault::damaged("endpoint.config", e))
}

fn sealed_secrets(tx: &Tx<'_>, config: &EndpointConfig) -> Result<Vec<u8>, Fault> {
    let row = config.id.to_string();
    tx.vault().seal(place(config.tenant, &row), &config.secrets.to_sealed_form())
}

fn place(tenant: TenantNo, row: &str) -> SealedPlace<'_> {
    SealedPlace { table: "endpoint", tenant: tenant.get(), row, column: "secrets" }
}

/// One endpoint by its public id, unless it is deleted.
pub(super) fn find(view: &View<'_>, id: EndpointId) -> Result<Option<EndpointRow>, Fault> {
    view.connection
        .prepare_cached(SELECT_BY_ID)?
        .query_row([id.to_bytes()], |row| Ok(read(view, row)))
        .optional()?
        .transpose()
}

/// Which endpoints to list.
#[derive(Debug, Clone, Copy)]
pub(super) struct EndpointQuery {
    pub(super) environment: EnvironmentNo,
    pub(super) tenant: Option<TenantNo>,
    pub(super) status: Option<EndpointStatus>,
    pub(super) before: Option<EndpointNo>,
    pub(super) limit: usize,
}

/// A page of endpoints, newest first.
pub(super) fn list(
    view: &View<'_>,
    query: EndpointQuery,
) -> Result<Page<EndpointRow, EndpointNo>, Fault> {
    let select = match query.tenant {
        Some(_) => SELECT_OF_TENANT,
        None => SELECT_OF_ENVIRONMENT,
    };
    let mut select = view.connection.prepare_cached(select)?;
    let mut rows = select.query(params![
        query.environment.get(),
        query.tenant.map(TenantNo::get),
        query.before.map_or(i64::MAX, EndpointNo::get),
        query.status.map(EndpointStatus::as_str),
        rows_at_most(query.limit.saturating_add(1)),
    ])?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(read(view, row)?);
    }
    let more = items.len() > query.limit;
    items.truncate(query.limit);
    let next = items.last().filter(|_| more).map(|last| last.no);
    Ok(Page { items, next })
}

/// Reads a row whose first columns are those of [`SELECT_BY_ID`].
pub(super) fn read(view: &View<'_>, row: &Row<'_>) -> Result<EndpointRow, Fault> {
    let no = EndpointNo::new(row.get(0)?);
    crc::check("endpoint", row.get(16)?, [row.get_ref(1)?, row.get_ref(2)?, row.get_ref(3)?])?;
    let text = row.get_ref(3)?.as_str().map_err(|e| Fault::damaged("endpoint.config", e))?;
    let mut config: EndpointConfig =
        serde_json::from_str(text).map_err(|e| Fault::damaged("endpoint.config", e))?;
    config.id = EndpointId::from_bytes(row.get(1)?);
    config.tenant = TenantNo::new(row.get(2)?);
    config.made_by = row.get::<_, Option<[u8; 16]>>(5)?.map(ApiKeyId::from_bytes);
    config.created_at = Timestamp::from_millis(row.get(6)?);
    if let Some(sealed) = row.get::<_, Option<Vec<u8>>>(4)? {
        let row = config.id.to_string();
        let plain = view.vault().unseal(place(config.tenant, &row), &sealed)?;
        config.secrets = EndpointSecrets::from_sealed_form(&plain)
            .map_err(|e| Fault::damaged("endpoint.secrets", e))?;
    }
    let counters = EndpointCounters {
        endpoint: no,
        sequence: row.get::<_, Option<i64>>(7)?.unwrap_or_default().cast_unsigned(),
        health: EndpointHealth {
            consecutive_failures: row.get::<_, Option<u32>>(8)?.unwrap_or_default(),
            dead_in_a_row: row.get::<_, Option<u32>>(11)?.unwrap_or_default(),
            last_success_at: row.time(9)?,
            last_failure_at: row.time(10)?,
            last_failure_class: row.class(12)?,
            last_failure_status: row.small(13)?,
            failing_since: row.time(14)?,
            incident: row.time(15)?,
        },
    };
    Ok(EndpointRow { no, config, counters })
}

/// Counts the waiting rows of an endpoint, `most` of them at most.
pub(super) fn waiting(view: &View<'_>, no: EndpointNo, most: usize) -> Result<u64, Fault> {
    let count = view
        .connection
        .prepare_cached(COUNT_WAITING)?
        .query_row(params![no.get(), rows_at_most(most)], |row| row.get::<_, i64>(0))?;
    Ok(count.cast_unsigned())
}

/// Public ids of endpoints, deleted ones too.
pub(super) fn ids(
    view: &View<'_>,
    numbers: &[EndpointNo],
) -> Result<Vec<(EndpointNo, EndpointId)>, Fault> {
    let mut found = Vec::with_capacity(numbers.len());
    for no in numbers {
        if let Some(id) = id_of(view, *no)? {
            found.push((*no, id));
        }
    }
    Ok(found)
}

/// The public id of an endpoint, deleted or not.
pub(super) fn id_of(view: &View<'_>, no: EndpointNo) -> Result<Option<EndpointId>, Fault> {
    let id = view
        .connection
        .prepare_cached("SELECT id FROM endpoint WHERE no = ?1")?
        .query_row([no.get()], |row| row.get(0))
        .optional()?;
    Ok(id.map(EndpointId::from_bytes))
}
