//! Sources: how each is configured, and the sealed keys that its requests are verified by.

use super::accounts::{done, exists, from_json, json};
use super::crc;
use super::fault::Fault;
use super::readers::View;
use super::rejections;
use super::writer::Tx;
use crate::AccountChanged;
use crate::seal::SealedPlace;
use angarium_core::id::{SourceId, TenantNo};
use angarium_core::secret::SigningKey;
use angarium_core::source::SourceConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Row, params};

pub(super) const COUNT: &str = "SELECT count(*) FROM source WHERE tenant = ?1";

const INSERT: &str = "
    INSERT INTO source (id, tenant, config, keys, crc) VALUES (?1, ?2, ?3, ?4, ?5)";

const REPLACE: &str = "
    UPDATE source SET config = ?3, keys = ?4, crc = ?5 WHERE id = ?1 AND tenant = ?2";

const ALL: &str = "SELECT id, tenant, config, keys, crc FROM source ORDER BY id";

/// Makes a source, unless its tenant has `most` already.
pub(super) fn create(
    tx: &Tx<'_>,
    source: &SourceConfig,
    most: usize,
) -> Result<AccountChanged, Fault> {
    let tenant = source.tenant.get();
    if !exists(tx.connection, "SELECT 1 FROM tenant WHERE no = ?1", [tenant])? {
        return Ok(AccountChanged::NotFound);
    }
    if exists(tx.connection, "SELECT 1 FROM source WHERE id = ?1", [source.id.to_bytes()])? {
        return Ok(AccountChanged::Taken);
    }
    let count: i64 = tx.connection.prepare_cached(COUNT)?.query_row([tenant], |row| row.get(0))?;
    if usize::try_from(count).unwrap_or(usize::MAX) >= most {
        return Ok(AccountChanged::TooMany);
    }
    write(tx, INSERT, source)?;
    Ok(AccountChanged::Created(0))
}

/// Takes the place of a source of the same id and tenant.
pub(super) fn replace(tx: &Tx<'_>, source: &SourceConfig) -> Result<AccountChanged, Fault> {
    Ok(done(write(tx, REPLACE, source)?))
}

/// Deletes a source with what it rejected.
pub(super) fn delete(tx: &Tx<'_>, id: SourceId) -> Result<AccountChanged, Fault> {
    rejections::delete_of(tx, id)?;
    Ok(done(tx.connection.execute("DELETE FROM source WHERE id = ?1", [id.to_bytes()])?))
}

fn write(tx: &Tx<'_>, sql: &str, source: &SourceConfig) -> Result<usize, Fault> {
    let config = json("source.config", source)?;
    let row = source.id.to_string();
    let keys = SigningKey::to_sealed_form(&source.keys);
    Ok(tx.connection.execute(
        sql,
        params![
            source.id.to_bytes(),
            source.tenant.get(),
            config,
            tx.vault().seal(place(source.tenant, &row), &keys)?,
            checksum(source.id, source.tenant, &config),
        ],
    )?)
}

/// Of what decides whose requests are taken in, and for whom.
fn checksum(id: SourceId, tenant: TenantNo, config: &str) -> u32 {
    let (id, config) = (id.to_bytes(), config.as_bytes());
    crc::of([ValueRef::Blob(&id), ValueRef::Integer(tenant.get()), ValueRef::Text(config)])
}

fn place(tenant: TenantNo, row: &str) -> SealedPlace<'_> {
    SealedPlace { table: "source", tenant: tenant.get(), row, column: "keys" }
}

/// All sources, in the order of their making.
pub(super) fn all(view: &View<'_>) -> Result<Vec<SourceConfig>, Fault> {
    let mut select = view.connection.prepare_cached(ALL)?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(view, row)?);
    }
    Ok(all)
}

fn read(view: &View<'_>, row: &Row<'_>) -> Result<SourceConfig, Fault> {
    crc::check("source", row.get(4)?, [row.get_ref(0)?, row.get_ref(1)?, row.get_ref(2)?])?;
    let mut source: SourceConfig = from_json("source.config", &row.get::<_, String>(2)?)?;
    source.id = SourceId::from_bytes(row.get(0)?);
    source.tenant = TenantNo::new(row.get(1)?);
    let sealed: Vec<u8> = row.get(3)?;
    let keys = view.vault().unseal(place(source.tenant, &source.id.to_string()), &sealed)?;
    source.keys =
        SigningKey::from_sealed_form(&keys).map_err(|e| Fault::damaged("source.keys", e))?;
    Ok(source)
}
