//! The algorithms for which programs are printed.

use crate::signature;

/// How a contract's signatures are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    HmacSha256,
    HmacSha512,
    /// The key is its seed.
    Ed25519,
}

impl Algorithm {
    /// # Errors
    /// That no program is printed for it.
    pub(super) fn of(algorithm: signature::Algorithm) -> Result<Self, String> {
        Ok(match algorithm {
            signature::Algorithm::HmacSha256 => Algorithm::HmacSha256,
            signature::Algorithm::HmacSha512 => Algorithm::HmacSha512,
            signature::Algorithm::Ed25519 => Algorithm::Ed25519,
            other => return Err(format!("no program is printed for `{}`", other.name())),
        })
    }
}
