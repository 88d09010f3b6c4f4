//! A rate limit as a value: how many a second, how many at once, and who may go now.
//!
//! The generic cell rate algorithm in its leaky-bucket form, in whole numbers only: what was
//! admitted stands as debt in millionths of an event, and a rate in thousandths a second is exactly
//! that many millionths a millisecond. So 5,000 a second is exact although the clock counts
//! milliseconds, and so is a third of what a limit was before it was changed.
//!
//! What is promised: in any span of a clock that goes forward at most `burst` and what the rate
//! allows in that span are admitted, and never fewer are refused than that needs. A clock that
//! jumps forward gives at most `burst`; one that jumps back gives nothing and takes nothing.

use crate::refusal::{Code, Refusal};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::time::Duration;

/// What a rate may be: from one in a thousand seconds to a million a second.
const PER_SECOND: RangeInclusive<f64> = 0.001..=1_000_000.0;
/// What may go at once.
const BURST: RangeInclusive<u32> = 1..=1_000_000;
/// One event, in the unit of debt.
const EVENT: u64 = 1_000_000;

/// A rate limit as the API writes and stores it: `{"per_second": 50, "burst": 100}`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateSpec {
    /// How many a second, with at most three decimals.
    #[serde(serialize_with = "whole_if_it_is")]
    pub per_second: f64,
    /// How many at once after a time without any; what one second allows if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
}

/// A checked rate limit; stored as a [`RateSpec`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RateSpec", into = "RateSpec")]
pub struct RateLimit {
    /// Thousandths of an event a second: millionths a millisecond.
    thousandths: u64,
    burst: u32,
}

impl RateLimit {
    /// Checks a limit.
    ///
    /// # Errors
    /// [`Code::InvalidField`] on `rate.per_second` or `rate.burst`.
    pub fn try_new(spec: RateSpec) -> Result<Self, Refusal> {
        let invalid = |member: &str, message: String| {
            Refusal::field(Code::InvalidField, format!("rate.{member}"), message)
        };
        let (least, most) = (PER_SECOND.start(), PER_SECOND.end());
        if !PER_SECOND.contains(&spec.per_second) {
            let message = format!("from {least} to {most} a second; absent for no limit");
            return Err(invalid("per_second", message));
        }
        let scaled = spec.per_second * 1000.0;
        let thousandths = scaled.round();
        if (scaled - thousandths).abs() > 1e-6 * scaled {
            return Err(invalid("per_second", "at most three decimals".into()));
        }
        // In range, whole and positive: nothing is lost.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
        let thousandths = thousandths as u64;
        let one_second = u32::try_from(thousandths.div_ceil(1000)).unwrap_or(u32::MAX);
        let burst = spec.burst.unwrap_or(one_second);
        if !BURST.contains(&burst) {
            let message = format!("from {} to {} at once", BURST.start(), BURST.end());
            return Err(invalid("burst", message));
        }
        Ok(Self { thousandths, burst })
    }

    /// How many a second.
    pub fn per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "at most a billion thousandths")]
        let thousandths = self.thousandths as f64;
        thousandths / 1000.0
    }

    /// How many at once.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// The limit in the form that the API shows and the store keeps.
    pub fn to_spec(&self) -> RateSpec {
        RateSpec { per_second: self.per_second(), burst: Some(self.burst) }
    }

    /// How long until the whole burst may come again after it has come.
    pub fn window(&self) -> Duration {
        time_for(self.full(), self)
    }

    /// The debt that fills the limit.
    const fn full(&self) -> u64 {
        self.burst as u64 * EVENT
    }
}

impl TryFrom<RateSpec> for RateLimit {
    type Error = Refusal;

    fn try_from(spec: RateSpec) -> Result<Self, Refusal> {
        Self::try_new(spec)
    }
}

impl From<RateLimit> for RateSpec {
    fn from(limit: RateLimit) -> Self {
        limit.to_spec()
    }
}

/// What was admitted under a limit and is not yet worked off. The limit comes in with each call, so
/// it may be changed at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gcra {
    /// Admitted and not yet worked off at `at`, in millionths of an event.
    debt: u64,
    at: Timestamp,
}

impl Gcra {
    /// Admits one, or says when the next may come.
    ///
    /// # Errors
    /// [`Gcra::earliest`], if that is later than now; nothing was counted.
    pub fn admit(&mut self, limit: &RateLimit, now: Timestamp) -> Result<(), Timestamp> {
        self.admit_all(1, limit, now)
    }

    /// Admits so many or none. More than [`RateLimit::burst`] are never admitted.
    ///
    /// # Errors
    /// When they may come; nothing was counted.
    pub fn admit_all(
        &mut self,
        count: u32,
        limit: &RateLimit,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        *self = self.worked_off(limit, now);
        let debt = self.debt + u64::from(count) * EVENT;
        if debt > limit.full() {
            return Err(now + time_for(debt - limit.full(), limit));
        }
        self.debt = debt;
        Ok(())
    }

