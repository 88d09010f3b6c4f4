//! What can be seen of a shard from outside; nothing is changed.

use super::Shard;
use super::queue::Queue;
use crate::delivery::DeliveryState;
use crate::endpoint::{Endpoint, EndpointHealth};
use crate::event::NewEvent;
use crate::explain::Admission;
use crate::id::{DeliveryKey, EndpointNo, EventKey, TenantNo};
use crate::lane::Lane;
use crate::refusal::Refusal;
use crate::time::Timestamp;
use std::sync::Arc;

/// An endpoint as it is in force, with what its shard knows of it.
#[derive(Debug, Clone)]
pub struct EndpointInForce {
    /// The store's number.
    pub no: EndpointNo,
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// Whether it would let a delivery start.
    pub admission: Admission,
}

impl<T> Shard<T> {
    /// Where a delivery stands that the store shows as waiting: in flight, or queued behind the
    /// head of its lane; none where memory knows nothing else of it.
    pub fn state_in_memory(&self, key: DeliveryKey) -> Option<DeliveryState> {
        let queue = self.queues.get(&key.endpoint)?;
        if queue.is_sending(key) {
            return Some(DeliveryState::InFlight);
        }
        queue.is_behind(key).then_some(DeliveryState::Queued)
    }

    /// The dead letter that holds a lane of an endpoint.
    pub fn holder(&self, endpoint: EndpointNo, lane: Lane) -> Option<DeliveryKey> {
        self.queues.get(&endpoint)?.lanes.holder(lane)
    }

    /// Attempts that are under way.
    pub fn in_flight(&self) -> usize {
        self.queues.values().map(Queue::in_flight).sum()
    }

    /// What an endpoint's recent attempts say.
    pub fn health(&self, endpoint: EndpointNo) -> Option<EndpointHealth> {
        self.queues.get(&endpoint).map(|queue| queue.health)
    }

    /// How many deliveries an endpoint was given: its last sequence number.
    pub fn deliveries_of(&self, endpoint: EndpointNo) -> Option<u64> {
        self.queues.get(&endpoint).map(|queue| queue.sequence)
    }

    /// When the oldest delivery that could be sent now became due; what a gate holds could not.
    pub fn oldest_sendable(&self) -> Option<Timestamp> {
        self.queues.values().filter_map(Queue::oldest_sendable).min()
    }

    /// The newest key that this shard knows of.
    pub fn high_water(&self) -> EventKey {
        self.high_water
    }

    /// A tenant's endpoints that are not deleted.
    pub fn endpoints_of(&self, tenant: TenantNo) -> &[EndpointNo] {
        self.tenants.get(&tenant).map_or(&[], |state| &state.endpoints)
    }

    /// The same, each as it is in force.
    pub fn gates(&self, tenant: TenantNo, now: Timestamp) -> Vec<EndpointInForce> {
        let gate = |no: &EndpointNo| {
            let queue = self.queues.get(no)?;
            let rules = &queue.endpoint.gate;
            let admission = Admission {
                status: queue.endpoint.config.status,
                in_flight: queue.in_flight(),
                opening: queue.gate.clone().opening(rules, queue.in_flight(), now),
                gate: queue.gate.view(rules),
            };
            Some(EndpointInForce { no: *no, endpoint: Arc::clone(&queue.endpoint), admission })
        };
        self.endpoints_of(tenant).iter().filter_map(gate).collect()
    }

    /// The endpoints that an event would go to if it were published now.
    ///
    /// # Errors
    /// `too_many_matches`.
    pub fn would_match(
        &self,
        tenant: TenantNo,
        event: &NewEvent,
    ) -> Result<Vec<EndpointNo>, Refusal> {
        self.matching(tenant, event)
    }
}
