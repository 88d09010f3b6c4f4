//! What secrets are encrypted with: a tenant's own key.

use super::master_key::KEY_LEN;
use aws_lc_rs::rand;
use std::fmt;
use zeroize::Zeroizing;

/// A data key's name: random, and never given out twice. Printed as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataKeyId([u8; DataKeyId::LEN]);

impl DataKeyId {
    pub(super) const LEN: usize = 8;

    /// From the bytes of a row or a sealed value.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        self.0
    }
}

impl fmt::Display for DataKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// A tenant's key, in the clear: it is stored only sealed with the master key.
pub struct DataKey {
    /// Its name.
    pub id: DataKeyId,
    bytes: Zeroizing<[u8; KEY_LEN]>,
}

impl DataKey {
    /// A new key under a new name, both from the system's random numbers.
    pub fn generate() -> Self {
        let mut id = [0; DataKeyId::LEN];
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        rand::fill(&mut id).expect("the system has random numbers");
        rand::fill(&mut *bytes).expect("the system has random numbers");
        Self { id: DataKeyId(id), bytes }
    }

    /// A key that was unsealed; none if it has not the length of a key.
    pub fn from_unsealed(id: DataKeyId, plain: &[u8]) -> Option<Self> {
        let bytes: [u8; KEY_LEN] = plain.try_into().ok()?;
        Some(Self { id, bytes: Zeroizing::new(bytes) })
    }

    /// The bytes to seal.
    pub fn expose(&self) -> &[u8; KEY_LEN] {
        &self.bytes
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({}, …)", self.id)
    }
}
