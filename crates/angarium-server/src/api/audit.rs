//! `/v1/audit`: who changed what.
//!
//! Entries are handed out as the text that their hashes are of, so that whoever has them can verify
//! them.

use super::App;
use super::auth::{Caller, Reader};
use super::page::{self, ListName, Query};
use super::problem::{Problem, internal};
use angarium_core::audit::{Action, Entry, EntryNo, Link};
use angarium_core::refusal::{Code, Refusal};
use angarium_store::StoreError;
use angarium_store::read::{AuditBounds, AuditQuery};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, header};
use hyper::body::Frame;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};

/// Entries that an export reads at once; two such portions are in memory at most.
const PORTION: usize = 250;

/// An export that nobody takes anything of for so long is broken off.
const STALL: Duration = Duration::from_secs(60);

/// The type of an export: a document a line.
const NDJSON: &str = "application/x-ndjson";

/// An entry of the audit log, and a line of its export.
#[derive(Debug, ToSchema)]
#[schema(as = AuditEntry)]
#[expect(dead_code, reason = "described only: an entry is shown as the text that was hashed")]
pub(super) struct EntryView {
    /// From 1, without a gap in the whole log; a part of it has gaps.
    #[schema(minimum = 1)]
    no: i64,
    /// When it was committed.
    #[schema(format = DateTime, example = "2026-04-20T12:00:00.000Z")]
    at: String,
    /// The environment; null for what is in none.
    environment: Option<String>,
    /// The tenant; null for what is with none.
    tenant: Option<String>,
    /// Who did it.
    #[schema(inline)]
    actor: ActorView,
    /// What was done.
    #[schema(example = "endpoint.update")]
    action: String,
    /// To what.
    #[schema(inline)]
    object: ObjectView,
    /// What became different.
    #[schema(inline)]
    changes: Vec<ChangeView>,
    /// The address that the call came from; null for the server.
    address: Option<String>,
    /// What the caller called the request (`x-request-id`).
    request: Option<String>,
    /// The hash of the entry before; zeros for the first.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    previous: String,
    /// SHA-256 of this entry's text without this member.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
}

/// Who did something.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "described only")]
pub(super) struct ActorView {
    /// The key's id, or `server`.
    id: String,
    /// The key's name; null for the server.
    name: Option<String>,
}

/// What something was done to.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "described only")]
pub(super) struct ObjectView {
    /// What it is, as in the action.
    #[schema(example = "endpoint")]
    kind: String,
    /// Its public id.
    id: String,
}

/// A member that became different. Of a secret there is the name alone.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "described only")]
pub(super) struct ChangeView {
    /// Its name.
    member: String,
    /// What it was.
    #[schema(required = false)]
    old: Option<Value>,
    /// What it is.
    #[schema(required = false)]
    new: Option<Value>,
}

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditPage {
    /// Entries; possibly fewer than asked for although there are more.
    #[schema(value_type = Vec<EntryView>)]
    data: Vec<Box<RawValue>>,
    /// The cursor of the next page; null at the end.
    next: Option<String>,
    /// The last entry that was removed for its age: the first that is kept follows it. Number 0
    /// while all are kept; null for whoever sees a part of the log.
    #[schema(inline)]
    base: Option<HeadView>,
    /// Where the log ends; null for whoever sees a part of it.
    #[schema(inline)]
    head: Option<HeadView>,
}

/// The end of the log. Noted elsewhere, it shows later that nothing before it is another.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HeadView {
    /// The number of the last entry; 0 while there is none.
    no: i64,
    /// Its hash.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
}

