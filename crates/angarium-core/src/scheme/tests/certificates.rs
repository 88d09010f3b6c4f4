//! Certificates that requests name: only from where the scheme says, and only if they hold.

use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SigningKey, date_time_ymd,
};
use serde_json::json;

const URL: &str = "https://certs.signer.example/1.pem";
const BODY: &str = "{}";

fn scheme(vouched: &str) -> Arc<Scheme> {
    let described = json!({
        "signature": [{
            "from": "header.X-Signature", "algorithm": "ecdsa-p256-sha256",
            "content": "{secret}.{body}", "value": "{base64}",
        }],
        "certificate": {
            "from": "header.X-Certificate", "urls": ["https://certs.signer.example/{word}.pem"],
            "names": ["hooks.signer.example", "{host}"], "vouched": vouched,
        },
    });
    Arc::new(Scheme::from_json(&described).expect("a scheme"))
}

/// Who issues certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn params() -> CertificateParams {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    fn root(name: &str) -> Self {
        let mut params = Self::params();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a root").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn issuer(&self) -> Self {
        let mut params = Self::params();
        params.distinguished_name.push(rcgen::DnType::CommonName, "an issuer");
        let key = KeyPair::generate().expect("a key");
        let pem = params.signed_by(&key, &self.issuer).expect("an issuer").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn signer(&self, params: &CertificateParams) -> (KeyPair, String) {
        let key = KeyPair::generate().expect("a key");
        let pem = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        (key, pem)
    }
}

fn named(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).expect("a name")
}

/// A request that the key signed, and the document with its certificate.
fn request(key: &KeyPair, document: String, root: &Authority) -> Vector {
    let signature = key.sign(format!("a-topic.{BODY}").as_bytes()).expect("signed");
    let headers = [("X-Signature", STANDARD.encode(signature)), ("X-Certificate", URL.to_owned())];
    let document = Fetched { url: URL.to_owned(), text: document, root: Some(root.pem.clone()) };
    Vector {
        published: false,
        rolled: false,
        secret: "a-topic".to_owned(),
        now: None,
        method: None,
        url: None,
        headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
        body: BODY.to_owned(),
        id: None,
        kind: None,
        documents: vec![document],
    }
}

