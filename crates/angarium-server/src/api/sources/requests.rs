//! `/v1/sources/{id}/requests`: what arrived at a source, accepted and rejected, newest first.

use super::operations::Sources;
use crate::api::auth::Reader;
use crate::api::json::Time;
use crate::api::page::{self, Cursor, ListName, Listed, Query};
use crate::api::problem::Problem;
use crate::api::{App, Named};
use angarium_core::id::EventKey;
use angarium_core::source::{Rejection, Source};
use angarium_core::time::Timestamp;
use angarium_store::read::{EventQuery, EventRow, Page, RejectionNo};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, serde::Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct RequestsQuery {
    /// Only `accepted` or only `rejected` ones.
    #[param(pattern = "^(accepted|rejected)$")]
    outcome: Option<String>,
    /// Items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// The page before gave it as `next`.
    cursor: Option<String>,
}

/// A request of a third party.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReceivedRequest)]
pub(in crate::api) struct RequestView {
    /// When it came.
    at: Time,
    /// `accepted` or `rejected`.
    #[schema(pattern = "^(accepted|rejected)$")]
    outcome: &'static str,
    /// Why it was rejected, for programs.
    #[schema(example = "wrong_signature")]
    cause: Option<String>,
    /// Why it was rejected, for people.
    reason: Option<String>,
    /// The event that it became.
    event: Option<String>,
    /// The event's type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The third party's own id of it.
    id: Option<String>,
    /// The method, of a rejected one.
    method: Option<String>,
    /// Path and query, of a rejected one.
    target: Option<String>,
    /// The headers that were kept.
    headers: BTreeMap<String, String>,
    /// The body, or its beginning; what is not text is replaced. Null once it came of age.
    body: Option<String>,
    /// How many bytes it had; null once it came of age.
    body_bytes: Option<u64>,
    /// Since when an accepted one has neither headers nor a body any more.
    expired_at: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    Accepted,
    Rejected,
}

impl Wanted {
    const TEXTS: &[&str] = &["accepted", "rejected"];

    fn parse(text: &str) -> Option<Self> {
        match text {
            "accepted" => Some(Wanted::Accepted),
            "rejected" => Some(Wanted::Rejected),
            _ => None,
        }
    }
}

/// Where a list of both kinds goes on: after these, of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    accepted: EventKey,
    rejected: RejectionNo,
}

const FIRST: Place = Place { accepted: EventKey::new(i64::MAX), rejected: RejectionNo(i64::MAX) };

impl Cursor for Place {
    fn to_bytes(&self) -> Vec<u8> {
        [self.accepted.get().to_be_bytes(), self.rejected.0.to_be_bytes()].concat()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (accepted, rejected) = bytes.split_at_checked(8)?;
        let number = |bytes: &[u8]| bytes.try_into().ok().map(i64::from_be_bytes);
        Some(Self {
            accepted: EventKey::new(number(accepted)?),
            rejected: RejectionNo(number(rejected)?),
        })
    }
}

/// List what arrived at a source
///
/// Accepted and rejected requests, newest first. Rejected ones are kept for a week, the newest
/// thousand of a source; a flood of them only in part.
#[utoipa::path(get, path = "/v1/sources/{id}/requests", tag = "sources",
    params(("id" = String, Path, description = "Its id"), RequestsQuery),
    responses((status = 200, description = "A page", body = Listed<RequestView>)))]
pub(in crate::api) async fn requests(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Named(id): Named,
    Query(query): Query<RequestsQuery>,
) -> Result<Json<Listed<RequestView>>, Problem> {
    let source = Sources::of(&app, &caller)?.find(&id)?;
    let outcome = query.outcome.as_deref();
    let wanted = page::choice("outcome", outcome, Wanted::parse, Wanted::TEXTS)?;
    let wanted = wanted.unwrap_or(Wanted::All);
    let name = ListName(format!("requests/{}/{wanted:?}", source.config.id));
    let after = name.parse(query.cursor.as_deref())?.unwrap_or(FIRST);
    let limit = page::limit(query.limit.as_deref(), &app.limits)?;
    // What cannot be written now is missing in the list, and the list is there.
    if let Err(error) = app.rejections.flush(&app).await {
        tracing::warn!(%error, "rejected requests could not be kept");
    }
    let accepted = match wanted {
        Wanted::All | Wanted::Accepted => accepted(&app, &source, after.accepted, limit).await?,
        Wanted::Rejected => Page { items: Vec::new(), next: None },
    };
    let rejected = match wanted {
        Wanted::All | Wanted::Rejected => {
            app.store.rejections(source.config.id, Some(after.rejected), limit).await?
        }
        Wanted::Accepted => Page { items: Vec::new(), next: None },
    };
    Ok(Json(name.page(merged(accepted, rejected, after, limit), RequestView::from)))
}

