//! What a gate promises, by a clock that the tests move.

use super::*;
use crate::rate::RateSpec;
use proptest::prelude::*;

const T0: Timestamp = Timestamp::from_millis(1_000_000_000);
const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const RULE: BreakerRule =
    BreakerRule { failures: 5, wait: Duration::from_secs(5), cap: Duration::from_secs(60) };

fn rules(breaker: Option<BreakerRule>) -> GateRules {
    GateRules { window: 64, rate: None, breaker }
}

/// A gate with a clock; attempts end when the test says so.
struct Bench {
    gate: Gate,
    rules: GateRules,
    now: Timestamp,
}

impl Bench {
    fn new(rules: GateRules) -> Self {
        Self { gate: Gate::default(), rules, now: T0 }
    }

    /// What holds until a time never names one that has come: who waits for it would wait anew.
    fn opening(&mut self, in_flight: usize) -> Opening {
        let opening = self.gate.opening(&self.rules, in_flight, self.now);
        assert!(!matches!(opening, Opening::At(at, _) if at <= self.now), "{opening:?}");
        opening
    }

    /// Starts an attempt that must be allowed, and ends it after a time.
    fn attempt(&mut self, class: Class, took: Duration) {
        assert_eq!(self.opening(0), Opening::Now);
        self.gate.started(&self.rules, self.now);
        let started_at = self.now;
        self.now = self.now + took;
        self.ended(class, started_at);
    }

    fn ended(&mut self, class: Class, started_at: Timestamp) {
        let took = self.now.since(started_at);
        let attempted = Attempted { class, started_at, took };
        self.gate.observe(&self.rules, attempted, Jitter::new(1.0), self.now);
    }

    /// Attempts that start within a second, one at a time, all of this class.
    fn starts_in_a_second(&mut self, class: Class) -> usize {
        let end = self.now + SECOND;
        let mut starts = 0;
        while self.now < end {
            match self.opening(0) {
                Opening::Now => {
                    self.attempt(class, MILLI);
                    starts += 1;
                }
                Opening::At(at, _) => self.now = at,
                Opening::AfterOutcome(bar) => panic!("nothing is in flight, and {bar:?} holds"),
            }
        }
        starts
    }
}

#[test]
fn a_gate_that_nothing_moved_lets_the_whole_window_through() {
    let mut bench = Bench::new(rules(Some(RULE)));
    assert_eq!(bench.opening(63), Opening::Now);
    assert_eq!(bench.opening(64), Opening::AfterOutcome(Bar::Window));
}

#[test]
fn only_an_attempt_that_began_after_a_cut_cuts_the_pace_again() {
    let mut bench = Bench::new(rules(None));
    bench.attempt(Class::Throttled, MILLI);
    let cut_at = bench.now;
    let pace = |bench: &Bench| bench.gate.pace.per_second().unwrap_or(f64::INFINITY);
    assert!(pace(&bench) < 11.0);
    bench.now = cut_at + 2 * SECOND;
    bench.ended(Class::Throttled, cut_at);
    assert!(pace(&bench) > 10.5, "{}", pace(&bench));
    bench.ended(Class::Throttled, cut_at + MILLI);
    assert!(pace(&bench) < 8.0, "{}", pace(&bench));
}

#[test]
fn who_throttles_gets_seven_tenths_of_what_it_has_just_got() {
    let pace_after = |quiet: Duration| {
        let mut bench = Bench::new(rules(None));
        (0..200).for_each(|_| bench.gate.started(&bench.rules, bench.now));
        bench.now = bench.now + quiet;
        bench.attempt(Class::Throttled, MILLI);
        bench.gate.view(&bench.rules).pace
    };
    assert_eq!(pace_after(MILLI), Some(201.0 * 0.7));
    assert_eq!(pace_after(SECOND), Some(200.0 * 0.7), "in the second before");
    assert_eq!(pace_after(2 * SECOND), Some(10.0), "long ago");
}

#[test]
fn a_pace_names_the_first_millisecond_in_which_the_next_may_go() {
    let mut bench = Bench::new(rules(None));
    bench.attempt(Class::Throttled, MILLI);
    bench.now = bench.now + SECOND;
    bench.attempt(Class::Throttled, MILLI);
    let at = loop {
        match bench.opening(0) {
            Opening::Now => bench.gate.started(&bench.rules, bench.now),
            Opening::At(at, Bar::Pace) => break at,
            other => panic!("{other:?}"),
        }
    };
    bench.now = Timestamp::from_millis(at.as_millis() - 1);
    assert_eq!(bench.opening(0), Opening::At(at, Bar::Pace));
    bench.now = at;
    assert_eq!(bench.opening(0), Opening::Now);
}

