//! Keys in certificates that a request names: which document has it, and whether it may be
//! believed.
//!
//! Nothing is fetched here. The URL has one of the scheme's forms, or the request is rejected; what
//! was fetched comes back as [`Evidence`]. Chains, times and names are judged by rustls' own
//! verifier; whether a certificate was revoked is not asked.

use super::Cause;
use super::incoming::Facts;
use super::origin::Origin;
use super::url_pattern::UrlPattern;
use crate::time::Timestamp;
use bytes::Bytes;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use std::fmt;
use std::sync::Arc;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, KeyUsage};
use zeroize::Zeroizing;

/// Certificates of one document that are looked at.
const MOST_CERTIFICATES: usize = 8;

/// Something to fetch over https, from where the scheme lets it be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Document(Box<str>);

/// A document that was fetched, and whose signatures count.
#[derive(Clone)]
pub struct Evidence {
    /// Which document it is.
    pub document: Document,
    /// What it says: certificates in PEM form, the signer's first.
    pub text: Bytes,
    /// The public roots to which its chain has to lead.
    pub roots: Arc<[TrustAnchor<'static>]>,
}

/// A place with a URL, and the forms that it may have.
#[derive(Debug)]
pub(super) struct UrlRule {
    pub(super) from: Origin,
    pub(super) forms: Vec<UrlPattern>,
}

/// Where the certificate with the key is, and what it has to be.
#[derive(Debug)]
pub(super) struct CertificateRule {
    pub(super) url: UrlRule,
    /// To whom it may be made out.
    pub(super) names: Vec<CertificateName>,
    pub(super) vouched: Vouched,
}

/// To whom a certificate is made out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CertificateName {
    /// To this name.
    Name(ServerName<'static>),
    /// To the host that it was fetched from.
    Host,
}

/// Who vouches for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vouched {
    /// Its issuers, up to a public root: the document has the whole chain.
    ByRoots,
    /// The host that it comes from, which had to prove its own name: the document has the
    /// certificate alone.
    ByHost,
}

impl Document {
    /// Where it is: `https://`, in ASCII.
    pub fn url(&self) -> &str {
        &self.0
    }

    fn host(&self) -> Option<&str> {
        self.0.strip_prefix("https://")?.split('/').next()
    }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Evidence({}, {} bytes)", self.document.url(), self.text.len())
    }
}

impl UrlRule {
    /// What the request wants to be fetched.
    pub(super) fn document(&self, facts: &Facts<'_>) -> Result<Document, Cause> {
        let url = facts.text(&self.from);
        let url = url.ok_or_else(|| Cause::Missing(self.from.to_string()))?;
        match self.forms.iter().any(|form| form.matches(&url)) {
            true => Ok(Document(url.into())),
            false => Err(Cause::ForeignUrl(self.from.to_string())),
        }
    }
}

impl CertificateRule {
    /// The public key (SPKI) that signs the request.
    ///
    /// # Errors
    /// That its document is needed, or why it is not believed.
    pub(super) fn key(
        &self,
        facts: &Facts<'_>,
        evidence: Option<&Evidence>,
        now: Timestamp,
    ) -> Result<Zeroizing<Vec<u8>>, Cause> {
        let document = self.url.document(facts)?;
        let Some(evidence) = evidence.filter(|evidence| evidence.document == document) else {
            return Err(Cause::Needs(document));
        };
        let key = self.believed(evidence, now);
        key.map_err(|reason| Cause::BadCertificate { url: document.0, reason })
    }

    fn believed(&self, evidence: &Evidence, now: Timestamp) -> Result<Zeroizing<Vec<u8>>, String> {
        let certificates = CertificateDer::pem_slice_iter(&evidence.text);
        let certificates: Result<Vec<_>, _> = certificates.take(MOST_CERTIFICATES).collect();
        let certificates = certificates.map_err(|_| "it is not PEM")?;
        let (signer, issuers) = certificates.split_first().ok_or("it has no certificate")?;
        let signer = EndEntityCert::try_from(signer).map_err(|_| "it is no certificate (X.509)")?;
        let is_for = |name: &CertificateName| {
            let name = match name {
                CertificateName::Name(name) => Some(name.clone()),
                CertificateName::Host => {
                    evidence.document.host().and_then(|host| ServerName::try_from(host).ok())
                }
            };
            name.is_some_and(|name| signer.verify_is_valid_for_subject_name(&name).is_ok())
        };
        if !self.names.iter().any(is_for) {
            return Err("it is made out to another name".to_owned());
        }
        let time = UnixTime::since_unix_epoch(now.since(Timestamp::from_millis(0)));
        let usage = KeyUsage::server_auth();
        let roots = &evidence.roots;
        let algorithms = ALL_VERIFICATION_ALGS;
        let chain = signer.verify_for_usage(algorithms, roots, issuers, time, usage, None, None);
        match (chain, self.vouched) {
            // What the certificate says itself is judged before its issuer is looked for.
            (Ok(_), _) | (Err(Error::UnknownIssuer), Vouched::ByHost) => {
                Ok(Zeroizing::new(signer.subject_public_key_info().to_vec()))
            }
            (Err(error), _) => Err(fault(&error)),
        }
    }
}

fn fault(error: &Error) -> String {
    match error {
        Error::CertExpired { .. } => "it has expired".to_owned(),
        Error::CertNotValidYet { .. } => "it is not valid yet".to_owned(),
        Error::UnknownIssuer => "its chain leads to no public root".to_owned(),
        other => format!("it does not hold: {other:?}"),
    }
}
