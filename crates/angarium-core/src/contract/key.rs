//! Who has the keys of a contract, how many there are, and how they change.

use crate::refusal::{Code, Refusal};
use crate::secret::{SecretText, SigningKey};
use crate::signature::KeyForm;
use crate::time::Timestamp;
use std::time::Duration;

/// Who has the key that signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyScope {
    /// Every endpoint has its own.
    Endpoint,
    /// All endpoints of a tenant share one.
    Tenant,
}

/// Whether an endpoint must have a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPresence {
    /// Every delivery is signed.
    Required,
    /// An endpoint without a key gets its deliveries unsigned.
    Optional,
}

/// Retired keys that are kept, at most: each that still signs makes a header longer.
const MOST_RETIRED: usize = 10;

/// What a contract says about its signing keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRule {
    /// Who has the key.
    pub scope: KeyScope,
    /// Whether there must be one.
    pub presence: KeyPresence,
    /// How long a retired key signs beside the new one.
    pub overlap: Duration,
    /// How many retired keys stay known, beside those that still sign.
    pub priors: usize,
    /// How old a tenant's key gets before it is rotated by itself.
    pub rotate_every: Option<Duration>,
    /// The forms that a key may have; new keys have the first.
    pub(super) forms: Vec<KeyForm>,
}

impl KeyRule {
    /// Makes a new key's text from random bytes.
    pub fn generate_key(&self, random: &[u8; 64]) -> SecretText {
        let form = &self.forms[0];
        let text = form.encoding.encode(&random[..form.bytes]);
        SecretText::new(format!("{}{}", form.prefix, *text))
    }

    /// The keys after a rotation, newest first: the new one, as many retired ones as stay known,
    /// and those that still sign, but for the oldest of more than [`MOST_RETIRED`].
    pub fn succeed(&self, keys: &[SigningKey], new: SigningKey, now: Timestamp) -> Vec<SigningKey> {
        let retired = keys.iter().enumerate().filter_map(|(age, key)| {
            let mut key = key.clone();
            if key.retired_at.is_none() {
                key.retired_at = Some(now);
                key.signs_until = (!self.overlap.is_zero()).then(|| now + self.overlap);
            }
            (age < self.priors || key.signs(now)).then_some(key)
        });
        std::iter::once(new).chain(retired.take(MOST_RETIRED)).collect()
    }

    /// Of a tenant's keys, newest first, those that it may know: the current one and the priors.
    pub fn known<'a>(&self, keys: &'a [SigningKey]) -> &'a [SigningKey] {
        &keys[..keys.len().min(self.priors + 1)]
    }

    /// When the current key is so old that it is to be rotated; none where keys do not age.
    pub fn rotates_at(&self, keys: &[SigningKey]) -> Option<Timestamp> {
        Some(keys.first()?.created_at + self.rotate_every?)
    }

    /// Checks a key that comes from outside.
    ///
    /// # Errors
    /// [`Code::InvalidSecret`], naming what is allowed and not the key.
    pub fn check_key(&self, secret: &str) -> Result<(), Refusal> {
        if self.forms.iter().any(|form| form.material(secret).is_some()) {
            return Ok(());
        }
        let forms: Vec<_> = self.forms.iter().map(KeyForm::describe).collect();
        let message = format!("a secret is {}", forms.join(", or "));
        Err(Refusal::field(Code::InvalidSecret, "secret", message))
    }
}
