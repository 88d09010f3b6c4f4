//! `/healthz`, `/readyz` and `/metrics`: for machines that watch, without a key and without names
//! of tenants.

use super::App;
use super::json::{Answer, Time};
use super::problem::Problem;
use crate::metrics::Figures;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::time::Timestamp;
use angarium_store::Room;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// A due delivery that nothing holds and that waits longer, while no attempt ends, means that work
/// is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(120);

/// Whether the process lives.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alive {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the server does its work.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ready {
    /// Always `ready`; else the answer is a problem.
    #[schema(example = "ready")]
    status: &'static str,
    /// Deliveries that wait in the store.
    pending: u64,
    /// When the oldest of them was due, whatever holds it.
    oldest_due: Option<Time>,
}

/// The process lives
#[utoipa::path(get, path = "/healthz", tag = "status", security(()),
    responses((status = 200, description = "It lives", body = Alive)))]
pub(super) async fn alive() -> Answer {
    Answer::ok(&Alive { status: "ok" })
}

/// The server does its work
///
/// It can write to its store, and due deliveries do not just wait.
#[utoipa::path(get, path = "/readyz", tag = "status", security(()),
    responses((status = 200, description = "It does", body = Ready),
        (status = 503, description = "It does not", body = super::problem::ProblemBody,
            content_type = "application/problem+json")))]
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<Answer, Problem> {
    let now = app.now();
    if app.store.room() == Room::Scarce {
        return Err(unready("the store's disk is full; nothing is accepted until there is room"));
    }
    if let Err(error) = app.store.ping(now).await {
        tracing::error!(%error, "the store cannot write");
        return Err(unready("the store cannot write; the log says why"));
    }
    if app.runner.shards_out() > 0 {
        return Err(unready("a commit failed; what is stored is being read anew"));
    }
    let figures = Figures::ask(&app.runner, &*app.store, now).await?;
    let quiet_since = app.metrics.quiet_since(figures.all_attempts(), now);
    if is_stuck(figures.oldest_sendable, quiet_since, now) {
        return Err(unready("deliveries are due and no attempt ends"));
    }
    Ok(Answer::ok(&Ready {
        status: "ready",
        pending: figures.depth.pending,
        oldest_due: figures.oldest_due.map(Time),
    }))
}

fn unready(why: &str) -> Problem {
    Refusal::whole(Code::Unavailable, why).into()
}

/// Figures for Prometheus
///
/// The age of the oldest due delivery comes first: it is the one that says whether work is done.
#[utoipa::path(get, path = "/metrics", tag = "status", security(()),
    responses((status = 200, description = "OpenMetrics text", body = String,
        content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let now = app.now();
    let figures = Figures::ask(&app.runner, &*app.store, now).await?;
    let text = app.metrics.print(&figures, now);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Work is stuck when something has long been due and no attempt has ended for as long.
fn is_stuck(oldest_due: Option<Timestamp>, quiet_since: Timestamp, now: Timestamp) -> bool {
    let long_ago = |time: Timestamp| now.since(time) > STUCK_AFTER;
    oldest_due.is_some_and(long_ago) && long_ago(quiet_since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_stuck_only_when_something_is_long_due_and_no_attempt_ends() {
        let now = Timestamp::from_millis(1_000_000_000);
        let (old, fresh) = (now - Duration::from_secs(600), now - Duration::from_secs(5));
        let rows = [
            (None, old, false),
            (Some(fresh), old, false),
            (Some(old), fresh, false),
            (Some(old), old, true),
        ];
        for (due, quiet, wanted) in rows {
            assert_eq!(is_stuck(due, quiet, now), wanted, "{due:?} {quiet:?}");
        }
    }
}
