//! Attempts begin: slots are filled, rows are read.

use super::held::Held;
use super::lanes::Commits;
use super::queue::Queue;
use super::{Effects, Load, Rows, Shard, Start};
use crate::id::{DeliveryKey, EndpointNo, TenantNo};
use crate::time::Timestamp;
use crate::waiting::{DueDelivery, DuePage};
use std::ops::Bound;

/// Rows of one lane that are read at once: they are sent one after the other.
const LANE_AT_ONCE: usize = 32;
/// A tenant may have so many times the attempts under way that are still free on the node: alone
/// it gets four fifths of the slots, and however many it wants, the next tenant finds some.
const TENANT_SHARE: usize = 4;
/// Within a tenant an endpoint that has one already leaves half as much free as its tenant has: a
/// thousand endpoints that hang leave some to one that does not.
const ENDPOINTS_LEAVE: usize = 2;

impl<T> Shard<T> {
    /// The time of [`Shard::wake_at`] has come.
    pub fn tick(&mut self, now: Timestamp, fx: &mut Effects<T>) {
        // Each once: one that is due again at once waits for the next tick.
        let due: Vec<_> = self.timers.iter().take_while(|(at, _)| *at <= now).copied().collect();
        fx.starts = self.starts_to(due.len());
        for (at, no) in due {
            self.timers.remove(&(at, no));
            if let Some(queue) = self.queues.get_mut(&no) {
                queue.timer = None;
            }
            self.run(no, now, fx);
        }
        if self.line_moves_at.is_some_and(|at| at <= now) {
            self.move_up(now, fx);
        }
        self.write_rowless(now);
        self.write_due_counters(now);
    }

    /// Starts what waits for nothing but a slot, after slots became free.
    pub fn use_slots(&mut self, now: Timestamp, fx: &mut Effects<T>) {
        let wanting = self.wanting();
        fx.starts = self.starts_to(wanting.len());
        let most_crowded = self.crowd.len() + fx.slots;
        for Wanting { no, tenant, in_flight } in wanting {
            if fx.slots == 0 || self.crowd.len() == most_crowded {
                fx.starved = true;
                return;
            }
            // Asked first, as most have none while a thousand endpoints hang.
            let of_tenant = self.tenants.get(&tenant).map_or(0, |tenant| tenant.in_flight);
            if !has_share(in_flight, of_tenant, fx.slots) {
                fx.starved = true;
                continue;
            }
            self.served_last = no;
            self.run(no, now, fx);
        }
    }

    /// Endpoints with something to send, from the one after that which was served last: round and
    /// round, so that the first do not get all slots.
    fn wanting(&self) -> Vec<Wanting> {
        let last = self.served_last;
        let later = self.queues.range((Bound::Excluded(last), Bound::Unbounded));
        let around = later.chain(self.queues.range(..=last));
        let wants = |queue: &Queue| queue.has_ready() && !queue.in_crowd;
        around
            .filter(|(_, queue)| wants(queue))
            .map(|(no, queue)| Wanting {
                no: *no,
                tenant: queue.endpoint.config.tenant,
                in_flight: queue.in_flight(),
            })
            .collect()
    }

    /// Attempts under way for more than a second; they may hold three quarters of a node (rule 9).
    pub fn slow_attempts(&self, now: Timestamp) -> usize {
        self.queues.values().map(|queue| queue.slow_attempts(now)).sum()
    }

    /// Does for one endpoint what can be done now: wakes retries, starts attempts, reads rows, sets
    /// the timer.
    pub(super) fn run(&mut self, no: EndpointNo, now: Timestamp, fx: &mut Effects<T>) {
        let is_settled = self.committing.is_none() && self.batch.is_empty();
        let commits = if is_settled { Commits::Settled } else { Commits::UnderWay };
        let Some(queue) = self.queues.get_mut(&no) else {
            return;
        };
        queue.wake(now);
        queue.take_in_overflow(&self.limits, self.memory.room(), now);
        let tenant = self.tenants.entry(queue.endpoint.config.tenant).or_default();
        if start_attempts(no, queue, &mut tenant.in_flight, now, fx) == Next::WaitsItsTurn {
            self.crowd.join(no, queue);
            fx.crowded = true;
        }
        if let Some(wish) = queue.begin_load(&self.limits, self.memory.room(), now) {
            let key = |(event, generation)| DeliveryKey { event, endpoint: no, generation };
            let skip = wish.skip.into_iter().map(key).collect();
            let (rows, limit) = (Rows::Due(now), wish.limit);
            let bytes = self.memory.promise(no, rows);
            fx.loads.push(Load { endpoint: no, rows, skip, limit, bytes });
        }
        while let Some(lane) = queue.begin_lane_load(commits) {
            let (rows, limit) = (Rows::Behind(lane), LANE_AT_ONCE);
            let bytes = self.memory.promise(no, rows);
            fx.loads.push(Load { endpoint: no, rows, skip: Vec::new(), limit, bytes });
        }
        let wake_at = queue.wake_at(now);
        if queue.timer != wake_at {
            if let Some(old) = queue.timer {
                self.timers.remove(&(old, no));
            }
            queue.timer = wake_at;
            self.timers.extend(wake_at.map(|at| (at, no)));
        }
    }

