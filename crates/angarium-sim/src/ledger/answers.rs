//! What people are told, and what stands at the end.

use super::{Knowledge, Ledger};
use angarium_core::delivery::{DeliveryState, EndReason};
use angarium_core::endpoint::EndpointStatus;
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, TenantNo};
use angarium_store::read::DeliveryRow;

impl Ledger {
    /// A publisher is told that an event is accepted.
    pub(crate) fn accepted(&mut self, number: u64, key: EventKey, sequence: u64, matched: usize) {
        let committed = self.numbers.get(&number) == Some(&key);
        let facts = self.events.get(&key).filter(|_| committed);
        if facts.is_none_or(|facts| (facts.sequence, facts.fanout.len()) != (sequence, matched)) {
            self.violated(format!("event {number} is accepted and was not committed like that"));
        }
    }

    /// Whether an event went to those to whom it had to go, and to nobody to whom it must not.
    pub(crate) fn matched(&mut self, key: EventKey, must: &[EndpointNo], must_not: &[EndpointNo]) {
        let Some(facts) = self.events.get(&key) else { return };
        let has = |no: &EndpointNo| facts.fanout.iter().any(|fanout| fanout.endpoint == *no);
        let is_asked = |no: &EndpointNo| {
            self.endpoints.get(no).is_none_or(|facts| facts.deleted != Knowledge::Unasked)
        };
        let missed = must.iter().find(|no| !has(no) && !is_asked(no)).copied();
        let wrong = must_not.iter().find(|no| has(no)).copied();
        if let Some(no) = missed {
            self.violated(format!("event {} does not match endpoint {no}", key.get()));
        }
        if let Some(no) = wrong {
            self.violated(format!("event {} matches endpoint {no}, deleted", key.get()));
        }
    }

    /// Endpoints that are paused or disabled.
    pub(crate) fn switched_off(&self) -> Vec<EndpointNo> {
        let off = self.endpoints.iter().filter(|(_, facts)| {
            facts.deleted != Knowledge::Certain && facts.config.status != EndpointStatus::Active
        });
        off.map(|(no, _)| *no).collect()
    }

    /// Somebody asks for an endpoint's deletion.
    pub(crate) fn ask_to_delete(&mut self, no: EndpointNo) -> Option<TenantNo> {
        let facts = self.endpoints.get_mut(&no)?;
        facts.deleted = facts.deleted.max(Knowledge::Possible);
        Some(facts.config.tenant)
    }

    /// Somebody asks for a delivery's end.
    pub(crate) fn ask_to_cancel(&mut self, key: DeliveryKey) -> Option<TenantNo> {
        self.cancels_asked.insert(key);
        self.tenant_of(key.event)
    }

    pub(crate) fn tenant_of(&self, event: EventKey) -> Option<TenantNo> {
        self.events.get(&event).map(|facts| facts.tenant)
    }

    /// Judges what the store shows of a delivery at the end. `attempts` is how many its schedule
    /// has, where that is certain.
    pub(crate) fn judge(
        &mut self,
        key: DeliveryKey,
        row: Option<&DeliveryRow>,
        attempts: Option<usize>,
    ) {
        let name = self.name(key);
        let Some(row) = row.filter(|row| row.state.is_final()) else {
            let state = row.map(|row| row.state);
            return self.violated(format!("{name} is lost: {state:?} at the end"));
        };
        let facts = self.deliveries.get(&key);
        let booked = facts.and_then(|facts| facts.ended);
        let tried = facts.map_or(0, |facts| facts.attempts);
        let received = facts.map_or(0, |facts| facts.received);
        let (requests, unrecorded) = facts.map_or((0, 0), |f| (f.requests, f.unrecorded));
        if requests != u64::from(tried) + unrecorded {
            self.violated(format!(
                "{name}: {requests} requests, {tried} recorded, {unrecorded} lost to crashes"
            ));
        }
        if booked.is_some_and(|booked| booked != row.state) || tried != row.attempts {
            let (state, shown) = (row.state, row.attempts);
            let what = format!("{booked:?} after {tried} attempts, shown {state:?} after {shown}");
            self.violated(format!("{name} ended {what}"));
        }
        let endpoint = self.endpoints.get(&key.endpoint);
        let is_sound = match row.state {
            DeliveryState::Delivered => received > 0,
            DeliveryState::Dead if row.reason == Some(EndReason::Expired) => self.ages.is_some(),
            DeliveryState::Dead => attempts.is_none_or(|all| usize::from(row.attempts) == all),
            DeliveryState::Cancelled => {
                self.cancels_asked.contains(&key)
                    || endpoint.is_none_or(|facts| facts.deleted != Knowledge::Unasked)
            }
            DeliveryState::Suppressed => endpoint.is_some_and(|facts| facts.was_disabled),
            DeliveryState::Queued | DeliveryState::Pending | DeliveryState::InFlight => false,
        };
        self.counts.dead += u64::from(row.state == DeliveryState::Dead);
        if !is_sound {
            let (state, tried) = (row.state, row.attempts);
            self.violated(format!(
                "{name} is {state:?} after {tried} of {attempts:?} attempts, received {received}"
            ));
        }
    }
}
