//! What the receiving side is promised: its schedule, its subscription, its dead letters, and that
//! an endpoint that is paused, deleted or restarted behaves as it says.

use crate::support::eventually;
use crate::support::message::Message;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::Server;
use crate::support::shop::{Shop, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);
/// Long enough for what must not happen to happen.
const QUIET: Duration = Duration::from_millis(1500);

#[test]
fn a_failed_delivery_is_tried_again_on_the_endpoints_own_schedule() {
    let tries: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let clock = tries.clone();
    let receiver = Receiver::scripted(move |_| {
        let mut tries = clock.lock().expect("not poisoned");
        tries.push(Instant::now());
        Reply::Status(if tries.len() < 3 { 500 } else { 204 })
    });
    let shop = Shop::open();
    shop.endpoint_for_all(&receiver.url("/"), &["1s", "2s", "1h"]);
    let event = shop.publish("a", &json!({}));
    let id = text(&event, "id");
    let delivery = shop.wait_for_state(id, "delivered");
    let classes: Vec<&str> = delivery["attempts"]
        .as_array()
        .expect("attempts")
        .iter()
        .map(|attempt| text(attempt, "class"))
        .collect();
    assert_eq!(classes, ["server_error", "server_error", "success"]);
    let tries = tries.lock().expect("not poisoned").clone();
    let waits = [tries[1] - tries[0], tries[2] - tries[1]];
    // Never before its time but for the jitter; late only as a busy machine is.
    assert!(waits[0] > Duration::from_millis(450) && waits[0] < Duration::from_secs(5));
    assert!(waits[1] > Duration::from_millis(950) && waits[1] < Duration::from_secs(6));
    let ids: BTreeSet<_> =
        receiver.seen().iter().map(|r| r.header("webhook-id").map(str::to_owned)).collect();
    assert_eq!(ids, BTreeSet::from([Some(id.to_owned())]));
}

#[test]
fn what_fails_to_the_end_is_a_dead_letter_and_can_be_delivered_anew() {
    let healthy = Arc::new(AtomicBool::new(false));
    let state = healthy.clone();
    let receiver = Receiver::scripted(move |_| match state.load(Ordering::SeqCst) {
        true => Reply::Status(200),
        false => Reply::Status(302),
    });
    let shop = Shop::open();
    shop.endpoint_for_all(&receiver.url("/"), &["1s"]);
    let event = shop.publish("a", &json!({}));
    let dead = shop.wait_for_state(text(&event, "id"), "dead");
    assert_eq!(dead["attempts"].as_array().map(Vec::len), Some(2));
    assert_eq!(dead["attempts"][1]["class"], "redirect");
    assert_eq!(receiver.count(), 2, "a redirect is a failure, and is never followed");

    healthy.store(true, Ordering::SeqCst);
    let path = format!("/v1/deliveries/{}/retry", text(&dead, "id"));
    let answer = shop.api.post(&path, &json!({}));
    assert!(matches!(answer.status, 200..300), "{}", answer.body);
    eventually("a delivered redelivery beside the dead letter", SOON, || {
        let states: BTreeSet<String> = shop
            .deliveries(text(&event, "id"))
            .iter()
            .map(|delivery| text(delivery, "state").to_owned())
            .collect();
        states == BTreeSet::from(["dead".to_owned(), "delivered".to_owned()])
    });
}

