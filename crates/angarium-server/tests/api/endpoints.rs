//! Endpoints: what is refused, what is shown, and what happens to secrets.

use super::stage::{Stage, with};
use serde_json::json;

const URL: &str = "https://hooks.example.com/h";

#[tokio::test]
async fn a_secret_is_shown_once_and_nothing_secret_ever_after() {
    let stage = Stage::ready().await;
    let body = json!({
        "url": URL, "types": ["order.*"],
        "headers": {"X-Key": "canary-one"},
        "auth": {"type": "basic", "username": "user", "password": "canary-two"},
    });
    let made = stage.post("/v1/tenants/acme/endpoints").json(body).send().await;
    assert_eq!(made.status, 201, "{}", made.text);
    let shown = made.json();
    let secret = shown["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("whsec_"));
    let id = shown["id"].as_str().expect("an id");
    let path = format!("/v1/endpoints/{id}");
    let read = stage.get(&path).send().await;
    assert_eq!(read.json()["auth"]["username"], "user");
    assert_eq!(read.json()["headers"], json!({"X-Key": "***"}));
    let list = stage.get("/v1/endpoints").send().await;
    let change = stage.call("PATCH", &path).json(json!({"description": "d"})).send().await;
    for answer in [made, read, list, change] {
        assert!(!answer.text.contains("canary"), "{}", answer.text);
    }
    let rotated = stage.post(&format!("{path}/rotate-secret")).send().await.json();
    let new = rotated["secret"].as_str().expect("a secret");
    assert!(new.starts_with("whsec_") && new != secret);
}

#[tokio::test]
async fn an_endpoint_is_refused_by_the_member_at_fault() {
    let stage = Stage::ready().await;
    let many: serde_json::Map<_, _> = (0..41).map(|i| (format!("x-{i}"), json!("v"))).collect();
    let good = json!({"url": URL, "types": ["*"]});
    let rows = [
        (json!({"url": null}), "422 missing_field url"),
        (json!({"types": null}), "422 missing_field types"),
        (json!({"types": []}), "422 invalid_subscription types"),
        (json!({"types": ["a b"]}), "422 invalid_subscription types[0]"),
        (json!({"url": "nonsense"}), "422 invalid_url url"),
        (json!({"url": "http://169.254.169.254/"}), "422 forbidden_address url"),
        (json!({"url": "https://localhost/"}), "422 forbidden_address url"),
        (json!({"contract": "aioka"}), "422 unknown_contract contract"),
        (json!({"headers": {"host": "x"}}), "422 invalid_header headers.host"),
        (json!({"headers": many}), "422 too_many_headers headers"),
        (json!({"secret": "short"}), "422 invalid_secret secret"),
        (json!({"where": "true"}), "422 unknown_field where"),
        (json!({"rate": {}}), "422 missing_field rate.per_second"),
        (json!({"rate": {"per_second": 0}}), "422 invalid_field rate.per_second"),
        (json!({"concurrency": 65}), "422 invalid_field concurrency"),
        (json!({"delivery": {"retries": ["x"]}}), "422 invalid_schedule delivery.retries[0]"),
        (json!({"status": "asleep"}), "422 invalid_field status"),
    ];
    for (members, refused) in rows {
        let body = with(&good, &members);
        let answer = stage.post("/v1/tenants/acme/endpoints").json(body).send().await;
        assert_eq!(answer.refused(), refused, "{members}");
    }
    let nobody =
        stage.post("/v1/tenants/nobody/endpoints").json(json!({"url": URL, "types": ["*"]}));
    assert_eq!(nobody.send().await.refusal().1, "tenant_not_found");
}

#[tokio::test]
async fn status_is_changed_by_steps_and_listed_by_itself() {
    let stage = Stage::ready().await;
    let id = stage.endpoint(json!({"url": URL, "types": ["*"]})).await;
    let step = |step: &str| stage.post(&format!("/v1/endpoints/{id}/{step}")).send();
    assert_eq!(step("pause").await.json()["status"], "paused");
    assert_eq!(step("enable").await.refusal().1, "invalid_state");
    assert_eq!(step("resume").await.json()["status"], "active");
    let disabled = step("disable").await.json();
    assert_eq!(disabled["status"], "disabled");
    assert_eq!(disabled["health"]["disabled_reason"], "by a call");
    assert_eq!(step("resume").await.refusal().1, "invalid_state");
    let listed = stage.get("/v1/endpoints?status=disabled").send().await.json();
    assert_eq!(listed["data"][0]["id"], json!(id));
    assert_eq!(step("enable").await.json()["status"], "active");
    let unknown = stage.get("/v1/endpoints?status=asleep").send().await;
    assert_eq!(unknown.refusal(), (400, "invalid_parameter".into(), "status".into()));
    assert_eq!(stage.call("DELETE", &format!("/v1/endpoints/{id}")).send().await.status, 204);
    assert_eq!(step("pause").await.status, 404);
}

#[tokio::test]
async fn changes_at_once_all_take_place() {
    let stage = Stage::ready().await;
    let id = stage.endpoint(json!({"url": URL, "types": ["*"]})).await;
    let path = format!("/v1/endpoints/{id}");
    let one = stage.call("PATCH", &path).json(json!({"description": "d"})).send();
    let two = stage.call("PATCH", &path).json(json!({"concurrency": 7})).send();
    let (one, two) = tokio::join!(one, two);
    assert_eq!((one.status, two.status), (200, 200), "{} {}", one.text, two.text);
    let shown = stage.get(&path).send().await.json();
    assert_eq!((&shown["description"], &shown["concurrency"]), (&json!("d"), &json!(7)));
}

#[tokio::test]
async fn a_tenant_s_signing_key_is_there_from_the_start_and_is_rotated() {
    let stage = Stage::ready().await;
    let path = "/v1/tenants/acme/signing-keys";
    let keys = stage.get(path).send().await.json();
    let first = keys["data"][0]["secret"].as_str().expect("a secret").to_owned();
    assert_eq!(keys["data"][0]["contract"], "aleta");
    let rotated = stage.post(&format!("{path}/rotate")).json(json!({})).send().await.json();
    assert_ne!(rotated["data"][0]["secret"], json!(first));
    assert_eq!(rotated["data"][1]["secret"], json!(first));
    assert_eq!(rotated["data"][1]["status"], "retired");
    let read = json!({"name": "k", "environment": "prod", "scopes": ["read"]});
    let read = stage.key(read).await;
    let shown = stage.get(path).key(&read).send().await;
    assert!(shown.status == 200 && !shown.text.contains("\"secret\""), "{}", shown.text);
}
