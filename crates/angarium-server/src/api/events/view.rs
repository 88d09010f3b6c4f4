//! Events as they are shown.

use super::accept::answer_of;
use crate::api::auth::{Caller, Reader};
use crate::api::json::{Answer, Pairs, Time};
use crate::api::page::{self, ListName, Listed, Query};
use crate::api::problem::{Problem, not_found};
use crate::api::{App, Named};
use angarium_core::event::{DataKind, NewEvent};
use angarium_core::id::{EnvironmentNo, EventId, EventKey, TenantNo};
use angarium_core::refusal::{Code, Refusal};
use angarium_core::retention::GoneWhy;
use angarium_store::read::{EventQuery, EventRow, Page};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Most bytes of data in one page; the page ends early, with `next`.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// An event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(in crate::api) struct EventView {
    /// The publisher's own id, or one that was made.
    #[schema(example = "evt_01kcq0a3f7e8vb6k2m4n5p6q7r")]
    id: String,
    /// The tenant.
    tenant: String,
    /// The type.
    #[serde(rename = "type")]
    #[schema(example = "order.paid")]
    kind: String,
    /// The time of the fact, in the publisher's own words; else that of acceptance.
    time: String,
    /// When it was accepted.
    accepted_at: Time,
    /// What it is about.
    subject: Option<String>,
    /// The ordering key.
    key: Option<String>,
    /// Names and values.
    #[schema(value_type = BTreeMap<String, String>)]
    attributes: Pairs,
    /// Its place among the tenant's events.
    sequence: u64,
    /// How many endpoints it went to.
    endpoints: usize,
    /// Exactly as published; null once it is gone.
    #[schema(value_type = Value)]
    data: Box<RawValue>,
    /// When its data came of age and was removed; absent while it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    expired_at: Option<Time>,
    /// When it was erased; absent unless it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_at: Option<Time>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct EventsQuery {
    /// Of this tenant.
    tenant: Option<String>,
    /// Of this type.
    r#type: Option<String>,
    /// About this subject.
    subject: Option<String>,
    /// With this ordering key.
    key: Option<String>,
    /// Accepted at or after.
    #[param(value_type = Option<String>, format = DateTime)]
    after: Option<String>,
    /// Accepted before.
    #[param(value_type = Option<String>, format = DateTime)]
    before: Option<String>,
    /// Items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// The page before gave it as `next`.
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct EventOf {
    /// The tenant; needed for a publisher's own id, unless the key is a tenant's.
    pub(in crate::api) tenant: Option<String>,
}

/// List events
///
/// Newest first. A page may have fewer items than asked for although there are more.
#[utoipa::path(get, path = "/v1/events", tag = "events", params(EventsQuery),
    responses((status = 200, description = "A page", body = Listed<EventView>)))]
pub(in crate::api) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(query): Query<EventsQuery>,
) -> Result<Json<Listed<EventView>>, Problem> {
    let environment = caller.environment()?.no;
    let tenant = caller.tenant_meant(&app, query.tenant.as_deref())?.map(|tenant| tenant.no);
    let name = ListName(format!("events/{environment}/{tenant:?}"));
    let page = app
        .store
        .events(&EventQuery {
            environment,
            tenant,
            after: page::time("after", query.after.as_deref())?,
            before: page::time("before", query.before.as_deref())?,
            cursor: name.parse(query.cursor.as_deref())?,
            limit: page::limit(query.limit.as_deref(), &app.limits)?,
            rows_read: app.limits.page_rows_read,
            kind: query.r#type,
            subject: query.subject,
            ordering_key: query.key,
        })
        .await?;
    Ok(Json(name.page(cut(page), |row| view(&app, &row))))
}

/// Show an event
#[utoipa::path(get, path = "/v1/events/{id}", tag = "events",
    params(("id" = String, Path, description = "Its id, the publisher's own or one that was made"),
        EventOf),
    responses((status = 200, description = "The event", body = EventView)))]
pub(in crate::api) async fn show(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Named(id): Named,
    Query(query): Query<EventOf>,
) -> Result<Json<EventView>, Problem> {
    let environment = caller.environment()?.no;
    let tenant = caller.tenant_meant(&app, query.tenant.as_deref())?.map(|tenant| tenant.no);
    let row = find(&app, environment, tenant, &id).await?;
    Ok(Json(view(&app, &row.ok_or_else(|| not_found("event"))?)))
}