async fn accepted(
    app: &App,
    source: &Source,
    before: EventKey,
    limit: usize,
) -> Result<Page<EventRow, EventKey>, Problem> {
    let tenant = app.directory.tenant_by_no(source.config.tenant);
    let environment = tenant.map(|tenant| tenant.environment).unwrap_or_default();
    Ok(app
        .store
        .events(&EventQuery {
            environment,
            tenant: Some(source.config.tenant),
            kind: None,
            subject: Some(source.config.id.to_string()),
            ordering_key: None,
            after: None,
            before: None,
            cursor: Some(before),
            limit,
            rows_read: app.limits.page_rows_read,
        })
        .await?)
}

/// One of a page's items, with the place after it.
enum Item {
    Accepted(Box<EventRow>),
    Rejected(RejectionNo, Rejection),
}

impl Item {
    fn at(&self) -> Timestamp {
        match self {
            Item::Accepted(row) => row.event.accepted_at,
            Item::Rejected(_, rejection) => rejection.at,
        }
    }
}

/// Both kinds in one page, by time. Where one of the lists ends early although it has more, the
/// page ends with it.
fn merged(
    accepted: Page<EventRow, EventKey>,
    rejected: Page<(RejectionNo, Rejection), RejectionNo>,
    after: Place,
    limit: usize,
) -> Page<Item, Place> {
    let (next_accepted, next_rejected) = (accepted.next, rejected.next);
    let mut accepted =
        accepted.items.into_iter().map(|row| Item::Accepted(Box::new(row))).peekable();
    let rejected = rejected.items.into_iter();
    let mut rejected = rejected.map(|(no, rejection)| Item::Rejected(no, rejection)).peekable();
    let (mut items, mut place) = (Vec::new(), after);
    while items.len() < limit {
        let next = match (accepted.peek(), rejected.peek()) {
            // What was not read yet may be newer than what the other list has.
            (None, _) if next_accepted.is_some() => break,
            (_, None) if next_rejected.is_some() => break,
            (None, None) => break,
            (Some(one), Some(other)) if one.at() >= other.at() => accepted.next(),
            (Some(_), None) => accepted.next(),
            (_, Some(_)) => rejected.next(),
        };
        match &next {
            Some(Item::Accepted(row)) => place.accepted = row.event.key,
            Some(Item::Rejected(no, _)) => place.rejected = *no,
            None => {}
        }
        items.extend(next);
    }
    let mut left = true;
    if accepted.peek().is_none() && rejected.peek().is_none() {
        left = next_accepted.is_some() || next_rejected.is_some();
        place.accepted = next_accepted.unwrap_or(place.accepted);
        place.rejected = next_rejected.unwrap_or(place.rejected);
    }
    Page { items, next: left.then_some(place) }
}

impl From<Item> for RequestView {
    fn from(item: Item) -> Self {
        let at = Time(item.at());
        match item {
            Item::Accepted(row) => {
                let (event, is_there) = (&row.event, row.gone.is_none());
                let body = &event.body;
                let headers = body.received_headers();
                Self {
                    at,
                    outcome: "accepted",
                    cause: None,
                    reason: None,
                    event: Some(event.id().to_string()),
                    kind: Some(body.kind.to_string()),
                    id: body.attribute(crate::receive::ID).map(str::to_owned),
                    method: None,
                    target: None,
                    headers: headers.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
                    body: is_there.then(|| String::from_utf8_lossy(&body.data).into_owned()),
                    body_bytes: is_there.then_some(body.data.len() as u64),
                    expired_at: row.gone.map(|gone| Time(gone.at)),
                }
            }
            Item::Rejected(_, rejection) => Self {
                at,
                outcome: "rejected",
                cause: Some(rejection.cause),
                reason: Some(rejection.reason),
                event: None,
                kind: None,
                id: None,
                method: Some(rejection.method),
                target: Some(rejection.target),
                headers: rejection.headers.into_iter().collect(),
                body: Some(String::from_utf8_lossy(&rejection.body).into_owned()),
                body_bytes: Some(rejection.body_bytes),
                expired_at: None,
            },
        }
    }
}
