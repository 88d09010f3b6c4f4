//! The key above all others: it encrypts the data keys and nothing else.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of an AES-256 key.
pub const KEY_LEN: usize = 32;

/// The key that a store's data keys are encrypted with: 256 bits.
#[derive(Clone)]
pub struct MasterKey([u8; KEY_LEN]);

/// The text is not a master key; it is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAMasterKey {
    /// It is not standard base64.
    #[error("it is not base64")]
    NotBase64,
    /// It has another length.
    #[error("it has {0} bytes, not {KEY_LEN}")]
    Length(usize),
}

impl MasterKey {
    /// From random bytes.
    pub const fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// From standard base64, with or without white space around it.
    ///
    /// # Errors
    /// [`NotAMasterKey`].
    pub fn from_base64(text: &str) -> Result<Self, NotAMasterKey> {
        let decoded = STANDARD.decode(text.trim()).map_err(|_| NotAMasterKey::NotBase64)?;
        let bytes = Zeroizing::new(decoded);
        let length = NotAMasterKey::Length(bytes.len());
        bytes.as_slice().try_into().map(Self).map_err(|_| length)
    }

    /// As base64, for the file that it is kept in.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0))
    }

    /// Its public name.
    pub fn id(&self) -> MasterKeyId {
        let mut named = digest::Context::new(&digest::SHA256);
        named.update(b"angarium master key");
        named.update(&self.0);
        let mut id = [0; MasterKeyId::LEN];
        id.copy_from_slice(&named.finish().as_ref()[..MasterKeyId::LEN]);
        MasterKeyId(id)
    }

    pub(super) const fn bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Names a master key and tells nothing else of it: the beginning of a hash. Printed as 8
/// hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MasterKeyId([u8; MasterKeyId::LEN]);

impl MasterKeyId {
    pub(super) const LEN: usize = 4;

    pub(super) const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    pub(super) const fn to_bytes(self) -> [u8; Self::LEN] {
        self.0
    }
}

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_key_is_32_bytes_in_base64_and_hidden_when_printed() {
        let key = MasterKey::from_bytes([9; 32]);
        let read = MasterKey::from_base64(&format!(" {}\n", *key.to_base64())).expect("a key");
        assert_eq!(read.id(), key.id());
        assert_eq!(format!("{key:?}"), "MasterKey(…)");
        let refused = |text| MasterKey::from_base64(text).expect_err(text);
        assert_eq!(refused(""), NotAMasterKey::Length(0));
        assert_eq!(refused("AAAA"), NotAMasterKey::Length(3));
        assert_eq!(refused("not base64!"), NotAMasterKey::NotBase64);
    }

    #[test]
    fn a_master_key_has_a_name_that_tells_it_from_others() {
        let [one, other] = [1, 2].map(|byte| MasterKey::from_bytes([byte; 32]).id().to_string());
        assert_eq!(one.len(), 8);
        assert_ne!(one, other);
    }
}
