//! How third parties make sure of a receiver, and what they are answered.

use super::*;

/// Method, query, headers and body.
type Request<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

const TOKEN: &str = "src_1";
const SECRET: &str = "a secret";
/// Made with Python's hashlib.
const EBAY: &str = "23a4a9f3eebe11a6b6b3533f26689873fa6eb7116d016b873021b694aafc32c4";

/// What a scheme answers to a request.
fn answer(scheme: &str, request: Request<'_>) -> Received {
    answer_with(scheme, &[SecretText::new(SECRET)], request)
}

fn answer_with(scheme: &str, keys: &[SecretText], request: Request<'_>) -> Received {
    let library = SchemeLibrary::built_in().unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let scheme = Arc::clone(library.get(scheme).expect("a built-in scheme"));
    let (method, query, headers, body) = request;
    let url = format!("https://angarium.example/in/{TOKEN}{query}");
    let header = |(name, value): &(&str, &str)| -> (HeaderName, HeaderValue) {
        (name.parse().expect("a name"), value.parse().expect("a value"))
    };
    let headers: HeaderMap = headers.iter().map(header).collect();
    let method = method.parse().expect("a method");
    let verifier = Verifier::prepare(scheme, keys);
    let incoming =
        Incoming { method: &method, url: &url, headers: &headers, body: body.as_bytes() };
    let now = Timestamp::parse("2026-01-01T00:00:00Z").expect("a time");
    verifier.receive(incoming, TOKEN, now)
}

fn text_of(received: Received) -> (u16, String) {
    match received {
        Received::Challenge(answer) => {
            (answer.status, String::from_utf8(answer.body).expect("text"))
        }
        other => panic!("no challenge: {other:?}"),
    }
}

#[test]
fn challenges_are_answered_as_each_third_party_asks() {
    // Made with Python's hashlib and hmac.
    let proof = "sha256=eLZZBtjt245+qFrAEVuGelzd2zB9LkIVyMNRWaW2AqU=";
    let cases: &[(&str, Request<'_>, u16, &str)] = &[
        ("dropbox", ("GET", "?challenge=a%20b", &[], ""), 200, "a b"),
        (
            "meta",
            ("GET", "?hub.mode=subscribe&hub.verify_token=src_1&hub.challenge=17", &[], ""),
            200,
            "17",
        ),
        ("websub", ("GET", "?hub.mode=subscribe&hub.topic=t&hub.challenge=17", &[], ""), 200, "17"),
        (
            "twitter",
            ("GET", "?crc_token=abc", &[], ""),
            200,
            &format!("{{\"response_token\":\"{proof}\"}}"),
        ),
        ("microsoft-graph", ("POST", "?validationToken=a%3Ab", &[], ""), 200, "a:b"),
        (
            "okta",
            ("GET", "", &[("X-Okta-Verification-Challenge", "17")], ""),
            200,
            r#"{"verification":"17"}"#,
        ),
        ("cloudevents", ("OPTIONS", "", &[("WebHook-Request-Origin", "e.example")], ""), 200, ""),
        ("trello", ("HEAD", "", &[], ""), 200, ""),
        ("monday", ("POST", "", &[], r#"{"challenge":"17"}"#), 200, r#"{"challenge":"17"}"#),
        (
            "ebay",
            ("GET", "?challenge_code=abc", &[], ""),
            200,
            &format!("{{\"challengeResponse\":\"{EBAY}\"}}"),
        ),
        (
            "event-grid",
            (
                "POST",
                "?code=a%20secret",
                &[("aeg-event-type", "SubscriptionValidation")],
                r#"[{"data":{"validationCode":"17"}}]"#,
            ),
            200,
            r#"{"validationResponse":"17"}"#,
        ),
    ];
    for (scheme, request, status, body) in cases {
        assert_eq!(text_of(answer(scheme, *request)), (*status, (*body).to_owned()), "{scheme}");
    }
}

#[test]
fn a_challenge_that_is_signed_is_rejected_without_its_signature() {
    for (scheme, body) in [
        ("slack", r#"{"type":"url_verification","challenge":"17"}"#),
        ("zoom", r#"{"event":"endpoint.url_validation","payload":{"plainToken":"17"}}"#),
        ("discord", r#"{"type":1}"#),
    ] {
        let received = answer(scheme, ("POST", "", &[], body));
        assert!(matches!(received, Received::Rejected(_)), "{scheme}: {received:?}");
    }
    let wrong =
        answer("meta", ("GET", "?hub.mode=subscribe&hub.verify_token=x&hub.challenge=1", &[], ""));
    assert!(matches!(wrong, Received::Rejected(_)), "{wrong:?}");
}

const HANDSHAKE: Request<'static> =
    ("POST", "", &[("X-Hook-Secret", "b537207f20cbfa02357cf448134da559")], "");

#[test]
fn asana_s_secret_is_sent_back_and_becomes_the_key_of_a_source_that_has_none() {
    let Received::Handshake { answer, secret } = answer_with("asana", &[], HANDSHAKE) else {
        panic!("no handshake");
    };
    assert_eq!(secret.expose(), HANDSHAKE.2[0].1);
    assert_eq!((answer.status, &*answer.body), (200, &b""[..]));
    let [(name, value)] = &*answer.headers else { panic!("{answer:?}") };
    assert_eq!((name.as_str(), &**value), ("x-hook-secret", HANDSHAKE.2[0].1));
}

#[test]
fn a_source_that_has_a_key_takes_no_other_one() {
    // Whatever form it has: a key that the scheme cannot use is not replaced by whoever asks.
    for key in [SECRET, "größer"] {
        let received = answer_with("asana", &[SecretText::new(key)], HANDSHAKE);
        assert!(matches!(received, Received::Rejected(_)), "{received:?}");
    }
    let long = "x".repeat(5_000);
    for secret in ["", &*long] {
        let headers = &[("X-Hook-Secret", secret)];
        let received = answer_with("asana", &[], ("POST", "", headers, ""));
        assert!(matches!(received, Received::Rejected(_)), "{received:?}");
    }
    let unasked = answer_with("asana", &[], ("GET", "", HANDSHAKE.2, ""));
    assert!(matches!(unasked, Received::Rejected(_)), "{unasked:?}");
}

#[test]
fn adyen_is_answered_accepted() {
    let library = SchemeLibrary::built_in().unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let accepted = library.get("adyen").expect("a built-in scheme").accepted();
    assert_eq!((accepted.status, &*accepted.body), (200, &b"[accepted]"[..]));
}
