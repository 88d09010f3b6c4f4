//! What may be sent.

use super::{Knowledge, Ledger};
use angarium_core::delivery::DeliveryState;
use angarium_core::endpoint::EndpointStatus;
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, ShardId};
use angarium_core::time::Timestamp;

impl Ledger {
    /// A request begins. `state` asks the store where a delivery stands.
    pub(crate) fn started(
        &mut self,
        endpoint: EndpointNo,
        number: u64,
        sequence: Option<u64>,
        now: Timestamp,
        state: impl Fn(DeliveryKey) -> Option<DeliveryState>,
    ) {
        self.counts.requests += 1;
        let Some(event) = self.numbers.get(&number).copied() else {
            return self.violated(format!("event {number} is sent before it is durable"));
        };
        let fanout = self.events.get(&event).map_or(&[][..], |facts| &facts.fanout);
        let fanout = fanout.iter().find(|fanout| fanout.endpoint == endpoint).copied();
        if fanout.is_none() || fanout.map(|fanout| fanout.sequence) != sequence {
            self.violated(format!("event {number} to {endpoint} has the number {sequence:?}"));
        }
        let key = self.newest(event, endpoint);
        self.is_wanted(key, number, now, &state);
        self.is_its_turn(key, number, &state);
        self.has_a_slot(key, number);
    }

    /// Not ended, its endpoint on, its time come.
    fn is_wanted(
        &mut self,
        key: DeliveryKey,
        number: u64,
        now: Timestamp,
        state: &impl Fn(DeliveryKey) -> Option<DeliveryState>,
    ) {
        let endpoint = key.endpoint;
        if let Some(state) = state(key).filter(|state| state.is_final()) {
            self.violated(format!("event {number} is sent to {endpoint} after its end: {state:?}"));
        }
        if let Some(due) = self.deliveries.get(&key).and_then(|facts| facts.due)
            && now < due
        {
            self.violated(format!("event {number} is sent to {endpoint} before {due}"));
        }
        let Some(facts) = self.endpoints.get(&endpoint) else {
            return self.violated(format!("event {number} is sent to an unknown endpoint"));
        };
        let (status, since) = facts.in_force;
        if facts.deleted == Knowledge::Certain {
            self.violated(format!("event {number} is sent to {endpoint}, which is deleted"));
        } else if status != EndpointStatus::Active && now > since {
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
    fn has_a_slot(&mut self, key: DeliveryKey, number: u64) {
        let endpoint = key.endpoint;
        if self.interrupted.remove(&key) {
            self.counts.repeated += 1;
        }
        let tenant = self.tenant_of(key.event).unwrap_or_default();
        if self.out.contains(&ShardId::of(tenant)) {
            self.interrupted.insert(key);
            return;
        }
        let under_way = self.outstanding.entry(endpoint).or_default();
        let is_new = under_way.insert(key);
        let here = under_way.len();
        let window = self.endpoints.get(&endpoint).and_then(|facts| facts.config.concurrency);
        let everywhere: usize =
            self.outstanding.values().map(std::collections::BTreeSet::len).sum();
        if !is_new {
            self.violated(format!("event {number} is sent to {endpoint} twice at once"));
        }
        if window.is_some_and(|window| here > usize::from(window)) {
            self.violated(format!("{here} attempts at once to {endpoint}"));
        }
        if everywhere > self.node_window {
            self.violated(format!("{everywhere} attempts at once"));
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
