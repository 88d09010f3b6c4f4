//! `/v1/sources`: where third parties send what they have to say to a tenant.

mod form;
mod operations;
mod requests;
mod view;

pub(crate) use form::{NewSource, SourceChange};
pub(crate) use operations::{Made, Sources, ready, take_over_secret};
pub(super) use requests::{__path_requests, requests};

use super::auth::Reader;
use super::idempotency::Command;
use super::json::{Answer, Empty, Secret};
use super::page::{self, ListName, Listed, Query};
use super::problem::Problem;
use super::{App, Named};
use crate::origin::Origin;
use angarium_core::id::TenantNo;
use angarium_store::read::Page;
use axum::Json;
use axum::extract::State;
use http::request::Parts;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};
use view::{MadeSourceView, SourceView};

/// The new secret of a source.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct SourceRotation {
    /// The new secret, where the third party made it; else one is made.
    #[schema(value_type = Option<String>, format = Password)]
    secret: Option<Secret>,
    /// For how long what is signed with the old one is believed too; not at all if absent.
    #[schema(example = "24h")]
    overlap: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct SourcesQuery {
    /// Of this tenant.
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
pub(in crate::api) struct TenantSourcesQuery {
    /// Items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// The page before gave it as `next`.
    cursor: Option<String>,
}

/// Make a source
///
/// Third parties send to its `receive_url`. What is genuine becomes an event of the tenant and goes
/// to its endpoints, and to `forward_url`. Secrets are in this answer and never again.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/sources", tag = "sources",
    params(("tenant" = String, Path, description = "The platform's own id")),
    request_body = NewSource,
    responses((status = 201, description = "Made", body = MadeSourceView)))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Named(tenant): Named,
    head: Parts,
    call: Command<NewSource>,
) -> Result<Answer, Problem> {
    let tenant = call.caller.tenant(&app, &tenant)?;
    let origin = origin(&app, &head)?;
    let print = |made: &Made<'_>| Answer::created(&view::made(&app, &origin, made));
    Sources::of(&app, &call.caller)?.create(&tenant, &call.body, &call.idempotency, print).await
}

/// List a tenant's sources
///
/// Newest first.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/sources", tag = "sources",
    params(("tenant" = String, Path, description = "The platform's own id"), TenantSourcesQuery),
    responses((status = 200, description = "A page", body = Listed<SourceView>)))]
pub(super) async fn list_of_tenant(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Named(tenant): Named,
    Query(query): Query<TenantSourcesQuery>,
    head: Parts,
) -> Result<Json<Listed<SourceView>>, Problem> {
    let tenant = Some(caller.tenant(&app, &tenant)?.no);
    let sources = Sources::of(&app, &caller)?;
    listed(&app, &sources, tenant, (query.limit.as_deref(), query.cursor.as_deref()), &head)
}

/// List sources
///
/// Newest first.
#[utoipa::path(get, path = "/v1/sources", tag = "sources", params(SourcesQuery),
    responses((status = 200, description = "A page", body = Listed<SourceView>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(query): Query<SourcesQuery>,
    head: Parts,
) -> Result<Json<Listed<SourceView>>, Problem> {
    let tenant = caller.tenant_meant(&app, query.tenant.as_deref())?.map(|tenant| tenant.no);
    let sources = Sources::of(&app, &caller)?;
    listed(&app, &sources, tenant, (query.limit.as_deref(), query.cursor.as_deref()), &head)
}

fn listed(
    app: &App,
    sources: &Sources<'_>,
    tenant: Option<TenantNo>,
    (limit, cursor): (Option<&str>, Option<&str>),
    head: &Parts,
) -> Result<Json<Listed<SourceView>>, Problem> {
    let name = ListName(format!("sources/{}/{tenant:?}", sources.environment()));
    let limit = page::limit(limit, &app.limits)?;
    let before = name.parse(cursor)?;
    let mut items = sources.page(tenant, before, limit + 1);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| last.config.id);
    let origin = origin(app, head)?;
    Ok(Json(name.page(Page { items, next }, |source| view::of(app, &origin, &source))))
}

/// Show a source
#[utoipa::path(get, path = "/v1/sources/{id}", tag = "sources",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The source", body = SourceView)))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Named(id): Named,
    head: Parts,
) -> Result<Json<SourceView>, Problem> {
    let source = Sources::of(&app, &caller)?.find(&id)?;
    Ok(Json(view::of(&app, &origin(&app, &head)?, &source)))
}

/// Change a source
///
/// What is absent stays; null clears what may be absent. A `secret` takes the place of the old one
/// at once.
#[utoipa::path(patch, path = "/v1/sources/{id}", tag = "sources",
    params(("id" = String, Path, description = "Its id")),
    request_body = SourceChange,
    responses((status = 200, description = "Changed", body = MadeSourceView)))]
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Named(id): Named,
    head: Parts,
    call: Command<SourceChange>,
) -> Result<Answer, Problem> {
    let origin = origin(&app, &head)?;
    let print = |made: &Made<'_>| Answer::ok(&view::made(&app, &origin, made));
    Sources::of(&app, &call.caller)?.change(&id, &call.body, &call.idempotency, print).await
}

/// Delete a source
///
/// Nothing is received after the answer; what was accepted stays, and what waits to be forwarded is
/// cancelled.
#[utoipa::path(delete, path = "/v1/sources/{id}", tag = "sources",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 204, description = "Deleted")))]
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<Empty>,
) -> Result<Answer, Problem> {
    let sources = Sources::of(&app, &call.caller)?;
    sources.delete(&id, &call.idempotency, Answer::nothing()).await
}

/// Rotate a source's secret
///
/// What is signed with the new one is believed at once; the old one is for as long as `overlap`
/// says. The answer has the new `secret`, for the only time.
#[utoipa::path(post, path = "/v1/sources/{id}/rotate-secret", tag = "sources",
    params(("id" = String, Path, description = "Its id")),
    request_body = SourceRotation,
    responses((status = 200, description = "Rotated", body = MadeSourceView)))]
pub(super) async fn rotate_secret(
    State(app): State<Arc<App>>,
    Named(id): Named,
    head: Parts,
    call: Command<SourceRotation>,
) -> Result<Answer, Problem> {
    let origin = origin(&app, &head)?;
    let print = |made: &Made<'_>| Answer::ok(&view::made(&app, &origin, made));
    let overlap =
        call.body.overlap.as_deref().map(|text| form::span("overlap", text)).transpose()?;
    let (given, overlap) = (call.body.secret.as_ref(), overlap.unwrap_or(Duration::ZERO));
    let sources = Sources::of(&app, &call.caller)?;
    sources.rotate(&id, given, overlap, &call.idempotency, print).await
}

/// The address of which a source's is a part.
fn origin(app: &App, head: &Parts) -> Result<Origin, Problem> {
    let is_public = |host: &str| app.directory.environment_by_host(host).is_some();
    Ok(Origin::of(&app.outside, head, is_public)?)
}
