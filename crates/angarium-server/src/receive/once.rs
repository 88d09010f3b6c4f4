//! An event is published once, however often its request comes: for as long as the source says, by
//! an own id that is made of what was signed.

use crate::api::App;
use crate::api::problem::Problem;
use crate::runner::Published;
use angarium_core::event::NewEvent;
use angarium_core::id::{EventId, EventKey};
use angarium_core::refusal::{Code, Refusal};
use angarium_core::scheme::Verified;
use angarium_core::shard::{Audience, Lookup};
use angarium_core::source::Source;
use std::sync::Arc;

/// Publishes an event unless it is known, and answers its id.
///
/// A repeated request may differ from the first (a provider counts its attempts in the body): it is
/// the same event all the same. One that comes when the time is over in which it is known is
/// another event: its own id counts how often that time has passed, so that it is found by one
/// look-up however often it comes.
///
/// # Errors
/// `rate_limited`, `too_many_pending`, `too_many_bytes`, `overloaded`, `node_overloaded`,
/// `too_many_matches`, and the store's.
pub(super) async fn publish(
    app: &Arc<App>,
    source: &Source,
    verified: &Verified,
    event: NewEvent,
) -> Result<String, Problem> {
    let config = &source.config;
    let tenant = app.directory.tenant_by_no(config.tenant);
    let tenant = tenant.ok_or_else(|| Refusal::whole(Code::TenantNotFound, "no such tenant"))?;
    app.rates.admit([&*tenant])?;
    let _reserved = app.quotas.reserve(&*app.store, &tenant, event.data.len())?;
    let of_span = |span| NewEvent { own_id: Some(config.own_id(verified, span)), ..event.clone() };
    let first = match put(app, source, of_span(0)).await? {
        Put::New(id) => return Ok(id),
        Put::Known(first) if config.still_knows(first.time(), app.now()) => {
            return repeated(app, of_span(0));
        }
        Put::Known(first) => first,
    };
    let span = config.spans(first.time(), app.now());
    // One that came shortly before the span began is known too.
    if span > 1 {
        let event = of_span(span - 1);
        let own_id = event.own_id.as_deref().unwrap_or_default();
        let known = app.store.find_own_id(config.tenant, own_id).await?;
        if known.is_some_and(|known| config.still_knows(known.time(), app.now())) {
            return repeated(app, event);
        }
    }
    match put(app, source, of_span(span)).await? {
        Put::New(id) => Ok(id),
        Put::Known(_) => repeated(app, of_span(span)),
    }
}

enum Put {
    New(String),
    Known(EventKey),
}

async fn put(app: &Arc<App>, source: &Source, event: NewEvent) -> Result<Put, Problem> {
    let event = Arc::new(event);
    let id = id(&event);
    let (tenant, audience) = (source.config.tenant, Audience::Matching);
    app.runner.note_publisher(tenant);
    match app.runner.publish(tenant, event, audience, Lookup::NotYet, None).await {
        Ok(Published::Accepted { .. }) => {
            app.metrics.accepted();
            app.metrics.received("accepted");
            Ok(Put::New(id))
        }
        Ok(Published::Known(key)) => Ok(Put::Known(key)),
        Err(refusal) => {
            app.metrics.received("refused");
            Err(refusal.into())
        }
    }
}

fn repeated(app: &App, event: NewEvent) -> Result<String, Problem> {
    app.metrics.received("repeated");
    Ok(id(&event))
}

fn id(event: &NewEvent) -> String {
    event.own_id.clone().map_or_else(String::new, |own| EventId::Own(own).to_string())
}
