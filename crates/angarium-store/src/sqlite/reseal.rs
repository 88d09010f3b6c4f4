//! Seals anew, a slice at a time, what is sealed with a key that is on its way out: a retired data
//! key, or the master key itself, as secrets were before schema 9. A retired key that nothing is
//! sealed with any more is deleted.

use super::data_keys;
use super::fault::Fault;
use super::keyring::Vault;
use super::writer::Tx;
use crate::seal::{DataKeyId, SealedPlace, heads};
use angarium_core::id::{EndpointId, SourceId};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, params};

/// Most values that one step seals anew, and most keys that it looks at: the writer is held no
/// longer than by a commit.
const SLICE: usize = 100;

pub(super) const NEXT_RETIRED: &str = "
    SELECT id FROM data_key WHERE retired = 1 AND id > ?1 ORDER BY id LIMIT 1";

/// A column whose values are sealed.
pub(super) struct SealedColumn {
    table: &'static str,
    column: &'static str,
    /// Rows that are sealed with certain keys: what names the row, tenant, value.
    pub(super) select: &'static str,
    update: &'static str,
    row_name: fn(ValueRef<'_>) -> Option<String>,
}

/// Every column whose values are sealed, but for the data keys themselves.
pub(super) const COLUMNS: [SealedColumn; 5] = [
    SealedColumn {
        table: "endpoint",
        column: "secrets",
        select: "SELECT id, tenant, secrets FROM endpoint WHERE secrets IS NOT NULL
                 AND substr(secrets, 1, 9) BETWEEN ?1 AND ?2 LIMIT ?3",
        update: "UPDATE endpoint SET secrets = ?3 WHERE id = ?1 AND tenant = ?2",
        row_name: |id| id_of(id).map(|id| EndpointId::from_bytes(id).to_string()),
    },
    SealedColumn {
        table: "tenant_key",
        column: "keys",
        select: "SELECT contract, tenant, keys FROM tenant_key
                 WHERE substr(keys, 1, 9) BETWEEN ?1 AND ?2 LIMIT ?3",
        update: "UPDATE tenant_key SET keys = ?3 WHERE contract = ?1 AND tenant = ?2",
        row_name: |contract| contract.as_str().ok().map(str::to_owned),
    },
    SealedColumn {
        table: "source",
        column: "keys",
        select: "SELECT id, tenant, keys FROM source
                 WHERE substr(keys, 1, 9) BETWEEN ?1 AND ?2 LIMIT ?3",
        update: "UPDATE source SET keys = ?3 WHERE id = ?1 AND tenant = ?2",
        row_name: |id| id_of(id).map(|id| SourceId::from_bytes(id).to_string()),
    },
    SealedColumn {
        table: "idempotency",
        column: "body",
        select: "SELECT scope, tenant, body FROM idempotency WHERE body IS NOT NULL
                 AND substr(body, 1, 9) BETWEEN ?1 AND ?2 LIMIT ?3",
        update: "UPDATE idempotency SET body = ?3 WHERE scope = ?1 AND tenant = ?2",
        row_name: |scope| scope.as_blob().ok().map(hex),
    },
    SealedColumn {
        table: "environment",
        column: "egress",
        select: "SELECT slug, 0, egress FROM environment WHERE egress IS NOT NULL
                 AND substr(egress, 1, 9) BETWEEN ?1 AND ?2 LIMIT ?3",
        update: "UPDATE environment SET egress = ?3 WHERE slug = ?1 AND ?2 = 0",
        row_name: |slug| slug.as_str().ok().map(str::to_owned),
    },
];

fn id_of(id: ValueRef<'_>) -> Option<[u8; 16]> {
    id.as_blob().ok()?.try_into().ok()
}

/// A name of bytes.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How far the keys on their way out have been followed since the start, or since more of them
/// were retired. What could not be unsealed is passed over, and looked at again then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Progress {
    /// The master key first.
    #[default]
    MasterKey,
    /// Then each retired data key after this one; the first after none.
    DataKeysAfter(Option<DataKeyId>),
}

