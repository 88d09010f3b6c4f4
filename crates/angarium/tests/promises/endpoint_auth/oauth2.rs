//! Tokens of a token endpoint (RFC 6749, 4.4).

use super::stage::TokenEndpoint;
use super::{SOON, endpoint, outcome};
use crate::support::proxy::{Kind, Proxy};
use crate::support::receiver::{Receiver, Reply};
use crate::support::shop::{Shop, text};
use crate::support::{eventually, tls};
use serde_json::{Value, json};
use std::net::TcpListener;

#[test]
fn one_token_serves_all_deliveries_and_stands_in_no_record() {
    let (shop, tokens) = (Shop::open(), TokenEndpoint::start());
    let receiver = tokens.guarded();
    for client_auth in ["basic", "body"] {
        let given = tokens.given();
        let auth = json!({"auth": tokens.auth(client_auth)});
        let made = shop.endpoint(&endpoint(&receiver.url("/hook"), &[], &auth));
        let shown = json!({
            "type": "oauth2", "token_url": tokens.receiver.url("/token"), "client_id": "client:1",
            "client_secret": "***", "scopes": ["hooks.write"],
            "audience": "https://hooks.example/", "client_auth": client_auth,
        });
        assert_eq!(made["auth"], shown);
        let events: Vec<_> = (0..20).map(|n| shop.publish("a", &json!(n))).collect();
        for event in &events {
            let delivery = shop.wait_for_state(text(event, "id"), "delivered");
            let headers = delivery["attempts"][0]["request"]["headers"].to_string();
            assert!(headers.contains("••••") && !headers.contains("token-"), "{headers}");
        }
        assert_eq!(tokens.given(), given + 1, "one token for twenty deliveries");
        let explained = shop.api.get(&format!("/v1/events/{}/explain", text(&events[0], "id")));
        let auth = json!({"type": "oauth2", "token_url": tokens.receiver.url("/token")});
        let settings = &explained.expect(200)["data"][0]["settings"];
        assert_eq!(settings["auth"], json!({"value": auth, "origin": "endpoint"}));
        assert_eq!(settings["tls"], json!({"value": null, "origin": "system"}));
        shop.api.delete(&format!("/v1/endpoints/{}", text(&made, "id"))).expect(204);
    }
    assert_eq!(receiver.count(), 40);
}

#[test]
fn a_refused_token_is_an_attempt_and_the_next_one_has_another() {
    let (shop, tokens) = (Shop::open(), TokenEndpoint::start());
    let receiver = tokens.guarded();
    shop.endpoint(&endpoint(&receiver.url("/"), &["1s"], &json!({"auth": tokens.auth("basic")})));
    outcome(&shop, "delivered");
    tokens.forget_given();
    let delivery = outcome(&shop, "delivered");
    let classes: Vec<_> = delivery["attempts"].as_array().expect("attempts").iter().collect();
    assert_eq!(classes.len(), 2, "{delivery}");
    assert_eq!(
        (&classes[0]["class"], &classes[0]["status"]),
        (&json!("client_error"), &json!(401))
    );
    assert_eq!((receiver.count(), tokens.receiver.count()), (3, 2), "one attempt is one request");
}

#[test]
fn a_token_endpoint_that_fails_is_an_attempt_that_says_how_and_reaches_nobody() {
    let (shop, tokens) = (Shop::open(), TokenEndpoint::start());
    let receiver = tokens.guarded();
    let auth = json!({"auth": tokens.auth("basic")});
    let made = shop.endpoint(&endpoint(&receiver.url("/"), &[], &auth));
    let path = format!("/v1/endpoints/{}", text(&made, "id"));
    let mut wrong = tokens.auth("basic");
    wrong["client_secret"] = "wrong".into();
    let mut nowhere = tokens.auth("basic");
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    nowhere["token_url"] = format!("http://{}/", closed.expect("it was open")).into();
    let mut moved = tokens.auth("basic");
    moved["token_url"] = tokens.receiver.url("/other").into();
    let mut silent = tokens.auth("basic");
    silent["token_url"] = Receiver::scripted(|_| Reply::HangUp).url("/").into();
    let mut unknown = tokens.auth("basic");
    unknown["token_url"] = tokens.receiver.secure_url("/token").into();
    let rows = [
        (wrong, 0, "it answered 401 (invalid_client)"),
        (tokens.auth("basic"), 503, "it answered 503 (temporarily_unavailable)"),
        (tokens.auth("basic"), 302, "it answered 302 (temporarily_unavailable)"),
        (tokens.auth("basic"), 200, "its answer has no access_token (RFC 6749, 5.1)"),
        (nowhere, 0, "the address cannot be reached"),
        (silent, 0, "the connection was closed before the answer"),
        (moved, 0, "it answered 401 (invalid_client)"),
        (unknown, 0, "the certificate's issuer is not trusted"),
    ];
    for (number, (mut auth, status, told)) in rows.into_iter().enumerate() {
        // Another client each time, so that no failure is remembered.
        auth["audience"] = format!("https://hooks.example/{number}").into();
        if status != 0 {
            auth["audience"] = "https://hooks.example/".into();
            auth["client_id"] = format!("{number}").into();
        }
        tokens.fail_with(status);
        shop.api.patch(&path, &json!({"auth": auth})).expect(200);
        let dead = outcome(&shop, "dead");
        let attempt = &dead["attempts"][0];
        assert_eq!((&attempt["class"], &attempt["status"]), (&json!("token"), &Value::Null));
        let detail = format!("no access token from the token endpoint: {told}");
        assert_eq!(attempt["detail"], json!(detail));
    }
    assert_eq!(receiver.count(), 0);
    tokens.fail_with(0);
    shop.api.patch(&path, &json!({"auth": tokens.auth("body")})).expect(200);
    outcome(&shop, "delivered");
}

