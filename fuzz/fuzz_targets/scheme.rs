//! A scheme's file, and a scheme in a call: whatever stands there is a scheme or a list of
//! mistakes, and a scheme judges a request without a panic.
#![no_main]

use angarium_core::scheme::{Incoming, Scheme, Verifier};
use angarium_core::secret::SecretText;
use angarium_core::time::Timestamp;
use http::{HeaderMap, Method};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fuzz_target!(|text: &str| {
    let in_a_call = |text| serde_json_of(text).and_then(|json| Scheme::from_json(&json).ok());
    let Some(scheme) = Scheme::parse("fuzz.toml", text).ok().or_else(|| in_a_call(text)) else {
        return;
    };
    let mut headers = HeaderMap::new();
    for name in ["x-signature", "authorization"] {
        headers.insert(name, "t=1,v1=00".parse().expect("a value"));
    }
    let (method, body) = (Method::POST, br#"{"type":"a","items":[{"s":"00"}]}"#);
    let url = "https://example.com/in/src_1?a=1";
    let incoming = Incoming { method: &method, url, headers: &headers, body };
    let verifier = Verifier::prepare(Arc::new(scheme), &[SecretText::new("secret")]);
    let _ = verifier.receive(incoming, "src_1", Timestamp::from_millis(1_000));
});

fn serde_json_of(text: &str) -> Option<serde_json::Value> {
    serde_json::from_str(text).ok()
}
