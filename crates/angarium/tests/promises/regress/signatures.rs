//! Signatures that were taken for genuine, and requests that felled their receiver.

use crate::support::client::Connection;
use crate::support::figure;
use crate::support::sender::{SECRET, Sender, hmac_sha256};
use crate::support::shop::{Shop, text};
use crate::support::turns;
use crate::support::{eventually, rounds};
use angarium_core::scheme::{Incoming, Received, SchemeLibrary, Verifier};
use angarium_core::secret::SecretText;
use angarium_core::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;
use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);
const BODY: &[u8] = br#"{"action":"opened"}"#;

/// What a source of a built-in scheme makes of a request at this moment.
fn received(
    scheme: &str,
    key: &str,
    method: &Method,
    headers: &HeaderMap,
    body: &[u8],
) -> Received {
    let library = SchemeLibrary::built_in().expect("built-in schemes");
    let scheme = Arc::clone(library.get(scheme).expect("a built-in scheme"));
    let verifier = Arc::new(Verifier::prepare(scheme, &[SecretText::new(key)]));
    let incoming = Incoming { method, url: "https://example.com/in/src_1", headers, body };
    verifier.receive(incoming, "src_1", Timestamp::from_millis(1_800_000_000_000))
}

fn headers(rows: &[(&'static str, &str)]) -> HeaderMap {
    let value = |text: &str| HeaderValue::from_str(text).expect("a header's value");
    rows.iter().map(|(name, text)| (http::HeaderName::from_static(name), value(text))).collect()
}

#[test]
fn regress_r30_no_part_of_a_signature_is_one() {
    let shop = Shop::open();
    let sender = Sender::to(&shop, &json!({}));
    let path = format!("/in/{}", sender.id());
    let whole = format!("sha256={}", hmac_sha256(SECRET, BODY));
    let mut connection = Connection::open(&shop.server.address).expect("a connection");
    let longer = [format!("{whole}0"), format!("{whole},{whole}0"), whole.to_uppercase()];
    let prefixes = (0..whole.len()).map(|end| whole[..end].to_owned());
    for signature in prefixes.chain(longer) {
        let caller = sender.caller.with("x-github-event", "push");
        let caller = caller.with("x-hub-signature-256", &signature);
        let answer = connection.exchange(&caller, "POST", &path, Some(BODY)).expect("an answer");
        assert_eq!(answer.status, 401, "{signature:?}");
    }
    assert_eq!(sender.send("push", BODY).status, 200);
    eventually("the genuine one is an event", SOON, || sender.events(&shop).len() == 1);

    let key = format!("whsec_{}", STANDARD.encode([7; 24]));
    let (id, seconds) = ("msg_1", "1800000000");
    let signed = [format!("{id}.{seconds}.").as_bytes(), BODY].concat();
    let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &[7; 24]);
    let tag = STANDARD.encode(aws_lc_rs::hmac::sign(&hmac, &signed));
    let is_believed = |signature: &str| {
        let headers = headers(&[
            ("webhook-id", id),
            ("webhook-timestamp", seconds),
            ("webhook-signature", signature),
        ]);
        matches!(received("standard", &key, &Method::POST, &headers, BODY), Received::Event(_))
    };
    assert!(is_believed(&format!("v1,{tag}")), "the genuine one");
    for end in 0..tag.len() {
        assert!(!is_believed(&format!("v1,{}", &tag[..end])), "{end} characters");
    }
    for signature in ["", "v1", "v1,", "v1, ", "v2,", ",", "v1,=", "v1,,"] {
        assert!(!is_believed(signature), "{signature:?}");
    }
}

#[test]
fn regress_r31_r36_no_scheme_believes_or_falls_over_what_has_no_signature_or_any_bytes_in_it() {
    let library = SchemeLibrary::built_in().expect("built-in schemes");
    let bytes = HeaderValue::from_bytes(b"\xff\xfe, t=\x80;sha256=").expect("bytes of a header");
    let texts =
        ["", ",", "=", "t=,v1=", "sha256=", "v1,", "Bearer ", "a.b.c", "99999999999999999999"];
    let values = texts.map(HeaderValue::from_static).into_iter().chain([bytes]);
    let (mut schemes, mut requests) = (0, 0);
    for scheme in library.iter() {
        schemes += 1;
        let none = HeaderMap::new();
        let garbled = values.clone().map(|value| {
            scheme.signature_headers().map(|name| (name.clone(), value.clone())).collect()
        });
        for headers in std::iter::once(none).chain(garbled) {
            for method in [Method::POST, Method::GET, Method::HEAD, Method::PUT] {
                for body in [&b""[..], BODY, b"\xff", b"a=b&c", b"[[[[", b"null"] {
                    requests += 1;
                    match received(scheme.name(), SECRET, &method, &headers, body) {
                        Received::Event(_) => panic!("{} believed {headers:?}", scheme.name()),
                        Received::Handshake { .. } => panic!("{} has a key", scheme.name()),
                        Received::Rejected(_)
                        | Received::Challenge(_)
                        | Received::Visit { .. }
                        | Received::Needs(_) => {}
                    }
                }
            }
        }
    }
    figure(format_args!("{schemes} schemes, {requests} requests, none believed, no panic"));
}

#[test]
fn regress_r32_a_key_without_bytes_is_no_key() {
    let shop = Shop::open();
    let of_schemes = [("github", ""), ("stripe", " "), ("slack", "\t"), ("standard", "whsec_")];
    for (scheme, secret) in of_schemes {
        let source = json!({"name": "s", "scheme": scheme, "secret": secret});
        let answer = shop.api.post("/v1/tenants/acme/sources", &source);
        assert_eq!((answer.status, answer.field()), (422, Some("secret")), "{scheme} {secret:?}");
        let endpoint = json!({"url": "https://example.com", "types": ["*"], "secret": secret});
        let answer = shop.api.post("/v1/tenants/acme/endpoints", &endpoint);
        assert_eq!((answer.status, answer.field()), (422, Some("secret")), "{secret:?}");
    }
    let signature = format!("sha256={}", hmac_sha256("", BODY));
    let headers = headers(&[("x-hub-signature-256", &signature), ("x-github-event", "push")]);
    let received = received("github", "", &Method::POST, &headers, BODY);
    assert!(matches!(received, Received::Rejected(_)), "{received:?}");
}

#[test]
fn regress_r33_r35_a_source_verifies_by_a_scheme_that_there_is_or_is_not_made() {
    let shop = Shop::open();
    for scheme in [json!(null), json!(""), json!("none"), json!("noop"), json!("GitHub"), json!(0)]
    {
        let source = json!({"name": "s", "scheme": scheme, "secret": SECRET});
        let answer = shop.api.post("/v1/tenants/acme/sources", &source);
        assert!(matches!(answer.status, 404 | 422), "{scheme}: {}", answer.body);
        assert_eq!(answer.field(), Some("scheme"), "{scheme}: {}", answer.body);
    }
    let nameless = json!({"name": "s", "secret": SECRET});
    assert_eq!(shop.api.post("/v1/tenants/acme/sources", &nameless).status, 422);
    // Without a secret there is no source that takes anything in.
    let source = json!({"name": "s", "scheme": "asana"});
    let sender = Sender::of(&shop, shop.api.post("/v1/tenants/acme/sources", &source).expect(201));
    let path = format!("/in/{}", sender.id());
    assert_eq!(sender.caller.call("POST", &path, Some(BODY)).status, 401);
    assert_eq!(shop.api.list("/v1/sources").len(), 1);
}

/// Welch's t of what two classes of signature cost, as dudect does it: above 4.5 time tells them
/// apart. The slowest tenth is left out; `TIMING_SAMPLES` makes a long run.
fn t_of_two_classes(verifier: &Verifier, signatures: [&str; 2], samples: u64) -> f64 {
    let now = Timestamp::from_millis(1_800_000_000_000);
    let mut times = [Vec::new(), Vec::new()];
    let mut dice = 1_u64;
    for _ in 0..samples {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let class = usize::from(dice >> 63 == 1);
        // Made anew, so that neither class has a place in memory of its own.
        let rows = [("x-hub-signature-256", signatures[class]), ("x-github-event", "push")];
        let headers = headers(&rows);
        let incoming = Incoming {
            method: &Method::POST,
            url: "https://example.com/in/src_1",
            headers: &headers,
            body: BODY,
        };
        let begun = Instant::now();
        assert!(black_box(verifier.verify(black_box(incoming), now)).is_err());
        times[class].push(begun.elapsed().as_secs_f64() * 1e9);
    }
    let mut all: Vec<f64> = times.iter().flatten().copied().collect();
    all.sort_by(f64::total_cmp);
    let most = all[all.len() * 9 / 10];
    let [a, b] = times.map(|mut times| {
        times.retain(|time| *time <= most);
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let spread = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, spread / count)
    });
    (a.0 - b.0) / (a.1 + b.1).sqrt()
}

