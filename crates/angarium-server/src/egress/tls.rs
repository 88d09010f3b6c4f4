//! TLS 1.2 or later; name and chain are always verified, and no switch turns that off (S12).

use super::EgressError;
use angarium_core::endpoint::{ClientIdentity, EndpointTls};
use angarium_core::outcome::Outcome;
use rustls::client::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{AlertDescription, CertificateError, Error, RootCertStore};
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// The HTTP version that both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

pub(super) fn protocol(alpn: Option<&[u8]>) -> Protocol {
    match alpn == Some(ALPN_HTTP2) {
        true => Protocol::Http2,
        false => Protocol::Http1,
    }
}

/// What speaks TLS: for endpoints that leave it to the server one and the same.
pub(super) struct Connectors {
    shared: TlsConnector,
    roots: Arc<RootCertStore>,
}

impl Connectors {
    pub(super) fn new(extra_roots: &[String]) -> Result<Self, EgressError> {
        let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        for pem in extra_roots {
            let mut certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).peekable();
            if certificates.peek().is_none() {
                return Err(EgressError::NoRoot);
            }
            for certificate in certificates {
                roots.add(certificate?)?;
            }
        }
        let roots = Arc::new(roots);
        Ok(Self { shared: connector(Arc::clone(&roots), None)?, roots })
    }

    /// That of an endpoint. One with TLS of its own gets it anew for each connection, so that no
    /// session of one identity is resumed by another.
    pub(super) fn of(&self, tls: Option<&EndpointTls>) -> Result<TlsConnector, Outcome> {
        let Some(tls) = tls else { return Ok(self.shared.clone()) };
        let own = || {
            let roots = match &tls.authorities {
                None => Arc::clone(&self.roots),
                Some(authorities) => {
                    let mut roots = RootCertStore::empty();
                    for authority in authorities {
                        roots.add(authority.clone())?;
                    }
                    Arc::new(roots)
                }
            };
            connector(roots, tls.client.as_ref())
        };
        own().map_err(|error| {
            tracing::warn!(%error, "the certificates of an endpoint cannot be used");
            failed("its client certificate or its ca cannot be used".into())
        })
    }
}

fn connector(
    roots: Arc<RootCertStore>,
    client: Option<&ClientIdentity>,
) -> Result<TlsConnector, Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut config = match client {
        None => config.with_no_client_auth(),
        Some(client) => config.with_client_auth_cert(client.chain.clone(), client.key())?,
    };
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// What a failed handshake says about the receiver.
pub(super) fn describe_handshake(error: &io::Error) -> Outcome {
    match error.get_ref().and_then(|source| source.downcast_ref::<Error>()) {
        Some(reason) => describe(reason),
        None => failed(format!("the connection broke: {}", error.kind())),
    }
}

/// What an error of TLS says about the receiver.
pub(super) fn describe(error: &Error) -> Outcome {
    match error {
        Error::PeerIncompatible(_) => unsupported(),
        Error::AlertReceived(
            AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity,
        ) => unsupported(),
        Error::AlertReceived(alert) => failed(alert_fault(*alert)),
        Error::InvalidCertificate(error) => failed(certificate_fault(error).into()),
        Error::InvalidMessage(_) => failed("the receiver does not speak TLS".into()),
        _ => failed("the receiver broke the rules of TLS".into()),
    }
}

/// What the receiver says of us: of our certificate, or that it misses one.
fn alert_fault(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "the receiver wants a client certificate, and got none".into()
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => {
            format!("the receiver refused the client certificate: {alert:?}")
        }
        other => format!("the receiver answered {other:?}"),
    }
}

fn certificate_fault(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for another name"
        }
        CertificateError::UnknownIssuer => "the certificate's issuer is not trusted",
        CertificateError::Revoked => "the certificate was revoked",
        _ => "the certificate is not valid",
    }
}

fn failed(text: String) -> Outcome {
    Outcome::TlsFailed(text)
}

fn unsupported() -> Outcome {
    Outcome::TlsUnsupported(
        "the receiver has no TLS version and cipher in common with us; TLS 1.2 or later with AEAD \
         is needed"
            .into(),
    )
}
