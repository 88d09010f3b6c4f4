//! Signatures: what is signed, with which key, and how the header says it.

use super::key::KeyForm;
use super::template::{Piece, split};
use super::{Contract, KeyRule};
use crate::refusal::Refusal;
use crate::secret::SigningKey;
use crate::time::Timestamp;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use std::fmt;

/// How a signature is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-512.
    HmacSha512,
    /// Ed25519; the key is its seed.
    Ed25519,
}

impl Algorithm {
    pub(super) const NAMES: &[(&str, Algorithm)] = &[
        ("hmac-sha256", Algorithm::HmacSha256),
        ("hmac-sha512", Algorithm::HmacSha512),
        ("ed25519", Algorithm::Ed25519),
    ];
}

/// A part of the signed content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ContentPart {
    Literal(Box<str>),
    /// The body as sent.
    Body,
    /// The query string as sent.
    Query,
    /// What carries the event: the body of a POST, the query string of a GET.
    Payload,
    /// The event's id.
    Id,
    /// The attempt's unix seconds.
    Timestamp,
    /// The HTTP method.
    Method,
}

impl ContentPart {
    const NAMES: &[(&str, ContentPart)] = &[
        ("body", ContentPart::Body),
        ("query", ContentPart::Query),
        ("payload", ContentPart::Payload),
        ("id", ContentPart::Id),
        ("timestamp", ContentPart::Timestamp),
        ("method", ContentPart::Method),
    ];
}

/// A content to sign, with the name by which the header's value refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(super) name: Box<str>,
    pub(super) parts: Box<[ContentPart]>,
    pub(super) written: Box<str>,
}

impl Content {
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let part = |piece| match piece {
            Piece::Literal(text) => Ok(ContentPart::Literal(text.into())),
            Piece::Name(name) => known(ContentPart::NAMES, name),
        };
        Ok(Self {
            name: name.into(),
            parts: split(text)?
                .into_iter()
                .map(part)
                .collect::<Result<_, _>>()?,
            written: text.into(),
        })
    }
}

/// A part of the header's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValuePart {
    Literal(Box<str>),
    Timestamp,
    /// The signature of the content with this number, in hex.
    Hex(usize),
    /// The signature of the content with this number, in base64.
    Base64(usize),
}

impl ValuePart {
    pub(super) fn parse_all(text: &str, contents: &[Content]) -> Result<Box<[Self]>, String> {
        let part = |piece| match piece {
            Piece::Literal(text) if text.bytes().all(|b| (b' '..=b'~').contains(&b)) => {
                Ok(ValuePart::Literal(text.into()))
            }
            Piece::Literal(text) => Err(format!("{text:?} is not visible ASCII")),
            Piece::Name("timestamp") => Ok(ValuePart::Timestamp),
            Piece::Name(name) => {
                let (encoding, content) = name.split_once('.').unwrap_or((name, ""));
                let number = contents.iter().position(|c| *c.name == *content);
                match (encoding, number) {
                    ("hex", Some(number)) => Ok(ValuePart::Hex(number)),
                    ("base64", Some(number)) => Ok(ValuePart::Base64(number)),
                    _ => Err(format!(
                        "unknown placeholder `{{{name}}}`; there are `timestamp`, and `hex` and \
                         `base64`, followed by a dot and a content's name where there are several"
                    )),
                }
            }
        };
        split(text)?.into_iter().map(part).collect()
    }
}

/// Finds a name in a table.
pub(super) fn known<T: Clone>(table: &[(&str, T)], name: &str) -> Result<T, String> {
    let found = table.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.clone()).ok_or_else(|| {
        let names: Vec<_> = table.iter().map(|(known, _)| *known).collect();
        format!("{name:?} is none of {}", super::source::quoted(&names))
    })
}

/// A signature as the contract describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignatureRule {
    pub(super) header: HeaderName,
    pub(super) algorithm: Algorithm,
    pub(super) contents: Vec<Content>,
    pub(super) value: Box<[ValuePart]>,
    /// What stands between the values of several keys; without it only the current key signs.
    pub(super) join: Option<Box<str>>,
    pub(super) key: KeyForm,
}

/// What is signed: a request as it is about to be sent.
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a http::Method,
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) id: &'a str,
    pub(crate) seconds: &'a str,
}

impl ContentPart {
    fn bytes<'a>(&'a self, signed: &Signed<'a>) -> &'a [u8] {
        match self {
            ContentPart::Literal(text) => text.as_bytes(),
            ContentPart::Body => signed.body,
            ContentPart::Query => signed.query.as_bytes(),
            ContentPart::Payload if *signed.method == http::Method::GET => signed.query.as_bytes(),
            ContentPart::Payload => signed.body,
            ContentPart::Id => signed.id.as_bytes(),
            ContentPart::Timestamp => signed.seconds.as_bytes(),
            ContentPart::Method => signed.method.as_str().as_bytes(),
        }
    }
}

enum Material {
    Hmac(hmac::Key),
    Ed25519(Ed25519KeyPair),
}

impl Material {
    fn prepare(rule: &SignatureRule, secret: &str) -> Option<Self> {
        let bytes = rule.key.material(secret)?;
        Some(match rule.algorithm {
            Algorithm::HmacSha256 => Material::Hmac(hmac::Key::new(hmac::HMAC_SHA256, &bytes)),
            Algorithm::HmacSha512 => Material::Hmac(hmac::Key::new(hmac::HMAC_SHA512, &bytes)),
            Algorithm::Ed25519 => {
                Material::Ed25519(Ed25519KeyPair::from_seed_unchecked(&bytes).ok()?)
            }
        })
    }

    /// Signs the parts as one message and hands the signature on.
    fn sign(&self, parts: &[ContentPart], signed: &Signed<'_>, write: impl FnOnce(&[u8])) {
        match self {
            Material::Hmac(key) => {
                let mut context = hmac::Context::with_key(key);
                for part in parts {
                    context.update(part.bytes(signed));
                }
                write(context.sign().as_ref());
            }
            Material::Ed25519(pair) => {
                let message: Vec<_> = parts
                    .iter()
                    .flat_map(|p| p.bytes(signed))
                    .copied()
                    .collect();
                write(pair.sign(&message).as_ref());
            }
        }
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
            contract
                .key_rule()
                .map_or(Ok(()), |rule: &KeyRule| rule.check_key(key.secret.expose()))?;
            let fits = |(rule, signature): (usize, &SignatureRule)| {
                let material = Material::prepare(signature, key.secret.expose())?;
                Some(PreparedKey {
                    rule,
                    key: key.clone(),
                    material,
                })
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
            match (&mut open, &rule.join) {
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
        let parts = |content: &usize| &*rule.contents[*content].parts;
        for part in &rule.value {
            match part {
                ValuePart::Literal(text) => out.push_str(text),
                ValuePart::Timestamp => out.push_str(signed.seconds),
                ValuePart::Hex(content) => self.material.sign(parts(content), signed, |mac| {
                    const DIGITS: &[u8; 16] = b"0123456789abcdef";
                    let digits = |byte: &u8| {
                        [byte >> 4, byte & 15].map(|half| char::from(DIGITS[usize::from(half)]))
                    };
                    out.extend(mac.iter().flat_map(digits));
                }),
                ValuePart::Base64(content) => self.material.sign(parts(content), signed, |mac| {
                    STANDARD.encode_string(mac, out)
                }),
            }
        }
    }
}
