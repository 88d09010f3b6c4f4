//! Publishers and receivers around a server that has trouble, and what both of them saw.

use crate::support::client::{Api, Connection};
use crate::support::dice::Dice;
use crate::support::eventually;
use crate::support::lanes;
use crate::support::message::Message;
use crate::support::receiver::{Receiver, Reply};
use crate::support::shop::{self, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

const PUBLISHERS: usize = 8;
/// Ordering keys.
const LANES: u64 = 16;
/// The first takes what comes, the second stands in order by key.
const RECEIVERS: [&str; 2] = ["any", "ordered"];
/// Most attempts in flight to one endpoint (api.md, "Limits").
const WINDOW: usize = 64;
/// No receiver answers later than this after a request was sent.
const ON_THE_WAY: Duration = Duration::from_millis(300);
const DRAIN: Duration = Duration::from_secs(60);

/// What a publisher was told.
#[derive(Debug, Clone, Copy)]
struct Told {
    at: Instant,
    /// 0 if there was no answer.
    status: u16,
}

/// A request that arrived.
#[derive(Debug, Clone)]
struct Arrival {
    at: Instant,
    receiver: &'static str,
    /// None if the body is not one that was published.
    n: Option<u64>,
    id: String,
    succeeds: bool,
}

/// What all threads share.
pub(super) struct Load {
    api: RwLock<Option<Api>>,
    next: AtomicU64,
    over: AtomicBool,
    /// Events that were acknowledged: id and sequence number.
    acknowledged: Mutex<BTreeMap<u64, (String, u64)>>,
    told: Mutex<Vec<Told>>,
    arrivals: Mutex<Vec<Arrival>>,
}

impl Load {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            api: RwLock::new(None),
            next: AtomicU64::new(0),
            over: AtomicBool::new(false),
            acknowledged: Mutex::default(),
            told: Mutex::default(),
            arrivals: Mutex::default(),
        })
    }

    /// Environment, tenant and an endpoint for each receiver; the endpoints' ids.
    pub(super) fn set_up(self: &Arc<Self>, api: &Api, seed: u64) -> Vec<String> {
        let environment = json!({"slug": "shop", "title": "Shop", "contracts": ["standard"]});
        api.post("/v1/environments", &environment).expect(201);
        api.put("/v1/tenants/acme", &json!({})).expect(201);
        let endpoint = |name: &'static str| {
            let receiver = self.receiver(name, seed);
            let ordering = if name == "ordered" { "key" } else { "none" };
            let body = json!({
                "url": receiver.url("/"), "types": ["a.*"], "ordering": ordering,
                "delivery": {"timeout": "5s", "retries": vec!["100ms"; 30]},
            });
            let made = api.post("/v1/tenants/acme/endpoints", &body).expect(201);
            text(&made, "id").to_owned()
        };
        RECEIVERS.map(endpoint).to_vec()
    }

    /// Fails one request in twenty.
    fn receiver(self: &Arc<Self>, name: &'static str, seed: u64) -> Receiver {
        let (load, dice) = (self.clone(), Mutex::new(Dice::new(seed)));
        Receiver::unrecorded(move |request| {
            let succeeds = !dice.lock().expect("not poisoned").chance(5);
            load.arrivals.lock().expect("not poisoned").push(Arrival {
                at: Instant::now(),
                receiver: name,
                n: published(request),
                id: request.header("webhook-id").unwrap_or("-").to_owned(),
                succeeds,
            });
            Reply::Status(if succeeds { 200 } else { 500 })
        })
    }

    /// Where the server is from now on.
    pub(super) fn turn_to(&self, api: Option<&Api>) {
        *self.api.write().expect("not poisoned") = api.cloned();
    }

    /// Publishes from several threads while `work` is done.
    pub(super) fn during<R>(&self, work: impl FnOnce() -> R) -> R {
        self.over.store(false, Ordering::SeqCst);
        std::thread::scope(|scope| {
            (0..PUBLISHERS).for_each(|_| drop(scope.spawn(|| self.publish_until_over())));
            // Whatever fails, the publishers must end, or the scope would wait for ever.
            let _end = EndOnDrop(&self.over);
            work()
        })
    }

    fn publish_until_over(&self) {
        let mut open = None;
        while !self.over.load(Ordering::SeqCst) {
            let status = self.publish(&mut open).unwrap_or(0);
            let told = Told { at: Instant::now(), status };
            self.told.lock().expect("not poisoned").push(told);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The answer's status; none if there was no answer.
    fn publish(&self, open: &mut Option<Connection>) -> Option<u16> {
        let api = self.api.read().expect("not poisoned").clone()?;
        let n = self.next.fetch_add(1, Ordering::SeqCst);
        let body = json!({
            "tenant": "acme", "type": "a.b", "key": (n % LANES).to_string(), "data": data(n),
        });
        let mut connection = match open.take() {
            Some(connection) => connection,
            None => Connection::open(&api.address).ok()?,
        };
        let body = body.to_string();
        let answer = connection.exchange(&api, "POST", "/v1/events", Some(body.as_bytes())).ok()?;
        *open = Some(connection);
        if answer.status == 202 {
            let sequence = answer.body["sequence"].as_u64().expect("a number");
            let accepted = (text(&answer.body, "id").to_owned(), sequence);
            self.acknowledged.lock().expect("not poisoned").insert(n, accepted);
        }
        Some(answer.status)
    }

    /// From a moment until the first answer after it for which this holds.
    pub(super) fn until_told(&self, from: Instant, wanted: impl Fn(u16) -> bool) -> Duration {
        let find = || {
            let told = self.told.lock().expect("not poisoned");
            told.iter().find(|told| told.at > from && wanted(told.status)).map(|told| told.at)
        };
        let mut found = None;
        eventually("publishers are told so", Duration::from_secs(20), || {
            found = find();
            found.is_some()
        });
        found.map_or(Duration::ZERO, |at| at - from)
    }

    /// How many answers between two moments had each status.
    pub(super) fn told(&self) -> BTreeMap<u16, usize> {
        let mut counts = BTreeMap::new();
        for told in self.told.lock().expect("not poisoned").iter() {
            *counts.entry(told.status).or_default() += 1;
        }
        counts
    }

    /// The longest time without an acknowledgement.
    pub(super) fn longest_silence(&self) -> Duration {
        let told = self.told.lock().expect("not poisoned");
        let mut times: Vec<_> =
            told.iter().filter(|told| told.status == 202).map(|told| told.at).collect();
        times.sort_unstable();
        times.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default()
    }

    /// Requests that arrived between two moments, without those that may have been on their way.
    pub(super) fn arrived(&self, from: Instant, until: Instant) -> usize {
        let arrivals = self.arrivals.lock().expect("not poisoned");
        arrivals.iter().filter(|one| one.at > from + ON_THE_WAY && one.at < until).count()
    }

    /// Waits until nothing waits any more, then compares what all sides saw.
    pub(super) fn verdict(&self, api: &Api, endpoints: &[String]) -> Verdict {
        eventually("nothing waits any more", DRAIN, || {
            std::thread::sleep(Duration::from_millis(100));
            shop::waiting(api) == 0
        });
        let acknowledged = self.acknowledged.lock().expect("not poisoned").clone();
        let arrivals = self.arrivals.lock().expect("not poisoned").clone();
        let mut verdict = Verdict {
            acknowledged: acknowledged.len(),
            requests: arrivals.len(),
            ..Verdict::default()
        };
        for receiver in RECEIVERS {
            let here: Vec<_> = arrivals.iter().filter(|one| one.receiver == receiver).collect();
            verdict.compare(receiver, &acknowledged, &here);
        }
        for endpoint in endpoints {
            verdict.compare_with_list(api, endpoint, &acknowledged);
        }
        verdict
    }
}

/// The data of an event: its number, and a text that follows from it.
fn data(n: u64) -> Value {
    let mut dice = Dice::new(n);
    let text: String = (0..30).map(|_| format!("{:016x}", dice.next())).collect();
    json!({"n": n, "text": text})
}

/// The number of the event that a request brings, if it is one that was published, unchanged.
fn published(request: &Message) -> Option<u64> {
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    let n = body["data"]["n"].as_u64()?;
    (body["data"] == data(n) && body["type"] == "a.b").then_some(n)
}

struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What both sides saw, compared.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) acknowledged: usize,
    requests: usize,
    lost: Vec<String>,
    /// Requests whose data, type or id are not what was published.
    wrong: usize,
    /// Requests after one that was answered with success.
    repeats: usize,
    /// Events that arrived although their publisher was told nothing: allowed.
    unacknowledged: usize,
    out_of_order: Vec<String>,
    /// Acknowledged events that are not listed as delivered exactly once.
    not_delivered_once: usize,
}

