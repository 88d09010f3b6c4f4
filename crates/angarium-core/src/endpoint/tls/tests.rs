//! Which certificates and keys are taken, and what is told of the others.

use super::*;
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rcgen::{PKCS_ECDSA_P384_SHA384, PKCS_ED25519, date_time_ymd};

struct Made {
    pem: String,
    key: String,
}

/// A root, an issuer below it and a client's certificate, with the client's key of one kind.
fn chain(algorithm: &'static rcgen::SignatureAlgorithm) -> (Made, String, String) {
    let named = |name: &str, ca: bool| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = if ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::NoCa };
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2030, 1, 1);
        params
    };
    let root_key = KeyPair::generate().expect("a key");
    let root_params = named("root", true);
    let root: Certificate = root_params.self_signed(&root_key).expect("a root");
    let root_issuer = Issuer::new(root_params, root_key);
    let issuer_key = KeyPair::generate().expect("a key");
    let issuer_params = named("issuer", true);
    let issuer = issuer_params.signed_by(&issuer_key, &root_issuer).expect("an issuer");
    let issuing = Issuer::new(issuer_params, issuer_key);
    let key = KeyPair::generate_for(algorithm).expect("a key");
    let own = named("client", false).signed_by(&key, &issuing).expect("a certificate");
    (Made { pem: own.pem(), key: key.serialize_pem() }, issuer.pem(), root.pem())
}

fn tls(certificate: &str, key: &str, ca: &str) -> TlsSettings {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    TlsSettings {
        client_certificate: some(certificate),
        private_key: some(key).map(SecretText::new),
        ca: some(ca),
    }
}

fn prepare(auth: Option<EndpointAuth>, tls: Option<TlsSettings>) -> Result<EndpointTls, Refusal> {
    let secrets = EndpointSecrets { auth, tls, ..EndpointSecrets::default() };
    EndpointTls::prepare(&secrets, Scheme::Https, &Limits::default())
        .map(|prepared| prepared.expect("something is set"))
}

fn refused(tls: TlsSettings) -> (String, String) {
    let refusal = prepare(None, Some(tls)).expect_err("it is refused");
    (refusal.field.unwrap_or_default(), refusal.message)
}

#[test]
fn a_chain_with_its_key_is_taken_whatever_the_kind_of_key() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let (own, issuer, root) = chain(algorithm);
        let whole = format!("{}{issuer}{root}", own.pem);
        let made = prepare(None, Some(tls(&whole, &own.key, &root))).expect("sound");
        assert_eq!(made.client.as_ref().map(|client| client.chain.len()), Some(3));
        assert_eq!(made.authorities.as_ref().map(Vec::len), Some(1));
        let by_auth = EndpointAuth::Mtls {
            certificate: whole.clone(),
            private_key: SecretText::new(&*own.key),
        };
        let same = prepare(Some(by_auth), Some(tls("", "", &root))).expect("sound");
        assert_eq!(same, made, "one identity, however it was handed in");
        assert!(!format!("{made:?}").contains("PRIVATE"));
    }
}

