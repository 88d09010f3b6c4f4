//! Identities: a type for each, so that two ids cannot be swapped.
//!
//! Inside, things have small numbers that the store gives out; outside, they have TypeIDs: a prefix
//! and 128 bits in Crockford's base 32. Ids of events and deliveries *encode* their keys, so that
//! they need no index (design.md section 2, rules 1 to 3 and 7).

mod type_id;

use crate::time::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use type_id::{parse_type_id, uuid_v7, write_type_id};

/// Bits of an [`EventKey`] below the milliseconds: room for a million events in one millisecond.
const SEQUENCE_BITS: u32 = 20;

/// The key of an event: milliseconds since the epoch, shifted left by 20, and a sequence number.
///
/// The store gives it out at the commit as `max(clock, last + 1)`, so keys rise in commit order
/// even when the clock goes back.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct EventKey(i64);

impl EventKey {
    /// Below every key that is given out.
    pub const ZERO: EventKey = EventKey(0);

    /// From the stored integer.
    pub const fn new(key: i64) -> Self {
        Self(key)
    }

    /// The stored integer.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The key for the next event, after `self` was the last one.
    #[must_use]
    pub fn next(self, now: Timestamp) -> Self {
        Self((now.as_millis() << SEQUENCE_BITS).max(self.0 + 1))
    }

    /// The first key of a millisecond, for ranges of time.
    pub fn first_at(time: Timestamp) -> Self {
        Self(time.as_millis().saturating_mul(1 << SEQUENCE_BITS))
    }

    /// The millisecond in the key: when the event was committed, or a little later if many were.
    pub const fn time(self) -> Timestamp {
        Timestamp::from_millis(self.0 >> SEQUENCE_BITS)
    }
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[derive(Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name($inner);

        impl $name {
            /// From the stored number.
            pub const fn new(number: $inner) -> Self { Self(number) }
            /// The stored number.
            pub const fn get(self) -> $inner { self.0 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}

numbers! {
    /// The store's number of an environment.
    EnvironmentNo(i64);
    /// The store's number of a tenant, over all environments.
    TenantNo(i64);
    /// The store's number of an endpoint, never given out twice (rule 2). Below 2^44.
    EndpointNo(i64);
    /// A fixed slice of tenants, owned by one node at a time.
    ShardId(u16);
    /// Which ownership of a shard this is; a commit with an older one is refused.
    Epoch(i64);
    /// 0 for the delivery that the event's fan-out implies, higher for redeliveries (rule 3).
    /// Below 2^20.
    Generation(u32);
}

impl ShardId {
    /// Shards of a store, fixed when it is created (design.md section 2).
    pub const COUNT: u16 = 64;

    /// The shard that a tenant lives in.
    pub fn of(tenant: TenantNo) -> Self {
        let shard = tenant.get().rem_euclid(i64::from(Self::COUNT));
        Self(u16::try_from(shard).unwrap_or_default())
    }

    /// Every shard.
    pub fn all() -> impl Iterator<Item = ShardId> {
        (0..Self::COUNT).map(ShardId)
    }
}

/// The key of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryKey {
    /// The event that is delivered.
    pub event: EventKey,
    /// Where it is delivered to.
    pub endpoint: EndpointNo,
    /// Which delivery of that pair.
    pub generation: Generation,
}

impl DeliveryKey {
    /// The delivery that an event's fan-out implies.
    pub const fn first(event: EventKey, endpoint: EndpointNo) -> Self {
        Self { event, endpoint, generation: Generation::new(0) }
    }
}

const GENERATION_BITS: u32 = 20;
const ENDPOINT_BITS: u32 = 44;

/// `dlv_…`: the three parts of the key in 128 bits, so that a delivery without a row has an id
/// (rule 3).
impl fmt::Display for DeliveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = (u128::from(self.event.0.cast_unsigned()) << (ENDPOINT_BITS + GENERATION_BITS))
            | (u128::from(self.endpoint.0.cast_unsigned()) << GENERATION_BITS)
            | u128::from(self.generation.0);
        write_type_id(f, "dlv", bits)
    }
}

impl FromStr for DeliveryKey {
    type Err = UnknownId;

    fn from_str(text: &str) -> Result<Self, UnknownId> {
        let bits = parse_type_id("dlv", text)?;
        let part = |shift: u32, width: u32| (bits >> shift) & ((1 << width) - 1);
        let number = |bits: u128| i64::try_from(bits).map_err(|_| UnknownId);
        Ok(Self {
            event: EventKey(number(bits >> (ENDPOINT_BITS + GENERATION_BITS))?),
            endpoint: EndpointNo(number(part(GENERATION_BITS, ENDPOINT_BITS))?),
            generation: Generation(u32::try_from(part(0, GENERATION_BITS)).map_err(|_| UnknownId)?),
        })
    }
}

/// The public id of an event: the publisher's own, or ours, which encodes the key (rule 7,
/// contracts.md G2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EventId {
    /// As the publisher gave it.
    Own(Box<str>),
    /// `evt_…`, made from the key.
    Made(EventKey),
}

