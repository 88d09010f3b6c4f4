//! API keys: a hash of the text, what the key may do, and when it was used.

use super::accounts::{done, exists, from_json, json};
use super::fault::Fault;
use super::readers::View;
use super::writer::Tx;
use crate::AccountChanged;
use angarium_core::account::{ApiKey, Scope};
use angarium_core::id::{ApiKeyId, EnvironmentNo, TenantNo};
use angarium_core::time::Timestamp;
use rusqlite::params;

/// Most keys whose use one transaction writes, or that it forgets: whoever publishes meanwhile
/// waits for it.
pub(super) const SLICE: usize = 100;

pub(super) const NOTE_USE: &str = "UPDATE api_key SET last_used_at = ?2 WHERE id = ?1";

pub(super) const FORGET: &str = "
    DELETE FROM api_key WHERE id IN (
        SELECT id FROM api_key WHERE forget_at <= ?1 ORDER BY forget_at LIMIT ?2)";

/// Makes a key whose id, hash, environment and tenant are right.
pub(super) fn create(tx: &Tx<'_>, key: &ApiKey) -> Result<AccountChanged, Fault> {
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
    let rate = key.rate.map(|rate| json("api_key.rate", &rate)).transpose()?;
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    tx.connection.execute(
        "INSERT INTO api_key (id, hash, name, environment, tenant, scopes, created_at, expires_at,
                              last_used_at, rate, forget_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            key.id.to_bytes(),
            key.hash,
            key.name,
            environment,
            tenant,
            scopes.join(" "),
            key.created_at.as_millis(),
            key.expires_at.map(Timestamp::as_millis),
            key.last_used_at.map(Timestamp::as_millis),
            rate,
            key.forget_at().map(Timestamp::as_millis),
        ],
    )?;
    Ok(AccountChanged::Created(0))
}

/// Revokes a key. Its row stays, so that its text never opens anything again.
pub(super) fn revoke(tx: &Tx<'_>, id: ApiKeyId, now: Timestamp) -> Result<AccountChanged, Fault> {
    let revoke = "UPDATE api_key SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
    Ok(done(tx.connection.execute(revoke, params![id.to_bytes(), now.as_millis()])?))
}

/// Writes when keys were used last; those that are gone are passed over.
pub(super) fn note_uses(tx: &Tx<'_>, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), Fault> {
    let mut note = tx.connection.prepare_cached(NOTE_USE)?;
    for (id, at) in uses {
        note.execute(params![id.to_bytes(), at.as_millis()])?;
    }
    Ok(())
}

/// Forgets the earliest of those that ended long enough ago, a slice of them; says how many.
pub(super) fn forget(tx: &Tx<'_>, now: Timestamp) -> Result<usize, Fault> {
    let most = i64::try_from(SLICE).unwrap_or_default();
    let mut forget = tx.connection.prepare_cached(FORGET)?;
    Ok(forget.execute(params![now.as_millis(), most])?)
}

/// All that are not revoked.
pub(super) fn all(view: &View<'_>) -> Result<Vec<ApiKey>, Fault> {
    let mut select = view.connection.prepare_cached(
        "SELECT id, hash, name, environment, tenant, scopes, created_at, expires_at, last_used_at,
                rate
         FROM api_key WHERE revoked_at IS NULL ORDER BY created_at, id",
    )?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let scopes: String = row.get(5)?;
        let scope =
            |text: &str| Scope::parse(text).ok_or_else(|| Fault::damaged("api_key.scopes", text));
        let rate: Option<String> = row.get(9)?;
        all.push(ApiKey {
            id: ApiKeyId::from_bytes(row.get(0)?),
            hash: row.get(1)?,
            name: row.get(2)?,
            environment: row.get::<_, Option<i64>>(3)?.map(EnvironmentNo::new),
            tenant: row.get::<_, Option<i64>>(4)?.map(TenantNo::new),
            scopes: scopes.split_whitespace().map(scope).collect::<Result<_, _>>()?,
            rate: rate.map(|text| from_json("api_key.rate", &text)).transpose()?,
            created_at: Timestamp::from_millis(row.get(6)?),
            expires_at: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_millis),
            last_used_at: row.get::<_, Option<i64>>(8)?.map(Timestamp::from_millis),
        });
    }
    Ok(all)
}
