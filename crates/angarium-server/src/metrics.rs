//! What is counted, as OpenMetrics text.
//!
//! No label holds a tenant, a URL or anything else that outsiders choose: labels are closed sets.

use crate::runner::Runner;
use angarium_core::outcome::Class;
use angarium_core::refusal::Code;
use angarium_core::time::Timestamp;
use angarium_store::read::Depth;
use angarium_store::{Store, StoreResult};
use http::{Method, StatusCode};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt::{self, Write};
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Everything that a server counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    oldest_due_seconds: Gauge<f64, AtomicU64>,
    pending: Gauge,
    events: Gauge,
    store_bytes: Gauge,
    accepted: Counter,
    duplicates: Counter,
    refused: Family<RefusedLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    attempts_in_flight: Gauge,
    shards_out: Gauge,
    notices_dropped: Counter,
    requests: Family<RequestLabels, Counter>,
    received: Family<ReceivedLabels, Counter>,
    connections: Family<ConnectionLabels, Counter>,
    panics: Counter,
    removed: Family<RemovedLabels, Counter>,
    sweep_seconds: Counter<f64, AtomicU64>,
    sweep_lag_seconds: Gauge<f64, AtomicU64>,
    clock_doubted: Gauge,
    oldest_event_seconds: Gauge<f64, AtomicU64>,
    progress: Mutex<Option<Progress>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    code: Name,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    class: Name,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: Name,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    reason: Name,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RemovedLabels {
    part: Name,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReceivedLabels {
    outcome: Name,
}

/// A label out of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name(&'static str);

impl EncodeLabelValue for Name {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.0)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("angarium"),
            oldest_due_seconds: Gauge::default(),
            pending: Gauge::default(),
            events: Gauge::default(),
            store_bytes: Gauge::default(),
            accepted: Counter::default(),
            duplicates: Counter::default(),
            refused: Family::default(),
            attempts: Family::default(),
            attempts_in_flight: Gauge::default(),
            shards_out: Gauge::default(),
            notices_dropped: Counter::default(),
            requests: Family::default(),
            received: Family::default(),
            connections: Family::default(),
            panics: Counter::default(),
            removed: Family::default(),
            sweep_seconds: Counter::default(),
            sweep_lag_seconds: Gauge::default(),
            clock_doubted: Gauge::default(),
            oldest_event_seconds: Gauge::default(),
            progress: Mutex::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// In the order in which they are printed.
    fn register(&mut self) {
        let Self { registry, .. } = self;
        registry.register_with_unit(
            "oldest_due_delivery_age",
            "How long the oldest due delivery has waited beyond its time",
            Unit::Seconds,
            self.oldest_due_seconds.clone(),
        );
        registry.register(
            "pending_deliveries",
            "Deliveries that wait in the store",
            self.pending.clone(),
        );
        registry.register("stored_events", "Events in the store", self.events.clone());
        let bytes = self.store_bytes.clone();
        registry.register_with_unit("store", "Size of the store's files", Unit::Bytes, bytes);
        registry.register("events_accepted", "Events accepted", self.accepted.clone());
        registry.register("events_duplicate", "Events known already", self.duplicates.clone());
        registry.register("events_refused", "Publishes refused, by code", self.refused.clone());
        registry.register("attempts", "Attempts ended, by class", self.attempts.clone());
        let in_flight = self.attempts_in_flight.clone();
        registry.register("attempts_in_flight", "Attempts under way", in_flight);
        let out = self.shards_out.clone();
        registry.register("shards_out", "Shards that are being read anew", out);
        let dropped = self.notices_dropped.clone();
        registry.register("notices_dropped", "Notices that nobody was told", dropped);
        registry.register("http_requests", "Calls answered", self.requests.clone());
        let received = self.received.clone();
        registry.register("received", "Requests of third parties, by outcome", received);
        let connections = self.connections.clone();
        registry.register("connections_ended", "Connections that we ended, by reason", connections);
        registry.register("panics", "Calls that panicked", self.panics.clone());
        self.register_removal();
    }

    fn register_removal(&mut self) {
        let Self { registry, .. } = self;
        let removed = self.removed.clone();
        registry.register("removed_events", "Events of which a part was removed", removed);
        let took = "Time that the store took to remove what is of age";
        registry.register_with_unit("sweep", took, Unit::Seconds, self.sweep_seconds.clone());
        let lag = "How far what is of age and still there lies behind its age";
        let of = self.sweep_lag_seconds.clone();
        registry.register_with_unit("retention_lag", lag, Unit::Seconds, of);
        let oldest = "Age of the oldest event that is kept";
        let of = self.oldest_event_seconds.clone();
        registry.register_with_unit("oldest_event_age", oldest, Unit::Seconds, of);
        let doubted = "1 while nothing is removed for its age because the clock has jumped";
        registry.register("retention_clock_doubted", doubted, self.clock_doubted.clone());
    }

    /// A part of so many events was removed.
    pub fn swept(&self, part: &'static str, events: u64) {
        if events > 0 {
            self.removed.get_or_create(&RemovedLabels { part: Name(part) }).inc_by(events);
        }
    }

    /// A step of removing took so long.
    pub fn swept_for(&self, took: Duration) {
        self.sweep_seconds.inc_by(took.as_secs_f64());
    }

    /// What is of age and still there lies so far behind its age.
    pub fn retention_lag(&self, lag: Duration) {
        self.sweep_lag_seconds.set(lag.as_secs_f64());
    }

    /// Whether the clock is doubted.
    pub fn clock_doubted(&self, is_doubted: bool) {
        self.clock_doubted.set(i64::from(is_doubted));
    }

    /// A third party's request came to this end.
    pub fn received(&self, outcome: &'static str) {
        self.received.get_or_create(&ReceivedLabels { outcome: Name(outcome) }).inc();
    }

    /// A caller's connection was ended by us.
    pub fn connection_ended(&self, reason: &'static str) {
        self.connections.get_or_create(&ConnectionLabels { reason: Name(reason) }).inc();
    }

    /// An event was accepted.
    pub fn accepted(&self) {
        self.accepted.inc();
    }

    /// An event was known already.
    pub fn duplicate(&self) {
        self.duplicates.inc();
    }

    /// A publish was refused.
    pub fn refused(&self, code: Code) {
        self.refused.get_or_create(&RefusedLabels { code: Name(code.as_str()) }).inc();
    }

    /// Since when no attempt has ended, as far as those who ask have seen.
    pub fn quiet_since(&self, attempts: u64, now: Timestamp) -> Timestamp {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        match &*progress {
            Some(seen) if seen.attempts == attempts => seen.since,
            Some(_) | None => {
                *progress = Some(Progress { attempts, since: now });
                now
            }
        }
    }

    /// A call was answered. `route` is the template, never the path.
    pub fn answered(&self, method: &Method, route: &str, status: StatusCode) {
        let known =
            [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let names = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
        let place = known.iter().position(|known| known == method);
        let labels = RequestLabels {
            method: Name(place.map_or("other", |place| names[place])),
            route: route.to_owned(),
            status: status.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
    }

    /// A call panicked.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// Everything, as text.
    pub fn print(&self, figures: &Figures, now: Timestamp) -> String {
        let age = figures.oldest_due.map_or(0.0, |due| now.since(due).as_secs_f64());
        self.oldest_due_seconds.set(age);
        self.pending.set(number(figures.depth.pending));
        self.events.set(number(figures.depth.events));
        let oldest = figures.depth.oldest_event.map_or(0.0, |at| now.since(at).as_secs_f64());
        self.oldest_event_seconds.set(oldest);
        self.store_bytes.set(number(figures.depth.bytes));
        self.attempts_in_flight.set(number(figures.attempts_in_flight as u64));
        self.shards_out.set(number(figures.shards_out as u64));
        let dropped = figures.notices_dropped.saturating_sub(self.notices_dropped.get());
        self.notices_dropped.inc_by(dropped);
        for (class, attempts) in &figures.attempts {
            let labels = AttemptLabels { class: Name(class.as_str()) };
            let counter = self.attempts.get_or_create(&labels);
            counter.inc_by(attempts.saturating_sub(counter.get()));
        }
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// What runner and store know when somebody asks.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// What waits in the store.
    pub depth: Depth,
    /// When the oldest delivery, in memory or in the store, became due.
    pub oldest_due: Option<Timestamp>,
    /// When the oldest of those that no gate holds became due.
    pub oldest_sendable: Option<Timestamp>,
    /// Attempts that have ended, by class.
    pub attempts: Vec<(Class, u64)>,
    /// Attempts under way.
    pub attempts_in_flight: usize,
    /// Shards that are being read anew.
    pub shards_out: usize,
    /// Notices that were dropped because too many waited.
    pub notices_dropped: u64,
}

impl Figures {
    /// Asks runner and store.
    ///
    /// # Errors
    /// The store's.
    pub async fn ask(runner: &Runner, store: &dyn Store, now: Timestamp) -> StoreResult<Self> {
        let depth = store.depth(now).await?;
        let counts = runner.counts();
        let oldest_sendable = runner.oldest_sendable();
        Ok(Self {
            oldest_due: [depth.oldest_due, oldest_sendable].into_iter().flatten().min(),
            oldest_sendable,
            attempts: Class::ALL.iter().map(|class| (*class, counts.attempts(*class))).collect(),
            attempts_in_flight: runner.attempts_in_flight(),
            shards_out: runner.shards_out(),
            notices_dropped: runner.notices_dropped(),
            depth,
        })
    }

    /// Attempts that have ended.
    pub fn all_attempts(&self) -> u64 {
        self.attempts.iter().map(|(_, attempts)| attempts).sum()
    }
}

#[derive(Debug)]
struct Progress {
    attempts: u64,
    since: Timestamp,
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_the_oldest_due_delivery_comes_first() {
        let oldest_due = Some(Timestamp::from_millis(30_000));
        let figures = Figures { oldest_due, ..Figures::default() };
        let text = Metrics::default().print(&figures, Timestamp::from_millis(90_000));
        assert!(text.starts_with("# HELP angarium_oldest_due_delivery_age_seconds"), "{text}");
        assert!(text.contains("angarium_oldest_due_delivery_age_seconds 60.0\n"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn what_is_counted_shows_by_closed_labels() {
        let metrics = Metrics::default();
        metrics.refused(Code::InvalidEventType);
        let brew = Method::from_bytes(b"BREW").expect("a method");
        metrics.answered(&brew, "/v1/events/{id}", StatusCode::OK);
        let figures = Figures { attempts: vec![(Class::Timeout, 3)], ..Figures::default() };
        metrics.print(&figures, Timestamp::from_millis(9));
        let text = metrics.print(&figures, Timestamp::from_millis(9));
        for line in [
            r#"events_refused_total{code="invalid_event_type"} 1"#,
            r#"attempts_total{class="timeout"} 3"#,
            r#"http_requests_total{method="other",route="/v1/events/{id}",status="200"} 1"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn it_is_quiet_since_the_count_of_attempts_was_first_seen() {
        let metrics = Metrics::default();
        let at = Timestamp::from_millis;
        assert_eq!(metrics.quiet_since(5, at(100)), at(100));
        assert_eq!(metrics.quiet_since(5, at(200)), at(100));
        assert_eq!(metrics.quiet_since(6, at(300)), at(300));
    }
}
