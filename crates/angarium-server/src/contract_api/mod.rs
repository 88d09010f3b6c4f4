//! The contracts' own management API: the calls that platforms have published for their customers,
//! answered under `/e/{environment}/…` and at the root of an environment's hosts.
//!
//! ```text
//! request ─▶ address ─▶ route ─▶ key ─▶ body ─▶ operation ─▶ answer
//!            whose?     which    who?   what?   as natively  in the contract's words
//!                       call?
//! ```
//!
//! A contract only maps names. What may be done stands in the functions that the native API calls
//! too; there is no code per platform, and no rule here.

mod address;
mod answer;
mod body;
mod call;
mod collision;
mod diagnostics;
mod operate;
mod received;
mod route;
mod sources;
mod taking_in;

pub(crate) use address::is_of_server;
pub(crate) use answer::{knows, tag};
pub(crate) use collision::{Collision, first_collision};

use crate::api::problem::{self, Problem};
use crate::api::{App, idempotency};
use crate::panics;
use address::{Address, Path};
use angarium_core::refusal::{Code, Refusal};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, header};
use route::{Routed, Served};
use std::pin::pin;
use std::sync::Arc;

/// What every call that no route answers is counted as.
const NO_ROUTE: &str = "/e/{environment}";

/// Answers the calls of contracts, and lets every other one go on to the native API.
pub(crate) async fn before_native(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    match address::of(&app.directory, &request) {
        Ok(Address::Native) => next.run(request).await,
        Ok(Address::Contracts(path)) if idempotency::is_guarded(request.headers()) => {
            idempotency::to_its_end(answer(app, path, request)).await
        }
        Ok(Address::Contracts(path)) => answer(app, path, request).await,
        Err(refusal) => Problem(refusal).into_response(),
    }
}

/// Answers a call in the words of the contract whose route it is, and counts it by the route. What
/// no route answers is refused in the words of the environment's first contract.
async fn answer(app: Arc<App>, path: Path, request: Request) -> Response {
    let served = Served::of(&app, &path.environment);
    let method = request.method().clone();
    let (route, response) = match served.find(&method, &path.rest) {
        Routed::Call(call) => {
            let answered = panics::caught(pin!(call.answer(&app, &path, request))).await;
            let response = match answered {
                Ok(Ok(response)) => response,
                Ok(Err(Problem(refusal))) => call.refuse(refusal),
                Err(_) => {
                    app.metrics.panicked();
                    call.refuse(problem::internal())
                }
            };
            (format!("{NO_ROUTE}{}", call.call.path), response)
        }
        Routed::WrongMethod(methods) => {
            let message = "this path has not that method; the header `allow` names those it has";
            let refusal = Refusal::whole(Code::MethodNotAllowed, message);
            let mut response = answer::refusal(served.default_api(), refusal);
            response.headers_mut().insert(header::ALLOW, allow(&methods));
            (NO_ROUTE.to_owned(), response)
        }
        Routed::Nothing => {
            let refusal = problem::not_found("path");
            (NO_ROUTE.to_owned(), answer::refusal(served.default_api(), refusal))
        }
    };
    app.metrics.answered(&method, &route, response.status());
    response
}

fn allow(methods: &[&Method]) -> HeaderValue {
    let mut names: Vec<_> = methods.iter().map(|method| method.as_str()).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.sort_unstable();
    names.dedup();
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}