/// What became of a slice of what one key had sealed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slice {
    /// Values that are sealed anew.
    pub(super) resealed: usize,
    /// Values that cannot be unsealed.
    unreadable: usize,
    /// Whether these were all.
    is_last: bool,
}

/// One bounded step; whether there is more to do at once.
pub(super) fn step(tx: &mut Tx<'_>) -> Result<bool, Fault> {
    let mut resealed = 0;
    for _ in 0..SLICE {
        let Some(key) = next(tx)? else {
            return Ok(false);
        };
        let slice = slice(tx.vault(), key)?;
        resealed += slice.resealed;
        if slice.is_last || slice.resealed == 0 {
            pass(tx, key, slice)?;
        }
        if resealed >= SLICE {
            break;
        }
    }
    Ok(true)
}

/// The next key on its way out: none is the master key, the outer none the end.
fn next(tx: &Tx<'_>) -> Result<Option<Option<DataKeyId>>, Fault> {
    let after = match tx.state.resealing {
        Progress::MasterKey => return Ok(Some(None)),
        Progress::DataKeysAfter(after) => after.map_or(Vec::new(), |id| id.to_bytes().to_vec()),
    };
    let mut select = tx.connection.prepare_cached(NEXT_RETIRED)?;
    let id = select.query_row([after], |row| row.get(0).map(DataKeyId::from_bytes)).optional()?;
    Ok(id.map(Some))
}

/// Goes on to the next key; one that nothing is sealed with any more is deleted.
fn pass(tx: &mut Tx<'_>, key: Option<DataKeyId>, slice: Slice) -> Result<(), Fault> {
    tx.state.resealing = Progress::DataKeysAfter(key);
    if slice.unreadable > 0 {
        let key = key.map_or_else(|| "the master key".to_owned(), |key| format!("data key {key}"));
        tracing::error!(values = slice.unreadable, %key, "secrets are damaged or were moved");
        return Ok(());
    }
    key.map_or(Ok(()), |key| data_keys::delete(tx, key))
}

/// Seals some of what a key has sealed with each tenant's current one.
pub(super) fn slice(vault: Vault<'_>, sealed_with: Option<DataKeyId>) -> Result<Slice, Fault> {
    let mut slice = Slice { is_last: true, ..Slice::default() };
    for column in &COLUMNS {
        let rows = read(vault.connection, column, sealed_with, SLICE)?;
        slice.is_last &= rows.len() < SLICE;
        for (key, tenant, sealed) in rows {
            let row = (column.row_name)(ValueRef::from(&key)).unwrap_or_default();
            let (table, column_name) = (column.table, column.column);
            let place = SealedPlace { table, tenant, row: &row, column: column_name };
            match vault.unseal(place, &sealed).and_then(|plain| vault.seal(place, &plain)) {
                Ok(sealed) => {
                    let mut update = vault.connection.prepare_cached(column.update)?;
                    update.execute(params![key, tenant, sealed])?;
                    slice.resealed += 1;
                }
                Err(Fault::Damaged(_)) => slice.unreadable += 1,
                Err(fault) => return Err(fault),
            }
        }
    }
    Ok(slice)
}

/// Whether secrets are there that are sealed with the master key itself.
pub(super) fn has_earlier_form(connection: &Connection) -> Result<bool, Fault> {
    for column in &COLUMNS {
        if !read(connection, column, None, 1)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

type Found = (Value, i64, Vec<u8>);

fn read(
    connection: &Connection,
    column: &SealedColumn,
    sealed_with: Option<DataKeyId>,
    most: usize,
) -> Result<Vec<Found>, Fault> {
    let (least, greatest) = heads(sealed_with);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(column.select)?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let rows = select.query_map(params![least, greatest, most], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
