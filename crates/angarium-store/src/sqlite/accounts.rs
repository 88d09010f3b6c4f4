//! Changes of accounts; tenants, API keys, event types: few rows, read whole.

use super::fault::Fault;
use super::guards::{self, Subject};
use super::readers::View;
use super::writer::Tx;
use super::{api_keys, audit, data_keys, environments, purge, sources};
use crate::seal::SealedPlace;
use crate::{AccountChange, AccountChanged, Accounts};
use angarium_core::account::{EventTypeConfig, Tenant};
use angarium_core::audit::Place;
use angarium_core::batch::Trace;
use angarium_core::id::{EnvironmentNo, ShardId, TenantNo};
use angarium_core::secret::SigningKey;
use angarium_core::time::Timestamp;
use rusqlite::{Connection, Params, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Makes a change, with what is committed with it.
pub(super) fn change(
    tx: &mut Tx<'_>,
    change: &AccountChange,
    trace: &Trace,
    now: Timestamp,
) -> Result<AccountChanged, Fault> {
    // What is deleted has no name afterwards.
    let deed = trace.deed.as_deref();
    let before = deed.map(|deed| audit::name(tx, deed.place)).transpose()?;
    let changed = match change {
        AccountChange::CreateEnvironment(environment) => environments::create(tx, environment)?,
        AccountChange::ReplaceEnvironment(environment) => environments::replace(tx, environment)?,
        AccountChange::DeleteEnvironment(no) => environments::delete(tx, *no, now)?,
        AccountChange::PutTenant(tenant) => put_tenant(tx, tenant)?,
        AccountChange::DeleteTenant(no) => delete_tenant(tx, *no, now)?,
        AccountChange::CreateKey(key) => api_keys::create(tx, key)?,
        AccountChange::RevokeKey(id) => api_keys::revoke(tx, *id, now)?,
        AccountChange::PutEventType(environment, config) => {
            put_event_type(tx, *environment, config)?
        }
        AccountChange::PutTenantKeys(tenant, contract, keys) => {
            put_tenant_keys(tx, *tenant, contract, keys)?
        }
        AccountChange::CreateSource(source, most) => sources::create(tx, source, *most)?,
        AccountChange::ReplaceSource(source) => sources::replace(tx, source)?,
        AccountChange::DeleteSource(id) => sources::delete(tx, *id)?,
    };
    let made = match changed {
        AccountChanged::Created(_) | AccountChanged::Done => true,
        AccountChanged::NotFound
        | AccountChanged::Taken
        | AccountChanged::InUse
        | AccountChanged::TooMany => false,
    };
    if let Some(guard) = trace.guard.as_ref().filter(|_| made) {
        guards::insert(tx, guard, owner(change), Subject::Nothing, now)?;
    }
    if let (Some(deed), Some(before), true) = (deed, before, made) {
        let place = made_place(change, changed).map(|place| audit::name(tx, place));
        audit::add(tx, deed, &place.transpose()?.unwrap_or(before), now)?;
    }
    Ok(changed)
}

/// Whose secret the answer to a change may hold.
fn owner(change: &AccountChange) -> TenantNo {
    match change {
        AccountChange::CreateKey(key) => key.tenant.unwrap_or(guards::NOBODY),
        AccountChange::PutTenantKeys(tenant, ..) => *tenant,
        AccountChange::CreateSource(source, _) | AccountChange::ReplaceSource(source) => {
            source.tenant
        }
        AccountChange::CreateEnvironment(_)
        | AccountChange::ReplaceEnvironment(_)
        | AccountChange::DeleteEnvironment(_)
        | AccountChange::PutTenant(_)
        | AccountChange::DeleteTenant(_)
        | AccountChange::RevokeKey(_)
        | AccountChange::PutEventType(..)
        | AccountChange::DeleteSource(_) => guards::NOBODY,
    }
}

/// What is new has its number only now.
fn made_place(change: &AccountChange, changed: AccountChanged) -> Option<Place> {
    match (change, changed) {
        (AccountChange::CreateEnvironment(_), AccountChanged::Created(no)) => {
            Some(Place::Environment(EnvironmentNo::new(no)))
        }
        (AccountChange::PutTenant(_), AccountChanged::Created(no)) => {
            Some(Place::Tenant(TenantNo::new(no)))
        }
        _ => None,
    }
}

/// What became of a change of this many rows.
pub(super) const fn done(rows: usize) -> AccountChanged {
    if rows == 0 { AccountChanged::NotFound } else { AccountChanged::Done }
}

/// Whether there is such a row.
pub(super) fn exists(
    connection: &Connection,
    select: &str,
    params: impl Params,
) -> Result<bool, Fault> {
    Ok(connection.prepare_cached(select)?.exists(params)?)
}

/// A value as a column's JSON.
pub(super) fn json<T: Serialize>(place: &str, value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|e| Fault::damaged(place, e))
}

