//! A receiver on loopback that records what arrives and answers by script.

use super::message::Message;
use super::tls;
use rustls::{ServerConnection, StreamOwned};
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a receiver does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Answers with this status.
    Status(u16),
    /// Answers 200 with this header of the request, as a validation request wants it.
    Echo(String),
    /// Answers with this status after a while.
    Late(Duration, u16),
    /// Answers with this status and these header lines, each with its line end.
    Headed(u16, String),
    /// Answers with this status and this body, as JSON.
    Json(u16, String),
    /// Closes the connection without an answer.
    HangUp,
}

type Script = dyn Fn(&Message) -> Reply + Send + Sync;

/// A running receiver. Its threads end with the process.
pub(crate) struct Receiver {
    address: SocketAddr,
    secure: Option<SocketAddr>,
    seen: Seen,
}

impl Receiver {
    /// Answers every request with 200.
    pub(crate) fn kind() -> Self {
        Self::scripted(|_| Reply::Status(200))
    }

    /// Answers by script, and records every request before it is answered.
    pub(crate) fn scripted(script: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        let (seen, script) = recorded(script);
        Self { address: serve(script, None), secure: None, seen }
    }

    /// As [`Receiver::scripted`], over https as well, with a certificate made for the run.
    pub(crate) fn secured(script: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        let (seen, script) = recorded(script);
        let secure = Some(serve(script.clone(), Some(tls::of_the_run().config.clone())));
        Self { address: serve(script, None), secure, seen }
    }

    /// Answers by script over https alone, as these settings say.
    pub(crate) fn secured_by(
        config: Arc<rustls::ServerConfig>,
        script: impl Fn(&Message) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (seen, script) = recorded(script);
        let address = serve(script, Some(config));
        Self { address, secure: Some(address), seen }
    }

    /// Answers by script and keeps nothing: for runs with many requests.
    pub(crate) fn unrecorded(script: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        Self { address: serve(Arc::new(script), None), secure: None, seen: Arc::default() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// For receivers that are [`Receiver::secured`].
    pub(crate) fn secure_url(&self, path: &str) -> String {
        let address = self.secure.expect("a secured receiver");
        format!("https://{address}{path}")
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

type Seen = Arc<Mutex<Vec<Message>>>;

/// The script, with every request noted before it is answered.
fn recorded(script: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> (Seen, Arc<Script>) {
    let seen = Seen::default();
    let record = seen.clone();
    let noting = move |request: &Message| {
        lock(&record).push(request.clone());
        script(request)
    };
    (seen, Arc::new(noting))
}

fn serve(script: Arc<Script>, tls: Option<Arc<rustls::ServerConfig>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (script, tls) = (script.clone(), tls.clone());
            let small = std::thread::Builder::new().stack_size(512 * 1024);
            let started = small.spawn(move || greet(stream, tls, &*script));
            started.expect("a thread for the connection");
        }
    });
    address
}

fn greet(stream: TcpStream, tls: Option<Arc<rustls::ServerConfig>>, script: &Script) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => converse(stream, script),
        Some(config) => {
            let session = ServerConnection::new(config).expect("the settings are sound");
            converse(StreamOwned::new(session, stream), script);
        }
    }
}

/// One connection, request by request, until either side ends it.
fn converse(stream: impl Read + Write, script: &Script) {
    let mut reader = BufReader::new(stream);
    while let Ok(Some(request)) = Message::read(&mut reader) {
        let mut body = "ok".to_owned();
        let (status, headers) = match script(&request) {
            Reply::Status(status) => (status, String::new()),
            Reply::Json(status, json) => {
                body = json;
                (status, "content-type: application/json\r\n".to_owned())
            }
            Reply::Echo(name) => {
                let value = request.header(&name).unwrap_or_default();
                (200, format!("{name}: {value}\r\n"))
            }
            Reply::Late(wait, status) => {
                std::thread::sleep(wait);
                (status, String::new())
            }
            Reply::Headed(status, headers) => (status, headers),
            Reply::HangUp => return,
        };
        let head = format!("HTTP/1.1 {status} Scripted\r\n{headers}");
        let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        let writer = reader.get_mut();
        if writer.write_all(answer.as_bytes()).and_then(|()| writer.flush()).is_err() {
            return;
        }
    }
}
