//! A shard is filled from the store before it is used: endpoints first, then the events above the
//! checkpoint whose pairs may have no row.

use super::held::{Existence, Held};
use super::lanes::Place;
use super::queue::Queue;
use super::{Effects, Room, Shard, notices};
use crate::batch::{DeliveryWrite, NextState, Standing};
use crate::delivery::{DeliveryState, EndReason};
use crate::endpoint::{Endpoint, EndpointCounters, EndpointStatus};
use crate::gate::Gate;
use crate::id::{DeliveryKey, EndpointNo, EventKey, Generation, TenantNo};
use crate::time::Timestamp;
use crate::waiting::{LaneHold, RecoveredEvent, StoredLane};
use std::sync::Arc;

impl<T> Shard<T> {
    /// A tenant with its last sequence number as of the checkpoint.
    pub fn recover_tenant(&mut self, tenant: TenantNo, sequence: u64) {
        self.tenants.entry(tenant).or_default().sequence = sequence;
    }

    /// An endpoint with its counters as of the checkpoint, and when the earliest of its rows is
    /// due.
    pub fn recover_endpoint(
        &mut self,
        endpoint: Arc<Endpoint>,
        counters: &EndpointCounters,
        next_due: Option<Timestamp>,
        lanes: &[StoredLane],
        now: Timestamp,
    ) {
        let tenant = self.tenants.entry(endpoint.config.tenant).or_default();
        tenant.endpoints.push(counters.endpoint);
        let mut queue = Queue::new(endpoint);
        queue.sequence = counters.sequence;
        queue.health = counters.health;
        let failures = counters.health.consecutive_failures;
        queue.gate = Gate::after_restart(failures, &queue.endpoint.gate, now);
        if let Some(due) = next_due {
            queue.note_unloaded(due);
        }
        for lane in lanes {
            queue.lanes.recover(lane);
        }
        self.queues.insert(counters.endpoint, queue);
    }

    /// A lane of a recovered endpoint that a dead letter holds.
    pub fn recover_hold(&mut self, hold: LaneHold) {
        if let Some(queue) = self.queues.get_mut(&hold.by.endpoint) {
            // Nothing is in memory yet that would have to leave it.
            queue.lanes.hold(hold);
        }
    }

    /// A deleted endpoint that still has waiting rows: they are cancelled in slices.
    pub fn recover_deleted(&mut self, no: EndpointNo, now: Timestamp) {
        self.slice(super::change::cancel_waiting(no, now));
    }

    /// An endpoint whose pause or resumption was cut short: its rows are parked or unparked.
    pub fn recover_rows(&mut self, no: EndpointNo, now: Timestamp) {
        let Some(queue) = self.queues.get(&no) else {
            return;
        };
        self.slice(match queue.endpoint.config.status {
            EndpointStatus::Active => super::change::unpark(no, now),
            EndpointStatus::Paused | EndpointStatus::Disabled => super::change::park(no),
        });
    }

    /// An own id that the store's index does not have yet.
    pub fn recover_own_id(&mut self, tenant: TenantNo, own_id: &str, key: EventKey) {
        self.own_ids.committed(tenant, own_id, key);
    }

    /// An event above the checkpoint, in key order. Pairs without a row are taken up again, or get
    /// a row if memory is full; a missing or another tenant's endpoint reads as cancelled (rule 2).
    pub fn recover_event(&mut self, recovered: &RecoveredEvent, now: Timestamp) {
        let event = &recovered.event;
        let tenant = self.tenants.entry(event.tenant).or_default();
        tenant.sequence = tenant.sequence.max(event.sequence);
        self.dirty_tenants.insert(event.tenant);
        let rowless: Vec<_> =
            recovered.fanout.iter().filter(|(no, _)| !recovered.recorded.contains(no)).collect();
        self.open.opened(event.key, rowless.len());
        self.high_water = self.high_water.max(event.key);
        for (no, sequence) in &recovered.fanout {
            if let Some(queue) = self.queues.get_mut(no) {
                queue.sequence = queue.sequence.max(*sequence);
                queue.dirty = true;
            }
        }
        for (no, sequence) in rowless {
            let held = Held {
                event: event.clone(),
                generation: Generation::default(),
                sequence: *sequence,
                attempts: 0,
                lane: None,
                // The clock may have been set back since.
                due: event.accepted_at.min(now),
                has_row: false,
            };
            self.recover_pair(*no, held, now);
        }
    }

    fn recover_pair(&mut self, no: EndpointNo, held: Held, now: Timestamp) {
        let weight = held.event.body.weight();
        let has_bytes = self.memory.has_room(weight);
        let queue = self.queues.get_mut(&no);
        let queue = queue.filter(|queue| queue.endpoint.config.tenant == held.event.tenant);
        let Some(queue) = queue.filter(|queue| queue.existence == Existence::Alive) else {
            let reason = Some(EndReason::EndpointDeleted);
            let next = NextState::Ended { state: DeliveryState::Cancelled, reason, at: now };
            self.batch.deliveries.push(DeliveryWrite {
                key: DeliveryKey::first(held.event.key, no),
                sequence: held.sequence,
                attempts: 0,
                lane: None,
                has_row: false,
                attempt: None,
                next,
            });
            return;
        };
        let lane = queue.endpoint.ordering.lane(&held.event.body);
        let held = Held { lane, ..held };
        let status = queue.endpoint.config.status;
        let has_room =
            status == EndpointStatus::Active && queue.has_room(&self.limits, now) && has_bytes;
        let room = if has_room { Room::Free } else { Room::Full };
        let event = held.event.key;
        let place = lane.map_or(Place::Head, |lane| queue.lanes.reenter(lane, event, room));
        match (place, room, lane) {
            (Place::Behind, _, Some(lane)) => {
                self.memory.hold(weight);
                if let Some(held) = queue.push_behind(lane, held) {
                    self.park(no, held, Standing::Behind);
                }
            }
            (Place::Head, Room::Free, _) | (Place::Behind, _, None) => {
                self.memory.hold(weight);
                queue.push_ready(held);
            }
            (Place::Head, Room::Full, _) => {
                let due = (status == EndpointStatus::Active).then_some(held.due);
                self.tickets.left_to_rows.extend(due.map(|due| (no, due)));
                self.write_held(no, &held, NextState::Pending { due });
            }
            (Place::Stored, ..) => {
                let batch = self.filling;
                lane.into_iter().for_each(|lane| queue.lanes.writes_before_others(lane, batch));
                self.write_held(no, &held, NextState::Queued);
            }
        }
    }

    /// Everything is recovered: attempts start.
    pub fn begin(&mut self, now: Timestamp, fx: &mut Effects<T>) {
        let all: Vec<_> = self.queues.keys().copied().collect();
        fx.starts = self.starts_to(all.len());
        for no in all {
            if let Some(queue) = self.queues.get_mut(&no) {
                queue.lanes.begin();
                notices::tell_again(no, queue, now, fx);
            }
            self.run(no, now, fx);
        }
    }
}
