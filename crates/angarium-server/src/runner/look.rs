//! What the API may see of a shard; nothing is changed.

use super::Runner;
use angarium_core::event::NewEvent;
use angarium_core::id::{DeliveryKey, EndpointNo, ShardId, TenantNo};
use angarium_core::lane::Lane;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::shard::EndpointInForce;

impl Runner {
    /// A tenant's endpoints as they are in force.
    ///
    /// # Errors
    /// `unavailable` while the shard is being read anew.
    pub fn gates(&self, tenant: TenantNo) -> Result<Vec<EndpointInForce>, Refusal> {
        let gates = self.shards.look(ShardId::of(tenant), |shard| shard.gates(tenant, self.now()));
        gates.ok_or_else(being_read)
    }

    /// The dead letter that holds a lane of an endpoint.
    pub fn holder(&self, tenant: TenantNo, no: EndpointNo, lane: Lane) -> Option<DeliveryKey> {
        self.shards.look(ShardId::of(tenant), |shard| shard.holder(no, lane)).flatten()
    }

    /// The endpoints that an event would go to if it were published now.
    ///
    /// # Errors
    /// `too_many_matches`; `unavailable` while the shard is being read anew.
    pub fn would_match(
        &self,
        tenant: TenantNo,
        event: &NewEvent,
    ) -> Result<Vec<EndpointNo>, Refusal> {
        let matched =
            self.shards.look(ShardId::of(tenant), |shard| shard.would_match(tenant, event));
        matched.unwrap_or_else(|| Err(being_read()))
    }
}

fn being_read() -> Refusal {
    let message = "the tenant's endpoints are being read anew; ask again in a second";
    Refusal::whole(Code::Unavailable, message)
}
