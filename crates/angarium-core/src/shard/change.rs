//! People change endpoints and deliveries. A change goes through the owning shard like an event:
//! when it is answered, it is durable and in force (design.md, rule 6).

use super::held::{Existence, Held};
use super::{Effects, EndpointTicket, Reply, Shard, notices};
use crate::batch::{DeliveryWrite, EndpointWrite, NextState, Standing, Trace};
use crate::delivery::{DeliveryState, EndReason};
use crate::endpoint::{Endpoint, EndpointStatus};
use crate::id::{DeliveryKey, EndpointNo, TenantNo};
use crate::refusal::{Code, Refusal};
use crate::time::Timestamp;
use std::sync::Arc;

/// Rows of one endpoint that one batch parks, unparks or cancels at most, so that it stays short.
const SLICE: usize = 1_000;

pub(super) const fn park(no: EndpointNo) -> EndpointWrite {
    EndpointWrite::Park { no, limit: SLICE }
}

pub(super) const fn unpark(no: EndpointNo, due: Timestamp) -> EndpointWrite {
    EndpointWrite::Unpark { no, due, limit: SLICE }
}

pub(super) const fn cancel_waiting(no: EndpointNo, at: Timestamp) -> EndpointWrite {
    EndpointWrite::CancelWaiting { no, at, limit: SLICE }
}

impl<T> Shard<T> {
    /// Makes an endpoint, unless the tenant has as many as it may, or its maker has made
    /// `most_by_maker` under the same contract.
    pub fn create_endpoint(
        &mut self,
        ticket: T,
        endpoint: Arc<Endpoint>,
        most_by_maker: Option<u16>,
        trace: Trace,
        fx: &mut Effects<T>,
    ) {
        if let Err(refusal) = self.has_room_for(&endpoint, most_by_maker) {
            return fx.replies.push((ticket, Reply::Refused(refusal)));
        }
        let tenant = self.tenants.entry(endpoint.config.tenant).or_default();
        tenant.being_made.push_back(Arc::clone(&endpoint));
        let config = Box::new(endpoint.config.clone());
        let waiting = EndpointTicket { ticket: Some(ticket), endpoint: Some(endpoint) };
        self.push_endpoint_write(EndpointWrite::Create { config, trace }, waiting);
    }

    /// Whether one more endpoint is within the tenant's limit and its maker's. Those whose commit
    /// is still to come count as made.
    fn has_room_for(&self, new: &Endpoint, most_by_maker: Option<u16>) -> Result<(), Refusal> {
        let Some(tenant) = self.tenants.get(&new.config.tenant) else {
            return Ok(());
        };
        let most = self.limits.endpoints_per_tenant;
        if tenant.endpoints.len() + tenant.being_made.len() >= most {
            let message = format!("the tenant has {most} endpoints; delete one first");
            return Err(Refusal::whole(Code::TooManyEndpoints, message));
        }
        let Some(most) = most_by_maker else {
            return Ok(());
        };
        let queues = tenant.endpoints.iter().filter_map(|no| self.queues.get(no));
        let made = queues.map(|queue| &queue.endpoint).chain(&tenant.being_made);
        let same = |other: &&Arc<Endpoint>| {
            other.config.made_by == new.config.made_by
                && other.config.contract == new.config.contract
        };
        if made.filter(same).count() >= usize::from(most) {
            let message = format!("this key has made {most} endpoints, as many as one key may");
            return Err(Refusal::whole(Code::TooManyEndpoints, message));
        }
        Ok(())
    }

    /// Replaces an endpoint by one that was made from its newest version.
    pub fn replace_endpoint(
        &mut self,
        ticket: T,
        no: EndpointNo,
        endpoint: Arc<Endpoint>,
        trace: Trace,
        fx: &mut Effects<T>,
    ) {
        let queue = match self.alive(endpoint.config.tenant, no) {
            Ok(queue) => queue,
            Err(refusal) => return fx.replies.push((ticket, Reply::Refused(refusal))),
        };
        if endpoint.config.version != queue.version + 1 {
            let message = "the endpoint was changed meanwhile; read it and try again";
            let refusal = Refusal::whole(Code::Conflict, message);
            return fx.replies.push((ticket, Reply::Refused(refusal)));
        }
        queue.version = endpoint.config.version;
        queue.changed_at = queue.version;
        let config = Box::new(endpoint.config.clone());
        let waiting = EndpointTicket { ticket: Some(ticket), endpoint: Some(endpoint) };
        self.push_endpoint_write(EndpointWrite::Replace { no, config, trace }, waiting);
    }

