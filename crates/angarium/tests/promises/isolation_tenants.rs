//! A tenant that publishes as fast as it can does not slow another's deliveries: the 99th
//! percentile from a publish to its arrival is at most twice what it is alone.
//!
//! Both tenants live in one shard, so that they share all that tenants can share: the shard's lock,
//! the commits, the store's writer, the node's slots. `ISOLATION_SECONDS` makes a long run.

use crate::support::client::{Api, Connection};
use crate::support::receiver::{Receiver, Reply};
use crate::support::shop::Shop;
use crate::support::turns;
use crate::support::{eventually, rounds};
use angarium_core::id::ShardId;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(50);
/// Who floods, by how many callers at once.
const CALLERS: usize = 8;
/// What a machine with other work adds now and then. Two of 240 events are above the percentile, so
/// that a few pauses of the machine, of which a busier process gets more, are seen by it.
const NOISE: Duration = Duration::from_millis(50);
/// Other work on the machine makes a measurement worse and never better, so that one which holds
/// shows what the server does; a server that breaks the promise breaks it in every one.
const TRIES: u32 = 3;
/// What goes into commits of one tenant while another publishes, for each core
/// (`docs/delivery.md`).
const EACH_CORE: u64 = 2_000;
const SOON: Duration = Duration::from_secs(60);

type Arrivals = Arc<Mutex<BTreeMap<u64, Instant>>>;

/// The tenant that publishes 20 events a second, and its neighbour in the same shard.
struct Street {
    shop: Shop,
    arrivals: Arrivals,
    next: u64,
}

impl Street {
    fn open() -> Self {
        let shop = Shop::open();
        // The neighbour's number is the quiet tenant's and a whole round of shards.
        (1..ShardId::COUNT).for_each(|n| shop.tenant(&format!("t{n}")));
        shop.tenant("loud");
        let arrivals = Arrivals::default();
        let notes = arrivals.clone();
        let quiet = Receiver::unrecorded(move |request| {
            let now = Instant::now();
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let n = body["data"]["n"].as_u64().unwrap_or(u64::MAX);
            notes.lock().expect("nobody panics").entry(n).or_insert(now);
            Reply::Status(200)
        });
        let loud = Receiver::unrecorded(|_| Reply::Status(200));
        for (tenant, receiver) in [("acme", quiet), ("loud", loud)] {
            let endpoint = json!({"url": receiver.url("/"), "types": ["*"]});
            shop.api.post(&format!("/v1/tenants/{tenant}/endpoints"), &endpoint).expect(201);
        }
        Self { shop, arrivals, next: 0 }
    }

    /// Publishes at an even pace and waits for everything; answers how long each took to arrive.
    fn walk(&mut self, span: Duration) -> Vec<Duration> {
        let address = &self.shop.server.address;
        let mut connection = Connection::open(address).expect("a connection");
        let (began, first) = (Instant::now(), self.next);
        let mut published = Vec::new();
        for due in (0..).map(|n| began + EVERY * n).take_while(|due| *due < began + span) {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let n = self.next;
            self.next += 1;
            let event = json!({"tenant": "acme", "type": "a", "data": {"n": n}}).to_string();
            // From when it was due: a publish that is late because the one before was slow counts.
            published.push((n, due));
            let body = Some(event.as_bytes());
            let answer = connection.exchange(&self.shop.api, "POST", "/v1/events", body);
            answer.expect("an answer").expect(202);
        }
        let arrivals = self.arrivals.clone();
        let arrived = || arrivals.lock().expect("nobody panics").range(first..).count();
        eventually("all arrived", SOON, || arrived() == published.len());
        let arrivals = arrivals.lock().expect("nobody panics");
        published.iter().map(|(n, due)| arrivals[n].saturating_duration_since(*due)).collect()
    }

    /// Waits until the neighbour's events have arrived too, so that the next turn begins anew.
    fn settle(&self) {
        let waiting = "/v1/deliveries?tenant=loud&limit=1&state=";
        let is_none = |state: &str| {
            let page = self.shop.api.get(&format!("{waiting}{state}")).expect(200);
            page["data"].as_array().is_some_and(Vec::is_empty)
        };
        eventually("the flood is over", SOON, || is_none("pending") && is_none("in_flight"));
    }
}

/// Callers that publish one after the other, each as fast as it gets answers.
struct Flood {
    accepted: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    callers: Vec<std::thread::JoinHandle<()>>,
}

