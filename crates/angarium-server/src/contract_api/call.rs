//! One call of a contract, from its key to its answer.

use super::address::Path;
use super::operate::Operating;
use super::{answer, body};
use crate::api::App;
use crate::api::access;
use crate::api::auth::Caller;
use crate::api::idempotency::{self, Idempotency, Opened};
use crate::api::problem::Problem;
use crate::bodies::Sender;
use crate::origin::Origin;
use angarium_core::account::Environment;
use angarium_core::contract::Contract;
use angarium_core::contract::api::{Access, Authentication, Call, Fields, ManagementApi, Route};
use angarium_core::refusal::Refusal;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::request::Parts;
use std::sync::Arc;

/// A call of a contract's route.
#[derive(Debug)]
pub(super) struct ContractCall<'a> {
    /// Whose route it is.
    pub(super) contract: &'a Contract,
    /// Its management API.
    pub(super) api: &'a ManagementApi,
    /// The route.
    pub(super) route: &'a Route,
    /// Which of the route's calls.
    pub(super) call: &'a Call,
    /// The id in the path.
    pub(super) id: Option<&'a str>,
}

impl ContractCall<'_> {
    /// A refusal in the contract's shape.
    pub(super) fn refuse(&self, refusal: Refusal) -> Response {
        answer::refusal(Some(self.api), refusal)
    }

    /// Answers the call.
    ///
    /// # Errors
    /// What the operation refuses, and `unauthorized`, `forbidden` and what is wrong with the body.
    pub(super) async fn answer(
        &self,
        app: &Arc<App>,
        path: &Path,
        request: Request,
    ) -> Result<Response, Problem> {
        match self.route.operation.bounds().access {
            Access::Reads => {
                let (parts, _) = request.into_parts();
                let caller = self.caller(app, &path.environment, &parts)?;
                let base_url = self.base_url(app, path, &parts)?;
                let operating = Operating { app, call: self, caller: &caller, base_url };
                let read = operating.read().await?;
                Ok(answer::tagged(read, &parts.headers))
            }
            Access::Changes => self.change(app, path, request).await,
            Access::Receives => self.take_in(app, &path.environment, request).await,
        }
    }

    /// The address below which the contract's calls are, as this caller knows it; only what is
    /// about sources names it.
    fn base_url(&self, app: &App, path: &Path, head: &Parts) -> Result<String, Refusal> {
        if !self.route.operation.is_of_source() {
            return Ok(String::new());
        }
        let is_public = |host: &str| app.directory.environment_by_host(host).is_some();
        let origin = Origin::of(&app.outside, head, is_public)?;
        Ok(origin.base_url(&path.environment))
    }

    async fn change(
        &self,
        app: &Arc<App>,
        path: &Path,
        request: Request,
    ) -> Result<Response, Problem> {
        let (parts, body) = request.into_parts();
        let caller = self.caller(app, &path.environment, &parts)?;
        let caller = &caller.coming_from(app, &parts);
        let bytes = app.bodies.read(body, app.limits.body_bytes, Sender::Known).await?;
        let route = path.whole();
        let opened = Idempotency::open(app, caller, &parts, &route, &bytes).await?;
        let idempotency = match opened {
            Opened::First(idempotency) => idempotency,
            Opened::Repeated(answer) => {
                let answer = idempotency::repeat(app, caller, answer).await?;
                return Ok(idempotency::replayed(answer));
            }
        };
        let fields = self.fields(app, &parts.headers, &bytes)?;
        let base_url = self.base_url(app, path, &parts)?;
        let operating = Operating { app, call: self, caller, base_url };
        match operating.change(fields, &idempotency).await {
            Ok(answer) => Ok(answer.into_response()),
            // Only the operation speaks of native members; who read the body named the contract's.
            Err(Problem(refusal)) => Err(self.route.request.in_own_words(refusal).into()),
        }
    }

    fn fields(&self, app: &App, headers: &HeaderMap, body: &[u8]) -> Result<Fields, Refusal> {
        let members = body::members(headers, body, &app.limits)?;
        self.route.request.read(&members, self.route.operation.bounds().needed)
    }

    fn caller(
        &self,
        app: &App,
        environment: &Arc<Environment>,
        parts: &Parts,
    ) -> Result<Caller, Refusal> {
        let text = key_text(&self.api.auth, &parts.headers);
        let caller = Caller::of_tenant(app, environment, parts, text)?;
        caller.check(access::of_operation(self.route.operation))?;
        Ok(caller)
    }
}

/// The text of the key, where the contract says that it stands.
fn key_text<'a>(auth: &Authentication, headers: &'a HeaderMap) -> Option<&'a str> {
    let text = headers.get(&auth.header)?.to_str().ok()?.trim();
    let Some(wanted) = &auth.scheme else {
        return Some(text);
    };
    let (scheme, key) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then_some(key.trim())
}
