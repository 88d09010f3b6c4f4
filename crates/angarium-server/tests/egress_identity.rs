//! Connections under TLS of an endpoint's own: which certificate a receiver is shown, by whom the
//! receiver is vouched for, and that no connection of one identity serves another. What tells is
//! the receiver, which knows every connection's certificate by itself.

#[expect(dead_code, reason = "these tests use a part of the receiver")]
mod egress_receiver;
mod test_proxy;

use angarium_core::destination::Scheme;
use angarium_core::egress::{EgressPolicy, EgressSettings, WrittenProxy, WrittenSettings};
use angarium_core::endpoint::{EndpointSecrets, EndpointTls, TlsSettings};
use angarium_core::id::EndpointNo;
use angarium_core::limits::Limits;
use angarium_core::outcome::{Class, Outcome};
use angarium_core::secret::SecretText;
use angarium_server::egress::{Egress, EgressLimits, Exchange, Transport, Way};
use bytes::Bytes;
use egress_receiver::{TIMEOUT, egress_with, loopback, request};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::{Arc, Mutex};
use test_proxy::{Kind, Proxy};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a root").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for this name, and its key.
    fn signed(&self, name: &str) -> (String, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        (params.signed_by(&key, &self.issuer).expect("signed").pem(), key)
    }

    /// The settings of a client whom this authority knows, and who trusts `ca`.
    fn client(&self, name: &str, ca: Option<&Authority>) -> Identity {
        let (certificate, key) = self.signed(name);
        let ca = ca.map(|ca| ca.pem.clone());
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
        let tls = TlsSettings {
            client_certificate: Some(certificate),
            private_key: Some(SecretText::new(key.serialize_pem())),
            ca,
        };
        Identity { tls: prepared(tls), shown: Some(der) }
    }
}

/// What an endpoint is set up with, and what its receiver sees of it.
#[derive(Clone)]
struct Identity {
    tls: Option<Arc<EndpointTls>>,
    shown: Option<CertificateDer<'static>>,
}

fn prepared(tls: TlsSettings) -> Option<Arc<EndpointTls>> {
    let secrets = EndpointSecrets { tls: Some(tls), ..EndpointSecrets::default() };
    let tls = EndpointTls::prepare(&secrets, Scheme::Https, &Limits::default()).expect("sound");
    tls.map(Arc::new)
}

/// Only authorities of its own, nothing to show.
fn trusting(authority: &Authority) -> Identity {
    let ca = Some(authority.pem.clone());
    Identity { tls: prepared(TlsSettings { ca, ..TlsSettings::default() }), shown: None }
}

