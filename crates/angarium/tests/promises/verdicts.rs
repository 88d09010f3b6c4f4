//! What an answer means beyond success and failure: a receiver that asks for time or says that it
//! is gone, one that fails for too long, and a dead letter that holds its lane.

use crate::support::client::{Answer, Api};
use crate::support::eventually;
use crate::support::message::Message;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::{ADMIN_KEY, Server, Start};
use crate::support::shop::text;
use serde_json::{Value, json};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);
/// Long enough for what must not happen to happen.
const QUIET: Duration = Duration::from_millis(1500);

/// A server whose only contract has these lines below `[delivery]`, and the tenant `acme`.
struct Platform {
    server: Server,
    api: Api,
    folder: TempDir,
}

fn start(folder: &TempDir) -> Start {
    let contracts = folder.path().join("contracts").display().to_string();
    Start::local(&folder.path().join("data")).argument("--contracts").argument(&contracts)
}

impl Platform {
    fn open(delivery: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let contracts = folder.path().join("contracts");
        std::fs::create_dir(&contracts).expect("a folder");
        std::fs::write(contracts.join("swift.toml"), contract(delivery)).expect("a contract");
        let server = start(&folder).run();
        let api = server.admin().with("angarium-environment", "swift");
        let body = json!({"slug": "swift", "title": "Swift", "contracts": ["swift"]});
        api.post("/v1/environments", &body).expect(201);
        api.put("/v1/tenants/acme", &json!({})).expect(201);
        Self { server, api, folder }
    }

    /// The process is killed and started again on the same data.
    fn killed(self) -> Self {
        let Self { server, folder, .. } = self;
        server.kill();
        let server = start(&folder).run();
        let api = server.admin().with("angarium-environment", "swift");
        Self { server, api, folder }
    }

    /// An endpoint for everything; answers with its path.
    fn endpoint(&self, receiver: &Receiver) -> String {
        let body = json!({"url": receiver.url("/"), "types": ["*"]});
        let made = self.api.post("/v1/tenants/acme/endpoints", &body).expect(201);
        format!("/v1/endpoints/{}", text(&made, "id"))
    }

    /// Publishes the number `n` under an ordering key; answers with the event's id.
    fn publish(&self, key: &str, n: u64) -> String {
        let event = json!({"tenant": "acme", "type": "a.b", "key": key, "data": {"n": n}});
        text(&self.api.post("/v1/events", &event).expect(202), "id").to_owned()
    }

    /// The event's newest delivery.
    fn delivery(&self, event: &str) -> Value {
        let all = self.api.list(&format!("/v1/deliveries?tenant=acme&event={event}"));
        all.into_iter().next().expect("a delivery")
    }

    fn wait_for(&self, event: &str, state: &str) -> Value {
        eventually(&format!("{event} is {state}"), SOON, || self.delivery(event)["state"] == state);
        let id = self.delivery(event);
        self.api.get(&format!("/v1/deliveries/{}", text(&id, "id"))).expect(200)
    }

    fn explained(&self, event: &str) -> Value {
        let path = format!("/v1/events/{event}/explain?tenant=acme");
        self.api.get(&path).expect(200)["data"][0].clone()
    }

    fn act(&self, delivery: &Value, verb: &str) -> Answer {
        self.api.post(&format!("/v1/deliveries/{}/{verb}", text(delivery, "id")), &json!({}))
    }
}

fn contract(delivery: &str) -> String {
    format!(
        r#"
contract = "swift"
title = "Swift"
events."a.b" = {{ description = "It happened.", example = {{}} }}
request.body = "{{event.data}}"
endpoint.schemes = ["http"]
[delivery]
timeout = "2s"
{delivery}
"#
    )
}

/// The numbers that a receiver has seen, in their order.
fn numbers(receiver: &Receiver) -> Vec<u64> {
    let number = |request: &Message| {
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        body["n"].as_u64().expect("a number")
    };
    receiver.seen().iter().map(number).collect()
}

/// Refuses with `status` until it is healed.
fn ailing(status: u16) -> (Receiver, Arc<AtomicBool>) {
    let healed = Arc::new(AtomicBool::new(false));
    let state = healed.clone();
    let receiver = Receiver::scripted(move |_| match state.load(Ordering::SeqCst) {
        true => Reply::Status(200),
        false => Reply::Status(status),
    });
    (receiver, healed)
}

