//! `Idempotency-Key` on every mutating call (contracts.md, G7).
//!
//! The record is committed with the change it guards, so there is no moment in which one exists
//! without the other. The same key and body replays the first answer, another body is refused, and
//! a call that is still under way is told so.

use super::auth::Caller;
use super::json::{self, Answer};
use super::problem::Problem;
use super::{App, deliveries, events};
use crate::bodies::Sender;
use angarium_core::audit::Deed;
use angarium_core::batch::{Guard, GuardAnswer, Trace};
use angarium_core::refusal::{Code, Refusal};
use angarium_store::Answered;
use aws_lc_rs::digest::{Context, SHA256};
use axum::extract::{FromRequest, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Names a call, so that it can be repeated.
pub const HEADER: &str = "idempotency-key";
/// Says that an answer is a repeated one.
const REPLAYED: &str = "idempotency-replayed";
/// How long a first answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Guarded calls that are under way.
#[derive(Debug, Default)]
pub struct Calls {
    scopes: Mutex<HashSet<[u8; 32]>>,
}

impl Calls {
    fn enter(self: &Arc<Self>, scope: [u8; 32]) -> Option<Entered> {
        let calls = Arc::clone(self);
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        scopes.insert(scope).then(|| Entered { calls, scope })
    }
}

/// One guarded call under way; the next one of its kind waits for its end.
#[derive(Debug)]
struct Entered {
    calls: Arc<Calls>,
    scope: [u8; 32],
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut scopes = self.calls.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        scopes.remove(&self.scope);
    }
}

/// What guards a call: nothing without the header.
#[derive(Debug)]
pub struct Idempotency {
    fingerprint: [u8; 32],
    expires_at: angarium_core::time::Timestamp,
    entered: Option<Entered>,
}

/// Whether a call is to be made, or was answered before.
#[derive(Debug)]
pub enum Opened {
    /// Make it.
    First(Idempotency),
    /// It was made; this is what it answered.
    Repeated(Answered),
}

impl Idempotency {
    /// Looks at the header and what is known of it. `path` is that of the call, the same however
    /// the server was reached.
    ///
    /// # Errors
    /// `invalid_idempotency_key`, `idempotency_in_flight`, `idempotency_mismatch`, and the store's.
    pub async fn open(
        app: &App,
        caller: &Caller,
        parts: &Parts,
        path: &str,
        body: &[u8],
    ) -> Result<Opened, Problem> {
        let now = app.clock.now();
        let none = Idempotency { fingerprint: [0; 32], expires_at: now + KEPT, entered: None };
        let Some(key) = header(&parts.headers, app.limits.idempotency_key_chars)? else {
            return Ok(Opened::First(none));
        };
        let scope = scope(caller, &parts.method, path, key);
        let fingerprint = sha256(&[body]);
        let entered = app.calls.enter(scope).ok_or_else(in_flight)?;
        match app.store.guarded_answer(&scope, now).await? {
            Some(stored) if stored.fingerprint == fingerprint => {
                Ok(Opened::Repeated(stored.answer))
            }
            Some(_) => Err(mismatch().into()),
            None => Ok(Opened::First(Idempotency { fingerprint, entered: Some(entered), ..none })),
        }
    }

    /// The record to commit with the change.
    pub fn guard(&self, answer: GuardAnswer) -> Option<Guard> {
        let entered = self.entered.as_ref()?;
        Some(Guard {
            scope: entered.scope,
            fingerprint: self.fingerprint,
            expires_at: self.expires_at,
            answer,
        })
    }

    /// The record that keeps this answer.
    pub fn keep(&self, answer: &Answer) -> Option<Guard> {
        self.guard(GuardAnswer::Given { status: answer.status.as_u16(), body: answer.body.clone() })
    }

    /// What is committed with a deed that is answered so.
    pub fn trace(&self, answer: &Answer, deed: Deed) -> Trace {
        let deed = Some(deed).filter(|deed| !deed.is_idle()).map(Box::new);
        Trace { guard: self.keep(answer), deed }
    }

    /// What is to be done with each event of a batch; its scope is the batch's and its place.
    ///
    /// # Errors
    /// `idempotency_mismatch` before anything is accepted, and the store's.
    pub async fn turns(&self, app: &App, events: usize) -> Result<Vec<Turn>, Problem> {
        let Some(batch) = self.guard(GuardAnswer::Event) else {
            return Ok(std::iter::repeat_with(|| Turn::First(None)).take(events).collect());
        };
        let mut turns = Vec::with_capacity(events);
        for place in 0..events {
            let scope = sha256(&[&batch.scope, &place.to_be_bytes()]);
            turns.push(match app.store.guarded_answer(&scope, app.now()).await? {
                Some(stored) if stored.fingerprint == batch.fingerprint => {
                    Turn::Repeated(stored.answer)
                }
                Some(_) => return Err(mismatch().into()),
                None => Turn::First(Some(Guard { scope, ..batch.clone() })),
            });
        }
        Ok(turns)
    }
}

