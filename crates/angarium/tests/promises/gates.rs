//! Gates: what an endpoint does not carry waits, and waiting uses up no retry.

use crate::support::eventually;
use crate::support::receiver::{Receiver, Reply};
use crate::support::shop::{Shop, text};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);
/// Shorter than the shortest wait of the standard contract's breaker.
const QUIET: Duration = Duration::from_secs(1);

/// What the only endpoint's delivery of an event waits for, as `explain` tells it.
fn endpoint_of(shop: &Shop, event: &str) -> Value {
    let told = shop.api.get(&format!("/v1/events/{event}/explain")).expect(200);
    told["data"][0].clone()
}

#[test]
fn an_endpoint_that_is_down_costs_one_probe_at_a_time_and_what_waits_keeps_its_retries() {
    let is_up = Arc::new(AtomicBool::new(false));
    let up = is_up.clone();
    let receiver = Receiver::scripted(move |_| match up.load(Ordering::SeqCst) {
        true => Reply::Status(200),
        false => Reply::Status(500),
    });
    let shop = Shop::open();
    shop.endpoint(&json!({"url": receiver.url("/"), "types": ["*"]}));
    for n in 1..=10 {
        shop.publish("a", &json!(n));
        receiver.wait_for(n, SOON);
    }
    let held: Vec<_> = (0..20).map(|n| shop.publish("b", &json!(n))).collect();
    std::thread::sleep(QUIET);
    assert_eq!(receiver.count(), 10, "it is left alone");
    let last = text(held.last().expect("twenty"), "id");
    let endpoint = endpoint_of(&shop, last);
    assert_eq!(endpoint["waits_for"], "breaker", "{endpoint}");
    assert_eq!(endpoint["gate"]["breaker"], "open", "{endpoint}");

    receiver.wait_for(11, SOON);
    std::thread::sleep(QUIET);
    assert_eq!(receiver.count(), 11, "one probe");
    is_up.store(true, Ordering::SeqCst);
    // The probe that failed has used up one retry; nobody else's is.
    let attempts = held.iter().map(|event| {
        let delivered = shop.wait_for_state(text(event, "id"), "delivered");
        delivered["attempts"].as_array().map_or(0, Vec::len)
    });
    assert!(attempts.sum::<usize>() <= held.len() + 1);
}

#[test]
fn an_endpoint_gets_no_more_a_second_than_its_rate() {
    const BURST: usize = 5;
    const PER_SECOND: usize = 20;
    let arrivals: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let times = arrivals.clone();
    let receiver = Receiver::unrecorded(move |_| {
        times.lock().expect("nobody panics").push(Instant::now());
        Reply::Status(200)
    });
    let shop = Shop::open();
    let rate = json!({"per_second": PER_SECOND, "burst": BURST});
    let body = json!({"url": receiver.url("/"), "types": ["*"], "rate": rate});
    let endpoint = shop.endpoint(&body);
    assert_eq!(endpoint["rate"], rate);
    let started = Instant::now();
    let count = BURST + 2 * PER_SECOND;
    for n in 0..count {
        shop.publish("a", &json!(n));
    }
    let arrived = || arrivals.lock().expect("nobody panics").len();
    eventually("all arrive", SOON, || arrived() == count);
    assert!(started.elapsed() >= Duration::from_millis(1_900), "{:?}", started.elapsed());
    let arrivals = arrivals.lock().expect("nobody panics");
    for (n, first) in arrivals.iter().enumerate() {
        let within = |at: &&Instant| at.duration_since(*first) < Duration::from_millis(900);
        let most = arrivals[n..].iter().take_while(within).count();
        assert!(most <= PER_SECOND + BURST, "{most} within a second from the {n}th");
    }
}
