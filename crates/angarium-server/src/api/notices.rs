//! `/v1/notices`: what the operator was told, which is what stands among the events of the tenant
//! `angarium`.

use super::App;
use super::auth::Reader;
use super::events::raw_data;
use super::json::Time;
use super::page::{self, ListName, Listed, Query};
use super::problem::Problem;
use angarium_core::notice::OPERATOR;
use angarium_store::read::{EventQuery, EventRow};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Something that people should know.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notice)]
pub(super) struct NoticeView {
    /// The id of its event; the same for what is the same.
    #[schema(example = "ntc_disabled_ep_01kcq0a3f7e8vb6k2m4n5p6q7r_1776686400000")]
    id: String,
    /// What it is about.
    #[serde(rename = "type")]
    #[schema(pattern = "^angarium[.]", example = "angarium.endpoint.disabled")]
    kind: String,
    /// When it came to be.
    time: String,
    /// When it was stored.
    accepted_at: Time,
    /// Whose endpoint or key it is about; null for a node.
    tenant: Option<String>,
    /// The endpoint that it is about, if it is about one.
    endpoint: Option<String>,
    /// A sentence in `message`, and what the type has beside it.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct NoticesQuery {
    /// Of this type.
    r#type: Option<String>,
    /// About an endpoint or a key of this tenant.
    tenant: Option<String>,
    /// About this endpoint.
    endpoint: Option<String>,
    /// Stored at or after.
    #[param(value_type = Option<String>, format = DateTime)]
    after: Option<String>,
    /// Stored before.
    #[param(value_type = Option<String>, format = DateTime)]
    before: Option<String>,
    /// Items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// The page before gave it as `next`.
    cursor: Option<String>,
}

/// List notices
///
/// Newest first; they are the events of the environment's tenant `angarium`, which gets them by
/// webhook where it has endpoints. A key of another tenant does not see them.
#[utoipa::path(get, path = "/v1/notices", tag = "notices", params(NoticesQuery),
    responses((status = 200, description = "A page", body = Listed<NoticeView>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(query): Query<NoticesQuery>,
) -> Result<Json<Listed<NoticeView>>, Problem> {
    let operator = caller.tenant(&app, OPERATOR)?;
    let name = ListName(format!("notices/{}", operator.no));
    let page = app
        .store
        .events(&EventQuery {
            environment: operator.environment,
            tenant: Some(operator.no),
            after: page::time("after", query.after.as_deref())?,
            before: page::time("before", query.before.as_deref())?,
            cursor: name.parse(query.cursor.as_deref())?,
            limit: page::limit(query.limit.as_deref(), &app.limits)?,
            rows_read: app.limits.page_rows_read,
            kind: query.r#type,
            subject: query.endpoint,
            ordering_key: query.tenant,
        })
        .await?;
    Ok(Json(name.page(page, |row| view(&row))))
}

fn view(row: &EventRow) -> NoticeView {
    let (event, body) = (&row.event, &row.event.body);
    let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    NoticeView {
        id: event.id().to_string(),
        kind: body.kind.to_string(),
        time: event.time_text(),
        accepted_at: Time(event.accepted_at),
        tenant: text(&body.ordering_key),
        endpoint: text(&body.subject),
        data: raw_data(body),
    }
}
