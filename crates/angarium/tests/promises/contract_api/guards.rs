//! What is refused, in the page's own words; and calls that are repeated.

use super::stage::{PAGES, Platforms, page, refused, webhooks};
use crate::support::client::Connection;
use crate::support::shop::text;
use serde_json::{Value, json};
use std::sync::Barrier;

#[test]
fn a_repeated_call_answers_as_the_first_time_and_changes_nothing() {
    let platforms = Platforms::open();
    for page in PAGES {
        let caller = platforms.customer(page, "acme");
        let path = format!("/e/{}{}", page.contract, page.path);
        let guarded = caller.with("idempotency-key", "k1");
        let first = guarded.post(&path, &page.webhook());
        let again = guarded.post(&path, &page.webhook());
        assert_eq!((again.status, &again.body), (201, &first.body));
        assert_eq!(again.message.header("idempotency-replayed"), Some("true"));
        let host = guarded.with("host", &format!("api.{}.test", page.contract));
        let there = host.post(page.path, &page.webhook()).expect(201);
        assert_eq!(there, first.body, "the host is another way to the same call");
        assert_eq!(webhooks(&caller, &path).len(), 1);

        let mut other = page.webhook();
        other["url"] = json!("https://127.0.0.1:9443/other");
        refused(&guarded.post(&path, &other), 422, "idempotency_mismatch");
        let bad = caller.with("idempotency-key", &"k".repeat(256)).post(&path, &other);
        refused(&bad, 400, "invalid_idempotency_key");

        let own = format!("{path}/{}", text(&first.body, "id"));
        for _ in 0..2 {
            guarded.delete(&own).expect(204);
        }
        refused(&caller.delete(&own), 404, "not_found");
        // A refusal is not kept: the call may still be made.
        refused(&caller.with("idempotency-key", "k2").delete(&own), 404, "not_found");
        refused(&caller.with("idempotency-key", "k2").delete(&own), 404, "not_found");
    }
}

#[test]
fn of_many_equal_calls_at_once_one_is_made_and_the_others_are_told_so() {
    let platforms = Platforms::open();
    let page = page("aleta");
    let caller = platforms.customer(page, "acme").with("idempotency-key", "k");
    let start = Barrier::new(16);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let call = || {
            let mut connection = Connection::open(&caller.address).expect("a connection");
            let body = page.webhook().to_string();
            start.wait();
            let path = "/e/aleta/v2/webhooks";
            connection.exchange(&caller, "POST", path, Some(body.as_bytes())).expect("an answer")
        };
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(call)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    for answer in &answers {
        match answer.status {
            201 => {}
            _ => drop(refused(answer, 409, "idempotency_in_flight")),
        }
    }
    assert!(answers.iter().any(|answer| answer.status == 201));
    assert_eq!(webhooks(&caller, "/e/aleta/v2/webhooks").len(), 1);
}

#[test]
fn an_unknown_path_and_a_wrong_method_are_told_apart_in_the_pages_words() {
    let platforms = Platforms::open();
    for page in PAGES {
        let caller = platforms.customer(page, "acme");
        let base = format!("/e/{}", page.contract);
        let path = format!("{base}{}", page.path);
        for unknown in [
            base.clone(),
            format!("{base}/"),
            format!("{base}/v1/nope"),
            format!("{path}/"),
            format!("{path}/a/b"),
            format!("{base}/{}", page.path),
        ] {
            refused(&caller.get(&unknown), 404, "not_found");
        }
        let wrong = caller.put(&path, &json!({}));
        refused(&wrong, 405, "method_not_allowed");
        assert_eq!(wrong.message.header("allow"), Some("GET, HEAD, POST"));
        let brew = caller.call("BREW", &path, None);
        refused(&brew, 405, "method_not_allowed");
    }
    let caller = platforms.customer(page("aleta"), "acme");
    let nowhere = caller.get("/e/nowhere/v2/webhooks");
    assert_eq!((nowhere.status, nowhere.code()), (404, "not_found"), "no page, so RFC 9457");
    platforms.environment("plain", &["standard"], &[]).expect(201);
    let plain = caller.get("/e/plain/v1/webhooks");
    assert_eq!((plain.status, plain.code()), (404, "not_found"));
}

#[test]
fn a_bad_body_is_refused_by_the_pages_name_of_the_member() {
    let platforms = Platforms::open();
    let page = page("anduin");
    let caller = platforms.customer(page, "acme");
    let path = "/e/anduin/api/v2/webhooks";
    let with = |member: &str, value: Value| {
        let mut body = page.webhook();
        body[member] = value;
        body.to_string()
    };
    let deep = format!(r#"{{"url":{}{}}}"#, "[".repeat(64), "]".repeat(64));
    let long = with("url", json!("x".repeat(256 * 1024)));
    let rows = [
        ("{".to_owned(), 400, "invalid_json", ""),
        ("[]".to_owned(), 400, "invalid_json", ""),
        ("3".to_owned(), 400, "invalid_json", ""),
        (deep, 422, "json_too_deep", ""),
        (long, 413, "body_too_large", ""),
        ("{}".to_owned(), 422, "missing_field", "url"),
        (json!({"url": "https://127.0.0.1/"}).to_string(), 422, "missing_field", "events"),
        (with("url", json!(7)), 422, "invalid_field", "url"),
        (with("url", json!(null)), 422, "missing_field", "url"),
        (with("url", json!("not a url")), 422, "invalid_url", "url"),
        (with("events", json!("a")), 422, "invalid_field", "events"),
        (with("events", json!(["a", 1])), 422, "invalid_field", "events"),
        (with("events", json!(["a b"])), 422, "invalid_subscription", "events"),
        (with("events", json!([])), 422, "invalid_subscription", "events"),
        (with("fundSubscriptions", json!(1)), 422, "invalid_field", "fundSubscriptions"),
        (with("isActive", json!("yes")), 422, "invalid_field", "isActive"),
        (with("types", json!(["a"])), 422, "unknown_field", "types"),
        (with("colour", json!("red")), 422, "unknown_field", "colour"),
    ];
    for (body, status, code, member) in rows {
        let answer = caller.call("POST", path, Some(body.as_bytes()));
        let message = refused(&answer, status, code);
        let shown: String = body.chars().take(60).collect();
        assert!(message.starts_with(member), "{shown}: {message}");
    }
    let unknown = caller.post(path, &json!({"colour": "red"}));
    let message = refused(&unknown, 422, "unknown_field");
    for known in ["url", "events", "fundSubscriptions", "isActive"] {
        assert!(message.contains(known), "{message}");
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let answer = caller.with("content-type", kind).post(path, &page.webhook());
        refused(&answer, 415, "unsupported_media_type");
    }
    assert!(webhooks(&caller, path).is_empty());
}

#[test]
fn the_rules_of_the_native_api_hold_in_the_pages_words() {
    let platforms = Platforms::open();
    let aioka = page("aioka");
    let caller = platforms.customer(aioka, "acme");
    let mut plain = aioka.webhook();
    plain["url"] = json!("http://127.0.0.1:9080/hook");
    refused(&caller.post("/e/aioka/v1/webhooks", &plain), 422, "scheme_not_allowed");
    let mut forbidden = aioka.webhook();
    forbidden["url"] = json!("https://10.0.0.1/hook");
    refused(&caller.post("/e/aioka/v1/webhooks", &forbidden), 422, "forbidden_address");
}