#[test]
fn regress_r34_time_does_not_tell_how_much_of_a_signature_is_right() {
    let _alone = turns::alone();
    let library = SchemeLibrary::built_in().expect("built-in schemes");
    let scheme = Arc::clone(library.get("github").expect("a built-in scheme"));
    let verifier = Verifier::prepare(scheme, &[SecretText::new(SECRET)]);
    let right = hmac_sha256(SECRET, BODY);
    // A digit for a digit and a letter for a letter: what it costs to read them is no secret.
    // A digit for a digit and a letter for a letter: what it costs to read them is no secret.
    let other = |c: u8| match c {
        b'0' => '1',
        b'1'..=b'9' => '0',
        b'a' => 'b',
        _ => 'a',
    };
    let digits = right.as_bytes();
    let first = format!("sha256={}{}", other(digits[0]), &right[1..]);
    let last = format!("sha256={}{}", &right[..63], other(digits[63]));
    let samples = rounds("TIMING_SAMPLES", 40_000);
    // Other work makes them differ now and then, the code each time.
    let told = (0..5).map(|_| t_of_two_classes(&verifier, [&first, &last], samples));
    let told: Vec<f64> = told
        .scan(false, |is_told, t| {
            let is_next = !*is_told;
            *is_told = t.abs() < 4.5;
            is_next.then_some(t)
        })
        .collect();
    figure(format_args!("{samples} samples of two classes, t of each try: {told:.2?}"));
    assert!(told.iter().any(|t| t.abs() < 4.5), "{told:?}");
}

