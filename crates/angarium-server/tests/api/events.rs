//! Events in, deliveries out.

use super::stage::{Stage, with};
use serde_json::json;

#[tokio::test]
async fn an_event_is_kept_byte_for_byte_and_its_delivery_shows_what_was_said() {
    let stage = Stage::ready().await;
    let endpoint = json!({"url": "https://a.example/h", "types": ["order.*"]});
    let endpoint = stage.endpoint(endpoint).await;
    let data = r#"{ "n" : 1.10, "big":12345678901234567890123, "ä":"\u00e4" }"#;
    let body = format!(r#"{{"tenant":"acme","type":"order.paid","key":"k","data":{data}}}"#);
    let accepted = stage.post("/v1/events").text(body).send().await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let said = accepted.json();
    assert_eq!((&said["duplicate"], &said["endpoints"]), (&json!(false), &json!(1)));
    let id = said["id"].as_str().expect("an id");
    let shown = stage.get(&format!("/v1/events/{id}")).send().await;
    assert!(shown.text.ends_with(&format!("\"data\":{data}}}")), "{}", shown.text);
    let path = format!("/v1/deliveries?event={id}&endpoint={endpoint}&state=delivered");
    let list = stage.until(&path, |list| list["data"][0]["id"].is_string()).await;
    let row = &list["data"][0];
    assert_eq!(row["event"], json!({"id": id, "type": "order.paid"}));
    assert_eq!((&row["attempts"], &row["last"]["class"]), (&json!(1), &json!("success")));
    let delivery = row["id"].as_str().expect("an id");
    let full = stage.get(&format!("/v1/deliveries/{delivery}")).send().await.json();
    let attempt = &full["attempts"][0];
    assert_eq!(attempt["request"]["method"], "POST");
    assert_eq!(attempt["request"]["headers"]["webhook-id"], json!(id));
    assert_eq!(attempt["response"]["body"], "thanks");
}

#[tokio::test]
async fn an_event_is_found_by_its_id_alone_however_long_after_acceptance_it_was_committed() {
    let stage = Stage::ready().await;
    for round in 0..200 {
        let event = json!({"tenant": "acme", "type": "a.b", "data": round});
        let id = stage.post("/v1/events").json(event).send().await.json()["id"].clone();
        let path = format!("/v1/events/{}", id.as_str().expect("an id"));
        let shown = stage.get(&path).send().await;
        assert_eq!(shown.status, 200, "{round}: {}", shown.text);
        assert_eq!(shown.json()["data"], json!(round));
    }
}

#[tokio::test]
async fn an_own_id_is_one_event_however_often_it_comes_and_never_another_one() {
    let stage = Stage::ready().await;
    let publish = |data: i32| {
        let event = json!({"tenant": "acme", "type": "a.b", "id": "o-1", "data": data});
        stage.post("/v1/events").json(event).send()
    };
    let first = publish(1).await.json();
    assert_eq!((&first["id"], &first["duplicate"]), (&json!("o-1"), &json!(false)));
    let again = publish(1).await.json();
    assert_eq!((&again["sequence"], &again["duplicate"]), (&first["sequence"], &json!(true)));
    assert_eq!(publish(2).await.refusal(), (409, "event_id_conflict".into(), "id".into()));
    let shown = stage.get("/v1/events/o-1?tenant=acme").send().await;
    assert_eq!(shown.status, 200);
    assert_eq!(stage.get("/v1/events/o-1").send().await.status, 404);
}

#[tokio::test]
async fn of_64_equal_publishes_at_once_exactly_one_is_the_first() {
    let stage = Stage::ready().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let event = json!({"tenant": "acme", "type": "a.b", "id": "same", "data": 1});
        tasks.spawn(stage.post("/v1/events").json(event).send());
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    let firsts = answers.iter().filter(|answer| answer.json()["duplicate"] == json!(false));
    assert_eq!(firsts.count(), 1);
    let list = stage.get("/v1/events").send().await.json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_publish_is_refused_by_the_member_at_fault() {
    let stage = Stage::ready().await;
    let good = json!({"tenant": "acme", "type": "a", "data": 1});
    let rows = [
        (json!({"tenant": null}), "422 missing_field tenant"),
        (json!({"tenant": "nobody"}), "404 tenant_not_found tenant"),
        (json!({"type": null}), "422 missing_field type"),
        (json!({"dat": 1}), "422 unknown_field dat"),
        (json!({"type": "a".repeat(129)}), "422 invalid_event_type type"),
        (json!({"id": "i".repeat(65)}), "422 invalid_event_id id"),
        (json!({"subject": "s".repeat(513)}), "422 invalid_field subject"),
        (json!({"time": "now"}), "422 invalid_field time"),
    ];
    for (members, refused) in rows {
        let answer = stage.post("/v1/events").json(with(&good, &members)).send().await;
        assert_eq!(answer.refused(), refused, "{members}");
    }
    let plain =
        stage.post("/v1/events").text("{}").header("content-type", "text/plain").send().await;
    assert_eq!(plain.refusal().1, "unsupported_media_type");
    let broken = stage.post("/v1/events").text("{").send().await;
    assert_eq!(broken.refusal(), (400, "invalid_json".into(), String::new()));
}

#[tokio::test]
async fn a_body_holds_at_the_limit_and_is_refused_one_past_it() {
    let stage = Stage::ready().await;
    let frame = r#"{"tenant":"acme","type":"a","data":""}"#.len();
    let body = |bytes: usize| {
        format!(r#"{{"tenant":"acme","type":"a","data":"{}"}}"#, "x".repeat(bytes - frame))
    };
    let most = stage.app.limits.body_bytes;
    assert_eq!(stage.post("/v1/events").text(body(most)).send().await.status, 202);
    let refused = stage.post("/v1/events").text(body(most + 1)).send().await;
    assert_eq!(refused.refusal(), (413, "body_too_large".into(), String::new()));
    let batch = " ".repeat(stage.app.limits.batch_bytes + 1);
    let refused = stage.post("/v1/events/batch").text(batch).send().await;
    assert_eq!(refused.refusal().1, "body_too_large");
}

#[tokio::test]
async fn a_batch_accepts_and_refuses_each_event_for_itself_and_keeps_their_order() {
    let stage = Stage::ready().await;
    let good = |i: i32| json!({"tenant": "acme", "type": "a.b", "data": i});
    let bad = json!({"tenant": "acme", "type": "a b", "data": 1});
    let body = json!({"events": [good(1), bad, good(2), good(3)]});
    let answer = stage.post("/v1/events/batch").json(body).send().await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let results = answer.json()["results"].clone();
    let statuses: Vec<_> = (0..4).map(|i| results[i]["status"].clone()).collect();
    assert_eq!(statuses, [json!(202), json!(422), json!(202), json!(202)]);
    assert_eq!(results[1]["error"]["code"], "invalid_event_type");
    let sequences: Vec<_> = [0, 2, 3].map(|i| results[i]["sequence"].as_u64()).to_vec();
    assert_eq!(sequences, [Some(1), Some(2), Some(3)]);
}

#[tokio::test]
async fn a_delivered_event_is_delivered_anew_and_a_waiting_one_is_cancelled() {
    let stage = Stage::ready().await;
    let id = stage.endpoint(json!({"url": "https://a.example/h", "types": ["*"]})).await;
    let event = json!({"tenant": "acme", "type": "a.b", "data": 1});
    stage.post("/v1/events").json(event.clone()).send().await;
    let list = stage.until("/v1/deliveries?state=delivered", |l| l["data"][0].is_object()).await;
    let first = list["data"][0]["id"].as_str().expect("an id").to_owned();
    let cancelled = stage.post(&format!("/v1/deliveries/{first}/cancel")).send().await;
    assert_eq!(cancelled.refusal().1, "invalid_state");
    let again = stage.post(&format!("/v1/deliveries/{first}/retry")).send().await;
    assert_eq!(again.status, 202, "{}", again.text);
    assert_eq!(again.json()["redelivery_of"], json!(first));

    stage.post(&format!("/v1/endpoints/{id}/pause")).send().await;
    stage.post("/v1/events").json(event).send().await;
    let list = stage.until("/v1/deliveries?state=pending", |l| l["data"][0].is_object()).await;
    let waiting = list["data"][0]["id"].as_str().expect("an id").to_owned();
    let cancelled = stage.post(&format!("/v1/deliveries/{waiting}/cancel")).send().await;
    assert_eq!(cancelled.status, 202, "{}", cancelled.text);
    assert_eq!(cancelled.json()["state"], "cancelled");
}
