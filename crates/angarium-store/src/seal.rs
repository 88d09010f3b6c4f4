//! Secrets at rest (reliability-security.md, K2).
//!
//! A sealed value is a version byte, the id of the key, a random nonce and AES-256-GCM over the
//! rest. The place it stands in (table, tenant, row, column) is bound to it as associated data, so
//! that a sealed value cannot be read under another row.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 4;
const HEAD_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// The key that everything secret in a store is encrypted with: 256 bits.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

/// The text is not 32 bytes in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 bytes in base64")]
pub struct NotAMasterKey;

impl MasterKey {
    /// From random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From standard base64, with or without white space around it.
    ///
    /// # Errors
    /// [`NotAMasterKey`], which does not repeat the text.
    pub fn from_base64(text: &str) -> Result<Self, NotAMasterKey> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| NotAMasterKey)?);
        bytes.as_slice().try_into().map(Self).map_err(|_| NotAMasterKey)
    }

    /// As base64, for the file that it is kept in.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0))
    }
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

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
    /// It is too short, or of a version that this program does not know.
    #[error("not a sealed value of a known version")]
    UnknownForm,
    /// It was sealed with another key.
    #[error("sealed with another master key")]
    OtherKey,
    /// It was changed, or stands in a place that it was not sealed for.
    #[error("changed or moved after it was sealed")]
    Forged,
}

/// Seals and unseals with one master key.
pub struct Sealer {
    key: RandomizedNonceKey,
    key_id: [u8; KEY_ID_LEN],
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl Sealer {
    /// Prepares a master key for use.
    pub fn new(master: &MasterKey) -> Self {
        let mut named = digest::Context::new(&digest::SHA256);
        named.update(b"angarium master key");
        named.update(&master.0);
        let mut key_id = [0; KEY_ID_LEN];
        key_id.copy_from_slice(&named.finish().as_ref()[..KEY_ID_LEN]);
        let key = RandomizedNonceKey::new(&AES_256_GCM, &master.0)
            .expect("AES-256 takes every key of 32 bytes");
        Self { key, key_id }
    }

    /// Encrypts a value for its place.
    pub fn seal(&self, place: SealedPlace<'_>, plain: &[u8]) -> Vec<u8> {
        let head = self.head();
        let mut text = plain.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(place.associated_data(&head)), &mut text)
            .expect("AES-GCM takes values far longer than a request's limit");
        [&head[..], nonce.as_ref(), &text].concat()
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
        let head = self.head();
        if sealed.len() < HEAD_LEN || sealed[0] != VERSION {
            return Err(UnsealError::UnknownForm);
        }
        if sealed[..head.len()] != head {
            return Err(UnsealError::OtherKey);
        }
        let nonce = Nonce::try_assume_unique_for_key(&sealed[head.len()..HEAD_LEN])
            .map_err(|_| UnsealError::UnknownForm)?;
        let mut text = Zeroizing::new(sealed[HEAD_LEN..].to_vec());
        let plain = self
            .key
            .open_in_place(nonce, Aad::from(place.associated_data(&head)), &mut text)
            .map_err(|_| UnsealError::Forged)?
            .len();
        text.truncate(plain);
        Ok(text)
    }

    fn head(&self) -> [u8; 1 + KEY_ID_LEN] {
        let mut head = [VERSION; 1 + KEY_ID_LEN];
        head[1..].copy_from_slice(&self.key_id);
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: SealedPlace<'_> =
        SealedPlace { table: "endpoint", tenant: 7, row: "ep_1", column: "secrets" };

    #[test]
    fn a_sealed_value_opens_only_whole_in_its_place_and_under_its_key() {
        let sealer = Sealer::new(&MasterKey::from_bytes([1; 32]));
        let sealed = sealer.seal(PLACE, b"whsec_abc");
        assert_eq!(
            sealer.unseal(PLACE, &sealed).as_deref().map(Vec::as_slice),
            Ok(&b"whsec_abc"[..])
        );
        let elsewhere = [
            SealedPlace { table: "tenant_key", ..PLACE },
            SealedPlace { tenant: 8, ..PLACE },
            SealedPlace { row: "ep_2", ..PLACE },
            SealedPlace { column: "config", ..PLACE },
        ];
        for place in elsewhere {
            assert_eq!(sealer.unseal(place, &sealed), Err(UnsealError::Forged), "{place:?}");
        }
        for at in HEAD_LEN - NONCE_LEN..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(sealer.unseal(PLACE, &changed), Err(UnsealError::Forged), "byte {at}");
        }
        let other = Sealer::new(&MasterKey::from_bytes([2; 32]));
        assert_eq!(other.unseal(PLACE, &sealed), Err(UnsealError::OtherKey));
        assert_eq!(sealer.unseal(PLACE, b"\x01short"), Err(UnsealError::UnknownForm));
    }

    #[test]
    fn a_value_is_sealed_differently_each_time() {
        let sealer = Sealer::new(&MasterKey::from_bytes([1; 32]));
        assert_ne!(sealer.seal(PLACE, b"same"), sealer.seal(PLACE, b"same"));
    }

    #[test]
    fn a_master_key_is_32_bytes_in_base64_and_hidden_when_printed() {
        let key = MasterKey::from_bytes([9; 32]);
        assert!(MasterKey::from_base64(&format!(" {}\n", *key.to_base64())).is_ok());
        assert_eq!(format!("{key:?}"), "MasterKey(…)");
        for bad in ["", "AAAA", "not base64!"] {
            assert!(MasterKey::from_base64(bad).is_err(), "{bad}");
        }
    }
}
