//! Signatures as a contract describes them: what is signed, and how the header says it.

use super::fault::Fault;
use super::key::KeyForm;
use super::template::{Piece, not_visible, split, unknown_placeholder};
use http::HeaderName;

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

    fn parse(name: &str) -> Result<Self, Fault> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, part)| part.clone()).ok_or_else(|| {
            let known: Vec<_> = Self::NAMES.iter().map(|(known, _)| *known).collect();
            unknown_placeholder(name, &known)
        })
    }
}

/// A content to sign, with the name by which the header's value refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) name: Box<str>,
    pub(crate) parts: Box<[ContentPart]>,
    pub(crate) written: Box<str>,
}

impl Content {
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, Fault> {
        let part = |piece| match piece {
            Piece::Literal(text) => Ok(ContentPart::Literal(text.into())),
            Piece::Name(name) => ContentPart::parse(name),
        };
        Ok(Self {
            name: name.into(),
            parts: split(text)?.into_iter().map(part).collect::<Result<_, _>>()?,
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
    pub(super) fn parse_all(text: &str, contents: &[Content]) -> Result<Box<[Self]>, Fault> {
        let part = |piece| match piece {
            Piece::Literal(text) if text.bytes().all(|b| (b' '..=b'~').contains(&b)) => {
                Ok(ValuePart::Literal(text.into()))
            }
            Piece::Literal(text) => Err(not_visible(&text)),
            Piece::Name("timestamp") => Ok(ValuePart::Timestamp),
            Piece::Name(name) => {
                let (encoding, content) = name.split_once('.').unwrap_or((name, ""));
                let number = contents.iter().position(|c| *c.name == *content);
                match (encoding, number) {
                    ("hex", Some(number)) => Ok(ValuePart::Hex(number)),
                    ("base64", Some(number)) => Ok(ValuePart::Base64(number)),
                    _ => Err(Self::unknown(name, contents)),
                }
            }
        };
        split(text)?.into_iter().map(part).collect()
    }

    fn unknown(name: &str, contents: &[Content]) -> Fault {
        let mut known = vec!["timestamp".to_owned()];
        for content in contents {
            let end = if content.name.is_empty() { "" } else { "." };
            known.extend(
                ["hex", "base64"].map(|encoding| format!("{encoding}{end}{}", content.name)),
            );
        }
        unknown_placeholder(name, &known.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// Finds a name in a table.
pub(super) fn known<T: Clone>(table: &[(&str, T)], name: &str) -> Result<T, Fault> {
    let found = table.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.clone()).ok_or_else(|| {
        let names: Vec<_> = table.iter().map(|(known, _)| *known).collect();
        let instead = match names.len() {
            ..=3 => format!("write \"{}\"", names.join("\" or \"")),
            _ => "write one of them".to_owned(),
        };
        let fault = Fault::from(format!("{name:?} is none of {}", super::source::quoted(&names)));
        fault.meant(name, names, instead)
    })
}

/// A signature as the contract describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignatureRule {
    pub(crate) header: HeaderName,
    /// The header as the file writes it.
    pub(crate) written_header: Box<str>,
    pub(crate) algorithm: Algorithm,
    pub(crate) contents: Vec<Content>,
    pub(crate) value: Box<[ValuePart]>,
    /// What stands between the values of several keys; without it only the current key signs.
    pub(crate) join: Option<Box<str>>,
    pub(crate) key: KeyForm,
}
