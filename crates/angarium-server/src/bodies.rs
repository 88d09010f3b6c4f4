//! Bodies in: read within limits of length and pace, and of memory on the whole node.

use angarium_core::limits::Limits;
use angarium_core::pace::Pace;
use angarium_core::refusal::{Code, Refusal};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::{Instant, timeout_at};

/// Who sends a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Somebody with a key.
    Known,
    /// Anybody.
    Stranger,
}

/// The bodies that are being read.
#[derive(Debug)]
pub struct Bodies {
    held: AtomicUsize,
    most: usize,
    pace: Pace,
}

/// What one body holds while it is being read.
struct Held<'a> {
    bodies: &'a Bodies,
    bytes: usize,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.bodies.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Held<'_> {
    /// Holds so many more bytes, if there is room for them.
    fn grow(&mut self, bytes: usize, most: usize) -> Result<(), Refusal> {
        self.bytes += bytes;
        if self.bodies.held.fetch_add(bytes, Ordering::Relaxed) + bytes <= most {
            return Ok(());
        }
        let message = "too many bodies are being read; nothing was accepted";
        Err(Refusal::whole(Code::NodeOverloaded, message))
    }
}

impl Bodies {
    /// None yet, within these limits.
    pub fn new(limits: &Limits) -> Self {
        let (most, pace) = (limits.node_body_bytes, Pace::of_body(limits));
        Self { held: AtomicUsize::new(0), most, pace }
    }

    /// Reads a body of at most `limit` bytes. One that says that it is longer is not read at all.
    ///
    /// # Errors
    /// `body_too_large`; `node_overloaded` while the node holds too much of others; `bad_request`
    /// when it is too slow or breaks off.
    pub async fn read<B>(&self, body: B, limit: usize, sender: Sender) -> Result<Bytes, Refusal>
    where
        B: hyper::body::Body<Data = Bytes>,
    {
        if body.size_hint().lower() > limit as u64 {
            return Err(too_large(limit));
        }
        let most = match sender {
            Sender::Known => self.most,
            Sender::Stranger => self.most / 2,
        };
        let mut held = Held { bodies: self, bytes: 0 };
        let (mut body, began) = (pin!(body), Instant::now());
        let (mut first, mut whole) = (Bytes::new(), BytesMut::new());
        let mut due = self.pace.first_by();
        loop {
            let frame = match due.map(|due| began + due) {
                Some(by) => timeout_at(by, body.frame()).await.map_err(|_| self.too_slow())?,
                None => body.frame().await,
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|_| broken_off())?;
            let Ok(data) = frame.into_data() else { continue };
            if held.bytes + data.len() > limit {
                return Err(too_large(limit));
            }
            held.grow(data.len(), most)?;
            due = due.map(|due| self.pace.next_by(due, began.elapsed(), data.len() as u64));
            if held.bytes == data.len() {
                first = data;
                continue;
            }
            if whole.is_empty() {
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&data);
        }
        // What came in one piece, as most bodies do, is not copied.
        Ok(if whole.is_empty() { first } else { whole.freeze() })
    }

    fn too_slow(&self) -> Refusal {
        let (least, grace) = (self.pace.bytes_per_second, self.pace.grace.as_secs());
        let silence = self.pace.silence.as_secs();
        let message = format!(
            "after {grace} s a body comes at {least} bytes a second or more, and no pause is \
             longer than {silence} s"
        );
        Refusal::whole(Code::BadRequest, message)
    }
}

fn too_large(limit: usize) -> Refusal {
    Refusal::whole(Code::BodyTooLarge, format!("a body here has at most {limit} bytes"))
}

fn broken_off() -> Refusal {
    Refusal::whole(Code::BadRequest, "the body broke off")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::body::{Body, Frame};
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;
    use tokio::sync::mpsc::{Receiver, channel};

    /// Pieces of a body, each after a wait.
    fn pieces(pieces: Vec<(u64, usize)>) -> Pieces {
        let (sender, receiver) = channel::<Bytes>(1);
        tokio::spawn(async move {
            for (seconds, bytes) in pieces {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                if sender.send(Bytes::from(vec![b'x'; bytes])).await.is_err() {
                    return;
                }
            }
        });
        Pieces(receiver)
    }

    struct Pieces(Receiver<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
        }
    }

    async fn read(limits: &Limits, body: Vec<(u64, usize)>) -> Result<usize, Code> {
        let read = Bodies::new(limits).read(pieces(body), 4_096, Sender::Known).await;
        read.map(|bytes| bytes.len()).map_err(|refusal| refusal.code)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_has_a_length_a_pace_and_is_whole() {
        let limits = Limits::default();
        assert_eq!(read(&limits, vec![]).await, Ok(0));
        assert_eq!(read(&limits, vec![(0, 4_096)]).await, Ok(4_096));
        assert_eq!(read(&limits, vec![(0, 4_097)]).await, Err(Code::BodyTooLarge));
        assert_eq!(read(&limits, vec![(0, 4_000), (0, 97)]).await, Err(Code::BodyTooLarge));
        assert_eq!(read(&limits, vec![(4, 1_024), (1, 1_024), (1, 9)]).await, Ok(2_057));
        assert_eq!(read(&limits, vec![(6, 9)]).await, Err(Code::BadRequest));
        assert_eq!(read(&limits, vec![(4, 512), (2, 9)]).await, Err(Code::BadRequest));
        assert_eq!(read(&limits, vec![(0, 4_000), (8, 9)]).await, Ok(4_009));
        let roomy = Limits { body_pace: 100, ..limits.clone() };
        assert_eq!(read(&roomy, vec![(0, 4_000), (9, 9)]).await, Ok(4_009));
        assert_eq!(read(&roomy, vec![(0, 4_000), (11, 9)]).await, Err(Code::BadRequest));
        let any_pace = Limits { body_pace: 0, ..limits };
        assert_eq!(read(&any_pace, vec![(3_600, 9)]).await, Ok(9));
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_of_all_share_the_node_s_memory_and_strangers_have_half() {
        let limits = Limits { node_body_bytes: 1_000, ..Limits::default() };
        let bodies = Bodies::new(&limits);
        let read = async |body, sender| {
            bodies.read(pieces(body), 4_096, sender).await.map_err(|refusal| refusal.code)
        };
        let slow = read(vec![(0, 400), (2, 100)], Sender::Known);
        let beside = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(read(vec![(0, 101)], Sender::Stranger).await, Err(Code::NodeOverloaded));
            assert!(read(vec![(0, 100)], Sender::Stranger).await.is_ok());
            assert_eq!(read(vec![(0, 601)], Sender::Known).await, Err(Code::NodeOverloaded));
            assert!(read(vec![(0, 600)], Sender::Known).await.is_ok());
        };
        let (slow, ()) = tokio::join!(slow, beside);
        assert_eq!(slow.map(|bytes| bytes.len()), Ok(500));
        assert_eq!(bodies.held.load(Ordering::Relaxed), 0, "what was refused is given back too");
    }
}