#[test]
fn a_subscription_gets_what_stands_below_its_patterns_and_nothing_else() {
    let (shop, receiver) = (Shop::open(), Receiver::kind());
    for (path, types) in [
        ("/exact", json!(["a.b"])),
        ("/below", json!(["a.b.*"])),
        ("/all", json!(["*"])),
        ("/two", json!(["x", "a.*"])),
    ] {
        shop.endpoint(&json!({"url": receiver.url(path), "types": types}));
    }
    let rows = [
        ("a.b", vec!["/all", "/exact", "/two"]),
        ("a.b.c", vec!["/all", "/below", "/two"]),
        ("a.b.c.d", vec!["/all", "/below", "/two"]),
        ("a.bc", vec!["/all", "/two"]),
        ("x", vec!["/all", "/two"]),
        ("x.y", vec!["/all"]),
        ("A.B", vec!["/all"]),
    ];
    let mut expected = 0;
    for (kind, paths) in &rows {
        let event = shop.publish(kind, &json!({"kind": kind}));
        assert_eq!(event["endpoints"], paths.len(), "{kind}");
        expected += paths.len();
    }
    let seen = receiver.wait_for(expected, SOON);
    for (kind, paths) in rows {
        let is_kind = |request: &&Message| {
            let body: Value = serde_json::from_slice(&request.body).expect("JSON");
            body["type"] == kind
        };
        let got: BTreeSet<&str> = seen
            .iter()
            .filter(is_kind)
            .filter_map(|request| request.first_line.split(' ').nth(1))
            .collect();
        assert_eq!(got, paths.into_iter().collect(), "{kind}");
    }
}

#[test]
fn no_attempt_follows_the_answer_to_a_delete() {
    let receiver = Receiver::scripted(|_| Reply::Status(500));
    let shop = Shop::open();
    let endpoint = shop.endpoint_for_all(&receiver.url("/"), &["1s"; 20]);
    for n in 0..50 {
        shop.publish("a", &json!(n));
    }
    receiver.wait_for(50, SOON);
    let answer = shop.api.delete(&format!("/v1/endpoints/{}", text(&endpoint, "id")));
    assert_eq!(answer.status, 204, "{}", answer.body);
    // What was on the wire already may still be read by the receiver's thread.
    std::thread::sleep(Duration::from_millis(50));
    let before = receiver.count();
    std::thread::sleep(QUIET);
    assert_eq!(receiver.count(), before);
    assert_eq!(shop.publish("a", &json!("after"))["endpoints"], 0);
    let gone = shop.api.get(&format!("/v1/endpoints/{}", text(&endpoint, "id")));
    assert_eq!((gone.status, gone.code()), (404, "not_found"));
    eventually("all cancelled", SOON, || {
        let waiting = shop.api.list("/v1/deliveries?tenant=acme");
        waiting.len() == 50 && waiting.iter().all(|row| row["state"] == "cancelled")
    });
}

#[test]
fn a_paused_endpoint_gets_nothing_and_everything_once_it_is_resumed() {
    let (shop, receiver) = (Shop::open(), Receiver::kind());
    let endpoint = shop.endpoint_for_all(&receiver.url("/"), &["1s"]);
    let path = |action: &str| format!("/v1/endpoints/{}/{action}", text(&endpoint, "id"));
    let paused = shop.api.post(&path("pause"), &json!({}));
    assert_eq!(paused.status, 200, "{}", paused.body);
    assert_eq!(paused.body["status"], "paused");
    for n in 0..600 {
        assert_eq!(shop.publish("a", &json!(n))["endpoints"], 1);
    }
    std::thread::sleep(QUIET);
    assert_eq!(receiver.count(), 0);
    shop.api.post(&path("resume"), &json!({})).expect(200);
    receiver.wait_for(600, SOON);
    eventually("all delivered", SOON, || {
        let rows = shop.api.list("/v1/deliveries?tenant=acme&state=delivered");
        rows.len() == 600
    });
    assert_eq!(receiver.count(), 600);
}

#[test]
fn a_clean_restart_keeps_everything_and_repeats_nothing() {
    restart_keeps_everything(|server| {
        assert!(server.stop().success(), "SIGTERM ends it with success");
    });
}

#[test]
fn a_kill_keeps_everything() {
    restart_keeps_everything(Server::kill);
}