/// The time between the first two requests, and the first attempt's detail, of a receiver that
/// answers once with a status and a `Retry-After`.
fn asked_for(platform: &Platform, status: u16, retry_after: &str) -> (Duration, Value) {
    let tries: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let (clock, header) = (tries.clone(), format!("retry-after: {retry_after}\r\n"));
    let receiver = Receiver::scripted(move |_| {
        let mut tries = clock.lock().expect("not poisoned");
        tries.push(Instant::now());
        match tries.len() {
            1 => Reply::Headed(status, header.clone()),
            _ => Reply::Status(204),
        }
    });
    let endpoint = platform.endpoint(&receiver);
    let delivery = platform.wait_for(&platform.publish("k", 1), "delivered");
    assert_eq!(platform.api.delete(&endpoint).status, 204);
    let tries = tries.lock().expect("not poisoned");
    (tries[1] - tries[0], delivery["attempts"][0]["detail"].clone())
}

#[test]
fn a_receiver_that_asks_for_time_gets_it_within_the_contracts_bounds() {
    let platform = Platform::open(
        "retries = [\"100ms\", \"1h\"]\nretry_after = { floor = \"1s\", cap = \"2s\" }",
    );
    let second = Duration::from_secs(1);
    let rows = [
        (503, "1", second, true),
        (429, "86400", 2 * second, true),
        (500, "99999999999999999999", second / 10, false),
        (404, "2", 2 * second, true),
        (503, "0", second, true),
        (429, "Fri, 31 Dec 1999 23:59:59 GMT", second, true),
        (429, "Fri, 31 Dec 2100 23:59:59 GMT", 2 * second, true),
        (503, "-5", second / 10, false),
        (503, "soon", second / 10, false),
    ];
    for (status, header, least, is_wish) in rows {
        let (waited, detail) = asked_for(&platform, status, header);
        // Late only as a busy machine is.
        assert!(waited >= least && waited < least + 8 * second, "{status} {header}: {waited:?}");
        let says = detail.as_str().is_some_and(|text| text.contains("Retry-After"));
        assert_eq!(says, is_wish, "{status} {header}: {detail}");
    }
}

#[test]
fn a_contract_that_says_nothing_keeps_its_schedule_and_takes_410_for_a_failure() {
    let platform = Platform::open("retries = [\"100ms\", \"1h\"]");
    let (waited, detail) = asked_for(&platform, 503, "3600");
    assert!(waited < Duration::from_secs(8), "{waited:?}");
    assert_eq!(detail, Value::Null);
    let (receiver, healed) = ailing(410);
    let endpoint = platform.endpoint(&receiver);
    let event = platform.publish("k", 1);
    receiver.wait_for(1, SOON);
    healed.store(true, Ordering::SeqCst);
    platform.wait_for(&event, "delivered");
    assert_eq!(platform.api.get(&endpoint).expect(200)["status"], "active");
}

#[test]
fn a_receiver_that_is_gone_ends_the_delivery_and_switches_its_endpoint_off() {
    let platform = Platform::open("retries = [\"100ms\", \"1h\"]\ngone = \"disable\"");
    let (receiver, healed) = ailing(410);
    let endpoint = platform.endpoint(&receiver);
    let dead = platform.wait_for(&platform.publish("k", 1), "dead");
    assert_eq!(dead["reason"], "gone");
    assert_eq!(dead["attempts"].as_array().map(Vec::len), Some(1));
    eventually("the endpoint is off", SOON, || {
        platform.api.get(&endpoint).expect(200)["status"] == "disabled"
    });
    let off = platform.api.get(&endpoint).expect(200);
    assert_eq!(off["health"]["disabled_reason"], "the receiver answered 410 Gone");
    platform.wait_for(&platform.publish("k", 2), "suppressed");
    healed.store(true, Ordering::SeqCst);
    platform.api.post(&format!("{endpoint}/enable"), &json!({})).expect(200);
    platform.wait_for(&platform.publish("k", 3), "delivered");
    assert_eq!(numbers(&receiver), [1, 3]);
}

#[test]
fn an_endpoint_that_fails_for_too_long_is_switched_off_even_if_the_server_died_meanwhile() {
    let platform = Platform::open(
        "retries = []\n[health]\n\
         disable_after = { failing_for = \"4s\", deliveries = 3 }\nwhile_disabled = \"wait\"",
    );
    let (receiver, healed) = ailing(500);
    let endpoint = platform.endpoint(&receiver);
    let began = Instant::now();
    for n in 1..=4 {
        platform.wait_for(&platform.publish("k", n), "dead");
    }
    let at = platform.api.get(&endpoint).expect(200);
    assert!(began.elapsed() > Duration::from_secs(4) || at["status"] == "active", "{at}");
    // What is counted is stored about once a second.
    std::thread::sleep(QUIET + QUIET);
    let platform = platform.killed();
    std::thread::sleep(Duration::from_secs(4).saturating_sub(began.elapsed()));
    platform.wait_for(&platform.publish("k", 5), "dead");
    eventually("the endpoint is off", SOON, || {
        platform.api.get(&endpoint).expect(200)["status"] == "disabled"
    });
    let off = platform.api.get(&endpoint).expect(200);
    let reason = "every attempt failed for 4s, and so did 5 deliveries";
    assert_eq!(off["health"]["disabled_reason"], reason);

    // Events wait for it, over another death, and go when it is on again.
    let waiting: Vec<_> = (6..=8).map(|n| platform.publish("k", n)).collect();
    assert_eq!(platform.explained(&waiting[0])["waits_for"], "endpoint_disabled");
    let platform = platform.killed();
    assert_eq!(platform.delivery(&waiting[2])["state"], "pending");
    healed.store(true, Ordering::SeqCst);
    platform.api.post(&format!("{endpoint}/enable"), &json!({})).expect(200);
    for event in &waiting {
        platform.wait_for(event, "delivered");
    }
    assert_eq!(platform.api.get(&endpoint).expect(200)["status"], "active");
}

