//! D14: what did not arrive is delivered anew, each once, at the rate that was asked for, through a
//! kill.

use crate::support::message::Message;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::{ADMIN_KEY, Server};
use crate::support::shop::{Shop, text};
use crate::support::{eventually, figure};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(60);
const SINCE: &str = "2020-01-01T00:00:00Z";
/// Dead letters of a run, of three types by turns.
const DEAD: usize = 500;
const TYPES: [&str; 3] = ["order.paid", "order.refunded", "stock.low"];

/// A receiver that was down while events came, and what it gets once it is up.
struct Outage {
    shop: Shop,
    endpoint: String,
    /// The published events with their types.
    events: BTreeMap<String, &'static str>,
    receiver: Arc<Receiver>,
    arrivals: Arc<Mutex<Vec<Instant>>>,
}

impl Outage {
    /// Ends when every event is a dead letter and the receiver is up.
    fn over(count: usize) -> Self {
        let (is_up, arrivals) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (up, times) = (is_up.clone(), Arc::clone(&arrivals));
        let receiver = Receiver::scripted(move |_| {
            if !up.load(Ordering::SeqCst) {
                return Reply::Status(500);
            }
            let times: &Mutex<Vec<Instant>> = &times;
            times.lock().expect("nobody panics").push(Instant::now());
            Reply::Status(200)
        });
        let shop = Shop::open();
        let endpoint = shop.endpoint_for_all(&receiver.url("/"), &[]);
        let endpoint = text(&endpoint, "id").to_owned();
        let mut events = BTreeMap::new();
        for (n, kind) in (0..count).zip(TYPES.into_iter().cycle()) {
            events.insert(text(&shop.publish(kind, &json!(n)), "id").to_owned(), kind);
        }
        let dead = format!("/v1/deliveries?tenant=acme&endpoint={endpoint}&state=dead");
        eventually("all are dead letters", SOON, || shop.api.list(&dead).len() == count);
        is_up.store(true, Ordering::SeqCst);
        Self { shop, endpoint, events, receiver: Arc::new(receiver), arrivals }
    }

    /// How many events have a type that begins so.
    fn of_type(&self, stem: &str) -> usize {
        self.events.values().filter(|kind| kind.starts_with(stem)).count()
    }

    fn recover(&self, body: &Value) -> Value {
        let path = format!("/v1/endpoints/{}/recover", self.endpoint);
        self.shop.api.post(&path, body).expect(202)
    }

    fn job(&self, job: &Value) -> Value {
        self.shop.api.get(&format!("/v1/jobs/{}", text(job, "id"))).expect(200)
    }

    fn wait_until_done(&self, job: &Value) -> Value {
        let mut last = Value::Null;
        eventually("the job is done", SOON, || {
            last = self.job(job);
            last["status"] == "done"
        });
        last
    }

    fn arrived(&self) -> usize {
        self.arrivals.lock().expect("nobody panics").len()
    }

    /// Events in the order of their arrival, from the first success on.
    fn order_of_arrival(&self) -> Vec<String> {
        let seen = self.receiver.seen();
        let id = |request: &Message| request.header("webhook-id").map(str::to_owned);
        seen.iter().skip(self.events.len()).filter_map(id).collect()
    }