#[test]
fn what_cannot_work_is_told_at_its_member() {
    let (own, issuer, root) = chain(&rcgen::PKCS_ECDSA_P256_SHA256);
    let (other, ..) = chain(&rcgen::PKCS_ECDSA_P256_SHA256);
    let certificate = "tls.client_certificate";
    let many = root.repeat(17);
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let unended = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    let rows = [
        (tls(&own.pem, "", ""), "tls.private_key", "private key"),
        (tls("", &own.key, ""), certificate, "certificate"),
        (tls("", "", ""), "tls", "ca"),
        (tls(&own.pem, &other.key, ""), "tls.private_key", "not the key"),
        (tls(&own.pem, "nonsense", ""), "tls.private_key", "PEM"),
        (tls(&own.pem, &own.pem, ""), "tls.private_key", "PEM"),
        (tls(&format!("{issuer}{}", own.pem), &own.key, ""), certificate, "first"),
        (tls(&format!("{}{root}", own.pem), &own.key, ""), certificate, "issuer"),
        (tls(&format!("{}{}", own.pem, own.key), &own.key, ""), certificate, "own member"),
        (tls("nonsense", &own.key, ""), certificate, "there are 0"),
        (tls(unended, &own.key, ""), certificate, "not PEM"),
        (tls(broken, &own.key, ""), certificate, "number 1"),
        (tls("", "", &many), "tls.ca", "there are 17"),
        (tls("", "", &format!("{root}{broken}")), "tls.ca", "number 2"),
        (tls("", "", &" ".repeat(32 * 1024 + 1)), "tls.ca", "32768 bytes"),
    ];
    for (settings, field, part) in rows {
        let (found, message) = refused(settings);
        assert_eq!(found, field, "{message}");
        assert!(message.contains(part), "{field}: {message}");
    }
    assert!(prepare(None, Some(tls("", "", &root.repeat(16)))).is_ok());
    let twice = EndpointAuth::Mtls {
        certificate: own.pem.clone(),
        private_key: SecretText::new(&*own.key),
    };
    let refusal = prepare(Some(twice), Some(tls(&own.pem, &own.key, ""))).expect_err("two");
    assert_eq!(refusal.field.as_deref(), Some(certificate));
}

#[test]
fn certificates_are_for_https() {
    let (.., root) = chain(&PKCS_ED25519);
    let secrets = EndpointSecrets { tls: Some(tls("", "", &root)), ..EndpointSecrets::default() };
    let refusal = EndpointTls::prepare(&secrets, Scheme::Http, &Limits::default());
    let refusal = refusal.expect_err("it is plain http");
    assert_eq!((refusal.code, refusal.field.as_deref()), (Code::SchemeNotAllowed, Some("tls")));
}

#[test]
fn a_client_certificate_is_taken_only_while_it_holds() {
    let (own, ..) = chain(&PKCS_ED25519);
    let made = prepare(None, Some(tls(&own.pem, &own.key, ""))).expect("sound");
    let at = |text: &str| Timestamp::parse(text).expect("a time");
    assert_eq!(made.check_dates(at("2020-01-01T00:00:00Z")), Ok(()));
    assert_eq!(made.check_dates(at("2029-12-31T23:59:59Z")), Ok(()));
    for (now, part) in [("2019-12-31T23:59:59Z", "before 2020"), ("2030-01-01T00:00:00Z", "2030")] {
        let refusal = made.check_dates(at(now)).expect_err(now);
        assert_eq!(refusal.field.as_deref(), Some("tls.client_certificate"));
        assert!(refusal.message.contains(part), "{}", refusal.message);
    }
}

#[test]
fn other_certificates_are_other_connections() {
    let (own, issuer, root) = chain(&PKCS_ED25519);
    let with =
        |chain: &str, ca: &str| prepare(None, Some(tls(chain, &own.key, ca))).expect("sound");
    let plain = with(&own.pem, "");
    assert_eq!(plain, with(&own.pem, ""));
    assert_ne!(plain, with(&own.pem, &root));
    assert_ne!(plain, with(&format!("{}{issuer}", own.pem), ""));
}

#[test]
fn of_a_certificate_its_names_its_times_and_its_digest_are_shown() {
    let (own, issuer, _) = chain(&PKCS_ED25519);
    let facts = CertificateFacts::of_pem(&format!("{}{issuer}", own.pem));
    let names: Vec<_> = facts.iter().map(|facts| (&*facts.subject, &*facts.issuer)).collect();
    assert_eq!(names.len(), 2);
    assert!(names[0].0.contains("CN=client") && names[0].1.contains("CN=issuer"), "{names:?}");
    assert_eq!(facts[0].not_after.to_string(), "2030-01-01T00:00:00.000Z");
    assert_ne!(facts[0].sha256, facts[1].sha256);
}