/// Which certificate each request came with, and on the how manieth connection.
type Seen = Arc<Mutex<Vec<(usize, Option<CertificateDer<'static>>)>>>;

/// A receiver that asks for client certificates, and takes none for an answer where `asks_only`.
struct Receiver {
    port: u16,
    seen: Seen,
}

impl Receiver {
    async fn start(own: &Authority, clients: &Authority, asks_only: bool, alpn: &[&str]) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(clients.pem.as_bytes()).expect("PEM");
        roots.add(root).expect("a root");
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = if asks_only { verifier.allow_unauthenticated() } else { verifier }.build();
        let (certificate, key) = own.signed("localhost");
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(verifier.expect("a verifier"))
            .with_single_cert(vec![certificate], key)
            .expect("a certificate");
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("bound").port();
        let seen = Seen::default();
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), Arc::clone(&seen)));
        Self { port, seen }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/hook", self.port)
    }

    fn seen(&self) -> Vec<(usize, Option<CertificateDer<'static>>)> {
        self.seen.lock().expect("no panic").clone()
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, seen: Seen) {
    for number in 0.. {
        let Ok((stream, _)) = listener.accept().await else { return };
        let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let shown = stream.get_ref().1.peer_certificates();
            let shown = shown.and_then(|chain| chain.first()).cloned().map(|own| own.into_owned());
            let service = service_fn(|_| {
                seen.lock().expect("no panic").push((number, shown.clone()));
                async { Ok::<_, hyper::Error>(hyper::Response::new(Full::new(Bytes::new()))) }
            });
            let builder = Builder::new(TokioExecutor::new());
            // Whoever breaks off is answered no more.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn egress(roots: &[&Authority]) -> Egress {
    egress_with(EgressLimits::default(), roots.iter().map(|root| root.pem.clone()).collect())
}

async fn send(egress: &Egress, no: i64, identity: &Identity, receiver: &Receiver) -> Exchange {
    let policy = Arc::new(loopback());
    let way = Way { endpoint: EndpointNo::new(no), policy, tls: identity.tls.clone() };
    egress.send(&way, request(&receiver.url()), TIMEOUT).await
}

const NOBODY: Identity = Identity { tls: None, shown: None };

#[tokio::test]
async fn no_connection_of_one_identity_serves_another_endpoint_nor_another_version_of_its_own() {
    for alpn in [&["http/1.1"], &["h2"]] {
        let (own, clients) = (Authority::new("own"), Authority::new("clients"));
        let receiver = Receiver::start(&own, &clients, true, alpn).await;
        let egress = egress(&[&own]);
        let identities = [
            clients.client("one.example", None),
            clients.client("two.example", Some(&own)),
            clients.client("three.example", None),
            NOBODY,
        ];
        let mut expected = Vec::new();
        for round in 0..5 {
            for (no, identity) in (1..).zip(&identities) {
                let exchange = send(&egress, no, identity, &receiver).await;
                assert_eq!(exchange.outcome.class(), Class::Success, "{round} {exchange:?}");
                expected.push(identity.shown.clone());
            }
        }
        let seen = receiver.seen();
        let shown: Vec<_> = seen.iter().map(|(_, shown)| shown.clone()).collect();
        assert_eq!(shown, expected, "each request comes with its endpoint's certificate");
        let most = seen.iter().map(|(connection, _)| *connection).max();
        assert_eq!(most, Some(identities.len() - 1), "and each endpoint keeps its connection");
        // The same endpoint, changed: what stood open under the old identity is not used again.
        for identity in &identities {
            send(&egress, 1, identity, &receiver).await;
            let (_, shown) = receiver.seen().pop().expect("it arrived");
            assert_eq!(shown, identity.shown);
        }
    }
}

#[tokio::test]
async fn a_private_authority_vouches_for_its_endpoint_instead_of_the_servers_and_for_no_other() {
    let (private, public) = (Authority::new("private"), Authority::new("public"));
    let clients = Authority::new("clients");
    let of_private = Receiver::start(&private, &clients, true, &[]).await;
    let of_public = Receiver::start(&public, &clients, true, &[]).await;
    let egress = egress(&[&public]);
    let trusting = trusting(&private);
    let rows = [
        (1, &trusting, &of_private, true),
        (2, &NOBODY, &of_private, false),
        (1, &trusting, &of_public, false),
        (2, &NOBODY, &of_public, true),
    ];
    for (no, identity, receiver, arrives) in rows {
        let exchange = send(&egress, no, identity, receiver).await;
        match arrives {
            true => assert_eq!(exchange.outcome.class(), Class::Success, "{exchange:?}"),
            false => {
                let reason = "the certificate's issuer is not trusted".to_owned();
                assert_eq!(exchange.outcome, Outcome::TlsFailed(reason));
            }
        }
    }
    assert_eq!((of_private.seen().len(), of_public.seen().len()), (1, 1));
}

#[tokio::test]
async fn a_receiver_that_wants_another_certificate_is_a_tls_failure_that_says_so() {
    let (own, clients) = (Authority::new("own"), Authority::new("clients"));
    let strangers = Authority::new("strangers");
    for alpn in [&[][..], &["h2"]] {
        let receiver = Receiver::start(&own, &clients, false, alpn).await;
        let egress = egress(&[&own]);
        let rows = [
            (NOBODY, "wants a client certificate"),
            (strangers.client("a.example", None), "refused the client certificate"),
        ];
        for (no, (identity, told)) in (1..).zip(rows) {
            let exchange = send(&egress, no, &identity, &receiver).await;
            let Outcome::TlsFailed(text) = &exchange.outcome else {
                panic!("{alpn:?} {exchange:?}");
            };
            assert!(text.contains(told), "{text}");
        }
        let known = send(&egress, 3, &clients.client("a.example", None), &receiver).await;
        assert_eq!(known.outcome.class(), Class::Success, "{known:?}");
        assert_eq!(receiver.seen().len(), 1);
    }
}

#[tokio::test]
async fn the_certificate_goes_through_a_proxys_tunnel_to_the_receiver_itself() {
    let (own, clients) = (Authority::new("own"), Authority::new("clients"));
    for kind in [Kind::Connect, Kind::Socks5] {
        let receiver = Receiver::start(&own, &clients, false, &[]).await;
        let (egress, proxy) = (egress(&[]), Proxy::start(kind, None));
        let identity = clients.client("one.example", Some(&own));
        let written = WrittenProxy { url: proxy.url.clone(), ..WrittenProxy::default() };
        let written = WrittenSettings { proxy: Some(written), ..WrittenSettings::default() };
        let settings = EgressSettings::try_new(written).expect("a proxy");
        let policy: EgressPolicy = loopback().narrowed(&settings);
        let tls = identity.tls.clone();
        let way = Way { endpoint: EndpointNo::new(1), policy: Arc::new(policy), tls };
        let exchange = egress.send(&way, request(&receiver.url()), TIMEOUT).await;
        assert_eq!(exchange.outcome.class(), Class::Success, "{kind:?} {exchange:?}");
        assert_eq!(receiver.seen(), [(0, identity.shown)]);
        assert_eq!(proxy.take_asked().len(), 1);
    }
}
