//! The keys in memory, and how a secret is sealed and unsealed with them.
//!
//! Which key a tenant's secrets are sealed with, and which master key that one is wrapped with,
//! the database alone says, inside the transaction that asks: so whatever is rolled back or of
//! unknown result leaves nothing wrong behind here. What is kept is found by the key's name, which
//! is never given out twice.

use super::fault::Fault;
use crate::seal::{
    Cipher, DataKey, DataKeyId, KeyName, MasterKey, MasterKeyId, SealedPlace, UnsealError,
};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use zeroize::Zeroizing;

/// Data keys that are kept unwrapped; some 4 MiB. With more tenants than that at work, keys are
/// unwrapped again now and then, which takes microseconds.
const UNWRAPPED: usize = 4_096;

pub(super) const SELECT: &str = "SELECT tenant, wrapped FROM data_key WHERE id = ?1";

pub(super) const CURRENT: &str = "SELECT id FROM data_key WHERE tenant = ?1 AND retired = 0";

const INSERT: &str = "
    INSERT INTO data_key (id, tenant, wrapped, retired) VALUES (?1, ?2, ?3, 0)";

const KEY_CHECK: SealedPlace<'_> =
    SealedPlace { table: "meta", tenant: 0, row: "key_check", column: "value" };

/// The keys that are known, shared by the writer and the readers.
#[derive(Debug, Default)]
pub(super) struct Keyring {
    masters: RwLock<Vec<(MasterKeyId, Arc<Cipher>)>>,
    unwrapped: RwLock<HashMap<DataKeyId, (i64, Arc<Cipher>)>>,
}

impl Keyring {
    /// One that knows these master keys.
    pub(super) fn new<'a>(masters: impl IntoIterator<Item = &'a MasterKey>) -> Self {
        let keyring = Self::default();
        masters.into_iter().for_each(|master| keyring.learn(master));
        keyring
    }

    /// Learns another master key.
    pub(super) fn learn(&self, master: &MasterKey) {
        let mut masters = write(&self.masters);
        if masters.iter().all(|(known, _)| *known != master.id()) {
            masters.push((master.id(), Arc::new(Cipher::of_master_key(master))));
        }
    }

    /// Forgets every master key but these.
    pub(super) fn forget_masters_but(&self, kept: &[MasterKeyId]) {
        write(&self.masters).retain(|(id, _)| kept.contains(id));
    }

    /// Forgets the data keys of a tenant.
    pub(super) fn forget(&self, tenant: i64) {
        write(&self.unwrapped).retain(|_, (owner, _)| *owner != tenant);
    }

    fn master(&self, id: MasterKeyId) -> Result<Arc<Cipher>, UnsealError> {
        let masters = read(&self.masters);
        let found = masters.iter().find(|(known, _)| *known == id);
        found.map(|(_, cipher)| Arc::clone(cipher)).ok_or(UnsealError::OtherKey)
    }

    fn keep(&self, id: DataKeyId, tenant: i64, cipher: &Arc<Cipher>) {
        let mut unwrapped = write(&self.unwrapped);
        if unwrapped.len() >= UNWRAPPED {
            unwrapped.clear();
        }
        unwrapped.insert(id, (tenant, Arc::clone(cipher)));
    }
}

/// What a panic left behind is a list that is as good as before.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Seals and unseals inside a transaction.
#[derive(Clone, Copy)]
pub(super) struct Vault<'a> {
    pub(super) connection: &'a Connection,
    pub(super) keyring: &'a Keyring,
}

