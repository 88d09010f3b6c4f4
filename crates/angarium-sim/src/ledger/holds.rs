//! Lanes that a dead letter holds, where the contract says so.

use super::{Knowledge, Ledger};
use crate::plan::HOLDING;
use angarium_core::delivery::DeliveryState;
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey};
use angarium_core::lane::Lane;

impl Ledger {
    /// The dead letters that hold a lane of an endpoint that is not known to be deleted.
    pub(crate) fn holders(&self) -> impl Iterator<Item = DeliveryKey> {
        let is_there = |no: &EndpointNo| {
            self.endpoints.get(no).is_some_and(|facts| facts.deleted != Knowledge::Certain)
        };
        let holds = self.holds.iter().filter(move |((no, _), _)| is_there(no));
        holds.map(|((no, _), event)| DeliveryKey::first(*event, *no))
    }

    /// A delivery has ended by an attempt: it may hold its lane from now on, or let it go.
    pub(super) fn hold_or_release(&mut self, key: DeliveryKey, state: DeliveryState) {
        let Some(lane) = self.lane_of(key) else { return };
        let is_first = key == DeliveryKey::first(key.event, key.endpoint);
        match state {
            DeliveryState::Dead if is_first && self.waits(key.endpoint) => {
                self.holds.insert((key.endpoint, lane), key.event);
            }
            DeliveryState::Delivered => self.release(key),
            DeliveryState::Dead
            | DeliveryState::Cancelled
            | DeliveryState::Suppressed
            | DeliveryState::Queued
            | DeliveryState::Pending
            | DeliveryState::InFlight => {}
        }
    }

    /// Its lane goes on.
    pub(super) fn release(&mut self, key: DeliveryKey) {
        let Some(lane) = self.lane_of(key) else { return };
        let place = (key.endpoint, lane);
        if self.holds.get(&place) == Some(&key.event) {
            self.holds.remove(&place);
        }
    }

    /// Whether events wait for an endpoint that is off, and dead letters hold their lanes.
    pub(super) fn waits(&self, endpoint: EndpointNo) -> bool {
        self.endpoints.get(&endpoint).is_some_and(|facts| facts.config.contract == HOLDING)
    }

    /// Whose dead letter keeps an event from its lane.
    pub(super) fn held_by(&self, endpoint: EndpointNo, lane: Lane) -> Option<EventKey> {
        self.holds.get(&(endpoint, lane)).copied()
    }

    fn lane_of(&self, key: DeliveryKey) -> Option<Lane> {
        self.lane(key.endpoint, &self.events.get(&key.event)?.body)
    }
}
