//! The demo's receivers: one over http, one over https with a certificate of a CA made for the run.
//! They verify, answer, and report what came.

use super::scene::{Conduct, Receiver, SCENES, Scene};
use super::verify::{Verdict, verify};
use angarium_server::clock::{Clock, SystemClock};
use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// Longest body that a receiver takes.
const BODY_BYTES: usize = 1024 * 1024;

/// The header of Anduin's validation request, which is to be echoed (contracts.md, N2).
const VALIDATION_KEY: HeaderName = HeaderName::from_static("x-anduin-webhook-validation-key");

/// A request that came to a receiver.
#[derive(Debug)]
pub(super) struct Arrival {
    /// Which endpoint's.
    pub(super) scene: &'static Scene,
    /// The header lines and the body, to find the event by.
    pub(super) text: String,
    /// What the receiver thinks of it.
    pub(super) verdict: Verdict,
    /// What it answered.
    pub(super) status: StatusCode,
    /// When.
    pub(super) at: Instant,
}

/// Both receivers, running until dropped.
pub(super) struct Receivers {
    /// The CA's certificate, PEM.
    pub(super) ca: String,
    /// Secrets by endpoint, filled in as the endpoints are made.
    secrets: Secrets,
    http: SocketAddr,
    https: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

type Secrets = Arc<Mutex<HashMap<&'static str, String>>>;

impl Receivers {
    /// Starts both on free loopback ports.
    ///
    /// # Errors
    /// No port is free, or no certificate can be made.
    pub(super) async fn start(arrivals: mpsc::Sender<Arrival>) -> anyhow::Result<Self> {
        let secrets = Secrets::default();
        let desk =
            Arc::new(Desk { secrets: Arc::clone(&secrets), refused: Mutex::default(), arrivals });
        let (ca, tls) = certificate()?;
        let plain = listener().await?;
        let secure = listener().await?;
        Ok(Self {
            ca,
            secrets,
            http: plain.local_addr()?,
            https: secure.local_addr()?,
            tasks: [
                tokio::spawn(serve(plain, None, Arc::clone(&desk))),
                tokio::spawn(serve(secure, Some(tls), desk)),
            ],
        })
    }

    /// The URL of an endpoint.
    pub(super) fn url(&self, scene: &Scene) -> String {
        match scene.receiver {
            Receiver::Http => format!("http://{}/{}", self.http, scene.endpoint),
            Receiver::Https => format!("https://{}/{}", self.https, scene.endpoint),
        }
    }

    /// Tells the receiver the secret of an endpoint.
    pub(super) fn learn(&self, scene: &Scene, secret: &str) {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.insert(scene.endpoint, secret.to_owned());
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn listener() -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    listener.context("no free port on 127.0.0.1")
}

/// A CA for this run, and a certificate of it for 127.0.0.1.
fn certificate() -> anyhow::Result<(String, TlsAcceptor)> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Angarium demo, one run only");
    let key = KeyPair::generate()?;
    let ca = params.self_signed(&key)?.pem();
    let issuer = Issuer::new(params, key);
    let leaf_key = KeyPair::generate()?;
    let leaf = CertificateParams::new(["127.0.0.1".to_owned()])?.signed_by(&leaf_key, &issuer)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivatePkcs8KeyDer::from(leaf_key.serialize_der()).into(),
        )?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((ca, TlsAcceptor::from(Arc::new(config))))
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, desk: Arc<Desk>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let _ = stream.set_nodelay(true);
        let desk = Arc::clone(&desk);
        let tls = tls.clone();
        connections.spawn(async move {
            match tls {
                None => answer(stream, desk).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        answer(stream, desk).await;
                    }
                }
            }
        });
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, desk: Arc<Desk>) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, std::convert::Infallible>(desk.receive(request).await) }
    });
    let connection = auto::Builder::new(TokioExecutor::new());
    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
}

/// What both receivers share.
struct Desk {
    secrets: Secrets,
    /// How often an event was refused on purpose, by endpoint and event.
    refused: Mutex<HashMap<String, u32>>,
    arrivals: mpsc::Sender<Arrival>,
}

impl Desk {
    async fn receive(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        if let (&Method::GET, Some(key)) = (&head.method, head.headers.get(VALIDATION_KEY)) {
            let mut echo = Response::new(Full::default());
            echo.headers_mut().insert(VALIDATION_KEY, key.clone());
            return echo;
        }
        let name = head.uri.path().trim_start_matches('/');
        let Some(scene) = SCENES.iter().find(|scene| scene.endpoint == name) else {
            return respond(StatusCode::NOT_FOUND);
        };
        let Ok(body) = Limited::new(body, BODY_BYTES).collect().await else {
            return respond(StatusCode::BAD_REQUEST);
        };
        let body = body.to_bytes();
        let verdict = self.judge(scene, &head.headers, &body);
        let status = self.conduct(scene, &head.headers, &verdict);
        let arrival = Arrival {
            scene,
            text: as_text(&head.headers, &body),
            verdict,
            status,
            at: Instant::now(),
        };
        let _ = self.arrivals.send(arrival).await;
        respond(status)
    }

    fn judge(&self, scene: &Scene, headers: &HeaderMap, body: &[u8]) -> Verdict {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = secrets.get(scene.endpoint).map_or("", String::as_str);
        let now = SystemClock.now().as_seconds();
        verify(scene.scheme, secret, headers, body, now)
    }

    fn conduct(&self, scene: &Scene, headers: &HeaderMap, verdict: &Verdict) -> StatusCode {
        if let Verdict::Rejected(_) = verdict {
            return StatusCode::UNAUTHORIZED;
        }
        match scene.conduct {
            Conduct::Steady => StatusCode::NO_CONTENT,
            Conduct::FailsTwice => {
                let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                let times = refused.entry(id.unwrap_or_default().to_owned()).or_default();
                *times += 1;
                match *times {
                    1 | 2 => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::NO_CONTENT,
                }
            }
        }
    }
}

fn respond(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn as_text(headers: &HeaderMap, body: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    for value in headers.values().filter_map(|value| value.to_str().ok()) {
        text.push('\n');
        text.push_str(value);
    }
    text
}
