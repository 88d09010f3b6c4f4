//! An open connection as bytes: TCP, plain or under TLS.

use super::allowance::Allowance;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// The stream that HTTP is spoken on.
pub(super) struct Wire {
    stream: Stream,
    writing: Writing,
    allowance: Allowance,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Whether the peer keeps us from writing; tells a slow reader from a slow answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Writing(Arc<AtomicBool>);

impl Writing {
    /// Whether the last write found no room.
    pub(super) fn is_stalled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        self.0.store(written.is_pending(), Ordering::Relaxed);
        written
    }
}

impl Wire {
    pub(super) fn plain(stream: TcpStream, allowance: Allowance) -> Self {
        Self { stream: Stream::Plain(stream), writing: Writing::default(), allowance }
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>, allowance: Allowance) -> Self {
        Self { stream: Stream::Tls(Box::new(stream)), writing: Writing::default(), allowance }
    }

    pub(super) fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }

    pub(super) fn writing(&self) -> Writing {
        self.writing.clone()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        self.allowance.spend(buffer.filled().len() - before)?;
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        self.writing.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        };
        self.writing.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => {
                let flushed = Pin::new(stream).poll_flush(cx);
                self.writing.note(flushed)
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