    /// When the next may come: now, or later.
    pub fn earliest(&self, limit: &RateLimit, now: Timestamp) -> Timestamp {
        let debt = self.worked_off(limit, now).debt;
        now + time_for((debt + EVENT).saturating_sub(limit.full()), limit)
    }

    /// How many may come at once, now.
    pub fn remaining(&self, limit: &RateLimit, now: Timestamp) -> u32 {
        let room = limit.full() - self.worked_off(limit, now).debt;
        u32::try_from(room / EVENT).unwrap_or(u32::MAX)
    }

    /// When the whole burst may come again.
    pub fn idle_at(&self, limit: &RateLimit, now: Timestamp) -> Timestamp {
        now + time_for(self.worked_off(limit, now).debt, limit)
    }

    /// As it is now. A clock that went back has worked nothing off, and counts on from where it is.
    fn worked_off(self, limit: &RateLimit, now: Timestamp) -> Self {
        let millis = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let worked = millis.saturating_mul(limit.thousandths);
        // A limit that was lowered makes nobody wait for more than the new one would.
        Self { debt: self.debt.saturating_sub(worked).min(limit.full()), at: now }
    }
}

/// How long it takes to work off so much.
fn time_for(debt: u64, limit: &RateLimit) -> Duration {
    Duration::from_millis(debt.div_ceil(limit.thousandths))
}

