//! JWTs: what they are signed with is the scheme's choice, and what they say has to fit the
//! request.

use super::*;
use aws_lc_rs::hmac;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const NOW: i64 = 1_767_225_600;

fn scheme() -> Arc<Scheme> {
    let described = json!({
        "signature": [{
            "from": "header.Authorization", "algorithm": "hmac-sha256", "value": "Bearer {jwt}",
            "when": { "claim.request_body_sha256": "{body.sha256}" },
        }],
        "timestamp": { "from": "claim.iat" },
    });
    Arc::new(Scheme::from_json(&described).expect("a scheme"))
}

/// A request with a JWT of this head and these claims, signed by the secret.
fn request(head: &Value, claims: &Value) -> Vector {
    let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", part(head), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    Vector {
        published: false,
        rolled: false,
        secret: SECRET.to_owned(),
        now: None,
        method: None,
        url: None,
        headers: [("Authorization".to_owned(), format!("Bearer {signed}.{signature}"))].into(),
        body: "{}".to_owned(),
        id: None,
        kind: None,
        documents: Vec::new(),
    }
}

fn claims() -> Value {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"{}");
    json!({ "iat": NOW, "request_body_sha256": hex::encode(hash) })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[test]
fn a_jwt_counts_if_its_head_its_times_and_its_hash_fit() {
    let scheme = scheme();
    let head = json!({ "alg": "HS256", "typ": "JWT" });
    for claims in [claims(), with("exp", json!(NOW + 1)), with("nbf", json!(NOW))] {
        assert!(request(&head, &claims).verify(&scheme).is_ok(), "{claims}");
    }
    for (head, claims, code) in [
        (json!({ "alg": "none" }), claims(), "malformed_signature"),
        (json!({ "alg": "HS512" }), claims(), "malformed_signature"),
        (json!({ "alg": "hs256" }), claims(), "malformed_signature"),
        (json!({}), claims(), "malformed_signature"),
        (json!({ "alg": "HS256", "crit": ["b64"], "b64": false }), claims(), "malformed_signature"),
        (head.clone(), json!([]), "malformed_signature"),
        (head.clone(), with("request_body_sha256", json!("00")), "wrong_content"),
        (head.clone(), with("request_body_sha256", Value::Null), "wrong_content"),
        (head.clone(), with("iat", json!(NOW - 302)), "too_old"),
        (head.clone(), with("iat", json!(NOW + 302)), "too_new"),
        (head.clone(), with("iat", Value::Null), "no_timestamp"),
        (head.clone(), with("iat", json!(-1)), "no_timestamp"),
        (head.clone(), with("exp", json!(NOW)), "too_old"),
        (head.clone(), with("exp", json!("soon")), "no_timestamp"),
        (head.clone(), with("nbf", json!(NOW + 1)), "too_new"),
    ] {
        let cause = request(&head, &claims).verify(&scheme).expect_err("it does not count");
        assert_eq!(cause.code(), code, "{head} {claims}");
    }
}

#[test]
fn a_jwt_is_not_signed_by_what_is_public() {
    // The head of a forger says that the public key is a secret.
    let (scheme, vectors) = all().into_iter().find(|(s, _)| s.name() == "plaid").expect("plaid");
    let mut forged = request(&json!({ "alg": "HS256" }), &claims());
    forged.secret.clone_from(&vectors[0].secret);
    let token = forged.headers["Authorization"].replace("Bearer ", "");
    forged.headers = [("Plaid-Verification".to_owned(), token)].into();
    assert_eq!(
        forged.verify(&scheme),
        Err(Cause::Malformed("the header plaid-verification".into()))
    );
}

#[test]
fn a_key_that_the_source_has_not_is_named() {
    let (scheme, vectors) = all().into_iter().find(|(s, _)| s.name() == "plaid").expect("plaid");
    let mut vector = vectors[0].clone();
    vector.secret = vector.secret.replace("bfbd5111", "00000000");
    let cause = vector.verify(&scheme).expect_err("another key");
    assert_eq!(cause, Cause::UnknownKey("bfbd5111-8e33-4643-8ced-b2e642a72f3c".to_owned()));
}

#[test]
fn a_scheme_says_what_jwts_cannot_be_signed_with() {
    let described = json!({ "signature": [
        { "from": "header.Authorization", "algorithm": "hmac-sha1", "value": "{jwt}" },
    ] });
    let reason = Scheme::from_json(&described).expect_err("a mistake");
    assert!(reason.contains("no JWT is signed with `hmac-sha1`"), "{reason}");
}