#[test]
fn a_few_attempts_that_come_together_are_not_held_back_by_a_pace() {
    let mut bench = Bench::new(rules(None));
    bench.attempt(Class::Throttled, MILLI);
    let mut at_once = 0;
    while at_once < 100 && bench.opening(0) == Opening::Now {
        bench.gate.started(&bench.rules, bench.now);
        at_once += 1;
    }
    assert!((10..=12).contains(&at_once), "{at_once}");
}

#[test]
fn an_endpoint_that_is_down_costs_one_probe_at_a_time_further_and_further_apart() {
    let mut bench = Bench::new(rules(Some(RULE)));
    for _ in 0..5 {
        bench.attempt(Class::Unreachable, MILLI);
    }
    for wait in [5, 10, 20, 40, 60, 60] {
        let opens = bench.now + Duration::from_secs(wait);
        assert_eq!(bench.opening(0), Opening::At(opens, Bar::Breaker), "{wait} s");
        bench.now = opens;
        assert_eq!(bench.opening(0), Opening::Now);
        bench.gate.started(&bench.rules, bench.now);
        assert_eq!(bench.opening(1), Opening::AfterOutcome(Bar::Breaker), "one at a time");
        bench.now = bench.now + SECOND;
        bench.ended(Class::Timeout, opens);
    }
}

#[test]
fn stragglers_of_before_neither_open_a_breaker_further_nor_end_a_probe() {
    let mut bench = Bench::new(rules(Some(RULE)));
    let before = bench.now;
    for _ in 0..5 {
        bench.attempt(Class::Unreachable, MILLI);
    }
    let opens = bench.now + RULE.wait;
    bench.ended(Class::Timeout, before);
    assert_eq!(bench.opening(0), Opening::At(opens, Bar::Breaker));
    bench.now = opens;
    bench.gate.started(&bench.rules, opens);
    bench.ended(Class::Timeout, before);
    assert_eq!(bench.opening(1), Opening::AfterOutcome(Bar::Breaker));
}

