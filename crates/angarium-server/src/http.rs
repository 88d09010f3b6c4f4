//! The listener: every connection has limits and an end (reliability-security.md, P4).
//!
//! `POST /v1/events`, the hot path, is answered before the router is asked.

use crate::api::{App, is_direct, publish_directly};
use crate::origin::Peer;
use axum::Router;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// What a connection may cost.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// A request's head comes within this time.
    pub head_time: Duration,
    /// A connection without a request is closed after this time.
    pub idle_time: Duration,
    /// Calls under way have this time to end when the server stops.
    pub stop_time: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 8_192,
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(60),
            stop_time: Duration::from_secs(30),
        }
    }
}

const HEAD_BYTES: usize = 64 * 1024;
const HEADERS: usize = 100;
const H2_STREAMS: u32 = 128;
const H2_HEADER_LIST_BYTES: u32 = 16 * 1024;
const H2_RESETS: usize = 20;
/// How long to wait when the system cannot accept, for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` ends, then lets the calls under way end.
///
/// # Errors
/// When the listener cannot be used at all.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    router: Router,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.local_addr()?;
    let peer = Peer(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let front = Front { app, router: TowerToHyperService::new(router), peer };
    let places = Arc::new(Semaphore::new(limits.connections));
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let (stream, peer, place) = accepted;
        let connection = Connection { limits: limits.clone(), stopped: stopped.clone(), place };
        connections.spawn(connection.serve(stream, Front { peer, ..front.clone() }));
    }
    drop(listener);
    // The receivers see the sender go; that is the signal.
    drop((stop, stopped));
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.stop_time, all_ended).await.is_err() {
        tracing::warn!("connections were cut: their calls did not end in time");
        connections.shutdown().await;
    }
    Ok(())
}

/// Waits for a place, then for a connection that takes it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Peer, OwnedSemaphorePermit) {
    loop {
        let place = Arc::clone(places).acquire_owned().await;
        let place = place.expect("nobody closes the semaphore");
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, Peer(peer.ip().to_canonical()), place),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

struct Connection {
    limits: ConnectionLimits,
    stopped: watch::Receiver<()>,
    place: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve(mut self, stream: TcpStream, front: Front) {
        // Small answers must not wait for each other; a socket that cannot do that still works.
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::default());
        let watched = Watched { front, activity: Arc::clone(&activity) };
        let builder = builder(&self.limits);
        let mut served = pin!(builder.serve_connection(TokioIo::new(stream), watched));
        let mut idle = pin!(activity.idle(self.limits.idle_time));
        let mut ending = false;
        loop {
            tokio::select! {
                biased;
                ended = served.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection broke");
                    }
                    break;
                }
                () = idle.as_mut(), if !ending => ending = true,
                _ = self.stopped.changed(), if !ending => ending = true,
            }
            served.as_mut().graceful_shutdown();
        }
        drop(self.place);
    }
}

fn builder(limits: &ConnectionLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_headers(HEADERS)
        .max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS)
        .max_header_list_size(H2_HEADER_LIST_BYTES)
        .max_pending_accept_reset_streams(H2_RESETS)
        .max_local_error_reset_streams(H2_RESETS)
        .keep_alive_interval(limits.idle_time / 2)
        .keep_alive_timeout(limits.head_time);
    builder
}

/// Calls of one connection: how many are under way, how many there were.
#[derive(Debug, Default)]
struct Activity {
    open: AtomicUsize,
    begun: AtomicU64,
}

impl Activity {
    /// Ends when a whole span has passed without a call.
    async fn idle(&self, span: Duration) {
        loop {
            let before = self.begun.load(Ordering::Relaxed);
            tokio::time::sleep(span).await;
            let quiet = self.begun.load(Ordering::Relaxed) == before;
            if quiet && self.open.load(Ordering::Relaxed) == 0 {
                return;
            }
        }
    }
}

/// One call under way.
struct Open(Arc<Activity>);

impl Open {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.begun.fetch_add(1, Ordering::Relaxed);
        activity.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
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
        let open = Open::begin(&self.activity);
        let front = self.front.clone();
        Box::pin(async move {
            let answer = front.answer(request).await;
            drop(open);
            Ok(answer)
        })
    }
}

/// The hot path first, then the router.
#[derive(Clone)]
struct Front {
    app: Arc<App>,
    router: TowerToHyperService<Router>,
    peer: Peer,
}

impl Front {
    async fn answer(self, mut request: Request<Incoming>) -> Response {
        if is_direct(&self.app, &request) {
            return publish_directly(&self.app, request).await;
        }
        request.extensions_mut().insert(self.peer);
        match self.router.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
