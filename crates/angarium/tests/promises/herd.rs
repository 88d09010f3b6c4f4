//! A receiver that comes back to thousands of waiting deliveries is not knocked down again.
//!
//! It can take so many requests a second and answers 503 to whatever is above that; before, nothing
//! listens there. The contract is `standard`, with its own waits in the long run:
//! `HERD_EVENTS=100000 HERD_PER_SECOND=200 HERD_DOWN_SECONDS=60 HERD_CONTRACT_RETRIES=1`.

use crate::support::client::Connection;
use crate::support::shop::{self, Shop};
use crate::support::turns;
use crate::support::wide::{Answer, Asked, WideReceiver};
use crate::support::{eventually, figure, rounds};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

const BATCH: u64 = 500;
/// The share of all requests that may be refused, in percent.
const REFUSED_AT_MOST: u64 = 5;
/// A second with fewer requests than this is no outage.
const FEW: u64 = 5;
/// Longest wait for the last one.
const DRAIN: Duration = Duration::from_secs(3 * 3600);

/// What one second saw.
#[derive(Debug, Clone, Copy, Default)]
struct Second {
    taken: u64,
    refused: u64,
}

/// The receiver's own limit, and what it saw.
struct Door {
    per_second: u64,
    tokens: f64,
    filled: Instant,
    opened: Instant,
    seconds: Vec<Second>,
    arrived: HashSet<u64>,
}

impl Door {
    fn new(per_second: u64) -> Self {
        let now = Instant::now();
        let (seconds, arrived) = Default::default();
        Self { per_second, tokens: 0.0, filled: now, opened: now, seconds, arrived }
    }

    /// The receiver is back, and nobody is at the door.
    fn open(&mut self) {
        let now = Instant::now();
        (self.opened, self.filled, self.tokens) = (now, now, self.burst());
    }

    /// A quarter of a second's requests at once.
    fn burst(&self) -> f64 {
        (self.per_second as f64 / 4.0).max(1.0)
    }

    fn ask(&mut self, asked: &Asked<'_>) -> Answer {
        let now = Instant::now();
        let gained = (now - self.filled).as_secs_f64() * self.per_second as f64;
        (self.tokens, self.filled) = ((self.tokens + gained).min(self.burst()), now);
        let second = usize::try_from((now - self.opened).as_secs()).expect("not that long");
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, Second::default());
        }
        if self.tokens < 1.0 {
            self.seconds[second].refused += 1;
            return Answer::Status(503);
        }
        self.tokens -= 1.0;
        self.seconds[second].taken += 1;
        let body: Value = serde_json::from_slice(asked.body).expect("JSON");
        self.arrived.insert(body["data"]["n"].as_u64().expect("a number"));
        Answer::Status(200)
    }
}

#[test]
fn a_receiver_that_comes_back_is_not_knocked_down_by_what_waited_for_it() {
    let _alone = turns::alone();
    let count = rounds("HERD_EVENTS", 3_000).next_multiple_of(BATCH);
    let per_second = rounds("HERD_PER_SECOND", 400);
    let door = Arc::new(Mutex::new(Door::new(per_second)));
    let at_door = Arc::clone(&door);
    let mut receiver = WideReceiver::absent(move |asked| locked(&at_door).ask(asked));
    let shop = Shop::open();
    let mut endpoint = json!({"url": receiver.url("/"), "types": ["*"]});
    if rounds("HERD_CONTRACT_RETRIES", 0) == 0 {
        endpoint["delivery"] = json!({"retries": vec!["1s"; 100]});
    }
    shop.endpoint(&endpoint);

    let started = Instant::now();
    publish(&shop, count);
    let down = Duration::from_secs(rounds("HERD_DOWN_SECONDS", 2));
    std::thread::sleep(down.saturating_sub(started.elapsed()));
    let before = attempts(&shop);
    locked(&door).open();
    receiver.appear();
    let back = Instant::now();
    eventually("all arrived", DRAIN, || {
        std::thread::sleep(Duration::from_millis(100));
        locked(&door).arrived.len() as u64 == count
    });
    let took = back.elapsed();
    receiver.vanish();
    let (_, memory) = shop.server.memory();
    figure(format_args!(
        "{count} deliveries waited {:.0?} for a receiver of {per_second} requests/s, which \
         {before} attempts looked for; all arrived {took:.1?} after it was back, {} MiB",
        back - started,
        memory >> 20,
    ));
    judge(&locked(&door), count, took);
}

fn locked(door: &Mutex<Door>) -> MutexGuard<'_, Door> {
    door.lock().expect("not poisoned")
}

fn attempts(shop: &Shop) -> u64 {
    let of =
        |class| shop::metric(&shop.api, &format!("angarium_attempts_total{{class=\"{class}\"}}"));
    of("unreachable") + of("throttled") + of("timeout")
}

fn judge(door: &Door, count: u64, took: Duration) {
    let taken: u64 = door.seconds.iter().map(|second| second.taken).sum();
    let refused: u64 = door.seconds.iter().map(|second| second.refused).sum();
    let is_outage = |s: &&Second| s.refused > s.taken && s.refused + s.taken >= FEW;
    let outages = door.seconds.iter().filter(is_outage).count();
    let shown = |second: &Second| match second.refused {
        0 => second.taken.to_string(),
        refused => format!("{}+{refused}", second.taken),
    };
    let first: Vec<String> = door.seconds.iter().take(90).map(shown).collect();
    println!("herd: each second, taken+refused: {}", first.join(" "));
    let later = |part: &[Second]| {
        let sum = part.iter().fold(Second::default(), |sum, second| Second {
            taken: sum.taken + second.taken,
            refused: sum.refused + second.refused,
        });
        format!("{}+{}", sum.taken, sum.refused)
    };
    let later: Vec<String> = door.seconds.chunks(60).map(later).collect();
    println!("herd: each minute, taken+refused: {}", later.join(" "));
    figure(format_args!(
        "{taken} taken, {refused} refused ({:.2} %), {outages} seconds with more refused \
         than taken, {} repeats, {:.0} % of what it could take",
        refused as f64 * 100.0 / (taken + refused) as f64,
        taken - count,
        taken as f64 * 100.0 / (took.as_secs_f64() * door.per_second as f64),
    ));
    assert_eq!(taken, count, "a delivery came twice");
    assert_eq!(outages, 0, "it was knocked down again");
    assert!(refused * 100 <= (taken + refused) * REFUSED_AT_MOST, "{refused} of {taken} refused");
}

fn publish(shop: &Shop, count: u64) {
    let mut connection = Connection::open(&shop.server.address).expect("a connection");
    for start in (0..count).step_by(usize::try_from(BATCH).expect("small")) {
        let event = |n: u64| json!({"tenant": "acme", "type": "a", "data": {"n": n}});
        let events: Vec<Value> = (start..start + BATCH).map(event).collect();
        let body = json!({"events": events}).to_string();
        let answer =
            connection.exchange(&shop.api, "POST", "/v1/events/batch", Some(body.as_bytes()));
        let answer = answer.expect("an answer").expect(202);
        let results = answer["results"].as_array().expect("results");
        assert!(results.iter().all(|result| result["status"] == 202), "{}", results[0]);
    }
}
