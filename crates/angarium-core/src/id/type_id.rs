//! TypeIDs: a prefix and 128 bits in base 32.

use super::UnknownId;
use crate::time::Timestamp;
use std::fmt;

pub(super) fn uuid_v7(now: Timestamp, random: [u8; 10]) -> u128 {
    let mut bytes = [0u8; 16];
    bytes[..6].copy_from_slice(&now.as_millis().cast_unsigned().to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&random);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    u128::from_be_bytes(bytes)
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of 128 bits in base 32: 25 × 5 bits and 3 bits in the first.
const SUFFIX_LEN: usize = 26;

pub(super) fn write_type_id(f: &mut fmt::Formatter<'_>, prefix: &str, bits: u128) -> fmt::Result {
    let mut suffix = [0u8; SUFFIX_LEN];
    for (place, character) in suffix.iter_mut().rev().enumerate() {
        *character = ALPHABET[usize::try_from((bits >> (5 * place)) & 31).unwrap_or_default()];
    }
    write!(f, "{prefix}_{}", std::str::from_utf8(&suffix).unwrap_or_default())
}

pub(super) fn parse_type_id(prefix: &str, text: &str) -> Result<u128, UnknownId> {
    let suffix =
        text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or(UnknownId)?;
    if suffix.len() != SUFFIX_LEN || suffix.as_bytes()[0] > b'7' {
        return Err(UnknownId);
    }
    suffix.bytes().try_fold(0u128, |bits, character| {
        let digit = ALPHABET.iter().position(|c| *c == character).ok_or(UnknownId)?;
        Ok((bits << 5) | digit as u128)
    })
}
