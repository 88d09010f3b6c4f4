//! What third parties send to a contract's routes: without a key, answered in the contract's words.

use super::call::ContractCall;
use crate::api::App;
use crate::api::json::Answer;
use crate::api::problem::{Problem, not_found};
use crate::receive::{Arrived, Outcome, receive, response};
use angarium_core::account::Environment;
use angarium_core::contract::api::Subject;
use angarium_core::id::{EventId, SourceId};
use angarium_core::refusal::{Code, Refusal};
use angarium_core::source::Source;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use std::sync::Arc;

impl ContractCall<'_> {
    /// Takes a request in; the answer means that it is durable.
    ///
    /// # Errors
    /// `not_found` where there is no such source, `forbidden` where it takes nothing in,
    /// `unauthorized` for what is not genuine, and why it cannot be taken in now.
    pub(super) async fn take_in(
        &self,
        app: &Arc<App>,
        environment: &Environment,
        request: Request,
    ) -> Result<Response, Problem> {
        let arrived = Arrived::read(app, request).await?;
        let source = match self.route.scheme.as_deref() {
            None => self.source(app, environment)?,
            Some(scheme) => self.signed(app, environment, scheme, &arrived)?,
        };
        let outcome = receive(app, &source, &arrived).await?;
        if !source.config.status.takes_in() {
            let message = "this takes nothing in: it is switched off";
            return Err(Refusal::whole(Code::Forbidden, message).into());
        }
        match outcome {
            Outcome::Event(id) => Ok(self.accepted(Some(&EventId::Own(id.into())))),
            Outcome::Ignored => Ok(self.accepted(None)),
            Outcome::Challenge(answer) => Ok(response(&answer)),
            Outcome::Rejected => Err(not_genuine().into()),
        }
    }

    fn accepted(&self, event: Option<&EventId>) -> Response {
        let status = StatusCode::from_u16(self.route.status).unwrap_or(StatusCode::OK);
        let body = self.api.print(self.route, &Subject::Accepted(event)).unwrap_or_default();
        Answer { status, body }.into_response()
    }

    /// The source in the path.
    fn source(&self, app: &App, environment: &Environment) -> Result<Arc<Source>, Refusal> {
        let id = self.id.unwrap_or_default();
        let own = self.api.id.parse::<SourceId>(id).and_then(|id| app.directory.source(id));
        let is_here = |source: &Arc<Source>| self.has(app, environment, source);
        own.filter(is_here).ok_or_else(|| not_found("source"))
    }

    /// The source of this scheme whose secret has signed the request.
    fn signed(
        &self,
        app: &App,
        environment: &Environment,
        scheme: &str,
        arrived: &Arrived,
    ) -> Result<Arc<Source>, Refusal> {
        let (now, wall) = (app.now(), app.clock.wall());
        let has_signed = |source: &Source| {
            source.scheme.name() == scheme
                && self.has(app, environment, source)
                && source.verifier(now).verify(arrived.incoming(), wall).is_ok()
        };
        app.directory.sources(None, 1, has_signed).pop().ok_or_else(not_genuine)
    }

    /// Whether a source is one of the contract's in this environment.
    fn has(&self, app: &App, environment: &Environment, source: &Source) -> bool {
        let tenant = app.directory.tenant_by_no(source.config.tenant);
        tenant.is_some_and(|tenant| tenant.environment == environment.no)
            && source.config.contract.as_deref() == Some(self.contract.name())
    }
}

/// Why is for those who own the source.
fn not_genuine() -> Refusal {
    Refusal::whole(Code::Unauthorized, "the signature is missing, or not the right one")
}
