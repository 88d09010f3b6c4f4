//! The one way out: every outbound connection of the product is opened here
//! (reliability-security.md, S1 to S12).

use angarium_core::id::EndpointNo;
use angarium_core::outcome::Outcome;
use angarium_core::request::OutgoingRequest;
use async_trait::async_trait;
use std::time::Duration;

/// What one attempt brought back.
#[derive(Debug)]
pub struct Exchange {
    /// What the network said.
    pub outcome: Outcome,
    /// From the start of the attempt to the end of the answer.
    pub took: Duration,
    /// The answer's head: a line `name: value` for each header of the allow-list.
    pub response: Box<str>,
    /// The beginning of the answer's body.
    pub body: Box<[u8]>,
}

/// Sends requests; the simulator replaces it. A receiver's failure is an [`Outcome`], never an
/// error.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Makes one attempt: one request, within `timeout`. Connections are shared by the attempts of
    /// one endpoint only.
    async fn send(
        &self,
        endpoint: EndpointNo,
        request: OutgoingRequest,
        timeout: Duration,
    ) -> Exchange;
}
