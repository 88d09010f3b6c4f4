//! One healthy endpoint beside a thousand bad ones: it does not notice them (design.md, rule 9).
//!
//! Its events go out by the clock, first alone, then while every neighbour hangs, is slow or
//! refuses. In CI the medians of up to three rounds may be `ISOLATION_SLACK_MS` worse, which is
//! what a machine that does other things as well adds to a commit. `ISOLATION_ENDPOINTS=1000
//! ISOLATION_BURST=20 ISOLATION_SECONDS=45 ISOLATION_TIMEOUT_SECONDS=15 ISOLATION_SLACK_MS=0` is
//! the long run; `ISOLATION_SETTLE_SECONDS=90` looks at what comes when the neighbours have hung
//! for so long, and `ISOLATION_EVERY_SECONDS=3600` at attempts that hang and are made again, with
//! no new events beside them.

use crate::support::client::{Api, Connection};
use crate::support::healthy::{Healthy, Latencies};
use crate::support::shop::{self, Shop};
use crate::support::turns;
use crate::support::wide::{Answer, WideReceiver};
use crate::support::{figure, rounds};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a healthy endpoint's latency may grow to beside bad ones.
const AT_MOST: f64 = 1.5;
/// Most endpoints of a tenant (api.md, "Limits"); the healthy one is one of them.
const PER_TENANT: u64 = 1_000;
/// Then each of them gets one after so many seconds, again and again.
const EVERY: u64 = 1;
/// Tenants live in 64 shards by turns, and `acme` is the first: the one after these is its
/// neighbour.
const SHARDS: u64 = 64;

/// Where the bad ones are.
#[derive(Debug, Clone, Copy)]
enum Place {
    SameTenant,
    SameShard,
    OtherShards,
}

/// What is bad about them.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Hang,
    Slow,
    Refuse,
}

/// The 99th percentiles of one round, alone and beside.
struct Round {
    answer: (Duration, Duration),
    arrival: (Duration, Duration),
}

#[test]
fn a_healthy_endpoint_does_not_notice_those_that_hang_beside_it() {
    measure(Place::SameTenant, Fault::Hang);
}

#[test]
fn nor_those_of_another_tenant_in_its_shard() {
    measure(Place::SameShard, Fault::Hang);
}

#[test]
fn nor_those_of_other_shards() {
    measure(Place::OtherShards, Fault::Hang);
}

#[test]
fn nor_those_that_are_slow() {
    measure(Place::SameTenant, Fault::Slow);
}

#[test]
fn nor_those_that_refuse() {
    measure(Place::SameTenant, Fault::Refuse);
}

/// Compares the medians of the rounds, and stops when they are good: what a busy machine adds comes
/// and goes, what neighbours cost is there in most rounds.
fn measure(place: Place, fault: Fault) {
    let _alone = turns::alone();
    let most = rounds("ISOLATION_ROUNDS", 3);
    let slack = Duration::from_millis(rounds("ISOLATION_SLACK_MS", 250));
    let mut all = Vec::new();
    loop {
        all.push(round(place, fault));
        let publish = compare("publish answered", all.iter().map(|round| round.answer));
        let arrival = compare("arrived", all.iter().map(|round| round.arrival));
        let is_good =
            |(alone, beside): (Duration, Duration)| beside <= alone.mul_f64(AT_MOST) + slack;
        if is_good(publish) && is_good(arrival) {
            return;
        }
        assert!((all.len() as u64) < most, "{fault:?}, {place:?}: {publish:?}, {arrival:?}");
    }
}

/// The medians of what was measured alone and beside.
fn compare(
    what: &str,
    all: impl Iterator<Item = (Duration, Duration)> + Clone,
) -> (Duration, Duration) {
    let (alone, beside) = (median(all.clone().map(|p99| p99.0)), median(all.map(|p99| p99.1)));
    figure(format_args!(
        "{what}: p99 {alone:.1?} alone, {beside:.1?} beside them, {:.2} times",
        beside.as_secs_f64() / alone.as_secs_f64(),
    ));
    (alone, beside)
}

fn median(spans: impl Iterator<Item = Duration>) -> Duration {
    let mut spans: Vec<_> = spans.collect();
    spans.sort_unstable();
    spans[spans.len() / 2]
}