    /// Deletes an endpoint. From now on no event matches it and no attempt starts.
    pub fn delete_endpoint(
        &mut self,
        ticket: T,
        tenant: TenantNo,
        no: EndpointNo,
        trace: Trace,
        now: Timestamp,
        fx: &mut Effects<T>,
    ) {
        match self.alive(tenant, no) {
            Ok(queue) => queue.existence = Existence::Deleted,
            Err(refusal) => return fx.replies.push((ticket, Reply::Refused(refusal))),
        }
        if let Some(state) = self.tenants.get_mut(&tenant) {
            state.endpoints.retain(|other| *other != no);
        }
        let waiting = EndpointTicket { ticket: Some(ticket), endpoint: None };
        self.push_endpoint_write(EndpointWrite::Delete { no, at: now, trace }, waiting);
    }

    pub(super) fn alive(
        &mut self,
        tenant: TenantNo,
        no: EndpointNo,
    ) -> Result<&mut super::queue::Queue, Refusal> {
        self.queues
            .get_mut(&no)
            .filter(|queue| queue.existence == Existence::Alive)
            .filter(|queue| queue.endpoint.config.tenant == tenant)
            .ok_or_else(|| Refusal::whole(Code::NotFound, "no such endpoint"))
    }

    /// The new form of an endpoint is durable: it is in force for every attempt from now on.
    pub(super) fn replaced(
        &mut self,
        no: EndpointNo,
        endpoint: Arc<Endpoint>,
        now: Timestamp,
        fx: &mut Effects<T>,
    ) {
        let Some(queue) = self.queues.get_mut(&no) else {
            return;
        };
        let before = queue.endpoint.config.status;
        let after = endpoint.config.status;
        if before == EndpointStatus::Disabled && after == EndpointStatus::Active {
            queue.health.begin_anew();
            queue.dirty = true;
        }
        let old = std::mem::replace(&mut queue.endpoint, endpoint);
        notices::tell_of_change(no, queue, &old.config, now, fx);
        match (before, after) {
            (EndpointStatus::Active, EndpointStatus::Paused | EndpointStatus::Disabled) => {
                for (held, standing) in queue.take_all() {
                    self.park(no, held, standing);
                }
                self.slice(park(no));
            }
            (EndpointStatus::Paused | EndpointStatus::Disabled, EndpointStatus::Active) => {
                queue.gate.resumed(now);
                self.slice(unpark(no, now));
            }
            (EndpointStatus::Active, EndpointStatus::Active)
            | (
                EndpointStatus::Paused | EndpointStatus::Disabled,
                EndpointStatus::Paused | EndpointStatus::Disabled,
            ) => {}
        }
    }

    /// The deletion is durable: what is in memory is cancelled, then the rows, in slices, once no
    /// attempt is under way. The record of an attempt is the end of its delivery, whose row a slice
    /// would cancel before.
    pub(super) fn deleted(&mut self, no: EndpointNo, at: Timestamp) {
        let Some(queue) = self.queues.get_mut(&no) else {
            return;
        };
        for (held, _) in queue.take_all() {
            self.cancel_held(no, &held, at);
        }
        self.cancel_rows(no, at);
    }

    /// Cancels a deleted endpoint's rows, unless an attempt is under way whose record is to come.
    pub(super) fn cancel_rows(&mut self, no: EndpointNo, at: Timestamp) {
        if self.queues.get(&no).is_some_and(|queue| queue.in_flight() == 0) {
            self.slice(cancel_waiting(no, at));
        }
    }

    /// Takes a delivery out of memory into a row without a due time.
    pub(super) fn park(&mut self, no: EndpointNo, held: Held, standing: Standing) {
        self.memory.release(held.event.body.weight());
        match standing {
            Standing::Behind if held.has_row => {}
            Standing::Behind => self.write_held(no, &held, NextState::Queued),
            // A row that is there already is parked by its slice; but a lane's head may have one
            // that still says that it waits behind.
            Standing::Head if held.has_row && held.lane.is_none() => {}
            Standing::Head => self.write_held(no, &held, NextState::Pending { due: None }),
        }
    }

    /// Ends a delivery that is in memory because its endpoint was deleted.
    pub(super) fn cancel_held(&mut self, no: EndpointNo, held: &Held, at: Timestamp) {
        self.memory.release(held.event.body.weight());
        let reason = Some(EndReason::EndpointDeleted);
        let next = NextState::Ended { state: DeliveryState::Cancelled, reason, at };
        self.write_held(no, held, next);
    }

    pub(super) fn write_held(&mut self, no: EndpointNo, held: &Held, next: NextState) {
        self.batch.deliveries.push(DeliveryWrite {
            key: DeliveryKey { event: held.event.key, endpoint: no, generation: held.generation },
            sequence: held.sequence,
            attempts: held.attempts,
            lane: held.lane,
            has_row: held.has_row,
            attempt: None,
            next,
        });
    }

    pub(super) fn slice(&mut self, write: EndpointWrite) {
        self.push_endpoint_write(write, EndpointTicket { ticket: None, endpoint: None });
    }
}