    /// Runs the command line for people.
    fn angarium(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_angarium"))
            .args(arguments)
            .env("ANGARIUM_URL", format!("http://{}", self.shop.server.address))
            .env("ANGARIUM_KEY", ADMIN_KEY)
            .env("ANGARIUM_ENVIRONMENT", "shop")
            .output()
            .expect("the program runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {told}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[test]
fn one_type_of_five_hundred_dead_letters_arrives_once_after_a_count_that_was_exact() {
    let outage = Outage::over(DEAD);
    let [orders, all] = [outage.of_type("order."), outage.events.len()];
    let recover = ["endpoint", "recover", &outage.endpoint, "--since", SINCE];
    let counted = outage.angarium(&[&recover[..], &["--dry-run", "--json"]].concat());
    let counted: Value = serde_json::from_str(&counted).expect("JSON");
    assert_eq!(counted, json!({"dry_run": true, "total": all}));
    assert_eq!(outage.shop.api.list("/v1/jobs").len(), 0, "a dry run makes no job");

    let told = outage
        .angarium(&[&recover[..], &["--type", "order.*", "--rate", "1000", "--watch"]].concat());
    let last = told.lines().last().unwrap_or_default();
    assert!(last.ends_with(&format!("{orders} of {orders}  done")), "{told}");
    eventually("all have arrived", SOON, || outage.arrived() >= orders);
    let arrived = outage.order_of_arrival();
    let once: BTreeSet<_> = arrived.iter().collect();
    assert_eq!((arrived.len(), once.len()), (orders, orders), "each arrived once");
    assert!(once.iter().all(|id| outage.events[*id].starts_with("order.")));

    let rest = outage.recover(&json!({"since": SINCE, "rate": 1000}));
    assert_eq!(rest["total"], all - orders, "what has arrived is not recovered again");
    outage.wait_until_done(&rest);
    eventually("the others have arrived", SOON, || outage.arrived() >= all);
    let once: BTreeSet<_> = outage.order_of_arrival().into_iter().collect();
    assert_eq!((outage.arrived(), once.len()), (all, all));
    assert_eq!(outage.shop.api.list(&format!("/v1/jobs?endpoint={}", outage.endpoint)).len(), 2);
}

#[test]
fn the_rate_is_kept_and_nothing_comes_after_a_cancel() {
    const RATE: u32 = 40;
    let outage = Outage::over(DEAD);
    let job = outage.recover(&json!({"since": SINCE, "rate": RATE}));
    assert_eq!(job["total"], DEAD);
    eventually("it goes on for some seconds", SOON, || outage.arrived() >= 200);
    let id = text(&job, "id");
    outage.angarium(&["job", "cancel", id]);
    let cancelled = outage.job(&job);
    assert_eq!(cancelled["status"], "cancelled");
    let made = usize::try_from(cancelled["done"].as_u64().expect("a count")).expect("few");
    assert!((200..DEAD).contains(&made), "{made}");
    eventually("what was made arrives", SOON, || outage.arrived() >= made);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(outage.arrived(), made, "nothing comes after the cancel");
    assert_eq!(outage.job(&job), cancelled);

    let arrivals = outage.arrivals.lock().expect("nobody panics").clone();
    // The first step comes at once, so the rate counts from there.
    let (first, last) = (arrivals[0], arrivals[arrivals.len() - 1]);
    let step = usize::try_from(RATE / 10).expect("small");
    let rate = (made - step) as f64 / (last - first).as_secs_f64();
    figure(format_args!("{rate:.1} a second, asked for {RATE}"));
    let asked = f64::from(RATE);
    assert!((asked * 0.8..=asked * 1.2).contains(&rate), "{rate:.1} a second");
    assert!(outage.angarium(&["job", "list"]).contains("cancelled"));
}

#[test]
fn a_recovery_goes_on_after_a_kill_and_makes_nothing_twice() {
    let mut outage = Outage::over(DEAD);
    let job = outage.recover(&json!({"since": SINCE, "rate": 60}));
    for share in [100, 250] {
        eventually("it is under way", SOON, || outage.arrived() >= share);
        outage.shop = outage.shop.restarted(Server::kill);
        let status = outage.job(&job);
        assert_eq!(status["status"], "running", "it goes on by itself: {status}");
    }
    let done = outage.wait_until_done(&job);
    assert_eq!((&done["done"], &done["total"]), (&json!(DEAD), &json!(DEAD)));
    let path = format!("/v1/deliveries?tenant=acme&endpoint={}", outage.endpoint);
    let delivered = format!("{path}&state=delivered");
    eventually("all are delivered", SOON, || outage.shop.api.list(&delivered).len() >= DEAD);
    let rows = outage.shop.api.list(&path);
    assert_eq!(rows.len(), 2 * DEAD, "each dead letter has one new delivery");
    let again: BTreeSet<_> = rows.iter().filter_map(|row| row["redelivery_of"].as_str()).collect();
    assert_eq!(again.len(), DEAD, "and each of them repeats another one");
    let arrived: BTreeSet<_> = outage.order_of_arrival().into_iter().collect();
    assert_eq!(arrived, outage.events.keys().cloned().collect());
    // A kill may repeat what was in flight (D5), never a delivery.
    let repeated = outage.arrived() - DEAD;
    figure(format_args!("{repeated} requests were repeated by two kills"));
    assert!(repeated <= 2 * 64, "{repeated}");
}
