//! Certificates as somebody hands them in: PEM that is read in full, and what is shown of it.

use crate::limits::Limits;
use crate::refusal::{Code, Refusal};
use crate::time::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{PemObject, SectionKind};
use x509_parser::certificate::X509Certificate;
use x509_parser::parse_x509_certificate;
use x509_parser::time::ASN1Time;

/// What people are shown of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// To whom it is made out (RFC 4514).
    pub subject: String,
    /// By whom.
    pub issuer: String,
    /// From when it holds.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// SHA-256 of the whole certificate.
    pub sha256: [u8; 32],
}

impl CertificateFacts {
    /// Of the certificates in a text that was accepted, in its order.
    pub fn of_pem(text: &str) -> Vec<Self> {
        let certificates = CertificateDer::pem_slice_iter(text.as_bytes()).map_while(Result::ok);
        certificates.filter_map(|certificate| Self::of(&certificate)).collect()
    }

    pub(super) fn of(der: &[u8]) -> Option<Self> {
        let certificate = parse(der)?;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, der).as_ref());
        Some(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            not_before: timestamp(certificate.validity().not_before),
            not_after: timestamp(certificate.validity().not_after),
            sha256,
        })
    }
}

/// One certificate and nothing behind it.
pub(super) fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    parse_x509_certificate(der).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, found)| found)
}

fn timestamp(time: ASN1Time) -> Timestamp {
    Timestamp::from_millis(time.timestamp().saturating_mul(1_000))
}

/// Reads certificates.
///
/// # Errors
/// `invalid_certificate` at `field`: it is no PEM, has none, too many, or something else in it.
pub(super) fn read(
    text: &str,
    field: &str,
    limits: &Limits,
) -> Result<Vec<CertificateDer<'static>>, Refusal> {
    let refused = |message: String| Err(Refusal::field(Code::InvalidCertificate, field, message));
    if text.len() > limits.certificate_bytes {
        return refused(format!("at most {} bytes", limits.certificate_bytes));
    }
    let mut certificates = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()) {
        match section {
            Ok((SectionKind::Certificate, der)) => certificates.push(CertificateDer::from(der)),
            Ok(_) => return refused("certificates only: a private key has its own member".into()),
            Err(_) => return refused("this is not PEM".into()),
        }
    }
    let most = limits.certificates;
    if !(1..=most).contains(&certificates.len()) {
        let found = certificates.len();
        return refused(format!("1 to {most} certificates in PEM form; there are {found}"));
    }
    match certificates.iter().position(|certificate| parse(certificate).is_none()) {
        Some(place) => refused(format!("number {} is no certificate (X.509)", place + 1)),
        None => Ok(certificates),
    }
}
