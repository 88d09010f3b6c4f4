//! A request to a source of any built-in scheme: headers, query, form, JSON, tokens, items. Nobody
//! who does not know the secret is believed, and nothing panics.
#![no_main]

use angarium_core::scheme::{Incoming, Received, SchemeLibrary, Verifier};
use angarium_core::secret::SecretText;
use angarium_core::time::Timestamp;
use arbitrary::Arbitrary;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

/// Nobody guesses it, so whatever is believed is a mistake.
const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// Headers by which schemes find what they read.
const NAMES: &[&str] = &[
    "stripe-signature",
    "x-hub-signature-256",
    "x-hub-signature",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "svix-signature",
    "x-slack-signature",
    "x-slack-request-timestamp",
    "x-twilio-signature",
    "linear-signature",
    "x-signature-ed25519",
    "x-signature-timestamp",
    "paddle-signature",
    "x-docusign-signature-1",
    "plaid-verification",
    "paypal-cert-url",
    "paypal-transmission-sig",
    "paypal-transmission-time",
    "paypal-transmission-id",
    "x-hook-secret",
    "x-hook-signature",
    "x-ebay-signature",
    "hmacsignature",
    "authorization",
    "content-type",
    "twitch-eventsub-message-type",
    "webhook-request-origin",
    "x-okta-verification-challenge",
];

#[derive(Arbitrary, Debug)]
struct Request<'a> {
    scheme: u8,
    method: u8,
    query: &'a str,
    headers: Vec<(u8, &'a str)>,
    body: &'a [u8],
    seconds: u32,
}

static VERIFIERS: LazyLock<Vec<Arc<Verifier>>> = LazyLock::new(|| {
    let library = SchemeLibrary::built_in().expect("built-in schemes");
    let schemes: Vec<_> = library.iter().cloned().collect();
    let prepare = |scheme: &Arc<_>| {
        Arc::new(Verifier::prepare(Arc::clone(scheme), &[SecretText::new(SECRET)]))
    };
    schemes.iter().map(prepare).collect()
});

fuzz_target!(|request: Request<'_>| {
    let verifier = &VERIFIERS[usize::from(request.scheme) % VERIFIERS.len()];
    let methods = [Method::POST, Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT];
    let method = &methods[usize::from(request.method) % methods.len()];
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name = NAMES[usize::from(*name) % NAMES.len()];
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    let url = format!("https://example.com/in/src_1?{}", request.query);
    let incoming = Incoming { method, url: &url, headers: &headers, body: request.body };
    let now = Timestamp::from_millis(i64::from(request.seconds) * 1_000);
    match verifier.receive(incoming, "src_1", now) {
        Received::Event(verified) => panic!("believed: {verified:?}"),
        Received::Handshake { .. } => panic!("a source with a secret takes no other"),
        Received::Visit { document, .. } | Received::Needs(document) => {
            assert!(document.url().starts_with("https://"));
        }
        Received::Challenge(_) | Received::Rejected(_) => {}
    }
});
