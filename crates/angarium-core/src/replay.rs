//! Replays: an event that was accepted before goes out again, to the endpoints that it matched or
//! to others.
//!
//! A replay is a new delivery of its pair of event and endpoint: the next generation. One to an
//! endpoint that the event did not match begins with generation 1, since generation 0 is what a
//! match implies; it stands outside the endpoint's numbering, in which nothing is missing without
//! it.

use crate::delivery::DeliveryState;
use crate::endpoint::EndpointStatus;
use crate::id::{DeliveryKey, EndpointNo, EventKey, Generation};
use crate::time::Timestamp;

/// The sequence number of what stands outside an endpoint's numbering, which begins with 1.
pub const UNNUMBERED: u64 = 0;

/// A new delivery that a replay makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// Which; it is made only if its generation is the pair's next.
    pub key: DeliveryKey,
    /// The number that it carries: that of the first delivery, or [`UNNUMBERED`].
    pub sequence: u64,
    /// The delivery that it repeats.
    pub repeats: Option<Generation>,
    /// When it is due; `None` while the endpoint is paused.
    pub due: Option<Timestamp>,
}

/// Why an endpoint gets no replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReplayed {
    /// It is deleted.
    EndpointDeleted,
    /// It is disabled: enable it first.
    EndpointDisabled,
    /// A delivery of the event to it has not ended.
    StillWaiting,
}

impl NotReplayed {
    /// The text in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            NotReplayed::EndpointDeleted => "endpoint_deleted",
            NotReplayed::EndpointDisabled => "endpoint_disabled",
            NotReplayed::StillWaiting => "still_waiting",
        }
    }
}

/// What became of an event at one endpoint so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    /// The number that the endpoint gave it; none if it did not match.
    pub sequence: Option<u64>,
    /// Its deliveries.
    pub deliveries: Vec<(Generation, DeliveryState)>,
}

/// The delivery that a replay makes for one endpoint; `status` is none once it is deleted.
///
/// # Errors
/// Why there is none.
pub fn replay(
    event: EventKey,
    endpoint: EndpointNo,
    past: &Past,
    status: Option<EndpointStatus>,
    now: Timestamp,
) -> Result<Replayed, NotReplayed> {
    let due = match status {
        None => return Err(NotReplayed::EndpointDeleted),
        Some(EndpointStatus::Disabled) => return Err(NotReplayed::EndpointDisabled),
        Some(EndpointStatus::Paused) => None,
        Some(EndpointStatus::Active) => Some(now),
    };
    if past.deliveries.iter().any(|(_, state)| !state.is_final()) {
        return Err(NotReplayed::StillWaiting);
    }
    let repeats = past.deliveries.iter().map(|(generation, _)| *generation).max();
    let generation = Generation::new(repeats.unwrap_or_default().get() + 1);
    let key = DeliveryKey { event, endpoint, generation };
    Ok(Replayed { key, sequence: past.sequence.unwrap_or(UNNUMBERED), repeats, due })
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeliveryState::{Dead, Delivered, InFlight, Pending, Queued, Suppressed};
    use EndpointStatus::{Active, Disabled, Paused};

    const NOW: Timestamp = Timestamp::from_millis(7);

    fn replayed(
        sequence: Option<u64>,
        states: &[DeliveryState],
        status: Option<EndpointStatus>,
    ) -> Result<Replayed, NotReplayed> {
        let deliveries = (0..).map(Generation::new).zip(states.iter().copied()).collect();
        let past = Past { sequence, deliveries };
        replay(EventKey::new(3), EndpointNo::new(4), &past, status, NOW)
    }

    #[test]
    fn a_replay_is_the_next_generation_and_carries_the_number_of_the_first() {
        let rows = [
            (Some(9), &[Delivered][..], Some(Active), (1, 9, Some(0), Some(NOW))),
            (Some(9), &[Suppressed, Dead], Some(Active), (2, 9, Some(1), Some(NOW))),
            (None, &[], Some(Active), (1, UNNUMBERED, None, Some(NOW))),
            (Some(9), &[Dead], Some(Paused), (1, 9, Some(0), None)),
        ];
        for (sequence, states, status, expected) in rows {
            let made = replayed(sequence, states, status).expect("a replay");
            let repeats = made.repeats.map(Generation::get);
            let found = (made.key.generation.get(), made.sequence, repeats, made.due);
            assert_eq!(found, expected, "{states:?} {status:?}");
        }
    }

    #[test]
    fn who_is_gone_off_or_still_waiting_gets_none_and_the_reason_is_told() {
        let rows = [
            (&[Delivered][..], None, NotReplayed::EndpointDeleted),
            (&[Delivered], Some(Disabled), NotReplayed::EndpointDisabled),
            (&[Pending], Some(Active), NotReplayed::StillWaiting),
            (&[Delivered, InFlight], Some(Active), NotReplayed::StillWaiting),
            (&[Queued, Delivered], Some(Paused), NotReplayed::StillWaiting),
        ];
        for (states, status, expected) in rows {
            assert_eq!(replayed(Some(1), states, status), Err(expected), "{states:?} {status:?}");
        }
    }
}
