//! Whether the clock is believed when it says that much is of age.
//!
//! What is removed does not come back, so a clock that was set forward by mistake must not empty
//! the store before anybody notices. A clock that has jumped is doubted for a day; one that is set
//! right again within it has done no harm. A server that was down meanwhile looks the same: it
//! removes what came of age a day later.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A clock that goes on by more than this between two looks has jumped.
const TOLERATED: Duration = Duration::from_secs(3_600);
/// For so long a clock that has jumped is doubted.
const DOUBTED_FOR: Duration = Duration::from_secs(24 * 3_600);

/// What is remembered of the clock, through restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// When it was looked at last.
    pub at: Timestamp,
    doubt: Option<Doubt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Doubt {
    since: Timestamp,
    /// How far it had jumped, in milliseconds.
    jumped: u64,
}

/// Whether the clock is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belief {
    /// It goes on as it should.
    Believed,
    /// It has jumped, and is doubted until it says this.
    DoubtedUntil(Timestamp),
}

impl Looked {
    /// A first look: nothing is known from before.
    pub const fn first(at: Timestamp) -> Self {
        Self { at, doubt: None }
    }

    /// Something else is known to have happened at a time.
    pub fn note(&mut self, at: Timestamp) {
        self.at = self.at.max(at);
    }

    /// Looks at the clock.
    pub fn look(&mut self, now: Timestamp) -> Belief {
        let went_on = now.since(self.at);
        let set_back = self.at.since(now);
        self.at = now;
        if set_back > TOLERATED {
            // Whatever it was, it is over; nothing is of age that was not before.
            self.doubt = None;
        }
        let jumped = u64::try_from(went_on.as_millis()).unwrap_or(u64::MAX);
        let is_greater = |doubt: Doubt| jumped > doubt.jumped;
        if went_on > TOLERATED && self.doubt.is_none_or(is_greater) {
            self.doubt = Some(Doubt { since: now, jumped });
        }
        self.doubt = self.doubt.filter(|doubt| now.since(doubt.since) < DOUBTED_FOR);
        match self.doubt {
            None => Belief::Believed,
            Some(doubt) => Belief::DoubtedUntil(doubt.since + DOUBTED_FOR),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Timestamp = Timestamp::from_millis(1_776_686_400_000);
    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(24 * 3_600);

    fn is_believed(looked: &mut Looked, now: Timestamp) -> bool {
        looked.look(now) == Belief::Believed
    }

    #[test]
    fn a_clock_that_goes_on_is_believed() {
        let mut looked = Looked::first(BEGIN);
        assert!(is_believed(&mut looked, BEGIN + TOLERATED));
        assert!(!is_believed(&mut looked, BEGIN + 2 * TOLERATED + Duration::from_millis(1)));
    }

    #[test]
    fn a_clock_that_has_jumped_is_doubted_for_a_day() {
        let mut looked = Looked::first(BEGIN);
        let ahead = BEGIN + 365 * DAY;
        assert_eq!(looked.look(ahead), Belief::DoubtedUntil(ahead + DAY));
        let mut now = ahead;
        while now + MINUTE < ahead + DAY {
            now = now + MINUTE;
            assert!(!is_believed(&mut looked, now));
        }
        assert!(is_believed(&mut looked, ahead + DAY));
    }

    #[test]
    fn a_clock_that_is_set_right_again_is_believed_at_once() {
        let mut looked = Looked::first(BEGIN);
        assert!(!is_believed(&mut looked, BEGIN + 365 * DAY));
        assert!(is_believed(&mut looked, BEGIN + MINUTE));
        assert!(!is_believed(&mut looked, BEGIN + 365 * DAY), "and it may jump again");
    }

    #[test]
    fn a_server_that_is_off_every_night_removes_something_every_other_day() {
        let mut looked = Looked::first(BEGIN);
        let mut believed_on = Vec::new();
        for day in 1..=6 {
            for hour in 0..12 {
                if is_believed(&mut looked, BEGIN + day * DAY + hour * TOLERATED) {
                    believed_on.push(day);
                }
            }
        }
        believed_on.dedup();
        assert!(believed_on.len() >= 3, "{believed_on:?}");
    }

    #[test]
    fn a_greater_jump_is_doubted_anew() {
        let mut looked = Looked::first(BEGIN);
        assert!(!is_believed(&mut looked, BEGIN + 2 * TOLERATED));
        assert!(!is_believed(&mut looked, BEGIN + 365 * DAY));
    }
}
