//! Signing keys as a contract shows them: how a new one is made, which ones are accepted, and which
//! bytes of the text sign.

use crate::refusal::{Code, Refusal};
use crate::secret::{SecretText, SigningKey};
use crate::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ops::RangeInclusive;
use std::time::Duration;
use zeroize::Zeroizing;

/// Length of an imported key whose text signs: long enough not to be guessed.
const TEXT_CHARS: RangeInclusive<usize> = 16..=256;

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

/// The bytes of a key that sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyUse {
    /// The text as a whole, prefix and all.
    Text,
    /// The bytes that the text after the prefix encodes.
    Bytes,
}

/// How bytes are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Lower-case hexadecimal.
    Hex,
    /// Base64 with padding.
    Base64,
}

impl Encoding {
    pub(super) fn encode(self, bytes: &[u8]) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Encoding::Hex => hex::encode(bytes),
            Encoding::Base64 => STANDARD.encode(bytes),
        })
    }

    fn decode(self, text: &str) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = match self {
            Encoding::Hex => hex::decode(text).ok()?,
            Encoding::Base64 => STANDARD.decode(text).ok()?,
        };
        Some(Zeroizing::new(bytes))
    }
}

/// One form of key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyForm {
    /// What the text begins with.
    pub(crate) prefix: Box<str>,
    /// How the bytes after it are written.
    pub(crate) encoding: Encoding,
    /// Which bytes sign.
    pub(crate) usage: KeyUse,
    /// Bytes of a new key.
    pub(super) bytes: usize,
    /// Bytes of an imported one.
    pub(super) accepts: RangeInclusive<usize>,
}

impl KeyForm {
    /// The bytes that sign, if the key has this form.
    pub(super) fn material(&self, secret: &str) -> Option<Zeroizing<Vec<u8>>> {
        match self.usage {
            KeyUse::Text => {
                let visible = secret.bytes().all(|byte| (b' '..=b'~').contains(&byte));
                (visible && TEXT_CHARS.contains(&secret.len()))
                    .then(|| Zeroizing::new(secret.as_bytes().to_vec()))
            }
            KeyUse::Bytes => {
                let bytes = self.encoding.decode(secret.strip_prefix(&*self.prefix)?)?;
                self.accepts.contains(&bytes.len()).then_some(bytes)
            }
        }
    }

    /// What a key of this form looks like, for people.
    pub(super) fn describe(&self) -> String {
        match self.usage {
            KeyUse::Text => {
                format!("{} to {} visible ASCII characters", TEXT_CHARS.start(), TEXT_CHARS.end())
            }
            KeyUse::Bytes => {
                let encoding = match self.encoding {
                    Encoding::Hex => "hex",
                    Encoding::Base64 => "base64",
                };
                let (least, most) = (self.accepts.start(), self.accepts.end());
                let length = match least == most {
                    true => format!("{least}"),
                    false => format!("{least} to {most}"),
                };
                format!("`{}` and the {encoding} of {length} bytes", self.prefix)
            }
        }
    }
}

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
    /// and those that still sign.
    pub fn succeed(&self, keys: &[SigningKey], new: SigningKey, now: Timestamp) -> Vec<SigningKey> {
        let retired = keys.iter().enumerate().filter_map(|(age, key)| {
            let mut key = key.clone();
            if key.retired_at.is_none() {
                key.retired_at = Some(now);
                key.signs_until = (!self.overlap.is_zero()).then(|| now + self.overlap);
            }
            (age < self.priors || key.signs(now)).then_some(key)
        });
        std::iter::once(new).chain(retired).collect()
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
