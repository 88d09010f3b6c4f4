//! Environments, tenants, API keys, event types, sources: few rows, read whole.

use super::audit;
use super::fault::Fault;
use super::guards::{self, Subject};
use super::readers::View;
use super::sources;
use super::writer::Tx;
use crate::seal::{SealedPlace, Sealer};
use crate::{AccountChange, AccountChanged, Accounts};
use angarium_core::account::{ApiKey, Environment, EventTypeConfig, Scope, Tenant};
use angarium_core::audit::Place;
use angarium_core::batch::Trace;
use angarium_core::id::{ApiKeyId, EnvironmentNo, ShardId, TenantNo};
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
        AccountChange::CreateEnvironment(environment) => create_environment(tx, environment)?,
        AccountChange::ReplaceEnvironment(environment) => replace_environment(tx, environment)?,
        AccountChange::DeleteEnvironment(no) => delete_environment(tx, *no, now)?,
        AccountChange::PutTenant(tenant) => put_tenant(tx, tenant)?,
        AccountChange::DeleteTenant(no) => delete_tenant(tx, *no, now)?,
        AccountChange::CreateKey(key) => create_key(tx, key)?,
        AccountChange::RevokeKey(id) => {
            let revoke = "UPDATE api_key SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
            done(tx.connection.execute(revoke, params![id.to_bytes(), now.as_millis()])?)
        }
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
        guards::insert(tx, guard, Subject::Nothing, now)?;
    }
    if let (Some(deed), Some(before), true) = (deed, before, made) {
        let place = made_place(change, changed).map(|place| audit::name(tx, place));
        audit::add(tx, deed, &place.transpose()?.unwrap_or(before), now)?;
    }
    Ok(changed)
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

