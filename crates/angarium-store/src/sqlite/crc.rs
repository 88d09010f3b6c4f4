//! Checksums of rows: SQLite has none for the pages of a database, so a bit that flips on the disk
//! inside a value would be read as if it had been written.

use super::fault::Fault;
use rusqlite::types::ValueRef;

/// CRC-32 of values, each with its type and length, so that none can pass for another.
pub(super) fn of<'a>(values: impl IntoIterator<Item = ValueRef<'a>>) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    for value in values {
        match value {
            ValueRef::Null => crc.update(&[0]),
            ValueRef::Integer(number) => crc.update(&number.to_le_bytes()),
            ValueRef::Real(number) => crc.update(&number.to_le_bytes()),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                crc.update(&bytes.len().to_le_bytes());
                crc.update(bytes);
            }
        }
    }
    crc.finalize()
}

/// An integer, or none.
pub(super) fn integer(number: Option<i64>) -> ValueRef<'static> {
    number.map_or(ValueRef::Null, ValueRef::Integer)
}

/// A text, or none.
pub(super) fn text(text: Option<&str>) -> ValueRef<'_> {
    text.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()))
}

/// Compares what was written with what is read; rows from before there were checksums pass.
pub(super) fn check<'a>(
    place: &str,
    written: Option<u32>,
    values: impl IntoIterator<Item = ValueRef<'a>>,
) -> Result<(), Fault> {
    match written {
        Some(written) if written != of(values) => Err(Fault::damaged(place, "wrong checksum")),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_differ_in_one_bit_or_in_their_borders_differ_in_their_checksum() {
        let rows: [&[ValueRef<'_>]; 6] = [
            &[ValueRef::Text(b"ab"), ValueRef::Text(b"c")],
            &[ValueRef::Text(b"a"), ValueRef::Text(b"bc")],
            &[ValueRef::Text(b"ab"), ValueRef::Text(b"b")],
            &[ValueRef::Text(b"ab"), ValueRef::Null],
            &[ValueRef::Integer(4), ValueRef::Null],
            &[ValueRef::Integer(5), ValueRef::Null],
        ];
        let mut sums = rows.map(|row| of(row.iter().copied()));
        sums.sort_unstable();
        assert!(sums.windows(2).all(|two| two[0] != two[1]), "{sums:?}");
    }
}
