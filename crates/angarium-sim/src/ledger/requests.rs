//! What may be sent.

use super::{Knowledge, Ledger, Outstanding};
use crate::world::Moment;
use angarium_core::delivery::DeliveryState;
use angarium_core::endpoint::EndpointStatus;
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, ShardId, TenantNo};
use angarium_core::time::Timestamp;

/// What a receiver sees of an attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) endpoint: EndpointNo,
    /// The event's.
    pub(crate) number: u64,
    /// The endpoint's.
    pub(crate) sequence: Option<u64>,
}

/// A request that has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnderWay {
    pub(super) key: DeliveryKey,
    pub(super) request: u64,
}

impl Ledger {
    /// A request begins. `state` asks the store where a delivery stands.
    pub(crate) fn started(
        &mut self,
        request: Request,
        now: Moment,
        state: impl Fn(DeliveryKey) -> Option<DeliveryState>,
    ) -> Option<UnderWay> {
        self.counts.requests += 1;
        let Request { endpoint, number, sequence } = request;
        let Some(event) = self.numbers.get(&number).copied() else {
            self.violated(format!("event {number} is sent before it is durable"));
            return None;
        };
        if !self.has_payload(event) {
            self.violated(format!("event {number} is sent after its payload was removed"));
        }
        let key = self.newest(event, endpoint);
        if self.sequence_of(key) != sequence {
            self.violated(format!("event {number} to {endpoint} has the number {sequence:?}"));
        }
        self.deliveries.entry(key).or_default().requests += 1;
        self.is_wanted(key, number, now, &state);
        self.is_its_turn(key, number, &state);
        self.has_a_slot(key, number, now.time);
        Some(UnderWay { key, request: self.counts.requests })
    }

    /// The number that a request of a delivery carries; none where nothing is to be sent.
    fn sequence_of(&self, key: DeliveryKey) -> Option<u64> {
        let replayed = self.deliveries.get(&key).and_then(|facts| facts.sequence);
        let mut fanout = self.events.get(&key.event)?.fanout.iter();
        let matched = fanout.find(|fanout| fanout.endpoint == key.endpoint);
        matched.map(|fanout| fanout.sequence).or(replayed)
    }

    /// Not ended, its endpoint on, its time come.
    fn is_wanted(
        &mut self,
        key: DeliveryKey,
        number: u64,
        now: Moment,
        state: &impl Fn(DeliveryKey) -> Option<DeliveryState>,
    ) {
        let endpoint = key.endpoint;
        if let Some(state) = state(key).filter(|state| state.is_final()) {
            self.violated(format!("event {number} is sent to {endpoint} after its end: {state:?}"));
        }
        if let Some(due) = self.deliveries.get(&key).and_then(|facts| facts.due)
            && now.clock < due.0.clock
            && now.time < due.0.time
        {
            let due = due.0.clock;
            self.violated(format!("event {number} is sent to {endpoint} before {due}"));
        }
        let Some(facts) = self.endpoints.get(&endpoint) else {
            return self.violated(format!("event {number} is sent to an unknown endpoint"));
        };
        let (status, since) = facts.in_force;
        if facts.deleted == Knowledge::Certain {
            self.violated(format!("event {number} is sent to {endpoint}, which is deleted"));
        } else if status != EndpointStatus::Active && now.time > since {
            let status = status.as_str();
            self.violated(format!("event {number} is sent to {endpoint}, {status} since {since}"));
        }
    }

    /// Everything before it in its lane has ended.
    fn is_its_turn(
        &mut self,
        key: DeliveryKey,
        number: u64,
        state: &impl Fn(DeliveryKey) -> Option<DeliveryState>,
    ) {
        let endpoint = key.endpoint;
        let Some(event) = self.events.get(&key.event) else { return };
        let Some(lane) = self.lane(endpoint, &event.body) else { return };
        if key.generation.get() > 0 {
            return;
        }
        if let Some(holder) = self.held_by(endpoint, lane).filter(|holder| *holder != key.event) {
            let holder = self.number(holder);
            self.violated(format!("event {number} is sent to {endpoint}, held by {holder}"));
        }
        let line = self.lanes.get(&(endpoint, lane)).into_iter().flatten();
        let before: Vec<EventKey> = line.take_while(|other| **other < key.event).copied().collect();
        for other in before {
            let first = DeliveryKey::first(other, endpoint);
            // What an endpoint's deletion ended is not in the books.
            match state(first) {
                Some(state) if state.is_final() => self.ends(first, state),
                state => {
                    let other = other.get();
                    let what = format!("event {number} overtakes {other} at {endpoint}: {state:?}");
                    return self.violated(what);
                }
            }
        }
    }

    /// Not under way already, within the windows; repeated only after an interruption.
    fn has_a_slot(&mut self, key: DeliveryKey, number: u64, time: Timestamp) {
        let endpoint = key.endpoint;
        if self.interrupted.remove(&key) {
            self.counts.repeated += 1;
        }
        let tenant = self.tenant_of(key.event).unwrap_or_default();
        if self.out.contains(&ShardId::of(tenant)) {
            self.interrupted.insert(key);
            self.deliveries.entry(key).or_default().unrecorded += 1;
            return;
        }
        let outstanding = Outstanding { request: self.counts.requests, is_recorded: false };
        let under_way = self.outstanding.entry(endpoint).or_default();
        let is_new = under_way.insert(key, outstanding).is_none();
        let here = under_way.len();
        let window = self.endpoints.get(&endpoint).and_then(|facts| facts.config.concurrency);
        if !is_new {
            self.violated(format!("event {number} is sent to {endpoint} twice at once"));
        }
        if window.is_some_and(|window| here > usize::from(window)) {
            self.violated(format!("{here} attempts at once to {endpoint}"));
        }
        self.has_its_share(tenant);
        self.passes_its_gate(key, number, time);
    }

    /// The node's window is kept, and no tenant has more than four fifths of it.
    fn has_its_share(&mut self, tenant: TenantNo) {
        let (mut everywhere, mut of_tenant) = (0, 0);
        for (no, under_way) in &self.outstanding {
            everywhere += under_way.len();
            if self.endpoints.get(no).is_some_and(|facts| facts.config.tenant == tenant) {
                of_tenant += under_way.len();
            }
        }
        if everywhere > self.node_window {
            self.violated(format!("{everywhere} attempts at once"));
        }
        if of_tenant > (4 * self.node_window).div_ceil(5) {
            self.violated(format!("{of_tenant} attempts at once of tenant {tenant}"));
        }
    }

    /// A receiver took an event.
    pub(crate) fn received(&mut self, endpoint: EndpointNo, number: u64) {
        let Some(event) = self.numbers.get(&number).copied() else { return };
        let key = self.newest(event, endpoint);
        // A facts entry stands for a row, or for an attempt.
        self.deliveries.entry(key).or_default().received += 1;
    }
}
