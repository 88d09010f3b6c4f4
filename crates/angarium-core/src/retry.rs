//! When a failed delivery is tried again.

mod after;

pub use after::RetryAfterBounds;

use crate::limits::Limits;
use crate::refusal::{Code, Refusal};
use crate::time::{Jitter, Timestamp, parse_span, print_span};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The shortest random wait of an exponential schedule (reliability-security.md, D9).
const FLOOR: Duration = Duration::from_secs(1);
/// The longest wait that a schedule may hold.
pub(crate) const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// The shares by which a list's waits may be lengthened.
pub(crate) const SPREADS: RangeInclusive<f64> = 0.0..=1.0;
/// What growing waits may be multiplied by.
pub(crate) const FACTORS: RangeInclusive<f64> = 1.0..=10.0;

/// A schedule as contracts and the API write it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RetrySpec {
    /// The waits before the second, third … attempt: `["5s", "25s", "125s"]`.
    List(Vec<String>),
    /// Growing waits: `{ base = "5s", factor = 2, cap = "1h", window = "24h" }`.
    Growing(GrowingSpec),
}

/// Growing waits with full jitter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrowingSpec {
    /// The first wait.
    pub base: String,
    /// What each wait is multiplied by; 2 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// The longest wait.
    pub cap: String,
    /// How long after acceptance the last retry may be; 24 h if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
}

/// A checked schedule.
#[derive(Debug, Clone, PartialEq)]
pub enum RetryPolicy {
    /// One wait for each retry.
    List {
        /// The waits, in order.
        waits: Vec<Duration>,
        /// Each wait is lengthened by up to this share of itself; 0 keeps it to the letter.
        spread: f64,
    },
    /// `base · factorᵏ`, at most `cap`, drawn evenly from a second to that, until `window` after
    /// acceptance.
    Growing {
        /// The first wait.
        base: Duration,
        /// What each wait is multiplied by.
        factor: f64,
        /// The longest wait.
        cap: Duration,
        /// How long after acceptance the last retry may be.
        window: Duration,
    },
}

impl RetryPolicy {
    /// Checks a schedule. `spread` is the share that a list's waits are lengthened by, from 0 to 1.
    ///
    /// # Errors
    /// [`Code::InvalidSchedule`], naming the member below `retries`.
    pub fn try_new(spec: &RetrySpec, spread: f64, limits: &Limits) -> Result<Self, Refusal> {
        let invalid =
            |field: String, message: String| Refusal::field(Code::InvalidSchedule, field, message);
        let span = |field: String, text: &str| {
            parse_span(text).filter(|span| *span <= LONGEST).ok_or_else(|| {
                let message = format!(
                    "{text:?} is not a span such as \"250ms\", \"5s\" or \"2h\", at most \"7d\""
                );
                invalid(field, message)
            })
        };
        if !SPREADS.contains(&spread) {
            return Err(invalid("jitter".into(), "a share between 0 and 1".into()));
        }
        match spec {
            RetrySpec::List(texts) => {
                if texts.len() > limits.retries {
                    return Err(invalid(
                        "retries".into(),
                        format!("at most {} retries", limits.retries),
                    ));
                }
                let wait = |(i, text): (usize, &String)| span(format!("retries[{i}]"), text);
                let waits = texts.iter().enumerate().map(wait).collect::<Result<_, _>>()?;
                Ok(RetryPolicy::List { waits, spread })
            }
            RetrySpec::Growing(spec) => {
                let base = span("retries.base".into(), &spec.base)?;
                let cap = span("retries.cap".into(), &spec.cap)?;
                let window =
                    span("retries.window".into(), spec.window.as_deref().unwrap_or("24h"))?;
                let factor = spec.factor.unwrap_or(2.0);
                if !FACTORS.contains(&factor) {
                    return Err(invalid(
                        "retries.factor".into(),
                        "a number between 1 and 10".into(),
                    ));
                }
                if base.is_zero() || base > cap {
                    let message = "the first wait is more than 0 and at most `cap`".into();
                    return Err(invalid("retries.base".into(), message));
                }
                Ok(RetryPolicy::Growing { base, factor, cap, window })
            }
        }
    }

    /// When to try again after `attempts` failed attempts; `None` when the schedule has ended.
    pub fn next(
        &self,
        attempts: u16,
        accepted_at: Timestamp,
        jitter: Jitter,
        now: Timestamp,
    ) -> Option<Timestamp> {
        match self {
            RetryPolicy::List { waits, spread } => {
                let wait = waits.get(usize::from(attempts.checked_sub(1)?))?;
                Some(now + wait.mul_f64(1.0 + spread * jitter.get()))
            }
            RetryPolicy::Growing { base, factor, cap, window } => {
                let exponent = i32::from(attempts.checked_sub(1)?.min(1_000));
                let longest = base.as_secs_f64() * factor.powi(exponent);
                let longest = Duration::from_secs_f64(longest.min(cap.as_secs_f64()));
                let floor = FLOOR.min(longest);
                let due = now + floor + (longest - floor).mul_f64(jitter.get());
                (due <= accepted_at + *window).then_some(due)
            }
        }
    }

