//! Secrets in memory: hidden when printed, wiped when dropped, compared in constant time.

use crate::id::SigningKeyId;
use crate::time::Timestamp;
use std::fmt;
use zeroize::Zeroize;

/// Secret text. There is no `Display` and no `Serialize`: whoever needs it says
/// [`SecretText::expose`].
#[derive(Clone)]
pub struct SecretText(String);

impl SecretText {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// Equal in constant time for equal lengths.
impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_bytes(), other.0.as_bytes())
            .is_ok()
    }
}

impl Eq for SecretText {}

/// A key that signs deliveries, of an endpoint or of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its public name.
    pub id: SigningKeyId,
    /// The secret in the form that the contract shows (`whsec_…`).
    pub secret: SecretText,
    /// When it was made or imported.
    pub created_at: Timestamp,
    /// When a newer one took its place; absent for the current key.
    pub retired_at: Option<Timestamp>,
    /// Until when a retired key signs beside the current one; absent if it no longer signs.
    pub signs_until: Option<Timestamp>,
}

impl SigningKey {
    /// Whether this key signs an attempt made `now`.
    pub fn signs(&self, now: Timestamp) -> bool {
        self.retired_at.is_none() || self.signs_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_when_printed_and_equal_by_value() {
        let secret = SecretText::new("whsec_abc");
        assert_eq!(format!("{secret:?}"), "SecretText(…)");
        assert_eq!(secret, SecretText::new("whsec_abc"));
        assert_ne!(secret, SecretText::new("whsec_abd"));
        assert_ne!(secret, SecretText::new("whsec_ab"));
    }
}
