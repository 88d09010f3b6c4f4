//! TLS 1.2 or later; name and chain are always verified, and no switch turns that off (S12).

use super::EgressError;
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

pub(super) fn connector(extra_roots: &[String]) -> Result<TlsConnector, EgressError> {
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
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// What a failed handshake says about the receiver.
pub(super) fn describe(error: &io::Error) -> Outcome {
    let reason = error.get_ref().and_then(|source| source.downcast_ref::<Error>());
    match reason {
        Some(Error::PeerIncompatible(_)) => unsupported(),
        Some(Error::AlertReceived(
            AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity,
        )) => unsupported(),
        Some(Error::AlertReceived(alert)) => failed(format!("the receiver answered {alert:?}")),
        Some(Error::InvalidCertificate(error)) => failed(certificate_fault(error).into()),
        Some(Error::InvalidMessage(_)) => failed("the receiver does not speak TLS".into()),
        Some(_) => failed("the receiver broke the rules of TLS".into()),
        None => failed(format!("the connection broke: {}", error.kind())),
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
