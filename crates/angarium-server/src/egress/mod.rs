//! The one way out: every outbound connection of the product is opened here
//! (reliability-security.md, S1 to S12).
//!
//! ```text
//! pool ──▶ resolve ──▶ judge ──▶ dial ──▶ TLS ──▶ exchange ──▶ answer, cut to its limits ──▶ pool
//! ```
//!
//! One attempt is one request: nothing is repeated but a request of which a closed pooled
//! connection had not written a byte. There are no redirects, no proxies from the process's
//! environment and no decompression. Who is sent to, and through which proxy, the environment's
//! policy says.

use angarium_core::destination::Destination;
use angarium_core::egress::EgressPolicy;
use angarium_core::endpoint::EndpointTls;
use angarium_core::id::EndpointNo;
use angarium_core::outcome::Outcome;
use angarium_core::request::OutgoingRequest;
use async_trait::async_trait;
use bytes::Bytes;
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderValue};
use http_body_util::Full;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

mod allowance;
mod answer;
mod config;
mod dial;
mod exchange;
mod http1;
mod http2;
mod pool;
mod resolve;
mod tls;
mod tunnel;
mod wire;

use answer::Answer;
pub use config::{EgressConfig, EgressLimits, NameServers};
use dial::Dialler;
use exchange::{Connection, Message, Sent};
use pool::Pool;

/// What one attempt brought back.
#[derive(Debug)]
pub struct Exchange {
    /// What the network said.
    pub outcome: Outcome,
    /// From the start of the attempt to the end of the answer.
    pub took: Duration,
    /// The answer's head as it is kept: a line `name: value` for each header of the allow-list.
    pub response: Box<str>,
    /// All headers of the answer, for who must look at one; they are not kept.
    pub headers: HeaderMap,
    /// The beginning of the answer's body.
    pub body: Box<[u8]>,
}

/// By which way a request leaves.
#[derive(Debug, Clone)]
pub struct Way {
    /// Whose connections it may use; [`NO_ENDPOINT`] for one of its own.
    pub endpoint: EndpointNo,
    /// Where it may go, and through what.
    pub policy: Arc<EgressPolicy>,
    /// How its connections are secured; none for the server's own TLS.
    pub tls: Option<Arc<EndpointTls>>,
}

/// Sends requests; the simulator replaces it. A receiver's failure is an [`Outcome`], never an
/// error.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Makes one attempt: one request, within `timeout`. Connections are shared by the attempts of
    /// one endpoint only.
    async fn send(&self, way: &Way, request: OutgoingRequest, timeout: Duration) -> Exchange;
}

/// Why the egress cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// A text of extra roots without a certificate.
    #[error("an extra root has no PEM certificate in it")]
    NoRoot,
    /// A text of extra roots that is not PEM.
    #[error("an extra root is not PEM")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// A root that is not a certificate, or TLS that cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The system's name servers cannot be read.
    #[error("the system's name servers cannot be read")]
    NameServers(#[from] hickory_resolver::net::NetError),
}

/// Attempts of no endpoint (a handshake before there is one) have this number; their connections
/// are not kept.
pub const NO_ENDPOINT: EndpointNo = EndpointNo::new(0);

/// Longest time between two looks at the idle connections.
const REAP_EVERY: Duration = Duration::from_secs(5);

/// The transport over the network.
pub struct Egress {
    dialler: Dialler,
    pool: Arc<Pool>,
    limits: EgressLimits,
    /// What belongs to no endpoint is read for what it says (a token, a certificate), and so kept
    /// whole, however little is kept in records.
    whole: EgressLimits,
    reaper: JoinHandle<()>,
}

impl Egress {
    /// Makes the egress, inside a tokio runtime: a task of its own closes idle connections, and
    /// ends with it.
    ///
    /// # Errors
    /// When a root certificate or the system's name servers cannot be read.
    pub fn new(config: EgressConfig) -> Result<Self, EgressError> {
        let dialler = Dialler::new(&config)?;
        let pool = Arc::new(Pool::new(config.limits.clone()));
        let reaper = tokio::spawn(reap(Arc::clone(&pool), REAP_EVERY.min(config.limits.idle)));
        let limits = config.limits;
        let whole = EgressLimits { body_kept_bytes: limits.body_read_bytes, ..limits.clone() };
        Ok(Self { dialler, pool, limits, whole, reaper })
    }

    async fn attempt(
        &self,
        way: &Way,
        request: OutgoingRequest,
        started: Instant,
        timeout: Duration,
    ) -> Answer {
        let deadline = started + timeout;
        let limits = if way.endpoint == NO_ENDPOINT { &self.whole } else { &self.limits };
        let destination = &*request.destination;
        let mut message = prepare(request.message);
        loop {
            let kept = self.pool.take(way, destination, started);
            let is_kept = kept.is_some();
            let mut connection = match kept {
                Some(kept) => kept,
                // Boxed, because opening is rare and its future large.
                None => match Box::pin(self.open(way, destination, deadline)).await {
                    Ok(opened) => opened,
                    Err(outcome) => return Answer::none(outcome),
                },
            };
            match connection.exchange(message, destination, limits, deadline).await {
                Sent::Unsent(unsent) if is_kept => message = unsent,
                sent => return self.conclude(way, destination, connection, sent),
            }
        }
    }

    async fn open(
        &self,
        way: &Way,
        destination: &Destination,
        deadline: Instant,
    ) -> Result<Connection, Outcome> {
        let (wire, protocol) = self.dialler.open(destination, way, deadline).await?;
        let connection = Connection::open(wire, protocol, &self.limits).await?;
        if let Connection::Http2(shared) = &connection {
            let shared = Connection::Http2(shared.clone());
            self.keep(way, destination, shared);
        }
        Ok(connection)
    }

    fn conclude(
        &self,
        way: &Way,
        destination: &Destination,
        connection: Connection,
        sent: Sent,
    ) -> Answer {
        match sent {
            Sent::Answered(answer) => {
                self.keep(way, destination, connection);
                answer
            }
            Sent::Lost(outcome) => {
                let outcome = connection.broken().cloned().unwrap_or(outcome);
                drop(connection);
                self.pool.forget_unusable(way.endpoint);
                Answer::none(outcome)
            }
            Sent::Unsent(_) => {
                let closed =
                    || Outcome::Broken("the connection was closed before the request".into());
                Answer::none(connection.broken().cloned().unwrap_or_else(closed))
            }
        }
    }

    fn keep(&self, way: &Way, destination: &Destination, mut connection: Connection) {
        if way.endpoint != NO_ENDPOINT && connection.is_ready() {
            let now = Instant::now();
            self.pool.put(way, destination, connection, now);
        }
    }
}

#[async_trait]
impl Transport for Egress {
    async fn send(&self, way: &Way, request: OutgoingRequest, timeout: Duration) -> Exchange {
        let started = Instant::now();
        let answer = self.attempt(way, request, started, timeout).await;
        Exchange {
            outcome: answer.outcome,
            took: started.elapsed(),
            response: answer::kept_head(&answer.headers),
            headers: answer.headers,
            body: answer.body,
        }
    }
}

impl Drop for Egress {
    fn drop(&mut self) {
        self.reaper.abort();
    }
}

/// Asks for an answer without compression, whatever the contract says (S9).
fn prepare(message: http::Request<Bytes>) -> Message {
    let mut message = message.map(Full::new);
    message.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    message
}

async fn reap(pool: Arc<Pool>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        pool.expire(Instant::now());
    }
}
