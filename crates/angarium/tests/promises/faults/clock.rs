//! B2.11: the wall clock jumps, while the server runs and between two runs, made by libfaketime.
//! The test's own clock stays as it is.

use super::load::Load;
use super::spans;
use crate::support::client::Api;
use crate::support::dice::Dice;
use crate::support::receiver::{Receiver, Reply};
use crate::support::wall::Wall;
use crate::support::{figure, rounds};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// Each jump sets the clock to so many seconds off the right time.
const JUMPS: [i64; 8] = [HOUR, 0, -HOUR, 0, DAY, 0, -DAY, 0];
/// A wait of two seconds on a clock that runs a twentieth faster at most.
const SHORTEST: Duration = Duration::from_millis(1_890);
/// The same on one that runs a twentieth slower, and what a busy machine adds.
const LONGEST: Duration = Duration::from_millis(3_000);
/// Publishers are never without an answer for longer.
const SILENCE: Duration = Duration::from_secs(2);

/// An endpoint whose receiver fails what it is told to, and what it failed.
struct Failing {
    kind: String,
    arrivals: Arc<Mutex<BTreeMap<String, Vec<Instant>>>>,
    signed_at_another_time: Arc<AtomicI64>,
}

impl Failing {
    fn endpoint(api: &Api, wall: &Arc<Wall>, kind: &str, wait: &str) -> Self {
        let arrivals: Arc<Mutex<BTreeMap<String, Vec<Instant>>>> = Arc::default();
        let signed_at_another_time: Arc<AtomicI64> = Arc::default();
        let (noted, off, wall) = (arrivals.clone(), signed_at_another_time.clone(), wall.clone());
        let receiver = Receiver::unrecorded(move |request| {
            off.fetch_add(i64::from(!wall.is_now(request)), Ordering::SeqCst);
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            if body["data"]["fails"] == false {
                return Reply::Status(200);
            }
            let id = request.header("webhook-id").unwrap_or_default().to_owned();
            noted.lock().expect("not poisoned").entry(id).or_default().push(Instant::now());
            Reply::Status(500)
        });
        let body = json!({
            "url": receiver.url("/"), "types": [kind],
            "delivery": {"timeout": "5s", "retries": vec![wait; 100]},
        });
        api.post("/v1/tenants/patient/endpoints", &body).expect(201);
        Self { kind: kind.to_owned(), arrivals, signed_at_another_time }
    }

    fn publish(&self, api: &Api, fails: bool) {
        let event = json!({"tenant": "patient", "type": self.kind, "data": {"fails": fails}});
        api.post("/v1/events", &event).expect(202);
    }

    /// Spans between two attempts of one delivery.
    fn waits(&self) -> Vec<Duration> {
        let arrivals = self.arrivals.lock().expect("not poisoned");
        let gaps =
            |times: &Vec<Instant>| times.windows(2).map(|two| two[1] - two[0]).collect::<Vec<_>>();
        arrivals.values().flat_map(gaps).collect()
    }

    /// Deliveries of which no attempt came after a moment.
    fn silent_since(&self, from: Instant) -> usize {
        let arrivals = self.arrivals.lock().expect("not poisoned");
        arrivals.values().filter(|times| times.iter().all(|time| *time < from)).count()
    }

    fn requests(&self) -> usize {
        self.arrivals.lock().expect("not poisoned").values().map(Vec::len).sum()
    }

    fn events(&self) -> usize {
        self.arrivals.lock().expect("not poisoned").len()
    }
}

struct Stage {
    wall: Arc<Wall>,
    data: PathBuf,
    load: Arc<Load>,
    endpoints: Vec<String>,
    soon: Failing,
    later: Failing,
}

impl Stage {
    fn new(folder: &Path, seed: u64) -> (Self, crate::support::server::Server) {
        let wall = Arc::new(Wall::new(folder.join("clock")));
        let data = folder.join("data");
        let server = wall.start(&data).run();
        let api = server.admin().with("angarium-environment", "shop");
        let load = Load::new();
        let endpoints = load.set_up(&api, seed);
        load.turn_to(Some(&api));
        api.put("/v1/tenants/patient", &json!({})).expect(201);
        let soon = Failing::endpoint(&api, &wall, "soon", "2s");
        let later = Failing::endpoint(&api, &wall, "later", "30m");
        (Self { wall, data, load, endpoints, soon, later }, server)
    }

