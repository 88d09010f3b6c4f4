//! A receiver that is down while thousands of events wait: memory stays bounded, and all arrive
//! when it is back. `BACKLOG_EVENTS=200000` is the long run.

use crate::support::client::Connection;
use crate::support::receiver::{Receiver, Reply};
use crate::support::shop::{self, Shop};
use crate::support::{eventually, figure, rounds};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const BATCH: u64 = 500;
const MEMORY_MAX: u64 = 300 << 20;
const DRAIN: Duration = Duration::from_secs(240);

#[test]
fn all_that_waited_for_a_receiver_arrives_when_it_is_back_within_bounded_memory() {
    let count = rounds("BACKLOG_EVENTS", 6_000).next_multiple_of(BATCH);
    let back = Arc::new(AtomicBool::new(false));
    let arrived: Arc<Mutex<BTreeSet<u64>>> = Arc::default();
    let (is_back, notes) = (back.clone(), arrived.clone());
    let receiver = Receiver::unrecorded(move |request| {
        if !is_back.load(Ordering::SeqCst) {
            return Reply::Status(503);
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let n = body["data"]["n"].as_u64().unwrap_or(u64::MAX);
        notes.lock().expect("not poisoned").insert(n);
        Reply::Status(200)
    });
    let shop = Shop::open();
    shop.endpoint_for_all(&receiver.url("/"), &["2s"; 100]);

    let started = Instant::now();
    publish(&shop, count);
    let published = started.elapsed();
    let down = Duration::from_secs(rounds("BACKLOG_DOWN_SECONDS", 2));
    std::thread::sleep(down.saturating_sub(published));
    let (waiting, _) = shop.server.memory();
    back.store(true, Ordering::SeqCst);
    let resumed = Instant::now();
    eventually("all arrived", DRAIN, || {
        arrived.lock().expect("not poisoned").len() as u64 == count
    });
    let (_, peak) = shop.server.memory();
    figure(format_args!(
        "{count} events published in {published:?}, memory while they waited {} MiB, \
         at most {} MiB, all arrived {:?} after the receiver was back",
        waiting >> 20,
        peak >> 20,
        resumed.elapsed(),
    ));
    assert!(peak < MEMORY_MAX, "{} MiB", peak >> 20);
    eventually("nothing waits any more", DRAIN, || shop::waiting(&shop.api) == 0);
    let dead = shop.api.list("/v1/deliveries?tenant=acme&state=dead");
    assert_eq!(dead, Vec::<Value>::new());
}

fn publish(shop: &Shop, count: u64) {
    let mut connection = Connection::open(&shop.server.address).expect("a connection");
    for start in (0..count).step_by(usize::try_from(BATCH).expect("small")) {
        let event = |n: u64| {
            let data = json!({"n": n, "text": "x".repeat(900)});
            json!({"tenant": "acme", "type": "a", "data": data})
        };
        let events: Vec<Value> = (start..start + BATCH).map(event).collect();
        let body = json!({"events": events}).to_string();
        let answer =
            connection.exchange(&shop.api, "POST", "/v1/events/batch", Some(body.as_bytes()));
        let answer = answer.expect("an answer").expect(202);
        let results = answer["results"].as_array().expect("results");
        assert!(results.iter().all(|result| result["status"] == 202), "{}", results[0]);
    }
}
