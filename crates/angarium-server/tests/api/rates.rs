//! A tenant's publish rate: set, seen, kept, and told in headers.

use super::stage::{Answer, Stage};
use serde_json::{Value, json};

impl Stage {
    async fn rate(&self, rate: Value) -> Answer {
        self.call("PATCH", "/v1/tenants/acme").json(json!({"rate": rate})).send().await
    }

    async fn publish_batch(&self, events: usize) -> Answer {
        let event = json!({"tenant": "acme", "type": "a", "data": 1});
        let body = json!({"events": vec![event; events]});
        self.post("/v1/events/batch").json(body).send().await
    }

    async fn publish_id(&self, id: &str) -> Answer {
        let event = json!({"tenant": "acme", "type": "a", "id": id, "data": 1});
        self.post("/v1/events").json(event).send().await
    }

    async fn accepted(&self) -> usize {
        let list = self.get("/v1/events?tenant=acme").send().await.json();
        list["data"].as_array().expect("a list").len()
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).and_then(|value| value.to_str().ok())
}

/// So slow that no event comes back within the test.
fn slow(burst: u32) -> Value {
    json!({"per_second": 0.01, "burst": burst})
}

#[tokio::test]
async fn a_rate_is_set_seen_changed_and_lifted_and_the_rest_stays() {
    let stage = Stage::ready().await;
    let body = json!({"name": "Acme", "metadata": {"a": 1}, "rate": {"per_second": 2.5}});
    let put = stage.call("PUT", "/v1/tenants/acme").json(body).send().await;
    assert_eq!((put.status, &put.json()["rate"]), (200, &json!({"per_second": 2.5, "burst": 3})));
    let changed = stage.rate(json!({"per_second": 50, "burst": 100})).await;
    let shown = stage.get("/v1/tenants/acme").send().await;
    assert_eq!((changed.status, &changed.text), (200, &shown.text));
    assert_eq!(shown.json()["rate"], json!({"per_second": 50, "burst": 100}));
    assert_eq!(
        (&shown.json()["name"], &shown.json()["metadata"]),
        (&json!("Acme"), &json!({"a": 1}))
    );
    assert_eq!(stage.rate(Value::Null).await.json()["rate"], Value::Null);
    let cleared = stage.call("PATCH", "/v1/tenants/acme").json(json!({"name": null})).send().await;
    assert_eq!(
        (&cleared.json()["name"], &cleared.json()["metadata"]),
        (&Value::Null, &json!({"a": 1}))
    );
}