    /// The schedule in the form that the API shows.
    pub fn to_spec(&self) -> RetrySpec {
        match self {
            RetryPolicy::List { waits, .. } => {
                RetrySpec::List(waits.iter().map(|wait| print_span(*wait)).collect())
            }
            RetryPolicy::Growing { base, factor, cap, window } => RetrySpec::Growing(GrowingSpec {
                base: print_span(*base),
                factor: Some(*factor),
                cap: print_span(*cap),
                window: Some(print_span(*window)),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const T0: Timestamp = Timestamp::from_millis(1_000_000);

    fn list(waits: &[&str], spread: f64) -> RetryPolicy {
        let spec = RetrySpec::List(waits.iter().map(ToString::to_string).collect());
        RetryPolicy::try_new(&spec, spread, &Limits::default()).expect("a schedule")
    }

    fn growing() -> RetryPolicy {
        let spec = GrowingSpec { base: "5s".into(), factor: None, cap: "1h".into(), window: None };
        RetryPolicy::try_new(&RetrySpec::Growing(spec), 0.0, &Limits::default())
            .expect("a schedule")
    }

    #[test]
    fn a_list_without_spread_is_kept_to_the_letter_and_then_ends() {
        let policy = list(&["5s", "25s", "125s"], 0.0);
        let waits: Vec<_> = (1..=4)
            .map(|n| policy.next(n, T0, Jitter::new(0.9), T0).map(|at| at.since(T0).as_secs()))
            .collect();
        assert_eq!(waits, [Some(5), Some(25), Some(125), None]);
    }

    #[test]
    fn growing_waits_are_multiplied_each_time_up_to_the_cap_and_chance_takes_from_them() {
        let spec =
            GrowingSpec { base: "10s".into(), factor: Some(3.0), cap: "2m".into(), window: None };
        let policy = RetryPolicy::try_new(&RetrySpec::Growing(spec), 0.0, &Limits::default());
        let policy = policy.expect("a schedule");
        let wait = |n, jitter| {
            let at = policy.next(n, T0, Jitter::new(jitter), T0).expect("within the window");
            at.since(T0).as_millis()
        };
        assert_eq!([1, 2, 3, 4, 5].map(|n| wait(n, 0.5)), [5_500, 15_500, 45_500, 60_500, 60_500]);
        assert_eq!([1, 4].map(|n| wait(n, 0.0)), [1_000, 1_000]);
    }

    #[test]
    fn a_growing_schedule_ends_with_its_window() {
        let day = Duration::from_secs(24 * 3600);
        assert!(growing().next(30, T0, Jitter::new(0.0), T0 + day - FLOOR).is_some());
        assert!(growing().next(30, T0, Jitter::new(0.5), T0 + day - FLOOR).is_none());
    }

    #[test]
    fn a_bad_schedule_is_refused_with_its_member_named() {
        let check = |spec| RetryPolicy::try_new(&spec, 0.0, &Limits::default());
        let bad = check(RetrySpec::List(vec!["1s".into(), "soon".into()])).expect_err("not a span");
        assert_eq!(bad.field.as_deref(), Some("retries[1]"));
        assert!(check(RetrySpec::List(vec!["1s".into(); 100])).is_ok());
        assert!(check(RetrySpec::List(vec!["1s".into(); 101])).is_err());
        assert!(check(RetrySpec::List(vec!["7d".into()])).is_ok());
        assert!(check(RetrySpec::List(vec!["604801s".into()])).is_err(), "a second more");
        let spec = GrowingSpec { base: "1h".into(), factor: None, cap: "1h".into(), window: None };
        assert!(check(RetrySpec::Growing(spec.clone())).is_ok());
        let spec = GrowingSpec { base: "2h".into(), ..spec };
        let bad = check(RetrySpec::Growing(spec)).expect_err("base above cap");
        assert_eq!(bad.field.as_deref(), Some("retries.base"));
    }

    proptest! {
        #[test]
        fn a_wait_is_never_below_a_second_nor_above_the_cap(
            n in 1u16..2000, jitter in 0.0..1.0f64
        ) {
            let at = growing().next(n, T0, Jitter::new(jitter), T0).expect("within the window");
            prop_assert!(at.since(T0) >= FLOOR && at.since(T0) <= Duration::from_secs(3600));
        }

        #[test]
        fn a_spread_only_lengthens_a_wait(jitter in 0.0..1.0f64) {
            let at = list(&["10s"], 0.2).next(1, T0, Jitter::new(jitter), T0).expect("a retry");
            prop_assert!(at.since(T0) >= Duration::from_secs(10));
            prop_assert!(at.since(T0) <= Duration::from_secs(12));
        }
    }
}
