//! The native API: parse, call, print (api.md, "Native API").
//!
//! Handlers hold no rule: what is allowed stands in core, who may see it in [`auth`], how a refusal
//! reads in [`problem`]. Every answer, good or bad, is in the OpenAPI document that is made from
//! these handlers.

pub(crate) mod access;
pub mod admin_key;
pub mod auth;
pub mod change;
pub mod idempotency;
pub mod json;
mod openapi;
pub mod page;
pub mod problem;
mod quota;

mod audit;
mod deliveries;
mod egress;
mod encryption;
pub(crate) mod endpoints;
mod environments;
mod erasures;
mod event_types;
mod events;
mod explain;
mod jobs;
mod keys;
mod new_key;
mod notices;
mod retention;
pub(crate) mod signing_keys;
pub(crate) mod sources;
mod status;
mod tenants;
mod usage;
mod verify;

pub use openapi::document;

use crate::bodies::Bodies;
use crate::call_rates::CallRates;
use crate::clock::Clock;
use crate::contract_api;
use crate::directory::Directory;
use crate::docs;
use crate::entropy::Entropy;
use crate::metrics::Metrics;
use crate::next_master_key::NextMasterKey;
use crate::origin::Outside;
use crate::quotas::Quotas;
use crate::rates::Rates;
use crate::receive::{self, Certificates, Rejections};
use crate::recovery_jobs::Jobs;
use crate::runner::Runner;
use angarium_core::contract::ContractLibrary;
use angarium_core::endpoint::PlainHttp;
use angarium_core::limits::Limits;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::scheme::SchemeLibrary;
use angarium_core::time::Timestamp;
use angarium_store::SharedStore;
use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Router, extract};
use bytes::Bytes;
use http::Method;
use http::request::Parts;
use problem::{Problem, not_found};
use quota::Standing;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::Notify;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Everything that a call needs.
pub struct App {
    /// Drives the shards.
    pub runner: Arc<Runner>,
    /// The store, for reading and for accounts.
    pub store: SharedStore,
    /// Accounts in memory.
    pub directory: Arc<Directory>,
    /// The contracts that are loaded.
    pub contracts: Arc<ContractLibrary>,
    /// The schemes by which third parties sign.
    pub schemes: Arc<SchemeLibrary>,
    /// The limits in force.
    pub limits: Limits,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Draws random numbers.
    pub entropy: Arc<dyn Entropy>,
    /// Whether endpoints may be plain HTTP (`--allow-http`).
    pub plain_http: PlainHttp,
    /// How fast tenants publish.
    pub rates: Rates,
    /// What tenants may take of the store.
    pub quotas: Quotas,
    /// How often keys and tenants call.
    pub call_rates: CallRates,
    /// Bodies that are being read.
    pub bodies: Bodies,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Guarded calls under way.
    pub calls: Arc<idempotency::Calls>,
    /// Keeps changes of one account in order.
    pub lanes: change::Lanes,
    /// Keeps turns of one tenant's signing keys in order.
    pub turns: change::Lanes,
    /// How the server is seen from outside.
    pub outside: Outside,
    /// What the requests of third parties name, and are judged by.
    pub certificates: Certificates,
    /// Requests that sources rejected, on their way to the store.
    pub rejections: Arc<Rejections>,
    /// What calls and the driver of jobs share.
    pub jobs: Arc<Jobs>,
    /// An erasure was made.
    pub erasing: Arc<Notify>,
    /// There is something to remove at once.
    pub sweeping: Arc<Notify>,
    /// Where the next master key is found.
    pub next_master_key: NextMasterKey,
}

impl App {
    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The contracts' APIs and the native one, its document and its page.
pub fn router(app: Arc<App>) -> Router {
    let (router, document) = described().split_for_parts();
    router
        .merge(openapi::page(openapi::complete(document)))
        .merge(docs::routes())
        .merge(receive::routes())
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .route_layer(middleware::from_fn(idempotency::see_through))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), count))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), contract_api::before_native))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), catch_panic))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), quota::of_calls))
        .with_state(app)
}