fn whole_if_it_is<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.fract() == 0.0 && PER_SECOND.contains(value) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        let whole = *value as u64;
        return serializer.serialize_u64(whole);
    }
    serializer.serialize_f64(*value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const T0: Timestamp = Timestamp::from_millis(1_776_686_400_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn at(millis: u64) -> Timestamp {
        T0 + Duration::from_millis(millis)
    }

    fn limit(per_second: f64, burst: u32) -> RateLimit {
        RateLimit::try_new(RateSpec { per_second, burst: Some(burst) }).expect("a limit")
    }

    /// How many of `asked` are admitted at one moment.
    fn admitted(gcra: &mut Gcra, limit: &RateLimit, asked: usize, now: Timestamp) -> usize {
        (0..asked).filter(|_| gcra.admit(limit, now).is_ok()).count()
    }

    #[test]
    fn five_thousand_a_second_are_exact_on_a_clock_of_milliseconds() {
        for (per_second, burst) in [(5_000.0, 1), (5_000.0, 50), (3_000.0, 7), (0.5, 1), (333.3, 2)]
        {
            let (limit, mut gcra) = (limit(per_second, burst), Gcra::default());
            let first = admitted(&mut gcra, &limit, 100_000, T0);
            assert_eq!(first, burst as usize);
            let later: usize =
                (1..=10_000).map(|ms| admitted(&mut gcra, &limit, 1_000, at(ms))).sum();
            // A burst of one loses what comes within a millisecond that has had its one.
            let ten_seconds = if burst == 1 { per_second.min(1_000.0) } else { per_second } * 10.0;
            assert_eq!(later, ten_seconds as usize, "{per_second} a second, {burst} at once");
        }
    }

    #[test]
    fn who_waits_until_the_time_that_was_named_is_admitted_and_not_before() {
        for limit in [limit(5_000.0, 1), limit(3.0, 2), limit(0.001, 1), limit(0.7, 3)] {
            let mut gcra = Gcra::default();
            admitted(&mut gcra, &limit, 3, T0);
            let when = gcra.admit(&limit, T0).expect_err("over the limit");
            assert_eq!(when, gcra.earliest(&limit, T0));
            assert!(gcra.clone().admit(&limit, when - Duration::from_millis(1)).is_err());
            assert_eq!(gcra.admit(&limit, when), Ok(()));
        }
    }

    #[test]
    fn several_are_admitted_together_or_not_at_all() {
        let (limit, mut gcra) = (limit(2.0, 5), Gcra::default());
        assert_eq!(gcra.admit_all(4, &limit, T0), Ok(()));
        assert_eq!(gcra.admit_all(3, &limit, T0), Err(at(1_000)));
        assert_eq!(gcra.remaining(&limit, T0), 1, "what was refused is not counted");
        assert_eq!(gcra.admit_all(3, &limit, at(1_000)), Ok(()));
        assert_eq!(limit.window(), Duration::from_millis(2_500));
    }

    #[test]
    fn a_clock_that_jumps_an_hour_neither_stalls_nor_bursts_beyond_the_burst() {
        let limit = limit(10.0, 20);
        for jumped in [T0 + HOUR, T0 - HOUR] {
            let mut gcra = Gcra::default();
            assert_eq!(admitted(&mut gcra, &limit, 100, T0), 20);
            assert!(admitted(&mut gcra, &limit, 100, jumped) <= 20);
            assert!(gcra.earliest(&limit, jumped) <= jumped + Duration::from_millis(100));
            let next_second = jumped + Duration::from_secs(1);
            assert_eq!(admitted(&mut gcra, &limit, 100, next_second), 10, "{jumped}");
            assert!(admitted(&mut gcra, &limit, 100, T0) <= 20, "and back again");
        }
    }

    #[test]
    fn a_limit_that_is_lowered_holds_at_once_and_makes_nobody_wait_for_the_old_one() {
        let (wide, narrow) = (limit(1.0, 100), limit(1.0, 2));
        let mut gcra = Gcra::default();
        assert_eq!(admitted(&mut gcra, &wide, 100, T0), 100);
        assert_eq!(gcra.admit(&narrow, T0), Err(T0 + Duration::from_secs(1)));
        assert_eq!(gcra.remaining(&narrow, T0), 0);
        assert_eq!(gcra.idle_at(&narrow, T0), T0 + Duration::from_secs(2));
    }

    #[test]
    fn a_limit_is_checked_at_its_bounds_and_refused_past_them_by_its_member() {
        let check = |per_second, burst| RateLimit::try_new(RateSpec { per_second, burst });
        for (per_second, burst) in
            [(0.001, Some(1)), (1_000_000.0, Some(1_000_000)), (0.1, None), (12.345, None)]
        {
            assert!(check(per_second, burst).is_ok(), "{per_second}");
        }
        for per_second in [0.0, 0.0009, 1_000_000.001, -1.0, f64::NAN, f64::INFINITY, 0.1234] {
            let refusal = check(per_second, None).expect_err("refused");
            assert_eq!(refusal.field.as_deref(), Some("rate.per_second"), "{per_second}");
        }
        for burst in [0, 1_000_001] {
            let refusal = check(1.0, Some(burst)).expect_err("refused");
            assert_eq!(refusal.field.as_deref(), Some("rate.burst"), "{burst}");
        }
        assert_eq!(check(2.5, None).map(|limit| limit.burst()), Ok(3), "what a second allows");
    }

    #[test]
    fn a_limit_is_stored_as_it_is_written() {
        for (text, stored) in [
            (r#"{"per_second":50}"#, r#"{"per_second":50,"burst":50}"#),
            (r#"{"per_second":0.25,"burst":4}"#, r#"{"per_second":0.25,"burst":4}"#),
        ] {
            let limit = RateLimit::try_new(serde_json::from_str(text).expect(text)).expect(text);
            assert_eq!(serde_json::to_string(&limit).expect("JSON"), stored);
            assert_eq!(serde_json::from_str::<RateLimit>(stored).expect("stored"), limit);
        }
        assert!(serde_json::from_str::<RateLimit>(r#"{"per_second":1,"bursts":4}"#).is_err());
        assert!(serde_json::from_str::<RateLimit>(r#"{"per_second":0}"#).is_err());
    }

    proptest! {
        /// The slow model keeps every admission and says: in no span that ends now were there more
        /// than `burst` and what the rate allows in the span.
        #[test]
        fn what_is_admitted_is_exactly_what_the_rate_and_the_burst_allow(
            thousandths in 1u64..20_000_000,
            burst in 1u32..20,
            steps in prop::collection::vec((0u64..3_000, 1usize..30), 1..40),
        ) {
            let limit = RateLimit { thousandths, burst };
            let (mut gcra, mut before, mut now) = (Gcra::default(), Vec::<u64>::new(), 0u64);
            for (wait, asked) in steps {
                now += wait;
                for _ in 0..asked {
                    let fits = before.iter().enumerate().all(|(i, from)| {
                        let count = (before.len() - i + 1) as u64;
                        count * EVENT <= limit.full() + (now - from) * thousandths
                    });
                    prop_assert_eq!(gcra.remaining(&limit, at(now)) > 0, fits);
                    prop_assert_eq!(gcra.admit(&limit, at(now)).is_ok(), fits);
                    if fits {
                        before.push(now);
                    }
                }
            }
        }

        /// However the clock jumps, what was admitted is at most the burst and what the rate allows
        /// in the time that the clock went forward, and after a burst's time all is free again.
        #[test]
        fn a_clock_that_jumps_about_never_gives_more_than_it_went_forward(
            jumps in prop::collection::vec(-7_200_000i64..7_200_000, 1..30),
        ) {
            let limit = limit(2.0, 5);
            let (mut gcra, mut now) = (Gcra::default(), T0);
            let (mut count, mut forward) = (admitted(&mut gcra, &limit, 50, now) as u64, 0u64);
            for jump in jumps {
                let next = Timestamp::from_millis(now.as_millis() + jump);
                forward += u64::try_from(next.since(now).as_millis().min(2_500)).expect("small");
                now = next;
                count += admitted(&mut gcra, &limit, 50, now) as u64;
                prop_assert!(count * EVENT <= limit.full() + forward * 2_000);
                prop_assert!(gcra.idle_at(&limit, now).since(now) <= Duration::from_millis(2_500));
            }
        }
    }
}