impl Verdict {
    fn compare(
        &mut self,
        receiver: &str,
        acknowledged: &BTreeMap<u64, (String, u64)>,
        arrivals: &[&Arrival],
    ) {
        let (mut ids, mut succeeded) = (BTreeMap::new(), BTreeSet::new());
        for arrival in arrivals {
            let Some(n) = arrival.n else {
                self.wrong += 1;
                continue;
            };
            let id = acknowledged.get(&n).map_or(&arrival.id, |(id, _)| id);
            let first = ids.entry(n).or_insert(id);
            self.wrong += usize::from(*first != &arrival.id);
            self.repeats += usize::from(succeeded.contains(&n));
            if arrival.succeeds {
                succeeded.insert(n);
            }
        }
        self.unacknowledged += ids.keys().filter(|n| !acknowledged.contains_key(n)).count();
        let lost = acknowledged.iter().filter(|(n, _)| !succeeded.contains(n));
        self.lost.extend(lost.map(|(n, (id, _))| format!("{n} ({id}) at {receiver}")));
        if receiver == "ordered" {
            let sequences = acknowledged.iter().map(|(n, (_, sequence))| (*n, *sequence)).collect();
            let requests = arrivals.iter().filter_map(|one| Some((one.n?, one.succeeds)));
            self.out_of_order = lanes::out_of_order(LANES, &sequences, requests);
        }
    }

