//! `/v1/tenants/{tenant}/usage`: what a tenant has and takes, against what it may.

use super::auth::Reader;
use super::problem::Problem;
use super::{App, Named};
use angarium_core::account::Tenant;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A number against its limit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageOf)]
pub(super) struct UsageView {
    /// How many there are.
    used: u64,
    /// How many there may be; null for any number.
    limit: Option<u64>,
}

/// What a tenant has and takes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub(super) struct TenantUsage {
    /// Deliveries that wait in the store; those of the last two seconds may not be counted yet.
    pending_deliveries: UsageView,
    /// Bytes of payload that are stored.
    stored_bytes: UsageView,
    /// Endpoints.
    endpoints: UsageView,
    /// Sources.
    sources: UsageView,
    /// Keys that are valid.
    keys: UsageView,
}

/// Show what a tenant uses
///
/// Against the limits that hold for every tenant.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/usage", tag = "tenants",
    params(("tenant" = String, Path, description = "The platform's own id")),
    responses((status = 200, description = "What it uses", body = TenantUsage)))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Named(id): Named,
) -> Result<Json<TenantUsage>, Problem> {
    let tenant = caller.tenant(&app, &id)?;
    let (taken, limits) = (app.store.usage(tenant.no), &app.limits);
    let of = |used: usize, limit: usize| UsageView { used: used as u64, limit: Some(limit as u64) };
    let unless_any = |used, limit| UsageView { used, limit: (limit > 0).then_some(limit as u64) };
    Ok(Json(TenantUsage {
        pending_deliveries: unless_any(taken.pending, limits.pending_per_tenant),
        stored_bytes: unless_any(taken.bytes, limits.stored_bytes_per_tenant),
        endpoints: of(count_endpoints(&app, &tenant).await?, limits.endpoints_per_tenant),
        sources: of(app.directory.sources_of(tenant.no), limits.sources_per_tenant),
        keys: of(app.directory.open_keys(tenant.no, app.clock.wall()), limits.keys_per_tenant),
    }))
}

async fn count_endpoints(app: &App, tenant: &Tenant) -> Result<usize, Problem> {
    let (mut count, mut before) = (0, None);
    loop {
        let (environment, no) = (tenant.environment, Some(tenant.no));
        let page = app.store.endpoints(environment, no, None, before, app.limits.page).await?;
        count += page.items.len();
        before = page.next;
        if before.is_none() {
            return Ok(count);
        }
    }
}
