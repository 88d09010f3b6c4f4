//! Ids from outside: what is read is shown as it was written, and there is one way to write it.
#![no_main]

use angarium_core::id::{
    ApiKeyId, DeliveryKey, EndpointId, EventId, JobId, SigningKeyId, SourceId, TypeId,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(id) = EventId::parse(text) {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(id) = text.parse::<DeliveryKey>() {
        assert_eq!(id.to_string(), text);
    }
    check::<ApiKeyId>(text);
    check::<EndpointId>(text);
    check::<JobId>(text);
    check::<SigningKeyId>(text);
    check::<SourceId>(text);
});

fn check<T: TypeId>(text: &str) {
    if let Ok(id) = text.parse::<T>() {
        assert_eq!(id.to_string(), text);
        assert_eq!(T::from_bytes(id.to_bytes()).to_string(), text);
    }
}