#[tokio::test]
async fn a_rate_that_cannot_be_is_refused_by_its_member() {
    let stage = Stage::ready().await;
    for (rate, refused) in [
        (json!({"per_second": 0}), "422 invalid_field rate.per_second"),
        (json!({"per_second": 1_000_001}), "422 invalid_field rate.per_second"),
        (json!({"per_second": 0.0001}), "422 invalid_field rate.per_second"),
        (json!({"per_second": 1, "burst": 0}), "422 invalid_field rate.burst"),
        (json!({"per_second": 1, "bursts": 1}), "422 unknown_field rate.bursts"),
    ] {
        assert_eq!(stage.rate(rate.clone()).await.refused(), refused, "{rate}");
        let body = json!({"rate": rate});
        let put = stage.call("PUT", "/v1/tenants/acme").json(body).send().await;
        assert_eq!(put.refused(), refused, "{rate}");
    }
    let unknown = stage.call("PATCH", "/v1/tenants/nobody").json(json!({})).send().await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn over_the_rate_nothing_is_accepted_and_every_answer_says_where_the_tenant_stands() {
    let stage = Stage::ready().await;
    assert_eq!(header(&stage.publish_id("0").await, "ratelimit"), None, "no rate, no header");
    stage.rate(slow(2)).await;
    for (id, remaining) in [("1", 1), ("2", 0)] {
        let answer = stage.publish_id(id).await;
        assert_eq!(answer.status, 202);
        assert_eq!(header(&answer, "ratelimit-policy"), Some("\"publish\";q=2;w=200"));
        let standing = header(&answer, "ratelimit").unwrap_or_default().to_owned();
        assert!(standing.starts_with(&format!("\"publish\";r={remaining};t=")), "{standing}");
    }
    let over = stage.publish_id("3").await;
    assert_eq!(over.refused(), "429 rate_limited ");
    assert!(
        over.json()["detail"].as_str().is_some_and(|text| text.contains("0.01 events a second"))
    );
    assert_eq!(header(&over, "retry-after"), Some("100"));
    assert!(header(&over, "ratelimit").is_some_and(|text| text.starts_with("\"publish\";r=0;t=")));
    assert_eq!(stage.accepted().await, 3);
    stage.rate(Value::Null).await;
    assert_eq!(stage.publish_id("3").await.status, 202);
}

#[tokio::test]
async fn a_batch_is_within_the_rate_as_a_whole_or_not_at_all() {
    let stage = Stage::ready().await;
    stage.rate(slow(5)).await;
    let whole = stage.publish_batch(3).await;
    assert_eq!(whole.status, 202);
    assert!(header(&whole, "ratelimit").is_some_and(|text| text.starts_with("\"publish\";r=2;")));
    let over = stage.publish_batch(3).await;
    assert_eq!(over.refused(), "429 rate_limited ");
    assert_eq!(header(&over, "retry-after"), Some("100"));
    assert_eq!(stage.accepted().await, 3, "no event of it was accepted");
    let never = stage.publish_batch(6).await;
    assert_eq!(never.refused(), "422 batch_too_large events");
    assert_eq!(header(&never, "retry-after"), None);
    assert!(
        never.json()["detail"].as_str().is_some_and(|text| text.contains("more than 5 at once"))
    );
    assert_eq!(stage.publish_batch(2).await.status, 202, "what was refused did not count");
}

/// A second event of an id is found only after the work that the rate is there to bound; a call
/// that is repeated with its key is answered from its record.
#[tokio::test]
async fn an_event_of_a_known_id_counts_and_a_call_that_is_repeated_with_its_key_does_not() {
    let stage = Stage::ready().await;
    stage.rate(slow(4)).await;
    let keyed = async |key: &str, id: &str| {
        let event = json!({"tenant": "acme", "type": "a", "id": id, "data": 1});
        stage.post("/v1/events").header("idempotency-key", key).json(event).send().await.status
    };
    assert_eq!([keyed("k", "1").await, keyed("k", "1").await, keyed("k", "1").await], [202; 3]);
    assert_eq!(stage.publish_id("1").await.json()["duplicate"], true);
    let event = json!({"tenant": "acme", "type": "a", "data": 1});
    let body = json!({"events": [event, event]});
    for _ in 0..3 {
        let batch = stage.post("/v1/events/batch").header("idempotency-key", "b");
        assert_eq!(batch.json(body.clone()).send().await.status, 202);
    }
    assert_eq!(stage.publish_id("2").await.refused(), "429 rate_limited ");
}

#[tokio::test]
async fn a_test_call_counts_as_an_event_and_another_tenant_is_not_touched() {
    let stage = Stage::ready().await;
    let id = stage.endpoint(json!({"url": "https://a.example/h", "types": ["a"]})).await;
    stage.rate(slow(1)).await;
    let test = async || {
        let body = json!({"type": "a"});
        stage.post(&format!("/v1/endpoints/{id}/test")).json(body).send().await
    };
    assert_eq!(test().await.status, 202);
    assert_eq!(test().await.refused(), "429 rate_limited ");
    let made = stage.call("PUT", "/v1/tenants/globex").json(json!({})).send().await;
    assert_eq!(made.status, 201);
    let event = json!({"tenant": "globex", "type": "a", "data": 1});
    assert_eq!(stage.post("/v1/events").json(event).send().await.status, 202);
}