#[test]
fn regress_r37_a_huge_body_is_refused_before_it_is_read() {
    let shop = Shop::open();
    let sender = Sender::to(&shop, &json!({}));
    for path in [format!("/in/{}", sender.id()), "/v1/events".to_owned(), "/in/unknown".to_owned()]
    {
        let connection = Connection::open(&shop.server.address).expect("a connection");
        let mut connection = connection.into_stream();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             content-length: 1000000000\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).expect("written");
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).expect("an answer without a byte of the body");
        let answer = String::from_utf8_lossy(&answer);
        assert!(["HTTP/1.1 413", "HTTP/1.1 401", "HTTP/1.1 404"].contains(&&*answer), "{answer}");
    }
    let (_, most) = shop.server.memory();
    assert!(most < 200 << 20, "{most} bytes of memory");
    assert_eq!(sender.send("push", BODY).status, 200);
}

#[test]
fn regress_r38_what_is_not_signed_makes_no_second_event() {
    let shop = Shop::open();
    let sender = Sender::to(&shop, &json!({}));
    let path = format!("/in/{}", sender.id());
    for delivery in ["d-1", "d-2", "d-3"] {
        let caller = sender.signed("push", BODY, SECRET).with("x-github-delivery", delivery);
        assert_eq!(caller.call("POST", &path, Some(BODY)).status, 200);
    }
    let other = br#"{"action":"closed"}"#;
    assert_eq!(sender.send("push", other).status, 200);
    eventually("both are events", SOON, || sender.events(&shop).len() == 2);
    let kinds: Vec<_> =
        sender.events(&shop).iter().map(|event| text(event, "type").to_owned()).collect();
    assert_eq!(kinds, ["push", "push"]);
}
