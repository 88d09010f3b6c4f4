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

use crate::outcome::Class;
use crate::retry::RetryPolicy;
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
    },
    /// It failed for the last time.
    Die(EndReason),
}

/// Judges an attempt. `attempts` counts it; `accepted_at` is the event's, from which the retry
/// window counts.
pub fn judge(
    class: Class,
    attempts: u16,
    accepted_at: Timestamp,
    policy: &RetryPolicy,
    jitter: Jitter,
    now: Timestamp,
) -> Verdict {
    match class {
        Class::Success => Verdict::Deliver,
        Class::Redirect
        | Class::ClientError
        | Class::Gone
        | Class::Throttled
        | Class::ServerError
        | Class::Timeout
        | Class::Dns
        | Class::Unreachable
        | Class::Tls
        | Class::TlsUnsupported
        | Class::Protocol
        | Class::Unsendable => match policy.next(attempts, accepted_at, jitter, now) {
            Some(due) => Verdict::Retry { due },
            None => Verdict::Die(EndReason::Exhausted),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_class_but_success_is_retried_until_the_schedule_ends() {
        let policy = RetryPolicy::List { waits: vec![Duration::from_secs(5)], spread: 0.0 };
        let at = Timestamp::from_millis(0);
        for class in Class::ALL {
            let verdict = |attempts| judge(*class, attempts, at, &policy, Jitter::HALF, at);
            if *class == Class::Success {
                assert_eq!(verdict(1), Verdict::Deliver);
            } else {
                assert_eq!(verdict(1), Verdict::Retry { due: at + Duration::from_secs(5) });
                assert_eq!(verdict(2), Verdict::Die(EndReason::Exhausted));
            }
        }
    }

    #[test]
    fn a_state_reads_back_from_its_number_and_its_text() {
        for state in DeliveryState::ALL {
            assert_eq!(DeliveryState::from_number(state.number()), Some(*state));
            assert_eq!(DeliveryState::parse(state.as_str()), Some(*state));
        }
    }
}
