//! A receiver that says and does exactly what a test tells it, over TCP or TLS, and records what
//! reached it; with certificates made for the run.

use angarium_core::address::AddressPolicy;
use angarium_core::destination::Destination;
use angarium_core::egress::EgressPolicy;
use angarium_core::id::EndpointNo;
use angarium_core::limits::Limits;
use angarium_core::request::OutgoingRequest;
use angarium_server::egress::{Egress, EgressConfig, EgressLimits, Exchange, Transport, Way};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) const ENDPOINT: EndpointNo = EndpointNo::new(1);
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection does after each request it has read.
#[derive(Clone)]
pub(crate) enum Turn {
    /// Writes this and waits for the next request.
    Say(Bytes),
    /// Writes this and closes.
    SayAndClose(Bytes),
    /// Writes this for ever.
    Repeat(Bytes),
    /// Writes this, and takes another turn at once.
    SayThen(Bytes, Box<Turn>),
    /// Waits for ever.
    Hang,
}

impl Turn {
    pub(crate) fn say(text: &str) -> Self {
        Turn::Say(Bytes::copy_from_slice(text.as_bytes()))
    }

    pub(crate) fn say_and_close(text: &str) -> Self {
        Turn::SayAndClose(Bytes::copy_from_slice(text.as_bytes()))
    }
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A listening receiver, stopped with the test's runtime.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    repeated: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Receiver {
    /// Every connection plays the same turns from the start; the last turn is repeated.
    pub(crate) async fn plain(turns: Vec<Turn>) -> Self {
        Self::start(turns, None).await
    }

    pub(crate) async fn tls(turns: Vec<Turn>, acceptor: TlsAcceptor) -> Self {
        Self::start(turns, Some(acceptor)).await
    }

    async fn start(turns: Vec<Turn>, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("bound");
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (turns, seen, acceptor) =
                    (turns.clone(), Arc::clone(&shared), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => play(stream, &turns, &seen).await,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => play(stream, &turns, &seen).await,
                            Err(_refused_by_us) => {}
                        },
                    }
                });
            }
        });
        Self { address, seen }
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().expect("no panic").clone()
    }

    /// Bytes of what is repeated for ever, those in the systems' buffers included.
    pub(crate) fn written(&self) -> usize {
        self.seen.repeated.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }
}

async fn play(mut stream: impl AsyncRead + AsyncWrite + Unpin, turns: &[Turn], seen: &Seen) {
    for number in 0.. {
        let Some(request) = read_request(&mut stream).await else {
            return;
        };
        seen.requests.lock().expect("no panic").push(request);
        let mut turn = turns[number.min(turns.len() - 1)].clone();
        while let Turn::SayThen(bytes, then) = turn {
            stream.write_all(&bytes).await.unwrap_or_default();
            turn = *then;
        }
        match turn {
            Turn::Say(bytes) => stream.write_all(&bytes).await.unwrap_or_default(),
            Turn::SayAndClose(bytes) => {
                stream.write_all(&bytes).await.unwrap_or_default();
                stream.shutdown().await.unwrap_or_default();
                return;
            }
            Turn::Repeat(bytes) => {
                while stream.write_all(&bytes).await.is_ok() {
                    seen.repeated.fetch_add(bytes.len(), Ordering::SeqCst);
                }
            }
            Turn::SayThen(..) => unreachable!("taken above"),
            Turn::Hang => std::future::pending::<()>().await,
        }
    }
}

/// Head and body of one request; none when the peer closed before.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |n| n.parse().expect("a length"));
            if body.len() >= length {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// A policy that opens loopback only.
pub(crate) fn loopback() -> EgressPolicy {
    let loopback = vec!["127.0.0.0/8".parse().expect("a range")];
    EgressPolicy::of_server(AddressPolicy::allowing(loopback))
}

/// The way of an endpoint under that policy.
pub(crate) fn way(endpoint: EndpointNo) -> Way {
    Way { endpoint, policy: Arc::new(loopback()), tls: None }
}

pub(crate) fn egress() -> Egress {
    egress_with(EgressLimits::default(), Vec::new())
}

pub(crate) fn egress_with(limits: EgressLimits, extra_roots: Vec<String>) -> Egress {
    Egress::new(EgressConfig { extra_roots, limits, ..EgressConfig::default() })
        .expect("the egress starts")
}

pub(crate) fn request(url: &str) -> OutgoingRequest {
    request_of(url, Bytes::from_static(b"{\"a\":1}"))
}

pub(crate) fn request_of(url: &str, body: Bytes) -> OutgoingRequest {
    let destination = Destination::parse(url, &Limits::default()).expect(url);
    let message = http::Request::post(destination.path_and_query.as_str())
        .header("content-type", "application/json")
        .body(body)
        .expect("a request");
    OutgoingRequest { destination: Arc::new(destination), message, masked_target: None }
}

pub(crate) async fn send(egress: &Egress, url: &str) -> Exchange {
    egress.send(&way(ENDPOINT), request(url), TIMEOUT).await
}
