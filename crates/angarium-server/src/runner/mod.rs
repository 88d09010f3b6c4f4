//! Drives the shards: hands them what comes in, commits what they write, starts the attempts they
//! ask for.

use angarium_core::batch::Guard;
use angarium_core::endpoint::{Endpoint, EndpointHealth};
use angarium_core::event::NewEvent;
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, TenantNo};
use angarium_core::refusal::Refusal;
use angarium_core::secret::SigningKey;
use std::sync::Arc;

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

/// Drives the shards. Every call answers after the commit.
#[derive(Debug)]
pub struct Runner {}

#[expect(clippy::unused_async, unused_variables, reason = "bodies follow")]
impl Runner {
    /// Publishes an event whose parts are checked. `duplicate` ids are found by the shard and the
    /// store.
    ///
    /// # Errors
    /// `too_many_matches`, `overloaded`, `unavailable`.
    pub async fn publish(
        &self,
        tenant: TenantNo,
        event: Arc<NewEvent>,
        guard: Option<Guard>,
    ) -> Result<Published, Refusal> {
        unimplemented!()
    }

    /// Makes an endpoint; it matches every event that is published after the answer.
    ///
    /// # Errors
    /// `too_many_endpoints`, `unavailable`.
    pub async fn create_endpoint(
        &self,
        endpoint: Arc<Endpoint>,
        guard: Option<Guard>,
    ) -> Result<EndpointNo, Refusal> {
        unimplemented!()
    }

    /// Replaces an endpoint; `endpoint.config.version` is one more than the version that it was
    /// made from.
    ///
    /// # Errors
    /// `conflict` when it was changed meanwhile (read it again), `not_found`, `unavailable`.
    pub async fn replace_endpoint(
        &self,
        no: EndpointNo,
        endpoint: Arc<Endpoint>,
        guard: Option<Guard>,
    ) -> Result<(), Refusal> {
        unimplemented!()
    }

    /// Deletes an endpoint: no attempt starts after the answer, what waits is cancelled.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn delete_endpoint(
        &self,
        tenant: TenantNo,
        no: EndpointNo,
        guard: Option<Guard>,
    ) -> Result<(), Refusal> {
        unimplemented!()
    }

    /// A waiting delivery becomes due at once; one that has ended is delivered anew, as another
    /// delivery (rule 13). Answers the delivery that will be attempted. `ended` says which the
    /// caller saw.
    ///
    /// # Errors
    /// `invalid_state` in flight, `not_found`, `conflict` when the state changed meanwhile,
    /// `unavailable`.
    pub async fn retry_delivery(
        &self,
        tenant: TenantNo,
        key: DeliveryKey,
        ended: bool,
        guard: Option<Guard>,
    ) -> Result<DeliveryKey, Refusal> {
        unimplemented!()
    }

    /// Ends a waiting delivery; in flight, stops further retries (rule 13).
    ///
    /// # Errors
    /// `invalid_state` when it has ended, `not_found`, `unavailable`.
    pub async fn cancel_delivery(
        &self,
        tenant: TenantNo,
        key: DeliveryKey,
        guard: Option<Guard>,
    ) -> Result<DeliveryKey, Refusal> {
        unimplemented!()
    }

    /// Gives the shard a tenant's signing keys under a contract, after the store has them.
    pub fn set_tenant_keys(&self, tenant: TenantNo, contract: &str, keys: &[SigningKey]) {
        unimplemented!()
    }

    /// Makes a tenant known, after the store has it.
    pub fn add_tenant(&self, tenant: TenantNo) {
        unimplemented!()
    }

    /// Which of these deliveries have an attempt under way.
    pub fn in_flight(&self, keys: &[DeliveryKey]) -> Vec<bool> {
        unimplemented!()
    }

    /// What an endpoint's recent attempts say; none if the shard does not know it.
    pub fn health(&self, tenant: TenantNo, no: EndpointNo) -> Option<EndpointHealth> {
        unimplemented!()
    }
}