#[test]
fn a_new_secret_is_used_at_once_and_anything_else_keeps_the_token() {
    let (shop, tokens) = (Shop::open(), TokenEndpoint::start());
    let receiver = tokens.guarded();
    let auth = json!({"auth": tokens.auth("basic")});
    let made = shop.endpoint(&endpoint(&receiver.url("/"), &[], &auth));
    let path = format!("/v1/endpoints/{}", text(&made, "id"));
    outcome(&shop, "delivered");
    shop.api.patch(&path, &json!({"description": "new"})).expect(200);
    outcome(&shop, "delivered");
    assert_eq!(tokens.given(), 1);
    let mut wrong = tokens.auth("basic");
    wrong["client_secret"] = "wrong".into();
    shop.api.patch(&path, &json!({"auth": wrong})).expect(200);
    assert_eq!(outcome(&shop, "dead")["attempts"][0]["class"], "token");
    shop.api.patch(&path, &auth).expect(200);
    outcome(&shop, "delivered");
    assert_eq!(tokens.given(), 2);
}

#[test]
fn while_the_token_endpoint_is_down_the_endpoint_is_left_alone_as_if_it_were_down_itself() {
    let (shop, tokens) = (Shop::open(), TokenEndpoint::start());
    let receiver = tokens.guarded();
    tokens.fail_with(503);
    let url = receiver.url("/");
    shop.endpoint(&json!({"url": url, "types": ["*"], "auth": tokens.auth("basic")}));
    let events: Vec<_> = (0..40).map(|n| shop.publish("a", &json!(n))).collect();
    let explain = format!("/v1/events/{}/explain", text(&events[39], "id"));
    eventually("its breaker is open", SOON, || {
        let explained = shop.api.get(&explain).expect(200);
        explained["data"][0]["gate"]["breaker"] == "open"
    });
    let asked = tokens.receiver.count();
    assert!(asked <= 5, "{asked} requests for 40 deliveries");
    let tried = shop.api.list("/v1/deliveries?tenant=acme&class=token").len();
    assert!((1..40).contains(&tried), "{tried} deliveries lost an attempt, the others wait");
    assert_eq!(receiver.count(), 0);
}

#[test]
fn a_token_is_asked_for_through_the_environments_proxy() {
    for kind in [Kind::Connect, Kind::Socks5] {
        let (shop, tokens, proxy) =
            (Shop::open(), TokenEndpoint::start(), Proxy::start(kind, None));
        let egress = json!({"egress": {"proxy": {"url": proxy.url}}});
        shop.api.patch("/v1/environments/shop", &egress).expect(200);
        let receiver = tokens.guarded();
        let auth = json!({"auth": tokens.auth("basic")});
        shop.endpoint(&endpoint(&receiver.url("/"), &[], &auth));
        outcome(&shop, "delivered");
        let at = |url: &str| url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let expected = [at(&tokens.receiver.url("/")), at(&receiver.url("/"))];
        assert_eq!(proxy.take_asked(), expected, "{kind:?}");
    }
}

#[test]
fn a_url_that_has_to_prove_itself_is_asked_with_a_token() {
    let ca = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(ca.path(), &tls::of_the_run().authority).expect("written");
    let trust = format!("--trust-ca={}", ca.path().display());
    let shop = Shop::open_with(|start| start.argument(&trust));
    let environment = json!({"slug": "funds", "contracts": ["anduin"]});
    shop.server.admin().post("/v1/environments", &environment).expect(201);
    let api = shop.server.admin().with("angarium-environment", "funds");
    api.put("/v1/tenants/acme", &json!({})).expect(201);
    let tokens = TokenEndpoint::start();
    let receiver = Receiver::secured(|request| match request.header("authorization") {
        Some(token) if token.starts_with("Bearer token-") => {
            Reply::Echo("x-anduin-webhook-validation-key".to_owned())
        }
        Some(_) | None => Reply::Status(401),
    });
    let mut body = json!({
        "url": receiver.secure_url("/hook"),
        "types": ["fundSubscription.signed"],
        "auth": tokens.auth("basic"),
    });
    body["auth"]["token_url"] = tokens.receiver.secure_url("/token").into();
    api.post("/v1/tenants/acme/endpoints", &body).expect(201);
    tokens.fail_with(503);
    let refused = api.post("/v1/tenants/acme/endpoints", &body);
    assert_eq!((refused.status, refused.code()), (422, "validation_failed"));
    assert_eq!(refused.field(), Some("auth"));
    assert!(refused.body.to_string().contains("it answered 503"), "{}", refused.body);
    assert_eq!(receiver.count(), 1);
}
