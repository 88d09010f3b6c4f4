//! An endpoint's gate: may its next attempt start now?
//!
//! Four bars stand one behind the other, and an attempt starts when all are up. What an attempt
//! brings back moves them:
//!
//! | bar | holds | moved by |
//! |---|---|---|
//! | [`Breaker`] | all but one probe at a time, while the endpoint is down | failures, the probe |
//! | [`Window`] | more attempts at a time than it carries | time-outs, throttling, latency |
//! | [`Pace`] | more attempts a second after throttling or an outage | throttling, time |
//! | rate | more attempts a second than people allow | people |
//!
//! What a gate holds waits; no attempt of its schedule is used up. Everything here is forgotten
//! when the node stops: an endpoint that was failing begins with a probe or a slow start.

mod breaker;
mod pace;
mod window;

#[cfg(test)]
mod tests;

pub use breaker::{BreakerRule, BreakerState};

use crate::outcome::Class;
use crate::rate::{Gcra, RateLimit};
use crate::time::{Jitter, Timestamp};
use breaker::Breaker;
use pace::Pace;
use std::time::Duration;
use window::Window;

/// Failed attempts in a row after which an endpoint has had an outage: it is started slowly when it
/// is back.
const OUTAGE: u32 = 10;
/// An endpoint that has only refused for so long is down rather than busy.
const SILENT: Duration = Duration::from_secs(5);

/// What is fixed of a gate: the settings in force.
#[derive(Debug, Clone, PartialEq)]
pub struct GateRules {
    /// Most attempts in flight.
    pub window: usize,
    /// Most attempts a second; none where nobody set one.
    pub rate: Option<RateLimit>,
    /// When a failing endpoint is left alone; none where the contract's schedule is kept to the
    /// letter (contracts.md, G1).
    pub breaker: Option<BreakerRule>,
}

/// What has moved of a gate.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    breaker: Breaker,
    window: Window,
    pace: Pace,
    rate: Gcra,
    /// Failed attempts since the last one that was answered.
    failures: u32,
    /// When that was.
    answered_at: Option<Timestamp>,
}

/// Whether an attempt may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// At once.
    Now,
    /// Not before this time.
    At(Timestamp, Bar),
    /// When an attempt has ended.
    AfterOutcome(Bar),
}

/// What holds an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    /// The endpoint is down; one probe at a time goes.
    Breaker,
    /// As many attempts are in flight as the endpoint carries.
    Window,
    /// The endpoint is being started slowly.
    Pace,
    /// As many attempts a second are made as people allow.
    Rate,
}

/// What people see of a gate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GateView {
    /// Most attempts in flight, for now.
    pub window: usize,
    /// Most attempts a second while it is being started slowly.
    pub pace: Option<f64>,
    /// Whether it is left alone.
    pub breaker: BreakerState,
}

/// What an attempt says about the endpoint rather than about its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    /// It does what it should.
    Healthy,
    /// It asks for less.
    Throttled,
    /// It did not answer in time.
    TimedOut,
    /// It is out of order, or cannot be reached.
    Down,
    /// It is there; what it thinks of this event is another matter.
    Answered,
}

impl Signal {
    fn of(class: Class) -> Self {
        match class {
            Class::Success => Signal::Healthy,
            Class::Throttled => Signal::Throttled,
            Class::Timeout => Signal::TimedOut,
            Class::ServerError
            | Class::Dns
            | Class::Unreachable
            | Class::Tls
            | Class::TlsUnsupported
            | Class::Protocol
            // Without a token nothing gets through, whoever is at fault.
            | Class::Token => Signal::Down,
            Class::Redirect | Class::ClientError | Class::Gone | Class::Unsendable => {
                Signal::Answered
            }
        }
    }
}

/// An attempt that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Attempted {
    /// What it meant.
    pub class: Class,
    /// When it began.
    pub started_at: Timestamp,
    /// How long the exchange took.
    pub took: Duration,
}

impl Gate {
    /// The gate of an endpoint whose last attempts failed so often in a row when the node stopped.
    pub fn after_restart(failures: u32, rules: &GateRules, now: Timestamp) -> Self {
        let mut gate = Self { failures, ..Self::default() };
        if failures >= OUTAGE {
            gate.start_slowly(now);
        }
        if rules.breaker.is_some_and(|rule| failures >= rule.failures) {
            gate.breaker = Breaker::half_open(now);
        }
        gate
    }

    /// Whether the next attempt may start, while so many are in flight.
    pub fn opening(&mut self, rules: &GateRules, in_flight: usize, now: Timestamp) -> Opening {
        if rules.breaker.is_some()
            && let Some(opening) = self.breaker.holds(now)
        {
            return opening;
        }
        if in_flight >= self.window.size(rules.window) {
            return Opening::AfterOutcome(Bar::Window);
        }
        if let Some(at) = self.pace.holds(now) {
            return Opening::At(at, Bar::Pace);
        }
        match rules.rate.as_ref().map(|limit| self.rate.earliest(limit, now)) {
            Some(at) if at > now => Opening::At(at, Bar::Rate),
            Some(_) | None => Opening::Now,
        }
    }

    /// An attempt starts; the gate was [open](Opening::Now).
    pub fn started(&mut self, rules: &GateRules, now: Timestamp) {
        self.breaker.started(now);
        self.pace.started(now);
        if let Some(limit) = &rules.rate {
            // It was asked just before, so it admits.
            let _ = self.rate.admit(limit, now);
        }
    }

    /// An attempt has ended: the bars move.
    pub fn observe(
        &mut self,
        rules: &GateRules,
        attempted: Attempted,
        jitter: Jitter,
        now: Timestamp,
    ) {
        let Attempted { class, started_at, took } = attempted;
        let signal = Signal::of(class);
        match signal {
            Signal::Healthy => self.window.carried(took, started_at, rules.window, now),
            Signal::Throttled | Signal::TimedOut => {
                self.window.cut(started_at, rules.window, now);
                self.pace.cut(started_at, now);
            }
            Signal::Down => self.pace.slow_down(started_at, now),
            Signal::Answered => {}
        }
        match signal {
            Signal::Healthy | Signal::Answered => {
                let was_open = self.breaker.answered(now);
                if was_open || self.failures >= OUTAGE {
                    self.start_slowly(now);
                }
                self.failures = 0;
                self.answered_at = Some(now);
            }
            // A probe that is throttled decides all the same, or no other would follow it.
            Signal::Throttled if self.answered_lately(now) && !self.breaker.is_probing() => {}
            Signal::Throttled | Signal::TimedOut | Signal::Down => {
                self.failures = self.failures.saturating_add(1);
                if let Some(rule) = &rules.breaker {
                    self.breaker.failed(rule, started_at, jitter, now);
                }
            }
        }
    }

    /// The endpoint is on again after a pause: what has gathered does not come at once.
    pub fn resumed(&mut self, now: Timestamp) {
        *self = Self { rate: std::mem::take(&mut self.rate), ..Self::default() };
        self.start_slowly(now);
    }

    /// Who asks for less is there, unless it has said nothing else for a while.
    fn answered_lately(&self, now: Timestamp) -> bool {
        self.answered_at.is_some_and(|at| now.since(at) < SILENT)
    }

    /// What it looks like from outside.
    pub fn view(&self, rules: &GateRules) -> GateView {
        GateView {
            window: self.window.size(rules.window),
            pace: self.pace.per_second(),
            breaker: self.breaker.state(),
        }
    }

    fn start_slowly(&mut self, now: Timestamp) {
        self.window.start_slowly();
        self.pace.start_slowly(now);
    }
}
