//! What is written of retries, rates and ordering, and what a receiver answers to `Retry-After`:
//! every time lies where the schedule says, whatever the numbers are.
#![no_main]

use angarium_core::lane::Ordering;
use angarium_core::limits::Limits;
use angarium_core::outcome::RetryAfter;
use angarium_core::rate::{Gcra, RateLimit};
use angarium_core::retry::{RetryAfterBounds, RetryPolicy, RetrySpec};
use angarium_core::time::{Jitter, Timestamp};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct Written<'a> {
    retries: &'a str,
    rate: &'a str,
    ordering: &'a str,
    retry_after: &'a str,
    spread: f64,
    jitter: u32,
    attempts: u16,
    /// Seconds since 1970, and how much later the failure is.
    accepted: u32,
    later: u32,
}

fuzz_target!(|written: Written<'_>| {
    let accepted = Timestamp::from_millis(i64::from(written.accepted) * 1_000);
    let now = accepted + Duration::from_secs(written.later.into());
    if let Ok(spec) = serde_json::from_str::<RetrySpec>(written.retries) {
        let policy = RetryPolicy::try_new(&spec, written.spread, &Limits::default());
        if let Ok(policy) = policy {
            check_schedule(&policy, &written, accepted, now);
        }
    }
    let floor = Duration::from_secs(1);
    let bounds = RetryAfterBounds { floor, cap: Duration::from_secs(3_600) };
    if let Some(asked) = RetryAfter::parse(written.retry_after) {
        let until = bounds.honour(asked, now);
        assert!(now + bounds.floor <= until && until <= now + bounds.cap, "{until:?}");
    }
    if let Ok(limit) = serde_json::from_str::<RateLimit>(written.rate) {
        let text = serde_json::to_string(&limit).expect("a limit is JSON");
        assert_eq!(serde_json::from_str::<RateLimit>(&text).expect("it reads back"), limit);
        let mut gcra = Gcra::default();
        let burst = gcra.remaining(&limit, now);
        assert!(gcra.admit_all(burst, &limit, now).is_ok(), "all that remain may go");
        assert!(gcra.admit(&limit, now).is_err(), "and no more");
    }
    if let Ok(ordering) = serde_json::from_str::<Ordering>(written.ordering) {
        let _ = ordering.check();
    }
});

fn check_schedule(
    policy: &RetryPolicy,
    written: &Written<'_>,
    accepted: Timestamp,
    now: Timestamp,
) {
    let jitter = Jitter::from_bits(written.jitter);
    let again = RetryPolicy::try_new(&policy.to_spec(), written.spread, &Limits::default());
    assert_eq!(again.as_ref(), Ok(policy), "what is shown reads back");
    let Some(due) = policy.next(written.attempts, accepted, jitter, now) else { return };
    assert!(due >= now);
    match policy {
        RetryPolicy::List { waits, .. } => {
            let wait = waits[usize::from(written.attempts) - 1];
            let longest = wait.mul_f64(1.0 + written.spread) + Duration::from_millis(1);
            assert!(now + wait <= due && due <= now + longest, "{due:?}");
        }
        RetryPolicy::Growing { cap, window, .. } => {
            assert!(due <= now + *cap && due <= accepted + *window, "{due:?}");
        }
    }
}
