//! An attempt has ended: it is judged, and what follows from it is written.
//!
//! A thousand attempts may end at the same moment: those to endpoints that hang have the same
//! timeout. Each commit takes some of them, so that nobody's publish waits for all.

use super::Shard;
use super::held::{Existence, Held, Recorded, Sending};
use crate::batch::{AttemptRecord, DeliveryWrite, LaneWrite, NextState};
use crate::delivery::{
    DeadLetterPolicy, DeliveryState, EndReason, Ended, GonePolicy, Timing, Verdict, judge,
};
use crate::endpoint::{Endpoint, EndpointStatus};
use crate::gate::Attempted;
use crate::id::DeliveryKey;
use crate::outcome::{Class, RetryAfter};
use crate::time::{Jitter, Timestamp};
use crate::waiting::LaneHold;

/// An attempt that has ended.
#[derive(Debug)]
pub struct EndedAttempt {
    /// Of which delivery.
    pub key: DeliveryKey,
    /// Its record.
    pub record: Box<AttemptRecord>,
    /// The receiver's `Retry-After`.
    pub asked: Option<RetryAfter>,
    /// Spreads the next attempt.
    pub jitter: Jitter,
    /// When it ended.
    pub at: Timestamp,
}

impl<T> Shard<T> {
    /// An attempt has ended. Its endpoint's gate knows at once; the slot is free once the record is
    /// committed (rule 9).
    pub fn outcome(&mut self, ended: EndedAttempt) {
        self.tell_gate(&ended);
        match self.batch.deliveries.len() < self.limits.commit_deliveries {
            true => self.judge_attempt(ended),
            false => self.ended_in_line.push_back(ended),
        }
    }

    /// A commit has ended: attempts that ended meanwhile move up, as far as there is room in the
    /// next.
    pub(super) fn judge_more(&mut self) {
        while self.batch.deliveries.len() < self.limits.commit_deliveries
            && let Some(ended) = self.ended_in_line.pop_front()
        {
            self.judge_attempt(ended);
        }
    }

    fn tell_gate(&mut self, ended: &EndedAttempt) {
        let EndedAttempt { key, record, jitter, at, .. } = ended;
        let Some(queue) = self.queues.get_mut(&key.endpoint) else {
            return;
        };
        let sending = queue.sending_mut(*key).filter(|sending| sending.recorded.is_none());
        let Some(started_at) = sending.map(|sending| sending.started_at) else {
            return;
        };
        let attempted = Attempted { class: record.class, started_at, took: record.took };
        queue.gate.observe(&queue.endpoint.gate, attempted, *jitter, *at);
    }

    fn judge_attempt(&mut self, ended: EndedAttempt) {
        let EndedAttempt { key, record: mut attempt, asked, jitter, at: now } = ended;
        let Some(queue) = self.queues.get_mut(&key.endpoint) else {
            return;
        };
        let endpoint = queue.endpoint.clone();
        let (existence, changed_at) = (queue.existence, queue.changed_at);
        let Some(sending) = queue.sending_mut(key).filter(|sending| sending.recorded.is_none())
        else {
            return;
        };
        sending.held.attempts = sending.held.attempts.saturating_add(1);
        let Held { attempts, sequence, has_row, lane, .. } = sending.held;
        let accepted_at = sending.held.event.accepted_at;
        let ended = Ended { class: attempt.class, asked, attempts, accepted_at };
        let verdict = match existence {
            Existence::Alive => alive_verdict(ended, sending, changed_at, &endpoint, jitter, now),
            Existence::Deleted if ended.class == Class::Success => Verdict::Deliver,
            Existence::Deleted => Verdict::Die(EndReason::EndpointDeleted),
        };
        if let Verdict::Retry { due, by: Timing::Receiver } = verdict {
            let detail = format!("its Retry-After puts the next attempt off to {due}");
            attempt.detail = Some(detail.into());
        }
        let next = next_state(verdict, endpoint.config.status, now);
        let hold = lane.filter(|_| holds(next, &endpoint)).map(|lane| LaneHold { lane, by: key });
        sending.recorded = Some(match (next, hold) {
            (_, Some(_)) => Recorded::Holds,
            (NextState::Pending { due }, None) => Recorded::Waits(due),
            (NextState::Queued, None) => Recorded::Waits(None),
            (NextState::Ended { .. }, None) => Recorded::Ended,
        });
        let before = queue.health;
        queue.health.observe(ended.class, attempt.status, verdict, now);
        queue.dirty = true;
        let turn = queue.health.follow(&before, now, &self.limits);
        if let Some(sending) = queue.sending_mut(key) {
            sending.turn = turn;
        }
        let released = queue.lanes.held_by(key.event).filter(|_| verdict == Verdict::Deliver);
        let DeliveryKey { endpoint: no, event, .. } = key;
        let release = released.map(|_| LaneWrite::Release { endpoint: no, event });
        self.batch.lanes.extend(hold.map(LaneWrite::Hold).or(release));
        let attempt = Some(attempt);
        let write = DeliveryWrite { key, sequence, attempts, lane, has_row, attempt, next };
        self.batch.deliveries.push(write);
        if turn.is_some() {
            self.write_counters(no);
        }
        self.switch_off_failing(no, verdict, now);
    }
}

/// The verdict on an attempt whose endpoint was not deleted meanwhile. `changed_at` is the version
/// that a person last made of it.
fn alive_verdict(
    ended: Ended,
    sending: &Sending,
    changed_at: u64,
    endpoint: &Endpoint,
    jitter: Jitter,
    now: Timestamp,
) -> Verdict {
    if let Some(reason) = sending.last_for.filter(|_| ended.class != Class::Success) {
        return Verdict::Die(reason);
    }
    let mut rules = endpoint.rules();
    if sending.version < changed_at {
        // It may have been sent to another URL: the next one will tell.
        rules.gone = GonePolicy::Retry;
    }
    judge(ended, rules, jitter, now)
}

/// Whether a delivery that stands in a lane holds it.
fn holds(next: NextState, endpoint: &Endpoint) -> bool {
    let is_dead = matches!(next, NextState::Ended { state: DeliveryState::Dead, .. });
    is_dead && endpoint.contract.after_dead_letter() == Some(DeadLetterPolicy::Hold)
}

/// What the store is told after a verdict. A retry of an endpoint that is off is parked (rule 4).
fn next_state(verdict: Verdict, status: EndpointStatus, now: Timestamp) -> NextState {
    let ended = |state, reason| NextState::Ended { state, reason, at: now };
    match verdict {
        Verdict::Deliver => ended(DeliveryState::Delivered, None),
        Verdict::Retry { due, .. } => NextState::Pending {
            due: match status {
                EndpointStatus::Active => Some(due),
                EndpointStatus::Paused | EndpointStatus::Disabled => None,
            },
        },
        Verdict::Die(reason @ (EndReason::Exhausted | EndReason::Expired | EndReason::Gone)) => {
            ended(DeliveryState::Dead, Some(reason))
        }
        Verdict::Die(
            reason @ (EndReason::CancelledByCall
            | EndReason::EndpointDeleted
            | EndReason::EndpointDisabled),
        ) => ended(DeliveryState::Cancelled, Some(reason)),
    }
}