const HOLD: &str = "retries = []\nordering = \"key\"\nafter_dead_letter = \"hold\"";

/// A receiver that refuses the number 1 until it is healed.
fn refuses_one() -> (Receiver, Arc<AtomicBool>) {
    let healed = Arc::new(AtomicBool::new(false));
    let state = healed.clone();
    let receiver = Receiver::scripted(move |request| {
        let is_one = request.body == b"{\"n\":1}";
        Reply::Status(if is_one && !state.load(Ordering::SeqCst) { 500 } else { 200 })
    });
    (receiver, healed)
}

#[test]
fn a_dead_letter_holds_its_lane_over_a_kill_until_it_is_skipped() {
    let platform = Platform::open(HOLD);
    let (receiver, _) = refuses_one();
    platform.endpoint(&receiver);
    let first = platform.publish("a", 1);
    let dead = platform.wait_for(&first, "dead");
    let second = platform.publish("a", 2);
    platform.wait_for(&platform.publish("b", 3), "delivered");
    let platform = platform.killed();
    let third = platform.publish("a", 4);
    std::thread::sleep(QUIET);
    assert_eq!(numbers(&receiver), [1, 3], "the lane stands still");
    for event in [&second, &third] {
        let explained = platform.explained(event);
        assert_eq!(explained["waits_for"], "held", "{explained}");
        assert_eq!(explained["held_by"], dead["id"]);
        assert_eq!(explained["delivery"]["state"], "queued");
    }
    let tried = json!({"tenant": "acme", "type": "a.b", "key": "a", "data": {}});
    let tried = platform.api.post("/v1/explain", &tried).expect(200);
    assert_eq!(tried["data"][0]["held_by"], dead["id"]);

    let output = Command::new(env!("CARGO_BIN_EXE_angarium"))
        .args(["delivery", "skip", text(&dead, "id"), "--json"])
        .env("ANGARIUM_URL", format!("http://{}", platform.server.address))
        .env("ANGARIUM_KEY", ADMIN_KEY)
        .env("ANGARIUM_ENVIRONMENT", "swift")
        .output()
        .expect("the program runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let skipped: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&skipped["id"], &skipped["state"]), (&dead["id"], &json!("dead")));
    platform.wait_for(&third, "delivered");
    assert_eq!(numbers(&receiver), [1, 3, 2, 4]);
    let again = platform.act(&dead, "skip");
    assert_eq!((again.status, again.code()), (409, "invalid_state"));
    let told = platform.api.list("/v1/audit?action=delivery.skip");
    assert_eq!(told.iter().map(|entry| &entry["object"]["id"]).collect::<Vec<_>>(), [&dead["id"]]);
}

#[test]
fn a_held_lane_goes_on_when_its_dead_letter_arrives_after_all() {
    let platform = Platform::open(HOLD);
    let (receiver, healed) = refuses_one();
    platform.endpoint(&receiver);
    let first = platform.publish("a", 1);
    let dead = platform.wait_for(&first, "dead");
    let second = platform.publish("a", 2);
    platform.act(&dead, "retry").expect(202);
    receiver.wait_for(2, SOON);
    platform.wait_for(&first, "dead");
    assert_eq!(platform.explained(&second)["held_by"], dead["id"], "it failed once more");
    healed.store(true, Ordering::SeqCst);
    platform.api.post(&format!("/v1/events/{first}/replay"), &json!({})).expect(202);
    platform.wait_for(&second, "delivered");
    assert_eq!(numbers(&receiver), [1, 1, 1, 2]);
}

#[test]
fn only_lanes_can_hold_and_the_check_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("swift.toml");
    let text = contract("retries = []\nafter_dead_letter = \"hold\"");
    std::fs::write(&file, text).expect("a contract");
    let output = Command::new(env!("CARGO_BIN_EXE_angarium"))
        .args(["contract", "check"])
        .arg(&file)
        .output()
        .expect("the program runs");
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("only a lane can hold: without `ordering` there is none"), "{told}");
    assert!(told.contains("add `ordering = \"key\"`"), "{told}");
}
