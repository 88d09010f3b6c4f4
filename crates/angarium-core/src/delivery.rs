//! The states of a delivery, and the verdict that stands between "the call ended" and "the row is
//! written".
//!
//! ```text
//!  queued ──▶ pending ──▶ in flight ──▶ delivered
//!  (behind      ▲  retry      │
//!   its lane's  └─────────────┴───────▶ dead{why}     cancelled: from any state before
//!   head)                                             suppressed: the endpoint was off
//! ```
//!
//! A final state is final: a redelivery is a new delivery that names the old one.

use crate::outcome::{Class, RetryAfter};
use crate::retry::{RetryAfterBounds, RetryPolicy};
use crate::time::{Jitter, Timestamp};

macro_rules! stored_enum {
    (
        $(#[$enum_doc:meta])*
        $type:ident { $($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)* }
    ) => {
        $(#[$enum_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type { $($(#[$doc])* $name = $number,)* }

        impl $type {
            /// All values.
            pub const ALL: &[$type] = &[$($type::$name,)*];
            /// The text in the API.
            pub const fn as_str(self) -> &'static str { match self { $($type::$name => $text,)* } }
            /// The stored number.
            pub const fn number(self) -> u8 { self as u8 }
            /// From the stored number.
            pub fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some($type::$name),)* _ => None }
            }
            /// From the text in the API.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some($type::$name),)* _ => None }
            }
        }
    };
}

stored_enum! {
    /// Where a delivery stands (design.md section 1).
    DeliveryState {
        /// Behind its lane's head.
        Queued = 1, "queued";
        /// Due at a time.
        Pending = 2, "pending";
        /// An attempt is under way; never stored, the shard knows.
        InFlight = 3, "in_flight";
        /// The receiver answered 2xx in time.
        Delivered = 4, "delivered";
        /// Given up, with why: a dead letter.
        Dead = 5, "dead";
        /// Ended by a person, or because the endpoint was deleted.
        Cancelled = 6, "cancelled";
        /// The endpoint was off when the event was accepted.
        Suppressed = 7, "suppressed";
    }
}

impl DeliveryState {
    /// Whether nothing follows this state.
    pub const fn is_final(self) -> bool {
        match self {
            DeliveryState::Queued | DeliveryState::Pending | DeliveryState::InFlight => false,
            DeliveryState::Delivered
            | DeliveryState::Dead
            | DeliveryState::Cancelled
            | DeliveryState::Suppressed => true,
        }
    }
}

stored_enum! {
    /// Why a delivery ended without success.
    EndReason {
        /// The schedule has ended.
        Exhausted = 1, "retries_exhausted";
        /// The payload's age ran out first.
        Expired = 2, "expired";
        /// A person cancelled it.
        CancelledByCall = 3, "cancelled";
        /// The endpoint was deleted.
        EndpointDeleted = 4, "endpoint_deleted";
        /// The endpoint was disabled when the event was accepted.
        EndpointDisabled = 5, "endpoint_disabled";
        /// The receiver answered 410, and its contract takes its word.
        Gone = 6, "gone";
    }
}

/// What we do after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has arrived.
    Deliver,
    /// It failed and is tried again.
    Retry {
        /// When.
        due: Timestamp,
        /// Whose word that time is.
        by: Timing,
    },
    /// It failed for the last time.
    Die(EndReason),
}

/// Who decides when a retry is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// The schedule.
    Schedule,
    /// The receiver, which asked for more time than the schedule gives.
    Receiver,
}

/// What an answer 410 means: the receiver says that nobody is there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GonePolicy {
    /// A failure like any other.
    #[default]
    Retry,
    /// The delivery ends, and its endpoint is switched off.
    Disable,
}

impl GonePolicy {
    /// The names in contracts and in the API.
    pub const NAMES: &[(&str, GonePolicy)] =
        &[("retry", GonePolicy::Retry), ("disable", GonePolicy::Disable)];

