//! One attempt: get a token where one is needed, build and sign, send, tell the shard.

use super::Runner;
use crate::egress::{Exchange, Way};
use angarium_core::batch::AttemptRecord;
use angarium_core::destination::Scheme;
use angarium_core::endpoint::PlainHttp;
use angarium_core::id::{Epoch, ShardId};
use angarium_core::oauth2::{AccessToken, OAuth2Client};
use angarium_core::outcome::{Class, Outcome};
use angarium_core::request::{self, OutgoingRequest};
use angarium_core::shard::{EndedAttempt, Load, Rows, Start};
use angarium_core::time::{Jitter, Timestamp};
use http::{HeaderMap, StatusCode};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long after a failed read the rows are asked for again.
const LOAD_AGAIN: Duration = Duration::from_secs(1);

impl Runner {
    pub(super) async fn attempt(self: Arc<Self>, shard: ShardId, epoch: Epoch, start: Start) {
        let began = self.now();
        let policy = self.parts.directory.egress_of(start.endpoint.config.tenant);
        let tls = start.endpoint.tls.clone();
        let way = Way { endpoint: start.key.endpoint, policy, tls };
        let (head, exchange) = match &start.endpoint.oauth2 {
            None => self.exchange(&start, &way, None).await,
            // Boxed, because few have one, and its future is large.
            Some(client) => Box::pin(self.exchange_with_token(&start, &way, client)).await,
        };
        let asked = exchange.outcome.retry_after();
        let record = record(start.attempt, began, head, exchange);
        let jitter =
            if record.class == Class::Success { Jitter::HALF } else { self.parts.entropy.jitter() };
        self.counts.attempt(record.class);
        // A machine that was made meanwhile knows nothing of this attempt.
        let _ = self.with(shard, |owned, now, _| {
            if owned.epoch == epoch {
                let key = start.key;
                owned.machine.outcome(EndedAttempt { key, record, asked, jitter, at: now });
            }
        });
    }

    async fn exchange(
        &self,
        start: &Start,
        way: &Way,
        token: Option<&AccessToken>,
    ) -> (Box<str>, Exchange) {
        // Receivers compare the time in a signature with clocks of their own.
        let mut request = match self.request(start, self.parts.clock.wall()) {
            Ok(request) => request,
            Err(reason) => return not_sent(Outcome::NotBuilt(reason), Duration::ZERO),
        };
        if let Some(token) = token {
            request.authorize(token);
        }
        let head = head_of(&request);
        (head, self.parts.transport.send(way, request, start.endpoint.timeout).await)
    }

    /// What a receiver answers to a token is the attempt's end, 401 too: the next attempt has
    /// another token.
    async fn exchange_with_token(
        &self,
        start: &Start,
        way: &Way,
        client: &Arc<OAuth2Client>,
    ) -> (Box<str>, Exchange) {
        let began = Instant::now();
        let token = match self.tokens.of(way.endpoint, client, &way.policy).await {
            Ok(token) => token,
            Err(fault) => return not_sent(Outcome::NoToken(fault), began.elapsed()),
        };
        let (head, exchange) = self.exchange(start, way, Some(&token)).await;
        if exchange.outcome.status() == Some(StatusCode::UNAUTHORIZED.as_u16()) {
            self.tokens.refused(way.endpoint, &token).await;
        }
        (head, exchange)
    }

    fn request(&self, start: &Start, now: Timestamp) -> Result<OutgoingRequest, String> {
        let Start { endpoint, event, .. } = start;
        if endpoint.destination.scheme == Scheme::Http
            && self.parts.plain_http == PlainHttp::Refused
        {
            return Err("this server sends to https only; --allow-http opens http".into());
        }
        let signer = self.signer(event.tenant, &endpoint.contract);
        request::build(endpoint, signer.as_deref(), event, start.sequence, now)
            .map_err(|reason| reason.to_string())
    }

    pub(super) async fn load(self: Arc<Self>, shard: ShardId, epoch: Epoch, load: Load) {
        let Load { endpoint, rows, skip, limit, bytes } = load;
        let store = &self.parts.store;
        let page = match rows {
            Rows::Due(by) => store.load_due(endpoint, by, &skip, limit, bytes).await,
            Rows::Behind(lane) => store.load_behind(endpoint, lane, limit, bytes).await,
        };
        let _ = self.with(shard, |owned, now, fx| match page {
            _ if owned.epoch != epoch => {}
            Ok(page) => owned.machine.loaded(endpoint, rows, page, now, fx),
            Err(error) => {
                tracing::error!(%error, %endpoint, "waiting deliveries cannot be read");
                owned.machine.not_loaded(endpoint, rows, now + LOAD_AGAIN, now, fx);
            }
        });
    }
}

/// The request's head as it is kept: sensitive values masked.
fn head_of(request: &OutgoingRequest) -> Box<str> {
    let mut head = String::with_capacity(512);
    let method = request.message.method();
    let origin = request.destination.origin();
    let _ = write!(head, "{method} {origin}{}", request.shown_target());
    for (name, value) in request.message.headers() {
        let shown =
            if value.is_sensitive() { "••••" } else { value.to_str().unwrap_or("…") };
        head.push('\n');
        head.push_str(name.as_str());
        head.push_str(": ");
        head.push_str(shown);
    }
    head.into_boxed_str()
}

/// An attempt without a request: there is no head of it.
fn not_sent(outcome: Outcome, took: Duration) -> (Box<str>, Exchange) {
    let (response, headers, body) = (Box::default(), HeaderMap::new(), Box::default());
    (Box::default(), Exchange { outcome, took, response, headers, body })
}

fn record(n: u16, at: Timestamp, request: Box<str>, exchange: Exchange) -> Box<AttemptRecord> {
    Box::new(AttemptRecord {
        n,
        at,
        took: exchange.took,
        class: exchange.outcome.class(),
        status: exchange.outcome.status(),
        detail: exchange.outcome.detail().map(String::into_boxed_str),
        request,
        response: exchange.response,
        body: exchange.body,
    })
}
