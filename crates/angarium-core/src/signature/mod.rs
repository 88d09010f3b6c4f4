//! Signatures, described once for both directions.
//!
//! A signature is a [`SignatureForm`]: what is signed, how, with which key, and how the text that
//! carries it is written. A contract signs what it sends by one, a scheme verifies what arrives by
//! one.

mod algorithm;
mod content;
pub(crate) mod jwk;
mod key;
mod material;
mod reading;
mod value;

pub(crate) use algorithm::Algorithm;
pub(crate) use content::{Content, ContentPart, Direction, LineOf, Message, Need};
pub(crate) use key::{Encoding, KeyForm, KeyUse};
pub(crate) use material::Material;
pub(crate) use reading::{Candidate, PatternPart, Value, take_apart};
pub(crate) use value::ValuePart;

/// A signature but for where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignatureForm {
    pub(crate) algorithm: Algorithm,
    pub(crate) contents: Vec<Content>,
    pub(crate) value: Box<[ValuePart]>,
    /// What stands between the values of several keys; without it only the current key signs.
    pub(crate) join: Option<Box<str>>,
    pub(crate) key: KeyForm,
}

impl SignatureForm {
    /// Whether the signature is a JWT.
    pub(crate) fn is_jwt(&self) -> bool {
        self.value.contains(&ValuePart::Jwt)
    }
}