/// Reads a column's JSON back.
pub(super) fn from_json<T: DeserializeOwned>(place: &str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|e| Fault::damaged(place, e))
}

fn put_tenant(tx: &Tx<'_>, tenant: &Tenant) -> Result<AccountChanged, Fault> {
    let environment = tenant.environment.get();
    if !exists(tx.connection, "SELECT 1 FROM environment WHERE no = ?1", [environment])? {
        return Ok(AccountChanged::NotFound);
    }
    let metadata = json("tenant.metadata", &tenant.metadata)?;
    let rate = tenant.rate.map(|rate| json("tenant.rate", &rate)).transpose()?;
    let replaced = tx.connection.execute(
        "UPDATE tenant SET name = ?3, plan = ?4, metadata = ?5, rate = ?6
         WHERE environment = ?1 AND id = ?2",
        params![environment, tenant.id, tenant.name, tenant.plan, metadata, rate],
    )?;
    if replaced > 0 {
        return Ok(AccountChanged::Done);
    }
    tx.connection.execute(
        "INSERT INTO tenant (environment, id, name, plan, metadata, created_at, rate)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            environment,
            tenant.id,
            tenant.name,
            tenant.plan,
            metadata,
            tenant.created_at.as_millis(),
            rate,
        ],
    )?;
    let no = tx.connection.last_insert_rowid();
    let shard = ShardId::of(TenantNo::new(no)).get();
    tx.connection.execute("UPDATE tenant SET shard = ?2 WHERE no = ?1", params![no, shard])?;
    Ok(AccountChanged::Created(no))
}

fn delete_tenant(tx: &mut Tx<'_>, no: TenantNo, now: Timestamp) -> Result<AccountChanged, Fault> {
    let in_use = "SELECT 1 FROM endpoint WHERE tenant = ?1 AND deleted_at IS NULL
                  UNION ALL SELECT 1 FROM source WHERE tenant = ?1";
    if exists(tx.connection, in_use, [no.get()])? {
        return Ok(AccountChanged::InUse);
    }
    tx.connection.execute(
        "UPDATE api_key SET revoked_at = ?2 WHERE tenant = ?1 AND revoked_at IS NULL",
        params![no.get(), now.as_millis()],
    )?;
    for delete in
        ["DELETE FROM tenant_key WHERE tenant = ?1", "DELETE FROM tenant_counter WHERE tenant = ?1"]
    {
        tx.connection.execute(delete, [no.get()])?;
    }
    data_keys::shred(tx, no)?;
    purge::begin(tx, no)?;
    Ok(done(tx.connection.execute("DELETE FROM tenant WHERE no = ?1", [no.get()])?))
}

fn put_event_type(
    tx: &Tx<'_>,
    environment: EnvironmentNo,
    config: &EventTypeConfig,
) -> Result<AccountChanged, Fault> {
    let no = environment.get();
    if !exists(tx.connection, "SELECT 1 FROM environment WHERE no = ?1", [no])? {
        return Ok(AccountChanged::NotFound);
    }
    let text = json("event_type.config", config)?;
    let values = params![no, config.name, text];
    let update = "UPDATE event_type SET config = ?3 WHERE environment = ?1 AND name = ?2";
    if tx.connection.execute(update, values)? > 0 {
        return Ok(AccountChanged::Done);
    }
    let insert = "INSERT INTO event_type (environment, name, config) VALUES (?1, ?2, ?3)";
    tx.connection.execute(insert, values)?;
    Ok(AccountChanged::Created(0))
}

