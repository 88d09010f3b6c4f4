//! How ids and API keys look under a contract.

use crate::declared::{Fault, Piece, split};
use crate::id::TypeId;
use crate::secret::SecretText;
use crate::signature::Encoding;
use std::fmt;

/// How a contract shows the id of an endpoint or a source. The underlying id is the same under
/// every contract, and a call finds the object by this form and by the TypeID (contracts.md, G3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdForm {
    before: Box<str>,
    digits: Digits,
    after: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    TypeId,
    Uuid,
    Base32,
    Hex,
}

const DIGITS: &[(&str, Digits)] = &[
    ("typeid", Digits::TypeId),
    ("uuid", Digits::Uuid),
    ("base32", Digits::Base32),
    ("hex", Digits::Hex),
];

impl Default for IdForm {
    fn default() -> Self {
        Self { before: "".into(), digits: Digits::TypeId, after: "".into() }
    }
}

impl IdForm {
    /// Reads `wh_{base32}`.
    pub(in crate::contract) fn parse_template(text: &str) -> Result<Self, Fault> {
        let one = || {
            let names = "an id is text around one of `{typeid}`, `{uuid}`, `{base32}`, `{hex}`";
            Fault::from(names).cured_by("write it like \"wh_{base32}\"")
        };
        let mut form = Self::default();
        let mut named = false;
        for piece in split(text)? {
            match piece {
                Piece::Literal(text)
                    if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'/') =>
                {
                    let fault = Fault::from(format!("{text:?} cannot stand in a path"));
                    return Err(fault.cured_by("write visible ASCII without a slash"));
                }
                Piece::Literal(text) if named => form.after = text.into(),
                Piece::Literal(text) => form.before = text.into(),
                Piece::Name(name) if !named => {
                    form.digits = crate::declared::known(DIGITS, name)?;
                    named = true;
                }
                Piece::Name(_) => return Err(one()),
            }
        }
        if named { Ok(form) } else { Err(one()) }
    }

    /// The id in this form.
    pub fn show<I: TypeId>(&self, id: I) -> String {
        let type_id = id.to_string();
        let digits = match self.digits {
            Digits::Base32 => type_id.trim_start_matches(I::PREFIX).to_owned(),
            Digits::TypeId => type_id,
            Digits::Hex => hex::encode(id.to_bytes()),
            Digits::Uuid => {
                let hex = hex::encode(id.to_bytes());
                let cut = |from, to| hex.get(from..to).unwrap_or_default();
                [cut(0, 8), cut(8, 12), cut(12, 16), cut(16, 20), cut(20, 32)].join("-")
            }
        };
        format!("{}{digits}{}", self.before, self.after)
    }

    /// The id that is shown as this text, in this form or as a TypeID.
    pub fn parse<I: TypeId>(&self, text: &str) -> Option<I> {
        let own = || {
            let digits = text.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
            let from_hex = |hex: &str| {
                let bytes = hex::decode(hex).ok()?;
                Some(I::from_bytes(bytes.try_into().ok()?))
            };
            let id = match self.digits {
                Digits::TypeId => digits.parse().ok()?,
                Digits::Base32 => format!("{}{digits}", I::PREFIX).parse().ok()?,
                Digits::Hex => from_hex(digits)?,
                Digits::Uuid => from_hex(&digits.replace('-', ""))?,
            };
            // One id has one text: other spellings of the same digits name nothing.
            (self.show(id) == text).then_some(id)
        };
        own().or_else(|| text.parse().ok())
    }
}

/// As in the file: `wh_{base32}`.
impl fmt::Display for IdForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = DIGITS.iter().find(|(_, digits)| *digits == self.digits);
        let name = name.map_or("", |(name, _)| name);
        write!(f, "{}{{{name}}}{}", self.before, self.after)
    }
}

/// What a platform's API keys look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyForm {
    /// What the text begins with.
    pub prefix: Box<str>,
    pub(in crate::contract) encoding: Encoding,
    pub(in crate::contract) bytes: usize,
}

impl ApiKeyForm {
    /// Makes a new key's text from random bytes.
    pub fn make(&self, random: &[u8; 64]) -> SecretText {
        let text = self.encoding.encode(&random[..self.bytes]);
        SecretText::new(format!("{}{}", self.prefix, *text))
    }
}
