//! What goes on at one connection: calls under way, a head that has begun, bytes that were taken.
//!
//! hyper's own timer for heads runs while a connection that is kept open waits for its next
//! request too, so it cannot tell a caller who is idle from one who is slow. Here a head begins
//! with its first byte.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0";
/// No head has begun.
const NONE: u64 = u64::MAX;
/// An answer is taken by at least so many bytes in each second once its connection is to end.
const TAKEN: u64 = 1_024;

/// See the module.
#[derive(Debug)]
pub(super) struct Activity {
    began: Instant,
    under_way: AtomicUsize,
    calls: AtomicU64,
    written: AtomicU64,
    is_h2: AtomicBool,
    /// When the head that is being read began, in milliseconds of this connection.
    head: AtomicU64,
    head_begins: Notify,
}

/// One call under way.
pub(super) struct Call(Arc<Activity>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            under_way: AtomicUsize::new(0),
            calls: AtomicU64::new(0),
            written: AtomicU64::new(0),
            is_h2: AtomicBool::new(false),
            head: AtomicU64::new(NONE),
            head_begins: Notify::new(),
        }
    }

    /// A head has come: its call begins.
    pub(super) fn begin(self: &Arc<Self>) -> Call {
        self.head.store(NONE, Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Call(Arc::clone(self))
    }

    fn is_quiet(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) == 0
    }

    /// Ends when a whole span has passed without a call.
    pub(super) async fn idle(&self, span: Duration) {
        loop {
            let before = self.calls.load(Ordering::Relaxed);
            sleep(span).await;
            if self.calls.load(Ordering::Relaxed) == before && self.is_quiet() {
                return;
            }
        }
    }

    /// Ends when a head takes longer than the span.
    pub(super) async fn slow_head(&self, span: Duration) {
        loop {
            while let Some(began) = self.head_began() {
                if began + span <= Instant::now() {
                    return;
                }
                sleep_until(began + span).await;
            }
            self.head_begins.notified().await;
        }
    }

    /// Ends when for a whole span nothing was under way but an answer that hardly anybody took.
    pub(super) async fn stuck(&self, span: Duration) {
        loop {
            let before = self.written.load(Ordering::Relaxed);
            sleep(span).await;
            let taken = self.written.load(Ordering::Relaxed) - before;
            if self.is_quiet() && taken < TAKEN * span.as_secs().max(1) {
                return;
            }
        }
    }

    fn head_began(&self) -> Option<Instant> {
        let millis = self.head.load(Ordering::Relaxed);
        (millis != NONE).then(|| self.began + Duration::from_millis(millis))
    }

    /// Bytes came. Those of a body, or of HTTP/2, which has no heads of its own, begin none.
    fn came(&self, bytes: &[u8]) {
        if self.calls.load(Ordering::Relaxed) == 0 && bytes.starts_with(PREFACE) {
            self.is_h2.store(true, Ordering::Relaxed);
        }
        let begins = self.is_quiet()
            && self.head.load(Ordering::Relaxed) == NONE
            && !self.is_h2.load(Ordering::Relaxed);
        if begins {
            let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(NONE);
            self.head.store(millis, Ordering::Relaxed);
            self.head_begins.notify_one();
        }
    }
}

/// A connection whose bytes are noted.
pub(super) struct Noted {
    pub(super) stream: TcpStream,
    pub(super) activity: Arc<Activity>,
}

impl AsyncRead for Noted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if let Some(bytes @ [_, ..]) = buffer.filled().get(before..) {
            self.activity.came(bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Noted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let taken = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.activity.written.fetch_add(taken as u64, Ordering::Relaxed);
        Poll::Ready(Ok(taken))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let taken = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bytes))?;
        self.activity.written.fetch_add(taken as u64, Ordering::Relaxed);
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, timeout};

    const SPAN: Duration = Duration::from_secs(10);
    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_span_from_its_first_byte_and_idleness_is_no_head() {
        let activity = Arc::new(Activity::new());
        assert!(timeout(SPAN * 9, activity.slow_head(SPAN)).await.is_err(), "nobody has begun");
        activity.came(b"GET /");
        advance(SPAN / 2).await;
        activity.came(b" HTTP");
        assert!(timeout(SPAN / 2 - SECOND, activity.slow_head(SPAN)).await.is_err());
        assert!(timeout(SECOND * 2, activity.slow_head(SPAN)).await.is_ok(), "its bytes buy none");
        drop(activity.begin());
        assert!(timeout(SPAN * 9, activity.slow_head(SPAN)).await.is_err(), "it came at last");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_and_http_2_begin_no_head() {
        let activity = Arc::new(Activity::new());
        let call = activity.begin();
        activity.came(b"a body");
        assert!(timeout(SPAN * 2, activity.slow_head(SPAN)).await.is_err());
        assert!(timeout(SPAN * 2, activity.idle(SPAN)).await.is_err(), "a call is under way");
        drop(call);
        assert!(timeout(SPAN * 2, activity.idle(SPAN)).await.is_ok());
        let activity = Activity::new();
        activity.came(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        assert!(timeout(SPAN * 2, activity.slow_head(SPAN)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_taken_at_a_kibibyte_a_second_or_is_stuck() {
        let activity = Activity::new();
        for (each_second, is_stuck) in [(TAKEN * 2, false), (TAKEN / 2, true)] {
            let take = async {
                loop {
                    activity.written.fetch_add(each_second, Ordering::Relaxed);
                    sleep(SECOND).await;
                }
            };
            let ended = tokio::select! {
                () = activity.stuck(SPAN) => true,
                _ = timeout(SPAN * 3, take) => false,
            };
            assert_eq!(ended, is_stuck, "{each_second}");
        }
    }
}
