//! D16 and D17 (reliability-security plan, B2.5, B2.6, B2.7 and B2.11): the real server on a disk
//! that is full, that fails and that rots, and under a clock that jumps.
//!
//! Each test prints its figures. `DISK_FULL_CYCLES`, `IO_ERRORS`, `BIT_FLIPS` and `CLOCK_JUMPS`
//! make long runs; `SEED` repeats one. The faults are made by tools from outside, so that nothing
//! in the product is there for the tests: a small file system of the test's own (`unshare`), libfiu
//! and libfaketime (Debian's fiu-utils and faketime; `./test` installs them).

mod bit_flips;
mod clock;
mod disk_full;
mod io_errors;
mod load;

use crate::support::client::{Api, Connection};
use std::time::Duration;

/// What `/readyz` says: its status, and the problem's text.
fn readiness(api: &Api) -> (u16, String) {
    let answer = api.get("/readyz");
    (answer.status, answer.body["detail"].as_str().unwrap_or_default().to_owned())
}

/// Whether the server answers `/readyz` with 200.
fn is_ready(api: &Api) -> bool {
    let asked = Connection::open(&api.address)
        .and_then(|mut connection| connection.exchange(api, "GET", "/readyz", None));
    asked.is_ok_and(|answer| answer.status == 200)
}

/// The middle and the greatest of some spans.
fn spans(mut spans: Vec<Duration>) -> String {
    spans.sort_unstable();
    let (middle, most) = (spans.get(spans.len() / 2), spans.last());
    match (middle, most) {
        (Some(middle), Some(most)) => format!("median {middle:.0?}, most {most:.0?}"),
        (_, _) => "none".to_owned(),
    }
}
