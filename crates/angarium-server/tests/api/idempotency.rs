//! `Idempotency-Key` (contracts.md, G7).

use super::stage::{Answer, Stage};
use serde_json::{Value, json};

async fn guarded(stage: &Stage, method: &str, path: &str, key: &str, body: &Value) -> Answer {
    let call = stage.call(method, path).header("idempotency-key", key);
    call.json(body.clone()).send().await
}

#[tokio::test]
async fn a_repeated_call_answers_as_the_first_time_and_changes_nothing() {
    let stage = Stage::ready().await;
    let endpoint = json!({"url": "https://a.example/h", "types": ["*"]});
    let event = json!({"tenant": "acme", "type": "a.b", "data": 1});
    let key = json!({"name": "k", "scopes": ["read"]});
    let rows = [
        ("POST", "/v1/tenants/acme/endpoints", endpoint),
        ("POST", "/v1/events", event),
        ("POST", "/v1/keys", key),
        ("PUT", "/v1/tenants/new", json!({"name": "New"})),
    ];
    for (method, path, body) in &rows {
        let first = guarded(&stage, method, path, "one", body).await;
        assert!((200..300).contains(&first.status), "{path} {}", first.text);
        let again = guarded(&stage, method, path, "one", body).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text), "{path}");
        assert_eq!(again.headers["idempotency-replayed"], "true", "{path}");
        assert!(!first.headers.contains_key("idempotency-replayed"));
        let mut other = body.clone();
        other["x"] = json!(1);
        let refused = guarded(&stage, method, path, "one", &other).await;
        let mismatch = (422, "idempotency_mismatch".into(), "Idempotency-Key".into());
        assert_eq!(refused.refusal(), mismatch, "{path}");
    }
    let endpoints = stage.get("/v1/endpoints").send().await.json();
    assert_eq!(endpoints["data"].as_array().map(Vec::len), Some(1));
    let events = stage.get("/v1/events").send().await.json();
    assert_eq!(events["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_key_is_of_its_caller_and_its_route() {
    let stage = Stage::ready().await;
    let event = json!({"tenant": "acme", "type": "a.b", "data": 1});
    let first = guarded(&stage, "POST", "/v1/events", "k", &event).await;
    let other = stage.key(json!({"name": "k", "environment": "prod", "scopes": ["publish"]})).await;
    let theirs = stage.post("/v1/events").key(&other).header("idempotency-key", "k");
    let theirs = theirs.json(event).send().await;
    assert_ne!(theirs.json()["id"], first.json()["id"]);
    let too_long = "k".repeat(256);
    let refused = guarded(&stage, "PUT", "/v1/tenants/x", &too_long, &json!({})).await;
    assert_eq!(refused.refusal().1, "invalid_idempotency_key");
    let at_limit = "k".repeat(255);
    assert_eq!(guarded(&stage, "PUT", "/v1/tenants/x", &at_limit, &json!({})).await.status, 201);
}

#[tokio::test]
async fn of_64_calls_at_once_with_one_key_one_event_comes() {
    let stage = Stage::ready().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let event = json!({"tenant": "acme", "type": "a.b", "data": 1});
        let call = stage.post("/v1/events").header("idempotency-key", "same").json(event);
        tasks.spawn(call.send());
    }
    let answers = tasks.join_all().await;
    let fresh = |a: &&Answer| a.status == 202 && !a.headers.contains_key("idempotency-replayed");
    assert_eq!(answers.iter().filter(fresh).count(), 1);
    assert!(answers.iter().all(|a| a.status == 202 || a.refusal().1 == "idempotency_in_flight"));
    let events = stage.get("/v1/events").send().await.json();
    assert_eq!(events["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_repeated_batch_accepts_nothing_twice() {
    let stage = Stage::ready().await;
    let event = |i: i32| json!({"tenant": "acme", "type": "a.b", "data": i});
    let bad = json!({"tenant": "acme", "type": "a b", "data": 1});
    let body = json!({"events": [event(1), bad, event(2)]});
    let first = guarded(&stage, "POST", "/v1/events/batch", "b", &body).await;
    let again = guarded(&stage, "POST", "/v1/events/batch", "b", &body).await;
    assert_eq!((again.status, again.text), (first.status, first.text));
    let other = json!({"events": [event(1), event(3)]});
    let refused = guarded(&stage, "POST", "/v1/events/batch", "b", &other).await;
    assert_eq!(refused.refusal().1, "idempotency_mismatch");
    let events = stage.get("/v1/events").send().await.json();
    assert_eq!(events["data"].as_array().map(Vec::len), Some(2));
}
