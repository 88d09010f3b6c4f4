//! What TLS and HTTP/2 receivers lead to, with certificates made for the run.

#[expect(dead_code, reason = "these tests use a part of the receiver")]
mod egress_receiver;

use angarium_core::outcome::{Class, Outcome};
use angarium_server::egress::{Egress, EgressLimits, Transport};
use bytes::Bytes;
use egress_receiver::{
    ENDPOINT, OK, Receiver, TIMEOUT, Turn, egress, egress_with, request, send, way,
};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A root that signs what a test asks for.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a root").pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    fn acceptor(&self, params: CertificateParams, alpn: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        acceptor_of(certificate.der().clone(), &key, alpn)
    }

    fn egress(&self) -> Egress {
        egress_with(EgressLimits::default(), vec![self.pem.clone()])
    }
}

fn acceptor_of(
    certificate: rustls::pki_types::CertificateDer<'static>,
    key: &KeyPair,
    alpn: &[&str],
) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate");
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

fn for_name(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).expect("a name")
}

fn https(receiver: &Receiver) -> String {
    format!("https://localhost:{}/hook", receiver.address.port())
}

#[tokio::test]
async fn http1_is_spoken_over_tls_on_one_connection() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(for_name("localhost"), &[]);
    let receiver = Receiver::tls(vec![Turn::say(OK)], acceptor).await;
    let egress = authority.egress();
    for _ in 0..5 {
        let exchange = send(&egress, &https(&receiver)).await;
        assert_eq!(exchange.outcome.class(), Class::Success, "{exchange:?}");
    }
    assert_eq!((receiver.connections(), receiver.requests().len()), (1, 5));
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_a_tls_failure_that_says_why() {
    let authority = Authority::new();
    let mut expired = for_name("localhost");
    expired.not_after = date_time_ymd(2020, 1, 1);
    let mut not_yet = for_name("localhost");
    not_yet.not_before = date_time_ymd(2100, 1, 1);
    let rows = [
        (expired, "expired"),
        (not_yet, "not valid yet"),
        (for_name("other.example"), "another name"),
    ];
    for (params, reason) in rows {
        let acceptor = authority.acceptor(params, &[]);
        let receiver = Receiver::tls(vec![Turn::say(OK)], acceptor).await;
        let exchange = send(&authority.egress(), &https(&receiver)).await;
        let Outcome::TlsFailed(text) = exchange.outcome else {
            panic!("{exchange:?}");
        };
        assert!(text.contains(reason), "{text}");
        assert!(receiver.requests().is_empty());
    }
}

#[tokio::test]
async fn an_issuer_that_is_not_trusted_is_a_tls_failure() {
    let stranger = Authority::new();
    let acceptor = stranger.acceptor(for_name("localhost"), &[]);
    let receiver = Receiver::tls(vec![Turn::say(OK)], acceptor).await;
    let exchange = send(&Authority::new().egress(), &https(&receiver)).await;
    assert!(matches!(exchange.outcome, Outcome::TlsFailed(_)), "{exchange:?}");

    let key = KeyPair::generate().expect("a key");
    let own = for_name("localhost").self_signed(&key).expect("signed");
    let receiver = Receiver::tls(vec![Turn::say(OK)], acceptor_of(own.into(), &key, &[])).await;
    let exchange = send(&egress(), &https(&receiver)).await;
    assert!(matches!(exchange.outcome, Outcome::TlsFailed(_)), "{exchange:?}");
    assert!(receiver.requests().is_empty());
}

#[tokio::test]
async fn plain_http_where_tls_is_expected_is_a_tls_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("https://localhost:{}/", listener.local_addr().expect("bound").port());
    let banner = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let text = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, text).await.expect("written");
        std::future::pending::<()>().await;
    });
    let exchange = send(&egress(), &url).await;
    assert_eq!(exchange.outcome.class(), Class::Tls, "{exchange:?}");
    banner.abort();
}

/// Answers with the alert of a server that has no version or cipher in common with us.
#[tokio::test]
async fn a_receiver_without_a_shared_cipher_is_named_as_such() {
    const HANDSHAKE_FAILURE: u8 = 40;
    const PROTOCOL_VERSION: u8 = 70;
    for alert in [HANDSHAKE_FAILURE, PROTOCOL_VERSION] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let url = format!("https://localhost:{}/", listener.local_addr().expect("bound").port());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let record = [21, 3, 3, 0, 2, 2, alert];
            tokio::io::AsyncWriteExt::write_all(&mut stream, &record).await.expect("written");
            std::future::pending::<()>().await;
        });
        let exchange = send(&egress(), &url).await;
        assert_eq!(exchange.outcome.class(), Class::TlsUnsupported, "{exchange:?}");
        server.abort();
    }
}