fn reason(vector: &Vector, scheme: &Arc<Scheme>) -> String {
    match vector.verify(scheme) {
        Err(Cause::BadCertificate { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_certificate_whose_chain_leads_to_a_root_verifies_what_it_signed() {
    let root = Authority::root("a root");
    let issuer = root.issuer();
    for name in ["hooks.signer.example", "*.signer.example", "certs.signer.example"] {
        let (key, pem) = issuer.signer(&named(name));
        let vector = request(&key, pem + &issuer.pem, &root);
        assert!(vector.verify(&scheme("roots")).is_ok(), "{name}");
        let other = Vector { secret: "another-topic".to_owned(), ..vector };
        assert_eq!(other.verify(&scheme("roots")), Err(Cause::WrongSignature));
    }
}

#[test]
fn a_certificate_that_does_not_hold_verifies_nothing_and_it_is_said_why() {
    let (root, stranger) = (Authority::root("a root"), Authority::root("a stranger"));
    let issuer = root.issuer();
    let name = "hooks.signer.example";
    let mut expired = named(name);
    expired.not_after = date_time_ymd(2025, 12, 31);
    let mut early = named(name);
    early.not_before = date_time_ymd(2026, 1, 2);
    let mut client = named(name);
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let mut authority = named(name);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let hosts = scheme("host");
    for (params, told) in [
        (expired, "it has expired"),
        (early, "it is not valid yet"),
        (client, "it does not hold"),
        (authority, "it does not hold"),
        (named("signer.example"), "it is made out to another name"),
        (named("hooks.signer.example.evil.example"), "it is made out to another name"),
    ] {
        let (key, pem) = issuer.signer(&params);
        // Not even where the host vouches for it.
        for (scheme, document) in
            [(&scheme("roots"), pem.clone() + &issuer.pem), (&hosts, pem.clone())]
        {
            let reason = reason(&request(&key, document, &root), scheme);
            assert!(reason.contains(told), "{told}: {reason}");
        }
    }
    let (key, pem) = stranger.signer(&named(name));
    let chain = [pem.clone() + &stranger.pem, pem.clone() + &root.pem, pem];
    for document in chain {
        let reason = reason(&request(&key, document, &root), &scheme("roots"));
        assert_eq!(reason, "its chain leads to no public root");
    }
}

#[test]
fn a_certificate_without_its_issuer_counts_only_where_the_host_vouches_for_it() {
    let root = Authority::root("a root");
    let (key, pem) = root.issuer().signer(&named("hooks.signer.example"));
    let vector = request(&key, pem, &root);
    assert!(vector.verify(&scheme("host")).is_ok());
    assert_eq!(reason(&vector, &scheme("roots")), "its chain leads to no public root");
}

#[test]
fn an_issuer_that_is_claimed_and_did_not_sign_is_no_issuer() {
    let (root, forger) = (Authority::root("a root"), Authority::root("a root"));
    let (key, pem) = forger.signer(&named("hooks.signer.example"));
    for vouched in ["roots", "host"] {
        let vector = request(&key, pem.clone(), &root);
        assert!(vector.verify(&scheme(vouched)).is_err(), "{vouched}");
    }
}

#[test]
fn what_is_no_certificate_verifies_nothing() {
    let root = Authority::root("a root");
    let (key, pem) = root.signer(&named("hooks.signer.example"));
    let garbled = pem.replacen("MII", "MIJ", 1);
    let broken = pem.replacen("-----END", "----END", 1);
    for document in [String::new(), "<html>".to_owned(), key.serialize_pem(), garbled, broken] {
        let vector = request(&key, document.clone(), &root);
        for vouched in ["roots", "host"] {
            let cause = vector.verify(&scheme(vouched)).expect_err("no certificate");
            assert_eq!(cause.code(), "bad_certificate", "{document}");
        }
    }
}

#[test]
fn a_url_that_the_scheme_does_not_list_is_never_asked_for() {
    let root = Authority::root("a root");
    let (key, pem) = root.signer(&named("hooks.signer.example"));
    let vector = request(&key, pem, &root);
    for url in
        ["https://evil.example/1.pem", "http://certs.signer.example/1.pem", "file:///etc", "x"]
    {
        let mut vector = vector.clone();
        vector.headers.insert("X-Certificate".to_owned(), url.to_owned());
        vector.documents[0].url = url.to_owned();
        let cause = vector.verify(&scheme("host")).expect_err("a foreign URL");
        assert_eq!(cause.code(), "foreign_url", "{url}");
    }
}

#[test]
fn another_document_is_no_evidence() {
    let root = Authority::root("a root");
    let (key, pem) = root.signer(&named("hooks.signer.example"));
    let vector = request(&key, pem, &root);
    let scheme = scheme("roots");
    let verifier = Verifier::prepare(Arc::clone(&scheme), &[SecretText::new("a-topic")]);
    let ask = |url: &'static str, evidence: Option<&Evidence>| {
        let mut headers = vector.headers();
        headers.insert("x-certificate", HeaderValue::from_static(url));
        let (method, body) = (&Method::POST, BODY.as_bytes());
        let incoming = Incoming { method, url: "https://e.example/", headers: &headers, body };
        verifier.receive_with(incoming, "src_1", evidence, vector.now())
    };
    let Received::Needs(document) = ask(URL, None) else { panic!("a certificate is needed") };
    let evidence = vector.documents[0].evidence(document);
    assert!(matches!(ask(URL, Some(&evidence)), Received::Event(_)));
    let other = ask("https://certs.signer.example/2.pem", Some(&evidence));
    assert!(matches!(other, Received::Needs(_)), "{other:?}");
}

#[test]
fn without_a_secret_no_certificate_is_asked_for() {
    let verifier = Verifier::prepare(scheme("host"), &[SecretText::new("")]);
    let headers = HeaderMap::new();
    let incoming =
        Incoming { method: &Method::POST, url: "https://e.example/", headers: &headers, body: b"" };
    assert_eq!(verifier.verify(incoming, Timestamp::from_millis(0)), Err(Cause::NoKey));
}

/// What Amazon SNS's request to confirm a subscription leads to.
fn confirmation(change: impl FnOnce(&mut Vector)) -> Received {
    let (scheme, vectors) = all().into_iter().find(|(s, _)| s.name() == "aws-sns").expect("SNS");
    let mut vector = vectors[2].clone();
    change(&mut vector);
    let verifier = Verifier::prepare(scheme, &[SecretText::new(&vector.secret)]);
    let (headers, body) = (vector.headers(), vector.body.as_bytes());
    let url = "https://angarium.example/in/src_1";
    let incoming = Incoming { method: &Method::POST, url, headers: &headers, body };
    match verifier.receive(incoming, "src_1", vector.now()) {
        Received::Needs(document) => {
            let evidence = vector.documents[0].evidence(document);
            verifier.receive_with(incoming, "src_1", Some(&evidence), vector.now())
        }
        other => other,
    }
}

#[test]
fn a_subscription_is_confirmed_where_the_topic_is_the_source_s() {
    let Received::Visit { document, answer } = confirmation(|_| {}) else { panic!("no visit") };
    let confirm = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=";
    assert!(document.url().starts_with(confirm), "{document:?}");
    assert_eq!(answer.status, 200);
    let stranger = "arn:aws:sns:us-east-1:999999999999:MyTopic";
    for change in [
        &(|vector: &mut Vector| vector.secret = stranger.to_owned()) as &dyn Fn(&mut Vector),
        &|vector| vector.body = vector.body.replace("123456789012", "999999999999"),
        &|vector| vector.body = vector.body.replace("Token=2336412f37", "Token=2336412f38"),
        &|vector| vector.body = vector.body.replace("ConfirmSubscription&", "DeleteTopic&"),
    ] {
        let received = confirmation(change);
        assert!(matches!(received, Received::Rejected(_)), "{received:?}");
    }
}

#[test]
fn what_is_fetched_has_to_be_asked_for_by_a_signature() {
    let described = json!({
        "signature": [{
            "from": "header.X-Sig", "algorithm": "hmac-sha256", "content": "{body}",
            "value": "{hex}",
        }],
        "challenge": [{ "visit": { "from": "json:/u", "urls": ["https://e.example/{any}"] } }],
    });
    let reason = Scheme::from_json(&described).expect_err("a mistake");
    assert!(reason.contains("signed = true"), "{reason}");
}

#[test]
fn a_certificate_that_signs_for_everybody_is_not_enough() {
    let described = json!({
        "signature": [{
            "from": "header.X-Sig", "algorithm": "rsa-sha256", "content": "{body}",
            "value": "{hex}",
        }],
        "certificate": {
            "from": "json:/u", "urls": ["https://e.example/{any}"], "names": ["e.example"],
        },
    });
    let reason = Scheme::from_json(&described).expect_err("a mistake");
    assert!(reason.contains("signs for others too"), "{reason}");
}
