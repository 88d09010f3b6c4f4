//! A commit has ended: deliveries of new events become ready, slots become free, callers get their
//! answers.

mod endpoints;

use super::crowd::Spread;
use super::held::{Existence, Held, Kept, Recorded};
use super::lanes::BatchNo;
use super::notices;
use super::queue::Queue;
use super::{Effects, Reply, Shard, Tickets};
use crate::batch::{
    ActionResult, BatchResult, DeliveryWrite, EventWrite, FanoutStart, LaneWrite, RowAction,
    RowActionKind, Standing,
};
use crate::event::Event;
use crate::id::{DeliveryKey, EndpointNo, EventKey, Generation};
use crate::refusal::{Code, Refusal};
use crate::time::Timestamp;
use crate::waiting::LaneHold;
use std::sync::Arc;

/// Whether the shard is still ours after a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// Go on.
    Ours,
    /// Another owner has it: drop the machine ([`Shard::abandon`]).
    Lost,
}

impl<T> Shard<T> {
    /// Applies the result of the batch that was taken last.
    pub fn committed(
        &mut self,
        batch: &crate::batch::ShardBatch,
        result: &BatchResult,
        now: Timestamp,
        fx: &mut Effects<T>,
    ) -> Ownership {
        let BatchResult::Committed(given) = result else {
            return Ownership::Lost;
        };
        let Some(tickets) = self.committing.take() else {
            return Ownership::Ours;
        };
        let Tickets { events, actions, endpoints, left_to_rows } = tickets;
        let (mut of_few, mut touched) = (Vec::new(), Vec::new());
        for ((write, key), ticket) in batch.events.iter().zip(&given.events).zip(events) {
            let touched = match self.spread(write.fanout.len()) {
                Spread::ToFew => &mut of_few,
                Spread::ToMany => &mut touched,
            };
            self.event_committed(write, *key, ticket, now, touched, fx);
        }
        for write in &batch.deliveries {
            self.delivery_committed(write, now, fx);
            touched.push(write.key.endpoint);
        }
        batch.lanes.iter().for_each(|write| self.lane_committed(*write, now));
        for ((action, done), ticket) in batch.actions.iter().zip(&given.actions).zip(actions) {
            self.action_committed(action, *done, ticket, now, fx);
            touched.extend(action.endpoints());
        }
        self.endpoints_committed(batch, given, endpoints, now, &mut touched, fx);
        self.high_water = self.high_water.max(given.high_water);
        for (no, due) in left_to_rows {
            if let Some(queue) = self.queues.get_mut(&no) {
                queue.note_unloaded(due);
            }
            touched.push(no);
        }
        for touched in [&mut of_few, &mut touched] {
            touched.sort_unstable();
            touched.dedup();
        }
        touched.retain(|no| of_few.binary_search(no).is_err());
        fx.goes_by = true;
        self.run_touched(of_few, now, fx);
        fx.goes_by = false;
        fx.starts = self.starts_to(touched.len());
        self.run_touched(touched, now, fx);
        self.judge_more();
        self.move_up(now, fx);
        Ownership::Ours
    }

    fn run_touched(&mut self, touched: Vec<EndpointNo>, now: Timestamp, fx: &mut Effects<T>) {
        for no in touched {
            if let Some(queue) = self.queues.get_mut(&no) {
                queue.commit_ended(BatchNo(self.filling.0 - 1), now);
            }
            self.run(no, now, fx);
        }
    }

    fn event_committed(
        &mut self,
        write: &EventWrite,
        key: EventKey,
        ticket: T,
        now: Timestamp,
        touched: &mut Vec<EndpointNo>,
        fx: &mut Effects<T>,
    ) {
        let event = Arc::new(Event {
            key,
            tenant: write.tenant,
            sequence: write.sequence,
            accepted_at: write.accepted_at,
            body: write.body.clone(),
        });
        let rowless = write.fanout.iter().filter(|entry| !entry.start.has_row());
        self.open.opened(key, rowless.count());
        for entry in &write.fanout {
            let Some(queue) = self.queues.get_mut(&entry.endpoint) else {
                continue;
            };
            let held = |event: &Arc<Event>| Held {
                event: event.clone(),
                generation: Generation::default(),
                sequence: entry.sequence,
                attempts: 0,
                lane: entry.lane,
                due: now,
                has_row: false,
            };
            match (entry.start, entry.lane) {
                (FanoutStart::Behind, Some(lane)) => {
                    if let Some(held) = queue.fill_reserved_behind(lane, held(&event)) {
                        self.park(entry.endpoint, held, Standing::Behind);
                    }
                    self.settle_closed(entry.endpoint, now);
                }
                (FanoutStart::Held | FanoutStart::Behind, _) => {
                    queue.fill_reserved(held(&event));
                    self.settle_closed(entry.endpoint, now);
                }
                (FanoutStart::Overflow, _) => {
                    queue.overflow(held(&event));
                    self.overflows = true;
                    self.settle_closed(entry.endpoint, now);
                }
                (FanoutStart::Pending { due: Some(due) }, _) => queue.note_unloaded(due),
                (
                    FanoutStart::Pending { due: None }
                    | FanoutStart::Queued
                    | FanoutStart::Suppressed,
                    _,
                ) => {}
            }
            touched.push(entry.endpoint);
        }
        if let Some(own_id) = &write.body.own_id {
            let waiting = self.own_ids.committed(write.tenant, own_id, key);
            fx.replies.extend(waiting.into_iter().map(|ticket| (ticket, Reply::Known(key))));
        }
        let endpoints = write.fanout.len();
        let accepted = Reply::Accepted { key, sequence: write.sequence, endpoints };
        fx.replies.push((ticket, accepted));
    }