/// One server: the healthy endpoint alone, then beside its neighbours.
fn round(place: Place, fault: Fault) -> Round {
    let shop = Shop::open();
    let healthy = Healthy::beside(&shop);
    let receiver = neighbour(fault);
    let tenants = place.tenants(&shop);
    let count = settle(&shop, &tenants, &receiver);
    let span = Duration::from_secs(rounds("ISOLATION_SECONDS", 3));
    healthy.for_a_while(span / 4);
    let alone = healthy.for_a_while(span);
    let over = AtomicBool::new(false);
    let (beside, in_flight, refused) = std::thread::scope(|scope| {
        let crowd = scope.spawn(|| keep_busy(&shop.api, &tenants, &over));
        std::thread::sleep(Duration::from_secs(rounds("ISOLATION_SETTLE_SECONDS", 0)));
        let run = healthy.begin();
        let in_flight = watch(&shop.api, span);
        let beside = healthy.end(run);
        over.store(true, Ordering::SeqCst);
        (beside, in_flight, crowd.join().expect("the neighbours' publisher ends"))
    });
    let (_, memory) = shop.server.memory();
    figure(format_args!(
        "{count} endpoints, {fault:?}, {place:?}: alone: {alone}; beside: {beside}; at \
         most {in_flight} attempts in flight, {refused} publishes to them refused, {} MiB",
        memory >> 20,
    ));
    assert!(beside.is_complete(), "{beside}");
    let p99 = |of: &dyn Fn(&Latencies) -> Duration| (of(&alone), of(&beside));
    Round {
        answer: p99(&|run| run.answer.percentile(99)),
        arrival: p99(&|run| run.arrival.percentile(99)),
    }
}

impl Place {
    /// The neighbours' tenants.
    fn tenants(self, shop: &Shop) -> Vec<String> {
        let numbers = match self {
            Self::SameTenant => return vec!["acme".to_owned()],
            Self::SameShard => 2..=SHARDS + 1,
            Self::OtherShards => 2..=9,
        };
        let tenants: Vec<String> = numbers.map(|n| format!("tenant-{n}")).collect();
        tenants.iter().for_each(|tenant| shop.tenant(tenant));
        match self {
            Self::SameShard => tenants.into_iter().next_back().into_iter().collect(),
            Self::SameTenant | Self::OtherShards => tenants,
        }
    }
}

fn neighbour(fault: Fault) -> WideReceiver {
    let slow = Duration::from_secs(rounds("ISOLATION_SLOW_SECONDS", 1));
    match fault {
        Fault::Hang => WideReceiver::open(|_| Answer::Never),
        Fault::Slow => WideReceiver::open(move |_| Answer::After(slow, 200)),
        Fault::Refuse => WideReceiver::absent(|_| Answer::Status(200)),
    }
}

/// Makes the neighbours' endpoints, evenly in their tenants; how many there are.
fn settle(shop: &Shop, tenants: &[String], receiver: &WideReceiver) -> u64 {
    let count = rounds("ISOLATION_ENDPOINTS", 60).min(PER_TENANT * tenants.len() as u64 - 1);
    let timeout = rounds("ISOLATION_TIMEOUT_SECONDS", 2);
    for (n, tenant) in (0..count).zip(tenants.iter().cycle()) {
        let delivery = json!({"timeout": format!("{}s", timeout + n % (timeout + 1))});
        let url = receiver.url(&format!("/{n}"));
        let endpoint = json!({"url": url, "types": ["neighbour"], "delivery": delivery});
        shop.api.post(&format!("/v1/tenants/{tenant}/endpoints"), &endpoint).expect(201);
    }
    count
}

/// Publishes to every neighbour until it is over; how many publishes were refused.
fn keep_busy(api: &Api, tenants: &[String], over: &AtomicBool) -> u64 {
    let mut connection = Connection::open(&api.address).expect("a connection");
    let mut refused = 0;
    let mut publish = |count: u64| {
        let event = |tenant: &String| json!({"tenant": tenant, "type": "neighbour", "data": {}});
        for _ in 0..count {
            let events: Vec<Value> = tenants.iter().map(event).collect();
            let body = json!({"events": events}).to_string();
            let answer =
                connection.exchange(api, "POST", "/v1/events/batch", Some(body.as_bytes()));
            let answer = answer.expect("an answer").expect(202);
            let results = answer["results"].as_array().expect("results");
            refused += results.iter().filter(|result| result["status"] != 202).count() as u64;
        }
    };
    // In the long run more than a node has slots for.
    publish(rounds("ISOLATION_BURST", 4));
    let every = Duration::from_secs(rounds("ISOLATION_EVERY_SECONDS", EVERY));
    let mut last = Instant::now();
    while !over.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(100));
        if last.elapsed() >= every {
            last += every;
            publish(1);
        }
    }
    refused
}

/// Waits, and tells how many attempts were in flight at most.
fn watch(api: &Api, span: Duration) -> u64 {
    let started = Instant::now();
    let mut most = 0;
    while started.elapsed() < span {
        std::thread::sleep(Duration::from_millis(500).min(span));
        most = most.max(shop::metric(api, "angarium_attempts_in_flight"));
    }
    most
}
