//! Abuse of the server: slow callers, floods, bodies without end, requests that two readers would
//! read differently. While each runs a healthy client publishes every 20 ms; it waits little
//! longer than alone, and the server's memory stays small.
//!
//! The server's own times are shortened, so that a run does not last a minute for each.

mod h1;
mod h2;
mod probe;

use crate::support::client::{Api, Connection};
use crate::support::figure;
use crate::support::server::ADMIN_KEY;
use crate::support::shop::{Shop, metric};
use crate::support::turns;
use probe::Probe;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What a healthy client may wait, at the 99th percentile: an unoptimised server on two cores that
/// the abuser shares, and other tests too.
const PATIENCE: Duration = Duration::from_millis(500);
/// Noise of the machine makes a try longer, never shorter: one of so many must hold.
const TRIES: usize = 3;
/// The server's memory at its peak.
const PEAK: u64 = 200 << 20;

/// What is done to the server; says how that answered.
type Abuse = fn(&Target) -> String;

/// The server under abuse.
struct Target {
    api: Api,
}

impl Target {
    fn connect(&self) -> TcpStream {
        Connection::open(&self.api.address).expect("a connection").into_stream()
    }

    /// The head of a call that would be allowed.
    fn head(&self, call: &str, more: &str) -> String {
        format!(
            "{call} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\n\
             angarium-environment: shop\r\ncontent-type: application/json\r\n{more}\r\n"
        )
    }

    /// As [`Target::head`], on a connection that ends with the answer.
    fn last_head(&self, call: &str, more: &str) -> String {
        self.head(call, &format!("connection: close\r\n{more}"))
    }

    /// Says something and reads until the connection ends.
    fn say(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // What is refused early may not be taken to its end.
        let _ = stream.write_all(bytes);
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    }

    /// How many connections the server has ended for this reason.
    fn ended(&self, reason: &str) -> u64 {
        let name = format!("angarium_connections_ended_total{{reason=\"{reason}\"}}");
        metric(&self.api, &name)
    }

    /// As many connections as this machine lets a process have, up to 5,000.
    fn many(&self) -> usize {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        let _ = setrlimit(Resource::Nofile, limit);
        let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        usize::try_from(most.saturating_sub(1_000).min(5_000)).unwrap_or(5_000)
    }
}

/// Answers by their status; `closed` where there was none.
#[derive(Default)]
struct Answers(BTreeMap<String, usize>);

impl Answers {
    fn add(&mut self, said: &str) {
        let status = said.split(' ').nth(1).unwrap_or("closed");
        *self.0.entry(status.to_owned()).or_default() += 1;
    }

    fn has(&self, status: &str) -> bool {
        self.0.contains_key(status)
    }

    #[track_caller]
    fn only(&self, allowed: &[&str]) {
        assert!(self.0.keys().all(|status| allowed.contains(&status.as_str())), "{self}");
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<_> = self.0.iter().map(|(status, n)| format!("{n} × {status}")).collect();
        f.write_str(&shown.join(", "))
    }
}

#[track_caller]
fn until(limit: Duration, what: &str, holds: impl FnMut() -> bool) {
    crate::support::eventually(what, limit, holds);
}

/// Runs an abuse beside a healthy client until that waits no longer than it may.
fn beside_a_healthy_client(shop: &Shop, name: &str, abuse: Abuse) {
    let target = Target { api: shop.api.clone() };
    let mut waited = Vec::new();
    for _ in 0..TRIES {
        let (probe, began) = (Probe::begin(&shop.api), Instant::now());
        let said = abuse(&target);
        let (p99, calls) = probe.end();
        let (_, peak) = shop.server.memory();
        assert!(peak < PEAK, "{name}: {peak} bytes at the peak");
        waited.push(p99);
        if p99 <= PATIENCE {
            figure(format_args!(
                "{name}: {said}; healthy p99 {p99:.1?} of {calls} calls in {:.1?}, peak {} MB",
                began.elapsed(),
                peak >> 20,
            ));
            return;
        }
    }
    panic!("{name}: a healthy client waited {waited:?}, at most {PATIENCE:?} in one try");
}

fn abused(idle_seconds: u64, abuses: &[(&str, Abuse)]) {
    // What is shown is what one abuse costs, not all of them together.
    let _alone = turns::alone();
    let idle = format!("--limit=idle_seconds={idle_seconds}");
    let shop = Shop::open_with(|start| {
        ["--limit=head_seconds=2", "--limit=connections_per_address=6000", &idle]
            .iter()
            .fold(start, |start, limit| start.argument(limit))
    });
    for (name, abuse) in abuses {
        beside_a_healthy_client(&shop, name, *abuse);
    }
    let left = metric(&shop.api, "angarium_panics_total");
    assert_eq!(left, 0, "calls that panicked");
}

#[test]
fn slow_callers_are_ended_and_nobody_else_waits() {
    abused(
        3,
        &[
            ("slow heads", h1::slow_heads),
            ("slow bodies", h1::slow_bodies),
            ("slow reads", h1::slow_reads),
        ],
    );
}

#[test]
fn idle_callers_are_ended_and_nobody_else_waits() {
    abused(10, &[("idle connections", h1::idle)]);
}

#[test]
fn floods_of_http_2_are_cut_and_nobody_else_waits() {
    abused(
        3,
        &[
            ("rapid reset", h2::rapid_reset),
            ("empty frames", h2::empty_frames),
            ("pings and settings", h2::pings_and_settings),
            ("endless headers", h2::continuation),
            ("long lists of headers", h2::header_lists),
        ],
    );
}

#[test]
fn bad_requests_are_refused_and_nobody_else_waits() {
    abused(
        3,
        &[
            ("deep JSON", h1::deep_json),
            ("members that stand twice", h1::repeated_names),
            ("invalid UTF-8", h1::invalid_utf8),
            ("a declared gigabyte", h1::a_declared_gigabyte),
            ("a chunked gigabyte", h1::a_chunked_gigabyte),
            ("smuggling pairs", h1::smuggling),
            ("pipelined calls", h1::pipelined),
            ("batches over the limit", h1::batches),
            ("long heads", h1::long_heads),
            ("expectations", h1::expectations),
            ("wrong keys", h1::wrong_keys),
        ],
    );
}
