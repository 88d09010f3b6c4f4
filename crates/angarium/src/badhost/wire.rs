//! A caller's connection, with what passes over it counted below TLS.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// What has passed over a connection.
#[derive(Debug, Default)]
pub(super) struct Meter {
    read: AtomicU64,
    written: AtomicU64,
    resets: AtomicBool,
}

impl Meter {
    /// Bytes from the sender.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes to the sender, those in the buffers of both systems included.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// From now on the connection ends with RST.
    pub(super) fn reset_at_end(&self) {
        self.resets.store(true, Ordering::Relaxed);
    }
}

/// A connection that counts.
pub(super) struct Wire {
    stream: TcpStream,
    meter: Arc<Meter>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, meter: Arc<Meter>) -> Self {
        // Without it small writes wait for each other, and a drip is no drip.
        stream.set_nodelay(true).ok();
        Self { stream, meter }
    }
}

/// A connection that can be asked about the sender without reading from it.
pub(super) trait Line: AsyncRead + AsyncWrite + Unpin {
    /// Whether the sender has closed or broken off.
    fn is_left(&self) -> bool;
}

impl Line for Wire {
    fn is_left(&self) -> bool {
        let ready = pin!(self.stream.ready(Interest::READABLE));
        match ready.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(ready)) => ready.is_read_closed(),
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        }
    }
}

impl Line for TlsStream<Wire> {
    fn is_left(&self) -> bool {
        self.get_ref().0.is_left()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.meter.resets.load(Ordering::Relaxed) {
            self.stream.set_zero_linger().ok();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let more = buffer.filled().len() - before;
        self.meter.read.fetch_add(more as u64, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = polled {
            self.meter.written.fetch_add(written as u64, Ordering::Relaxed);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
