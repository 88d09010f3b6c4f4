//! B2.7: bits flip in the store's files while no server runs.
//!
//! A flip either changes nothing that anybody sees, or it is told: the server does not start and
//! says why, or it answers and logs that stored data is damaged. What must never be: other content
//! than was published is delivered or shown, or something is missing and nobody says so.

use crate::support::client::Api;
use crate::support::dice::Dice;
use crate::support::message::Message;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::Start;
use crate::support::shop::text;
use crate::support::{eventually, figure, rounds};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const EVENTS: u64 = 60;
/// What is damaged has to be told, and what is not has to arrive, within this.
const TIME_TO_TELL: Duration = Duration::from_secs(4);

/// What is in the store: events that all went to one receiver, and wait for the other.
struct World {
    /// Ids of the events by their numbers.
    events: BTreeMap<u64, String>,
    endpoints: [String; 2],
    arrivals: Arc<Arrivals>,
}

#[derive(Default)]
struct Arrivals {
    /// Whether the second receiver takes what comes.
    willing: AtomicBool,
    seen: Mutex<Vec<Message>>,
}

/// What a round showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    NoEffect,
    RefusedAtTheStart,
    ToldWhileItRan,
}

impl World {
    fn make(api: &Api) -> Self {
        let environment = json!({"slug": "shop", "title": "Shop", "contracts": ["standard"]});
        api.post("/v1/environments", &environment).expect(201);
        api.put("/v1/tenants/acme", &json!({})).expect(201);
        let arrivals = Arc::new(Arrivals::default());
        let of_receiver = |receiver: &Receiver, path: &str| {
            let delivery = json!({"timeout": "2s", "retries": vec!["100ms"; 60]});
            let body = json!({"url": receiver.url(path), "types": ["*"], "delivery": delivery});
            let made = api.post("/v1/tenants/acme/endpoints", &body).expect(201);
            text(&made, "id").to_owned()
        };
        let noted = arrivals.clone();
        let second = Receiver::unrecorded(move |request| {
            let willing = noted.willing.load(Ordering::SeqCst);
            if willing {
                noted.seen.lock().expect("not poisoned").push(request.clone());
            }
            Reply::Status(if willing { 200 } else { 500 })
        });
        let endpoints = [of_receiver(&Receiver::kind(), "/first"), of_receiver(&second, "/second")];
        let event = |n: u64| {
            let event = json!({"tenant": "acme", "type": "a.b", "data": data(n)});
            (n, text(&api.post("/v1/events", &event).expect(202), "id").to_owned())
        };
        let events = (0..EVENTS).map(event).collect();
        let of_first = format!("/v1/deliveries?tenant=acme&endpoint={}", endpoints[0]);
        eventually("the first receiver has everything", TIME_TO_TELL, || {
            let rows = api.list(&of_first);
            rows.len() as u64 == EVENTS && rows.iter().all(|row| row["state"] == "delivered")
        });
        Self { events, endpoints, arrivals }
    }

    /// What a server makes of a damaged store; other than an outcome that is allowed fails.
    fn judge(&self, data: &Path) -> Outcome {
        self.arrivals.seen.lock().expect("not poisoned").clear();
        let server = match Start::local(data).try_run() {
            Ok(server) => server,
            Err(log) => {
                assert!(tells(&log), "it does not start and does not say why: {log}");
                return Outcome::RefusedAtTheStart;
            }
        };
        let api = server.admin().with("angarium-environment", "shop");
        let started = Instant::now();
        let mut missing = self.missing(&api);
        while missing.is_some() && started.elapsed() < TIME_TO_TELL && !tells(&server.log()) {
            std::thread::sleep(Duration::from_millis(50));
            missing = self.missing(&api);
        }
        self.assert_nothing_wrong_was_sent();
        match missing.or_else(|| self.first_wrong(&api)) {
            None => Outcome::NoEffect,
            Some(_) if tells(&server.log()) => Outcome::ToldWhileItRan,
            Some(wrong) => panic!("nobody is told that {wrong}"),
        }
    }

    /// What has not arrived although it should.
    fn missing(&self, api: &Api) -> Option<String> {
        let seen = self.arrivals.seen.lock().expect("not poisoned");
        let arrived: Vec<_> = seen.iter().filter_map(|one| one.header("webhook-id")).collect();
        let missing = self.events.values().find(|id| !arrived.contains(&id.as_str()));
        missing.map(|id| format!("{id} does not arrive")).or_else(|| {
            let waits = list(api, "/v1/deliveries?tenant=acme&state=pending")?;
            waits.first().map(|row| format!("{row} waits"))
        })
    }

