//! Looking behind a delivery: numbers without a gap, reasons, settings; and sending it again.

use super::stage::{Stage, with};
use serde_json::{Value, json};

impl Stage {
    /// Publishes to `acme` and returns the event's id.
    async fn publish(&self, event: Value) -> String {
        let event = with(&json!({"tenant": "acme", "type": "a.b", "data": 1}), &event);
        let accepted = self.post("/v1/events").json(event).send().await;
        assert_eq!(accepted.status, 202, "{}", accepted.text);
        accepted.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Publishes to `acme` and waits until the event is delivered to so many.
    async fn deliver(&self, event: Value, endpoints: usize) -> String {
        let id = self.publish(event).await;
        let path = format!("/v1/deliveries?state=delivered&event={id}");
        let is_there = |list: &Value| list["data"].as_array().map(Vec::len) == Some(endpoints);
        self.until(&path, is_there).await;
        id
    }

    async fn replay(&self, event: &str, body: Value) -> super::stage::Answer {
        self.post(&format!("/v1/events/{event}/replay")).json(body).send().await
    }
}

fn texts(list: &Value, pointer: &str) -> Vec<Value> {
    let items = list["data"].as_array().expect("a list").iter();
    items.map(|item| item.pointer(pointer).cloned().unwrap_or_default()).collect()
}

#[tokio::test]
async fn every_number_of_an_endpoint_is_listed_whatever_became_of_it() {
    let stage = Stage::ready().await;
    let id = stage.endpoint(json!({"url": "https://a.example/h", "types": ["*"]})).await;
    let act = async |verb: &str| {
        let done = stage.post(&format!("/v1/endpoints/{id}/{verb}")).send().await;
        assert_eq!(done.status, 200, "{}", done.text);
    };
    let first = stage.deliver(json!({}), 1).await;
    act("disable").await;
    stage.publish(json!({})).await;
    act("enable").await;
    act("pause").await;
    stage.publish(json!({})).await;
    let path = format!("/v1/endpoints/{id}/deliveries");
    let waiting = stage.get(&path).send().await.json()["data"][2]["id"].clone();
    let cancel = format!("/v1/deliveries/{}/cancel", waiting.as_str().expect("an id"));
    assert_eq!(stage.post(&cancel).send().await.status, 202);
    act("resume").await;
    stage.deliver(json!({}), 1).await;

    let list = stage.get(&path).send().await.json();
    let states = ["delivered", "suppressed", "cancelled", "delivered"].map(Value::from);
    assert_eq!(texts(&list, "/state"), states);
    assert_eq!(texts(&list, "/sequence"), [1, 2, 3, 4].map(Value::from));
    assert_eq!(list["data"][0]["event"], json!({"id": first, "type": "a.b"}));
    assert_eq!((&list["data"][0]["last"]["status"], &list["next"]), (&json!(200), &Value::Null));

    let part = stage.get(&format!("{path}?from=2&to=3&limit=1")).send().await.json();
    assert_eq!(texts(&part, "/sequence"), [json!(2)]);
    let next = part["next"].as_str().expect("a cursor");
    let rest = stage.get(&format!("{path}?from=2&to=3&limit=1&cursor={next}")).send().await;
    assert_eq!(texts(&rest.json(), "/sequence"), [json!(3)]);
    let other = stage.get(&format!("{path}?from=1&cursor={next}")).send().await;
    assert_eq!(other.refused(), "400 invalid_cursor cursor");

    let replayed = stage.replay(&first, json!({})).await;
    assert_eq!(replayed.status, 202, "{}", replayed.text);
    let again =
        stage.until(&path, |list| list["data"][0]["redeliveries"][0]["state"] == "delivered");
    assert_eq!(texts(&again.await, "/sequence"), [1, 2, 3, 4].map(Value::from));
}

#[tokio::test]
async fn numbers_are_refused_by_the_parameter_at_fault_and_gone_with_their_endpoint() {
    let stage = Stage::ready().await;
    let id = stage.endpoint(json!({"url": "https://a.example/h", "types": ["*"]})).await;
    let path = format!("/v1/endpoints/{id}/deliveries");
    let rows = [
        ("from=0", "400 invalid_parameter from"),
        ("to=x", "400 invalid_parameter to"),
        ("from=5&to=4", "400 invalid_parameter to"),
        ("limit=251", "400 invalid_parameter limit"),
        ("state=dead", "400 invalid_parameter state"),
    ];
    for (query, refused) in rows {
        let answer = stage.get(&format!("{path}?{query}")).send().await;
        assert_eq!(answer.refused(), refused, "{query}");
    }
    let deleted = stage.call("DELETE", &format!("/v1/endpoints/{id}")).send().await;
    assert_eq!(deleted.status, 204);
    assert_eq!(stage.get(&path).send().await.refused(), "404 not_found ");
}

#[tokio::test]
async fn explain_tells_the_stored_matches_and_judges_the_rest_by_todays_rules() {
    let stage = Stage::ready().await;
    let url = "https://a.example/h";
    let endpoint = |body: Value| {
        let body = with(&json!({"url": url, "types": ["*"]}), &body);
        stage.endpoint(body)
    };
    let kind = endpoint(json!({"types": ["x.*"]})).await;
    let subject = endpoint(json!({"subjects": ["s-2"]})).await;
    let attribute = endpoint(json!({"attributes": {"region": "eu"}})).await;
    let matched = endpoint(json!({"concurrency": 3, "delivery": {"retries": ["1s"]}})).await;
    let event = json!({"subject": "s-1", "attributes": {"region": "us"}});
    let id = stage.deliver(event, 1).await;
    let later = endpoint(json!({})).await;
    // The match is what was stored, whatever the endpoint asks for now.
    let changed = stage.call("PATCH", &format!("/v1/endpoints/{matched}"));
    assert_eq!(changed.json(json!({"types": ["never"]})).send().await.status, 200);

    let path = format!("/v1/events/{id}/explain");
    let told = stage.get(&path).send().await;
    assert_eq!(told.status, 200, "{}", told.text);
    let told = told.json();
    assert_eq!((&told["id"], &told["endpoints"]), (&json!(id), &json!(1)));
    assert_eq!(
        texts(&told, "/endpoint"),
        [&later, &matched, &attribute, &subject, &kind].map(|e| json!(e))
    );
    assert_eq!(texts(&told, "/matched"), [false, true, false, false, false].map(Value::from));
    let rules =
        [json!("not_then"), Value::Null, json!("attribute"), json!("subject"), json!("type")];
    assert_eq!(texts(&told, "/rule"), rules);
    let judged = ["now", "at_acceptance", "now", "now", "now"].map(Value::from);
    assert_eq!(texts(&told, "/judged"), judged);
    let mine = &told["data"][1];
    assert_eq!(mine["delivery"]["state"], "delivered");
    assert_eq!((&mine["waits_for"], &mine["next_attempt_at"]), (&Value::Null, &Value::Null));
    let settings = &mine["settings"];
    assert_eq!(settings["concurrency"], json!({"value": 3, "origin": "endpoint"}));
    assert_eq!(settings["retries"], json!({"value": ["1s"], "origin": "endpoint"}));
    assert_eq!(settings["timeout"]["origin"], "contract");
    assert_eq!(
        told["data"][0]["settings"]["concurrency"],
        json!({"value": 64, "origin": "system"})
    );
    let reason = told["data"][4]["reason"].as_str().expect("a reason");
    assert_eq!(reason, "it asks for x.*; the event is a.b");

    let mut found = Vec::new();
    let mut page = stage.get(&format!("{path}?limit=2")).send().await.json();
    loop {
        found.extend(texts(&page, "/endpoint"));
        let Some(next) = page["next"].as_str() else { break };
        page = stage.get(&format!("{path}?limit=2&cursor={next}")).send().await.json();
    }
    assert_eq!(found, texts(&told, "/endpoint"));
}

#[tokio::test]
async fn explain_says_what_a_delivery_waits_for_and_names_endpoints_that_are_gone() {
    let stage = Stage::ready().await;
    let id = stage.endpoint(json!({"url": "https://a.example/h", "types": ["*"]})).await;
    let act = async |verb: &str| {
        stage.post(&format!("/v1/endpoints/{id}/{verb}")).send().await;
    };
    act("pause").await;
    let event = stage.publish(json!({})).await;
    let path = format!("/v1/events/{event}/explain");
    let told = stage.get(&path).send().await.json();
    let row = &told["data"][0];
    assert_eq!((&row["status"], &row["waits_for"]), (&json!("paused"), &json!("endpoint_paused")));
    assert_eq!(row["next_attempt_at"], Value::Null);
    act("resume").await;
    stage.until(&path, |told| told["data"][0]["delivery"]["state"] == "delivered").await;
    stage.call("DELETE", &format!("/v1/endpoints/{id}")).send().await;
    let told = stage.get(&path).send().await.json();
    let row = &told["data"][0];
    assert_eq!((&row["endpoint"], &row["status"]), (&json!(id), &json!("deleted")));
    assert_eq!((&row["matched"], &row["settings"]), (&json!(true), &Value::Null));
}

#[tokio::test]
async fn a_dry_run_says_what_publishing_would_do_and_stores_nothing() {
    let stage = Stage::ready().await;
    let url = "https://a.example/h";
    let other = stage.endpoint(json!({"url": url, "types": ["x"]})).await;
    let off = stage.endpoint(json!({"url": url, "types": ["a.*"], "status": "disabled"})).await;
    let on = stage.endpoint(json!({"url": url, "types": ["a.*"]})).await;
    let event = json!({"tenant": "acme", "type": "a.b", "id": "o-1", "data": 1});
    let told = stage.post("/v1/explain").json(event.clone()).send().await;
    assert_eq!(told.status, 200, "{}", told.text);
    let told = told.json();
    assert_eq!((&told["id"], &told["endpoints"]), (&Value::Null, &json!(2)));
    assert_eq!(texts(&told, "/endpoint"), [&on, &off, &other].map(|e| json!(e)));
    assert_eq!(texts(&told, "/matched"), [true, true, false].map(Value::from));
    let waits = [Value::Null, json!("endpoint_disabled"), Value::Null];
    assert_eq!(texts(&told, "/waits_for"), waits);
    let events = stage.get("/v1/events").send().await.json();
    assert_eq!(events["data"], json!([]), "nothing was stored");
    let rows = [
        (json!({"type": "a b"}), "422 invalid_event_type type"),
        (json!({"tenant": null}), "422 missing_field tenant"),
        (json!({"tenant": "nobody"}), "404 tenant_not_found tenant"),
    ];
    for (members, refused) in rows {
        let answer = stage.post("/v1/explain").json(with(&event, &members)).send().await;
        assert_eq!(answer.refused(), refused, "{members}");
    }
    let publisher = json!({"name": "p", "environment": "prod", "scopes": ["publish"]});
    let publisher = stage.key(publisher).await;
    let answer = stage.post("/v1/explain").json(event).key(&publisher).send().await;
    assert_eq!(answer.status, 403, "it shows endpoints, so it is reading");
}

#[tokio::test]
async fn a_replay_goes_to_those_that_matched_or_to_the_named_and_says_who_gets_none() {
    let stage = Stage::ready().await;
    let url = "https://a.example/h";
    let one = stage.endpoint(json!({"url": url, "types": ["a.*"]})).await;
    let off = stage.endpoint(json!({"url": url, "types": ["a.*"]})).await;
    let other = stage.endpoint(json!({"url": url, "types": ["x"]})).await;
    let event = stage.deliver(json!({}), 2).await;
    stage.post(&format!("/v1/endpoints/{off}/disable")).send().await;

    let all = stage.replay(&event, json!({})).await;
    assert_eq!(all.status, 202, "{}", all.text);
    let all = all.json();
    let not = json!([{"endpoint": off, "reason": "endpoint_disabled"}]);
    assert_eq!(all["not_replayed"], not);
    let made = all["deliveries"].as_array().expect("deliveries");
    assert_eq!(made.len(), 1);
    assert_eq!((&made[0]["endpoint"], &made[0]["sequence"]), (&json!(one), &json!(1)));
    let first = stage.get(&format!("/v1/endpoints/{one}/deliveries")).send().await.json();
    assert_eq!(made[0]["redelivery_of"], first["data"][0]["id"]);
    let show = |made: &Value| format!("/v1/deliveries/{}", made["id"].as_str().expect("an id"));
    stage.until(&show(&made[0]), |row| row["state"] == "delivered").await;

    let named = stage.replay(&event, json!({"endpoints": [other, other]})).await.json();
    let made = &named["deliveries"][0];
    assert_eq!(named["deliveries"].as_array().map(Vec::len), Some(1), "each once");
    assert_eq!((&made["endpoint"], &made["sequence"]), (&json!(other), &json!(0)));
    assert_eq!(made["redelivery_of"], Value::Null);
    let sent = stage.until(&show(made), |row| row["state"] == "delivered").await;
    assert_eq!(sent["attempts"][0]["request"]["headers"]["webhook-id"], json!(event));
    assert_eq!(sent["attempts"][0]["request"]["headers"]["webhook-sequence"], "0");
    let numbers = stage.get(&format!("/v1/endpoints/{other}/deliveries")).send().await.json();
    assert_eq!(numbers["data"], json!([]), "it stands outside the numbering");
    let listed = stage.get(&format!("/v1/deliveries?endpoint={other}")).send().await.json();
    assert_eq!(listed["data"][0]["id"], made["id"]);
    let told = stage.get(&format!("/v1/events/{event}/explain?limit=1")).send().await.json();
    assert_eq!((&told["data"][0]["matched"], &told["endpoints"]), (&json!(false), &json!(2)));
    assert_eq!(told["data"][0]["delivery"]["id"], made["id"]);
}

#[tokio::test]
async fn a_replay_to_a_paused_endpoint_waits_and_a_second_one_does_not_join_it() {
    let stage = Stage::ready().await;
    let id = stage.endpoint(json!({"url": "https://a.example/h", "types": ["*"]})).await;
    let event = stage.deliver(json!({}), 1).await;
    stage.post(&format!("/v1/endpoints/{id}/pause")).send().await;
    let made = stage.replay(&event, json!({})).await.json();
    assert_eq!(made["deliveries"][0]["next_attempt_at"], Value::Null);
    let second = stage.replay(&event, json!({})).await.json();
    assert_eq!(second["deliveries"], json!([]));
    assert_eq!(second["not_replayed"], json!([{"endpoint": id, "reason": "still_waiting"}]));
    stage.post(&format!("/v1/endpoints/{id}/resume")).send().await;
    let path = format!("/v1/deliveries/{}", made["deliveries"][0]["id"].as_str().expect("an id"));
    stage.until(&path, |row| row["state"] == "delivered").await;
}

#[tokio::test]
async fn a_replay_is_done_once_under_one_idempotency_key() {
    let stage = Stage::ready().await;
    stage.endpoint(json!({"url": "https://a.example/h", "types": ["*"]})).await;
    let event = stage.deliver(json!({}), 1).await;
    let path = format!("/v1/events/{event}/replay");
    let call = |body: Value| stage.post(&path).json(body).header("idempotency-key", "k-1").send();
    let first = call(json!({})).await;
    assert_eq!(first.status, 202, "{}", first.text);
    let made =
        format!("/v1/deliveries/{}", first.json()["deliveries"][0]["id"].as_str().expect("an id"));
    stage.until(&made, |row| row["state"] == "delivered").await;
    let again = call(json!({})).await;
    assert_eq!((again.status, &again.text), (202, &first.text));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = call(json!({"endpoints": []})).await;
    assert_eq!(other.refused(), "422 idempotency_mismatch Idempotency-Key");
    let list = stage.get(&format!("/v1/deliveries?event={event}")).send().await.json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn of_replays_at_once_exactly_one_is_made() {
    let stage = Stage::ready().await;
    let id = stage.endpoint(json!({"url": "https://a.example/h", "types": ["*"]})).await;
    let event = stage.deliver(json!({}), 1).await;
    // Paused, so that the one that is made is still waiting when the others look.
    stage.post(&format!("/v1/endpoints/{id}/pause")).send().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let call = stage.post(&format!("/v1/events/{event}/replay")).json(json!({}));
        tasks.spawn(call.send());
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 202), "{answers:?}");
    let made = answers.iter().filter(|answer| answer.json()["deliveries"] != json!([]));
    assert_eq!(made.count(), 1);
    let list = stage.get(&format!("/v1/deliveries?event={event}")).send().await.json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_replay_is_refused_by_what_is_at_fault_and_across_no_tenants_border() {
    let stage = Stage::ready().await;
    let id = stage.endpoint(json!({"url": "https://a.example/h", "types": ["*"]})).await;
    let event = stage.deliver(json!({}), 1).await;
    assert_eq!(stage.call("PUT", "/v1/tenants/globex").json(json!({})).send().await.status, 201);
    let foreign = json!({"url": "https://b.example/h", "types": ["*"]});
    let foreign = stage.post("/v1/tenants/globex/endpoints").json(foreign).send().await.json();
    let rows = [
        (json!({"endpoints": []}), "422 invalid_field endpoints"),
        (json!({"endpoints": [id, "ep_x"]}), "404 not_found endpoints[1]"),
        (json!({"endpoints": [foreign["id"]]}), "404 not_found endpoints[0]"),
        (json!({"endpoint": id}), "422 unknown_field endpoint"),
    ];
    for (body, refused) in rows {
        assert_eq!(stage.replay(&event, body.clone()).await.refused(), refused, "{body}");
    }
    assert_eq!(stage.replay("evt_x", json!({})).await.refused(), "404 not_found ");
    let key = json!({"name": "g", "environment": "prod", "tenant": "globex",
        "scopes": ["manage", "read"]});
    let key = stage.key(key).await;
    for (method, call) in [("POST", "replay"), ("GET", "explain")] {
        let path = format!("/v1/events/{event}/{call}");
        let answer = stage.call(method, &path).key(&key).send().await;
        assert_eq!(answer.refused(), "404 not_found ", "{call}");
    }
    let path = format!("/v1/endpoints/{id}/deliveries");
    assert_eq!(stage.get(&path).key(&key).send().await.refused(), "404 not_found ");
}
