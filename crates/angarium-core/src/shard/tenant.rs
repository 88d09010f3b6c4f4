//! What a shard holds of a tenant.

use super::turns::Turn;
use crate::endpoint::Endpoint;
use crate::id::EndpointNo;
use std::collections::VecDeque;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub(super) struct TenantState<T> {
    /// The last sequence number that was given out.
    pub(super) sequence: u64,
    /// Attempts under way or not yet recorded.
    pub(super) in_flight: usize,
    /// Its endpoints that are not deleted.
    pub(super) endpoints: Vec<EndpointNo>,
    /// Endpoints that are in the current or the committing batch, in their order.
    pub(super) being_made: VecDeque<Arc<Endpoint>>,
    /// Its publishes that wait for a commit.
    pub(super) turn: Turn<T>,
}

impl<T> Default for TenantState<T> {
    fn default() -> Self {
        let (endpoints, being_made) = (Vec::new(), VecDeque::new());
        Self { sequence: 0, in_flight: 0, endpoints, being_made, turn: Turn::default() }
    }
}