impl EventId {
    /// Reads an id from outside: ours if it has our prefix, else a publisher's.
    ///
    /// # Errors
    /// [`UnknownId`] when it starts with `evt_` and is none of ours.
    pub fn parse(text: &str) -> Result<Self, UnknownId> {
        if !text.starts_with("evt_") {
            return Ok(EventId::Own(text.into()));
        }
        let bits = parse_type_id("evt", text)?;
        let high = i64::try_from(bits >> 64).map_err(|_| UnknownId)?;
        if bits & u128::from(u64::MAX) != 0 {
            return Err(UnknownId);
        }
        Ok(EventId::Made(EventKey(high)))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventId::Own(text) => f.write_str(text),
            EventId::Made(key) => write_type_id(f, "evt", u128::from(key.0.cast_unsigned()) << 64),
        }
    }
}

/// An id that is shown as a TypeID: a prefix, and 128 bits.
pub trait TypeId: Copy + fmt::Display + FromStr<Err = UnknownId> {
    /// What stands before the digits, with the line between.
    const PREFIX: &str;
    /// From the stored bytes.
    fn from_bytes(bytes: [u8; 16]) -> Self;
    /// The stored bytes.
    fn to_bytes(self) -> [u8; 16];
}

macro_rules! type_ids {
    ($($(#[$doc:meta])* $name:ident, $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// Time-ordered as UUID version 7: milliseconds first, then 74 of the random bits.
            pub fn from_parts(now: Timestamp, random: [u8; 10]) -> Self {
                Self(uuid_v7(now, random))
            }
            /// From the stored bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self { Self(u128::from_be_bytes(bytes)) }
            /// The stored bytes.
            pub const fn to_bytes(self) -> [u8; 16] { self.0.to_be_bytes() }
        }

        impl TypeId for $name {
            const PREFIX: &str = concat!($prefix, "_");
            fn from_bytes(bytes: [u8; 16]) -> Self { Self::from_bytes(bytes) }
            fn to_bytes(self) -> [u8; 16] { self.to_bytes() }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_type_id(f, $prefix, self.0)
            }
        }

        impl FromStr for $name {
            type Err = UnknownId;
            fn from_str(text: &str) -> Result<Self, UnknownId> {
                parse_type_id($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

type_ids! {
    /// `ep_…`, an endpoint.
    EndpointId, "ep";
    /// `key_…`, an API key.
    ApiKeyId, "key";
    /// `sk_…`, a signing key of a tenant or an endpoint.
    SigningKeyId, "sk";
    /// `job_…`, work in bulk.
    JobId, "job";
    /// `src_…`, a source.
    SourceId, "src";
    /// `ers_…`, an erasure.
    ErasureId, "ers";
}

/// An id that cannot be one of ours; to its caller it is simply not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct UnknownId;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_rise_even_when_the_clock_goes_back() {
        let first = EventKey::ZERO.next(Timestamp::from_millis(5_000));
        let second = first.next(Timestamp::from_millis(4_000));
        let third = second.next(Timestamp::from_millis(6_000));
        assert!(first < second && second < third);
        assert_eq!(third.time(), Timestamp::from_millis(6_000));
    }

    #[test]
    fn an_id_stands_in_json_as_its_text() {
        let id = EndpointId::from_parts(Timestamp::from_millis(1), [7; 10]);
        let json = serde_json::json!(id.to_string());
        assert_eq!(serde_json::to_value(id).ok(), Some(json.clone()));
        assert_eq!(serde_json::from_value::<EndpointId>(json.clone()).ok(), Some(id));
        assert!(serde_json::from_value::<ApiKeyId>(json).is_err());
    }

    #[test]
    fn an_id_of_another_kind_or_form_is_unknown() {
        let id = EndpointId::from_parts(Timestamp::from_millis(1), [7; 10]).to_string();
        assert!(id.starts_with("ep_") && id.len() == 29);
        assert!(id.parse::<ApiKeyId>().is_err());
        for bad in
            ["", "ep_", "ep_8zzzzzzzzzzzzzzzzzzzzzzzzz", "ep_0000000000000000000000000u", "ep-1"]
        {
            assert!(bad.parse::<EndpointId>().is_err(), "{bad}");
        }
        assert_eq!(EventId::parse("evt_nonsense"), Err(UnknownId));
        assert_eq!(EventId::parse("order-17"), Ok(EventId::Own("order-17".into())));
    }

    proptest! {
        #[test]
        fn an_event_id_reads_back_as_its_key(key in 0..i64::MAX) {
            let id = EventId::Made(EventKey::new(key));
            prop_assert_eq!(EventId::parse(&id.to_string()), Ok(id));
        }

        #[test]
        fn a_delivery_id_reads_back_as_its_key(
            event in 0..i64::MAX, endpoint in 0..1i64 << 44, generation in 0..1u32 << 20
        ) {
            let key = DeliveryKey {
                event: EventKey::new(event),
                endpoint: EndpointNo::new(endpoint),
                generation: Generation::new(generation),
            };
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }
    }
}
