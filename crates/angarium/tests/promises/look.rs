//! Looking behind a delivery: a receiver can show that it missed nothing, everyone is told why an
//! event went where it went, and what was accepted can be sent again.

use crate::support::eventually;
use crate::support::message::Message;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::{ADMIN_KEY, Server};
use crate::support::shop::{Shop, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// The numbers that a receiver has seen, each with the event that carried it.
fn seen(receiver: &Receiver) -> BTreeMap<u64, String> {
    let number = |request: &Message| {
        let number = request.header("webhook-sequence")?.parse().ok()?;
        Some((number, request.header("webhook-id")?.to_owned()))
    };
    receiver.seen().iter().filter_map(number).collect()
}

/// The numbers of an endpoint as the API lists them.
fn listed(shop: &Shop, endpoint: &Value, range: &str) -> Vec<Value> {
    shop.api.list(&format!("/v1/endpoints/{}/deliveries?{range}", text(endpoint, "id")))
}

fn number(row: &Value) -> u64 {
    row["sequence"].as_u64().expect("a number")
}

/// Runs the command line against the shop, for programs.
fn angarium(shop: &Shop, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_angarium"))
        .args(arguments)
        .arg("--json")
        .env("ANGARIUM_URL", format!("http://{}", shop.server.address))
        .env("ANGARIUM_KEY", ADMIN_KEY)
        .env("ANGARIUM_ENVIRONMENT", "shop")
        .output()
        .expect("the program runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_receiver_can_show_that_it_missed_nothing_even_over_a_kill() {
    numbers_have_no_gap(Server::kill);
}

#[test]
fn a_receiver_can_show_that_it_missed_nothing_over_a_clean_restart() {
    numbers_have_no_gap(|server| assert!(server.stop().success()));
}

/// The list is compared with what the receiver saw and what the publisher was told.
fn numbers_have_no_gap(end: impl FnOnce(Server)) {
    let receiver = Receiver::kind();
    let shop = Shop::open();
    let endpoint = shop.endpoint(&json!({"url": receiver.url("/"), "types": ["a.*"]}));
    let id = text(&endpoint, "id").to_owned();
    let act = |shop: &Shop, verb: &str| {
        shop.api.post(&format!("/v1/endpoints/{id}/{verb}"), &json!({})).expect(200);
    };
    let mut events = Vec::new();
    let mut publish = |shop: &Shop, count: usize| {
        for n in 0..count {
            // What does not match has no number, so it leaves no gap.
            shop.publish("b", &json!(n));
            events.push(text(&shop.publish("a.b", &json!(n)), "id").to_owned());
        }
    };
    publish(&shop, 40);
    act(&shop, "disable");
    publish(&shop, 3);
    act(&shop, "enable");
    act(&shop, "pause");
    publish(&shop, 5);
    let waiting = listed(&shop, &endpoint, "from=44&to=44");
    let cancel = format!("/v1/deliveries/{}/cancel", text(&waiting[0], "id"));
    shop.api.post(&cancel, &json!({})).expect(202);
    act(&shop, "resume");
    let shop = shop.restarted(end);
    publish(&shop, 12);
    receiver.wait_for(40 + 4 + 12, SOON);

    eventually("every number has ended", SOON, || {
        let rows = listed(&shop, &endpoint, "from=1");
        rows.iter()
            .all(|row| ["delivered", "suppressed", "cancelled"].contains(&text(row, "state")))
    });
    let rows = listed(&shop, &endpoint, "from=1");
    assert_eq!(rows.iter().map(number).collect::<Vec<_>>(), (1..=60).collect::<Vec<_>>());
    let carried: Vec<_> = rows.iter().map(|row| text(&row["event"], "id")).collect();
    assert_eq!(carried, events, "a number is an event's, in the order of acceptance");
    let delivered = rows.iter().filter(|row| row["state"] == "delivered");
    let delivered: BTreeMap<_, _> =
        delivered.map(|row| (number(row), text(&row["event"], "id").to_owned())).collect();
    assert_eq!(seen(&receiver), delivered, "what was delivered is what the receiver saw");
    let in_state = |state: &str| {
        let rows = rows.iter().filter(|row| row["state"] == state);
        rows.map(number).collect::<Vec<_>>()
    };
    assert_eq!(in_state("suppressed"), [41, 42, 43]);
    assert_eq!(in_state("cancelled"), [44]);
    let part = angarium(&shop, &["endpoint", "sequence", &id, "--from", "43", "--to", "45"]);
    let part = part["data"].as_array().expect("a page").iter().map(number);
    assert_eq!(part.collect::<Vec<_>>(), [43, 44, 45]);
}

#[test]
fn explain_tells_where_an_event_went_why_not_elsewhere_and_what_is_waited_for() {
    let healthy = Arc::new(AtomicBool::new(false));
    let state = healthy.clone();
    let receiver = Receiver::scripted(move |request| {
        let to_bad = request.first_line.contains("/bad");
        Reply::Status(if to_bad && !state.load(Ordering::SeqCst) { 500 } else { 200 })
    });
    let shop = Shop::open();
    let made = |path: &str, more: Value| {
        let mut body = json!({"url": receiver.url(path), "types": ["*"]});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        text(&shop.endpoint(&body), "id").to_owned()
    };
    let good = made("/good", json!({}));
    let bad = made("/bad", json!({"delivery": {"timeout": "2s", "retries": ["1h"]}}));
    let paused = made("/paused", json!({"status": "paused"}));
    let other = made("/other", json!({"types": ["order.*"]}));
    let event = text(&shop.publish("a.b", &json!({})), "id").to_owned();
    let explained = || {
        let answer = angarium(&shop, &["event", "explain", &event]);
        let rows = answer["data"].as_array().expect("endpoints").clone();
        rows.into_iter()
            .map(|row| (text(&row, "endpoint").to_owned(), row))
            .collect::<BTreeMap<_, _>>()
    };
    eventually("the first attempts are over", SOON, || {
        let rows = explained();
        rows[&good]["delivery"]["state"] == "delivered" && rows[&bad]["waits_for"] == "time"
    });
    let rows = explained();
    assert_eq!(rows[&good]["waits_for"], Value::Null);
    let [next, due] = [&rows[&bad]["next_attempt_at"], &rows[&bad]["delivery"]["next_attempt_at"]];
    assert!(next.is_string() && next == due, "{next} {due}");
    assert_eq!(rows[&bad]["settings"]["retries"], json!({"value": ["1h"], "origin": "endpoint"}));
    assert_eq!(rows[&good]["settings"]["retries"]["origin"], "contract");
    assert_eq!(rows[&paused]["waits_for"], "endpoint_paused");
    assert_eq!(rows[&other]["matched"], false);
    assert_eq!((&rows[&other]["rule"], &rows[&other]["judged"]), (&json!("type"), &json!("now")));
    assert_eq!(rows[&other]["reason"], "it asks for order.*; the event is a.b");

    let tried = angarium(
        &shop,
        &["explain", "--tenant=acme", "--type=order.paid", "--data={}", "--limit=1"],
    );
    assert_eq!(tried["endpoints"], 4);
    assert_eq!(tried["data"][0]["endpoint"], json!(other), "the newest comes first");
    assert_eq!(tried["data"][0]["matched"], true);
    assert_eq!(shop.api.list("/v1/events?tenant=acme").len(), 1, "nothing was published");
}

#[test]
fn what_was_accepted_can_be_sent_again_to_those_that_had_it_and_to_a_new_endpoint() {
    let receiver = Receiver::kind();
    let shop = Shop::open();
    let old = shop.endpoint(&json!({"url": receiver.url("/old"), "types": ["a"]}));
    let data = json!({"n": 1});
    let event = text(&shop.publish("a", &data), "id").to_owned();
    shop.wait_for_state(&event, "delivered");
    let new = shop.endpoint(&json!({"url": receiver.url("/new"), "types": ["b"]}));

    let [old, new] = [text(&old, "id"), text(&new, "id")];
    let answer = angarium(&shop, &["event", "replay", &event]);
    assert_eq!(answer["deliveries"].as_array().map(Vec::len), Some(1));
    assert_eq!(answer["deliveries"][0]["endpoint"], old);
    let answer = angarium(&shop, &["event", "replay", &event, "--endpoint", new]);
    assert_eq!(answer["deliveries"][0]["endpoint"], new);
    let seen = receiver.wait_for(3, SOON);
    let ids: BTreeSet<_> = seen.iter().filter_map(|request| request.header("webhook-id")).collect();
    assert_eq!(ids, BTreeSet::from([event.as_str()]), "a replay keeps the event's id");
    let bodies: BTreeSet<_> = seen.iter().map(|request| request.body.clone()).collect();
    assert_eq!(bodies.len(), 1, "and its body");
    let numbers = |path: &str| {
        let to = seen.iter().filter(|request| request.first_line.contains(path));
        let numbers: Vec<_> = to.filter_map(|request| request.header("webhook-sequence")).collect();
        numbers
    };
    assert_eq!((numbers("/old"), numbers("/new")), (vec!["1", "1"], vec!["0"]));

    // Its rows outlive the process.
    eventually("all have ended", SOON, || {
        shop.deliveries(&event).iter().all(|row| row["state"] == "delivered")
    });
    let before = shop.deliveries(&event);
    assert_eq!(before.len(), 3);
    let shop = shop.restarted(Server::kill);
    assert_eq!(shop.deliveries(&event), before);
    assert_eq!(receiver.count(), 3, "nothing is sent again by itself");
}

#[test]
fn a_replay_that_was_answered_arrives_even_if_the_server_dies_at_once() {
    let receiver = Receiver::kind();
    let shop = Shop::open();
    let endpoint = shop.endpoint(&json!({"url": receiver.url("/"), "types": ["a"]}));
    let event = text(&shop.publish("a", &json!({})), "id").to_owned();
    shop.wait_for_state(&event, "delivered");
    let path = format!("/v1/endpoints/{}", text(&endpoint, "id"));
    shop.api.post(&format!("{path}/pause"), &json!({})).expect(200);
    let replay = format!("/v1/events/{event}/replay");
    let answer = shop.api.post(&replay, &json!({})).expect(202);
    let made = text(&answer["deliveries"][0], "id").to_owned();
    let shop = shop.restarted(Server::kill);
    shop.api.post(&format!("{path}/resume"), &json!({})).expect(200);
    eventually("the replay is delivered", SOON, || {
        shop.api.get(&format!("/v1/deliveries/{made}")).expect(200)["state"] == "delivered"
    });
    assert_eq!(receiver.count(), 2);
}