    /// Publishes a few events that fail, and others that do not: else a breaker would hold back
    /// what is due.
    fn publish(&self, api: &Api) {
        for endpoint in [&self.soon, &self.later] {
            if endpoint.events() < 3 {
                endpoint.publish(api, true);
            }
            for _ in 0..3 {
                std::thread::sleep(Duration::from_millis(100));
                endpoint.publish(api, false);
            }
        }
    }
}

#[test]
fn a_jump_of_the_clock_shortens_no_wait_and_prolongs_none() {
    let jumps = rounds("CLOCK_JUMPS", 8);
    let (_, seed) = Dice::from_environment("clock jumps");
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, server) = Stage::new(folder.path(), seed);
    let api = server.admin().with("angarium-environment", "shop");
    let Stage { wall, load, soon, later, .. } = &stage;
    load.during(|| {
        for jump in JUMPS.iter().cycle().take(usize::try_from(jumps).unwrap_or_default()) {
            stage.publish(&api);
            wall.jump_to(*jump);
        }
        std::thread::sleep(LONGEST);
    });
    let verdict = load.verdict(&api, &stage.endpoints);
    let waits = soon.waits();
    let shortest = waits.iter().min().copied().unwrap_or_default();
    let longest = waits.iter().max().copied().unwrap_or_default();
    let mistimed = [soon, later].map(|one| one.signed_at_another_time.load(Ordering::SeqCst));
    figure(format_args!(
        "clock jumps: {jumps} jumps of 1 h and 1 day, {verdict}; {} waits of 2 s lasted \
         {shortest:.2?} to {longest:.2?}; retries of 30 min that came early {}; longest time \
         without an acknowledgement {:.0?}; signatures with another time than the clock's {:?}",
        waits.len(),
        later.requests() - later.events(),
        load.longest_silence(),
        mistimed,
    ));
    verdict.assert_promises(0);
    assert!(shortest >= SHORTEST, "tried again after {shortest:?}");
    assert!(longest <= LONGEST, "tried again after {longest:?} only");
    assert_eq!(soon.silent_since(Instant::now() - LONGEST - Duration::from_secs(1)), 0);
    assert_eq!(later.requests(), later.events(), "retries came early");
    assert!(load.longest_silence() < SILENCE, "{:?}", load.longest_silence());
    assert_eq!(mistimed, [0, 0]);
    assert!(server.stop().success());
}

#[test]
fn a_clock_that_is_set_between_two_runs_keeps_nothing_waiting_longer_than_its_schedule() {
    let (_, seed) = Dice::from_environment("clock set between runs");
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, mut server) = Stage::new(folder.path(), seed);
    let Stage { wall, data, load, soon, later, .. } = &stage;
    let api = server.admin().with("angarium-environment", "shop");
    (0..3).for_each(|_| stage.publish(&api));
    let (mut first_attempts, mut early) = (Vec::new(), Vec::new());
    for (number, off) in [-HOUR, -HOUR, 0, -DAY, DAY, 0].into_iter().enumerate() {
        load.during(|| std::thread::sleep(Duration::from_millis(500)));
        load.turn_to(None);
        match number % 2 {
            0 => server.kill(),
            _ => assert!(server.stop().success()),
        }
        let retried = later.requests();
        wall.jump_to(off);
        server = wall.start(data).run();
        let ready = Instant::now();
        let api = server.admin().with("angarium-environment", "shop");
        load.turn_to(Some(&api));
        crate::support::eventually(&format!("each is tried again, {off:+} s"), LONGEST, || {
            stage.publish(&api);
            soon.silent_since(ready) == 0
        });
        first_attempts.push(ready.elapsed());
        early.push((off, later.requests() - retried));
    }
    let api = server.admin().with("angarium-environment", "shop");
    let verdict = load.verdict(&api, &stage.endpoints);
    figure(format_args!(
        "clock set between runs: {} restarts, {verdict}; everything that waited 2 s was tried \
         again after {}; retries of 30 min that came, by the clock's seconds off: {early:?}",
        first_attempts.len(),
        spans(first_attempts),
    ));
    verdict.assert_promises(6);
    // Set back, nothing comes early; set forward, what is due by the clock is due.
    assert!(early.iter().all(|(off, retries)| *off >= 0 || *retries == 0), "{early:?}");
}
