//! Verifies deliveries as a customer would who has only the platform's published page.
//!
//! Independent on purpose: nothing here is shared with the code that signs. What a page leaves
//! open is taken from contracts.md (A2, K2, L7, Q5, `standard`).

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

/// How far a signed time may be off, as the pages say: five minutes.
const TOLERANCE_SECONDS: i64 = 300;

/// What a receiver thinks of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The signature is right.
    Verified,
    /// The contract has no signature.
    Unsigned,
    /// A receiver would refuse it, for this reason.
    Rejected(&'static str),
}

/// How a contract's page says that a delivery is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Standard Webhooks: `v1,<base64 HMAC("<id>.<timestamp>.<body>")>`, secret in base64.
    Standard,
    /// Aleta: `t=<seconds>,v1=<hex HMAC(body)>,v2=<hex HMAC("<t>.<body>")>`.
    Aleta,
    /// Lower-case hex of the body's HMAC, alone or behind a prefix, keyed with the secret's text.
    Hex {
        /// The header.
        header: &'static str,
        /// What stands before the hex.
        prefix: &'static str,
    },
    /// None.
    Unsigned,
}

/// Judges a request that came at `now` (seconds since the epoch).
pub(crate) fn verify(
    scheme: Scheme,
    secret: &str,
    headers: &HeaderMap,
    body: &[u8],
    now: i64,
) -> Verdict {
    let judged = match scheme {
        Scheme::Standard => standard(secret, headers, body, now),
        Scheme::Aleta => aleta(secret, headers, body, now),
        Scheme::Hex { header, prefix } => hex_of_body(secret, headers, body, header, prefix),
        Scheme::Unsigned => return Verdict::Unsigned,
    };
    match judged {
        Ok(()) => Verdict::Verified,
        Err(reason) => Verdict::Rejected(reason),
    }
}

type Judged = Result<(), &'static str>;

fn standard(secret: &str, headers: &HeaderMap, body: &[u8], now: i64) -> Judged {
    let id = text(headers, "webhook-id").ok_or("no webhook-id")?;
    let timestamp = text(headers, "webhook-timestamp").ok_or("no webhook-timestamp")?;
    recent(timestamp, now)?;
    let secret = secret.strip_prefix("whsec_").ok_or("not a whsec_ secret")?;
    let secret = STANDARD.decode(secret).map_err(|_| "the secret is not base64")?;
    let content = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let signatures = text(headers, "webhook-signature").ok_or("no webhook-signature")?;
    let right = signatures
        .split(' ')
        .filter_map(|signature| signature.strip_prefix("v1,"))
        .filter_map(|signature| STANDARD.decode(signature).ok())
        .any(|signature| is_hmac(&secret, &content, &signature));
    right.then_some(()).ok_or("no signature is right")
}

fn aleta(secret: &str, headers: &HeaderMap, body: &[u8], now: i64) -> Judged {
    let header = text(headers, "aleta-signature").ok_or("no Aleta-Signature")?;
    let part = |name: &str| {
        let mut parts = header.split(',').filter_map(|part| part.split_once('='));
        parts.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let timestamp = part("t").ok_or("no timestamp")?;
    recent(timestamp, now)?;
    let bound = [timestamp.as_bytes(), b".", body].concat();
    for (name, content) in [("v1", body), ("v2", bound.as_slice())] {
        let signature = hex::decode(part(name).ok_or("a signature is missing")?);
        let signature = signature.map_err(|_| "a signature is not hex")?;
        if !is_hmac(secret.as_bytes(), content, &signature) {
            return Err("a signature is wrong");
        }
    }
    Ok(())
}

fn hex_of_body(
    secret: &str,
    headers: &HeaderMap,
    body: &[u8],
    header: &'static str,
    prefix: &'static str,
) -> Judged {
    let signature = text(headers, header).ok_or("no signature")?;
    let signature = signature.strip_prefix(prefix).ok_or("another prefix")?;
    if signature.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("the hex is not lower-case");
    }
    let signature = hex::decode(signature).map_err(|_| "the signature is not hex")?;
    match is_hmac(secret.as_bytes(), body, &signature) {
        true => Ok(()),
        false => Err("the signature is wrong"),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn recent(timestamp: &str, now: i64) -> Judged {
    let seconds: i64 = timestamp.parse().map_err(|_| "the timestamp is no number")?;
    match seconds.abs_diff(now) <= TOLERANCE_SECONDS.unsigned_abs() {
        true => Ok(()),
        false => Err("the timestamp is more than five minutes off"),
    }
}

fn is_hmac(secret: &[u8], content: &[u8], signature: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::verify(&key, content, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            let value = value.parse().expect("a header value");
            (http::HeaderName::from_static(name), value)
        };
        pairs.iter().map(pair).collect()
    }

    /// The example that the Standard Webhooks specification prints.
    #[test]
    fn the_published_example_of_standard_webhooks_verifies_and_a_changed_one_does_not() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = br#"{"test": 2432232314}"#;
        let now = 1_614_265_330;
        let sent = headers(&[
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1a,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ]);
        let judge = |body: &[u8], now| verify(Scheme::Standard, secret, &sent, body, now);
        assert_eq!(judge(body, now), Verdict::Verified);
        assert_eq!(judge(body, now + 300), Verdict::Verified);
        assert!(matches!(judge(body, now + 301), Verdict::Rejected(_)));
        assert!(matches!(judge(b"{}", now), Verdict::Rejected(_)));
    }

    /// Vectors made with `openssl dgst -sha256 -hmac`.
    #[test]
    fn hex_signatures_verify_by_the_secrets_text_in_lower_case_only() {
        let scheme = Scheme::Hex { header: "x-aioka-signature", prefix: "" };
        let right = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
        let judge = |signature: &str| {
            let sent = headers(&[("x-aioka-signature", signature)]);
            let body = b"The quick brown fox jumps over the lazy dog";
            verify(scheme, "key", &sent, body, 0)
        };
        assert_eq!(judge(right), Verdict::Verified);
        assert!(matches!(judge(&right.to_uppercase()), Verdict::Rejected(_)));
        assert!(matches!(judge(&right.replace('f', "0")), Verdict::Rejected(_)));
    }

    #[test]
    fn aleta_needs_both_signatures_and_a_recent_time() {
        let body = b"The quick brown fox jumps over the lazy dog";
        let v1 = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"key");
        let bound = [b"100.".as_slice(), body].concat();
        let v2 = hex::encode(hmac::sign(&key, &bound));
        for (header, now, right) in [
            (format!("t=100,v1={v1},v2={v2}"), 100, true),
            (format!("t=100,v1={v1},v2={v2}"), 401, false),
            (format!("t=101,v1={v1},v2={v2}"), 100, false),
            (format!("t=100,v1={v1}"), 100, false),
        ] {
            let sent = headers(&[("aleta-signature", &header)]);
            let verdict = verify(Scheme::Aleta, "key", &sent, body, now);
            assert_eq!(verdict == Verdict::Verified, right, "{header} at {now}");
        }
    }
}