#[test]
fn an_outage_soon_after_another_is_the_same_one_and_a_later_one_begins_anew() {
    let wait_after_five = |quiet: Duration| {
        let mut bench = Bench::new(rules(Some(RULE)));
        (0..5).for_each(|_| bench.attempt(Class::ServerError, MILLI));
        bench.now = bench.now + RULE.wait;
        bench.attempt(Class::Success, MILLI);
        bench.now = bench.now + quiet;
        // At a pace of ten a second or more.
        for _ in 0..5 {
            bench.attempt(Class::ServerError, MILLI);
            bench.now = bench.now + SECOND / 10;
        }
        match bench.gate.view(&bench.rules).breaker {
            BreakerState::Open(until) => until.since(bench.now) + SECOND / 10,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(wait_after_five(RULE.cap), RULE.wait);
    assert_eq!(wait_after_five(SECOND), 2 * RULE.wait);
}

#[test]
fn a_success_closes_a_breaker_and_the_endpoint_starts_slowly() {
    let mut bench = Bench::new(rules(Some(RULE)));
    for _ in 0..5 {
        bench.attempt(Class::ServerError, MILLI);
    }
    bench.now = bench.now + RULE.wait;
    bench.attempt(Class::Success, MILLI);
    assert_eq!(bench.gate.view(&bench.rules).breaker, BreakerState::Closed);
    assert_eq!(bench.gate.view(&bench.rules).window, 1);
    let starts: Vec<_> = (0..6).map(|_| bench.starts_in_a_second(Class::Success)).collect();
    let ramp = |pair: &[usize]| pair[1] > pair[0] && pair[1] <= 2 * pair[0] + 10;
    assert!(starts[0] <= 20 && starts[1..].windows(2).all(ramp), "{starts:?}");
}

#[test]
fn failures_before_a_restart_count_towards_an_outage() {
    let mut bench = Bench::new(rules(None));
    bench.gate = Gate::after_restart(OUTAGE - 1, &bench.rules, bench.now);
    assert_eq!(bench.gate.view(&bench.rules).window, 64);
    bench.attempt(Class::ServerError, MILLI);
    bench.attempt(Class::Success, MILLI);
    assert_eq!(bench.gate.view(&bench.rules).window, 1);
}

#[test]
fn a_pause_gives_no_new_burst() {
    let rate = RateLimit::try_new(RateSpec { per_second: 1.0, burst: Some(3) }).expect("sound");
    let mut bench = Bench::new(GateRules { rate: Some(rate), ..rules(None) });
    (0..3).for_each(|_| bench.attempt(Class::Success, Duration::ZERO));
    bench.gate.resumed(bench.now);
    assert_eq!(bench.opening(0), Opening::At(bench.now + SECOND, Bar::Rate));
}

#[test]
fn what_an_endpoint_thinks_of_one_event_says_nothing_of_the_endpoint() {
    let mut bench = Bench::new(rules(Some(RULE)));
    for class in [Class::ClientError, Class::Gone, Class::Redirect, Class::Unsendable] {
        (0..20).for_each(|_| bench.attempt(class, MILLI));
    }
    assert_eq!(bench.opening(63), Opening::Now);
}

#[test]
fn who_throttles_is_there_and_gets_less_rather_than_nothing() {
    let mut bench = Bench::new(rules(Some(RULE)));
    bench.attempt(Class::Success, MILLI);
    let began = bench.now;
    (0..20).for_each(|_| bench.ended(Class::Throttled, began));
    assert_eq!(bench.gate.view(&bench.rules).breaker, BreakerState::Closed);
    assert!(bench.starts_in_a_second(Class::Success) <= 20);
    // One that has only been asking for less for a while is down all the same.
    bench.now = bench.now + SILENT;
    let began = bench.now;
    (0..5).for_each(|_| bench.ended(Class::Throttled, began));
    assert!(matches!(bench.gate.view(&bench.rules).breaker, BreakerState::Open(_)));
}

#[test]
fn who_has_only_throttled_for_five_seconds_is_down() {
    for (silent, state_is_open) in [(SILENT - MILLI, false), (SILENT, true)] {
        let mut bench = Bench::new(rules(Some(RULE)));
        bench.attempt(Class::Success, MILLI);
        bench.now = bench.now + silent;
        let began = bench.now;
        (0..5).for_each(|_| bench.ended(Class::Throttled, began));
        let state = bench.gate.view(&bench.rules).breaker;
        assert_eq!(matches!(state, BreakerState::Open(_)), state_is_open, "{silent:?}");
    }
}

#[test]
fn without_a_breaker_nothing_is_held_for_failures_alone() {
    let mut bench = Bench::new(rules(None));
    (0..100).for_each(|_| bench.attempt(Class::Unreachable, MILLI));
    assert_eq!(bench.opening(63), Opening::Now);
    bench.attempt(Class::Success, MILLI);
    assert_eq!(bench.gate.view(&bench.rules).window, 1, "but it had an outage");
}

#[test]
fn a_receiver_that_carries_200_a_second_gets_nearly_that_and_refuses_few() {
    let mut bench = Bench::new(rules(Some(RULE)));
    bench.gate.resumed(bench.now);
    let (mut sent, mut refused, mut second, mut got) = (0, 0, bench.now.as_seconds(), 0);
    let end = bench.now + Duration::from_secs(300);
    while bench.now < end {
        match bench.opening(0) {
            Opening::Now => {
                if bench.now.as_seconds() != second {
                    (second, got) = (bench.now.as_seconds(), 0);
                }
                got += 1;
                let class = if got > 200 { Class::Throttled } else { Class::Success };
                sent += usize::from(class == Class::Success);
                refused += usize::from(class == Class::Throttled);
                bench.attempt(class, MILLI);
            }
            Opening::At(at, _) => bench.now = at,
            Opening::AfterOutcome(bar) => panic!("{bar:?}"),
        }
    }
    assert!(sent > 300 * 150, "{sent} in five minutes");
    assert!(refused * 100 < sent, "{refused} of {sent} refused");
}

#[test]
fn a_pace_that_nobody_complains_about_ends_within_ten_seconds() {
    let mut bench = Bench::new(rules(None));
    bench.gate.resumed(bench.now);
    for _ in 0..10 {
        bench.starts_in_a_second(Class::Success);
    }
    assert_eq!(bench.gate.view(&bench.rules).pace, None);
}

#[test]
fn a_rate_is_never_passed_whatever_else_opens() {
    let limit = RateLimit::try_new(RateSpec { per_second: 50.0, burst: Some(10) }).expect("one");
    let mut bench = Bench::new(GateRules { rate: Some(limit), ..rules(None) });
    let starts: Vec<_> = (0..5).map(|_| bench.starts_in_a_second(Class::Success)).collect();
    assert_eq!(starts.iter().sum::<usize>(), 10 + 5 * 50 - 1, "{starts:?}");
}

#[test]
fn an_endpoint_that_failed_before_a_restart_begins_with_a_probe() {
    let rules = rules(Some(RULE));
    let mut gate = Gate::after_restart(5, &rules, T0);
    assert_eq!(gate.opening(&rules, 0, T0), Opening::Now);
    gate.started(&rules, T0);
    assert_eq!(gate.opening(&rules, 1, T0), Opening::AfterOutcome(Bar::Breaker));
    let mut gate = Gate::after_restart(4, &rules, T0);
    assert_eq!(gate.opening(&rules, 63, T0), Opening::Now);
}

#[test]
fn a_clock_that_is_set_back_an_hour_stalls_nothing() {
    let hour = Duration::from_secs(3600);
    let mut bench = Bench::new(rules(Some(RULE)));
    for _ in 0..5 {
        bench.attempt(Class::Unreachable, MILLI);
    }
    bench.now = bench.now - hour;
    assert_eq!(bench.opening(0), Opening::At(bench.now + RULE.wait, Bar::Breaker));
    let mut bench = Bench::new(rules(None));
    bench.gate.resumed(bench.now);
    bench.starts_in_a_second(Class::Success);
    bench.now = bench.now - hour;
    assert!((5..=40).contains(&bench.starts_in_a_second(Class::Success)));
}

proptest! {
    /// With nothing in flight a gate never waits for an outcome, and never for more than a
    /// breaker's longest wait: nothing is held for ever.
    #[test]
    fn no_gate_holds_for_ever(
        steps in prop::collection::vec((0..Class::ALL.len(), 0u64..120_000), 1..200)
    ) {
        let mut bench = Bench::new(rules(Some(RULE)));
        for (class, pause) in steps {
            bench.now = bench.now + Duration::from_millis(pause);
            if let Opening::At(at, _) = bench.opening(0) {
                prop_assert!(at > bench.now && at <= bench.now + RULE.cap);
                bench.now = at;
            }
            bench.attempt(Class::ALL[class], MILLI);
        }
    }
}

proptest! {
    #[test]
    fn what_is_told_to_come_later_is_let_through_at_that_time_and_not_at_once(
        random in 0.0..1.0f64,
        wait in 1u64..20_000,
        steps in prop::collection::vec(0u64..2_000, 1..40),
    ) {
        let rule = BreakerRule { failures: 1, wait: Duration::from_millis(wait), ..RULE };
        let (rules, mut gate, mut now) = (rules(Some(rule)), Gate::default(), T0);
        let attempted = Attempted { class: Class::Timeout, started_at: T0, took: MILLI };
        gate.observe(&rules, attempted, Jitter::new(random), T0);
        for step in steps {
            now = now + Duration::from_millis(step);
            if let Opening::At(at, bar) = gate.opening(&rules, 0, now) {
                prop_assert!(at > now, "{bar:?} holds until a time that has come");
                let then = gate.clone().opening(&rules, 0, at);
                prop_assert!(then == Opening::Now || bar != Bar::Breaker, "{then:?}");
                now = at - MILLI;
            }
        }
    }
}

#[test]
fn a_probe_that_is_throttled_is_followed_by_another() {
    let mut bench = Bench::new(rules(Some(RULE)));
    bench.attempt(Class::Success, MILLI);
    for _ in 0..RULE.failures {
        bench.ended(Class::ServerError, bench.now);
    }
    // The wait is over before the last answer is long past.
    bench.gate.breaker = Breaker::half_open(bench.now);
    bench.now = bench.now + SECOND;
    bench.attempt(Class::Throttled, MILLI);
    assert_ne!(bench.opening(0), Opening::AfterOutcome(Bar::Breaker), "nothing is in flight");
}
