//! The handshake before a URL is accepted. It holds no lock and no place in a queue: a receiver
//! that never answers keeps only its own caller waiting.

use super::Runner;
use crate::egress::{NO_ENDPOINT, Way};
use crate::entropy::random;
use angarium_core::endpoint::Endpoint;
use angarium_core::outcome::Outcome;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::request::Validation;

impl Runner {
    /// Lets an endpoint's URL prove that it is meant, where its contract asks for that. Nothing is
    /// changed; a redirect is an answer like any other and not followed.
    ///
    /// # Errors
    /// `validation_failed`, saying what came back.
    pub async fn validate(&self, endpoint: &Endpoint) -> Result<(), Refusal> {
        let Some(validation) = Validation::of(endpoint, random(&*self.parts.entropy)) else {
            return Ok(());
        };
        let mut request = validation
            .request()
            .map_err(|reason| Refusal::field(Code::ValidationFailed, "url", reason.to_string()))?;
        let policy = self.parts.directory.egress_of(endpoint.config.tenant);
        if let Some(client) = &endpoint.oauth2 {
            let granted = self.tokens.ask(client, &policy).await.map_err(|fault| {
                let detail = Outcome::NoToken(fault).detail().unwrap_or_default();
                Refusal::field(Code::ValidationFailed, "auth", detail)
            })?;
            request.authorize(&granted.token);
        }
        let way = Way { endpoint: NO_ENDPOINT, policy, tls: endpoint.tls.clone() };
        let exchange = self.parts.transport.send(&way, request, validation.timeout()).await;
        validation.judge(&exchange.outcome, &exchange.headers)
    }
}