/// What is to be done with one event.
#[derive(Debug)]
pub enum Turn {
    /// Accept it, with this record if there is to be one.
    First(Option<Guard>),
    /// It was accepted; answer as before.
    Repeated(Answered),
}

/// A mutating call: who makes it, its body, and what guards it.
#[derive(Debug)]
pub struct Command<T> {
    /// Who calls; they may.
    pub caller: Caller,
    /// The parsed body.
    pub body: T,
    /// What keeps its answer.
    pub idempotency: Idempotency,
}

impl<T> Command<T> {
    /// What is committed with a deed that is answered so.
    pub fn trace(&self, answer: &Answer, deed: Deed) -> Trace {
        self.idempotency.trace(answer, deed)
    }

    /// What is committed with a deed whose answer is derived from the delivery.
    pub fn trace_delivery(&self, deed: Deed) -> Trace {
        let guard = self.idempotency.guard(GuardAnswer::Delivery);
        Trace { guard, deed: Some(Box::new(deed)) }
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Command<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let opened = Self::open(request, app).await.map_err(IntoResponse::into_response)?;
        opened.map_err(replayed)
    }
}

impl<T: DeserializeOwned> Command<T> {
    async fn open(request: Request, app: &App) -> Result<Result<Self, Response>, Problem> {
        let (parts, body) = request.into_parts();
        let caller = Caller::allowed(app, &parts)?.coming_from(app, &parts);
        let bytes = app.bodies.read(body, app.limits.body_bytes, Sender::Known).await?;
        let idempotency =
            match Idempotency::open(app, &caller, &parts, parts.uri.path(), &bytes).await? {
                Opened::First(idempotency) => idempotency,
                Opened::Repeated(answer) => return repeat(app, &caller, answer).await.map(Err),
            };
        json::check_content_type(&parts.headers, &bytes)?;
        let body = json::parse(&bytes, &app.limits)?;
        Ok(Ok(Self { caller, body, idempotency }))
    }
}

/// Prints what a guarded call answered before.
///
/// # Errors
/// Those of the delivery that it is derived from, where it is.
pub async fn repeat(app: &App, caller: &Caller, answer: Answered) -> Result<Response, Problem> {
    match answer {
        Answered::Given { status, body } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            Ok(Answer { status, body }.into_response())
        }
        Answered::Delivery(key) => deliveries::accepted(app, caller, key).await,
        Answered::Event(key) => events::accepted(app, caller, key).await,
    }
}

/// Marks an answer as a repeated one.
pub fn replayed(mut response: Response) -> Response {
    if response.status().is_success() {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// Lets a guarded call go on to its end although its caller has gone.
pub async fn see_through(request: Request, next: Next) -> Response {
    if is_guarded(request.headers()) {
        to_its_end(next.run(request)).await
    } else {
        next.run(request).await
    }
}

/// Whether a call can be repeated.
pub fn is_guarded(headers: &HeaderMap) -> bool {
    headers.contains_key(HEADER)
}

/// Answers a guarded call even if its caller goes: a call that is repeated must find either its
/// record or its entry, never neither.
pub async fn to_its_end(answer: impl Future<Output = Response> + Send + 'static) -> Response {
    match tokio::spawn(answer).await {
        Ok(response) => response,
        Err(broken) => std::panic::resume_unwind(broken.into_panic()),
    }
}

fn header(headers: &HeaderMap, most: usize) -> Result<Option<&str>, Refusal> {
    let Some(value) = headers.get(HEADER) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > most {
        let message = format!("1 to {most} visible ASCII characters");
        return Err(Refusal::field(Code::InvalidIdempotencyKey, "Idempotency-Key", message));
    }
    Ok(Some(text))
}

/// A key of one caller on one route; the environment counts, because an admin key has many.
fn scope(caller: &Caller, method: &Method, path: &str, key: &str) -> [u8; 32] {
    let named = caller.named_environment().ok().flatten();
    let environment = named.map_or(0, |environment| environment.no.get());
    sha256(&[
        &caller.key.id.to_bytes(),
        &environment.to_be_bytes(),
        method.as_str().as_bytes(),
        path.as_bytes(),
        key.as_bytes(),
    ])
}

/// SHA-256 over parts, each with its length before it.
fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

fn in_flight() -> Refusal {
    let message = "a call with this key is still under way; ask again in a moment";
    Refusal::field(Code::IdempotencyInFlight, "Idempotency-Key", message)
}

fn mismatch() -> Refusal {
    let message = "this key was used with another body; a new call needs a new key";
    Refusal::field(Code::IdempotencyMismatch, "Idempotency-Key", message)
}
