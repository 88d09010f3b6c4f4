//! One request and its answer on one connection, whatever version of HTTP it speaks.

use super::allowance::TooMuch;
use super::answer::Answer;
use super::config::EgressLimits;
use super::http1::Http1;
use super::http2::Http2;
use super::tls::Protocol;
use super::wire::Wire;
use angarium_core::destination::Destination;
use angarium_core::outcome::Outcome;
use bytes::Bytes;
use http_body_util::Full;
use std::error::Error;
use std::io;
use tokio::time::Instant;

/// The request as the connection writes it.
pub(super) type Message = http::Request<Full<Bytes>>;

/// What became of a request.
pub(super) enum Sent {
    /// A complete head came in time.
    Answered(Answer),
    /// The connection was closed before a byte of the request was written: the only case in which
    /// it may be written to another (D6).
    Unsent(Message),
    /// It may have been received, and no answer came.
    Lost(Outcome),
}

/// An open connection.
pub(super) enum Connection {
    Http1(Box<Http1>),
    Http2(Http2),
}

impl Connection {
    pub(super) async fn open(
        wire: Wire,
        protocol: Protocol,
        limits: &EgressLimits,
    ) -> Result<Self, Outcome> {
        match protocol {
            Protocol::Http1 => {
                let connection = Http1::open(wire, limits).await?;
                Ok(Self::Http1(Box::new(connection)))
            }
            Protocol::Http2 => Http2::open(wire, limits).await.map(Self::Http2),
        }
    }

    pub(super) fn opened(&self) -> Instant {
        match self {
            Self::Http1(http1) => http1.opened,
            Self::Http2(http2) => http2.opened,
        }
    }

    /// By what TLS was broken after its handshake, if it was.
    pub(super) fn broken(&self) -> Option<&Outcome> {
        match self {
            Self::Http1(http1) => http1.notes().broken(),
            Self::Http2(http2) => http2.notes().broken(),
        }
    }

    /// Whether another exchange can begin.
    pub(super) fn is_ready(&mut self) -> bool {
        match self {
            Self::Http1(http1) => http1.is_ready(),
            Self::Http2(http2) => http2.is_ready(),
        }
    }

    pub(super) async fn exchange(
        &mut self,
        message: Message,
        destination: &Destination,
        limits: &EgressLimits,
        deadline: Instant,
    ) -> Sent {
        match self {
            Self::Http1(http1) => http1.exchange(message, destination, limits, deadline).await,
            // Boxed, or an attempt over HTTP/1.1 would be as large as both.
            Self::Http2(http2) => {
                Box::pin(http2.exchange(message, destination, limits, deadline)).await
            }
        }
    }
}

/// What a broken connection says about the receiver.
pub(super) fn describe(error: &hyper::Error) -> Outcome {
    if is_too_much(error) {
        return Outcome::Malformed("the answer is too long".into());
    }
    if error.is_parse_too_large() {
        return Outcome::Malformed("the head of the answer is too long".into());
    }
    if error.is_parse() {
        return Outcome::Malformed("the answer is not HTTP".into());
    }
    if error.is_incomplete_message() || error.is_canceled() {
        return Outcome::Broken("the connection was closed before the answer".into());
    }
    let kind =
        error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
    Outcome::Broken(match kind {
        Some(kind) => format!("the connection broke: {kind}"),
        None => "the connection broke".into(),
    })
}

/// Whether the allowance ended the connection; HTTP/2 wraps that more than once.
fn is_too_much(error: &hyper::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if inner.is_some_and(|inner| inner.is::<TooMuch>()) {
            return true;
        }
        cause = error.source();
    }
    false
}