    fn assert_nothing_wrong_was_sent(&self) {
        for request in self.arrivals.seen.lock().expect("not poisoned").iter() {
            let id = request.header("webhook-id").unwrap_or_default();
            let body: Value = serde_json::from_slice(&request.body).expect("JSON was sent");
            let n = body["data"]["n"].as_u64().unwrap_or(EVENTS);
            let known = self.events.get(&n).is_some_and(|known| known == id);
            let right = known && body["data"] == data(n) && body["type"] == "a.b";
            assert!(right, "{id} was sent as {body}");
            assert!(request.first_line.starts_with("POST /second "), "{}", request.first_line);
        }
    }

    /// The first thing that the API shows otherwise than it was, or does not show.
    fn first_wrong(&self, api: &Api) -> Option<String> {
        for (n, id) in &self.events {
            let shown = api.get(&format!("/v1/events/{id}"));
            if shown.status != 200 {
                return Some(format!("{id} cannot be read: {}", shown.status));
            }
            assert_eq!(shown.body["data"], data(*n), "{id} is shown with other data");
        }
        for endpoint in &self.endpoints {
            let path = format!("/v1/deliveries?tenant=acme&endpoint={endpoint}");
            let Some(rows) = list(api, &path) else {
                return Some(format!("the deliveries of {endpoint} cannot be read"));
            };
            let delivered = rows.iter().filter(|row| row["state"] == "delivered").count() as u64;
            if delivered != EVENTS {
                return Some(format!("{endpoint} has {delivered} delivered"));
            }
        }
        None
    }
}

/// A list, unless a page cannot be read.
fn list(api: &Api, path: &str) -> Option<Vec<Value>> {
    let page = api.get(&format!("{path}&limit=250"));
    let is_whole = page.status == 200 && page.body["next"].is_null();
    is_whole.then(|| page.body["data"].as_array().cloned().unwrap_or_default())
}

fn data(n: u64) -> Value {
    let mut dice = Dice::new(n);
    let text: String = (0..20).map(|_| format!("{:016x}", dice.next())).collect();
    json!({"n": n, "text": text})
}

/// Whether a log says that what is stored is damaged.
fn tells(log: &str) -> bool {
    log.contains("damaged")
}

/// A store that was closed, and one whose server was killed: there the log has everything.
fn make_stores(folder: &Path) -> World {
    let (closed, killed) = (folder.join("closed"), folder.join("killed"));
    let server = Start::local(&killed).run();
    let api = server.admin().with("angarium-environment", "shop");
    let world = World::make(&api);
    server.kill();
    copy(&killed, &closed);
    let server = Start::local(&closed).run();
    assert!(server.stop().success());
    world.arrivals.willing.store(true, Ordering::SeqCst);
    world
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a store").flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

/// Flips a bit of the database or its log; says where.
fn flip(data: &Path, dice: &mut Dice) -> String {
    let names = ["angarium.db", "angarium.db-wal"];
    let size = |name: &str| std::fs::metadata(data.join(name)).map_or(0, |file| file.len());
    let mut place = dice.below(names.map(size).iter().sum());
    let name = if place < size(names[0]) { names[0] } else { names[1] };
    if name == names[1] {
        place -= size(names[0]);
    }
    let file = File::options().read(true).write(true).open(data.join(name)).expect("the file");
    let (mut byte, bit) = ([0], dice.below(8));
    file.read_exact_at(&mut byte, place).expect("a byte");
    file.write_all_at(&[byte[0] ^ (1 << bit)], place).expect("a byte");
    format!("{name}, byte {place} (page {}), bit {bit}", place / 8192 + 1)
}

#[test]
fn a_flipped_bit_has_no_effect_or_is_told_and_nothing_wrong_is_ever_sent_or_shown() {
    let flips = rounds("BIT_FLIPS", 24);
    let (mut dice, _) = Dice::from_environment("bit flips");
    let folder = tempfile::tempdir().expect("a folder");
    let world = make_stores(folder.path());
    let mut outcomes: BTreeMap<Outcome, u64> = BTreeMap::new();
    for round in 0..flips {
        let from = ["closed", "killed"][usize::try_from(round % 2).unwrap_or_default()];
        let store = folder.path().join(format!("round-{round}"));
        copy(&folder.path().join(from), &store);
        let place = flip(&store, &mut dice);
        eprintln!("round {round}: {from}, {place}");
        let outcome = world.judge(&store);
        *outcomes.entry(outcome).or_default() += 1;
        std::fs::remove_dir_all(&store).expect("the folder goes");
    }
    figure(format_args!(
        "bit flips: {flips} flips among {EVENTS} events, {outcomes:?}, silently corrupted 0"
    ));
}