impl From<Link> for HeadView {
    fn from(link: Link) -> Self {
        Self { no: link.no.get(), hash: hex::encode(link.hash) }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditListQuery {
    /// About the tenant that has this id, or had it.
    tenant: Option<String>,
    /// By the key of this id, or `server`.
    actor: Option<String>,
    /// What was done, such as `endpoint.update`.
    #[param(pattern = "^[a-z_]+[.][a-z_]+$")]
    action: Option<String>,
    /// To the object of this id.
    object: Option<String>,
    /// Committed at or after.
    #[param(value_type = Option<String>, format = DateTime)]
    after: Option<String>,
    /// Committed before.
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
pub(super) struct ExportQuery {
    /// The number of the first entry; 1 if absent.
    #[param(value_type = Option<i64>, minimum = 1)]
    from: Option<String>,
}

/// List the audit log
///
/// Who changed what, newest first: what lies within the bounds of the key that asks, or in the
/// environment that it names. A page may have fewer items than asked for although there are more.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(AuditListQuery),
    responses((status = 200, description = "A page", body = AuditPage)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(query): Query<AuditListQuery>,
) -> Result<Json<AuditPage>, Problem> {
    let bounds = bounds(&caller)?;
    let name = ListName(format!("audit/{bounds:?}"));
    let mut names: Vec<_> = Action::NAMES.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let page = app
        .store
        .audit(&AuditQuery {
            bounds,
            tenant: query.tenant,
            actor: query.actor,
            action: page::choice("action", query.action.as_deref(), Action::parse, &names)?,
            object: query.object,
            after: page::time("after", query.after.as_deref())?,
            before: page::time("before", query.before.as_deref())?,
            cursor: name.parse(query.cursor.as_deref())?,
            limit: page::limit(query.limit.as_deref(), &app.limits)?,
            rows_read: app.limits.page_rows_read,
        })
        .await?;
    let (base, head) = match bounds == AuditBounds::default() {
        true => {
            let (base, head) = app.store.audit_ends().await?;
            (Some(base.into()), Some(head.into()))
        }
        false => (None, None),
    };
    let next = page.next.map(|place| name.print(&place));
    let data = page.items.iter().map(shown).collect::<Result<_, _>>().map_err(|_| internal())?;
    Ok(Json(AuditPage { data, next, base, head }))
}

/// An entry as it was hashed; one that is no longer JSON, as a text, so that it hides no other.
fn shown(entry: &Entry) -> serde_json::Result<Box<RawValue>> {
    let line = entry.line();
    RawValue::from_string(line.clone()).or_else(|_| serde_json::value::to_raw_value(&line))
}

/// Export the audit log
///
/// An entry a line, oldest first, each as it was hashed.
#[utoipa::path(get, path = "/v1/audit/export", tag = "audit", params(ExportQuery),
    responses((status = 200, description = "The entries", content_type = NDJSON,
        body = EntryView)))]
pub(super) async fn export(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let from = match query.from.as_deref().map(str::parse) {
        None => 1,
        Some(Ok(from @ 1i64..)) => from,
        Some(_) => {
            let message = "the number of an entry, from 1";
            return Err(Refusal::field(Code::InvalidParameter, "from", message).into());
        }
    };
    let (sender, portions) = mpsc::channel(1);
    tokio::spawn(read_all(app, bounds(&caller)?, EntryNo::new(from - 1), sender));
    let ndjson = HeaderValue::from_static(NDJSON);
    Ok(([(header::CONTENT_TYPE, ndjson)], Body::new(Lines(portions))).into_response())
}

/// What a caller may read of the log.
fn bounds(caller: &Caller) -> Result<AuditBounds, Refusal> {
    let environment = caller.named_environment()?.map(|environment| environment.no);
    Ok(AuditBounds { environment, tenant: caller.own_tenant().map(|tenant| tenant.no) })
}

type Portion = Result<Bytes, StoreError>;

/// Reads the log portion by portion, as fast as they are taken; ends when nobody takes them.
async fn read_all(
    app: Arc<App>,
    bounds: AuditBounds,
    mut after: EntryNo,
    sender: mpsc::Sender<Portion>,
) {
    loop {
        let read = app.store.audit_after(bounds, after, PORTION).await;
        let last = read.as_ref().ok().and_then(|entries| entries.last()).map(|last| last.link.no);
        let portion = read.map(|entries| entries.iter().map(line).collect::<String>().into());
        let taken = tokio::time::timeout(STALL, sender.send(portion)).await;
        if !matches!(taken, Ok(Ok(()))) {
            return;
        }
        match last {
            Some(last) => after = last,
            None => return,
        }
    }
}

fn line(entry: &Entry) -> String {
    entry.line() + "\n"
}

/// A body of portions. One that breaks off is seen to: its end is missing.
struct Lines(mpsc::Receiver<Portion>);

impl hyper::body::Body for Lines {
    type Data = Bytes;
    type Error = StoreError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StoreError>>> {
        self.0.poll_recv(context).map(|portion| portion.map(|portion| portion.map(Frame::data)))
    }
}
