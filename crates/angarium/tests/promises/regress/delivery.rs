//! Senders that stopped, lost or repeated what they had accepted. Most of these are shown by larger
//! tests, which the table of promises names.

use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::shop::{Shop, text};
use crate::support::turns;
use crate::support::wide::{Answer, WideReceiver};
use serde_json::json;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);
/// The largest event that is taken, nearly.
const LARGE: usize = 250 * 1024;

#[test]
fn regress_r54_a_stream_of_large_events_delays_nobody_and_fills_no_memory() {
    let _alone = turns::alone();
    let (quiet, stuck) = (Receiver::kind(), WideReceiver::open(|_| Answer::Never));
    let shop = Shop::open();
    shop.tenant("loud");
    let endpoint = json!({"url": stuck.url("/"), "types": ["*"], "delivery": {"timeout": "30s"}});
    shop.api.post("/v1/tenants/loud/endpoints", &endpoint).expect(201);
    shop.endpoint_for_all(&quiet.url("/"), &[]);
    let large = json!({"tenant": "loud", "type": "a", "data": "x".repeat(LARGE)});
    let mut slowest = Duration::ZERO;
    for n in 0..10 {
        for _ in 0..40 {
            let answer = shop.try_publish(&large);
            assert!(matches!(answer.status, 202 | 429), "{}", answer.body);
        }
        let begun = Instant::now();
        shop.publish("a", &json!(n));
        quiet.wait_for(n + 1, SOON);
        slowest = slowest.max(begun.elapsed());
    }
    let (_, most) = shop.server.memory();
    crate::support::figure(format_args!(
        "400 events of {LARGE} bytes wait; another's arrived within {slowest:.1?}; {} MB at most",
        most >> 20
    ));
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    assert!(most < 300 << 20, "{most} bytes of memory");
}

#[test]
fn regress_r55_an_event_that_cannot_be_read_stops_no_other() {
    let receiver = Receiver::kind();
    let shop = Shop::open();
    shop.endpoint_for_all("http://127.0.0.1:1027/", &["1h"]);
    let poison = shop.publish("poison", &json!({"n": 1}));
    let file = shop.data().join("angarium.db");
    let shop = shop.restarted(|server| {
        assert!(server.stop().success());
        let store = rusqlite::Connection::open(&file).expect("the store");
        let changed = store.execute("UPDATE event SET data = x'7b' WHERE type = 'poison'", []);
        assert_eq!(changed, Ok(1));
    });
    shop.endpoint_for_all(&receiver.url("/"), &[]);
    let good = shop.publish("good", &json!({"n": 2}));
    let row = || {
        let rows = shop.deliveries(text(&good, "id"));
        rows.into_iter().any(|row| row["state"] == "delivered")
    };
    eventually("the good one is delivered", SOON, row);
    let shown = shop.api.get(&format!("/v1/events/{}", text(&poison, "id")));
    assert_ne!(shown.body["data"], json!({"n": 1}));
    let log = shop.server.log();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn regress_r56_the_age_of_what_waits_is_measured_and_told() {
    let shop = Shop::open();
    shop.endpoint_for_all("http://127.0.0.1:1027/", &["1h"]);
    let text = String::from_utf8(shop.api.get("/metrics").message.body).expect("text");
    assert!(text.contains("angarium_oldest_due_delivery_age_seconds "), "{text}");
    let ready = shop.api.get("/readyz").expect(200);
    assert_eq!(ready["status"], "ready");
    assert!(ready.get("oldest_due").is_some(), "{ready}");
}

/// The versions in which what is named was mended.
#[test]
fn regress_r60_nothing_is_linked_that_has_a_published_flaw() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock"));
    let lock = lock.expect("the lock file");
    let least = [
        ("h2", [0, 4, 15]),
        ("hickory-proto", [0, 26, 1]),
        ("rustls-webpki", [0, 103, 10]),
        ("tracing-subscriber", [0, 3, 20]),
        ("idna", [1, 0, 0]),
    ];
    for (name, least) in least {
        let entry = format!("name = \"{name}\"\nversion = \"");
        let found: Vec<[u32; 3]> = lock
            .split(&entry)
            .skip(1)
            .map(|rest| {
                let version = rest.split('"').next().unwrap_or_default();
                let mut parts = version.split('.').map(|part| part.parse().unwrap_or_default());
                std::array::from_fn(|_| parts.next().unwrap_or_default())
            })
            .collect();
        assert!(!found.is_empty(), "{name} is no longer linked: take it off this list");
        for version in found {
            assert!(version >= least, "{name} {version:?} is older than {least:?}");
        }
    }
}
