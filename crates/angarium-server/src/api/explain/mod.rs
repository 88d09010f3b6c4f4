//! Explain: for every endpoint of a tenant, whether an event goes there or by which rule not, what
//! its delivery waits for, and which settings are in force (design.md, rule 13).
//!
//! An event that was accepted tells the matches that are stored with it. One that is only tried is
//! judged by the shard as publishing would, and nothing is stored.

mod view;

use super::App;
use super::Named;
use super::auth::Reader;
use super::deliveries;
use super::events;
use super::json;
use super::page::{self, ListName, Query};
use super::problem::{Problem, not_found};
use crate::bodies::Sender;
use crate::ingest::{self, Publication};
use angarium_core::id::EndpointNo;
use angarium_core::shard::EndpointInForce;
use angarium_store::read::{DeliveryRow, EventRow, Page};
use axum::Json;
use axum::extract::{Request, State};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use utoipa::IntoParams;
use view::Explained;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplainQuery {
    /// The tenant; needed for a publisher's own id, unless the key is a tenant's.
    tenant: Option<String>,
    /// Items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// The page before gave it as `next`.
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TryQuery {
    /// Items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// The page before gave it as `next`.
    cursor: Option<String>,
}

/// Explain an event
///
/// For every endpoint of the tenant, the newest first: whether the event matched it when it was
/// accepted, what became of its delivery, what that waits for, and the settings in force with the
/// level that decides each. Why an endpoint was not matched is told by today's rules, and said so.
#[utoipa::path(get, path = "/v1/events/{id}/explain", tag = "events",
    params(("id" = String, Path, description = "Its id, the publisher's own or one that was made"),
        ExplainQuery),
    responses((status = 200, description = "A page of endpoints", body = Explained)))]
pub(super) async fn explain(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Named(id): Named,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<Explained>, Problem> {
    let environment = caller.environment()?.no;
    let tenant = caller.tenant_meant(&app, query.tenant.as_deref())?.map(|tenant| tenant.no);
    let row = events::find(&app, environment, tenant, &id).await?;
    let row = row.ok_or_else(|| not_found("event"))?;
    let name = ListName(format!("explain/{}/{}", row.event.tenant, row.event.key.get()));
    let wanted = Wanted {
        before: name.parse(query.cursor.as_deref())?,
        limit: page::limit(query.limit.as_deref(), &app.limits)?,
    };
    let gates = app.runner.gates(row.event.tenant)?;
    let mut rows = deliveries::of_event(&app, environment, &row).await?;
    deliveries::as_memory_knows(&app, &mut rows);
    let sides = Sides::of(gates, &row, rows);
    let page = wanted.cut(sides.numbers());
    let shown = page.items.iter().map(|no| view::past(&app, &row, &sides, *no)).collect();
    Ok(Json(Explained::past(&row, shown, page.next.map(|no| name.print(&no)))))
}

/// Try an event
///
/// What publishing it now would do, for every endpoint of the tenant; nothing is stored. It is
/// refused as publishing would refuse it.
#[utoipa::path(post, path = "/v1/explain", tag = "events", params(TryQuery),
    request_body = events::EventBody,
    responses((status = 200, description = "A page of endpoints", body = Explained)))]
pub(super) async fn dry_run(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(query): Query<TryQuery>,
    request: Request,
) -> Result<Json<Explained>, Problem> {
    let (parts, body) = request.into_parts();
    let body = app.bodies.read(body, app.limits.body_bytes, Sender::Known).await?;
    json::check_content_type(&parts.headers, &body)?;
    let Publication { tenant, event } = ingest::event(&body, &app.limits)?;
    let tenant = events::tenant_of(&app, &caller, tenant.as_deref())?;
    let warning = events::warning(&app, &tenant, &event)?;
    let name = ListName(format!("explain/{}", tenant.no));
    let wanted = Wanted {
        before: name.parse(query.cursor.as_deref())?,
        limit: page::limit(query.limit.as_deref(), &app.limits)?,
    };
    let matched: BTreeSet<_> = app.runner.would_match(tenant.no, &event)?.into_iter().collect();
    let gates = app.runner.gates(tenant.no)?;
    let gates: BTreeMap<_, _> = gates.into_iter().map(|gate| (gate.no, gate)).collect();
    let page = wanted.cut(gates.keys().copied().collect());
    let tried = |no: &EndpointNo| {
        let gate = gates.get(no)?;
        Some(view::tried(&app, &event, matched.contains(no), gate))
    };
    let shown = page.items.iter().filter_map(tried).collect();
    let next = page.next.map(|no| name.print(&no));
    Ok(Json(Explained::tried(&event, matched.len(), warning, shown, next)))
}

/// Which part of the endpoints a page shows, the newest first.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    before: Option<EndpointNo>,
    limit: usize,
}

impl Wanted {
    fn cut(self, numbers: BTreeSet<EndpointNo>) -> Page<EndpointNo, EndpointNo> {
        let is_below = |no: &EndpointNo| self.before.is_none_or(|before| *no < before);
        let mut rest = numbers.into_iter().rev().filter(is_below);
        let items: Vec<_> = rest.by_ref().take(self.limit).collect();
        let next = items.last().copied().filter(|_| rest.next().is_some());
        Page { items, next }
    }
}

/// What is known of an event's endpoints: as they are in force, as it matched them, and what was
/// made of it.
#[derive(Debug)]
struct Sides {
    gates: BTreeMap<EndpointNo, EndpointInForce>,
    matched: BTreeSet<EndpointNo>,
    /// The newest delivery to each; there may be one although the event did not match.
    deliveries: BTreeMap<EndpointNo, DeliveryRow>,
}

impl Sides {
    fn of(gates: Vec<EndpointInForce>, event: &EventRow, rows: Vec<DeliveryRow>) -> Self {
        let mut deliveries = BTreeMap::new();
        for row in rows {
            // The newest generation comes first.
            deliveries.entry(row.key.endpoint).or_insert(row);
        }
        Self {
            gates: gates.into_iter().map(|gate| (gate.no, gate)).collect(),
            matched: event.fanout.iter().map(|(no, _)| *no).collect(),
            deliveries,
        }
    }

    fn numbers(&self) -> BTreeSet<EndpointNo> {
        self.gates.keys().chain(self.deliveries.keys()).copied().collect()
    }
}
