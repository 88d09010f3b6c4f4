//! Deterministic simulation: the real runner with its shard machines and the real embedded SQL,
//! under a virtual clock, with every fault drawn from a seed.
//!
//! ```text
//!  people ──▶ Runner ──▶ Receivers        a seed decides: who publishes what and when, what people
//!               │                         change, what receivers answer and when, what the store
//!               ▼                         refuses, loses or forgets to answer, and at which step
//!          FaultyStore ──▶ SQLite         the process is killed
//!               │
//!               ▼
//!            Ledger: what was committed, sent and received, checked at each step and at the end
//! ```
//!
//! Real are everything behind `Runner`, in `angarium-server`, the driver of recoveries, and the
//! store's code and SQL.
//! Replaced are what they are given: clock, entropy, transport, and a store that wraps the real
//! one. The process runs on one thread in a runtime whose time stands still until nobody has
//! anything to do; to kill it is to drop that runtime. A seed is a simulated day, to the letter:
//! each is run twice and must leave the same trace. `docs/simulation.md` says more.

mod ledger;
mod people;
mod plan;
mod process;
mod random;
mod receivers;
mod removal;
mod run;
mod store;
mod trace;
mod world;

pub use run::{Report, run, run_twice};

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The value of a future of the store, which never waits in place.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("the store runs in place"),
    }
}