    /// An endpoint that was closed while the commit was under way sends nothing: what has just
    /// become ready is parked or cancelled with a row.
    fn settle_closed(&mut self, no: EndpointNo, now: Timestamp) {
        let Some(queue) = self.queues.get_mut(&no) else {
            return;
        };
        if queue.is_open() {
            return;
        }
        let held = queue.take_all();
        let existence = queue.existence;
        for (held, standing) in held {
            match existence {
                Existence::Alive => self.park(no, held, standing),
                Existence::Deleted => self.cancel_held(no, &held, now),
            }
        }
    }

    fn delivery_committed(&mut self, write: &DeliveryWrite, now: Timestamp, fx: &mut Effects<T>) {
        if !write.has_row && write.key.generation == Generation::default() {
            self.open.has_row(write.key.event);
        }
        // A row for what merely waits frees nothing.
        if write.attempt.is_none() {
            return;
        }
        let limits = &self.limits;
        let Some(queue) = self.queues.get_mut(&write.key.endpoint) else {
            return;
        };
        let Some((mut held, recorded, turn)) = queue.free_slot(write.key) else {
            return;
        };
        if let Some(tenant) = self.tenants.get_mut(&queue.endpoint.config.tenant) {
            tenant.in_flight = tenant.in_flight.saturating_sub(1);
        }
        queue.row_changed(write.key);
        notices::tell_of_attempt(queue, &held, write, turn, limits, now, fx);
        let weight = held.event.body.weight();
        if let (Recorded::Ended, Some(lane)) = (recorded, held.lane) {
            queue.head_ended(lane, now);
        }
        let kept = match recorded {
            Recorded::Waits(Some(due)) if queue.is_open() => {
                held.has_row = true;
                held.due = due;
                queue.wait(held, limits, now)
            }
            Recorded::Waits(Some(_) | None) | Recorded::Ended | Recorded::Holds => Kept::InStore,
        };
        let deleted = queue.existence == Existence::Deleted;
        if kept == Kept::InStore {
            self.memory.release(weight);
        }
        if deleted {
            self.cancel_rows(write.key.endpoint, now);
        }
    }

    /// A lane stands still from now on, or goes on.
    fn lane_committed(&mut self, write: LaneWrite, now: Timestamp) {
        let (LaneWrite::Hold(LaneHold { by: DeliveryKey { endpoint, .. }, .. })
        | LaneWrite::Release { endpoint, .. }) = write;
        let Some(queue) = self.queues.get_mut(&endpoint) else {
            return;
        };
        match write {
            LaneWrite::Hold(hold) => {
                for held in queue.lanes.hold(hold) {
                    self.park(endpoint, held, Standing::Behind);
                }
            }
            LaneWrite::Release { event, .. } => queue.release(event, now),
        }
    }

    fn action_committed(
        &mut self,
        action: &RowAction,
        done: Option<ActionResult>,
        ticket: T,
        now: Timestamp,
        fx: &mut Effects<T>,
    ) {
        self.acted_on_no_longer(action.key);
        let Some(ActionResult { key, stood }) = done else {
            let message = "the delivery changed meanwhile; look at it again";
            fx.replies.push((ticket, Reply::Refused(Refusal::whole(Code::Conflict, message))));
            return;
        };
        let queue = self.queues.get_mut(&action.key.endpoint);
        match (&action.kind, queue) {
            (RowActionKind::Replay(made), _) => self.replayed(made),
            (RowActionKind::DueNow | RowActionKind::Redeliver, Some(queue)) => {
                queue.note_unloaded(action.at);
            }
            (RowActionKind::Skip, Some(queue)) => queue.release(key.event, now),
            (RowActionKind::Cancel, Some(queue)) => {
                queue.row_changed(key);
                match stood {
                    Some((lane, Standing::Head)) => queue.head_ended(lane, now),
                    Some((lane, Standing::Behind)) => queue.lanes.row_gone(lane, key),
                    None => {}
                }
            }
            (RowActionKind::Expire { letter, holds }, Some(queue)) => {
                queue.row_changed(key);
                notices::tell_of_letter(queue, letter.clone(), &self.limits, now, fx);
                match stood {
                    Some((lane, Standing::Head)) if *holds => {
                        self.lane_committed(LaneWrite::Hold(LaneHold { lane, by: key }), now);
                    }
                    Some((lane, Standing::Head)) => queue.head_ended(lane, now),
                    Some((lane, Standing::Behind)) => queue.lanes.row_gone(lane, key),
                    None => {}
                }
            }
            (
                RowActionKind::DueNow
                | RowActionKind::Redeliver
                | RowActionKind::Cancel
                | RowActionKind::Expire { .. }
                | RowActionKind::Skip,
                None,
            ) => {}
        }
        fx.replies.push((ticket, Reply::Delivery(key)));
    }

    /// Drops a deleted endpoint once nothing of it is under way.
    fn forget_deleted(&mut self, no: EndpointNo) {
        let gone = |queue: &Queue| queue.existence == Existence::Deleted && queue.is_idle();
        if self.queues.get(&no).is_some_and(gone) {
            self.queues.remove(&no);
        }
    }
}
