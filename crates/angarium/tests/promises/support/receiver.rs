//! A receiver on loopback that records what arrives and answers by script.

use super::message::Message;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a receiver does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Answers with this status.
    Status(u16),
    /// Answers with this status after a while.
    Late(Duration, u16),
    /// Answers with this status and these header lines, each with its line end.
    Headed(u16, String),
    /// Closes the connection without an answer.
    HangUp,
}

type Script = dyn Fn(&Message) -> Reply + Send + Sync;

/// A running receiver. Its threads end with the process.
pub(crate) struct Receiver {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Message>>>,
}

impl Receiver {
    /// Answers every request with 200.
    pub(crate) fn kind() -> Self {
        Self::scripted(|_| Reply::Status(200))
    }

    /// Answers by script, and records every request before it is answered.
    pub(crate) fn scripted(script: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = seen.clone();
        let address = serve(Arc::new(move |request: &Message| {
            lock(&record).push(request.clone());
            script(request)
        }));
        Self { address, seen }
    }

    /// Answers by script and keeps nothing: for runs with many requests.
    pub(crate) fn unrecorded(script: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        Self { address: serve(Arc::new(script)), seen: Arc::default() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What arrived so far.
    pub(crate) fn seen(&self) -> Vec<Message> {
        lock(&self.seen).clone()
    }

    pub(crate) fn count(&self) -> usize {
        lock(&self.seen).len()
    }

    /// Waits for so many requests, and answers with them.
    pub(crate) fn wait_for(&self, count: usize, limit: Duration) -> Vec<Message> {
        let what = format!("{count} requests");
        super::eventually(&what, limit, || self.count() >= count);
        self.seen()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(script: Arc<Script>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let script = script.clone();
            let small = std::thread::Builder::new().stack_size(256 * 1024);
            let started = small.spawn(move || converse(&stream, &*script));
            started.expect("a thread for the connection");
        }
    });
    address
}

/// One connection, request by request, until either side ends it.
fn converse(stream: &TcpStream, script: &Script) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    while let Ok(Some(request)) = Message::read(&mut reader) {
        let (status, headers) = match script(&request) {
            Reply::Status(status) => (status, String::new()),
            Reply::Late(wait, status) => {
                std::thread::sleep(wait);
                (status, String::new())
            }
            Reply::Headed(status, headers) => (status, headers),
            Reply::HangUp => return,
        };
        let head = format!("HTTP/1.1 {status} Scripted\r\n{headers}");
        let answer = format!("{head}content-length: 2\r\n\r\nok");
        let mut writer = stream;
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