/// An HTTP/2 receiver that answers 200 with the request's authority and so many bytes more; counts
/// its connections.
async fn http2_receiver(authority: &Authority, more: usize) -> (String, Arc<AtomicUsize>) {
    let acceptor = authority.acceptor(for_name("localhost"), &["h2", "http/1.1"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("https://localhost:{}/hook", listener.local_addr().expect("bound").port());
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let stream = acceptor.accept(stream).await.expect("a handshake");
            let answer =
                service_fn(move |request: http::Request<hyper::body::Incoming>| async move {
                    let authority = request.uri().authority().map(ToString::to_string);
                    let text = authority.unwrap_or_default() + &"x".repeat(more);
                    Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::from(
                        text,
                    ))))
                });
            tokio::spawn(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), answer),
            );
        }
    });
    (url, connections)
}

#[tokio::test]
async fn http2_is_spoken_where_the_receiver_offers_it_and_shared_by_the_endpoints_attempts() {
    let authority = Authority::new();
    let (url, connections) = http2_receiver(&authority, 0).await;
    let egress = Arc::new(authority.egress());
    let exchange = send(&egress, &url).await;
    assert_eq!(exchange.outcome.class(), Class::Success, "{exchange:?}");
    assert!(exchange.body.starts_with(b"localhost:"));
    let attempts: Vec<_> = (0..50)
        .map(|_| {
            let (egress, url) = (Arc::clone(&egress), url.clone());
            tokio::spawn(async move { egress.send(&way(ENDPOINT), request(&url), TIMEOUT).await })
        })
        .collect();
    for attempt in attempts {
        assert_eq!(attempt.await.expect("no panic").outcome.class(), Class::Success);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_http2_connection_that_grew_old_is_replaced() {
    let authority = Authority::new();
    let (url, connections) = http2_receiver(&authority, 0).await;
    let limits = EgressLimits { age: Duration::from_millis(50), ..EgressLimits::default() };
    let egress = egress_with(limits, vec![authority.pem.clone()]);
    for _ in 0..2 {
        assert_eq!(send(&egress, &url).await.outcome.class(), Class::Success);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn attempts_that_share_a_connection_do_not_pay_for_each_others_long_answers() {
    let authority = Authority::new();
    let (url, connections) = http2_receiver(&authority, 1024 * 1024).await;
    let egress = Arc::new(authority.egress());
    send(&egress, &url).await;
    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (egress, url) = (Arc::clone(&egress), url.clone());
        attempts.spawn(async move {
            let mut classes = Vec::new();
            for _ in 0..5 {
                let exchange = egress.send(&way(ENDPOINT), request(&url), TIMEOUT).await;
                classes.push(exchange.outcome.class());
            }
            classes
        });
    }
    let classes = attempts.join_all().await.concat();
    assert_eq!(classes, [Class::Success].repeat(320));
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

/// A frame of HTTP/2 without payload, which acknowledges nothing: `SETTINGS` as they are.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

#[tokio::test]
async fn http2_frames_without_end_are_cut_by_their_bytes() {
    let ping = [&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], &[7; 8]].concat();
    let unknown = [&[0, 0, 1, 0xee, 0, 0, 0, 0, 0][..], &[7]].concat();
    let hint = [&[0, 0, 13, 1, 4, 0, 0, 0, 1, 0, 7][..], b":status", &[3], b"103"].concat();
    let window = [&[0, 0, 4, 8, 0, 0, 0, 0, 0][..], &[0, 0, 0, 1]].concat();
    for unit in [SETTINGS.to_vec(), ping, unknown, hint, window] {
        let authority = Authority::new();
        let acceptor = authority.acceptor(for_name("localhost"), &["h2"]);
        let flood = Turn::Repeat(Bytes::from(unit.repeat(1_000)));
        let turns = vec![Turn::SayThen(Bytes::from_static(SETTINGS), Box::new(flood))];
        let receiver = Receiver::tls(turns, acceptor).await;
        let exchange = send(&authority.egress(), &https(&receiver)).await;
        assert_eq!(exchange.outcome.class(), Class::Protocol, "{:?} {unit:?}", exchange.outcome);
        assert!(exchange.took < TIMEOUT / 2, "cut by size, not by time: {unit:?}");
    }
}

#[tokio::test]
async fn an_http2_connection_on_which_an_attempt_waited_in_vain_takes_no_other() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(for_name("localhost"), &["h2"]);
    let turns = vec![Turn::Say(Bytes::from_static(SETTINGS)), Turn::Hang];
    let receiver = Receiver::tls(turns, acceptor).await;
    let egress = authority.egress();
    for connections in 1..=3 {
        let short = Duration::from_millis(200);
        let exchange = egress.send(&way(ENDPOINT), request(&https(&receiver)), short).await;
        assert_eq!(exchange.outcome.class(), Class::Timeout, "{:?}", exchange.outcome);
        assert_eq!(receiver.connections(), connections);
    }
}