/// Whether another environment has the slug or one of the hosts.
fn is_taken(tx: &Tx<'_>, environment: &Environment) -> Result<bool, Fault> {
    let no = environment.no.get();
    let slug = "SELECT 1 FROM environment WHERE slug = ?1 AND no <> ?2";
    if exists(tx.connection, slug, params![environment.slug, no])? {
        return Ok(true);
    }
    for host in &environment.hosts {
        let other = "SELECT 1 FROM host WHERE host = ?1 AND environment <> ?2";
        if exists(tx.connection, other, params![host, no])? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn create_environment(tx: &Tx<'_>, environment: &Environment) -> Result<AccountChanged, Fault> {
    let unnumbered = Environment { no: EnvironmentNo::default(), ..environment.clone() };
    if is_taken(tx, &unnumbered)? {
        return Ok(AccountChanged::Taken);
    }
    tx.connection.execute(
        "INSERT INTO environment (slug, title, contracts, created_at) VALUES (?1, ?2, ?3, ?4)",
        params![
            environment.slug,
            environment.title,
            json("environment.contracts", &environment.contracts)?,
            environment.created_at.as_millis(),
        ],
    )?;
    let no = tx.connection.last_insert_rowid();
    put_hosts(tx, no, &environment.hosts)?;
    Ok(AccountChanged::Created(no))
}

fn replace_environment(tx: &Tx<'_>, environment: &Environment) -> Result<AccountChanged, Fault> {
    if is_taken(tx, environment)? {
        return Ok(AccountChanged::Taken);
    }
    let no = environment.no.get();
    let replaced = tx.connection.execute(
        "UPDATE environment SET slug = ?2, title = ?3, contracts = ?4 WHERE no = ?1",
        params![
            no,
            environment.slug,
            environment.title,
            json("environment.contracts", &environment.contracts)?,
        ],
    )?;
    if replaced > 0 {
        tx.connection.execute("DELETE FROM host WHERE environment = ?1", [no])?;
        put_hosts(tx, no, &environment.hosts)?;
    }
    Ok(done(replaced))
}

fn put_hosts(tx: &Tx<'_>, environment: i64, hosts: &[String]) -> Result<(), Fault> {
    let insert = "INSERT INTO host (host, environment, place) VALUES (?1, ?2, ?3)
                  ON CONFLICT DO NOTHING";
    for (host, place) in hosts.iter().zip(0_i64..) {
        tx.connection.execute(insert, params![host, environment, place])?;
    }
    Ok(())
}

fn delete_environment(
    tx: &Tx<'_>,
    no: EnvironmentNo,
    now: Timestamp,
) -> Result<AccountChanged, Fault> {
    if exists(tx.connection, "SELECT 1 FROM tenant WHERE environment = ?1", [no.get()])? {
        return Ok(AccountChanged::InUse);
    }
    tx.connection.execute(
        "UPDATE api_key SET revoked_at = ?2 WHERE environment = ?1 AND revoked_at IS NULL",
        params![no.get(), now.as_millis()],
    )?;
    for delete in
        ["DELETE FROM host WHERE environment = ?1", "DELETE FROM event_type WHERE environment = ?1"]
    {
        tx.connection.execute(delete, [no.get()])?;
    }
    Ok(done(tx.connection.execute("DELETE FROM environment WHERE no = ?1", [no.get()])?))
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

fn delete_tenant(tx: &Tx<'_>, no: TenantNo, now: Timestamp) -> Result<AccountChanged, Fault> {
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
    Ok(done(tx.connection.execute("DELETE FROM tenant WHERE no = ?1", [no.get()])?))
}

fn create_key(tx: &Tx<'_>, key: &ApiKey) -> Result<AccountChanged, Fault> {
    let taken = "SELECT 1 FROM api_key WHERE hash = ?1 OR id = ?2";
    if exists(tx.connection, taken, params![key.hash, key.id.to_bytes()])? {
        return Ok(AccountChanged::Taken);
    }
    let of_environment = "SELECT 1 WHERE ?1 IS NULL
                          UNION ALL SELECT 1 FROM environment WHERE no = ?1";
    let of_tenant = "SELECT 1 WHERE ?1 IS NULL UNION ALL SELECT 1 FROM tenant WHERE no = ?1";
    let environment = key.environment.map(EnvironmentNo::get);
    let tenant = key.tenant.map(TenantNo::get);
    if !exists(tx.connection, of_environment, [environment])?
        || !exists(tx.connection, of_tenant, [tenant])?
    {
        return Ok(AccountChanged::NotFound);
    }
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    tx.connection.execute(
        "INSERT INTO api_key (id, hash, name, environment, tenant, scopes, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            key.id.to_bytes(),
            key.hash,
            key.name,
            environment,
            tenant,
            scopes.join(" "),
            key.created_at.as_millis(),
            key.expires_at.map(Timestamp::as_millis),
        ],
    )?;
    Ok(AccountChanged::Created(0))
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
    let sealed = tx.sealer.seal(key_place(no, contract), &SigningKey::to_sealed_form(keys));
    tx.connection.execute(
        "INSERT INTO tenant_key (tenant, contract, keys) VALUES (?1, ?2, ?3)
         ON CONFLICT (tenant, contract) DO UPDATE SET keys = excluded.keys",
        params![no, contract, sealed],
    )?;
    Ok(AccountChanged::Done)
}

/// Reads a tenant's keys under a contract back.
pub(super) fn unseal_keys(
    sealer: &Sealer,
    tenant: i64,
    contract: &str,
    sealed: &[u8],
) -> Result<Vec<SigningKey>, Fault> {
    let plain = sealer
        .unseal(key_place(tenant, contract), sealed)
        .map_err(Fault::sealed("tenant_key.keys"))?;
    SigningKey::from_sealed_form(&plain).map_err(|e| Fault::damaged("tenant_key.keys", e))
}

/// Everything, for the directory.
pub(super) fn all(view: &View<'_>) -> Result<Accounts, Fault> {
    Ok(Accounts {
        environments: environments(view)?,
        tenants: tenants(view)?,
        keys: keys(view)?,
        event_types: event_types(view)?,
        tenant_keys: tenant_keys(view)?,
        sources: sources::all(view)?,
    })
}

fn environments(view: &View<'_>) -> Result<Vec<Environment>, Fault> {
    let mut select = view.connection.prepare_cached(
        "SELECT no, slug, title, contracts, created_at FROM environment ORDER BY no",
    )?;
    let mut hosts = view
        .connection
        .prepare_cached("SELECT host FROM host WHERE environment = ?1 ORDER BY place")?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let no: i64 = row.get(0)?;
        all.push(Environment {
            no: EnvironmentNo::new(no),
            slug: row.get(1)?,
            title: row.get(2)?,
            contracts: from_json("environment.contracts", &row.get::<_, String>(3)?)?,
            hosts: hosts.query_map([no], |row| row.get(0))?.collect::<Result<_, _>>()?,
            created_at: Timestamp::from_millis(row.get(4)?),
        });
    }
    Ok(all)
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

fn keys(view: &View<'_>) -> Result<Vec<ApiKey>, Fault> {
    let mut select = view.connection.prepare_cached(
        "SELECT id, hash, name, environment, tenant, scopes, created_at, expires_at
         FROM api_key WHERE revoked_at IS NULL ORDER BY created_at, id",
    )?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let scopes: String = row.get(5)?;
        let scope =
            |text: &str| Scope::parse(text).ok_or_else(|| Fault::damaged("api_key.scopes", text));
        all.push(ApiKey {
            id: ApiKeyId::from_bytes(row.get(0)?),
            hash: row.get(1)?,
            name: row.get(2)?,
            environment: row.get::<_, Option<i64>>(3)?.map(EnvironmentNo::new),
            tenant: row.get::<_, Option<i64>>(4)?.map(TenantNo::new),
            scopes: scopes.split_whitespace().map(scope).collect::<Result<_, _>>()?,
            created_at: Timestamp::from_millis(row.get(6)?),
            expires_at: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_millis),
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
        let keys = unseal_keys(view.sealer, tenant, &contract, &sealed)?;
        all.push((TenantNo::new(tenant), contract, keys));
    }
    Ok(all)
}