fn key_place(tenant: i64, contract: &str) -> SealedPlace<'_> {
    SealedPlace { table: "tenant_key", tenant, row: contract, column: "keys" }
}

fn put_tenant_keys(
    tx: &Tx<'_>,
    tenant: TenantNo,
    contract: &str,
    keys: &[SigningKey],
) -> Result<AccountChanged, Fault> {
    let no = tenant.get();
    if !exists(tx.connection, "SELECT 1 FROM tenant WHERE no = ?1", [no])? {
        return Ok(AccountChanged::NotFound);
    }
    let sealed = tx.vault().seal(key_place(no, contract), &SigningKey::to_sealed_form(keys))?;
    tx.connection.execute(
        "INSERT INTO tenant_key (tenant, contract, keys) VALUES (?1, ?2, ?3)
         ON CONFLICT (tenant, contract) DO UPDATE SET keys = excluded.keys",
        params![no, contract, sealed],
    )?;
    Ok(AccountChanged::Done)
}

/// Reads a tenant's keys under a contract back.
pub(super) fn unseal_keys(
    view: &View<'_>,
    tenant: i64,
    contract: &str,
    sealed: &[u8],
) -> Result<Vec<SigningKey>, Fault> {
    let plain = view.vault().unseal(key_place(tenant, contract), sealed)?;
    SigningKey::from_sealed_form(&plain).map_err(|e| Fault::damaged("tenant_key.keys", e))
}

/// Everything, for the directory.
pub(super) fn all(view: &View<'_>) -> Result<Accounts, Fault> {
    Ok(Accounts {
        environments: environments::all(view)?,
        tenants: tenants(view)?,
        keys: api_keys::all(view)?,
        event_types: event_types(view)?,
        tenant_keys: tenant_keys(view)?,
        sources: sources::all(view)?,
    })
}

fn tenants(view: &View<'_>) -> Result<Vec<Tenant>, Fault> {
    let mut select = view.connection.prepare_cached(
        "SELECT no, environment, id, name, plan, metadata, created_at, rate FROM tenant
         ORDER BY no",
    )?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let rate: Option<String> = row.get(7)?;
        all.push(Tenant {
            no: TenantNo::new(row.get(0)?),
            environment: EnvironmentNo::new(row.get(1)?),
            id: row.get(2)?,
            name: row.get(3)?,
            plan: row.get(4)?,
            metadata: from_json("tenant.metadata", &row.get::<_, String>(5)?)?,
            created_at: Timestamp::from_millis(row.get(6)?),
            rate: rate.map(|text| from_json("tenant.rate", &text)).transpose()?,
        });
    }
    Ok(all)
}

fn event_types(view: &View<'_>) -> Result<Vec<(EnvironmentNo, EventTypeConfig)>, Fault> {
    let mut select = view
        .connection
        .prepare_cached("SELECT environment, config FROM event_type ORDER BY environment, name")?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let config = from_json("event_type.config", &row.get::<_, String>(1)?)?;
        all.push((EnvironmentNo::new(row.get(0)?), config));
    }
    Ok(all)
}

fn tenant_keys(view: &View<'_>) -> Result<Vec<(TenantNo, String, Vec<SigningKey>)>, Fault> {
    let select = "SELECT tenant, contract, keys FROM tenant_key ORDER BY tenant, contract";
    let mut select = view.connection.prepare_cached(select)?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let tenant: i64 = row.get(0)?;
        let contract: String = row.get(1)?;
        let sealed: Vec<u8> = row.get(2)?;
        let keys = unseal_keys(view, tenant, &contract, &sealed)?;
        all.push((TenantNo::new(tenant), contract, keys));
    }
    Ok(all)
}
