//! A healthy caller beside an abuse: it publishes at an even pace and says how long it waited.

use crate::support::client::{Api, Connection};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(20);

/// The caller, while it publishes.
pub(super) struct Probe {
    is_over: Arc<AtomicBool>,
    caller: JoinHandle<Vec<Duration>>,
}

impl Probe {
    pub(super) fn begin(api: &Api) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (api, over) = (api.clone(), Arc::clone(&is_over));
        Self { is_over, caller: std::thread::spawn(move || publish(&api, &over)) }
    }

    /// Ends it; the 99th percentile of what it waited, and of how many calls.
    pub(super) fn end(self) -> (Duration, usize) {
        self.is_over.store(true, Ordering::SeqCst);
        let mut waited = self.caller.join().expect("every publish is accepted");
        waited.sort_unstable();
        let at = (waited.len() * 99).div_ceil(100).saturating_sub(1);
        (waited[at], waited.len())
    }
}

fn publish(api: &Api, over: &AtomicBool) -> Vec<Duration> {
    let mut connection = Connection::open(&api.address).expect("a connection");
    let event = json!({"tenant": "acme", "type": "healthy", "data": 1}).to_string();
    let (began, mut waited) = (Instant::now(), Vec::new());
    // At least so often that there is a percentile.
    for due in (0..).map(|n| began + EVERY * n) {
        if over.load(Ordering::SeqCst) && waited.len() >= 50 {
            break;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let answer = connection.exchange(api, "POST", "/v1/events", Some(event.as_bytes()));
        answer.expect("an answer").expect(202);
        // From when it was due: one that is late because the one before was slow counts.
        waited.push(due.elapsed());
    }
    waited
}
