//! What a publisher is promised: one event for one id, one answer for one `Idempotency-Key`, and a
//! signed delivery of exactly the bytes that were published.

use crate::support::client::Answer;
use crate::support::message::Message;
use crate::support::receiver::Receiver;
use crate::support::shop::{Shop, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);
const AT_ONCE: usize = 64;

/// Standard Webhooks, verified as its specification says and without the product's code.
pub(crate) fn verify_standard(request: &Message, secret: &str) {
    let header = |name: &str| request.header(name).unwrap_or_else(|| panic!("no {name}"));
    let encoded = secret.strip_prefix("whsec_").expect("the secret's prefix");
    let key = STANDARD.decode(encoded).expect("a base64 secret");
    let head = format!("{}.{}.", header("webhook-id"), header("webhook-timestamp"));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
    let tag = aws_lc_rs::hmac::sign(&key, &[head.as_bytes(), &request.body].concat());
    let expected = format!("v1,{}", STANDARD.encode(tag.as_ref()));
    let signatures = header("webhook-signature");
    assert!(signatures.split(' ').any(|one| one == expected), "{signatures} is not {expected}");
}

#[test]
fn the_first_event_arrives_signed_byte_for_byte_and_its_delivery_is_recorded() {
    let (shop, receiver) = (Shop::open(), Receiver::kind());
    let endpoint = shop.endpoint_for_all(&receiver.url("/hook?a=1"), &[]);
    let secret = text(&endpoint, "secret").to_owned();

    let data = r#"{ "z":1.0, "a" : [ 1e3, "\u00e9é" ],"z":2 }"#;
    let body = format!(r#"{{"tenant":"acme","type":"order.paid","data":{data}}}"#);
    let accepted = shop.api.call("POST", "/v1/events", Some(body.as_bytes())).expect(202);
    assert_eq!(accepted["duplicate"], false);
    assert_eq!(accepted["endpoints"], 1);
    let id = text(&accepted, "id");
    assert!(id.starts_with("evt_"), "{id}");

    let request = receiver.wait_for(1, SOON).remove(0);
    assert_eq!(request.first_line, "POST /hook?a=1 HTTP/1.1");
    assert_eq!(request.header("webhook-id"), Some(id));
    assert_eq!(request.header("webhook-sequence"), Some("1"));
    verify_standard(&request, &secret);
    let arrived = String::from_utf8(request.body.clone()).expect("text");
    assert!(arrived.starts_with(r#"{"type":"order.paid","timestamp":""#), "{arrived}");
    assert!(arrived.ends_with(&format!(r#""data":{data}}}"#)), "{arrived}");

    let delivery = shop.wait_for_state(id, "delivered");
    let attempts = delivery["attempts"].as_array().expect("attempts");
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0]["class"], "success");
    assert_eq!(attempts[0]["status"], 200);
    let shown = shop.api.get(&format!("/v1/endpoints/{}", text(&endpoint, "id"))).expect(200);
    assert!(shown["secret"].is_null(), "a secret is shown once only");
    let shown = shop.api.get(&format!("/v1/events/{id}"));
    let raw = String::from_utf8(shown.message.body).expect("text");
    assert!(raw.contains(data), "the event's data is kept as published: {raw}");
}

#[test]
fn sixty_four_equal_publishes_at_once_make_one_event() {
    let (shop, receiver) = (Shop::open(), Receiver::kind());
    shop.endpoint_for_all(&receiver.url("/"), &[]);
    let event = json!({"tenant": "acme", "type": "a.b", "id": "order-17", "data": {"n": 1}});
    for round in 0..5 {
        let answers = at_once(|| shop.try_publish(&event));
        let firsts = answers.iter().filter(|answer| answer.body["duplicate"] == false).count();
        assert_eq!(firsts, usize::from(round == 0));
        let distinct: BTreeSet<String> = answers
            .into_iter()
            .map(|answer| answer.expect(202))
            .map(|body| format!("{} {} {}", body["id"], body["sequence"], body["endpoints"]))
            .collect();
        assert_eq!(distinct.len(), 1, "{distinct:?}");
    }
    receiver.wait_for(1, SOON);
    shop.wait_for_state("order-17", "delivered");
    assert_eq!(receiver.count(), 1);
}

#[test]
fn the_same_id_with_another_type_key_or_data_is_a_conflict() {
    let shop = Shop::open();
    let event = |kind: &str, key: &str, data: Value| -> Value {
        let mut event = json!({"tenant": "acme", "id": "one", "data": data});
        event["type"] = json!(kind);
        event["key"] = json!(key);
        event
    };
    shop.try_publish(&event("a", "k", json!(1))).expect(202);
    let again = shop.try_publish(&event("a", "k", json!(1))).expect(202);
    assert_eq!(again["duplicate"], true);
    for other in [event("b", "k", json!(1)), event("a", "l", json!(1)), event("a", "k", json!(2))] {
        let refused = shop.try_publish(&other);
        assert_eq!((refused.status, refused.code()), (409, "event_id_conflict"), "{other}");
    }
    shop.tenant("other");
    let elsewhere = json!({"tenant": "other", "type": "b", "id": "one", "data": 2});
    assert_eq!(shop.try_publish(&elsewhere).expect(202)["duplicate"], false);
}

#[test]
fn an_idempotency_key_makes_sixty_four_equal_calls_one() {
    let (shop, receiver) = (Shop::open(), Receiver::kind());
    shop.endpoint_for_all(&receiver.url("/"), &[]);
    let api = shop.api.with("idempotency-key", "publish-1");
    let event = json!({"tenant": "acme", "type": "a.b", "data": 1});
    let answers = at_once(|| api.post("/v1/events", &event));
    one_answer(&answers, 202);
    let first = api.post("/v1/events", &event).expect(202);
    let other = api.post("/v1/events", &json!({"tenant": "acme", "type": "a.b", "data": 2}));
    assert_eq!((other.status, other.code()), (422, "idempotency_mismatch"));
    shop.wait_for_state(text(&first, "id"), "delivered");
    assert_eq!(receiver.count(), 1);

    let api = shop.api.with("idempotency-key", "create-1");
    let endpoint = json!({"url": receiver.url("/second"), "types": ["never"]});
    let answers = at_once(|| api.post("/v1/tenants/acme/endpoints", &endpoint));
    one_answer(&answers, 201);
    assert_eq!(shop.api.list("/v1/endpoints?tenant=acme").len(), 2);
}

/// Every answer is the first one's, or says that the first is still under way.
fn one_answer(answers: &[Answer], status: u16) {
    let distinct: BTreeSet<String> = answers
        .iter()
        .filter(|answer| answer.status == status)
        .map(|answer| answer.body["id"].to_string())
        .collect();
    assert_eq!(distinct.len(), 1, "{distinct:?}");
    for answer in answers.iter().filter(|answer| answer.status != status) {
        assert_eq!((answer.status, answer.code()), (409, "idempotency_in_flight"));
    }
}

#[test]
fn a_batch_answers_for_each_event_in_order() {
    let (shop, receiver) = (Shop::open(), Receiver::kind());
    shop.endpoint_for_all(&receiver.url("/"), &[]);
    let event = |kind: &str, tenant: &str| json!({"tenant": tenant, "type": kind, "data": null});
    let events = [event("a", "acme"), event("not a type", "acme"), event("b", "nobody")];
    let answer = shop.api.post("/v1/events/batch", &json!({"events": events})).expect(202);
    let status = |index: usize| answer["results"][index]["status"].as_u64();
    assert_eq!([status(0), status(1), status(2)], [Some(202), Some(422), Some(404)]);
    assert_eq!(answer["results"][1]["error"]["code"], "invalid_event_type");
    assert_eq!(answer["results"][2]["error"]["code"], "tenant_not_found");
    receiver.wait_for(1, SOON);

    let many: Vec<Value> = (0..1000).map(|_| event("c", "acme")).collect();
    let answer = shop.api.post("/v1/events/batch", &json!({"events": many})).expect(202);
    let results = answer["results"].as_array().expect("results");
    assert!(results.iter().all(|result| result["status"] == 202));
    receiver.wait_for(1001, SOON);
}

fn at_once(call: impl Fn() -> Answer + Sync) -> Vec<Answer> {
    let gate = std::sync::Barrier::new(AT_ONCE);
    std::thread::scope(|scope| {
        let start = || {
            gate.wait();
            call()
        };
        let callers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(start)).collect();
        callers.into_iter().map(|caller| caller.join().expect("a caller")).collect()
    })
}

#[test]
fn a_batch_is_accepted_in_its_order_although_ids_are_looked_up() {
    let shop = Shop::open();
    for batch in 0..5 {
        let event = |n: u32| {
            let id = format!("order-{batch}-{n}");
            json!({"tenant": "acme", "type": "a", "id": id, "data": n})
        };
        let events: Vec<Value> = (0..200).map(event).collect();
        let answer = shop.api.post("/v1/events/batch", &json!({"events": events})).expect(202);
        let results = answer["results"].as_array().expect("results");
        let sequences: Vec<u64> =
            results.iter().map(|result| result["sequence"].as_u64().expect("accepted")).collect();
        assert!(sequences.is_sorted(), "{sequences:?}");
    }
}
