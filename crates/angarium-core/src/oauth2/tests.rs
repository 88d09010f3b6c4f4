//! What is asked, what an answer means, and for how long its token is used.

use super::*;
use crate::outcome::{Outcome, Phase};
use crate::time::Timestamp;
use http::header::HOST;
use std::time::Duration;

fn settings() -> OAuth2Settings {
    OAuth2Settings {
        token_url: "https://login.example/oauth/token?tenant=a".into(),
        client_id: "a client:1".into(),
        client_secret: SecretText::new("s&cret +é%"),
        scopes: vec!["hooks.write".into(), "b".into()],
        audience: Some("https://api.example/".into()),
        client_auth: ClientAuth::Basic,
    }
}

fn prepared(settings: &OAuth2Settings) -> Result<OAuth2Client, Refusal> {
    OAuth2Client::prepare(settings, &Limits::default(), PlainHttp::Refused)
}

fn client(settings: &OAuth2Settings) -> Arc<OAuth2Client> {
    Arc::new(prepared(settings).expect("a sound client"))
}

#[test]
fn the_request_has_the_form_of_rfc_6749_with_both_parts_encoded_in_the_header() {
    let request = client(&settings()).request();
    assert_eq!(request.destination.origin(), "https://login.example");
    let message = &request.message;
    assert_eq!(message.method(), "POST");
    assert_eq!(message.uri().to_string(), "/oauth/token?tenant=a");
    assert_eq!(message.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
    assert_eq!(message.headers()[ACCEPT], "application/json");
    assert!(!message.headers().contains_key(HOST), "the egress names the host");
    let authorization = &message.headers()[AUTHORIZATION];
    assert!(authorization.is_sensitive());
    let pair = authorization.to_str().expect("ASCII").strip_prefix("Basic ").expect("basic");
    let pair = STANDARD.decode(pair).expect("base64");
    assert_eq!(pair, b"a+client%3A1:s%26cret+%2B%C3%A9%25");
    assert_eq!(
        message.body(),
        "grant_type=client_credentials&scope=hooks.write+b&audience=https%3A%2F%2Fapi.example%2F"
    );
}

#[test]
fn a_client_may_say_who_it_is_in_the_body_instead() {
    let least = OAuth2Settings {
        scopes: Vec::new(),
        audience: None,
        client_auth: ClientAuth::Body,
        ..settings()
    };
    let request = client(&least).request();
    assert!(!request.message.headers().contains_key(AUTHORIZATION));
    assert_eq!(
        request.message.body(),
        "grant_type=client_credentials&client_id=a+client%3A1&client_secret=s%26cret+%2B%C3%A9%25"
    );
}

/// Sets a member.
type Change = fn(&mut OAuth2Settings, &str);

#[test]
fn what_is_wrong_with_a_client_is_told_at_its_member() {
    let long = "x".repeat(2_049);
    let change = |change: Change, text: &str| {
        let mut settings = settings();
        change(&mut settings, text);
        prepared(&settings).expect_err(text).field.unwrap_or_default()
    };
    let rows: [(&str, Change, &[&str]); 5] = [
        (
            "auth.token_url",
            |s, text| s.token_url = text.into(),
            &["http://login.example/", "https://u:p@login.example/", "login", "https://0x7f.1/"],
        ),
        ("auth.client_id", |s, text| s.client_id = text.into(), &["", "a\nb", &long]),
        (
            "auth.client_secret",
            |s, text| s.client_secret = SecretText::new(text),
            &["", "a\0b", &long],
        ),
        ("auth.audience", |s, text| s.audience = Some(text.into()), &["", "\u{7f}", &long]),
        (
            "auth.scopes[1]",
            |s, text| s.scopes[1] = text.into(),
            &["", "a b", "a\"", "a\\", "é", &long],
        ),
    ];
    for (field, apply, texts) in rows {
        for text in texts {
            assert_eq!(change(apply, text), field, "{text}");
        }
    }
    let mut many = settings();
    many.scopes = vec!["s".into(); MOST_SCOPES + 1];
    assert_eq!(prepared(&many).expect_err("many").field.as_deref(), Some("auth.scopes"));
    many.scopes.pop();
    assert!(prepared(&many).is_ok());
    let http = OAuth2Settings { token_url: "http://login.example/".into(), ..settings() };
    assert!(OAuth2Client::prepare(&http, &Limits::default(), PlainHttp::Allowed).is_ok());
}

fn answered(status: u16, body: &str) -> Result<Granted, TokenFault> {
    read(&Outcome::Response { status, retry_after: None }, body.as_bytes())
}

#[test]
fn an_answer_is_a_token_with_its_life_or_says_why_it_is_none() {
    let seconds = |body: &str| answered(200, body).map(|granted| granted.lifetime.as_secs());
    let rows = [
        (r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#, Ok(3_600)),
        (r#"{"access_token":"t","token_type":"bearer","expires_in":"120","scope":"a"}"#, Ok(120)),
        (r#"{"access_token":"t","expires_in":59.5}"#, Ok(59)),
        (r#"{"access_token":"t"}"#, Ok(300)),
        (r#"{"access_token":"t","expires_in":null}"#, Ok(300)),
        (r#"{"access_token":"t","expires_in":"soon"}"#, Ok(300)),
        (r#"{"access_token":"t","expires_in":[1]}"#, Ok(300)),
        (r#"{"access_token":"t","expires_in":-5}"#, Ok(300)),
        (r#"{"access_token":"t","expires_in":0}"#, Ok(300)),
        (r#"{"access_token":"t","expires_in":1e300}"#, Ok(86_400)),
        (r#"{"access_token":"t","token_type":"mac"}"#, Err(TokenFault::OtherType)),
        (r#"{"access_token":""}"#, Err(TokenFault::NoToken)),
        (r#"{"access_token":7}"#, Err(TokenFault::NoToken)),
        (r#"{"access_token":"a","access_token":"b"}"#, Err(TokenFault::NoToken)),
        (r#"{"token":"t"}"#, Err(TokenFault::NoToken)),
        ("access_token=t&token_type=bearer", Err(TokenFault::NoToken)),
        ("", Err(TokenFault::NoToken)),
        (r#"{"access_token":"a b"}"#, Err(TokenFault::Unusable)),
        (r#"{"access_token":"a\r\nx: y"}"#, Err(TokenFault::Unusable)),
    ];
    for (body, expected) in rows {
        assert_eq!(seconds(body), expected, "{body}");
    }
    let token = |length| format!(r#"{{"access_token":"{}"}}"#, "t".repeat(length));
    assert!(answered(201, &token(8_192)).is_ok());
    assert_eq!(answered(200, &token(8_193)), Err(TokenFault::Unusable));
}

#[test]
fn a_refusal_tells_its_status_and_a_registered_name_and_nothing_else() {
    let rows = [
        (401, r#"{"error":"invalid_client","error_description":"x"}"#, " 401 (invalid_client)"),
        (400, r#"{"error":"invalid_scope"}"#, " 400 (invalid_scope)"),
        (400, r#"{"error":"the secret canary is wrong"}"#, " 400"),
        (500, "canary", " 500"),
        (302, "", " 302"),
    ];
    for (status, body, told) in rows {
        let fault = answered(status, body).expect_err(body);
        assert_eq!(fault.to_string(), format!("it answered{told}"));
    }
    let silent = read(&Outcome::TimedOut(Phase::Head), b"").expect_err("silence");
    assert_eq!(silent.to_string(), "no answer in time");
    let refused = read(&Outcome::NotConnected("refused".into()), b"").expect_err("refused");
    let forbidden = read(&Outcome::ForbiddenAddress("10.0.0.1".into()), b"").expect_err("closed");
    assert_eq!(refused, forbidden, "what is forbidden reads like what cannot be reached");
}

#[test]
fn a_token_is_hidden_when_printed() {
    let granted = answered(200, r#"{"access_token":"canary"}"#).expect("a token");
    assert!(granted.token.authorization().is_sensitive());
    assert!(!format!("{granted:?}").contains("canary"));
}

const START: Timestamp = Timestamp::from_millis(1_000_000);

fn at(seconds: f64) -> Timestamp {
    START + Duration::from_secs_f64(seconds)
}

fn granted(token: &str, seconds: u32) -> Result<Granted, TokenFault> {
    answered(200, &format!(r#"{{"access_token":"{token}","expires_in":{seconds}}}"#))
}

#[test]
fn a_token_is_used_until_it_ends_less_a_tenth_and_at_most_a_minute() {
    for (life, used) in [(3_600, 3_540.0), (600, 540.0), (100, 90.0), (1, 1.2)] {
        let (client, mut cache) = (client(&settings()), TokenCache::default());
        assert_eq!(cache.known(&client, START), None);
        let token = cache.keep(Arc::clone(&client), granted("t", life), START, at(0.2));
        assert_eq!(cache.known(&client, at(used - 0.001)), Some(token), "{life}");
        assert_eq!(cache.known(&client, at(used)), None, "{life}");
        let earlier = START - Duration::from_secs(1);
        assert_eq!(cache.known(&client, earlier), None, "the clock was set back");
        assert_eq!((cache.is_spent(at(used - 0.001)), cache.is_spent(at(used))), (false, true));
    }
}

#[test]
fn another_secret_is_another_client_and_anything_else_of_the_endpoint_is_not() {
    let mut cache = TokenCache::default();
    let token = cache.keep(client(&settings()), granted("t", 3_600), START, START);
    assert_eq!(cache.known(&client(&settings()), START), Some(token), "made ready anew");
    let rotated = OAuth2Settings { client_secret: SecretText::new("new"), ..settings() };
    assert_eq!(cache.known(&client(&rotated), START), None);
}

#[test]
fn a_failure_is_told_for_a_second() {
    let (client, mut cache) = (client(&settings()), TokenCache::default());
    let failed = cache.keep(Arc::clone(&client), Err(TokenFault::NoToken), START, at(5.0));
    assert_eq!(cache.known(&client, at(5.999)), Some(failed));
    assert_eq!(cache.known(&client, at(6.0)), None);
}

#[test]
fn a_refused_token_is_replaced_once_a_minute() {
    let (client, mut cache) = (client(&settings()), TokenCache::default());
    let keep = |cache: &mut TokenCache, token, now| {
        cache.keep(Arc::clone(&client), granted(token, 3_600), now, now).expect("a token")
    };
    let first = keep(&mut cache, "first", START);
    cache.refuse(&first, at(1.0));
    assert_eq!(cache.known(&client, at(1.0)), None);
    let second = keep(&mut cache, "second", at(1.0));
    cache.refuse(&first, at(2.0));
    assert!(cache.known(&client, at(2.0)).is_some(), "that one is gone already");
    cache.refuse(&second, at(60.9));
    assert!(cache.known(&client, at(60.9)).is_some(), "another was tried less than a minute ago");
    cache.refuse(&second, at(61.0));
    assert_eq!(cache.known(&client, at(61.0)), None);
    keep(&mut cache, "third", at(61.0));
    cache.refuse(&second, at(600.0));
    assert!(cache.known(&client, at(600.0)).is_some(), "an answer to an old one says nothing new");
}
