//! One connection, from its first byte to its end.

use super::ConnectionLimits;
use super::activity::{Activity, Noted};
use super::framing::{self, Framing};
use super::front::Front;
use super::places::Place;
use crate::api::problem::Problem;
use crate::metrics::Metrics;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Request, Version, header};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// How often it is asked whether the last answers are still being taken.
const STUCK: Duration = Duration::from_secs(10);
/// The least that hyper reads into.
const LEAST_HEAD_BYTES: usize = 8 * 1024;

pub(super) struct Connection {
    pub(super) limits: ConnectionLimits,
    pub(super) stopped: watch::Receiver<()>,
    pub(super) place: Place,
    pub(super) metrics: Arc<Metrics>,
}

impl Connection {
    pub(super) async fn serve(mut self, stream: TcpStream, front: Front) {
        // Small answers must not wait for each other; a socket that cannot do that still works.
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::new());
        let watched = Watched { front, activity: Arc::clone(&activity) };
        let builder = builder(&self.limits);
        let io = TokioIo::new(Noted { stream, activity: Arc::clone(&activity) });
        let mut served = pin!(builder.serve_connection(io, watched));
        let mut idle = pin!(activity.idle(self.limits.idle_time));
        let mut slow_head = pin!(activity.slow_head(self.limits.head_time));
        let mut stuck = pin!(activity.stuck(STUCK.min(self.limits.idle_time)));
        let mut ending = false;
        let cut = loop {
            tokio::select! {
                biased;
                ended = served.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection broke");
                    }
                    break None;
                }
                () = slow_head.as_mut() => break Some("slow_head"),
                () = idle.as_mut(), if !ending => {
                    self.metrics.connection_ended("idle");
                    ending = true;
                }
                _ = self.stopped.changed(), if !ending => ending = true,
                () = stuck.as_mut(), if ending => break Some("slow_answer"),
            }
            served.as_mut().graceful_shutdown();
        };
        if let Some(reason) = cut {
            self.metrics.connection_ended(reason);
        }
        drop(self.place);
    }
}

fn builder(limits: &ConnectionLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // For a head that follows another in the same bytes, and so begins unnoticed. It counts
        // from the last answer, so that it must be longer than a connection may stand idle.
        .header_read_timeout(limits.idle_time * 2 + limits.head_time)
        .max_headers(limits.head_lines)
        .max_buf_size(limits.head_bytes.max(LEAST_HEAD_BYTES));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .max_header_list_size(limits.h2_header_bytes)
        .max_pending_accept_reset_streams(limits.h2_resets)
        .max_local_error_reset_streams(limits.h2_resets)
        .keep_alive_interval(limits.idle_time / 2)
        .keep_alive_timeout(limits.head_time);
    builder
}

type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// Answers a connection's calls and notes that there are some.
struct Watched {
    front: Front,
    activity: Arc<Activity>,
}

impl Service<Request<Incoming>> for Watched {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let call = self.activity.begin();
        let front = self.front.clone();
        Box::pin(async move {
            let framing = framing::of(request.version(), request.headers());
            let is_first_version = request.version() < Version::HTTP_2;
            let (mut answer, is_last) = match framing {
                Ok(framing) => (front.answer(request).await, framing == Framing::Chunked),
                Err(refusal) => (Problem(refusal).into_response(), true),
            };
            if is_last && is_first_version {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(header::CONNECTION, close);
            }
            drop(call);
            Ok(answer)
        })
    }
}
