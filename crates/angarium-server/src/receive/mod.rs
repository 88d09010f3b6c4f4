//! The way in for third parties: what they send to a source is verified, and is an event of the
//! source's tenant before it is answered.
//!
//! ```text
//! request ─▶ source ─▶ verify ─▶ event ─▶ commit ─▶ answer
//!            whose?    genuine?  which?   once      in the scheme's words
//! ```
//!
//! From outside nobody can tell a source that is not there, one that is disabled and a signature
//! that is wrong: the same status, the same body, the same work (reliability-security.md, K6). Why
//! a request was rejected is kept for those who own the source.

mod arrived;
mod certificates;
mod event;
mod forward;
mod judge;
mod once;
mod rejections;
mod test;

pub(crate) use arrived::Arrived;
pub use certificates::{Certificates, public_roots};
pub(crate) use event::ID;
pub(crate) use forward::{
    canonical as canonical_forward, end as end_forward, keep_in_step, mended, new_endpoint,
};
pub use rejections::Rejections;
pub(crate) use rejections::keep_for_ever as keep_rejections_for_ever;
pub(crate) use test::{TestEvent, make as make_test};

use crate::api::problem::Problem;
use crate::api::sources::ready;
use crate::api::{App, Named};
use crate::entropy::random;
use angarium_core::audit::Author;
use angarium_core::id::SourceId;
use angarium_core::scheme::Answer;
use angarium_core::source::{Source, SourceConfig, event_type};
use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::StatusCode;
use judge::{Judged, Why, judge};
use std::sync::Arc;

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is an event; its id. It may have been one before.
    Event(String),
    /// It is genuine and of a type that the source does not want.
    Ignored,
    /// The third party asks whether the source is there; the answer.
    Challenge(Answer),
    /// It is not believed.
    Rejected,
}

/// Where third parties send to: `/in/{source}`, with whatever method their challenges have.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/in/{source}", any(take_in))
}

/// After a start: sources are ready before anybody is answered, and what a crash left half done of
/// their forwarding is done.
pub(crate) async fn make_ready(app: &Arc<App>, sources: Vec<SourceConfig>) {
    for config in sources {
        let id = config.id;
        match ready(app, config.clone()) {
            Ok(source) => app.directory.put_source(source),
            Err(refusal) => tracing::error!(%id, %refusal, "a source has no scheme, and is off"),
        }
        if let Err(Problem(refusal)) = forward_again(app, &config).await {
            tracing::error!(%id, %refusal, "a source's forwarding is not as it says");
        }
    }
}

/// What a source forwards, and where, is what it says.
async fn forward_again(app: &Arc<App>, config: &SourceConfig) -> Result<(), Problem> {
    let config = mended(app, config).await?;
    keep_in_step(app, &config, &Author::SERVER).await.map(drop)
}

async fn take_in(
    State(app): State<Arc<App>>,
    Named(id): Named,
    request: Request,
) -> Result<Response, Problem> {
    let arrived = Arrived::read(&app, request).await?;
    let source = id.parse::<SourceId>().ok().and_then(|id| app.directory.source(id));
    let Some(source) = source else {
        spend(&app, &arrived);
        return Ok(rejected());
    };
    Ok(match receive(&app, &source, &arrived).await? {
        Outcome::Event(_) | Outcome::Ignored => accepted(&source),
        Outcome::Challenge(answer) => response(&answer),
        Outcome::Rejected => rejected(),
    })
}

/// Judges a request, and makes it an event if it is one. The answer means that it is durable.
///
/// # Errors
/// `rate_limited`, `overloaded`, `too_many_matches`, and the store's: the third party sends it
/// again.
pub(crate) async fn receive(
    app: &Arc<App>,
    source: &Source,
    arrived: &Arrived,
) -> Result<Outcome, Problem> {
    let verified = match judge(app, source, arrived).await? {
        Judged::Event(verified) => verified,
        Judged::Challenge(answer) => {
            app.metrics.received("challenge");
            return Ok(Outcome::Challenge(answer));
        }
        Judged::Rejected(why) => {
            reject(app, source, arrived, &why);
            return Ok(Outcome::Rejected);
        }
    };
    let kind = event_type(verified.kind.as_deref(), &app.limits);
    if !source.config.wants(&kind) {
        app.metrics.received("ignored");
        return Ok(Outcome::Ignored);
    }
    let event = event::of(source, &verified, kind, arrived, &app.limits);
    once::publish(app, source, &verified, event).await.map(Outcome::Event)
}

/// Notes why, and sees to it that one rejection takes as long as another.
fn reject(app: &App, source: &Source, arrived: &Arrived, why: &Why) {
    if !why.has_cost() {
        spend(app, arrived);
    }
    app.metrics.received("rejected");
    app.rejections.note(arrived.rejection(source, why, app.clock.wall()));
}

/// Does the work of a signature, so that time does not tell a source that is not there from a
/// signature that is wrong.
fn spend(app: &App, arrived: &Arrived) {
    let nobodys: [u8; 32] = random(&*app.entropy);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &nobodys), &arrived.body);
    std::hint::black_box(tag);
}

/// What an accepted request is answered: as the source says, else as its scheme does.
fn accepted(source: &Source) -> Response {
    match &source.config.reply {
        Some(reply) => {
            let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
            (status, reply.body.clone()).into_response()
        }
        None => response(source.scheme.accepted()),
    }
}

fn rejected() -> Response {
    StatusCode::UNAUTHORIZED.into_response()
}

/// A scheme's answer, header by header.
pub(crate) fn response(answer: &Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body.clone()));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in &answer.headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name.clone(), value);
        }
    }
    response
}