impl Vault<'_> {
    /// Encrypts a value with its tenant's key; makes one if the tenant has none.
    pub(super) fn seal(&self, place: SealedPlace<'_>, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let current = self
            .connection
            .prepare_cached(CURRENT)?
            .query_row([place.tenant], |row| row.get(0).map(DataKeyId::from_bytes))
            .optional()?;
        let cipher = match current {
            Some(id) => self.data_key(place, id)?,
            None => self.make_data_key(place.tenant)?,
        };
        Ok(cipher.seal(place, plain))
    }

    /// Decrypts a value in its place.
    pub(super) fn unseal(
        &self,
        place: SealedPlace<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let cannot = Fault::sealed(place);
        let cipher = match KeyName::of(sealed).map_err(cannot)? {
            KeyName::Master(id) => self.keyring.master(id).map_err(cannot)?,
            KeyName::Data(id) => self.data_key(place, id)?,
        };
        cipher.unseal(place, sealed).map_err(cannot)
    }

    /// The master key that the store is under.
    pub(super) fn master_key(&self) -> Result<MasterKeyId, Fault> {
        let select = "SELECT value FROM meta WHERE name = 'key_check'";
        let check: Vec<u8> =
            self.connection.prepare_cached(select)?.query_row([], |row| row.get(0))?;
        match KeyName::of(&check) {
            Ok(KeyName::Master(id)) => Ok(id),
            Ok(KeyName::Data(_)) | Err(_) => {
                Err(Fault::sealed(KEY_CHECK)(UnsealError::UnknownForm))
            }
        }
    }

    /// Whether a value of `meta` shows that one of the master keys is the store's.
    pub(super) fn is_opened(&self, check: &[u8]) -> bool {
        self.unseal(KEY_CHECK, check).is_ok()
    }

    /// Writes down that the store is under a master key.
    pub(super) fn put_key_check(&self, master: MasterKeyId) -> Result<(), Fault> {
        let check = self.cipher_of(master)?.seal(KEY_CHECK, b"angarium");
        let put = "INSERT INTO meta (name, value) VALUES ('key_check', ?1)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.connection.execute(put, params![check])?;
        Ok(())
    }

    /// A data key's bytes, wrapped with another master key than now.
    pub(super) fn rewrap(
        &self,
        (id, tenant, wrapped): (DataKeyId, i64, &[u8]),
        with: MasterKeyId,
    ) -> Result<Vec<u8>, Fault> {
        let row = id.to_string();
        let place = place(tenant, &row);
        Ok(self.cipher_of(with)?.seal(place, &self.unseal(place, wrapped)?))
    }

    /// The key of this name, for a value that stands in `asked`.
    fn data_key(&self, asked: SealedPlace<'_>, id: DataKeyId) -> Result<Arc<Cipher>, Fault> {
        let known = read(&self.keyring.unwrapped).get(&id).cloned();
        match known {
            Some((_, cipher)) => Ok(cipher),
            None => self.unwrap_data_key(asked, id),
        }
    }

    fn unwrap_data_key(&self, asked: SealedPlace<'_>, id: DataKeyId) -> Result<Arc<Cipher>, Fault> {
        let found = self
            .connection
            .prepare_cached(SELECT)?
            .query_row([id.to_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (tenant, wrapped): (i64, Vec<u8>) =
            found.ok_or_else(|| Fault::sealed(asked)(UnsealError::NoDataKey))?;
        let row = id.to_string();
        let plain = self.unseal_wrapped(place(tenant, &row), &wrapped)?;
        let key = DataKey::from_unsealed(id, &plain)
            .ok_or_else(|| Fault::sealed(place(tenant, &row))(UnsealError::UnknownForm))?;
        let cipher = Arc::new(Cipher::of_data_key(&key));
        self.keyring.keep(id, tenant, &cipher);
        Ok(cipher)
    }

    /// Only a master key opens what a data key is wrapped in: none is wrapped in another.
    fn unseal_wrapped(
        &self,
        place: SealedPlace<'_>,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        match KeyName::of(wrapped) {
            Ok(KeyName::Data(_)) => Err(Fault::sealed(place)(UnsealError::UnknownForm)),
            Ok(KeyName::Master(_)) | Err(_) => self.unseal(place, wrapped),
        }
    }

    fn make_data_key(&self, tenant: i64) -> Result<Arc<Cipher>, Fault> {
        let key = DataKey::generate();
        let row = key.id.to_string();
        let wrapped = self.cipher_of(self.master_key()?)?.seal(place(tenant, &row), key.expose());
        let values = params![key.id.to_bytes(), tenant, wrapped];
        self.connection.prepare_cached(INSERT)?.execute(values)?;
        let cipher = Arc::new(Cipher::of_data_key(&key));
        self.keyring.keep(key.id, tenant, &cipher);
        Ok(cipher)
    }

    fn cipher_of(&self, master: MasterKeyId) -> Result<Arc<Cipher>, Fault> {
        self.keyring.master(master).map_err(Fault::sealed(KEY_CHECK))
    }
}

fn place(tenant: i64, row: &str) -> SealedPlace<'_> {
    SealedPlace { table: "data_key", tenant, row, column: "wrapped" }
}
