//! How the signature's place is written: the signatures, and what stands around them.

use super::content::{Content, Direction, checked_pointer};
use crate::declared::{Fault, Piece, not_visible, split, unknown_placeholder};

/// A part of the header's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValuePart {
    Literal(Box<str>),
    Timestamp,
    /// The signature of the content with this number, in hex.
    Hex(usize),
    /// The signature of the content with this number, in base64.
    Base64(usize),
    /// Base64 of JSON that has the signature in base64 at this pointer (eBay).
    Enveloped(Box<str>),
    /// A JWT in its compact form (RFC 7519), which is signed itself.
    Jwt,
    /// The secret as it is.
    Secret,
}

impl ValuePart {
    pub(crate) fn parse_all(
        text: &str,
        contents: &[Content],
        direction: Direction,
    ) -> Result<Box<[Self]>, Fault> {
        let part = |piece| match piece {
            Piece::Literal(text) if text.bytes().all(|b| (b' '..=b'~').contains(&b)) => {
                Ok(ValuePart::Literal(text.into()))
            }
            Piece::Literal(text) => Err(not_visible(&text)),
            Piece::Name("timestamp") => Ok(ValuePart::Timestamp),
            Piece::Name("secret") if direction == Direction::Received => Ok(ValuePart::Secret),
            Piece::Name("jwt") if direction == Direction::Received => Ok(ValuePart::Jwt),
            Piece::Name(name) => {
                if let (Some(pointer), Direction::Received) =
                    (name.strip_prefix("base64.json:"), direction)
                {
                    return Ok(ValuePart::Enveloped(checked_pointer(pointer)?));
                }
                let (encoding, content) = name.split_once('.').unwrap_or((name, ""));
                let number = contents.iter().position(|c| *c.name == *content);
                match (encoding, number) {
                    ("hex", Some(number)) => Ok(ValuePart::Hex(number)),
                    ("base64", Some(number)) => Ok(ValuePart::Base64(number)),
                    _ => Err(Self::unknown(name, contents, direction)),
                }
            }
        };
        split(text)?.into_iter().map(part).collect()
    }

    fn unknown(name: &str, contents: &[Content], direction: Direction) -> Fault {
        let mut known = vec!["timestamp".to_owned()];
        if direction == Direction::Received {
            known.extend(["secret", "jwt", "base64.json:/POINTER"].map(str::to_owned));
        }
        for content in contents {
            let end = if content.name.is_empty() { "" } else { "." };
            known.extend(
                ["hex", "base64"].map(|encoding| format!("{encoding}{end}{}", content.name)),
            );
        }
        unknown_placeholder(name, &known.iter().map(String::as_str).collect::<Vec<_>>())
    }
}
