//! What an endpoint's gate lets through: its rate, and one probe at a time while it is down.
//!
//! A gate remembers nothing beyond its machine, and a change of its endpoint may begin it anew;
//! then so do these books.

use super::{Ledger, UnderWay};
use crate::plan::{BREAKER_FAILURES, BREAKER_WAIT, GUARDED};
use angarium_core::id::DeliveryKey;
use angarium_core::outcome::Class;
use angarium_core::rate::RateSpec;
use angarium_core::time::Timestamp;
use std::time::Duration;

/// The shortest wait before a probe: chance takes up to half of it.
const SHORTEST_WAIT: Duration = Duration::from_millis(BREAKER_WAIT * 1_000 / 2);
/// Who has just answered something else, and asks for less, may be there.
const LATELY: Duration = Duration::from_secs(10);

/// What is known of a gate.
#[derive(Debug, Default)]
pub(super) struct GateFacts {
    /// Attempts that the rate has not yet made up for, and when that was.
    debt: f64,
    counted_at: Timestamp,
    clock_set_at: Option<Timestamp>,
    /// Failures that certainly follow each other.
    failures: u32,
    /// Whether there were others before a change, which its machine may remember.
    had_failed: bool,
    answered_at: Option<Timestamp>,
    down: Option<Down>,
}

/// An endpoint that is left alone.
#[derive(Debug)]
struct Down {
    since: Timestamp,
    /// Whether the wait may have begun earlier, or the clock was set by which it is measured.
    is_unsure: bool,
    probe: Option<u64>,
}

impl GateFacts {
    /// A clock that jumps may let a burst pass, and end a wait.
    pub(super) fn clock_set(&mut self, time: Timestamp) {
        (self.debt, self.clock_set_at) = (0.0, Some(time));
        self.down.iter_mut().for_each(|down| down.is_unsure = true);
    }

    /// Its endpoint was changed: it may have forgotten everything, or nothing.
    pub(super) fn may_begin_anew(&mut self) {
        let had_failed = self.had_failed || self.failures > 0 || self.down.is_some();
        *self = Self { answered_at: self.answered_at, had_failed, ..Self::default() };
    }

    /// Says whether one more is within the rate.
    fn count(&mut self, rate: RateSpec, time: Timestamp) -> bool {
        let paid = time.since(self.counted_at).as_secs_f64() * rate.per_second;
        self.debt = (self.debt - paid).max(0.0) + 1.0;
        self.counted_at = time;
        if self.clock_set_at == Some(time) {
            // Its machine may have counted it before.
            self.debt = 0.0;
        }
        let burst = rate.burst.map_or(rate.per_second.ceil(), f64::from);
        self.debt <= burst + 0.01
    }

    /// Says what is wrong with one more.
    fn probe(&mut self, request: u64, time: Timestamp) -> Option<&'static str> {
        // What began in the millisecond in which the last failure came began before it.
        let down = self.down.as_mut().filter(|down| time > down.since)?;
        let is_early = !down.is_unsure && time.since(down.since) < SHORTEST_WAIT;
        match down.probe.replace(request) {
            Some(_) => Some("a second probe at a time"),
            None => is_early.then_some("a probe before its time"),
        }
    }

    /// Says whether the endpoint is down from now on.
    fn failed(&mut self, request: u64, time: Timestamp) -> bool {
        let is_last = match &self.down {
            Some(down) => down.probe == Some(request),
            None => {
                self.failures += 1;
                self.failures >= BREAKER_FAILURES
            }
        };
        if is_last {
            self.down = Some(Down { since: time, is_unsure: self.had_failed, probe: None });
        }
        is_last
    }

    fn answered(&mut self, time: Timestamp) {
        *self =
            Self { failures: 0, had_failed: false, down: None, answered_at: Some(time), ..*self };
    }
}

impl Ledger {
    pub(super) fn passes_its_gate(&mut self, key: DeliveryKey, number: u64, time: Timestamp) {
        let Some(config) = self.endpoints.get(&key.endpoint).map(|facts| &facts.config) else {
            return;
        };
        let gate = self.gates.entry(key.endpoint).or_default();
        let is_within = config.rate.is_none_or(|rate| gate.count(rate, time));
        let wrong = gate.probe(self.counts.requests, time);
        let endpoint = key.endpoint;
        if !is_within {
            self.violated(format!("event {number} is sent to {endpoint} above its rate"));
        }
        if let Some(wrong) = wrong {
            self.violated(format!("event {number} is sent to {endpoint}: {wrong}"));
        }
    }

    /// A request has ended; its machine learns of it now, if it is still there.
    pub(crate) fn request_ended(
        &mut self,
        under_way: Option<UnderWay>,
        class: Class,
        time: Timestamp,
    ) {
        let Some(UnderWay { key, request }) = under_way else { return };
        let outstanding = self.outstanding.get(&key.endpoint).and_then(|all| all.get(&key));
        let is_known = outstanding.is_some_and(|attempt| attempt.request == request);
        let config = self.endpoints.get(&key.endpoint).map(|facts| &facts.config);
        if !is_known || config.is_none_or(|config| config.contract != GUARDED) {
            return;
        }
        let gate = self.gates.entry(key.endpoint).or_default();
        let is_there = gate.answered_at.is_some_and(|at| time.since(at) < LATELY);
        let is_down = match class {
            Class::Success | Class::Redirect | Class::ClientError | Class::Gone => {
                gate.answered(time);
                false
            }
            Class::Throttled if is_there && gate.down.is_none() => false,
            Class::Throttled
            | Class::ServerError
            | Class::Timeout
            | Class::Dns
            | Class::Unreachable
            | Class::Tls
            | Class::TlsUnsupported
            | Class::Protocol
            | Class::Token => gate.failed(request, time),
            Class::Unsendable => false,
        };
        self.counts.openings += u64::from(is_down);
    }
}
