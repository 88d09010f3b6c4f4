//! A token endpoint, and a receiver that asks for client certificates.

use crate::support::message::Message;
use crate::support::receiver::{Receiver, Reply};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

pub(super) const CLIENT_SECRET: &str = "canary s&cret/+";

/// Gives out `token-1-…`, `token-2-…` and so on, to who knows the client's secret.
pub(super) struct TokenEndpoint {
    pub(super) receiver: Receiver,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    given: AtomicUsize,
    /// What it answers instead, unless 0.
    fails_with: AtomicU16,
}

/// The end of every token.
pub(super) const TOKEN_END: &str = "canary-9f2c1d.of_the~token";

fn token(number: usize) -> String {
    format!("token-{number}-{TOKEN_END}")
}

impl TokenEndpoint {
    pub(super) fn start() -> Self {
        let state = Arc::<State>::default();
        let answering = Arc::clone(&state);
        let receiver = Receiver::secured(move |request| answering.answer(request));
        Self { receiver, state }
    }

    /// The `auth` of an endpoint that gets its tokens here.
    pub(super) fn auth(&self, client_auth: &str) -> Value {
        json!({
            "type": "oauth2",
            "token_url": self.receiver.url("/token"),
            "client_id": "client:1",
            "client_secret": CLIENT_SECRET,
            "scopes": ["hooks.write"],
            "audience": "https://hooks.example/",
            "client_auth": client_auth,
        })
    }

    pub(super) fn fail_with(&self, status: u16) {
        self.state.fails_with.store(status, Ordering::SeqCst);
    }

    pub(super) fn given(&self) -> usize {
        self.state.given.load(Ordering::SeqCst)
    }

    /// A receiver that lets in who has the newest token.
    pub(super) fn guarded(&self) -> Receiver {
        let state = Arc::clone(&self.state);
        Receiver::scripted(move |request| {
            let newest = format!("Bearer {}", token(state.given.load(Ordering::SeqCst)));
            let is_let_in = request.header("authorization") == Some(&newest);
            Reply::Status(if is_let_in { 204 } else { 401 })
        })
    }

    /// What was given out so far is not let in any more.
    pub(super) fn forget_given(&self) {
        self.state.given.fetch_add(1, Ordering::SeqCst);
    }
}

impl State {
    fn answer(&self, request: &Message) -> Reply {
        let status = self.fails_with.load(Ordering::SeqCst);
        if status == 200 {
            return Reply::Json(200, json!({"token": TOKEN_END}).to_string());
        }
        if status != 0 {
            let error = json!({"error": "temporarily_unavailable", "detail": TOKEN_END});
            return Reply::Json(status, error.to_string());
        }
        if !knows_the_secret(request) {
            return Reply::Json(401, json!({"error": "invalid_client"}).to_string());
        }
        let token = token(self.given.fetch_add(1, Ordering::SeqCst) + 1);
        let granted = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600});
        Reply::Json(200, granted.to_string())
    }
}

/// As a token endpoint would judge, by RFC 6749.
fn knows_the_secret(request: &Message) -> bool {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let form =
        "grant_type=client_credentials&scope=hooks.write&audience=https%3A%2F%2Fhooks.example%2F";
    // printf 'client%%3A1:canary+s%%26cret%%2F%%2B' | base64
    let basic = "Basic Y2xpZW50JTNBMTpjYW5hcnkrcyUyNmNyZXQlMkYlMkI=";
    let in_header = request.header("authorization") == Some(basic) && body == form;
    let in_body = request.header("authorization").is_none()
        && body == format!("{form}&client_id=client%3A1&client_secret=canary+s%26cret%2F%2B");
    request.first_line == "POST /token HTTP/1.1"
        && request.header("content-type") == Some("application/x-www-form-urlencoded")
        && (in_header || in_body)
}

/// An authority, and what it signs.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

/// A certificate with its key, PEM.
pub(super) struct Signed {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a root").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(super) fn signed(&self, name: &str, until: i32) -> Signed {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).expect("signed").pem();
        Signed { certificate, key: key.serialize_pem() }
    }

    /// A receiver whom this authority vouches for, and that lets in only whom it knows.
    pub(super) fn receiver(
        &self,
        script: impl Fn(&Message) -> Reply + Send + Sync + 'static,
    ) -> Receiver {
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(der(&self.pem)).expect("a root");
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let own = self.signed("receiver", 2100);
        let key = PrivatePkcs8KeyDer::from_pem_slice(own.key.as_bytes()).expect("PEM");
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(verifier.build().expect("a verifier"))
            .with_single_cert(vec![der(&own.certificate)], key.into())
            .expect("a certificate");
        Receiver::secured_by(Arc::new(config), script)
    }
}
