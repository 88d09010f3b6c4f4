//! People retry, cancel and skip single deliveries (design.md, rule 13).

use super::{Effects, Reply, Shard};
use crate::batch::{NextState, RowAction, RowActionKind, Trace};
use crate::delivery::EndReason;
use crate::id::{DeliveryKey, TenantNo};
use crate::refusal::{Code, Refusal};
use crate::time::Timestamp;

/// A person's wish concerning one delivery.
#[derive(Debug, Clone)]
pub struct DeliveryAction {
    /// Whose delivery it is.
    pub tenant: TenantNo,
    /// Which.
    pub key: DeliveryKey,
    /// What is committed with it.
    pub trace: Trace,
}

/// Whether a caller who wants a delivery retried saw it waiting or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It waits for its next attempt.
    Waiting,
    /// It is delivered, dead, cancelled or suppressed.
    Ended,
}

impl<T> Shard<T> {
    /// Retries a delivery: at once if it waits, as a new delivery if it has ended (rule 13).
    pub fn retry(
        &mut self,
        ticket: T,
        action: DeliveryAction,
        seen: Seen,
        now: Timestamp,
        fx: &mut Effects<T>,
    ) {
        let key = action.key;
        let queue = match self.alive(action.tenant, key.endpoint) {
            Ok(queue) => queue,
            Err(refusal) => return fx.replies.push((ticket, Reply::Refused(refusal))),
        };
        if queue.is_sending(key) {
            let message = "an attempt is under way; look again when it has ended";
            let refusal = Refusal::whole(Code::InvalidState, message);
            return fx.replies.push((ticket, Reply::Refused(refusal)));
        }
        if queue.is_behind(key) {
            let message = "it waits behind an earlier delivery of its lane; cancel that one";
            let refusal = Refusal::whole(Code::InvalidState, message);
            return fx.replies.push((ticket, Reply::Refused(refusal)));
        }
        let kind = match seen {
            Seen::Waiting => RowActionKind::DueNow,
            Seen::Ended => RowActionKind::Redeliver,
        };
        if seen == Seen::Waiting {
            self.leave_to_row(key, now);
        }
        self.act(ticket, action, kind, now);
    }

    /// Ends a waiting delivery; in flight, no retry follows (rule 13).
    pub fn cancel(
        &mut self,
        ticket: T,
        action: DeliveryAction,
        now: Timestamp,
        fx: &mut Effects<T>,
    ) {
        let key = action.key;
        let queue = match self.alive(action.tenant, key.endpoint) {
            Ok(queue) => queue,
            Err(refusal) => return fx.replies.push((ticket, Reply::Refused(refusal))),
        };
        if queue.is_sending(key) {
            let was_cancelled = queue
                .sending_mut(key)
                .and_then(|sending| sending.last_for.replace(EndReason::CancelledByCall))
                .is_some_and(|before| before == EndReason::CancelledByCall);
            let Trace { guard, deed } = action.trace;
            let trace = Trace { guard, deed: deed.filter(|_| !was_cancelled) };
            self.batch.cancelled.push((key, trace));
            return fx.replies.push((ticket, Reply::Delivery(key)));
        }
        self.leave_to_row(key, now);
        self.act(ticket, action, RowActionKind::Cancel, now);
    }

    /// Lets the lane go on that a dead letter of this pair holds; the dead letter stays one.
    pub fn skip(&mut self, ticket: T, action: DeliveryAction, now: Timestamp, fx: &mut Effects<T>) {
        let key = action.key;
        let queue = match self.alive(action.tenant, key.endpoint) {
            Ok(queue) => queue,
            Err(refusal) => return fx.replies.push((ticket, Reply::Refused(refusal))),
        };
        if queue.lanes.held_by(key.event).is_none() {
            let message = "it holds no lane: there is nothing to skip";
            let refusal = Refusal::whole(Code::InvalidState, message);
            return fx.replies.push((ticket, Reply::Refused(refusal)));
        }
        self.act(ticket, action, RowActionKind::Skip, now);
    }

    /// Takes a waiting delivery out of memory, so that the action on its row, which follows in the
    /// same batch or a later one, has the last word.
    pub(super) fn leave_to_row(&mut self, key: DeliveryKey, now: Timestamp) {
        let Some(queue) = self.queues.get_mut(&key.endpoint) else { return };
        queue.leave_retry_to_row(key);
        let (held, next) = match (queue.take(key), queue.lanes.take(key)) {
            (Some(held), _) => {
                let due = Some(held.due.max(now));
                (held, NextState::Pending { due })
            }
            (None, Some(held)) => {
                let batch = self.filling;
                held.lane.iter().for_each(|lane| queue.lanes.writes_before_others(*lane, batch));
                (held, NextState::Queued)
            }
            (None, None) => return,
        };
        self.memory.release(held.event.body.weight());
        self.write_held(key.endpoint, &held, next);
    }

    pub(super) fn act(
        &mut self,
        ticket: T,
        action: DeliveryAction,
        kind: RowActionKind,
        at: Timestamp,
    ) {
        let DeliveryAction { key, trace, .. } = action;
        *self.acted_on.entry(key).or_default() += 1;
        self.batch.actions.push(RowAction { key, kind, at, trace });
        self.tickets.actions.push(ticket);
    }

    /// One of the wishes is durable; another may be on its way.
    pub(super) fn acted_on_no_longer(&mut self, key: DeliveryKey) {
        if let Some(wishes) = self.acted_on.get_mut(&key) {
            *wishes -= 1;
            if *wishes == 0 {
                self.acted_on.remove(&key);
            }
        }
    }
}
