//! Keys made ready to sign, and the headers that they make.

use super::Contract;
use super::signature::SignatureRule;
use crate::refusal::Refusal;
use crate::secret::SigningKey;
use crate::signature::{ContentPart, Material, Message, ValuePart};
use crate::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use std::borrow::Cow;
use std::fmt;

/// What is signed: a request as it is about to be sent.
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a http::Method,
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) id: &'a str,
    pub(crate) seconds: &'a str,
}

impl Message for Signed<'_> {
    fn part<'a>(&'a self, part: &'a ContentPart) -> Option<Cow<'a, [u8]>> {
        Some(Cow::Borrowed(match part {
            ContentPart::Literal(text) => text.as_bytes(),
            ContentPart::Body => self.body,
            ContentPart::Query => self.query.as_bytes(),
            ContentPart::Payload if *self.method == http::Method::GET => self.query.as_bytes(),
            ContentPart::Payload => self.body,
            ContentPart::Id => self.id.as_bytes(),
            ContentPart::Timestamp => self.seconds.as_bytes(),
            ContentPart::Method => self.method.as_str().as_bytes(),
            // A contract names none of them.
            ContentPart::Url
            | ContentPart::DecodedUrl
            | ContentPart::Endpoint
            | ContentPart::Path
            | ContentPart::Header(_)
            | ContentPart::Parameter(_)
            | ContentPart::Member(_)
            | ContentPart::MemberIfAny(_)
            | ContentPart::Lines(_)
            | ContentPart::Claim(_)
            | ContentPart::Jws
            | ContentPart::SortedForm
            | ContentPart::BodySha256
            | ContentPart::BodyCrc32
            | ContentPart::Secret
            | ContentPart::SourceToken => return None,
        }))
    }
}

struct PreparedKey {
    /// Which of the contract's signatures it makes.
    rule: usize,
    key: SigningKey,
    material: Material,
}

/// The keys of one endpoint or tenant, made ready to sign by one contract.
pub struct Signer {
    keys: Vec<PreparedKey>,
}

/// The signer of a tenant whose contract signs with one key for all its endpoints.
pub type TenantSigner = Signer;

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} keys)", self.keys.len())
    }
}

impl Signer {
    /// Decodes the keys, the current one first.
    ///
    /// # Errors
    /// [`InvalidSecret`](crate::refusal::Code::InvalidSecret) when a key does not have a form that
    /// the contract knows.
    pub fn prepare(contract: &Contract, keys: &[SigningKey]) -> Result<Self, Refusal> {
        let mut prepared = Vec::with_capacity(keys.len());
        for key in keys {
            contract.key_rule().map_or(Ok(()), |rule| rule.check_key(key.secret.expose()))?;
            let fits = |(rule, signature): (usize, &SignatureRule)| {
                let material = Material::to_sign(&signature.form, key.secret.expose())?;
                Some(PreparedKey { rule, key: key.clone(), material })
            };
            prepared.extend(contract.signatures.iter().enumerate().find_map(fits));
        }
        Ok(Self { keys: prepared })
    }

    /// Whether a key signs `now`.
    pub fn signs(&self, now: Timestamp) -> bool {
        self.keys.iter().any(|prepared| prepared.key.signs(now))
    }

    /// Gives out the signature headers: one value for each header, made by every key that signs
    /// now.
    pub(crate) fn sign(
        &self,
        contract: &Contract,
        signed: &Signed<'_>,
        now: Timestamp,
        mut header: impl FnMut(&HeaderName, String),
    ) {
        let mut open: Option<(&HeaderName, String)> = None;
        for prepared in self.keys.iter().filter(|prepared| prepared.key.signs(now)) {
            let rule = &contract.signatures[prepared.rule];
            match (&mut open, &rule.form.join) {
                (None, _) => open = Some((&rule.header, String::with_capacity(160))),
                (Some((_, value)), Some(join)) => value.push_str(join),
                (Some(_), None) => break,
            }
            if let Some((_, value)) = &mut open {
                prepared.write(rule, signed, value);
            }
        }
        if let Some((name, value)) = open {
            header(name, value);
        }
    }
}

impl PreparedKey {
    fn write(&self, rule: &SignatureRule, signed: &Signed<'_>, out: &mut String) {
        let parts = |content: &usize| &*rule.form.contents[*content].parts;
        for part in &rule.form.value {
            match part {
                ValuePart::Literal(text) => out.push_str(text),
                ValuePart::Timestamp => out.push_str(signed.seconds),
                ValuePart::Hex(content) => {
                    self.material.sign(parts(content), signed, |mac| {
                        const DIGITS: &[u8; 16] = b"0123456789abcdef";
                        let digits = |byte: &u8| {
                            [byte >> 4, byte & 15].map(|half| char::from(DIGITS[usize::from(half)]))
                        };
                        out.extend(mac.iter().flat_map(digits));
                    });
                }
                ValuePart::Base64(content) => {
                    let write = |mac: &[u8]| STANDARD.encode_string(mac, out);
                    self.material.sign(parts(content), signed, write);
                }
                // No contract names it.
                ValuePart::Secret | ValuePart::Enveloped(_) | ValuePart::Jwt => {}
            }
        }
    }
}
