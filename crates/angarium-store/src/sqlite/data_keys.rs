//! Changes of keys: a new master key, new data keys, and the end of a tenant's.

use super::fault::Fault;
use super::keyring::Vault;
use super::readers::View;
use super::removal;
use super::reseal::{self, Progress};
use super::writer::Tx;
use crate::seal::{DataKeyId, MasterKey, heads};
use crate::{Encryption, MasterKeyRotated};
use angarium_core::id::TenantNo;
use rusqlite::{Connection, params};

/// Keys that are read at once while all are wrapped anew.
const PAGE: usize = 1_000;

pub(super) const AFTER: &str = "
    SELECT id, tenant, wrapped FROM data_key WHERE id > ?1 ORDER BY id LIMIT ?2";

const REWRAP: &str = "UPDATE data_key SET wrapped = ?2 WHERE id = ?1";

pub(super) const RETIRE_OF_TENANT: &str = "
    UPDATE data_key SET retired = 1 WHERE tenant = ?1 AND retired = 0";

const RETIRE_ALL: &str = "UPDATE data_key SET retired = 1 WHERE retired = 0";

pub(super) const OF_TENANT: &str = "SELECT id FROM data_key WHERE tenant = ?1";

const DELETE: &str = "DELETE FROM data_key WHERE id = ?1";

pub(super) const FORGET_ANSWERS: &str = "
    DELETE FROM idempotency WHERE body IS NOT NULL AND substr(body, 1, 9) = ?1";

/// Puts the store under another master key: all of it in this transaction, so that the store is
/// always wholly under one. Secrets that are still sealed with the old key itself are sealed with
/// data keys first. Both stay known: whoever reads now may look at the moment before, and the
/// result of the commit may be unknown.
pub(super) fn rotate_master(tx: &mut Tx<'_>, next: &MasterKey) -> Result<MasterKeyRotated, Fault> {
    let (from, to) = (tx.vault().master_key()?, next.id());
    tx.keyring.learn(next);
    tx.keyring.forget_masters_but(&[from, to]);
    if from == to {
        return Ok(MasterKeyRotated::Same);
    }
    while reseal::slice(tx.vault(), None)?.resealed > 0 {}
    let vault = tx.vault();
    let mut after = None;
    loop {
        let page = page(vault.connection, after)?;
        let Some((last, ..)) = page.last() else {
            break;
        };
        after = Some(*last);
        let mut update = vault.connection.prepare_cached(REWRAP)?;
        for (id, tenant, wrapped) in &page {
            let rewrapped = vault.rewrap((*id, *tenant, wrapped), to)?;
            update.execute(params![id.to_bytes(), rewrapped])?;
        }
    }
    vault.put_key_check(to)?;
    tx.state.to_scrub = true;
    Ok(MasterKeyRotated::Done)
}

type Wrapped = (DataKeyId, i64, Vec<u8>);

fn page(connection: &Connection, after: Option<DataKeyId>) -> Result<Vec<Wrapped>, Fault> {
    let after = after.map_or(Vec::new(), |id| id.to_bytes().to_vec());
    let read = |row: &rusqlite::Row<'_>| {
        Ok((DataKeyId::from_bytes(row.get(0)?), row.get(1)?, row.get(2)?))
    };
    let most = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(AFTER)?;
    Ok(select.query_map(params![after, most], read)?.collect::<Result<_, _>>()?)
}

/// Retires the current data key of a tenant, or of all: what is sealed from now on is sealed with a
/// new one, and upkeep does the same with what was sealed before.
pub(super) fn retire(tx: &mut Tx<'_>, tenant: Option<TenantNo>) -> Result<(), Fault> {
    match tenant {
        Some(tenant) => tx.connection.prepare_cached(RETIRE_OF_TENANT)?.execute([tenant.get()])?,
        None => tx.connection.prepare_cached(RETIRE_ALL)?.execute([])?,
    };
    tx.state.resealing = Progress::default();
    Ok(())
}

/// Deletes every data key of a tenant. Whatever was sealed with them, wherever a copy of it may
/// still lie, can no longer be decrypted; kept answers that were sealed with them go too.
pub(super) fn shred(tx: &mut Tx<'_>, tenant: TenantNo) -> Result<(), Fault> {
    let keys: Vec<DataKeyId> = tx
        .connection
        .prepare_cached(OF_TENANT)?
        .query_map([tenant.get()], |row| row.get(0).map(DataKeyId::from_bytes))?
        .collect::<Result<_, _>>()?;
    for key in keys {
        let (head, _) = heads(Some(key));
        tx.connection.prepare_cached(FORGET_ANSWERS)?.execute([head])?;
        delete(tx, key)?;
    }
    tx.keyring.forget(tenant.get());
    Ok(())
}

/// Deletes a data key, so that its bytes stay neither in the database's file nor, once the log is
/// emptied, there.
pub(super) fn delete(tx: &mut Tx<'_>, key: DataKeyId) -> Result<(), Fault> {
    removal::for_good(tx, |tx| {
        Ok(tx.connection.prepare_cached(DELETE)?.execute([key.to_bytes()])?)
    })?;
    tx.state.to_scrub = true;
    Ok(())
}

/// What the store is encrypted with.
pub(super) fn encryption(view: &View<'_>) -> Result<Encryption, Fault> {
    let vault: Vault<'_> = view.vault();
    let count = |select: &str| {
        let count = vault.connection.prepare_cached(select)?.query_row([], |row| row.get(0))?;
        Ok::<i64, Fault>(count)
    };
    let retired = count("SELECT count(*) FROM data_key WHERE retired = 1")?;
    Ok(Encryption {
        master_key: vault.master_key()?,
        data_keys: count("SELECT count(*) FROM data_key")?.cast_unsigned(),
        retired_data_keys: retired.cast_unsigned(),
        has_earlier_form: reseal::has_earlier_form(vault.connection)?,
    })
}
