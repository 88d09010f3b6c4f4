//! What the demo knows of its events: published, attempted, arrived; and whether all is well.

use super::receiver::Arrival;
use super::scene::{SCENES, Scene};
use super::verify::Verdict;
use std::time::{Duration, Instant};

/// One event at one endpoint.
#[derive(Debug)]
pub(super) struct Row {
    /// The event's type.
    pub(super) kind: String,
    /// Where it goes.
    pub(super) scene: &'static Scene,
    /// Attempts that arrived.
    pub(super) attempts: u32,
    /// What the receiver thought of the last one.
    pub(super) verdict: Option<Verdict>,
    /// What it answered.
    pub(super) status: Option<u16>,
    /// From the publish to the attempt that was accepted.
    pub(super) latency: Option<Duration>,
    /// Which event of the run; none for an event that somebody else published meanwhile.
    event: Option<usize>,
    published: Instant,
}

impl Row {
    fn new(kind: &str, scene: &'static Scene, event: Option<usize>) -> Self {
        Self {
            kind: kind.to_owned(),
            scene,
            attempts: 0,
            verdict: None,
            status: None,
            latency: None,
            event,
            published: Instant::now(),
        }
    }

    fn note(&mut self, arrival: &Arrival) {
        self.attempts += 1;
        self.verdict = Some(arrival.verdict.clone());
        self.status = Some(arrival.status.as_u16());
        if arrival.status.is_success() && self.event.is_some() {
            self.latency.get_or_insert(arrival.at.saturating_duration_since(self.published));
        }
    }

    /// Whether the receiver has it.
    pub(super) fn arrived(&self) -> bool {
        self.latency.is_some()
    }

    fn rejected(&self) -> bool {
        matches!(self.verdict, Some(Verdict::Rejected(_)))
    }
}

/// An event as it is published; id and time are unique, so that it is found in any contract's body.
#[derive(Debug)]
pub(super) struct Published {
    id: String,
    time: String,
    contract: &'static str,
}

/// Every event of the run.
#[derive(Debug, Default)]
pub(super) struct Board {
    events: Vec<Published>,
    rows: Vec<Row>,
}

impl Board {
    /// Notes an event, before it is published: it may arrive before the publisher is answered.
    pub(super) fn publish(&mut self, contract: &'static str, id: &str, time: &str, kind: &str) {
        let event = Some(self.events.len());
        self.events.push(Published { id: id.to_owned(), time: time.to_owned(), contract });
        let follow = SCENES.iter().filter(|scene| scene.contract == contract);
        self.rows.extend(follow.map(|scene| Row::new(kind, scene, event)));
    }

    /// Notes a request at a receiver; answers the row that it belongs to. A request of no known
    /// event gets a row of its own: somebody tries the demo's server.
    pub(super) fn arrive(&mut self, arrival: &Arrival) -> &Row {
        let of_this_event = |event: &Published| {
            event.contract == arrival.scene.contract
                && (arrival.text.contains(&event.id) || arrival.text.contains(&event.time))
        };
        let event = self.events.iter().rposition(of_this_event);
        let known = self.rows.iter().rposition(|row| {
            event.is_some() && row.event == event && row.scene.endpoint == arrival.scene.endpoint
        });
        let place = known.unwrap_or_else(|| {
            self.rows.push(Row::new("(your own)", arrival.scene, None));
            self.rows.len() - 1
        });
        let row = &mut self.rows[place];
        row.note(arrival);
        row
    }

    /// The rows, oldest first.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The counts.
    pub(super) fn tally(&self) -> Tally {
        let count = |is: fn(&Row) -> bool| self.rows.iter().filter(|row| is(row)).count();
        Tally {
            events: self.events.len(),
            deliveries: count(|row| row.event.is_some()),
            arrived: count(Row::arrived),
            retried: count(|row| row.attempts > 1),
            rejected: count(Row::rejected),
        }
    }
}

/// How the run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    /// Events published.
    pub(super) events: usize,
    /// Deliveries that they make.
    pub(super) deliveries: usize,
    /// Deliveries that a receiver has verified and taken.
    pub(super) arrived: usize,
    /// Deliveries that needed more than one attempt.
    pub(super) retried: usize,
    /// Deliveries whose signature was wrong.
    pub(super) rejected: usize,
}

impl Tally {
    /// Whether nothing is under way any more.
    pub(super) fn settled(self) -> bool {
        self.arrived == self.deliveries
    }

    /// Whether everything arrived and was verified.
    pub(super) fn all_is_well(self) -> bool {
        self.settled() && self.rejected == 0
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} events, {} of {} deliveries verified and taken, {} after retries, {} rejected",
            self.events, self.arrived, self.deliveries, self.retried, self.rejected
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn arrival(scene: &'static Scene, text: &str, status: StatusCode) -> Arrival {
        Arrival {
            scene,
            text: text.to_owned(),
            verdict: Verdict::Verified,
            status,
            at: Instant::now(),
        }
    }

    #[test]
    fn all_is_well_only_once_every_delivery_was_taken_by_its_own_endpoint() {
        let mut board = Board::default();
        board.publish("standard", "demo-1", "2026-01-01T00:00:00.001Z", "a.b");
        let (steady, flaky) = (&SCENES[0], &SCENES[1]);
        assert!(board.arrive(&arrival(steady, "demo-1", StatusCode::NO_CONTENT)).arrived());
        board.arrive(&arrival(flaky, "demo-1", StatusCode::SERVICE_UNAVAILABLE));
        assert!(!board.tally().settled());
        board.arrive(&arrival(flaky, "x demo-1 y", StatusCode::NO_CONTENT));
        assert!(board.tally().all_is_well());
        assert_eq!(board.tally().retried, 1);
    }

    #[test]
    fn an_event_of_somebody_else_is_shown_and_only_a_wrong_signature_is_held_against_us() {
        let mut board = Board::default();
        let mut own = arrival(&SCENES[0], "invoice.paid", StatusCode::NO_CONTENT);
        assert_eq!(board.arrive(&own).kind, "(your own)");
        assert!(board.tally().all_is_well());
        own.verdict = Verdict::Rejected("wrong");
        board.arrive(&own);
        assert!(!board.tally().all_is_well());
    }
}