    fn compare_with_list(
        &mut self,
        api: &Api,
        endpoint: &str,
        acknowledged: &BTreeMap<u64, (String, u64)>,
    ) {
        let mut delivered: BTreeMap<String, usize> = BTreeMap::new();
        for row in api.list(&format!("/v1/deliveries?tenant=acme&endpoint={endpoint}")) {
            if row["state"] == "delivered" {
                *delivered.entry(text(&row["event"], "id").to_owned()).or_default() += 1;
            }
        }
        let once = |id: &String| delivered.get(id).is_some_and(|times| *times == 1);
        self.not_delivered_once += acknowledged.values().filter(|(id, _)| !once(id)).count();
    }

    /// Nothing is lost, changed or out of order; each fault repeats what was in flight at most.
    pub(super) fn assert_promises(&self, faults: u64) {
        let first = |all: &[String]| all[..all.len().min(5)].join(", ");
        assert!(self.lost.is_empty(), "lost: {}", first(&self.lost));
        assert_eq!(self.wrong, 0, "requests with other content than was published");
        assert!(self.out_of_order.is_empty(), "out of order: {}", first(&self.out_of_order));
        assert_eq!(self.not_delivered_once, 0, "not listed as delivered once");
        let most = usize::try_from(faults).unwrap_or(usize::MAX) * WINDOW * RECEIVERS.len();
        assert!(self.repeats <= most, "{} repeats by {faults} faults", self.repeats);
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} acknowledged, {} requests, lost {}, silently corrupted {}, repeats {}, out of \
             order {}, not delivered exactly once {}, delivered without an answer to the \
             publisher {}",
            self.acknowledged,
            self.requests,
            self.lost.len(),
            self.wrong,
            self.repeats,
            self.out_of_order.len(),
            self.not_delivered_once,
            self.unacknowledged,
        )
    }
}
