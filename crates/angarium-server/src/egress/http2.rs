//! One HTTP/2 connection, shared by the attempts of one endpoint. Its machine is a task that ends
//! with the last handle: with the pool's and with those of the attempts under way.

use super::allowance::Allowance;
use super::answer::{Answer, Appetite, Beginning};
use super::config::EgressLimits;
use super::exchange::{Message, Sent, describe};
use super::wire::{Notes, Wire};
use angarium_core::destination::{Destination, Scheme};
use angarium_core::outcome::{Outcome, Phase};
use bytes::Bytes;
use http::uri::{Authority, Parts};
use http::{Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

/// A handle on a connection that carries several exchanges at a time.
#[derive(Clone)]
pub(super) struct Http2 {
    sender: SendRequest<Full<Bytes>>,
    notes: Notes,
    allowance: Allowance,
    /// An attempt waited in vain: the peer may be gone, and takes no new exchange.
    retired: Arc<AtomicBool>,
    pub(super) opened: Instant,
    _machine: Arc<Machine>,
}

/// Ends the connection's task when the last handle is gone.
struct Machine(AbortHandle);

impl Drop for Machine {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Http2 {
    pub(super) async fn open(wire: Wire, limits: &EgressLimits) -> Result<Self, Outcome> {
        let (notes, allowance) = (wire.notes(), wire.allowance());
        let head_bytes = u32::try_from(limits.head_bytes).unwrap_or(u32::MAX);
        let (sender, machine) = Builder::new(TokioExecutor::new())
            .max_header_list_size(head_bytes)
            .initial_stream_window_size(window(limits))
            .initial_connection_window_size(window(limits).saturating_mul(STREAMS_AT_FULL_SPEED))
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|error| describe(&error))?;
        // A failure of the connection reaches every exchange on it; the task has nothing to add.
        let task = tokio::spawn(async move { machine.await.unwrap_or_default() });
        Ok(Self {
            sender,
            notes,
            allowance,
            retired: Arc::default(),
            opened: Instant::now(),
            _machine: Arc::new(Machine(task.abort_handle())),
        })
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.retired.load(Ordering::Relaxed) && self.sender.is_ready() && !self.sender.is_closed()
    }

    /// Makes one exchange, as `Http1::exchange` does; a body that is cut resets its stream only.
    pub(super) async fn exchange(
        &mut self,
        mut message: Message,
        destination: &Destination,
        limits: &EgressLimits,
        deadline: Instant,
    ) -> Sent {
        let _reading = self.allowance.begin();
        if let Err(outcome) = address(&mut message, destination) {
            return Sent::Lost(outcome);
        }
        let response = match timeout_at(deadline, self.sender.try_send_request(message)).await {
            Err(_elapsed) => {
                self.retired.store(true, Ordering::Relaxed);
                return Sent::Lost(Outcome::TimedOut(self.phase()));
            }
            Ok(Err(mut lost)) => {
                return match lost.take_message() {
                    Some(message) => Sent::Unsent(message),
                    None => Sent::Lost(describe(lost.error())),
                };
            }
            Ok(Ok(response)) => response,
        };
        let (head, body) = response.into_parts();
        if head.headers.len() > limits.head_fields {
            return Sent::Lost(Outcome::Malformed("the head of the answer is too long".into()));
        }
        let mut beginning = Beginning::new(limits.body_kept_bytes, limits.body_read_bytes);
        let until = deadline.min(Instant::now() + limits.body);
        // Success is decided already (D4): what came of the body in time is kept.
        timeout_at(until, read(body, &mut beginning)).await.ok();
        Sent::Answered(Answer::of(head.status, head.headers, beginning.into_bytes()))
    }

    pub(super) fn notes(&self) -> &Notes {
        &self.notes
    }

    fn phase(&self) -> Phase {
        match self.notes.is_stalled() {
            true => Phase::Write,
            false => Phase::Head,
        }
    }
}

/// How many answers may be under way with full windows; answers are short. What exchanges that were
/// cut leave on the way is no more than this, and fits into the allowance of the next.
const STREAMS_AT_FULL_SPEED: u32 = 4;

/// What a peer may send of a body before it is read: no more than is read at all.
fn window(limits: &EgressLimits) -> u32 {
    const LEAST: u32 = 65_535;
    u32::try_from(limits.body_read_bytes).map_or(LEAST, |bytes| bytes.max(LEAST))
}

async fn read(mut body: Incoming, beginning: &mut Beginning) {
    while let Some(Ok(frame)) = body.frame().await {
        let appetite = frame.data_ref().map(|data| beginning.take(data));
        if appetite == Some(Appetite::Enough) {
            return;
        }
    }
}

/// Gives a message the form of HTTP/2: scheme and authority in the URI, no `Host`.
fn address(message: &mut Message, destination: &Destination) -> Result<(), Outcome> {
    let not_built = |_| Outcome::NotBuilt("the request has no valid address".into());
    message.headers_mut().remove(header::HOST);
    let mut parts: Parts = std::mem::take(message.uri_mut()).into_parts();
    parts.scheme = Some(match destination.scheme {
        Scheme::Http => http::uri::Scheme::HTTP,
        Scheme::Https => http::uri::Scheme::HTTPS,
    });
    let authority = Authority::try_from(destination.authority.as_bytes());
    parts.authority = Some(authority.map_err(not_built)?);
    *message.uri_mut() = Uri::from_parts(parts)
        .map_err(|_| Outcome::NotBuilt("the request has no valid address".into()))?;
    Ok(())
}
