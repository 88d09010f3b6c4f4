//! A healthy endpoint beside the bad ones, which gets an event every few milliseconds.

use crate::support::client::{Api, Connection};
use crate::support::receiver::{Receiver, Reply};
use crate::support::shop::Shop;
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
pub(super) struct Healthy {
    api: Api,
    arrivals: Arrivals,
    _receiver: Receiver,
}

/// A run that is under way.
pub(super) struct Run {
    goes_on: Arc<AtomicBool>,
    publisher: JoinHandle<HashMap<u64, Instant>>,
}

/// From the call that publishes to the arrival, sorted.
pub(super) struct Latencies {
    of_arrived: Vec<Duration>,
    lost: usize,
}

impl Healthy {
    /// Makes the endpoint.
    pub(super) fn beside(shop: &Shop) -> Self {
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
    pub(super) fn begin(&self) -> Run {
        self.arrivals.lock().expect("not poisoned").clear();
        let goes_on = Arc::new(AtomicBool::new(true));
        let (going, api) = (Arc::clone(&goes_on), self.api.clone());
        let publisher = std::thread::spawn(move || publish(&api, &going));
        Run { goes_on, publisher }
    }

    /// Ends the run and tells how long its events took.
    pub(super) fn end(&self, run: Run) -> Latencies {
        run.goes_on.store(false, Ordering::SeqCst);
        let published = run.publisher.join().expect("every publish is accepted");
        let deadline = Instant::now() + LAST;
        while self.arrivals.lock().expect("not poisoned").len() < published.len()
            && Instant::now() < deadline
        {
            std::thread::sleep(EVERY);
        }
        let arrived = self.arrivals.lock().expect("not poisoned");
        let mut of_arrived: Vec<Duration> = published
            .iter()
            .filter_map(|(n, at)| Some(arrived.get(n)?.saturating_duration_since(*at)))
            .collect();
        of_arrived.sort_unstable();
        Latencies { lost: published.len() - of_arrived.len(), of_arrived }
    }

    /// A run with nothing beside it.
    pub(super) fn for_a_while(&self, span: Duration) -> Latencies {
        let run = self.begin();
        std::thread::sleep(span);
        self.end(run)
    }
}

fn publish(api: &Api, goes_on: &AtomicBool) -> HashMap<u64, Instant> {
    let mut connection = Connection::open(&api.address).expect("a connection");
    let mut published = HashMap::new();
    for n in 0.. {
        if !goes_on.load(Ordering::SeqCst) {
            break;
        }
        let event = json!({"tenant": "acme", "type": "healthy", "data": n}).to_string();
        let begun = Instant::now();
        let answer = connection.exchange(api, "POST", "/v1/events", Some(event.as_bytes()));
        assert_eq!(answer.expect("an answer").status, 202);
        published.insert(n, begun);
        std::thread::sleep(EVERY);
    }
    published
}

impl Latencies {
    fn percentile(&self, percent: usize) -> Duration {
        let last = self.of_arrived.len().saturating_sub(1);
        self.of_arrived.get(last * percent / 100).copied().unwrap_or_default()
    }

    /// Whether everything arrived, and promptly.
    pub(super) fn is_served(&self) -> bool {
        self.lost == 0 && !self.of_arrived.is_empty() && self.percentile(99) < PROMPT
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events, {} lost, p50 {:.1} ms, p99 {:.1} ms",
            self.of_arrived.len(),
            self.lost,
            self.percentile(50).as_secs_f64() * 1e3,
            self.percentile(99).as_secs_f64() * 1e3,
        )
    }
}
