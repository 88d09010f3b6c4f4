//! TLS of an endpoint's own, made ready: a certificate that is shown to the receiver, and the
//! authorities that vouch for it. Both are right by their types: a key that is not the
//! certificate's, or a chain out of order, is refused when it is handed in and not when it is
//! needed.

use super::certificate::{self, CertificateFacts};
use super::{EndpointAuth, EndpointSecrets, TlsSettings};
use crate::destination::Scheme;
use crate::limits::Limits;
use crate::refusal::{Code, Refusal};
use crate::secret::SecretText;
use crate::time::Timestamp;
use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use zeroize::Zeroize;

/// How connections to one endpoint are secured.
pub struct EndpointTls {
    /// Who is there, where the receiver asks.
    pub client: Option<ClientIdentity>,
    /// Who alone vouches for the receiver; none for those whom the server trusts.
    pub authorities: Option<Vec<CertificateDer<'static>>>,
    digest: [u8; 32],
}

/// A client certificate with its key.
pub struct ClientIdentity {
    /// The client's own certificate, then its issuers.
    pub chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    facts: CertificateFacts,
    field: &'static str,
}

/// A chain and a key as they were handed in, with the members that they stand in.
struct Given<'a> {
    chain: &'a str,
    chain_field: &'static str,
    key: &'a SecretText,
    key_field: &'static str,
}

impl EndpointTls {
    /// Checks what was handed in and makes it ready; none where the server's own TLS is enough.
    ///
    /// # Errors
    /// `invalid_certificate` or `missing_field` at the member at fault; `scheme_not_allowed` where
    /// the URL is not https.
    pub fn prepare(
        secrets: &EndpointSecrets,
        scheme: Scheme,
        limits: &Limits,
    ) -> Result<Option<Self>, Refusal> {
        let given = Given::of(secrets)?;
        let ca = secrets.tls.as_ref().and_then(|tls| tls.ca.as_deref());
        if given.is_none() && ca.is_none() {
            return Ok(None);
        }
        if scheme != Scheme::Https {
            let field = if secrets.tls.is_some() { "tls" } else { "auth" };
            let message = "certificates are for https: the URL has to begin with it";
            return Err(Refusal::field(Code::SchemeNotAllowed, field, message));
        }
        let client = given.map(|given| ClientIdentity::read(&given, limits)).transpose()?;
        let authorities = ca.map(|text| authorities(text, limits)).transpose()?;
        let digest = digest(client.as_ref(), authorities.as_deref());
        Ok(Some(Self { client, authorities, digest }))
    }

    /// Refuses a client certificate that does not hold now. Stored ones are not judged so: a
    /// certificate that ends keeps nothing from starting, and its receiver says so.
    ///
    /// # Errors
    /// `invalid_certificate` at the certificate.
    pub fn check_dates(&self, now: Timestamp) -> Result<(), Refusal> {
        let Some(ClientIdentity { facts, field, .. }) = &self.client else { return Ok(()) };
        let refused = |message| Err(Refusal::field(Code::InvalidCertificate, *field, message));
        if now >= facts.not_after {
            return refused(format!("it ended at {}", facts.not_after));
        }
        if now < facts.not_before {
            return refused(format!("it does not hold before {}", facts.not_before));
        }
        Ok(())
    }
}

/// Whether connections that were made under the one serve the other.
impl PartialEq for EndpointTls {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for EndpointTls {}

impl fmt::Debug for EndpointTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, authorities, .. } = self;
        let client = client.as_ref().map(|client| &client.facts.subject);
        let authorities = authorities.as_ref().map(Vec::len);
        f.debug_struct("EndpointTls")
            .field("client", &client)
            .field("authorities", &authorities)
            .finish()
    }
}

impl ClientIdentity {
    fn read(given: &Given<'_>, limits: &Limits) -> Result<Self, Refusal> {
        let field = given.chain_field;
        let chain = certificate::read(given.chain, field, limits)?;
        let refused =
            |field: &str, message: &str| Refusal::field(Code::InvalidCertificate, field, message);
        if !is_in_order(&chain) {
            let message = "the client's own certificate comes first, then the issuer of each";
            return Err(refused(field, message));
        }
        let key = read_key(given.key, given.key_field, limits)?;
        let public = public_key(&key).ok_or_else(|| {
            let kinds = "RSA of 2048 bits or more, ECDSA on P-256, P-384 or P-521, Ed25519";
            refused(given.key_field, &format!("this is no key that is known here: {kinds}"))
        })?;
        let own = chain.first().and_then(|own| certificate::parse(own));
        let fits = own.is_some_and(|own| *own.public_key().subject_public_key.data == *public);
        let facts = chain.first().and_then(|own| CertificateFacts::of(own)).filter(|_| fits);
        let facts = facts.ok_or_else(|| {
            refused(given.key_field, "this is not the key of the (first) certificate")
        })?;
        Ok(Self { chain, key, facts, field })
    }

    /// What people are shown of its own certificate.
    pub fn facts(&self) -> &CertificateFacts {
        &self.facts
    }

    /// The private key, for who speaks TLS.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }
}

