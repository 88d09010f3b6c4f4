//! A receiver that asks for time: `Retry-After`, and how much of it is given.

use super::RetryPolicy;
use crate::outcome::RetryAfter;
use crate::time::Timestamp;
use std::time::Duration;

/// Within which bounds a receiver's `Retry-After` is honoured. A time in the past reads as the
/// floor and ten years as the cap, so nothing that a receiver says does harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfterBounds {
    /// The shortest wait that is given.
    pub floor: Duration,
    /// The longest one, not shorter than the floor.
    pub cap: Duration,
}

impl RetryAfterBounds {
    /// When the receiver may be tried again, by its own word.
    pub fn honour(&self, asked: RetryAfter, now: Timestamp) -> Timestamp {
        let wait = match asked {
            RetryAfter::Span(span) => span,
            RetryAfter::At(time) => time.since(now),
        };
        now + wait.min(self.cap).max(self.floor)
    }
}

impl RetryPolicy {
    /// The time of a retry that the receiver wants later than it is due. A receiver can only ask
    /// for more time than the schedule gives: its waits are what everybody else was promised, and
    /// an overloaded server that says "at once" is mistaken. Where a window ends the schedule, the
    /// attempt is made at its end at the latest, for after it there would be none.
    pub fn deferred(&self, due: Timestamp, until: Timestamp, accepted_at: Timestamp) -> Timestamp {
        due.max(match self {
            RetryPolicy::List { .. } => until,
            RetryPolicy::Growing { window, .. } => until.min(accepted_at + *window),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);
    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3600);
    const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

    #[test]
    fn what_is_asked_for_is_given_between_the_floor_and_the_cap() {
        let bounds = RetryAfterBounds { floor: SECOND, cap: HOUR };
        let rows = [
            (RetryAfter::Span(Duration::from_secs(7)), Duration::from_secs(7)),
            (RetryAfter::At(NOW + Duration::from_secs(9)), Duration::from_secs(9)),
            (RetryAfter::Span(Duration::ZERO), SECOND),
            (RetryAfter::At(NOW), SECOND),
            (RetryAfter::At(NOW - TEN_YEARS), SECOND),
            (RetryAfter::At(Timestamp::from_millis(i64::MIN)), SECOND),
            (RetryAfter::Span(TEN_YEARS), HOUR),
            (RetryAfter::Span(Duration::MAX), HOUR),
            (RetryAfter::At(NOW + TEN_YEARS), HOUR),
            (RetryAfter::At(Timestamp::from_millis(i64::MAX)), HOUR),
        ];
        for (asked, wait) in rows {
            assert_eq!(bounds.honour(asked, NOW), NOW + wait, "{asked:?}");
        }
    }

    #[test]
    fn a_retry_is_never_earlier_than_its_schedule_nor_later_than_its_window() {
        let list = RetryPolicy::List { waits: vec![HOUR], spread: 0.0 };
        let growing =
            RetryPolicy::Growing { base: SECOND, factor: 2.0, cap: HOUR, window: 2 * HOUR };
        let rows = [
            (&list, NOW + SECOND, NOW + HOUR, NOW + HOUR),
            (&list, NOW + HOUR, NOW + SECOND, NOW + HOUR),
            (&list, NOW + SECOND, NOW + 9 * HOUR, NOW + 9 * HOUR),
            (&growing, NOW + SECOND, NOW + HOUR, NOW + HOUR),
            (&growing, NOW + SECOND, NOW + 9 * HOUR, NOW + 2 * HOUR),
            (&growing, NOW + 2 * HOUR, NOW + 9 * HOUR, NOW + 2 * HOUR),
        ];
        for (policy, due, until, expected) in rows {
            assert_eq!(policy.deferred(due, until, NOW), expected, "{policy:?} {due} {until}");
        }
    }
}
