//! What the demo knows of its events: published, attempted, arrived; and whether all is well.

use super::receiver::Arrival;
use super::scene::Scene;
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
    event: u64,
    published: Instant,
}

impl Row {
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
    strangers: u32,
}

impl Board {
    /// Notes an event, before it is published: it may arrive before the publisher is answered.
    pub(super) fn publish(
        &mut self,
        id: &str,
        time: &str,
        kind: &str,
        to: impl Iterator<Item = &'static Scene>,
    ) {
        let published = Instant::now();
        let event = self.events.len() as u64;
        let first_row = self.rows.len();
        self.rows.extend(to.map(|scene| Row {
            kind: kind.to_owned(),
            scene,
            attempts: 0,
            verdict: None,
            status: None,
            latency: None,
            event,
            published,
        }));
        self.events.push(Published {
            id: id.to_owned(),
            time: time.to_owned(),
            contract: self.rows.get(first_row).map_or("", |row| row.scene.contract),
        });
    }

    /// Notes a request at a receiver; answers the row that it belongs to.
    pub(super) fn arrive(&mut self, arrival: &Arrival) -> Option<&Row> {
        let of_contract = |event: &&Published| event.contract == arrival.scene.contract;
        let named = |event: &Published| {
            arrival.text.contains(&event.id) || arrival.text.contains(&event.time)
        };
        let events = self.events.iter().enumerate().rev();
        let mut events = events.filter(|(_, event)| of_contract(event));
        let event = events.find(|(_, event)| named(event)).map(|(n, _)| n as u64);
        let row = self
            .rows
            .iter_mut()
            .rev()
            .find(|row| Some(row.event) == event && row.scene.endpoint == arrival.scene.endpoint);
        let Some(row) = row else {
            self.strangers += 1;
            return None;
        };
        row.attempts += 1;
        row.verdict = Some(arrival.verdict.clone());
        row.status = Some(arrival.status.as_u16());
        if arrival.status.is_success() {
            row.latency.get_or_insert(arrival.at.duration_since(row.published));
        }
        Some(row)
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
            deliveries: self.rows.len(),
            arrived: count(Row::arrived),
            retried: count(|row| row.attempts > 1),
            rejected: count(Row::rejected),
            strangers: self.strangers,
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
    /// Requests that belong to no event.
    pub(super) strangers: u32,
}

impl Tally {
    /// Whether nothing is under way any more.
    pub(super) fn settled(self) -> bool {
        self.arrived == self.deliveries
    }

    /// Whether everything arrived and was verified.
    pub(super) fn all_is_well(self) -> bool {
        self.settled() && self.rejected == 0 && self.strangers == 0
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} events, {} of {} deliveries verified and taken, {} after retries, {} rejected",
            self.events, self.arrived, self.deliveries, self.retried, self.rejected
        )?;
        match self.strangers {
            0 => Ok(()),
            more => write!(f, ", {more} requests of no known event"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::SCENES;
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
        let standard = || SCENES.iter().filter(|scene| scene.contract == "standard");
        board.publish("demo-1", "2026-01-01T00:00:00.001Z", "a.b", standard());
        let (steady, flaky) = (&SCENES[0], &SCENES[1]);
        assert!(board.arrive(&arrival(steady, "demo-1", StatusCode::NO_CONTENT)).is_some());
        board.arrive(&arrival(flaky, "demo-1", StatusCode::SERVICE_UNAVAILABLE));
        assert!(!board.tally().settled());
        board.arrive(&arrival(flaky, "x demo-1 y", StatusCode::NO_CONTENT));
        assert!(board.tally().all_is_well());
        assert_eq!(board.tally().retried, 1);
        assert!(board.arrive(&arrival(flaky, "demo-9", StatusCode::NO_CONTENT)).is_none());
        assert!(!board.tally().all_is_well());
    }
}
