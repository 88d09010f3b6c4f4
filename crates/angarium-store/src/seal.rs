//! Secrets at rest (reliability-security.md, K2).
//!
//! A sealed value names the form and the key, then come a random nonce and AES-256-GCM over the
//! rest:
//!
//! ```text
//!  1  master key (4)  nonce (12)  ciphertext, tag   data keys; secrets in stores before schema 9
//!  2  data key (8)    nonce (12)  ciphertext, tag   secrets
//! ```
//!
//! The place it stands in (table, tenant, row, column) is bound to it as associated data, so that
//! a sealed value cannot be read under another row.

mod data_key;
mod master_key;

pub use data_key::{DataKey, DataKeyId};
pub use master_key::{KEY_LEN, MasterKey, MasterKeyId, NotAMasterKey};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use std::fmt;
use zeroize::Zeroizing;

/// The longest beginning that names a key.
pub const HEAD_LEN: usize = 1 + DataKeyId::LEN;

const BY_MASTER_KEY: u8 = 1;
const BY_DATA_KEY: u8 = 2;

/// Where a sealed value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedPlace<'a> {
    /// The table.
    pub table: &'a str,
    /// The tenant's number; 0 where there is none.
    pub tenant: i64,
    /// What names the row.
    pub row: &'a str,
    /// The column.
    pub column: &'a str,
}

impl SealedPlace<'_> {
    fn associated_data(&self, head: &[u8]) -> Vec<u8> {
        let place = format!("{}|{}|{}|{}", self.table, self.tenant, self.row, self.column);
        [head, place.as_bytes()].concat()
    }
}

/// Why a sealed value cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// It is too short, or of a form that this program does not know.
    #[error("not a sealed value of a known form")]
    UnknownForm,
    /// It was sealed with another master key.
    #[error("sealed with another master key")]
    OtherKey,
    /// It was sealed with a data key that is not in the store.
    #[error("sealed with a data key that is not there")]
    NoDataKey,
    /// It was changed, or stands in a place that it was not sealed for.
    #[error("changed or moved after it was sealed")]
    Forged,
}

/// The key that a sealed value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyName {
    /// A master key.
    Master(MasterKeyId),
    /// A data key.
    Data(DataKeyId),
}

impl KeyName {
    /// The key that a value was sealed with, by its own word.
    ///
    /// # Errors
    /// [`UnsealError::UnknownForm`].
    pub fn of(sealed: &[u8]) -> Result<Self, UnsealError> {
        let named = sealed.split_first().and_then(|(form, rest)| match *form {
            BY_MASTER_KEY => {
                rest.first_chunk().copied().map(MasterKeyId::from_bytes).map(Self::Master)
            }
            BY_DATA_KEY => rest.first_chunk().copied().map(DataKeyId::from_bytes).map(Self::Data),
            _ => None,
        });
        named.ok_or(UnsealError::UnknownForm)
    }

    fn head(self) -> Vec<u8> {
        match self {
            Self::Master(id) => [&[BY_MASTER_KEY], id.to_bytes().as_slice()].concat(),
            Self::Data(id) => [&[BY_DATA_KEY], id.to_bytes().as_slice()].concat(),
        }
    }
}

/// From the least to the greatest first [`HEAD_LEN`] bytes of what was sealed with a data key, or
/// with a master key whichever it was.
pub fn heads(sealed_with: Option<DataKeyId>) -> (Vec<u8>, Vec<u8>) {
    match sealed_with {
        Some(id) => (KeyName::Data(id).head(), KeyName::Data(id).head()),
        None => (vec![BY_MASTER_KEY], [[BY_MASTER_KEY].as_slice(), &[0xff; HEAD_LEN - 1]].concat()),
    }
}

/// Seals and unseals with one key.
pub struct Cipher {
    key: RandomizedNonceKey,
    head: Vec<u8>,
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(…)")
    }
}

impl Cipher {
    /// Prepares a master key for use.
    pub fn of_master_key(key: &MasterKey) -> Self {
        Self::new(key.bytes(), KeyName::Master(key.id()))
    }

    /// Prepares a data key for use.
    pub fn of_data_key(key: &DataKey) -> Self {
        Self::new(key.expose(), KeyName::Data(key.id))
    }

