//! How many attempts a second an endpoint gets while it is being started slowly.
//!
//! A window alone does not protect a receiver that answers within a millisecond: one at a time is
//! a thousand a second. So after an outage, a pause, or when a receiver asks for less, attempts are
//! also spread over time. The pace doubles each second until the receiver complains, is cut by a
//! third then, and grows by a twentieth a second from there: a receiver that carries 200 a second
//! gets between 140 and 210. A pace that nobody complains about ends soon.

use crate::time::Timestamp;
use std::time::Duration;

/// Attempts a second to begin with.
const FIRST: f64 = 10.0;
/// The slowest pace: less is the breaker's or the schedule's to say.
const SLOWEST: f64 = 1.0;
/// Above this a pace is none.
const FASTEST: f64 = 2_000.0;
/// What is left of a pace that was too fast.
const CUT: f64 = 0.7;
/// How much of the pace at which the receiver complained comes back each second.
const GROWTH: f64 = 0.05;
const STEP: Duration = Duration::from_secs(1);
/// A pace that held nothing for so long ends.
const UNUSED: Duration = Duration::from_secs(30);
/// So many attempts may start ahead of their turn: few that come now and then are not held back …
const AHEAD: f64 = 10.0;
/// … and a timer's grain slows nothing: 20 ms at least.
const GRAIN: f64 = 0.02;
const NANOS_PER_MILLI: i128 = 1_000_000;
const NANOS_PER_SECOND: f64 = 1e9;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    ramp: Option<Ramp>,
    /// Attempts that started in the second that began at `second`, and in the one before: what the
    /// receiver got when it complains.
    started: [u32; 2],
    second: Timestamp,
}

#[derive(Debug, Clone)]
struct Ramp {
    per_second: f64,
    /// Below this it doubles each second.
    threshold: f64,
    /// When the next attempt is due, in nanoseconds since the epoch.
    next: i128,
    stepped_at: Timestamp,
    /// When it was cut last, or began; attempts that began before say nothing new.
    cut_at: Timestamp,
    /// When it last held something.
    held_at: Timestamp,
}

fn nanos(at: Timestamp) -> i128 {
    i128::from(at.as_millis()) * NANOS_PER_MILLI
}

impl Ramp {
    fn new(per_second: f64, threshold: f64, now: Timestamp) -> Self {
        let next = nanos(now);
        Self { per_second, threshold, next, stepped_at: now, cut_at: now, held_at: now }
    }

    /// Lets the time since the last step pass.
    fn step(&mut self, now: Timestamp) {
        if now < self.stepped_at {
            // The clock was set back.
            *self = Self::new(self.per_second, self.threshold, now);
        }
        while now.since(self.stepped_at) >= STEP && self.per_second < FASTEST {
            self.stepped_at = self.stepped_at + STEP;
            self.per_second = if self.per_second < self.threshold {
                (self.per_second * 2.0).min(self.threshold)
            } else {
                self.per_second + self.threshold * GROWTH
            };
        }
    }

    /// How far ahead of its turn an attempt may start, in nanoseconds.
    fn ahead(&self) -> i128 {
        // At most ten seconds, as a pace is at least one a second.
        ((AHEAD / self.per_second).max(GRAIN) * NANOS_PER_SECOND) as i128
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.per_second >= FASTEST || now.since(self.held_at) >= UNUSED
    }

    fn cut(&mut self, now: Timestamp) {
        self.per_second = (self.per_second * CUT).max(SLOWEST);
        self.threshold = self.per_second;
        (self.cut_at, self.stepped_at) = (now, now);
    }
}

impl Pace {
    /// When the next attempt may start, if not now.
    pub(super) fn holds(&mut self, now: Timestamp) -> Option<Timestamp> {
        let ramp = self.ramp.as_mut()?;
        ramp.step(now);
        if ramp.is_over(now) {
            self.ramp = None;
            return None;
        }
        let early = ramp.next - ramp.ahead() - nanos(now);
        if early <= 0 {
            return None;
        }
        ramp.held_at = now;
        let millis = u64::try_from((early + NANOS_PER_MILLI - 1) / NANOS_PER_MILLI);
        Some(now + Duration::from_millis(millis.unwrap_or(0)))
    }

    /// An attempt starts.
    pub(super) fn started(&mut self, now: Timestamp) {
        let second = now.as_seconds() - self.second.as_seconds();
        if second != 0 {
            self.started = [0, if second == 1 { self.started[0] } else { 0 }];
            self.second = now;
        }
        self.started[0] = self.started[0].saturating_add(1);
        if let Some(ramp) = &mut self.ramp {
            // What was not used is not saved up.
            // A pace is at least one a second, so an attempt's share is at most 1e9.
            ramp.next = ramp.next.max(nanos(now)) + (NANOS_PER_SECOND / ramp.per_second) as i128;
        }
    }

    /// The receiver asks for less, or does not answer in time.
    pub(super) fn cut(&mut self, started_at: Timestamp, now: Timestamp) {
        if self.ramp.is_some() {
            return self.slow_down(started_at, now);
        }
        let got = f64::from(self.started[0].max(self.started[1]));
        let per_second = (got * CUT).max(FIRST);
        self.ramp = Some(Ramp::new(per_second, per_second, now));
    }

    /// The receiver failed: a pace that there is becomes slower.
    pub(super) fn slow_down(&mut self, started_at: Timestamp, now: Timestamp) {
        if let Some(ramp) = &mut self.ramp {
            ramp.step(now);
            // Once a second: what a receiver refuses in the rest of it says nothing new.
            if started_at > ramp.cut_at && now.since(ramp.cut_at) >= STEP {
                ramp.cut(now);
            }
        }
    }

    /// From the first pace upwards.
    pub(super) fn start_slowly(&mut self, now: Timestamp) {
        self.ramp = Some(Ramp::new(FIRST, f64::INFINITY, now));
    }

    /// Attempts a second, while there is a pace.
    pub(super) fn per_second(&self) -> Option<f64> {
        self.ramp.as_ref().map(|ramp| ramp.per_second)
    }
}