impl Drop for ClientIdentity {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl<'a> Given<'a> {
    fn of(secrets: &'a EndpointSecrets) -> Result<Option<Self>, Refusal> {
        let by_auth = match &secrets.auth {
            Some(EndpointAuth::Mtls { certificate, private_key }) => Some(Self {
                chain: certificate,
                chain_field: "auth.certificate",
                key: private_key,
                key_field: "auth.private_key",
            }),
            Some(_) | None => None,
        };
        let by_tls = secrets.tls.as_ref().map(Self::of_tls).transpose()?.flatten();
        if by_auth.is_some() && by_tls.is_some() {
            let message = "`auth` has a client certificate already";
            return Err(Refusal::field(Code::InvalidField, "tls.client_certificate", message));
        }
        Ok(by_auth.or(by_tls))
    }

    fn of_tls(tls: &'a TlsSettings) -> Result<Option<Self>, Refusal> {
        let missing = |field, message| Err(Refusal::field(Code::MissingField, field, message));
        match (&tls.client_certificate, &tls.private_key) {
            (Some(chain), Some(key)) => Ok(Some(Self {
                chain,
                chain_field: "tls.client_certificate",
                key,
                key_field: "tls.private_key",
            })),
            (Some(_), None) => missing("tls.private_key", "the client certificate's private key"),
            (None, Some(_)) => missing("tls.client_certificate", "the private key's certificate"),
            (None, None) if tls.ca.is_none() => {
                missing("tls", "a client_certificate with its private_key, a ca, or both")
            }
            (None, None) => Ok(None),
        }
    }
}

/// Whether each certificate was issued by the next.
fn is_in_order(chain: &[CertificateDer<'_>]) -> bool {
    chain.windows(2).all(|two| {
        let (own, issuer) = (certificate::parse(&two[0]), certificate::parse(&two[1]));
        own.zip(issuer).is_some_and(|(own, issuer)| {
            own.tbs_certificate.issuer.as_raw() == issuer.tbs_certificate.subject.as_raw()
        })
    })
}

fn read_key(
    text: &SecretText,
    field: &str,
    limits: &Limits,
) -> Result<PrivateKeyDer<'static>, Refusal> {
    let bytes = text.expose().as_bytes();
    let key = PrivateKeyDer::from_pem_slice(bytes).ok();
    key.filter(|_| bytes.len() <= limits.certificate_bytes).ok_or_else(|| {
        let message = format!(
            "one private key in PEM form (PKCS#8, PKCS#1 or SEC1), not encrypted, of at most {} \
             bytes",
            limits.certificate_bytes
        );
        Refusal::field(Code::InvalidCertificate, field, message)
    })
}

/// The public half of a private key as its certificate has it; none for a kind of key that TLS
/// here does not speak.
fn public_key(key: &PrivateKeyDer<'_>) -> Option<Vec<u8>> {
    let curves = [
        &ECDSA_P256_SHA256_ASN1_SIGNING,
        &ECDSA_P384_SHA384_ASN1_SIGNING,
        &ECDSA_P521_SHA512_ASN1_SIGNING,
    ];
    let rsa = |pair: RsaKeyPair| pair.public_key().as_ref().to_vec();
    let ecdsa = |pair: EcdsaKeyPair| pair.public_key().as_ref().to_vec();
    match key {
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()).ok().map(rsa),
        PrivateKeyDer::Sec1(key) => curves.into_iter().find_map(|curve| {
            EcdsaKeyPair::from_private_key_der(curve, key.secret_sec1_der()).ok().map(ecdsa)
        }),
        PrivateKeyDer::Pkcs8(key) => {
            let der = key.secret_pkcs8_der();
            let ed25519 = |pair: Ed25519KeyPair| pair.public_key().as_ref().to_vec();
            let on_curve =
                || curves.into_iter().find_map(|curve| EcdsaKeyPair::from_pkcs8(curve, der).ok());
            let of_edwards = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(ed25519);
            let of_rsa = RsaKeyPair::from_pkcs8(der).ok().map(rsa);
            of_rsa.or_else(|| on_curve().map(ecdsa)).or_else(of_edwards)
        }
        _ => None,
    }
}

fn authorities(text: &str, limits: &Limits) -> Result<Vec<CertificateDer<'static>>, Refusal> {
    let certificates = certificate::read(text, "tls.ca", limits)?;
    let cannot = |der: &CertificateDer<'_>| webpki::anchor_from_trusted_cert(der).is_err();
    match certificates.iter().position(cannot) {
        None => Ok(certificates),
        Some(place) => {
            let message = format!("number {} cannot vouch for a receiver", place + 1);
            Err(Refusal::field(Code::InvalidCertificate, "tls.ca", message))
        }
    }
}

/// One number for all that makes two connections differ.
fn digest(
    client: Option<&ClientIdentity>,
    authorities: Option<&[CertificateDer<'static>]>,
) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let mut add = |part: &[u8]| {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    };
    for certificate in client.iter().flat_map(|client| &client.chain) {
        add(certificate);
    }
    add(client.map_or(&[], |client| client.key.secret_der()));
    for certificate in authorities.into_iter().flatten() {
        add(certificate);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

#[cfg(test)]
mod tests;
