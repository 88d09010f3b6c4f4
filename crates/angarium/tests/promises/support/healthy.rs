//! A healthy endpoint beside others, which gets an event every few milliseconds.

use super::client::{Api, Connection};
use super::receiver::{Receiver, Reply};
use super::shop::Shop;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Time between two events.
const EVERY: Duration = Duration::from_millis(10);
/// A healthy endpoint gets its event within this, whatever happens beside it.
const PROMPT: Duration = Duration::from_secs(1);
/// The last event of a run arrives within this, or is lost.
const LAST: Duration = Duration::from_secs(10);

type Arrivals = Arc<Mutex<HashMap<u64, Instant>>>;

/// The endpoint, and when its events arrived.
pub(crate) struct Healthy {
    api: Api,
    arrivals: Arrivals,
    _receiver: Receiver,
}

/// A run that is under way.
pub(crate) struct Run {
    goes_on: Arc<AtomicBool>,
    publisher: JoinHandle<HashMap<u64, Published>>,
}

/// One call that publishes.
struct Published {
    begun: Instant,
    answered: Instant,
}

/// How long the events of a run took.
pub(crate) struct Latencies {
    /// From the call that publishes to its answer.
    pub(crate) answer: Sorted,
    /// From the call that publishes to the arrival.
    pub(crate) arrival: Sorted,
    lost: usize,
}

/// Spans of time in their order.
pub(crate) struct Sorted(Vec<Duration>);

impl Healthy {
    /// Makes the endpoint.
    pub(crate) fn beside(shop: &Shop) -> Self {
        let arrivals = Arrivals::default();
        let record = Arc::clone(&arrivals);
        let receiver = Receiver::unrecorded(move |request| {
            let body: Value = serde_json::from_slice(&request.body).expect("JSON");
            if let Some(n) = body["data"].as_u64() {
                record.lock().expect("not poisoned").insert(n, Instant::now());
            }
            Reply::Status(200)
        });
        shop.endpoint(&json!({"url": receiver.url("/healthy"), "types": ["healthy"]}));
        Self { api: shop.api.clone(), arrivals, _receiver: receiver }
    }

    /// Begins to publish.
    pub(crate) fn begin(&self) -> Run {
        self.arrivals.lock().expect("not poisoned").clear();
        let goes_on = Arc::new(AtomicBool::new(true));
        let (going, api) = (Arc::clone(&goes_on), self.api.clone());
        let publisher = std::thread::spawn(move || publish(&api, &going));
        Run { goes_on, publisher }
    }

    /// Ends the run and tells how long its events took.
    pub(crate) fn end(&self, run: Run) -> Latencies {
        run.goes_on.store(false, Ordering::SeqCst);
        let published = run.publisher.join().expect("every publish is accepted");
        let deadline = Instant::now() + LAST;
        while self.arrivals.lock().expect("not poisoned").len() < published.len()
            && Instant::now() < deadline
        {
            std::thread::sleep(EVERY);
        }
        let arrived = self.arrivals.lock().expect("not poisoned");
        let of_arrived = published
            .iter()
            .filter_map(|(n, call)| Some(arrived.get(n)?.saturating_duration_since(call.begun)));
        let arrival = Sorted::of(of_arrived);
        let answer = Sorted::of(published.values().map(|call| call.answered - call.begun));
        Latencies { lost: published.len() - arrival.0.len(), answer, arrival }
    }

    /// A run with nothing beside it.
    pub(crate) fn for_a_while(&self, span: Duration) -> Latencies {
        let run = self.begin();
        std::thread::sleep(span);
        self.end(run)
    }
}

/// Publishes by the clock: a call that had to wait for the one before began when its turn came, so
/// that a server that stands still is not measured once only.
fn publish(api: &Api, goes_on: &AtomicBool) -> HashMap<u64, Published> {
    let mut connection = Connection::open(&api.address).expect("a connection");
    let mut published = HashMap::new();
    let mut turn = Instant::now();
    for n in 0.. {
        if !goes_on.load(Ordering::SeqCst) {
            break;
        }
        let wait = turn.saturating_duration_since(Instant::now());
        std::thread::sleep(wait);
        let begun = if wait.is_zero() { turn } else { Instant::now() };
        let event = json!({"tenant": "acme", "type": "healthy", "data": n}).to_string();
        let answer = connection.exchange(api, "POST", "/v1/events", Some(event.as_bytes()));
        assert_eq!(answer.expect("an answer").status, 202);
        published.insert(n, Published { begun, answered: Instant::now() });
        turn += EVERY;
    }
    published
}

impl Sorted {
    fn of(spans: impl Iterator<Item = Duration>) -> Self {
        let mut spans: Vec<_> = spans.collect();
        spans.sort_unstable();
        Self(spans)
    }

    /// The span that so many in a hundred do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * percent / 100).copied().unwrap_or_default()
    }
}

impl Latencies {
    /// Whether everything arrived.
    pub(crate) fn is_complete(&self) -> bool {
        self.lost == 0 && !self.arrival.0.is_empty()
    }

    /// Whether everything arrived, and promptly.
    pub(crate) fn is_served(&self) -> bool {
        self.is_complete() && self.arrival.percentile(99) < PROMPT
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |spans: &Sorted, percent| spans.percentile(percent).as_secs_f64() * 1e3;
        write!(
            f,
            "{} events, {} lost, arrival p50 {:.1} ms, p99 {:.1} ms, answer p99 {:.1} ms",
            self.arrival.0.len(),
            self.lost,
            millis(&self.arrival, 50),
            millis(&self.arrival, 99),
            millis(&self.answer, 99),
        )
    }
}
