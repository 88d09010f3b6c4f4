//! D1, D3, D5, D6, D7 under kill -9 (reliability-security plan, B1 and B2.1): the real server is
//! killed at random moments under load, with lanes, retries and replays in play, and started again
//! on the same data.
//!
//! The oracle does not ask the product: publisher and receivers write what they saw to files of
//! their own, line by line, and the checker reads those. Only the recorded attempts and the final
//! states come from the API, because those are what is checked there.

mod checker;
mod journal;
mod replays;

use crate::support::client::{Api, Connection};
use crate::support::dice::Dice;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::{Server, Start};
use crate::support::shop::{self, text};
use crate::support::{eventually, figure, rounds};
use journal::Journal;
use replays::Replays;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

const PUBLISHERS: u64 = 64;
/// Most attempts in flight to one endpoint (api.md, "Limits").
const WINDOW: u64 = 64;
const RECEIVERS: [&str; 5] = ["ok", "flaky", "slow", ORDERED, REPLAYED];
/// The receiver whose endpoint is ordered by key; now and then it fails.
const ORDERED: &str = "ordered";
/// The receiver whose endpoint matches nothing and gets what is replayed to it; it often fails.
const REPLAYED: &str = "replayed";
/// Ordering keys.
const LANES: u64 = 64;
const DRAIN: Duration = Duration::from_secs(180);

/// What all threads of a run share.
struct Run {
    /// Where the server is now; none between a kill and the next start.
    api: RwLock<Option<Api>>,
    published: Journal,
    replays: Replays,
    received: Journal,
    next: AtomicU64,
    kills: AtomicU64,
    over: AtomicBool,
}

impl Run {
    fn new(folder: &Path) -> Arc<Self> {
        Arc::new(Self {
            api: RwLock::new(None),
            published: Journal::create(&folder.join("published")),
            replays: Replays::new(folder),
            received: Journal::create(&folder.join("received")),
            next: AtomicU64::new(0),
            kills: AtomicU64::new(0),
            over: AtomicBool::new(false),
        })
    }

    fn api(&self) -> Option<Api> {
        self.api.read().expect("not poisoned").clone()
    }

    fn set_api(&self, server: Option<&Server>) {
        let api = server.map(|server| server.admin().with("angarium-environment", "shop"));
        *self.api.write().expect("not poisoned") = api;
    }

    /// One publisher: every other event carries an id of its own and is sent again, with the same
    /// id, until there is an answer; of the others an answer that was lost is left unknown.
    fn publish_until_over(&self) {
        let mut connection = None;
        while !self.over.load(Ordering::SeqCst) {
            let n = self.next.fetch_add(1, Ordering::SeqCst);
            let key = (n % LANES).to_string();
            let mut event = json!({"tenant": "acme", "type": "a.b", "key": key, "data": {"n": n}});
            if n.is_multiple_of(2) {
                event["id"] = json!(format!("own-{n}"));
            }
            let body = event.to_string();
            while !self.post(&mut connection, n, body.as_bytes()) && n.is_multiple_of(2) {
                std::thread::sleep(Duration::from_millis(20));
            }
            std::thread::sleep(Duration::from_millis(12));
        }
    }

    /// Whether there was an answer; an acknowledgement is in the journal before this returns.
    fn post(&self, open: &mut Option<Connection>, n: u64, body: &[u8]) -> bool {
        let Some(api) = self.api() else { return false };
        let connection = match open.take() {
            Some(connection) => Ok(connection),
            None => Connection::open(&api.address),
        };
        let Ok(mut connection) = connection else {
            return false;
        };
        let Ok(answer) = connection.exchange(&api, "POST", "/v1/events", Some(body)) else {
            return false;
        };
        *open = Some(connection);
        match answer.status {
            202 => {
                let (id, sequence) = (text(&answer.body, "id"), &answer.body["sequence"]);
                self.published.note(&[&n.to_string(), id, &sequence.to_string()]);
                self.replays.offer(n, id);
                true
            }
            429 | 503 => false,
            status => panic!("publish answered {status}: {}", answer.body),
        }
    }
}

