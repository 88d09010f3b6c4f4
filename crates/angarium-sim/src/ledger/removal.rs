//! What is removed for its age: nothing that is alive, and nothing before its time.

use super::{Knowledge, Ledger};
use angarium_core::delivery::DeliveryState;
use angarium_core::id::{DeliveryKey, EventKey};
use angarium_core::retention::{Age, Part};
use angarium_core::time::Timestamp;

/// Up to where parts are gone.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Upto {
    payload: EventKey,
    metadata: EventKey,
}

impl Ledger {
    /// A part is removed up to an event, by a process whose clock says `clock`.
    pub(crate) fn swept(&mut self, part: Part, upto: EventKey, clock: Timestamp) {
        let before = match part {
            Part::Payload => std::mem::replace(&mut self.gone.payload, upto),
            Part::Metadata => std::mem::replace(&mut self.gone.metadata, upto),
            Part::Attempts => return,
        };
        let Some(ages) = self.ages else { return };
        let new: Vec<_> = self.events.range(before..=upto).map(|(key, _)| *key).collect();
        for key in new.into_iter().filter(|key| *key > before) {
            self.counts.gone[usize::from(part == Part::Metadata)] += 1;
            let number = self.number(key);
            if Age::Of(clock.since(key.time())) < ages.of(part) {
                self.violated(format!("event {number} loses its {} too early", part.as_str()));
            }
            let open: Vec<_> = self.open.iter().filter(|open| open.event == key).copied().collect();
            for open in open {
                // What an endpoint's deletion ended is not in the books.
                let is_asked = self
                    .endpoints
                    .get(&open.endpoint)
                    .is_some_and(|facts| facts.deleted != Knowledge::Unasked);
                if is_asked {
                    self.ends(open, DeliveryState::Cancelled);
                    continue;
                }
                let name = self.name(open);
                self.violated(format!("{name} has not ended, and its {} goes", part.as_str()));
            }
            if self.rowless.iter().any(|(event, _)| *event == key) {
                self.violated(format!("event {number} has no row, and its {} goes", part.as_str()));
            }
            if part == Part::Metadata {
                self.own_ids.retain(|_, of| *of != key);
            }
        }
    }

    /// Whether nothing is left of an event.
    pub(crate) fn is_gone(&self, key: EventKey) -> bool {
        key <= self.gone.metadata
    }

    /// Whether an event can be sent.
    pub(super) fn has_payload(&self, key: EventKey) -> bool {
        key > self.gone.payload
    }

    /// A waiting delivery was given up because its event is of age. At the head of its lane it may
    /// hold that.
    pub(super) fn expired(&mut self, key: DeliveryKey, holds: bool) {
        let has_ended = self.deliveries.get(&key).is_some_and(|facts| facts.ended.is_some());
        if self.ages.is_none() || has_ended {
            let name = self.name(key);
            self.violated(format!("{name}: expires after its end, or where nothing does"));
        }
        self.ends(key, DeliveryState::Dead);
        self.counts.expired += 1;
        if holds {
            self.hold_or_release(key, DeliveryState::Dead);
        }
    }

    /// Events that are kept.
    pub(crate) fn kept(&self) -> usize {
        self.events.keys().filter(|key| !self.is_gone(**key)).count()
    }
}
