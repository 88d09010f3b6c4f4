//! The form of a value as a regular expression, for languages that find the signature by one.

use super::algorithm::Algorithm;
use crate::signature::{Encoding, PatternPart};

/// Characters of an encoded signature.
pub(super) fn encoded_length(algorithm: Algorithm, encoding: Encoding) -> usize {
    let bytes = match algorithm {
        Algorithm::HmacSha256 => 32,
        Algorithm::HmacSha512 | Algorithm::Ed25519 => 64,
    };
    match encoding {
        Encoding::Hex => bytes * 2,
        Encoding::Base64 => bytes.div_ceil(3) * 4,
    }
}

/// A pattern as a regular expression that every language reads alike, without anchors. Its groups
/// are the timestamp, where there is one, and the signature.
pub(super) fn regex(parts: &[PatternPart], algorithm: Algorithm, encoding: Encoding) -> String {
    let one = |encoding: Encoding| {
        let length = encoded_length(algorithm, encoding);
        match encoding {
            Encoding::Hex => format!("[0-9a-f]{{{length}}}"),
            Encoding::Base64 => format!("[A-Za-z0-9+/=]{{{length}}}"),
        }
    };
    let piece = |part: &PatternPart| match part {
        PatternPart::Literal(text) => escape(text),
        PatternPart::Timestamp => "([0-9]+)".to_owned(),
        PatternPart::Signature => format!("({})", one(encoding)),
        PatternPart::Other(encoding) => one(*encoding),
    };
    parts.iter().map(piece).collect()
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