impl Flood {
    fn begin(api: &Api, events_per_call: usize) -> Self {
        let [accepted, refused] = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
        let is_over = Arc::new(AtomicBool::new(false));
        let callers = (0..CALLERS).map(|_| {
            let (api, over) = (api.clone(), is_over.clone());
            let counts = [accepted.clone(), refused.clone()];
            std::thread::spawn(move || publish_until(&api, events_per_call, &over, &counts))
        });
        Self { callers: callers.collect(), accepted, refused, is_over }
    }

    /// Ends it; answers how many events were accepted and how many refused.
    fn end(self) -> (u64, u64) {
        self.is_over.store(true, Ordering::SeqCst);
        self.callers.into_iter().for_each(|caller| caller.join().expect("a caller"));
        (self.accepted.load(Ordering::SeqCst), self.refused.load(Ordering::SeqCst))
    }
}

fn publish_until(api: &Api, events: usize, over: &AtomicBool, counts: &[Arc<AtomicU64>; 2]) {
    let event = json!({"tenant": "loud", "type": "a", "data": {"text": "x".repeat(300)}});
    let body = json!({"events": vec![event; events]}).to_string();
    let mut connection = Connection::open(&api.address).expect("a connection");
    while !over.load(Ordering::SeqCst) {
        let answer = connection.exchange(api, "POST", "/v1/events/batch", Some(body.as_bytes()));
        let answer = answer.expect("an answer").expect(202);
        for result in answer["results"].as_array().expect("results") {
            let count = usize::from(result["status"] != 202);
            counts[count].fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Sorted before.
fn percentile(took: &[Duration], percent: usize) -> Duration {
    took[(took.len() * percent).div_ceil(100) - 1]
}

/// What the quiet tenant's deliveries took beside one kind of neighbour.
struct Beside {
    events_per_call: usize,
    took: Vec<Duration>,
    accepted: u64,
    refused: u64,
}

impl Beside {
    fn new(events_per_call: usize) -> Self {
        Self { events_per_call, took: vec![], accepted: 0, refused: 0 }
    }

    /// How many of the neighbour's events were accepted in a second.
    fn rate(&self, span: Duration) -> u64 {
        self.accepted / span.as_secs()
    }
}

/// What one measurement saw: alone, and beside each kind of neighbour.
struct Seen {
    alone: Vec<Duration>,
    beside: [Beside; 2],
    /// For how long the quiet tenant published in each of the three.
    span: Duration,
}

impl Seen {
    /// By turns, so that what else the machine does strikes all of them alike.
    fn measure(street: &mut Street) -> Self {
        let turns = 3;
        let span = Duration::from_secs(rounds("ISOLATION_SECONDS", 12));
        let mut seen = Self { alone: vec![], beside: [1, 100].map(Beside::new), span };
        for _ in 0..turns {
            seen.alone.extend(street.walk(span / turns));
            for beside in &mut seen.beside {
                let flood = Flood::begin(&street.shop.api, beside.events_per_call);
                beside.took.extend(street.walk(span / turns));
                let (accepted, refused) = flood.end();
                beside.accepted += accepted;
                beside.refused += refused;
                street.settle();
            }
        }
        seen.alone.sort_unstable();
        seen.beside.iter_mut().for_each(|beside| beside.took.sort_unstable());
        seen
    }

    fn print(&self) {
        println!("20 events a second, from publish to arrival: p50, p99, max");
        println!("  alone: {:?}", figures(&self.alone));
        for beside in &self.beside {
            println!(
                "  beside {CALLERS} callers with {} events a call: {:?}; \
                 {} a second of theirs were accepted, {} refused",
                beside.events_per_call,
                figures(&beside.took),
                beside.rate(self.span),
                beside.refused,
            );
        }
    }

    /// Whether no neighbour made the quiet tenant wait longer than the promise allows.
    fn is_kept(&self) -> bool {
        let alone = percentile(&self.alone, 99);
        let bound = (alone * 2).max(alone + NOISE);
        self.beside.iter().all(|beside| percentile(&beside.took, 99) <= bound)
    }
}

#[test]
fn who_publishes_as_fast_as_it_can_does_not_slow_another_tenant_s_deliveries() {
    let _alone = turns::alone();
    let mut street = Street::open();
    street.walk(Duration::from_secs(1));
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let is_kept = (0..TRIES).any(|_| {
        let seen = Seen::measure(&mut street);
        seen.print();
        for beside in &seen.beside {
            let rate = beside.rate(seen.span);
            assert!(rate <= EACH_CORE * cores * 5 / 4, "{rate} a second were accepted");
        }
        seen.is_kept()
    });
    assert!(is_kept, "in none of {TRIES} measurements");
}

/// The 50th and the 99th percentile and the longest of what is sorted.
fn figures(took: &[Duration]) -> [Duration; 3] {
    [50, 99, 100].map(|percent| percentile(took, percent))
}