/// Every call with its description.
fn described() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(environments::create, environments::list))
        .routes(routes!(environments::show, environments::change, environments::delete))
        .routes(routes!(keys::create, keys::list))
        .routes(routes!(keys::revoke))
        .routes(routes!(tenants::list))
        .routes(routes!(tenants::put, tenants::show, tenants::change, tenants::delete))
        .routes(routes!(usage::show))
        .routes(routes!(endpoints::create))
        .routes(routes!(endpoints::list))
        .routes(routes!(endpoints::show, endpoints::change, endpoints::delete))
        .routes(routes!(endpoints::enable))
        .routes(routes!(endpoints::disable))
        .routes(routes!(endpoints::pause))
        .routes(routes!(endpoints::resume))
        .routes(routes!(endpoints::rotate_secret))
        .routes(routes!(endpoints::test))
        .routes(routes!(jobs::recover))
        .routes(routes!(jobs::recover_tenant))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::show))
        .routes(routes!(jobs::cancel))
        .routes(routes!(events::publish, events::list))
        .routes(routes!(events::publish_batch))
        .routes(routes!(events::show, erasures::erase))
        .routes(routes!(erasures::create, erasures::list))
        .routes(routes!(erasures::show))
        .routes(routes!(events::replay))
        .routes(routes!(explain::explain))
        .routes(routes!(explain::dry_run))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::numbers))
        .routes(routes!(deliveries::show))
        .routes(routes!(deliveries::retry))
        .routes(routes!(deliveries::cancel))
        .routes(routes!(deliveries::skip))
        .routes(routes!(signing_keys::list))
        .routes(routes!(signing_keys::rotate))
        .routes(routes!(notices::list))
        .routes(routes!(audit::list))
        .routes(routes!(audit::export))
        .routes(routes!(event_types::list))
        .routes(routes!(event_types::put))
        .routes(routes!(sources::create, sources::list_of_tenant))
        .routes(routes!(sources::list))
        .routes(routes!(sources::show, sources::change, sources::delete))
        .routes(routes!(sources::rotate_secret))
        .routes(routes!(sources::requests))
        .routes(routes!(verify::verify))
        .routes(routes!(encryption::show))
        .routes(routes!(encryption::rotate_master_key))
        .routes(routes!(encryption::rotate_data_keys))
        .routes(routes!(status::alive))
        .routes(routes!(status::ready))
        .routes(routes!(status::metrics))
}

/// A part of a path; one that is not even text names nothing.
#[derive(Debug)]
pub struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = extract::Path::<String>::from_request_parts(parts, state).await;
        name.map(|extract::Path(name)| Self(name)).map_err(|_| not_found("object").into())
    }
}

async fn no_such_path() -> Problem {
    not_found("path").into()
}

async fn no_such_method() -> Problem {
    let message = "this path has not that method; the header `allow` names those it has";
    Refusal::whole(Code::MethodNotAllowed, message).into()
}

/// Counts answers by route, never by what stands in the path.
async fn count(
    extract::State(app): extract::State<Arc<App>>,
    path: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let method = request.method().clone();
    let response = next.run(request).await;
    app.metrics.answered(&method, path.as_str(), response.status());
    response
}

/// A panic costs its own call only: it is logged, counted and answered with a 500.
async fn catch_panic(
    extract::State(app): extract::State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    or_internal(&app, pin!(next.run(request))).await
}

async fn or_internal(app: &App, answer: impl Future<Output = Response> + Unpin) -> Response {
    crate::panics::caught(answer).await.unwrap_or_else(|_| {
        app.metrics.panicked();
        Problem(problem::internal()).into_response()
    })
}

/// The path that a listener may answer before it routes.
const DIRECT: &str = "/v1/events";

/// Whether [`publish_directly`] answers a call as the router would, only sooner.
pub fn is_direct<B>(app: &App, request: &http::Request<B>) -> bool {
    request.method() == Method::POST
        && request.uri().path() == DIRECT
        && !idempotency::is_guarded(request.headers())
        && contract_api::is_of_server(&app.directory, request)
}

/// Answers `POST /v1/events`, the hot path, without routing.
pub async fn publish_directly<B>(app: &Arc<App>, mut request: http::Request<B>) -> Response
where
    B: hyper::body::Body<Data = Bytes>,
{
    let standing = Standing::open(app, request.extensions_mut());
    let mut response = or_internal(app, pin!(events::publish_any(app, request))).await;
    app.metrics.answered(&Method::POST, DIRECT, response.status());
    if let Some(standing) = standing {
        standing.say(&mut response);
    }
    response
}