/// The event of this id, if the caller may see it.
///
/// # Errors
/// The store's.
pub(in crate::api) async fn find(
    app: &App,
    environment: EnvironmentNo,
    tenant: Option<TenantNo>,
    id: &str,
) -> Result<Option<EventRow>, Problem> {
    let key = match (EventId::parse(id), tenant) {
        (Ok(EventId::Made(key)), _) => key,
        (Ok(EventId::Own(own)), Some(tenant)) => match app.store.find_own_id(tenant, &own).await? {
            Some(key) => key,
            None => return Ok(None),
        },
        (Ok(EventId::Own(_)), None) => {
            let hint = "there is no such event; one with its publisher's id is found below its \
                        tenant: add ?tenant=";
            return Err(Refusal::whole(Code::NotFound, hint).into());
        }
        (Err(_), _) => return Ok(None),
    };
    if let Some(tenant) = tenant {
        let row = app.store.event(tenant, key).await?;
        // An event that has its publisher's id has no other.
        return Ok(row.filter(|row| row.event.id().to_string() == id));
    }
    let row = by_key(app, environment, key).await?;
    Ok(row.filter(|row| row.event.id() == EventId::Made(key)))
}

/// The answer to the call that accepted an event.
///
/// # Errors
/// `not_found`, and the store's.
pub(in crate::api) async fn accepted(
    app: &App,
    caller: &Caller,
    key: EventKey,
) -> Result<Response, Problem> {
    let row = by_key(app, caller.environment()?.no, key).await?;
    let row = row.ok_or_else(|| not_found("event"))?;
    caller.owner(app, row.event.tenant, "event")?;
    Ok(Answer::accepted(&answer_of(&row, None)).into_response())
}

/// The event of this key, if it is of this environment.
async fn by_key(
    app: &App,
    environment: EnvironmentNo,
    key: EventKey,
) -> Result<Option<EventRow>, Problem> {
    let query = EventQuery {
        environment,
        tenant: None,
        kind: None,
        subject: None,
        ordering_key: None,
        after: None,
        before: None,
        cursor: Some(EventKey::new(key.get().saturating_add(1))),
        limit: 1,
        rows_read: 1,
    };
    let page = app.store.events(&query).await?;
    Ok(page.items.into_iter().next().filter(|row| row.event.key == key))
}

/// Ends a page early where its data would be too much for one answer.
fn cut(mut page: Page<EventRow, EventKey>) -> Page<EventRow, EventKey> {
    let mut bytes = 0;
    let fits = page.items.iter().take_while(|row| {
        bytes += row.event.body.data.len();
        bytes <= PAGE_BYTES
    });
    let fitting = fits.count().max(1);
    if fitting < page.items.len() {
        page.items.truncate(fitting);
        page.next = page.items.last().map(|row| row.event.key);
    }
    page
}

fn view(app: &App, row: &EventRow) -> EventView {
    let event = &row.event;
    let body = &event.body;
    let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    let tenant = app.directory.tenant_by_no(event.tenant);
    EventView {
        id: event.id().to_string(),
        tenant: tenant.map(|tenant| tenant.id.clone()).unwrap_or_default(),
        kind: body.kind.to_string(),
        time: event.time_text(),
        accepted_at: Time(event.accepted_at),
        subject: text(&body.subject),
        key: text(&body.ordering_key),
        attributes: Pairs(body.attributes.clone()),
        sequence: event.sequence,
        endpoints: row.fanout.len(),
        data: row.gone.map_or_else(|| raw_data(body), |_| RawValue::NULL.to_owned()),
        expired_at: gone_at(row, GoneWhy::Expired),
        erased_at: gone_at(row, GoneWhy::Erased),
    }
}

fn gone_at(row: &EventRow, why: GoneWhy) -> Option<Time> {
    row.gone.filter(|gone| gone.why == why).map(|gone| Time(gone.at))
}

/// The data as JSON: as it is, or as a JSON string where it is none (design.md section 3).
pub(in crate::api) fn raw_data(event: &NewEvent) -> Box<RawValue> {
    let text = String::from_utf8_lossy(&event.data);
    let as_text = |text: &str| to_raw_value(text).unwrap_or_default();
    match event.data_kind {
        DataKind::Json => RawValue::from_string(text.into_owned()).unwrap_or_default(),
        DataKind::Text => as_text(&text),
        DataKind::Binary => as_text(&STANDARD.encode(&event.data)),
    }
}
