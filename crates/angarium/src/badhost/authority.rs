//! Certificates for one run: good ones, and every kind of bad one.

use super::case::Identity;
use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::net::IpAddr;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// What the long chain drags behind it.
const BALLAST_CERTIFICATES: usize = 10;
const BALLAST_BYTES: usize = 1024 * 1024;

/// The authority of one run.
pub(super) struct Authority {
    /// Its certificate, PEM: what a sender has to trust.
    pub(super) pem: String,
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    names: Vec<String>,
}

impl Authority {
    /// An authority whose sound certificates are made out to this address and to `localhost`.
    pub(super) fn new(address: IpAddr) -> anyhow::Result<Self> {
        let (root, issuer) = authority("angarium badhost, one run only")?;
        let names = [address.to_string(), "127.0.0.1".to_owned(), "localhost".to_owned()].to_vec();
        Ok(Self { pem: root.pem(), root: root.der().clone(), issuer, names })
    }

    /// Who a TLS port says it is.
    pub(super) fn acceptor(&self, identity: Identity) -> anyhow::Result<TlsAcceptor> {
        let key = KeyPair::generate()?;
        let chain = self.chain(identity, &key)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if identity == Identity::AsksBack {
            let mut roots = RootCertStore::empty();
            roots.add(self.root.clone())?;
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let mut config = builder.with_single_cert(chain, key).context("a certificate")?;
        let spoken: &[u8] = if identity == Identity::SoundHttp2 { b"h2" } else { b"http/1.1" };
        config.alpn_protocols = vec![spoken.to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn chain(
        &self,
        identity: Identity,
        key: &KeyPair,
    ) -> anyhow::Result<Vec<CertificateDer<'static>>> {
        let mut params = CertificateParams::new(self.names.clone())?;
        let mut stranger = None;
        match identity {
            Identity::Sound
            | Identity::SoundHttp2
            | Identity::AsksBack
            | Identity::LongChain
            | Identity::SelfSigned => {}
            Identity::Expired => {
                params.not_before = date_time_ymd(2019, 1, 1);
                params.not_after = date_time_ymd(2020, 1, 1);
            }
            Identity::NotYetValid => {
                params.not_before = date_time_ymd(2099, 1, 1);
                params.not_after = date_time_ymd(2100, 1, 1);
            }
            Identity::OtherName => {
                params = CertificateParams::new(vec!["elsewhere.test".to_owned()])?;
            }
            Identity::ForClients => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
            Identity::UnknownAuthority => stranger = Some(authority("nobody")?.1),
            Identity::MissingLink => stranger = Some(self.intermediate()?),
        }
        let signed = if identity == Identity::SelfSigned {
            params.self_signed(key)?
        } else {
            params.signed_by(key, stranger.as_ref().unwrap_or(&self.issuer))?
        };
        let mut chain = vec![signed.der().clone()];
        if identity == Identity::LongChain {
            let ballast = CertificateDer::from(vec![0x30; BALLAST_BYTES]);
            chain.resize(1 + BALLAST_CERTIFICATES, ballast);
        }
        Ok(chain)
    }

    /// An authority that this one vouches for.
    fn intermediate(&self) -> anyhow::Result<Issuer<'static, KeyPair>> {
        let (params, key) = (authority_params("between"), KeyPair::generate()?);
        params.signed_by(&key, &self.issuer)?;
        Ok(Issuer::new(params, key))
    }
}

fn authority(name: &str) -> anyhow::Result<(rcgen::Certificate, Issuer<'static, KeyPair>)> {
    let (params, key) = (authority_params(name), KeyPair::generate()?);
    let certificate = params.self_signed(&key)?;
    Ok((certificate, Issuer::new(params, key)))
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
