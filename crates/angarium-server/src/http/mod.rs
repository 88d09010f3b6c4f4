//! The listener: every connection has limits and an end (reliability-security.md, P4).
//!
//! `POST /v1/events`, the hot path, is answered before the router is asked (`front.rs`).

mod activity;
mod connection;
mod framing;
mod front;
pub(crate) mod listener;
mod places;

use crate::api::App;
use crate::origin::Peer;
use angarium_core::limits::Limits;
use axum::Router;
use connection::Connection;
use front::Front;
use hyper_util::service::TowerToHyperService;
use places::Places;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long calls under way may take to end when the server stops, unless it says otherwise.
const STOP_TIME: Duration = Duration::from_secs(30);
/// How long to wait when the system cannot accept, for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// So often it is logged, while it goes on, that an address has all its connections.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// What a connection may cost.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// Connections of one address at once; more are closed.
    pub of_one_address: usize,
    /// Longest head, in bytes.
    pub head_bytes: usize,
    /// Most lines of a head.
    pub head_lines: usize,
    /// A request's head comes within this time from its first byte.
    pub head_time: Duration,
    /// A connection without a request is closed after this time.
    pub idle_time: Duration,
    /// Most calls under way on one HTTP/2 connection.
    pub h2_streams: u32,
    /// Longest list of headers of an HTTP/2 request, in bytes.
    pub h2_header_bytes: u32,
    /// Most streams of an HTTP/2 connection that were reset for nothing.
    pub h2_resets: usize,
    /// Calls under way have this time to end when the server stops.
    pub stop_time: Duration,
}

impl ConnectionLimits {
    /// Those of the table.
    pub fn new(limits: &Limits, stop_time: Duration) -> Self {
        let narrow = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let seconds = |value: usize| Duration::from_secs(value.max(1) as u64);
        Self {
            connections: limits.connections,
            of_one_address: limits.connections_per_address,
            head_bytes: limits.head_bytes,
            head_lines: limits.head_lines,
            head_time: seconds(limits.head_seconds),
            idle_time: seconds(limits.idle_seconds),
            h2_streams: narrow(limits.h2_streams),
            h2_header_bytes: narrow(limits.h2_header_bytes),
            h2_resets: limits.h2_resets,
            stop_time,
        }
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self::new(&Limits::default(), STOP_TIME)
    }
}

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
    let places = Places::new(&limits, app.outside.trusted_proxies.clone());
    let metrics = Arc::clone(&app.metrics);
    let peer = Peer(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let front = Front { app, router: TowerToHyperService::new(router), peer };
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let mut told = None;
    loop {
        while connections.try_join_next().is_some() {}
        let (free, stream, peer) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = async {
                let free = places.free().await;
                let (stream, peer) = accept(&listener).await;
                (free, stream, peer)
            } => accepted,
        };
        let Some(place) = places.take(free, peer.0) else {
            metrics.connection_ended("address");
            if told.is_none_or(|at: Instant| at.elapsed() >= TOLD_EVERY) {
                told = Some(Instant::now());
                tracing::warn!(
                    address = %peer.0,
                    "an address has as many connections as the limit connections_per_address \
                     allows; a proxy of yours is named by --trusted-proxy"
                );
            }
            continue;
        };
        let (stopped, metrics) = (stopped.clone(), Arc::clone(&metrics));
        let connection = Connection { limits: limits.clone(), stopped, place, metrics };
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

/// Waits for a connection.
async fn accept(listener: &TcpListener) -> (TcpStream, Peer) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, Peer(peer.ip().to_canonical())),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