    /// The text in contracts and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            GonePolicy::Retry => "retry",
            GonePolicy::Disable => "disable",
        }
    }
}

/// What follows in a lane when one of its deliveries has become a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeadLetterPolicy {
    /// The next delivery goes.
    #[default]
    Continue,
    /// The lane stands still until somebody skips the dead letter, or it arrives after all.
    Hold,
}

impl DeadLetterPolicy {
    /// The names in contracts and in the API.
    pub const NAMES: &[(&str, DeadLetterPolicy)] =
        &[("continue", DeadLetterPolicy::Continue), ("hold", DeadLetterPolicy::Hold)];

    /// The text in contracts and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            DeadLetterPolicy::Continue => "continue",
            DeadLetterPolicy::Hold => "hold",
        }
    }
}

/// An attempt that has ended, as far as its verdict depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// What it meant.
    pub class: Class,
    /// When the receiver asks to be tried again.
    pub asked: Option<RetryAfter>,
    /// Attempts so far, this one included.
    pub attempts: u16,
    /// When the event was accepted, from which the retry window counts.
    pub accepted_at: Timestamp,
}

/// The rules by which an endpoint's attempts are judged.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The schedule.
    pub retry: &'a RetryPolicy,
    /// Within which bounds `Retry-After` counts; none where the schedule is kept to the letter.
    pub retry_after: Option<RetryAfterBounds>,
    /// What 410 means.
    pub gone: GonePolicy,
}