/// A receiver that notes each request, with what it is about to answer, before it answers.
fn receiver(run: &Arc<Run>, name: &'static str, seed: u64) -> Receiver {
    let (run, dice) = (run.clone(), Mutex::new(Dice::new(seed)));
    Receiver::unrecorded(move |request| {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let percent = match name {
            "flaky" | REPLAYED => 20,
            ORDERED => 5,
            _ => 0,
        };
        let fails = dice.lock().expect("not poisoned").chance(percent);
        let status = if fails { 500 } else { 200 };
        run.received.note(&[
            name,
            &body["data"]["n"].to_string(),
            request.header("webhook-id").unwrap_or("-"),
            &run.kills.load(Ordering::SeqCst).to_string(),
            &status.to_string(),
        ]);
        match name {
            "slow" => Reply::Late(Duration::from_millis(25), status),
            _ => Reply::Status(status),
        }
    })
}

/// Environment, tenant and an endpoint for each receiver; their ids, in the receivers' order.
fn set_up(api: &Api, receivers: &[Receiver]) -> Vec<String> {
    let environment = json!({"slug": "shop", "title": "Shop", "contracts": ["standard"]});
    api.post("/v1/environments", &environment).expect(201);
    api.put("/v1/tenants/acme", &json!({}));
    let create = |(receiver, name): (&Receiver, &str)| {
        // What waits for a retry holds up its lane, so that one is soon.
        let (wait, ordering) = if name == ORDERED { ("50ms", "key") } else { ("1s", "none") };
        let delivery = json!({"timeout": "5s", "retries": vec![wait; 30]});
        let types = if name == REPLAYED { "nothing.matches" } else { "a.*" };
        let body = json!({
            "url": receiver.url("/"), "types": [types], "ordering": ordering, "delivery": delivery,
        });
        let endpoint = api.post("/v1/tenants/acme/endpoints", &body).expect(201);
        text(&endpoint, "id").to_owned()
    };
    receivers.iter().zip(RECEIVERS).map(create).collect()
}

#[test]
fn a_killed_server_loses_nothing_and_repeats_at_most_what_was_in_flight() {
    let kills = rounds("CRASH_KILLS", 30);
    let (mut dice, seed) = Dice::from_environment("crash");
    let folder = tempfile::tempdir().expect("a folder");
    let run = Run::new(folder.path());
    let receivers = RECEIVERS.map(|name| receiver(&run, name, seed));
    let start = Start::local(&folder.path().join("data"));
    let server = start.run();
    let endpoints = set_up(&server.admin().with("angarium-environment", "shop"), &receivers);
    run.set_api(Some(&server));

    let mut restarts = Vec::new();
    let server = std::thread::scope(|scope| {
        for _ in 0..PUBLISHERS {
            scope.spawn(|| run.publish_until_over());
        }
        let replayed = endpoints.last().expect("the last is replayed to");
        scope.spawn(|| run.replays.replay_until_over(&run, replayed));
        // Whatever fails here, the publishers must end, or the scope would wait for ever.
        let _end = EndOnDrop(&run.over);
        let last = (0..kills).fold(server, |server, _| {
            std::thread::sleep(Duration::from_millis(50 + dice.below(450)));
            kill_and_restart(&run, &start, server, &mut restarts)
        });
        std::thread::sleep(Duration::from_millis(300));
        last
    });

    let api = run.api().expect("the server runs");
    eventually("nothing waits any more", DRAIN, || {
        std::thread::sleep(Duration::from_millis(200));
        shop::waiting(&api) == 0
    });
    let verdict = checker::check(&api, &run, &endpoints);
    restarts.sort_unstable();
    figure(format!(
        "{kills} kills, seed {seed}, {verdict}; ready again after at most {:?}, median {:?}",
        restarts.last().copied().unwrap_or_default(),
        restarts.get(restarts.len() / 2).copied().unwrap_or_default(),
    ));
    verdict.assert_promises(kills, WINDOW);
    drop(server);
}

/// kill -9, then the next start. The receivers count kills, so that a repeat has its cause.
fn kill_and_restart(
    run: &Run,
    start: &Start,
    server: Server,
    restarts: &mut Vec<Duration>,
) -> Server {
    run.set_api(None);
    server.kill();
    run.received.wait_for_silence();
    run.kills.fetch_add(1, Ordering::SeqCst);
    let server = start.run();
    restarts.push(server.ready);
    run.set_api(Some(&server));
    server
}

/// Tells the publishers to end, also when the test fails.
struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
