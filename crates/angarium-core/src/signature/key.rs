//! The forms that a key's text may have, and which of its bytes sign.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ops::RangeInclusive;
use zeroize::Zeroizing;

/// The bytes of a key that sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyUse {
    /// The text as a whole, prefix and all.
    Text,
    /// The bytes that the text after the prefix encodes.
    Bytes,
    /// The bytes between the lines of a PEM block (RFC 7468).
    Pem,
    /// The point of a public key that is a JWK, or one of a JWK set (RFC 7517).
    Jwk,
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
    pub(crate) fn encode(self, bytes: &[u8]) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Encoding::Hex => hex::encode(bytes),
            Encoding::Base64 => STANDARD.encode(bytes),
        })
    }

    /// What a text says, if it is written so.
    pub(crate) fn decode(self, text: &str) -> Option<Zeroizing<Vec<u8>>> {
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
    pub(crate) bytes: usize,
    /// Bytes of an imported one.
    pub(crate) accepts: RangeInclusive<usize>,
    /// Characters of an imported one whose text signs.
    pub(crate) chars: RangeInclusive<usize>,
}

impl KeyForm {
    /// The bytes that sign or verify, if the key has this form.
    pub(crate) fn material(&self, secret: &str) -> Option<Zeroizing<Vec<u8>>> {
        match self.usage {
            KeyUse::Text => {
                let visible = secret.bytes().all(|byte| (b' '..=b'~').contains(&byte));
                (visible && self.chars.contains(&secret.len()))
                    .then(|| Zeroizing::new(secret.as_bytes().to_vec()))
            }
            KeyUse::Bytes => {
                let bytes = self.encoding.decode(secret.strip_prefix(&*self.prefix)?)?;
                self.accepts.contains(&bytes.len()).then_some(bytes)
            }
            KeyUse::Pem => {
                // The lines of the block may stand on one.
                let text = match *secret.split("-----").collect::<Vec<_>>() {
                    [text] | [_, _, text, ..] => text,
                    [] | [_, _] => return None,
                };
                let text: String = text.split_whitespace().collect();
                let bytes = Encoding::Base64.decode(&text)?;
                self.accepts.contains(&bytes.len()).then_some(bytes)
            }
            // There may be several: `jwk::read`.
            KeyUse::Jwk => None,
        }
    }

    /// What a key of this form looks like, for people.
    pub(crate) fn describe(&self) -> String {
        match self.usage {
            KeyUse::Text => {
                let (least, most) = (self.chars.start(), self.chars.end());
                format!("{least} to {most} visible ASCII characters")
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
                let prefix = match &*self.prefix {
                    "" => String::new(),
                    prefix => format!("`{prefix}` and "),
                };
                format!("{prefix}the {encoding} of {length} bytes")
            }
            KeyUse::Pem => "a public key in PEM form".to_owned(),
            KeyUse::Jwk => "a public key as a JWK, or a JWK set".to_owned(),
        }
    }
}