    fn new(bytes: &[u8; KEY_LEN], name: KeyName) -> Self {
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes)
            .expect("AES-256 takes every key of 32 bytes");
        Self { key, head: name.head() }
    }

    /// Encrypts a value for its place.
    pub fn seal(&self, place: SealedPlace<'_>, plain: &[u8]) -> Vec<u8> {
        let mut text = plain.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(place.associated_data(&self.head)), &mut text)
            .expect("AES-GCM takes values far longer than a request's limit");
        [&self.head[..], nonce.as_ref(), &text].concat()
    }

    /// Decrypts a value in its place.
    ///
    /// # Errors
    /// [`UnsealError`], without the value.
    pub fn unseal(
        &self,
        place: SealedPlace<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        let Some(rest) = sealed.strip_prefix(&self.head[..]) else {
            return Err(
                KeyName::of(sealed).map_or_else(|unknown| unknown, |_| UnsealError::OtherKey)
            );
        };
        let (nonce, rest) =
            rest.split_first_chunk::<NONCE_LEN>().ok_or(UnsealError::UnknownForm)?;
        let mut text = Zeroizing::new(rest.to_vec());
        let place = Aad::from(place.associated_data(&self.head));
        let plain = self.key.open_in_place(Nonce::assume_unique_for_key(*nonce), place, &mut text);
        let plain = plain.map_err(|_| UnsealError::Forged)?.len();
        text.truncate(plain);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: SealedPlace<'_> =
        SealedPlace { table: "endpoint", tenant: 7, row: "ep_1", column: "secrets" };

    fn ciphers() -> [Cipher; 2] {
        let master = Cipher::of_master_key(&MasterKey::from_bytes([1; 32]));
        [master, Cipher::of_data_key(&DataKey::generate())]
    }

    #[test]
    fn a_sealed_value_opens_only_whole_in_its_place_and_under_its_key() {
        for cipher in ciphers() {
            let sealed = cipher.seal(PLACE, b"whsec_abc");
            let opened = cipher.unseal(PLACE, &sealed).expect("as it was sealed");
            assert_eq!(*opened, b"whsec_abc");
            let elsewhere = [
                SealedPlace { table: "tenant_key", ..PLACE },
                SealedPlace { tenant: 8, ..PLACE },
                SealedPlace { row: "ep_2", ..PLACE },
                SealedPlace { column: "config", ..PLACE },
            ];
            for place in elsewhere {
                assert_eq!(cipher.unseal(place, &sealed), Err(UnsealError::Forged), "{place:?}");
            }
            for at in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert!(cipher.unseal(PLACE, &changed).is_err(), "byte {at}");
                assert!(cipher.unseal(PLACE, &sealed[..at]).is_err(), "{at} bytes");
            }
            let [master, data] = ciphers().map(|other| other.seal(PLACE, b"whsec_abc"));
            assert_eq!(cipher.unseal(PLACE, &data), Err(UnsealError::OtherKey));
            let is_other = cipher.unseal(PLACE, &master) == Err(UnsealError::OtherKey);
            assert_eq!(is_other, cipher.head[0] == BY_DATA_KEY, "the master key is the same");
            assert_eq!(cipher.unseal(PLACE, b"\x07any"), Err(UnsealError::UnknownForm));
        }
    }

    #[test]
    fn a_value_is_sealed_differently_each_time() {
        for cipher in ciphers() {
            assert_ne!(cipher.seal(PLACE, b"same"), cipher.seal(PLACE, b"same"));
        }
    }

    #[test]
    fn what_was_sealed_with_a_key_is_found_by_its_beginning() {
        let key = DataKey::generate();
        let by_data_key = Cipher::of_data_key(&key).seal(PLACE, b"x");
        let by_master = Cipher::of_master_key(&MasterKey::from_bytes([9; 32])).seal(PLACE, b"x");
        let is_within = |sealed: &[u8], (least, greatest): (Vec<u8>, Vec<u8>)| {
            (&least[..]..=&greatest[..]).contains(&&sealed[..HEAD_LEN])
        };
        assert!(is_within(&by_data_key, heads(Some(key.id))));
        assert!(is_within(&by_master, heads(None)));
        assert!(!is_within(&by_data_key, heads(None)));
        assert!(!is_within(&by_master, heads(Some(key.id))));
        assert!(!is_within(&by_data_key, heads(Some(DataKey::generate().id))));
    }
}
