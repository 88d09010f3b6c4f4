//! The API's socket, and the task that serves it until the server stops.

use super::{ConnectionLimits, serve};
use crate::api::{self, App};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Connections that the system keeps until they are accepted: one that finds no room there comes
/// again after a second. The system may allow fewer.
const BACKLOG: u32 = 4_096;

/// Listens at an address.
///
/// # Errors
/// The system's.
pub(crate) fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart need not wait for the connections of the run before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The task that answers calls, and the way to end it.
pub(crate) struct ApiListener {
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl ApiListener {
    /// Serves the API; a stop gives calls under way the grace time.
    pub(crate) fn open(listener: TcpListener, app: Arc<App>, grace: Duration) -> Self {
        let (stop, stopped) = oneshot::channel();
        let limits = ConnectionLimits::new(&app.limits, grace);
        let router = api::router(Arc::clone(&app));
        // Whoever drops the sender stops the listener too.
        let stopped = async move { stopped.await.unwrap_or_default() };
        let task = tokio::spawn(serve(listener, app, router, limits, stopped));
        Self { stop, task }
    }

    /// Takes no new calls, and returns when those under way are answered or cut.
    pub(crate) async fn close(self) {
        let _ = self.stop.send(());
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the API's listener failed"),
            Err(error) => tracing::error!(%error, "the API's listener ended"),
        }
    }
}
