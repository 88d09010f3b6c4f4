//! What every test stands on: the real executable, a small HTTP client, receivers that answer by
//! script, dice with a seed. Everything is on loopback and everything has an end.

pub(crate) mod client;
pub(crate) mod dice;
pub(crate) mod healthy;
pub(crate) mod injector;
pub(crate) mod lanes;
pub(crate) mod message;
#[path = "../../../../angarium-server/tests/test_proxy/mod.rs"]
pub(crate) mod proxy;
pub(crate) mod receiver;
pub(crate) mod sender;
pub(crate) mod server;
pub(crate) mod shop;
pub(crate) mod tls;
pub(crate) mod turns;
pub(crate) mod wall;
pub(crate) mod wide;

use std::path::Path;
use std::time::{Duration, Instant};

/// Waits until something holds, looking often; the test fails when it does not within `limit`.
pub(crate) fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A library that a server is started with; the path is Debian's.
pub(crate) fn preloaded(path: &str) -> &str {
    assert!(Path::new(path).exists(), "{path} is not there: ./test installs what the tests need");
    path
}

/// A number from the environment, so that CI runs few rounds and a long run many.
pub(crate) fn rounds(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")),
        Err(_) => default,
    }
}

/// Prints what a test measured, for the table of promises (`cargo xtask assurance`).
pub(crate) fn figure(text: impl std::fmt::Display) {
    println!("figure: {text}");
}
