//! An open connection as bytes: TCP, plain or under TLS.

use super::allowance::Allowance;
use super::tls;
use angarium_core::outcome::Outcome;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// The stream that HTTP is spoken on.
pub(super) struct Wire {
    stream: Stream,
    notes: Notes,
    allowance: Allowance,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What a wire notes for who speaks HTTP on it.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes(Arc<Noted>);

#[derive(Debug, Default)]
struct Noted {
    is_stalled: AtomicBool,
    broken: OnceLock<Outcome>,
}

impl Notes {
    /// Whether the last write found no room: tells a slow reader from a slow answer.
    pub(super) fn is_stalled(&self) -> bool {
        self.0.is_stalled.load(Ordering::Relaxed)
    }

    /// By what TLS was broken after its handshake, if it was. In TLS 1.3 a receiver judges a client
    /// certificate only then; HTTP knows no more of it than that the connection ended.
    pub(super) fn broken(&self) -> Option<&Outcome> {
        self.0.broken.get()
    }

    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        self.0.is_stalled.store(written.is_pending(), Ordering::Relaxed);
        written
    }

    fn note_read<T>(&self, read: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &read
            && let Some(fault) = error.get_ref().and_then(|source| source.downcast_ref())
        {
            self.0.broken.get_or_init(|| tls::describe(fault));
        }
        read
    }
}

impl Wire {
    pub(super) fn plain(stream: TcpStream, allowance: Allowance) -> Self {
        Self { stream: Stream::Plain(stream), notes: Notes::default(), allowance }
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>, allowance: Allowance) -> Self {
        Self { stream: Stream::Tls(Box::new(stream)), notes: Notes::default(), allowance }
    }

    pub(super) fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }

    pub(super) fn notes(&self) -> Notes {
        self.notes.clone()
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
        self.notes.note_read(read)
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
        self.notes.note(written)
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
        self.notes.note(written)
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
                self.notes.note(flushed)
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
