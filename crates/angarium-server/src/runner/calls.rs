//! What the API calls. Every call goes through the owning shard and answers after the commit.

use super::Runner;
use super::shards::{Owned, Ticket};
use super::uncommitted::Entered;
use angarium_core::batch::{Guard, Trace};
use angarium_core::endpoint::Endpoint;
use angarium_core::event::NewEvent;
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, ShardId, TenantNo};
use angarium_core::refusal::{Code, Refusal};
use angarium_core::shard::{
    Audience, DeliveryAction, Effects, Expiry, Lookup, Publish, Replay, Reply, Seen,
};
use angarium_core::time::Timestamp;
use std::sync::{Arc, PoisonError};

/// What became of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// Accepted and durable.
    Accepted {
        /// The event's key.
        key: EventKey,
        /// The tenant's sequence number.
        sequence: u64,
        /// Endpoints that it matched.
        endpoints: usize,
    },
    /// The tenant has an event of this id already. The caller compares type, key and data, and
    /// answers the first event's answer or `event_id_conflict`.
    Known(EventKey),
}

impl Runner {
    /// Publishes an event whose parts are checked. Equal ids are found by the shard and the store.
    ///
    /// # Errors
    /// `too_many_matches`, `overloaded`, `node_overloaded`, `unavailable`; `not_found` when
    /// the audience names an endpoint that the tenant does not have.
    pub async fn publish(
        self: &Arc<Self>,
        tenant: TenantNo,
        event: Arc<NewEvent>,
        audience: Audience,
        mut lookup: Lookup,
        guard: Option<Guard>,
    ) -> Result<Published, Refusal> {
        self.check_recording()?;
        loop {
            let (event, guard) = (Arc::clone(&event), guard.clone());
            let audience = audience.clone();
            let call = Publish { tenant, event: Arc::clone(&event), audience, guard, lookup };
            let publish = |owned: &mut Owned, ticket, now, fx: &mut Effects<Ticket>| {
                owned.machine.publish(ticket, call, now, fx);
            };
            let entered = self.uncommitted.enter(event.weight());
            match self.ask_as(Some(entered), tenant, publish).await? {
                Reply::LookUp => {
                    let at = self.now();
                    match self.find_own_id(tenant, &event).await? {
                        Some(key) => return Ok(Published::Known(key)),
                        None => lookup = Lookup::Absent { at },
                    }
                }
                reply => return published(reply),
            }
        }
    }

    /// A tenant is about to publish; the server's own notices are nobody's company.
    pub fn note_publisher(&self, tenant: TenantNo) {
        let mut publishers = self.publishers.lock().unwrap_or_else(PoisonError::into_inner);
        publishers.note(tenant, self.now());
    }

