//! A failing endpoint is left alone but for one probe at a time, so that what waits for it keeps
//! its retries.

use super::{Bar, Opening};
use crate::time::{Jitter, Timestamp};
use std::time::Duration;

/// When an endpoint is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRule {
    /// After so many failed attempts in a row.
    pub failures: u32,
    /// How long it is left alone at first; doubled after each probe that fails.
    pub wait: Duration,
    /// How long at most.
    pub cap: Duration,
}

/// What a breaker says to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Attempts start.
    Closed,
    /// None starts before this time; then one, the probe.
    Open(Timestamp),
    /// The probe is under way.
    Probing,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Breaker {
    state: State,
    /// Failed attempts in a row while closed.
    failures: u32,
    /// Openings in a row.
    trips: u32,
    /// When an attempt was last answered.
    answered_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Default)]
enum State {
    #[default]
    Closed,
    Open {
        since: Timestamp,
        wait: Duration,
    },
    Probing {
        since: Timestamp,
    },
}

impl Breaker {
    /// One whose next attempt is a probe.
    pub(super) fn half_open(now: Timestamp) -> Self {
        Self { state: State::Open { since: now, wait: Duration::ZERO }, ..Self::default() }
    }

    /// Until when it holds everything, if it does.
    pub(super) fn holds(&mut self, now: Timestamp) -> Option<Opening> {
        match &mut self.state {
            State::Closed => None,
            State::Probing { .. } => Some(Opening::AfterOutcome(Bar::Breaker)),
            State::Open { since, wait } => {
                // A clock that was set back begins the wait anew.
                *since = (*since).min(now);
                // The same time decides and is told, or who comes then is sent away again.
                let until = *since + *wait;
                (now < until).then_some(Opening::At(until, Bar::Breaker))
            }
        }
    }

    /// Whether the probe is under way.
    pub(super) fn is_probing(&self) -> bool {
        matches!(self.state, State::Probing { .. })
    }

    /// An attempt starts; after the wait it is the probe.
    pub(super) fn started(&mut self, now: Timestamp) {
        match self.state {
            State::Open { .. } => self.state = State::Probing { since: now },
            State::Closed | State::Probing { .. } => {}
        }
    }

    /// An attempt was answered. Says whether that ended an outage.
    pub(super) fn answered(&mut self, now: Timestamp) -> bool {
        self.failures = 0;
        self.answered_at = Some(now);
        match self.state {
            State::Closed => false,
            State::Open { .. } | State::Probing { .. } => {
                self.state = State::Closed;
                true
            }
        }
    }

    /// An attempt failed.
    pub(super) fn failed(
        &mut self,
        rule: &BreakerRule,
        started_at: Timestamp,
        jitter: Jitter,
        now: Timestamp,
    ) {
        match self.state {
            State::Closed => {
                self.failures = self.failures.saturating_add(1);
                if self.failures < rule.failures {
                    return;
                }
                // Not long after the last outage it is the same one.
                if self.answered_at.is_none_or(|at| now.since(at) >= rule.cap) {
                    self.trips = 0;
                }
            }
            // What began before the probe says nothing new.
            State::Probing { since } if started_at < since => return,
            State::Open { .. } => return,
            State::Probing { .. } => {}
        }
        let doubled = rule.wait.saturating_mul(1u32.checked_shl(self.trips).unwrap_or(u32::MAX));
        let wait = doubled.min(rule.cap).mul_f64(0.5 + jitter.get() / 2.0);
        self.trips = self.trips.saturating_add(1);
        (self.state, self.failures) = (State::Open { since: now, wait }, 0);
    }

    /// For people.
    pub(super) fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { since, wait } => BreakerState::Open(since + wait),
            State::Probing { .. } => BreakerState::Probing,
        }
    }
}
