//! The published libraries of Standard Webhooks, which neither know Angarium nor are known to it:
//! they verify what it sends, and what they sign it believes.
//!
//! The first run fetches them, by pip, npm and cargo; `./test` installs node and Python.

mod cases;
mod library;
mod signing;

use crate::support::figure;
use crate::support::receiver::Receiver;
use crate::support::sender::Sender;
use crate::support::shop::{Shop, text};
use cases::{SIGNATURE, Signed, judged};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// Of 24 bytes, the least, of 32, and of 64, the most.
const IMPORTED: [&str; 3] = [
    "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    "whsec_//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=",
    concat!(
        "whsec_QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl9",
        "gYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+fw=="
    ),
];

/// Data as platforms have it, and as they should not.
fn payloads() -> [Value; 4] {
    [
        json!({"invoice": "in_1", "paid": true, "lines": [1, 2.50, null, "a.b.c"]}),
        json!({"Zürich": "\u{2028} \"quoted\" <&> \\ \u{1f980} \u{7f} e\u{301}\n"}),
        json!({}),
        json!({"text": "0123456789abcde\u{e9}".repeat(200 * 1024 / 17)}),
    ]
}

#[test]
fn published_libraries_verify_every_delivery_with_its_secret_and_nothing_else() {
    let shop = Shop::open();
    let mut cases = Vec::new();
    for (number, given) in [None].into_iter().chain(IMPORTED.map(Some)).enumerate() {
        let receiver = Receiver::kind();
        let kind = format!("test.n{number}");
        let made =
            shop.endpoint(&json!({"url": receiver.url("/"), "types": [kind], "secret": given}));
        let secret = text(&made, "secret");
        assert_eq!(secret, given.unwrap_or(secret), "an imported secret stays what it was");
        for data in payloads() {
            shop.publish(&kind, &data);
        }
        for message in receiver.wait_for(payloads().len(), SOON) {
            let what = format!("secret {number}, {} bytes", message.body.len());
            cases.extend(cases::of(&what, &Signed::of(&message), &[secret]));
        }
    }
    assert!(cases.iter().any(|case| case.signed.body.len() > 200 * 1024), "a large one");
    figure(format_args!("deliveries: {}", judged(&cases)));
}

#[test]
fn published_libraries_verify_with_the_old_and_the_new_secret_during_a_rotation() {
    let receiver = Receiver::kind();
    let shop = Shop::open();
    let endpoint = shop.endpoint(&json!({"url": receiver.url("/"), "types": ["*"]}));
    let first = text(&endpoint, "secret");
    let rotate = |body: &Value| {
        let path = format!("/v1/endpoints/{}/rotate-secret", text(&endpoint, "id"));
        text(&shop.api.post(&path, body).expect(200), "secret").to_owned()
    };
    let delivered = |count: usize| {
        shop.publish("test.rotated", &payloads()[1]);
        Signed::of(&receiver.wait_for(count, SOON)[count - 1])
    };
    let second = rotate(&json!({}));
    let mut signed = delivered(1);
    assert_eq!(signed.header(SIGNATURE).matches("v1,").count(), 2, "both sign");
    let mut cases = cases::of("two secrets", &signed, &[first, &second]);

    // A pair of keys that takes the secrets' place signs beside them, and confuses no library.
    rotate(&json!({"secret": IMPORTED[1].replace("whsec_", "whsk_")}));
    let mut signed = delivered(2);
    assert!(signed.header(SIGNATURE).contains("v1a,"), "the pair signs too");
    cases.extend(cases::of("a secret and a pair of keys", &signed, &[&second]));
    figure(format_args!("rotations: {}", judged(&cases)));
}

#[test]
fn published_libraries_verify_what_a_source_forwards_with_its_forward_secret() {
    let receiver = Receiver::kind();
    let shop = Shop::open();
    let sender = Sender::to(&shop, &json!({"forward_url": receiver.url("/")}));
    let secret = text(&sender.source, "forward_secret");
    let mut bodies: Vec<String> = payloads().iter().map(Value::to_string).collect();
    bodies.push("{ \"n\" : 1.10,\r\n\t\"n\": 2 }\n".to_owned());
    bodies.push("a=1&b=%20+é".to_owned());
    for body in &bodies {
        assert_eq!(sender.send("push", body.as_bytes()).status, 200);
    }
    let mut cases = Vec::new();
    for message in receiver.wait_for(bodies.len(), SOON) {
        let signed = Signed::of(&message);
        bodies.retain(|body| *body != signed.body);
        let what = format!("forwarded, {} bytes", message.body.len());
        cases.extend(cases::of(&what, &signed, &[secret]));
    }
    assert!(bodies.is_empty(), "they are forwarded byte for byte");
    figure(format_args!("forwarded: {}", judged(&cases)));
}
