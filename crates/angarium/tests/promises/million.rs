//! A million deliveries wait over ten thousand endpoints, the server is killed, starts again at
//! once and in bounded memory, and delivers them all when the receivers are back.
//!
//! `MILLION_ENDPOINTS=10000 MILLION_EACH=100 MILLION_DOWN_SECONDS=30 MILLION_CONTRACT_RETRIES=1` is
//! the long run, with `MILLION_PER_TENANT=1000` in ten shards and with 50 in all of them. Each
//! event goes to ten endpoints.

use crate::support::client::{Api, Connection};
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::Server;
use crate::support::shop::{self, Shop};
use crate::support::wide::{Answer, Asked, WideReceiver};
use crate::support::{eventually, figure, rounds};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Endpoints that get the same events.
const GROUP: u64 = 10;
const BATCH: usize = 1_000;
/// Serving again: ready, and an event delivered.
const SERVING: Duration = Duration::from_secs(10);
/// Resident memory while everything waits, just after the start, and while it drains with as many
/// attempts in flight as the node has slots for.
const MEMORY: u64 = 500_000_000;
const DRAIN: Duration = Duration::from_secs(2 * 3600);

/// How much there is of everything.
#[derive(Clone, Copy)]
struct Size {
    endpoints: u64,
    per_tenant: u64,
    /// Events for each endpoint.
    each: u64,
}

impl Size {
    fn asked() -> Self {
        Self {
            endpoints: rounds("MILLION_ENDPOINTS", 200).next_multiple_of(GROUP),
            per_tenant: rounds("MILLION_PER_TENANT", 50).next_multiple_of(GROUP),
            each: rounds("MILLION_EACH", 20),
        }
    }

    fn deliveries(self) -> u64 {
        self.endpoints * self.each
    }

    /// The endpoint's tenant, and the type of its events.
    fn place(self, endpoint: u64) -> (String, String) {
        let (tenant, group) = (endpoint / self.per_tenant, endpoint % self.per_tenant / GROUP);
        (format!("t{tenant}"), format!("g{group}"))
    }
}

/// How often each delivery arrived.
struct Tally {
    each: u64,
    arrived: Vec<AtomicU8>,
    first: AtomicU64,
    again: AtomicU64,
}

impl Tally {
    fn new(size: Size) -> Self {
        let arrived = (0..size.deliveries()).map(|_| AtomicU8::new(0)).collect();
        Self { each: size.each, arrived, first: AtomicU64::new(0), again: AtomicU64::new(0) }
    }

    /// The endpoint stands in the path, the event's turn in its data.
    fn note(&self, asked: &Asked<'_>) -> Answer {
        let endpoint: u64 = asked.path().trim_start_matches('/').parse().expect("a number");
        let body: Value = serde_json::from_slice(asked.body).expect("JSON");
        let turn = body["data"]["turn"].as_u64().expect("a turn");
        let place = usize::try_from(endpoint * self.each + turn).expect("a place");
        let count = match self.arrived[place].fetch_add(1, Ordering::SeqCst) {
            0 => &self.first,
            _ => &self.again,
        };
        count.fetch_add(1, Ordering::SeqCst);
        Answer::Status(200)
    }

    fn first(&self) -> u64 {
        self.first.load(Ordering::SeqCst)
    }
}

#[test]
fn all_that_waits_for_thousands_of_endpoints_outlives_a_kill() {
    let size = Size::asked();
    let tally = Arc::new(Tally::new(size));
    let at_door = Arc::clone(&tally);
    let mut receiver = WideReceiver::absent(move |asked| at_door.note(asked));
    let well = Receiver::scripted(|_| Reply::Status(200));
    let shop = Shop::open();
    shop.endpoint(&json!({"url": well.url("/"), "types": ["*"]}));
    let started = Instant::now();
    settle(&shop, &receiver, size);
    let settled = started.elapsed();
    publish(&shop.api, size);
    let published = started.elapsed() - settled;
    let rows = || shop::metric(&shop.api, "angarium_pending_deliveries");
    eventually("all wait in the store", DRAIN, || rows() >= size.deliveries() * 99 / 100);
    std::thread::sleep(Duration::from_secs(rounds("MILLION_DOWN_SECONDS", 1)));
    let (resident, peak_before) = shop.server.memory();
    figure(format_args!(
        "{} deliveries wait for {} endpoints (made in {settled:.1?}, published \
         in {published:.1?}); {} rows, {} MiB, at most {}",
        size.deliveries(),
        size.endpoints,
        rows(),
        resident >> 20,
        peak_before >> 20,
    ));

    let (shop, serving) = kill_and_start(shop, &well);
    std::thread::sleep(Duration::from_secs(rounds("MILLION_DOWN_SECONDS", 1)));
    let (resident, peak) = shop.server.memory();
    figure(format_args!(
        "after kill -9 it listened after {:.1?} and served after {serving:.1?}; {} MiB, \
         at most {}",
        shop.server.ready,
        resident >> 20,
        peak >> 20,
    ));
    receiver.appear();
    drain(&shop, &tally, size.deliveries());
    let (_, peak_after) = shop.server.memory();
    assert!(serving < SERVING, "{serving:?}");
    let peaks = [peak_before, peak, peak_after];
    assert!(peaks.iter().all(|peak| *peak < MEMORY), "{peaks:?} bytes");
}