fn restart_keeps_everything(end: impl FnOnce(Server)) {
    let healthy = Arc::new(AtomicBool::new(false));
    let state = healthy.clone();
    let receiver = Receiver::scripted(move |request| {
        let to_good = request.first_line.contains("/good");
        Reply::Status(if to_good || state.load(Ordering::SeqCst) { 200 } else { 500 })
    });
    let shop = Shop::open();
    shop.endpoint(&json!({"url": receiver.url("/good"), "types": ["good"]}));
    let retries = json!({"timeout": "2s", "retries": ["2s", "2s", "2s", "2s", "2s"]});
    shop.endpoint(&json!({"url": receiver.url("/bad"), "types": ["bad"], "delivery": retries}));
    let good: Vec<Value> = (0..20).map(|n| shop.publish("good", &json!(n))).collect();
    let bad: Vec<Value> = (0..20).map(|n| shop.publish("bad", &json!(n))).collect();
    for event in &good {
        shop.wait_for_state(text(event, "id"), "delivered");
    }
    receiver.wait_for(40, SOON);
    for event in &bad {
        eventually("the first attempt is recorded", SOON, || {
            shop.deliveries(text(event, "id"))[0]["attempts"].as_u64() >= Some(1)
        });
    }

    let shop = shop.restarted(end);
    healthy.store(true, Ordering::SeqCst);
    for event in good.iter().chain(&bad) {
        shop.wait_for_state(text(event, "id"), "delivered");
    }
    let to_good = receiver.seen().iter().filter(|r| r.first_line.contains("/good")).count();
    assert_eq!(to_good, 20, "what was delivered and recorded is not sent again");
    assert_eq!(shop.api.list("/v1/endpoints?tenant=acme").len(), 2);
    assert_eq!(shop.publish("good", &json!("more"))["sequence"], 41);
}

#[test]
fn an_endpoint_that_hangs_does_not_delay_another() {
    let receiver = Receiver::scripted(|request| match request.first_line.contains("/hangs") {
        true => Reply::Late(Duration::from_secs(30), 200),
        false => Reply::Status(200),
    });
    let shop = Shop::open();
    let hanging = json!({"timeout": "20s", "retries": []});
    shop.endpoint(&json!({"url": receiver.url("/hangs"), "types": ["*"], "delivery": hanging}));
    shop.endpoint(&json!({"url": receiver.url("/lives"), "types": ["*"]}));
    let started = Instant::now();
    for n in 0..500 {
        shop.publish("a", &json!(n));
    }
    let lives = || receiver.seen().iter().filter(|r| r.first_line.contains("/lives")).count();
    eventually("the healthy endpoint has all", SOON, || lives() == 500);
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[test]
fn a_receiver_that_hangs_up_times_out_or_is_not_there_is_recorded_as_what_it_is() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}/", gone.local_addr().expect("an address"));
    drop(gone);
    let receiver = Receiver::scripted(|request| match request.first_line.contains("/hang-up") {
        true => Reply::HangUp,
        false => Reply::Late(Duration::from_secs(10), 200),
    });
    let shop = Shop::open();
    let rows = [
        ("hang-up", receiver.url("/hang-up"), "protocol"),
        ("late", receiver.url("/late"), "timeout"),
        ("nobody", nobody, "unreachable"),
    ];
    for (kind, url, class) in rows {
        let delivery = json!({"timeout": "1s", "retries": []});
        shop.endpoint(&json!({"url": url, "types": [kind], "delivery": delivery}));
        let event = shop.publish(kind, &json!({}));
        let dead = shop.wait_for_state(text(&event, "id"), "dead");
        assert_eq!(dead["attempts"][0]["class"], class, "{kind}");
        assert!(dead["attempts"][0]["status"].is_null());
    }
}

#[test]
fn one_attempt_is_one_request() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    // Every third request is cut off on a connection that was used before: where a client with
    // hidden retries would send again.
    let receiver =
        Receiver::unrecorded(move |_| match counter.fetch_add(1, Ordering::SeqCst) % 3 {
            2 => Reply::HangUp,
            _ => Reply::Status(200),
        });
    let shop = Shop::open();
    shop.endpoint_for_all(&receiver.url("/"), &["1s"; 10]);
    for n in 0..90 {
        shop.publish("a", &json!(n));
    }
    let rows = || shop.api.list("/v1/deliveries?tenant=acme&state=delivered");
    eventually("all delivered", SOON, || rows().len() == 90);
    let recorded: u64 = rows().iter().filter_map(|row| row["attempts"].as_u64()).sum();
    assert_eq!(recorded, calls.load(Ordering::SeqCst) as u64);
}
