//! What people should learn of a shard's endpoints, told once it is durable, and once more after a
//! restart if it can still be seen then: the notice may not have been published before a crash.
//! What is told, and how often, is decided in [`crate::notice`].

use super::held::{Existence, Held};
use super::queue::{Backlog, Queue};
use super::{Effects, Shard};
use crate::batch::{DeliveryWrite, NextState};
use crate::delivery::{DeliveryState, EndReason};
use crate::endpoint::{EndpointConfig, EndpointStatus};
use crate::id::EndpointNo;
use crate::limits::Limits;
use crate::notice::{About, DeadLetter, EndpointNow, Fact, KeyRotation, LastAttempt, Notice, Turn};
use crate::time::Timestamp;

/// The record of an attempt is committed.
pub(super) fn tell_of_attempt<T>(
    queue: &mut Queue,
    held: &Held,
    write: &DeliveryWrite,
    turn: Option<Turn>,
    limits: &Limits,
    now: Timestamp,
    fx: &mut Effects<T>,
) {
    if queue.existence == Existence::Deleted {
        return;
    }
    let no = write.key.endpoint;
    fx.notices.extend(turn.map(|turn| notice(no, queue, Fact::from(turn), now)));
    let (Some(attempt), NextState::Ended { state: DeliveryState::Dead, reason, .. }) =
        (&write.attempt, write.next)
    else {
        return;
    };
    let letter = Box::new(DeadLetter {
        delivery: write.key,
        event: held.event.id(),
        event_type: held.event.body.kind.as_str().into(),
        attempts: write.attempts,
        reason: reason.map_or("", EndReason::as_str),
        last: Some(LastAttempt { at: attempt.at, class: attempt.class, status: attempt.status }),
        left_out: 0,
    });
    tell_of_letter(queue, letter, limits, now, fx);
}

/// A delivery that was given up is committed as one.
pub(super) fn tell_of_letter<T>(
    queue: &mut Queue,
    letter: Box<DeadLetter>,
    limits: &Limits,
    now: Timestamp,
    fx: &mut Effects<T>,
) {
    let no = letter.delivery.endpoint;
    let told = queue.letters.given_up(letter, now, limits).map(Fact::DeadLetter);
    fx.notices.extend(told.map(|fact| notice(no, queue, fact, now)));
}

/// Another form of an endpoint is committed.
pub(super) fn tell_of_change<T>(
    no: EndpointNo,
    queue: &mut Queue,
    before: &EndpointConfig,
    now: Timestamp,
    fx: &mut Effects<T>,
) {
    if before.status != EndpointStatus::Disabled
        && let Some(disabled) = disabled(queue)
    {
        queue.health.disabled(now);
        queue.dirty = true;
        fx.notices.push(notice(no, queue, disabled, now));
    }
    let current = |config: &EndpointConfig| config.secrets.keys.first().map(|key| key.id);
    if current(before) != current(&queue.endpoint.config)
        && let Some(rotated) = rotated(queue)
    {
        fx.notices.push(notice(no, queue, rotated, now));
    }
}

/// After a restart: what may not have been told.
pub(super) fn tell_again<T>(
    no: EndpointNo,
    queue: &mut Queue,
    now: Timestamp,
    fx: &mut Effects<T>,
) {
    let disabled = disabled(queue);
    if let Some(Fact::Disabled { since, .. }) = &disabled {
        queue.health.disabled(*since);
        queue.dirty = true;
    }
    let facts = disabled.or_else(|| incident(queue)).into_iter().chain(rotated(queue));
    let notices = facts.map(|fact| notice(no, queue, fact, now));
    fx.notices.extend(notices.filter(Notice::is_recent));
}

fn disabled(queue: &Queue) -> Option<Fact> {
    let config = &queue.endpoint.config;
    let since = config.disabled_at.filter(|_| config.status == EndpointStatus::Disabled)?;
    let reason = config.disabled_reason.as_deref().unwrap_or_default().into();
    Some(Fact::Disabled { reason, since })
}

/// The newest incident: whether it goes on or has ended, by its name it is the same notice.
fn incident(queue: &Queue) -> Option<Fact> {
    let since = queue.health.incident?;
    match queue.health.failing_since {
        Some(failing_since) if failing_since == since => Some(Fact::Failing { since }),
        Some(_) if queue.health.open_incident().is_some() => None,
        Some(_) => Some(Fact::Recovered { since }),
        None => queue.health.open_incident().is_none().then_some(Fact::Recovered { since }),
    }
}

fn rotated(queue: &Queue) -> Option<Fact> {
    KeyRotation::last(&queue.endpoint.config.secrets.keys).map(Fact::KeyRotated)
}

impl<T> Shard<T> {
    /// Looks at what only time brings about; called about once a second. Answers since when the
    /// oldest delivery is due that waits for nothing but a slot of the node: that is the node's
    /// backlog and not its endpoint's.
    pub fn look_over(&mut self, now: Timestamp, fx: &mut Effects<T>) -> Option<Timestamp> {
        let mut starved = None;
        let alive = self.queues.iter_mut().filter(|(_, queue)| queue.existence == Existence::Alive);
        for (no, queue) in alive {
            let letter = queue.letters.look(now).map(Fact::DeadLetter);
            let (own, of_node) = match queue.backlog(now) {
                Backlog::None => (Some(None), None),
                Backlog::OfNode(oldest) => (Some(None), Some(oldest)),
                Backlog::OfEndpoint(oldest) => (Some(Some(oldest)), None),
                // It neither grows nor ends; that the endpoint fails is told.
                Backlog::Held => (None, None),
            };
            starved = [starved, of_node].into_iter().flatten().min();
            let grows = own.and_then(|oldest| queue.growth.look(oldest, now, &self.limits));
            let grows = grows.map(|oldest_due| Fact::BacklogGrowing { oldest_due });
            let facts = letter.into_iter().chain(grows);
            fx.notices.extend(facts.map(|fact| notice(*no, queue, fact, now)));
        }
        starved
    }
}

impl From<Turn> for Fact {
    fn from(turn: Turn) -> Self {
        match turn {
            Turn::Failing { since } => Fact::Failing { since },
            Turn::Recovered { since } => Fact::Recovered { since },
        }
    }
}

fn notice(no: EndpointNo, queue: &Queue, fact: Fact, now: Timestamp) -> Notice {
    let endpoint = EndpointNow::of(no, &queue.endpoint.config, queue.health);
    Notice { at: now, about: About::Endpoint(Box::new(endpoint)), fact }
}
