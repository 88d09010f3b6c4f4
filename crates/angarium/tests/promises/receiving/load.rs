//! Many requests a second to one source whose forward endpoint is slow: what is accepted is there,
//! also after a kill, and what is not is refused in time.
//!
//! `RECEIVING_RATE=10000 RECEIVING_SECONDS=20 RECEIVING_CONNECTIONS=3000` is the long run; with
//! fewer connections the senders wait for answers, and offer less.

use crate::support::client::Connection;
use crate::support::receiver::{Receiver, Reply};
use crate::support::sender::Sender;
use crate::support::server::Server;
use crate::support::shop::Shop;
use crate::support::turns;
use crate::support::{figure, rounds};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Third parties wait for an answer for three seconds (Slack, Zoom), five (Shopify), ten (GitHub).
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Told {
    accepted: Vec<u64>,
    statuses: BTreeMap<u16, u64>,
    waits: Vec<Duration>,
}

#[test]
fn a_flood_at_one_source_loses_nothing_that_was_accepted_and_refuses_the_rest_in_time() {
    let _alone = turns::alone();
    let (rate, seconds) = (rounds("RECEIVING_RATE", 400), rounds("RECEIVING_SECONDS", 3));
    let connections = rounds("RECEIVING_CONNECTIONS", 32);
    let slow = Receiver::unrecorded(|_| Reply::Late(Duration::from_secs(1), 200));
    let shop = Shop::open();
    let sender = Sender::to(&shop, &json!({"forward_url": slow.url("/")}));
    let (next, begun) = (AtomicU64::new(0), Instant::now());
    let work = || {
        let (mut told, mut connection) = (Told::default(), None);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= rate * seconds {
                return told;
            }
            let at = begun + Duration::from_secs(number) / u32::try_from(rate).expect("a rate");
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            let body = format!("{{\"number\":{number}}}");
            let open = || Connection::open(&shop.server.address).expect("a connection");
            let asked = Instant::now();
            let on = connection.get_or_insert_with(open);
            match sender.send_on(on, body.as_bytes()) {
                Ok(answer) => {
                    *told.statuses.entry(answer.status).or_default() += 1;
                    told.waits.push(asked.elapsed());
                    if answer.status == 200 {
                        told.accepted.push(number);
                    }
                }
                Err(_) => connection = None,
            }
        }
    };
    let all: Vec<_> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..connections).map(|_| scope.spawn(work)).collect();
        senders.into_iter().map(|sender| sender.join().expect("no panic")).collect()
    });
    let span = begun.elapsed();
    let mut statuses = BTreeMap::<u16, u64>::new();
    for (status, count) in all.iter().flat_map(|told| &told.statuses) {
        *statuses.entry(*status).or_default() += count;
    }
    let accepted: BTreeSet<_> = all.iter().flat_map(|told| &told.accepted).copied().collect();
    let mut waits: Vec<_> = all.iter().flat_map(|told| &told.waits).copied().collect();
    waits.sort_unstable();
    let shop = shop.restarted(Server::kill);
    let stored: BTreeSet<_> = Sender::of(&shop, sender.source.clone())
        .events(&shop)
        .iter()
        .filter_map(|event| event["data"]["number"].as_u64())
        .collect();
    let lost = accepted.difference(&stored).count();
    let last = waits.last().copied().unwrap_or_default();
    let p99 = waits.get(waits.len() * 99 / 100).copied().unwrap_or_default();
    figure(format_args!(
        "{} requests offered in {span:.1?} over {connections} connections, {} a second answered, \
         by status {statuses:?}; accepted {} and after a kill {lost} of them lost; answered within \
         p99 {p99:.1?}, last {last:.1?}",
        rate * seconds,
        (waits.len() as f64 / span.as_secs_f64()).round(),
        accepted.len(),
    ));
    assert_eq!(lost, 0);
    assert!(!accepted.is_empty());
    let only = [200, 429, 503];
    assert!(statuses.keys().all(|status| only.contains(status)), "{statuses:?}");
    assert!(last < PATIENCE, "{last:?}");
}
