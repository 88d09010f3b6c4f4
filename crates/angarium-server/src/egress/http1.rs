//! One HTTP/1.1 connection. Its machine is polled in the attempt's own future: no task of its own,
//! no wake-up between two tasks for each attempt.

use super::allowance::Allowance;
use super::answer::{Answer, Appetite, Beginning};
use super::config::EgressLimits;
use super::exchange::{Message, Sent, describe};
use super::wire::{Notes, Wire};
use angarium_core::destination::Destination;
use angarium_core::outcome::{Outcome, Phase};
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Response, header};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use tokio::time::{Instant, timeout_at};

/// A connection that carries one exchange at a time.
pub(super) struct Http1 {
    sender: SendRequest<Full<Bytes>>,
    machine: Connection<TokioIo<Wire>, Full<Bytes>>,
    state: State,
    notes: Notes,
    allowance: Allowance,
    pub(super) opened: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Closed,
}

/// How the reading of a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Cut,
}

type Head = Result<Response<Incoming>, TrySendError<Message>>;

impl Http1 {
    pub(super) async fn open(wire: Wire, limits: &EgressLimits) -> Result<Self, Outcome> {
        let (notes, allowance) = (wire.notes(), wire.allowance());
        let (sender, machine) = Builder::new()
            .max_headers(limits.head_fields)
            .max_header_size(limits.head_bytes)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|error| describe(&error))?;
        let opened = Instant::now();
        Ok(Self { sender, machine, state: State::Open, notes, allowance, opened })
    }

    /// Whether another exchange can begin; notices what the peer did meanwhile.
    pub(super) fn is_ready(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.state == State::Open && self.sender.is_ready()
    }

    /// Makes one exchange. The head must come before the deadline; the body is read as far as its
    /// own limits allow and never changes the outcome (D4).
    pub(super) async fn exchange(
        &mut self,
        mut message: Message,
        destination: &Destination,
        limits: &EgressLimits,
        deadline: Instant,
    ) -> Sent {
        let _reading = self.allowance.begin();
        address(&mut message, destination);
        let informational = count_informational(&mut message);
        let head = self.head(message, &informational, limits.informational);
        let response = match timeout_at(deadline, head).await {
            Err(_elapsed) => return Sent::Lost(Outcome::TimedOut(self.phase())),
            Ok(None) => {
                return Sent::Lost(Outcome::Malformed("too many informational answers".into()));
            }
            Ok(Some(Err(mut lost))) => {
                return match lost.take_message() {
                    Some(message) => Sent::Unsent(message),
                    None => Sent::Lost(describe(lost.error())),
                };
            }
            Ok(Some(Ok(response))) => response,
        };
        let (head, body) = response.into_parts();
        let mut beginning = Beginning::new(limits.body_kept_bytes, limits.body_read_bytes);
        let until = deadline.min(Instant::now() + limits.body);
        let end = timeout_at(until, self.read(body, &mut beginning)).await;
        if end != Ok(End::Whole) {
            self.state = State::Closed;
        }
        Sent::Answered(Answer::of(head.status, head.headers, beginning.into_bytes()))
    }

    /// The answer's head; none when there were too many informational ones before it.
    async fn head(
        &mut self,
        message: Message,
        informational: &AtomicUsize,
        most: usize,
    ) -> Option<Head> {
        let mut head = pin!(self.sender.try_send_request(message));
        poll_fn(|cx| {
            drive(&mut self.machine, &mut self.state, cx);
            // Only the machine completes it, and that was just polled: no second waker is needed.
            match head.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(head) => Poll::Ready(Some(head)),
                Poll::Pending if informational.load(Ordering::Relaxed) > most => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    async fn read(&mut self, mut body: Incoming, beginning: &mut Beginning) -> End {
        poll_fn(|cx| {
            loop {
                let mut frame = poll_frame(&mut body);
                if frame.is_pending() {
                    // Asking told the machine that more is wanted; let it fetch that.
                    self.drive(cx);
                    frame = poll_frame(&mut body);
                }
                match frame {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => return Poll::Ready(End::Whole),
                    Poll::Ready(Some(Err(_))) => return Poll::Ready(End::Cut),
                    Poll::Ready(Some(Ok(frame))) => {
                        let appetite = frame.data_ref().map(|data| beginning.take(data));
                        if appetite == Some(Appetite::Enough) {
                            return Poll::Ready(End::Cut);
                        }
                    }
                }
            }
        })
        .await
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.machine, &mut self.state, cx);
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

/// Lets the connection do what can be done now; once it has ended it is not polled again.
fn drive(
    machine: &mut Connection<TokioIo<Wire>, Full<Bytes>>,
    state: &mut State,
    cx: &mut Context<'_>,
) {
    if *state == State::Open && Pin::new(machine).poll(cx).is_ready() {
        *state = State::Closed;
    }
}

fn poll_frame(body: &mut Incoming) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
    Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}

/// Gives a message the form of HTTP/1.1: path only, and a `Host`.
fn address(message: &mut Message, destination: &Destination) {
    if message.uri().scheme().is_some() {
        let path = message.uri().path_and_query().cloned();
        *message.uri_mut() = path.unwrap_or(PathAndQuery::from_static("/")).into();
    }
    message.headers_mut().insert(header::HOST, destination.authority.clone());
}

fn count_informational(message: &mut Message) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    hyper::ext::on_informational(message, move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    count
}