    /// Looks up whether the tenant has an event of this id, so that the events of a batch can then
    /// be published in their order, without one waiting for the store while the next goes on.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn look_up(&self, tenant: TenantNo, event: &NewEvent) -> Result<Lookup, Refusal> {
        if event.own_id.is_none() {
            return Ok(Lookup::NotYet);
        }
        let at = self.now();
        let known = self.find_own_id(tenant, event).await?;
        Ok(known.map_or(Lookup::Absent { at }, |_| Lookup::NotYet))
    }

    async fn find_own_id(
        &self,
        tenant: TenantNo,
        event: &NewEvent,
    ) -> Result<Option<EventKey>, Refusal> {
        let own_id = event.own_id.as_deref().unwrap_or_default();
        self.parts.store.find_own_id(tenant, own_id).await.map_err(|error| {
            tracing::error!(%error, "an event id could not be looked up");
            unavailable()
        })
    }

    /// Makes an endpoint; it matches every event that is published after the answer. Its maker may
    /// have made fewer than `most_by_maker` of the same contract.
    ///
    /// # Errors
    /// `too_many_endpoints`, `unavailable`.
    pub async fn create_endpoint(
        self: &Arc<Self>,
        endpoint: Arc<Endpoint>,
        most_by_maker: Option<u16>,
        trace: Trace,
    ) -> Result<EndpointNo, Refusal> {
        let create = |owned: &mut Owned, ticket, _, fx: &mut Effects<Ticket>| {
            owned.machine.create_endpoint(ticket, endpoint.clone(), most_by_maker, trace, fx);
        };
        match self.ask(endpoint.config.tenant, create).await? {
            Reply::EndpointMade(no) => Ok(no),
            other => Err(unexpected(&other)),
        }
    }

    /// Replaces an endpoint; `endpoint.config.version` is one more than the version that it was
    /// made from.
    ///
    /// # Errors
    /// `conflict` when it was changed meanwhile (read it again), `not_found`, `unavailable`.
    pub async fn replace_endpoint(
        self: &Arc<Self>,
        no: EndpointNo,
        endpoint: Arc<Endpoint>,
        trace: Trace,
    ) -> Result<(), Refusal> {
        let replace = |owned: &mut Owned, ticket, _, fx: &mut Effects<Ticket>| {
            owned.machine.replace_endpoint(ticket, no, endpoint.clone(), trace, fx);
        };
        self.ask_to_do(endpoint.config.tenant, replace).await
    }

    /// Deletes an endpoint: no attempt starts after the answer, what waits is cancelled.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn delete_endpoint(
        self: &Arc<Self>,
        tenant: TenantNo,
        no: EndpointNo,
        trace: Trace,
    ) -> Result<(), Refusal> {
        let delete = |owned: &mut Owned, ticket, now, fx: &mut Effects<Ticket>| {
            owned.machine.delete_endpoint(ticket, tenant, no, trace, now, fx);
        };
        self.ask_to_do(tenant, delete).await
    }

    /// A waiting delivery becomes due at once; one that has ended is delivered anew, as another
    /// delivery (rule 13). Answers the delivery that will be attempted.
    ///
    /// # Errors
    /// `invalid_state` in flight, `not_found`, `conflict` when the state changed meanwhile,
    /// `unavailable`.
    pub async fn retry_delivery(
        self: &Arc<Self>,
        tenant: TenantNo,
        key: DeliveryKey,
        seen: Seen,
        trace: Trace,
    ) -> Result<DeliveryKey, Refusal> {
        let action = DeliveryAction { tenant, key, trace };
        let retry = |owned: &mut Owned, ticket, now, fx: &mut Effects<Ticket>| {
            owned.machine.retry(ticket, action, seen, now, fx);
        };
        self.ask_for_delivery(tenant, retry).await
    }

    /// Makes new deliveries of an event, all or none.
    ///
    /// # Errors
    /// `conflict` when anything changed since the caller looked, `unavailable`.
    pub async fn replay(self: &Arc<Self>, call: Replay) -> Result<(), Refusal> {
        let replay = |owned: &mut Owned, ticket, now, fx: &mut Effects<Ticket>| {
            owned.machine.replay(ticket, call.clone(), now, fx);
        };
        self.ask_for_delivery(call.tenant, replay).await.map(drop)
    }

    /// Ends a waiting delivery; in flight, stops further retries (rule 13).
    ///
    /// # Errors
    /// `conflict` when the state changed meanwhile, `not_found`, `unavailable`.
    pub async fn cancel_delivery(
        self: &Arc<Self>,
        tenant: TenantNo,
        key: DeliveryKey,
        trace: Trace,
    ) -> Result<DeliveryKey, Refusal> {
        let action = DeliveryAction { tenant, key, trace };
        let cancel = |owned: &mut Owned, ticket, now, fx: &mut Effects<Ticket>| {
            owned.machine.cancel(ticket, action, now, fx);
        };
        self.ask_for_delivery(tenant, cancel).await
    }

    /// Gives up a waiting delivery whose event is of age; of one in flight, no retry follows.
    ///
    /// # Errors
    /// `conflict` when the state changed meanwhile, `not_found`, `unavailable`.
    pub async fn expire_delivery(self: &Arc<Self>, expiry: Expiry) -> Result<DeliveryKey, Refusal> {
        let expire = |owned: &mut Owned, ticket, now, fx: &mut Effects<Ticket>| {
            owned.machine.expire(ticket, expiry.clone(), now, fx);
        };
        self.ask_for_delivery(expiry.tenant, expire).await
    }

    /// Lets the lane go on that a dead letter of this pair holds.
    ///
    /// # Errors
    /// `invalid_state` if it holds none, `conflict` when that changed meanwhile, `not_found`,
    /// `unavailable`.
    pub async fn skip_delivery(
        self: &Arc<Self>,
        tenant: TenantNo,
        key: DeliveryKey,
        trace: Trace,
    ) -> Result<DeliveryKey, Refusal> {
        let action = DeliveryAction { tenant, key, trace };
        let skip = |owned: &mut Owned, ticket, now, fx: &mut Effects<Ticket>| {
            owned.machine.skip(ticket, action, now, fx);
        };
        self.ask_for_delivery(tenant, skip).await
    }

    /// Makes a tenant known, after the store has it.
    pub fn add_tenant(self: &Arc<Self>, tenant: TenantNo) {
        // A shard that is out reads its tenants from the store.
        let _ = self.with(ShardId::of(tenant), |owned, _, _| owned.machine.add_tenant(tenant));
    }

    /// Asks for something that is done or refused.
    async fn ask_to_do(
        self: &Arc<Self>,
        tenant: TenantNo,
        input: impl FnOnce(&mut Owned, Ticket, Timestamp, &mut Effects<Ticket>),
    ) -> Result<(), Refusal> {
        match self.ask(tenant, input).await? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks for something that is answered with a delivery.
    async fn ask_for_delivery(
        self: &Arc<Self>,
        tenant: TenantNo,
        input: impl FnOnce(&mut Owned, Ticket, Timestamp, &mut Effects<Ticket>),
    ) -> Result<DeliveryKey, Refusal> {
        match self.ask(tenant, input).await? {
            Reply::Delivery(key) => Ok(key),
            other => Err(unexpected(&other)),
        }
    }

    /// Gives the tenant's shard an input and waits for the reply.
    async fn ask(
        self: &Arc<Self>,
        tenant: TenantNo,
        input: impl FnOnce(&mut Owned, Ticket, Timestamp, &mut Effects<Ticket>),
    ) -> Result<Reply, Refusal> {
        self.ask_as(None, tenant, input).await
    }

    async fn ask_as(
        self: &Arc<Self>,
        entered: Option<Entered>,
        tenant: TenantNo,
        input: impl FnOnce(&mut Owned, Ticket, Timestamp, &mut Effects<Ticket>),
    ) -> Result<Reply, Refusal> {
        if self.is_stopping() || self.recording.has_failed() {
            return Err(unavailable());
        }
        let (ticket, reply) = Ticket::new(entered);
        self.with(ShardId::of(tenant), |owned, now, fx| input(owned, ticket, now, fx))
            .map_err(|_| unavailable())?;
        match reply.await {
            Ok(Reply::Refused(refusal)) => Err(refusal),
            Ok(reply) => Ok(reply),
            Err(_) => Err(unavailable()),
        }
    }
}

fn published(reply: Reply) -> Result<Published, Refusal> {
    match reply {
        Reply::Accepted { key, sequence, endpoints } => {
            Ok(Published::Accepted { key, sequence, endpoints })
        }
        Reply::Known(key) => Ok(Published::Known(key)),
        other => Err(unexpected(&other)),
    }
}

fn unavailable() -> Refusal {
    let message = "this cannot be stored now; nothing is promised, send it again in a second";
    Refusal::whole(Code::Unavailable, message)
}

/// The machine answers each call with its own replies only.
fn unexpected(reply: &Reply) -> Refusal {
    tracing::error!(?reply, "a shard gave a reply of another call");
    Refusal::whole(Code::Internal, "the answer to this call was lost")
}