    /// Rows that a [`Load`] asked for.
    pub fn loaded(
        &mut self,
        no: EndpointNo,
        rows: Rows,
        page: DuePage,
        now: Timestamp,
        fx: &mut Effects<T>,
    ) {
        fx.starts = self.starts_to(self.memory.loads());
        self.memory.load_ended(no, rows);
        let Some(queue) = self.queues.get_mut(&no) else {
            return;
        };
        // A row may have been written for what memory holds after the load was asked for.
        let held_keys = queue.held_keys();
        let is_new = |row: &DueDelivery| !held_keys.contains(&(row.key.event, row.key.generation));
        let is_free = |row: &DueDelivery| !self.acted_on.contains_key(&row.key);
        // So may one have been changed, and its commit have ended before the reading.
        let is_current = |row: &DueDelivery| match rows {
            Rows::Due(_) => queue.is_current(row.key),
            Rows::Behind(lane) => queue.lanes.is_there(lane, row.key),
        };
        let were_read = !page.deliveries.is_empty();
        let current: Vec<_> = page.deliveries.into_iter().filter(is_current).collect();
        let all_gone = were_read && current.is_empty();
        let deliveries = current.into_iter().filter(is_new);
        let held: Vec<_> = match rows {
            Rows::Due(_) => deliveries.filter(is_free).map(Held::of_row).collect(),
            // What stands behind one that a person is changing must wait for that to be durable.
            Rows::Behind(_) => deliveries.take_while(is_free).map(Held::of_row).collect(),
        };
        let weight: usize = held.iter().map(|held| held.event.body.weight()).sum();
        // What was closed meanwhile leaves its rows where they are.
        match (rows, queue.is_open()) {
            (Rows::Due(_), false) => queue.end_load(page.next_due),
            (Rows::Behind(lane), false) => queue.lanes.not_loaded(lane),
            (Rows::Behind(lane), true) if all_gone => queue.lanes.not_loaded(lane),
            (Rows::Due(_), true) => {
                queue.end_load(page.next_due);
                held.into_iter().for_each(|held| queue.push_ready(held));
                self.memory.hold(weight);
            }
            (Rows::Behind(lane), true) => {
                // Rows are missed only if no commit is under way, before and after the reading.
                let commits =
                    if self.acted_on.is_empty() { Commits::Settled } else { Commits::UnderWay };
                queue.lane_loaded(lane, held, commits);
                self.memory.hold(weight);
            }
        }
        self.run(no, now, fx);
    }

    /// A load failed; it is tried again at `again`, or with the next change of the endpoint.
    pub fn not_loaded(
        &mut self,
        no: EndpointNo,
        rows: Rows,
        again: Timestamp,
        now: Timestamp,
        fx: &mut Effects<T>,
    ) {
        self.memory.load_ended(no, rows);
        let Some(queue) = self.queues.get_mut(&no) else {
            return;
        };
        match rows {
            Rows::Due(_) => queue.end_load(Some(again)),
            Rows::Behind(lane) => {
                queue.lanes.not_loaded(lane);
                queue.note_unloaded(again);
            }
        }
        self.run(no, now, fx);
    }
}

/// An endpoint that has something to send.
struct Wanting {
    no: EndpointNo,
    tenant: TenantNo,
    in_flight: usize,
}

/// Whether an endpoint may have another attempt under way, beside its own and its tenant's.
fn has_share(of_endpoint: usize, of_tenant: usize, slots: usize) -> bool {
    let free = slots.saturating_mul(TENANT_SHARE).saturating_sub(of_tenant);
    free > 0 && (of_endpoint == 0 || free > of_tenant / ENDPOINTS_LEAVE)
}

/// What the next delivery of a queue does, after some were started.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// It waits for its time, for the gate or for a slot, if there is one.
    Waits,
    /// It could start, but attempts start to many endpoints.
    WaitsItsTurn,
}

/// Starts what gate, slots and the tenant's share allow. `in_flight` is the tenant's.
fn start_attempts<T>(
    no: EndpointNo,
    queue: &mut Queue,
    in_flight: &mut usize,
    now: Timestamp,
    fx: &mut Effects<T>,
) -> Next {
    if !queue.wants_slot(now) {
        return Next::Waits;
    }
    let slow = queue.is_slow(now);
    while queue.wants_slot(now) {
        let has_share = has_share(queue.in_flight(), *in_flight, fx.slots);
        if !has_share || (slow && fx.slow_slots == 0) {
            fx.starved = true;
            return Next::Waits;
        }
        if fx.starts == 0 || (queue.in_crowd && !fx.goes_by) {
            return Next::WaitsItsTurn;
        }
        let Some(held) = queue.next_to_send() else {
            return Next::Waits;
        };
        fx.slots -= 1;
        fx.starts -= 1;
        *in_flight += 1;
        if slow {
            fx.slow_slots -= 1;
        }
        fx.attempts.push(Start {
            key: DeliveryKey { event: held.event.key, endpoint: no, generation: held.generation },
            attempt: held.attempts.saturating_add(1),
            sequence: held.sequence,
            endpoint: queue.endpoint.clone(),
            event: held.event.clone(),
        });
        queue.send(held, now);
    }
    Next::Waits
}
