//! Third parties that ask whether the source is there, and that hand their secret over.

use super::SOON;
use crate::support::client::Api;
use crate::support::eventually;
use crate::support::sender::{SECRET, Sender, hmac_sha256};
use crate::support::server::Server;
use crate::support::shop::{Shop, text};
use serde_json::{Value, json};

/// A source of a scheme, and who calls it without a key.
fn source(shop: &Shop, scheme: &str, secret: Option<&str>) -> (Value, Api, String) {
    let body = json!({"name": scheme, "scheme": scheme, "secret": secret});
    let source = shop.api.post("/v1/tenants/acme/sources", &body).expect(201);
    let path = format!("/in/{}", text(&source, "id"));
    (source, Api { address: shop.server.address.clone(), headers: Vec::new() }, path)
}

#[expect(clippy::disallowed_methods, reason = "the test is the third party, not the product")]
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("a time after 1970").as_secs()
}

#[test]
fn a_question_is_answered_in_the_third_party_s_words_and_is_no_event() {
    let shop = Shop::open();
    let (slack, caller, path) = source(&shop, "slack", Some(SECRET));
    let body = br#"{"type":"url_verification","challenge":"3eZbrw1a"}"#;
    let time = now().to_string();
    let content = [format!("v0:{time}:").as_bytes(), body].concat();
    let signature = format!("v0={}", hmac_sha256(SECRET, &content));
    let signed =
        caller.with("x-slack-request-timestamp", &time).with("x-slack-signature", &signature);
    let answer = signed.call("POST", &path, Some(body));
    assert_eq!((answer.status, &*answer.message.body), (200, &b"3eZbrw1a"[..]));
    assert_eq!(caller.call("POST", &path, Some(body)).status, 401, "Slack signs its question");
    assert!(Sender::of(&shop, slack).events(&shop).is_empty());

    let (_, caller, path) = source(&shop, "dropbox", Some(SECRET));
    let answer = caller.get(&format!("{path}?challenge=abc%20d"));
    assert_eq!((answer.status, &*answer.message.body), (200, &b"abc d"[..]));
    let (_, caller, path) = source(&shop, "trello", Some(SECRET));
    assert_eq!(caller.call("GET", &path, None).status, 401);
    let (meta, caller, path) = source(&shop, "meta", Some(SECRET));
    let ask = |token: &str| {
        caller.get(&format!("{path}?hub.mode=subscribe&hub.challenge=42&hub.verify_token={token}"))
    };
    assert_eq!(&*ask(text(&meta, "id")).message.body, b"42", "the token is the source's id");
    assert_eq!(ask("another").status, 401);
}

#[test]
fn a_secret_that_is_handed_over_is_kept_before_it_is_answered_and_only_once() {
    let shop = Shop::open();
    let (source, caller, path) = source(&shop, "asana", None);
    assert!(source.get("secret").is_none());
    let hand_over =
        |secret: &str| caller.with("x-hook-secret", secret).call("POST", &path, Some(b"{}"));
    let answer = hand_over("first-secret-0123456789");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.message.header("x-hook-secret"), Some("first-secret-0123456789"));
    let shop = shop.restarted(Server::kill);
    let caller = Api { address: shop.server.address.clone(), headers: Vec::new() };
    let hand_over =
        |secret: &str| caller.with("x-hook-secret", secret).call("POST", &path, Some(b"{}"));
    assert_eq!(hand_over("another-secret").status, 401);
    let body = br#"{"events":[{"action":"added"}]}"#;
    let send = |secret: &str| {
        let signature = hmac_sha256(secret, body);
        caller.with("x-hook-signature", &signature).call("POST", &path, Some(body)).status
    };
    assert_eq!(send("another-secret"), 401);
    assert_eq!(send("first-secret-0123456789"), 200);
    let sender = Sender::of(&shop, source);
    eventually("it is an event", SOON, || sender.events(&shop).len() == 1);
}

#[test]
fn a_scheme_that_signs_the_url_believes_the_address_that_the_third_party_knows() {
    let public = "https://hooks.example.com";
    let shop = Shop::open_with(|start| start.argument(&format!("--public-url={public}")));
    let (source, caller, path) = source(&shop, "square", Some(SECRET));
    assert_eq!(text(&source, "receive_url"), format!("{public}{path}"));
    let body = br#"{"event_id":"e1","type":"payment.updated"}"#;
    let send = |url: &str| {
        let content = [url.as_bytes(), body].concat();
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
        let tag = aws_lc_rs::hmac::sign(&key, &content);
        let signature = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, tag);
        caller
            .with("x-square-hmacsha256-signature", &signature)
            .call("POST", &path, Some(body))
            .status
    };
    assert_eq!(send(&format!("{public}{path}")), 200);
    assert_eq!(send(&format!("http://{}{path}", shop.server.address)), 401);
}

#[test]
fn only_a_trusted_proxy_says_under_which_address_a_source_is_known() {
    let url = |shop: &Shop| {
        let proxied = shop
            .api
            .with("x-forwarded-host", "hooks.example.com")
            .with("x-forwarded-proto", "https");
        let body = json!({"name": "n", "scheme": "github"});
        let source = proxied.post("/v1/tenants/acme/sources", &body).expect(201);
        text(&source, "receive_url").split("/in/").next().expect("an address").to_owned()
    };
    let shop = Shop::open();
    assert_eq!(url(&shop), format!("http://{}", shop.server.address));
    let shop = Shop::open_with(|start| start.argument("--trusted-proxy=127.0.0.0/8"));
    assert_eq!(url(&shop), "https://hooks.example.com");
}
