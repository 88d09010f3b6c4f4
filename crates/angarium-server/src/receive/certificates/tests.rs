//! What is fetched, how often, and how long it is kept.

use super::*;
use crate::egress::{Egress, EgressConfig};
use angarium_core::address::AddressPolicy;
use angarium_core::outcome::Outcome;
use angarium_core::scheme::{Incoming, Verifier};
use angarium_core::secret::SecretText;
use async_trait::async_trait;
use http::{HeaderMap, Method};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

/// A clock that is set by hand.
#[derive(Debug, Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl Hands {
    fn pass(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).expect("a span");
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

/// A third party that answers as its paths say, and counts.
struct ThirdParty {
    fetches: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    /// How many answers may be given.
    answers: Semaphore,
}

impl ThirdParty {
    fn new(answers: usize) -> Arc<Self> {
        Arc::new(Self {
            fetches: AtomicUsize::default(),
            at_once: AtomicUsize::default(),
            most_at_once: AtomicUsize::default(),
            answers: Semaphore::new(answers),
        })
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Transport for ThirdParty {
    async fn send(&self, way: &Way, request: OutgoingRequest, timeout: Duration) -> Exchange {
        assert_eq!((way.endpoint, timeout), (NO_ENDPOINT, TIMEOUT));
        assert_eq!((request.message.method(), request.destination.port), (&Method::GET, 443));
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        self.answers.acquire().await.expect("open").forget();
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        let path = request.message.uri().path().to_owned();
        let status = match &*path {
            "/gone" => 404,
            "/moved" => 302,
            "/empty" => 204,
            _ => 200,
        };
        let body = match &*path {
            "/long" => vec![b'x'; MOST_BYTES + 1],
            "/most" => vec![b'x'; MOST_BYTES],
            _ => path.clone().into_bytes(),
        };
        let mut headers = HeaderMap::new();
        if path == "/cut" {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("5000"));
        }
        let outcome = match &*path {
            "/lost" => Outcome::Broken("the connection broke".into()),
            _ => Outcome::Response { status, retry_after: None },
        };
        let body = body.into();
        Exchange { outcome, took: Duration::ZERO, response: Box::default(), headers, body }
    }
}

/// What a request makes a verifier ask for.
fn document(path: &str) -> Document {
    let scheme = serde_json::json!({
        "signature": [{
            "from": "header.X-Sig", "algorithm": "rsa-sha256", "content": "{secret}{body}",
            "value": "{hex}",
        }],
        "certificate": {
            "from": "header.X-Url", "urls": ["https://certs.example/{any}"], "names": ["a.example"],
        },
    });
    let scheme = angarium_core::scheme::Scheme::from_json(&scheme).expect("a scheme");
    let verifier = Verifier::prepare(Arc::new(scheme), &[SecretText::new("topic")]);
    let mut headers = HeaderMap::new();
    headers.insert("x-sig", HeaderValue::from_static("00"));
    let url = format!("https://certs.example{path}");
    headers.insert("x-url", url.parse().expect("a value"));
    let incoming = Incoming { method: &Method::POST, url: "", headers: &headers, body: b"" };
    match verifier.verify(incoming, Timestamp::from_millis(0)) {
        Err(Cause::Needs(document)) => document,
        other => panic!("{other:?}"),
    }
}

fn certificates(transport: &Arc<ThirdParty>) -> (Certificates, Arc<Hands>) {
    let clock = Arc::new(Hands::default());
    let roots = Arc::new([]);
    (Certificates::new(Arc::clone(transport) as _, Arc::clone(&clock) as _, roots), clock)
}

async fn text(certificates: &Certificates, path: &str) -> Option<Bytes> {
    let evidence = certificates.fetch(document(path), Arc::default()).await.ok()?;
    assert_eq!(evidence.document, document(path));
    Some(evidence.text)
}

#[tokio::test]
async fn a_document_is_kept_for_a_day() {
    let third_party = ThirdParty::new(100);
    let (certificates, clock) = certificates(&third_party);
    for _ in 0..3 {
        assert_eq!(text(&certificates, "/1.pem").await.as_deref(), Some(&b"/1.pem"[..]));
    }
    assert_eq!(third_party.fetches(), 1);
    clock.pass(KEPT - Duration::from_millis(1));
    text(&certificates, "/1.pem").await;
    assert_eq!(third_party.fetches(), 1);
    clock.pass(Duration::from_millis(1));
    assert!(text(&certificates, "/1.pem").await.is_some());
    assert_eq!(third_party.fetches(), 2);
}

#[tokio::test]
async fn a_failure_is_kept_for_a_minute_and_says_why() {
    for (path, why) in [
        ("/gone", "it answered 404"),
        ("/moved", "it answered 302"),
        ("/empty", "it answered 204"),
        ("/lost", "the connection broke"),
        ("/long", "it is too long"),
        ("/cut", "it is too long"),
    ] {
        let third_party = ThirdParty::new(100);
        let (certificates, clock) = certificates(&third_party);
        for _ in 0..3 {
            let cause =
                certificates.fetch(document(path), Arc::default()).await.expect_err("a failure");
            assert_eq!(cause.code(), "no_certificate");
            assert!(cause.to_string().ends_with(why), "{cause}");
            assert!(certificates.visit(document(path), Arc::default()).await.is_err());
        }
        assert_eq!(third_party.fetches(), 1, "{path}");
        clock.pass(FAILED);
        assert!(certificates.fetch(document(path), Arc::default()).await.is_err());
        assert_eq!(third_party.fetches(), 2, "{path}");
    }
    let third_party = ThirdParty::new(1);
    let (certificates, _) = certificates(&third_party);
    assert_eq!(text(&certificates, "/most").await.map(|text| text.len()), Some(MOST_BYTES));
}

#[tokio::test]
async fn of_one_document_there_is_one_fetch_at_a_time() {
    let third_party = ThirdParty::new(0);
    let (certificates, _) = certificates(&third_party);
    let all = (0..50).map(|_| text(&certificates, "/1.pem"));
    let all = std::pin::pin!(async {
        let mut waiting: Vec<_> = all.map(Box::pin).collect();
        let mut found = 0;
        // Everybody asks before anybody is answered.
        for one in &mut waiting {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(one.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(third_party.fetches(), 1);
        third_party.answers.add_permits(100);
        for one in waiting {
            found += usize::from(one.await.is_some());
        }
        found
    });
    assert_eq!(all.await, 50);
    assert_eq!(third_party.fetches(), 1);
}

#[tokio::test]
async fn who_goes_away_while_it_is_fetched_stops_nobody() {
    let third_party = ThirdParty::new(0);
    let (certificates, _) = certificates(&third_party);
    {
        let mut gone = Box::pin(text(&certificates, "/1.pem"));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(gone.as_mut().poll(&mut context).is_pending());
    }
    third_party.answers.add_permits(1);
    assert!(text(&certificates, "/1.pem").await.is_some());
}

#[tokio::test]
async fn a_flood_of_forged_requests_is_no_flood_of_fetches() {
    let third_party = ThirdParty::new(10_000);
    let (certificates, clock) = certificates(&third_party);
    assert!(text(&certificates, "/1.pem").await.is_some());
    for number in 0..1_000 {
        let gone = certificates.fetch(document(&format!("/gone?{number}")), Arc::default()).await;
        assert!(gone.is_err());
    }
    assert_eq!(third_party.fetches(), EACH_MINUTE as usize);
    assert!(text(&certificates, "/1.pem").await.is_some(), "what is known stays known");
    clock.pass(FAILED);
    assert!(text(&certificates, "/2.pem").await.is_some(), "and the next minute is another one");
}

#[tokio::test]
async fn failures_make_room_for_documents_and_not_the_other_way_round() {
    let third_party = ThirdParty::new(10_000);
    let (certificates, clock) = certificates(&third_party);
    let fetch_all = async |paths: &mut dyn Iterator<Item = String>| {
        for path in paths {
            text(&certificates, &path).await;
            clock.pass(Duration::from_secs(1));
        }
    };
    fetch_all(&mut (0..MOST_KEPT).map(|number| format!("/{number}.pem"))).await;
    let documents = third_party.fetches();
    assert_eq!(documents, MOST_KEPT);
    fetch_all(&mut (0..50).map(|number| format!("/gone?{number}"))).await;
    let before = third_party.fetches();
    fetch_all(&mut (0..MOST_KEPT).map(|number| format!("/{number}.pem"))).await;
    assert_eq!(third_party.fetches(), before, "every document is still known");
    fetch_all(&mut ["/new.pem".to_owned(), "/0.pem".to_owned()].into_iter()).await;
    assert_eq!(third_party.fetches(), before + 2, "the oldest made room for the new one");
    assert!(certificates.shelf().kept.len() <= MOST_KEPT);
}

#[tokio::test]
async fn what_one_policy_could_not_fetch_is_fetched_under_another() {
    let third_party = ThirdParty::new(10);
    let (certificates, _) = certificates(&third_party);
    for (policy, fetches) in [(Arc::default(), 1), (loopback(), 2), (Arc::default(), 2)] {
        certificates.fetch(document("/gone"), policy).await.expect_err("a failure");
        assert_eq!(third_party.fetches(), fetches);
    }
}

/// The product's egress, to a server of this machine whatever the document's host is.
struct ToThisMachine(Egress, u16);

#[async_trait]
impl Transport for ToThisMachine {
    async fn send(&self, way: &Way, request: OutgoingRequest, timeout: Duration) -> Exchange {
        let path = request.message.uri().path();
        let here = format!("https://localhost:{}{path}", self.1);
        let destination = Destination::parse(&here, &Limits::default()).expect("a URL");
        let request = OutgoingRequest { destination: Arc::new(destination), ..request };
        self.0.send(way, request, timeout).await
    }
}

/// Answers one request over TLS; its port, and its certificate.
async fn one_answer() -> (u16, String, tokio::task::JoinHandle<()>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a certificate");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = listener.local_addr().expect("bound").port();
    let answering = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        let mut request = vec![0; 4_096];
        stream.read(&mut request).await.map(drop).expect("a request");
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nPEM";
        stream.write_all(answer).await.expect("written");
        stream.shutdown().await.unwrap_or_default();
    });
    (port, cert.pem(), answering)
}

/// What a fetch brings, where the egress has such roots beside the public ones.
async fn through_the_egress(
    policy: Arc<EgressPolicy>,
    roots: impl FnOnce(String) -> Vec<String>,
) -> Result<Bytes, Cause> {
    let (port, pem, answering) = one_answer().await;
    let extra_roots = roots(pem);
    let config = EgressConfig { extra_roots, ..EgressConfig::default() };
    let egress = Egress::new(config).expect("the egress starts");
    let transport = Arc::new(ToThisMachine(egress, port));
    let certificates = Certificates::new(transport, Arc::new(Hands::default()), Arc::new([]));
    let found = certificates.fetch(document("/1.pem"), policy).await.map(|evidence| evidence.text);
    answering.abort();
    found
}

fn loopback() -> Arc<EgressPolicy> {
    let loopback = vec!["127.0.0.0/8".parse().expect("a range")];
    Arc::new(EgressPolicy::of_server(AddressPolicy::allowing(loopback)))
}

#[tokio::test]
async fn a_document_comes_by_the_egress_whose_guards_hold() {
    let found = through_the_egress(loopback(), |own| vec![own]).await;
    assert_eq!(found.expect("a document"), &b"PEM"[..]);
    let found = through_the_egress(Arc::default(), |own| vec![own]).await;
    let cause = found.expect_err("a forbidden address").to_string();
    assert!(cause.ends_with("the address cannot be reached"), "{cause}");
    let found = through_the_egress(loopback(), |_| Vec::new()).await;
    let cause = found.expect_err("a host that does not prove its name").to_string();
    assert!(cause.contains("certificate"), "{cause}");
}

#[test]
fn the_world_has_roots() {
    assert!(public_roots().len() > 50);
}