/// Makes the endpoints in their tenants, ten with the same subscription.
fn settle(shop: &Shop, receiver: &WideReceiver, size: Size) {
    let mut connection = Connection::open(&shop.api.address).expect("a connection");
    for first in (0..size.endpoints).step_by(usize::try_from(size.per_tenant).expect("small")) {
        shop.tenant(&size.place(first).0);
    }
    let keeps_waits = rounds("MILLION_CONTRACT_RETRIES", 0) == 0;
    for n in 0..size.endpoints {
        let (tenant, group) = size.place(n);
        let mut endpoint = json!({"url": receiver.url(&format!("/{n}")), "types": [group]});
        if keeps_waits {
            endpoint["delivery"] = json!({"retries": vec!["1s"; 100]});
        }
        let (path, body) = (format!("/v1/tenants/{tenant}/endpoints"), endpoint.to_string());
        let made = connection.exchange(&shop.api, "POST", &path, Some(body.as_bytes()));
        made.expect("an answer").expect(201);
    }
}

/// Publishes so many events for each group, one turn after the other.
fn publish(api: &Api, size: Size) {
    let mut connection = Connection::open(&api.address).expect("a connection");
    let event = |turn: u64, first: u64| {
        let (tenant, group) = size.place(first);
        let data = json!({"turn": turn, "text": "x".repeat(200)});
        json!({"tenant": tenant, "type": group, "data": data})
    };
    let firsts = || (0..size.endpoints).step_by(usize::try_from(GROUP).expect("small"));
    let mut events = (0..size.each).flat_map(|turn| firsts().map(move |first| event(turn, first)));
    loop {
        let batch: Vec<Value> = events.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return;
        }
        let body = json!({"events": batch}).to_string();
        let answer = connection.exchange(api, "POST", "/v1/events/batch", Some(body.as_bytes()));
        let answer = answer.expect("an answer").expect(202);
        let results = answer["results"].as_array().expect("results");
        assert!(results.iter().all(|result| result["status"] == 202), "{}", results[0]);
    }
}

/// kill -9 and a start; how long until it was ready and had delivered an event that is new.
fn kill_and_start(shop: Shop, well: &Receiver) -> (Shop, Duration) {
    let mut killed = None;
    let shop = shop.restarted(|server| {
        Server::kill(server);
        killed = Some(Instant::now());
    });
    eventually("ready", DRAIN, || shop.api.get("/readyz").status == 200);
    shop.publish("new", &json!({}));
    well.wait_for(1, DRAIN);
    let serving = killed.expect("it was killed").elapsed();
    (shop, serving)
}

/// Waits until everything has arrived, and tells how fast.
fn drain(shop: &Shop, tally: &Tally, count: u64) {
    let back = Instant::now();
    let (mut half, mut shown) = (None, back);
    eventually("all arrived", DRAIN, || {
        std::thread::sleep(Duration::from_millis(100));
        let first = tally.first();
        if half.is_none() && first * 2 >= count {
            half = Some(back.elapsed());
        }
        if shown.elapsed() > Duration::from_secs(30) {
            shown = Instant::now();
            let (resident, _) = shop.server.memory();
            println!("million: {first} after {:.0?}, {} MiB", back.elapsed(), resident >> 20);
        }
        first == count
    });
    let (_, peak) = shop.server.memory();
    figure(format_args!(
        "half of them had arrived {:.1?} after the receivers were back, all {:.1?} after \
         it; {} came twice; at most {} MiB",
        half.unwrap_or_default(),
        back.elapsed(),
        tally.again.load(Ordering::SeqCst),
        peak >> 20,
    ));
}
