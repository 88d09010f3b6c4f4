//! People send an event again that was accepted before (design.md, rule 13).

use super::{DeliveryAction, Effects, Reply, Shard};
use crate::batch::{RowActionKind, Trace};
use crate::endpoint::EndpointStatus;
use crate::id::{DeliveryKey, EndpointNo, EventKey, TenantNo};
use crate::refusal::{Code, Refusal};
use crate::replay::Replayed;
use crate::time::Timestamp;

/// New deliveries of one event.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Whose event it is.
    pub tenant: TenantNo,
    /// The event.
    pub event: EventKey,
    /// The deliveries, as they follow from what the caller saw.
    pub deliveries: Vec<Replayed>,
    /// What is committed with them.
    pub trace: Trace,
}

impl<T> Shard<T> {
    /// Makes all of the deliveries, or none if anything has changed since the caller looked.
    pub fn replay(&mut self, ticket: T, call: Replay, now: Timestamp, fx: &mut Effects<T>) {
        let Replay { tenant, event, mut deliveries, trace } = call;
        for made in &mut deliveries {
            let queue = self.alive(tenant, made.key.endpoint);
            made.due = match queue.map(|queue| queue.endpoint.config.status) {
                Ok(EndpointStatus::Active) => Some(now),
                Ok(EndpointStatus::Paused) => None,
                Ok(EndpointStatus::Disabled) | Err(_) => {
                    let message = "an endpoint was switched off or deleted meanwhile; try again";
                    let refusal = Refusal::whole(Code::Conflict, message);
                    return fx.replies.push((ticket, Reply::Refused(refusal)));
                }
            };
        }
        let key = DeliveryKey::first(event, EndpointNo::default());
        let kind = RowActionKind::Replay(deliveries.into());
        self.act(ticket, DeliveryAction { tenant, key, trace }, kind, now);
    }

    /// The deliveries are durable; they are read from the store when it is their turn.
    pub(super) fn replayed(&mut self, made: &[Replayed]) {
        for made in made {
            if let (Some(queue), Some(due)) = (self.queues.get_mut(&made.key.endpoint), made.due) {
                queue.note_unloaded(due);
            }
        }
    }
}
