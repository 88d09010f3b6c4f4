//! How values stand in their columns: varints, fan-outs, attributes, numbers of enums.

use super::fault::Fault;
use angarium_core::delivery::{DeliveryState, EndReason};
use angarium_core::event::DataKind;
use angarium_core::id::{EndpointNo, ShardId, TenantNo};
use angarium_core::outcome::Class;
use angarium_core::time::Timestamp;
use rusqlite::Row;
use std::time::Duration;

/// Name and value.
type Attribute = (Box<str>, Box<str>);

/// A fan-out as it is stored: endpoint and sequence by turns.
pub(super) fn fanout_bytes(pairs: impl Iterator<Item = (EndpointNo, u64)>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8);
    for (endpoint, sequence) in pairs {
        put_varint(&mut bytes, endpoint.get().cast_unsigned());
        put_varint(&mut bytes, sequence);
    }
    bytes
}

/// Reads a fan-out back.
pub(super) fn fanout(mut bytes: &[u8]) -> Result<Vec<(EndpointNo, u64)>, Fault> {
    let mut pairs = Vec::with_capacity(bytes.len() / 2);
    while !bytes.is_empty() {
        let endpoint = EndpointNo::new(take_varint(&mut bytes)?.cast_signed());
        pairs.push((endpoint, take_varint(&mut bytes)?));
    }
    Ok(pairs)
}

/// Attributes as they are stored; nothing where there are none.
pub(super) fn attribute_bytes(attributes: &[Attribute]) -> Option<Vec<u8>> {
    if attributes.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    for text in attributes.iter().flat_map(|(name, value)| [name, value]) {
        put_varint(&mut bytes, text.len() as u64);
        bytes.extend_from_slice(text.as_bytes());
    }
    Some(bytes)
}

/// Reads attributes back.
pub(super) fn attributes(bytes: Option<&[u8]>) -> Result<Vec<Attribute>, Fault> {
    let mut rest = bytes.unwrap_or_default();
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        pairs.push((take_text(&mut rest)?, take_text(&mut rest)?));
    }
    Ok(pairs)
}

fn take_text(bytes: &mut &[u8]) -> Result<Box<str>, Fault> {
    let length = take_varint(bytes)?;
    let (text, rest) = usize::try_from(length)
        .ok()
        .and_then(|length| bytes.split_at_checked(length))
        .ok_or_else(|| Fault::damaged("event.attributes", "cut short"))?;
    *bytes = rest;
    let text = std::str::from_utf8(text).map_err(|e| Fault::damaged("event.attributes", e))?;
    Ok(text.into())
}

/// Seven bits a byte, the lowest first; the high bit says that more follow.
fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Result<u64, Fault> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) =
            bytes.split_first().ok_or_else(|| Fault::damaged("event", "a number is cut short"))?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Fault::damaged("event", "a number is too long"))
}

/// A count or a sequence number, as SQLite keeps it.
pub(super) const fn stored(number: u64) -> i64 {
    number.cast_signed()
}

/// A span, in microseconds.
pub(super) fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// The number of what the data of an event is.
pub(super) const fn data_kind_number(kind: DataKind) -> i64 {
    match kind {
        DataKind::Json => 1,
        DataKind::Text => 2,
        DataKind::Binary => 3,
    }
}

/// Typed reading of columns, so that a damaged value is an error that names its column.
pub(super) trait Columns {
    /// A count or a sequence number.
    fn count(&self, at: usize) -> Result<u64, Fault>;
    /// A number of attempts or a status.
    fn small(&self, at: usize) -> Result<Option<u16>, Fault>;
    /// A point in time.
    fn time(&self, at: usize) -> Result<Option<Timestamp>, Fault>;
    /// A span.
    fn span(&self, at: usize) -> Result<Duration, Fault>;
    /// A state.
    fn state(&self, at: usize) -> Result<DeliveryState, Fault>;
    /// A reason.
    fn reason(&self, at: usize) -> Result<Option<EndReason>, Fault>;
    /// A class.
    fn class(&self, at: usize) -> Result<Option<Class>, Fault>;
    /// What the data is.
    fn data_kind(&self, at: usize) -> Result<DataKind, Fault>;
    /// A shard.
    fn shard(&self, at: usize) -> Result<ShardId, Fault>;
    /// A tenant.
    fn tenant(&self, at: usize) -> Result<TenantNo, Fault>;
}

impl Columns for Row<'_> {
    fn count(&self, at: usize) -> Result<u64, Fault> {
        Ok(self.get::<_, i64>(at)?.cast_unsigned())
    }

    fn small(&self, at: usize) -> Result<Option<u16>, Fault> {
        Ok(self.get(at)?)
    }

    fn time(&self, at: usize) -> Result<Option<Timestamp>, Fault> {
        Ok(self.get::<_, Option<i64>>(at)?.map(Timestamp::from_millis))
    }

    fn span(&self, at: usize) -> Result<Duration, Fault> {
        let micros = self.get::<_, Option<i64>>(at)?.unwrap_or_default();
        Ok(Duration::from_micros(micros.unsigned_abs()))
    }

    fn state(&self, at: usize) -> Result<DeliveryState, Fault> {
        let number = self.get::<_, u8>(at)?;
        DeliveryState::from_number(number).ok_or_else(|| Fault::damaged("delivery.state", number))
    }

    fn reason(&self, at: usize) -> Result<Option<EndReason>, Fault> {
        let read = |number: u8| {
            EndReason::from_number(number).ok_or_else(|| Fault::damaged("delivery.reason", number))
        };
        self.get::<_, Option<u8>>(at)?.map(read).transpose()
    }

    fn class(&self, at: usize) -> Result<Option<Class>, Fault> {
        let read = |number: u8| {
            Class::from_number(number).ok_or_else(|| Fault::damaged("delivery.class", number))
        };
        self.get::<_, Option<u8>>(at)?.map(read).transpose()
    }

    fn data_kind(&self, at: usize) -> Result<DataKind, Fault> {
        match self.get::<_, i64>(at)? {
            1 => Ok(DataKind::Json),
            2 => Ok(DataKind::Text),
            3 => Ok(DataKind::Binary),
            other => Err(Fault::damaged("event.data_kind", other)),
        }
    }

    fn shard(&self, at: usize) -> Result<ShardId, Fault> {
        Ok(ShardId::new(self.get(at)?))
    }

    fn tenant(&self, at: usize) -> Result<TenantNo, Fault> {
        Ok(TenantNo::new(self.get(at)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fanout_and_attributes_read_back() {
        let pairs: Vec<_> = [(1, 0), (127, 128), (1 << 43, u64::MAX)]
            .map(|(no, sequence)| (EndpointNo::new(no), sequence))
            .into();
        assert_eq!(fanout(&fanout_bytes(pairs.iter().copied())).ok(), Some(pairs));
        let named: Vec<Attribute> = vec![("a".into(), "".into()), ("ä".into(), "b".into())];
        assert_eq!(attributes(attribute_bytes(&named).as_deref()).ok(), Some(named));
        assert_eq!(attribute_bytes(&[]), None);
    }

    #[test]
    fn bytes_that_are_cut_short_are_damage_and_no_panic() {
        for bad in [&[0x80][..], &[1], &[0xff; 11]] {
            assert!(fanout(bad).is_err(), "{bad:?}");
        }
        for bad in [&[5, b'a'][..], &[1, 0xff, 0], &[0xff; 11]] {
            assert!(attributes(Some(bad)).is_err(), "{bad:?}");
        }
    }
}