/// Judges an attempt.
pub fn judge(ended: Ended, rules: Rules<'_>, jitter: Jitter, now: Timestamp) -> Verdict {
    let asked = match ended.class {
        Class::Success => return Verdict::Deliver,
        Class::Gone if rules.gone == GonePolicy::Disable => return Verdict::Die(EndReason::Gone),
        Class::Throttled | Class::ClientError | Class::Gone | Class::ServerError => ended.asked,
        Class::Redirect
        | Class::Timeout
        | Class::Dns
        | Class::Unreachable
        | Class::Tls
        | Class::TlsUnsupported
        | Class::Protocol
        | Class::Token
        | Class::Unsendable => None,
    };
    let Ended { attempts, accepted_at, .. } = ended;
    let Some(due) = rules.retry.next(attempts, accepted_at, jitter, now) else {
        return Verdict::Die(EndReason::Exhausted);
    };
    let asked = asked.zip(rules.retry_after).map(|(asked, bounds)| bounds.honour(asked, now));
    let deferred = asked.map_or(due, |until| rules.retry.deferred(due, until, accepted_at));
    let by = if deferred > due { Timing::Receiver } else { Timing::Schedule };
    Verdict::Retry { due: deferred, by }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const AT: Timestamp = Timestamp::from_millis(0);
    const SECOND: Duration = Duration::from_secs(1);
    const BOUNDS: RetryAfterBounds =
        RetryAfterBounds { floor: SECOND, cap: Duration::from_secs(3600) };

    #[test]
    fn a_policy_is_printed_as_it_is_written() {
        for (name, policy) in GonePolicy::NAMES {
            assert_eq!(policy.as_str(), *name);
        }
        for (name, policy) in DeadLetterPolicy::NAMES {
            assert_eq!(policy.as_str(), *name);
        }
    }

    fn ended(class: Class, attempts: u16) -> Ended {
        Ended { class, asked: None, attempts, accepted_at: AT }
    }

    fn again(due: Timestamp, by: Timing) -> Verdict {
        Verdict::Retry { due, by }
    }

    fn five_seconds() -> RetryPolicy {
        RetryPolicy::List { waits: vec![5 * SECOND], spread: 0.0 }
    }

    #[test]
    fn every_class_but_success_is_retried_until_the_schedule_ends() {
        let retry = &five_seconds();
        let rules = Rules { retry, retry_after: None, gone: GonePolicy::Retry };
        for class in Class::ALL {
            let verdict = |attempts| judge(ended(*class, attempts), rules, Jitter::HALF, AT);
            if *class == Class::Success {
                assert_eq!(verdict(1), Verdict::Deliver);
            } else {
                assert_eq!(verdict(1), again(AT + 5 * SECOND, Timing::Schedule));
                assert_eq!(verdict(2), Verdict::Die(EndReason::Exhausted));
            }
        }
    }

    #[test]
    fn an_answer_that_is_an_error_defers_its_retry_where_the_contract_lets_it_and_nowhere_else() {
        let retry = &five_seconds();
        let asked = Some(RetryAfter::Span(60 * SECOND));
        for class in Class::ALL.iter().filter(|class| **class != Class::Success) {
            for retry_after in [None, Some(BOUNDS)] {
                let rules = Rules { retry, retry_after, gone: GonePolicy::Retry };
                let ended = Ended { asked, ..ended(*class, 1) };
                let is_error =
                    [Class::Throttled, Class::ClientError, Class::Gone, Class::ServerError]
                        .contains(class);
                let expected = match retry_after.filter(|_| is_error) {
                    Some(_) => again(AT + 60 * SECOND, Timing::Receiver),
                    None => again(AT + 5 * SECOND, Timing::Schedule),
                };
                let verdict = judge(ended, rules, Jitter::HALF, AT);
                assert_eq!(verdict, expected, "{class:?} {retry_after:?}");
            }
        }
    }

    #[test]
    fn a_delivery_keeps_all_its_attempts_however_long_the_receiver_asks_for() {
        let waits: Vec<_> = (1..=9).map(|n| n * SECOND).collect();
        let list = RetryPolicy::List { waits, spread: 0.0 };
        let asked = Some(RetryAfter::At(Timestamp::from_millis(i64::MAX)));
        let rules = Rules { retry: &list, retry_after: Some(BOUNDS), gone: GonePolicy::Retry };
        let (mut now, mut attempts) = (AT, 1);
        let throttled = |attempts| Ended { asked, ..ended(Class::Throttled, attempts) };
        while let Verdict::Retry { due, .. } = judge(throttled(attempts), rules, Jitter::HALF, now)
        {
            (now, attempts) = (due, attempts + 1);
        }
        assert_eq!(attempts, 10);

        // A window that would end before the asked time sees a last attempt at its end.
        let window = Duration::from_secs(600);
        let growing = RetryPolicy::Growing { base: SECOND, factor: 2.0, cap: 5 * SECOND, window };
        let rules = Rules { retry: &growing, ..rules };
        let verdict = |attempts, now| judge(throttled(attempts), rules, Jitter::HALF, now);
        assert_eq!(verdict(1, AT), again(AT + window, Timing::Receiver));
        assert_eq!(verdict(2, AT + window), Verdict::Die(EndReason::Exhausted));
    }

    #[test]
    fn gone_ends_a_delivery_at_once_where_the_contract_says_so() {
        let retry = &five_seconds();
        let verdict = |class, gone| {
            let rules = Rules { retry, retry_after: Some(BOUNDS), gone };
            judge(ended(class, 1), rules, Jitter::HALF, AT)
        };
        let again = again(AT + 5 * SECOND, Timing::Schedule);
        let gone = Verdict::Die(EndReason::Gone);
        assert_eq!(verdict(Class::Gone, GonePolicy::Disable), gone);
        assert_eq!(verdict(Class::Gone, GonePolicy::Retry), again);
        assert_eq!(verdict(Class::ClientError, GonePolicy::Disable), again);
    }

    #[test]
    fn a_state_reads_back_from_its_number_and_its_text() {
        for state in DeliveryState::ALL {
            assert_eq!(DeliveryState::from_number(state.number()), Some(*state));
            assert_eq!(DeliveryState::parse(state.as_str()), Some(*state));
        }
        for reason in EndReason::ALL {
            assert_eq!(EndReason::from_number(reason.number()), Some(*reason));
        }
    }
}
