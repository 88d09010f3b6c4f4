//! An endpoint made ready to send: URL parsed, contract looked up, keys decoded. Immutable; a
//! change makes a new one.

use super::EndpointConfig;
use crate::contract::Contract;
use crate::destination::Destination;
use crate::retry::RetryPolicy;
use std::sync::Arc;
use std::time::Duration;

/// An endpoint made ready to send.
#[derive(Debug)]
pub struct Endpoint {
    /// As it was configured.
    pub config: EndpointConfig,
    /// The contract it follows.
    pub contract: Arc<Contract>,
    /// Its URL, parsed.
    pub destination: Arc<Destination>,
    /// The effective retry schedule: its own, or the contract's.
    pub retry: RetryPolicy,
    /// The effective time limit of one attempt.
    pub timeout: Duration,
    /// Most attempts in flight.
    pub window: usize,
}
