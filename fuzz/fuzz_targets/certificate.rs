//! What was fetched as a certificate: PEM, X.509 and chains of any kind.
#![no_main]

use angarium_core::scheme::{Evidence, Incoming, Received, SchemeLibrary, Verifier};
use angarium_core::secret::SecretText;
use angarium_core::time::Timestamp;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const BODY: &[u8] = br#"{"event_type":"A"}"#;

static PAYPAL: LazyLock<Verifier> = LazyLock::new(|| {
    let library = SchemeLibrary::built_in().expect("built-in schemes");
    let scheme = library.get("paypal").expect("a scheme");
    Verifier::prepare(Arc::clone(scheme), &[SecretText::new("1JE4291016473214C")])
});

fuzz_target!(|text: &[u8]| {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("paypal-transmission-id", "1"),
        ("paypal-transmission-time", "2026-01-01T00:00:00Z"),
        ("paypal-transmission-sig", "AAAA"),
        ("paypal-cert-url", "https://api.paypal.com/v1/notifications/certs/CERT-1"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let (method, url) = (Method::POST, "https://example.com/");
    let incoming = Incoming { method: &method, url, headers: &headers, body: BODY };
    let Received::Needs(document) = PAYPAL.receive(incoming, "src_1", NOW) else {
        panic!("the request names a certificate");
    };
    // As bytes, and as the inside of a PEM block.
    let encoded = text.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let inside = format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n");
    for text in [Bytes::copy_from_slice(text), Bytes::from(inside)] {
        let evidence = Evidence { document: document.clone(), text, roots: Arc::from([]) };
        match PAYPAL.receive_with(incoming, "src_1", Some(&evidence), NOW) {
            Received::Rejected(_) => {}
            other => panic!("believed: {other:?}"),
        }
    }
});
