//! What is written for many endpoints is written a few at a time.
//!
//! In one commit a thousand rows would keep everybody's publish waiting for as long as writing them
//! takes. Spread over the time until the next round, they ride with commits that are made anyway.

use crate::time::Timestamp;
use std::time::Duration;

/// A round is over before the next one may begin, a second later.
const SPREAD: Duration = Duration::from_millis(800);
/// Into how many portions a round is divided if they are not very small or large.
const PORTIONS: usize = 40;

/// How a round is divided.
#[derive(Debug)]
pub(super) struct Portions {
    /// So many in each.
    pub(super) each: usize,
    pause: Duration,
    /// When the next one is due.
    at: Timestamp,
}

impl Portions {
    /// Divides so many, from now on. Fewer than `least` are not worth a commit of their own, and
    /// none has more than `most`.
    pub(super) fn of(count: usize, least: usize, most: usize, now: Timestamp) -> Self {
        let each = count.div_ceil(PORTIONS).max(least).min(most).max(1);
        let portions = u32::try_from(count.div_ceil(each)).unwrap_or(u32::MAX).max(1);
        Self { each, pause: SPREAD / portions, at: now }
    }

    /// When the next one is due.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    /// Whether one is due; then the next one follows after a pause.
    pub(super) fn is_due(&mut self, now: Timestamp) -> bool {
        let is_due = self.at <= now;
        if is_due {
            self.at = now + self.pause;
        }
        is_due
    }
}
