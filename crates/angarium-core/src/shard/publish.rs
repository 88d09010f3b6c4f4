//! An event comes in: is it new, whom does it match, where do its deliveries begin.

use super::crowd::Spread;
use super::held::Existence;
use super::lanes::Place;
use super::own_ids::{Finding, Lookup};
use super::{Effects, Reply, Room, Shard};
use crate::batch::{EventWrite, Fanout, FanoutStart, Guard};
use crate::endpoint::EndpointStatus;
use crate::event::NewEvent;
use crate::id::{EndpointNo, TenantNo};
use crate::refusal::{Code, Refusal};
use crate::time::Timestamp;
use std::sync::Arc;

/// A publisher's call.
#[derive(Debug, Clone)]
pub struct Publish {
    /// Whose event it is.
    pub tenant: TenantNo,
    /// The event, checked.
    pub event: Arc<NewEvent>,
    /// Whom it goes to.
    pub audience: Audience,
    /// The call's idempotency record.
    pub guard: Option<Guard>,
    /// What is known of the event's own id, if it has one.
    pub lookup: Lookup,
}

/// Whom an event goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Every endpoint of the tenant that asks for it.
    Matching,
    /// Exactly these endpoints of the tenant, whatever they ask for.
    Only(Vec<EndpointNo>),
}

impl<T> Shard<T> {
    /// Takes an event in, in its tenant's turn. The reply follows at once, or after a commit.
    pub fn publish(&mut self, ticket: T, call: Publish, now: Timestamp, fx: &mut Effects<T>) {
        if let Some((ticket, call)) = self.take_turn(ticket, call, now, fx) {
            self.enter(ticket, call, now, fx);
        }
    }

    /// Puts an event into the batch, if it is new and may be.
    pub(super) fn enter(&mut self, ticket: T, call: Publish, now: Timestamp, fx: &mut Effects<T>) {
        let Some(ticket) = self.is_new(ticket, &call, now, fx) else {
            return;
        };
        let receivers = match call.audience {
            Audience::Matching => self.matching(call.tenant, &call.event),
            Audience::Only(named) => self.named(call.tenant, named),
        };
        let receivers = match receivers {
            Ok(receivers) => receivers,
            Err(refusal) => return fx.refuse(ticket, refusal),
        };
        if let Some(own_id) = &call.event.own_id {
            self.own_ids.begin(call.tenant, own_id);
        }
        let weight = call.event.weight();
        let event = &call.event;
        let spread = self.spread(receivers.len());
        let begin = |no| self.begin_delivery(no, event, weight, spread, now);
        let fanout: Vec<_> = receivers.into_iter().map(begin).collect();
        let tenant = self.tenants.entry(call.tenant).or_default();
        tenant.sequence += 1;
        tenant.turn.count(self.filling, weight, self.commit_rate.as_ref(), now);
        self.dirty_tenants.insert(call.tenant);
        self.batch.events.push(EventWrite {
            tenant: call.tenant,
            sequence: tenant.sequence,
            accepted_at: now,
            body: call.event,
            fanout,
            guard: call.guard,
        });
        self.tickets.events.push(ticket);
    }

    /// Gives the ticket back if the event is new; else it is answered or kept.
    fn is_new(
        &mut self,
        ticket: T,
        call: &Publish,
        now: Timestamp,
        fx: &mut Effects<T>,
    ) -> Option<T> {
        let Some(own_id) = &call.event.own_id else {
            return Some(ticket);
        };
        match self.own_ids.find(call.tenant, own_id, call.lookup, ticket, now) {
            Finding::New(ticket) => return Some(ticket),
            Finding::Waits => {}
            Finding::Known(key, ticket) => fx.replies.push((ticket, Reply::Known(key))),
            Finding::LookUp(ticket) => fx.replies.push((ticket, Reply::LookUp)),
        }
        None
    }

    /// The tenant's endpoints that want the event.
    pub(super) fn matching(
        &self,
        tenant: TenantNo,
        event: &NewEvent,
    ) -> Result<Vec<EndpointNo>, Refusal> {
        let wants = |no: &&EndpointNo| {
            let queue = self.queues.get(no);
            queue.is_some_and(|q| q.endpoint.config.subscription.check(event).is_ok())
        };
        let matched: Vec<_> = self.endpoints_of(tenant).iter().filter(wants).copied().collect();
        let most = self.limits.endpoints_per_event;
        if matched.len() > most {
            let message =
                format!("the event matches {} endpoints; at most {most} may", matched.len());
            return Err(Refusal::whole(Code::TooManyMatches, message));
        }
        Ok(matched)
    }

    /// The named endpoints, each once, if all of them are the tenant's and not deleted.
    fn named(
        &self,
        tenant: TenantNo,
        mut named: Vec<EndpointNo>,
    ) -> Result<Vec<EndpointNo>, Refusal> {
        named.sort_unstable();
        named.dedup();
        let is_there = |no: &EndpointNo| {
            self.queues.get(no).is_some_and(|queue| {
                queue.existence == Existence::Alive && queue.endpoint.config.tenant == tenant
            })
        };
        if !named.iter().all(is_there) {
            return Err(Refusal::whole(Code::NotFound, "no such endpoint"));
        }
        Ok(named)
    }

    /// Where the delivery to one endpoint begins: in memory if there is room.
    fn begin_delivery(
        &mut self,
        no: EndpointNo,
        event: &NewEvent,
        weight: usize,
        spread: Spread,
        now: Timestamp,
    ) -> Fanout {
        let has_bytes = self.memory.has_room(weight);
        let may_overflow = spread == Spread::ToMany && self.memory.may_overflow(weight);
        let queue = self.queues.get_mut(&no).expect("a receiver has a queue");
        queue.sequence += 1;
        queue.dirty = true;
        let sequence = queue.sequence;
        let begun = |lane, start| Fanout { endpoint: no, sequence, lane, start };
        let status = queue.endpoint.config.status;
        if status == EndpointStatus::Disabled && queue.endpoint.suppresses_while_disabled() {
            return begun(None, FanoutStart::Suppressed);
        }
        let lane = queue.endpoint.ordering.lane(event);
        // An idle endpoint always has room for one, however full the shard is.
        let has_room = status == EndpointStatus::Active
            && queue.has_room(&self.limits, now)
            && (has_bytes || queue.is_idle());
        let room = if has_room { Room::Free } else { Room::Full };
        let place = lane.map_or(Place::Head, |lane| queue.lanes.enter(lane, room));
        let start = match (place, status, room) {
            (Place::Head, EndpointStatus::Active, Room::Free) => FanoutStart::Held,
            (Place::Behind, ..) => FanoutStart::Behind,
            (Place::Stored, ..) => FanoutStart::Queued,
            (Place::Head, EndpointStatus::Active, Room::Full) if may_overflow => {
                FanoutStart::Overflow
            }
            (Place::Head, EndpointStatus::Active, Room::Full) => {
                FanoutStart::Pending { due: Some(now) }
            }
            (Place::Head, EndpointStatus::Paused | EndpointStatus::Disabled, _) => {
                FanoutStart::Pending { due: None }
            }
        };
        match start {
            FanoutStart::Held | FanoutStart::Behind => {
                queue.reserve();
                self.memory.hold(weight);
            }
            FanoutStart::Overflow => self.memory.hold(weight),
            FanoutStart::Queued | FanoutStart::Pending { .. } | FanoutStart::Suppressed => {}
        }
        begun(lane, start)
    }
}
