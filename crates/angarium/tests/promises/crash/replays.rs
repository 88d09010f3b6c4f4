//! Replays under kill -9: events that were acknowledged go to an endpoint that they did not match.

use super::Run;
use super::journal::Journal;
use crate::support::client::Connection;
use serde_json::json;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// One event in so many is replayed.
const ONE_IN: u64 = 4;

/// What is to be replayed, and what was.
pub(super) struct Replays {
    /// Events, by their fact and id.
    waiting: Mutex<Vec<(u64, String)>>,
    /// Those whose replay was acknowledged.
    pub(super) acknowledged: Journal,
}

impl Replays {
    pub(super) fn new(folder: &Path) -> Self {
        let acknowledged = Journal::create(&folder.join("replayed"));
        Self { waiting: Mutex::default(), acknowledged }
    }

    /// An event was acknowledged.
    pub(super) fn offer(&self, n: u64, event: &str) {
        if n.is_multiple_of(ONE_IN) {
            self.waiting.lock().expect("not poisoned").push((n, event.to_owned()));
        }
    }

    /// Replays what is offered to this endpoint until the run is over; each is asked for, with the
    /// same idempotency key, until there is an answer.
    pub(super) fn replay_until_over(&self, run: &Run, endpoint: &str) {
        while !run.over.load(Ordering::SeqCst) {
            let next = self.waiting.lock().expect("not poisoned").pop();
            if let Some((n, event)) = next {
                while !self.replay(run, endpoint, n, &event) {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether there was an answer; it is in the journal before this returns.
    fn replay(&self, run: &Run, endpoint: &str, n: u64, event: &str) -> bool {
        let Some(api) = run.api() else { return false };
        let api = api.with("idempotency-key", &format!("replay-{n}"));
        let body = json!({"endpoints": [endpoint]}).to_string();
        let path = format!("/v1/events/{event}/replay?tenant=acme");
        let answer = Connection::open(&api.address).and_then(|mut connection| {
            connection.exchange(&api, "POST", &path, Some(body.as_bytes()))
        });
        match answer.map(|answer| (answer.status, answer.body)) {
            Ok((202, body)) => {
                assert_eq!(body["deliveries"].as_array().map(Vec::len), Some(1), "{body}");
                self.acknowledged.note(&[&n.to_string(), event]);
                true
            }
            Ok((409 | 429 | 503, _)) | Err(_) => false,
            Ok((status, body)) => panic!("a replay answered {status}: {body}"),
        }
    }
}
