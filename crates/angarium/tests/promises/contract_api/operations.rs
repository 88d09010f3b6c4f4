//! Every operation, as the pages print it.

use super::stage::{PAGES, Page, Platforms, names_in_order, page, refused, webhooks};
use crate::support::client::Api;
use crate::support::eventually;
use crate::support::receiver::{Receiver, Reply};
use crate::support::shop::text;
use serde_json::json;
use std::time::Duration;

#[test]
fn a_webhook_lives_as_its_page_prints_it_below_the_path_and_at_a_host() {
    let platforms = Platforms::open();
    for page in PAGES {
        let caller = platforms.customer(page, "acme");
        live(page, &caller, &format!("/e/{}{}", page.contract, page.path));
        let host = format!("API.{}.test:443", page.contract);
        live(page, &caller.with("host", &host), page.path);
    }
}

fn live(page: &Page, caller: &Api, path: &str) {
    let answer = caller.post(path, &page.webhook());
    assert_eq!(names_in_order(&answer), page.members, "{}", page.contract);
    let made = answer.expect(201);
    let id = text(&made, "id");
    assert!((page.id_looks_right)(id), "{id}");
    assert_eq!(made["url"], page.webhook()["url"]);

    let second = caller.post(path, &page.webhook()).expect(201);
    let listed = webhooks(caller, path);
    let ids: Vec<_> = listed.iter().map(|webhook| text(webhook, "id")).collect();
    assert_eq!(ids, [text(&second, "id"), id], "newest first");
    assert!(listed.iter().all(|webhook| webhook["secret"].is_null()), "a secret is shown once");

    let own = format!("{path}/{id}");
    if let Some((method, change)) = page.change {
        let body = change().to_string();
        let changed = caller.call(method, &own, Some(body.as_bytes())).expect(200);
        assert_ne!(changed, made, "{body}");
        assert_eq!(caller.get(&own).expect(200), changed);
        for (member, value) in change().as_object().expect("members") {
            assert_eq!(&changed[member], value);
        }
    }
    for id in [id, text(&second, "id")] {
        let own = format!("{path}/{id}");
        let gone = caller.delete(&own);
        assert_eq!((gone.status, gone.message.body.len()), (204, 0), "{}", gone.body);
        refused(&caller.delete(&own), 404, "not_found");
    }
    assert!(webhooks(caller, path).is_empty());
}

#[test]
fn a_workspace_fetches_and_rotates_its_keys() {
    let platforms = Platforms::open();
    let caller = platforms.customer(page("aleta"), "acme");
    let keys = || caller.get("/e/aleta/v2/webhooks/keys").expect(200)["keys"].clone();
    let first = keys();
    assert_eq!(first.as_array().map(Vec::len), Some(1));
    assert_eq!((&first[0]["status"], &first[0]["retired_at"]), (&json!("active"), &json!(null)));
    assert!(text(&first[0], "secret").starts_with("whsec_"));

    for _ in 0..2 {
        let before = keys();
        let rotated = caller.post("/e/aleta/v2/webhooks/keys/rotate", &json!({})).expect(200);
        assert_eq!(rotated["keys"], keys(), "the answer is what is there now");
        let after = keys();
        assert_eq!(after.as_array().map(Vec::len), Some(2), "the retired one, never more");
        assert_eq!(after[1]["id"], before[0]["id"]);
        assert_eq!(after[1]["status"], "retired");
        assert!(after[1]["retired_at"].is_string());
    }
    let other = platforms.customer(page("aleta"), "other");
    let theirs = other.get("/e/aleta/v2/webhooks/keys").expect(200);
    assert_ne!(theirs["keys"][0]["id"], keys()[0]["id"]);
}

#[test]
fn both_forms_of_an_id_find_the_webhook_natively_and_in_the_contracts_calls() {
    let platforms = Platforms::open();
    for page in PAGES {
        let (caller, native) = (platforms.customer(page, "acme"), platforms.native(page.contract));
        let path = format!("/e/{}{}", page.contract, page.path);
        let made = caller.post(&path, &page.webhook()).expect(201);
        let own = text(&made, "id");
        let found = native.get(&format!("/v1/endpoints/{own}")).expect(200);
        let type_id = text(&found, "id");
        assert!(type_id.starts_with("ep_"), "{type_id}");
        assert_eq!(native.get(&format!("/v1/endpoints/{type_id}")).expect(200), found);
        let deliveries = native.get(&format!("/v1/deliveries?endpoint={own}")).expect(200);
        assert_eq!(deliveries["data"], json!([]));
        let upper = own.to_uppercase();
        assert_eq!(native.get(&format!("/v1/endpoints/{upper}")).status, 404, "one id, one text");
        caller.delete(&format!("{path}/{type_id}")).expect(204);
        assert_eq!(native.get(&format!("/v1/endpoints/{own}")).status, 404);
    }
}

#[test]
fn what_a_contract_says_is_absent_is_absent_in_both_directions() {
    let platforms = Platforms::open();
    let page = page("anduin");
    let caller = platforms.customer(page, "acme");
    let path = "/e/anduin/api/v2/webhooks";
    let mut body = page.webhook();
    body["fundSubscriptions"] = json!("*");
    let made = caller.post(path, &body).expect(201);
    assert_eq!(made["fundSubscriptions"], "*");
    let own = format!("{path}/{}", text(&made, "id"));
    let some = caller.patch(&own, &json!({"fundSubscriptions": ["fs_1"]})).expect(200);
    assert_eq!(some["fundSubscriptions"], json!(["fs_1"]));
    let kept = caller.patch(&own, &json!({"isActive": false})).expect(200);
    assert_eq!((&kept["fundSubscriptions"], &kept["isActive"]), (&json!(["fs_1"]), &json!(false)));
    let all = caller.patch(&own, &json!({"fundSubscriptions": "*"})).expect(200);
    assert_eq!(all["fundSubscriptions"], "*");
}

#[test]
fn the_answer_to_a_get_is_not_sent_to_who_knows_it() {
    let platforms = Platforms::open();
    let caller = platforms.customer(page("aleta"), "acme");
    for path in ["/e/aleta/v2/webhooks/keys", "/e/aleta/v2/webhooks"] {
        let first = caller.get(path);
        let tag = first.message.header("etag").expect("a tag").to_owned();
        assert_eq!(first.status, 200);
        for known in [tag.clone(), "*".to_owned(), format!("\"x\", W/{tag}")] {
            let again = caller.with("if-none-match", &known).get(path);
            assert_eq!((again.status, again.message.body.len()), (304, 0), "{known}");
            assert_eq!(again.message.header("etag"), Some(&*tag));
        }
        let other = caller.with("if-none-match", "\"x\"").get(path);
        assert_eq!((other.status, &other.body), (200, &first.body));
    }
    let before = caller.get("/e/aleta/v2/webhooks/keys");
    caller.post("/e/aleta/v2/webhooks/keys/rotate", &json!({})).expect(200);
    let tag = before.message.header("etag").expect("a tag");
    let after = caller.with("if-none-match", tag).get("/e/aleta/v2/webhooks/keys");
    assert_eq!(after.status, 200, "a rotation changes the tag");
}

#[test]
fn calls_are_counted_by_route_and_never_by_path() {
    let platforms = Platforms::open();
    let caller = platforms.customer(page("aleta"), "acme");
    caller.get("/e/aleta/v2/webhooks/wh_canary");
    caller.get("/e/aleta/canary/path");
    caller.get("/e/aleta/v2/webhooks");
    let metrics = platforms.server.admin().get("/metrics");
    let metrics = String::from_utf8(metrics.message.body).expect("text");
    for line in [
        r#"{method="GET",route="/e/{environment}/v2/webhooks/{id}",status="404"} 1"#,
        r#"{method="GET",route="/e/{environment}/v2/webhooks",status="200"} 1"#,
        r#"{method="GET",route="/e/{environment}",status="404"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert!(!metrics.contains("canary"), "{metrics}");
}

#[test]
fn a_test_event_goes_to_the_webhook_that_is_named_else_to_all_that_the_key_sees() {
    let platforms = Platforms::open();
    let page = page("aioka");
    let (caller, other) = (platforms.customer(page, "acme"), platforms.customer(page, "acme"));
    let path = "/e/aioka/v1/webhooks";
    let made: Vec<_> = (0..2).map(|_| caller.post(path, &page.webhook()).expect(201)).collect();
    let foreign = other.post(path, &page.webhook()).expect(201);
    let sent = |body: serde_json::Value| caller.post("/e/aioka/v1/webhooks/test", &body);

    let all = sent(json!({})).expect(202);
    assert_eq!((&all["webhooks"], all["event_ids"].as_array().map(Vec::len)), (&json!(2), Some(1)));
    let named = sent(json!({"webhook_id": made[0]["id"], "event": "regime.change"})).expect(202);
    assert_eq!(named["webhooks"], 1);
    let id = named["event_ids"][0].as_str().expect("an id").to_owned();
    let native = platforms.native("aioka");
    let event = native.get(&format!("/v1/events/{id}?tenant=acme")).expect(200);
    assert_eq!(event["type"], "regime.change");
    assert_eq!(event["data"]["to_regime"], "BULL_TRENDING", "the catalog's example");
    let deliveries = native.list(&format!("/v1/deliveries?tenant=acme&event={id}"));
    assert_eq!(deliveries.len(), 1);

    refused(&sent(json!({"webhook_id": foreign["id"]})), 404, "not_found");
    let unknown = sent(json!({"event": "no.such"}));
    let message = refused(&unknown, 422, unknown.body["error"]["code"].as_str().unwrap_or(""));
    assert!(message.starts_with("event: "), "{message}");

    let guarded = caller.with("idempotency-key", "k");
    let test = || guarded.post("/e/aioka/v1/webhooks/test", &json!({})).expect(202);
    assert_eq!(test(), test());
}

#[test]
fn the_diagnostics_show_the_newest_hundred_dead_letters_of_those_that_a_key_sees() {
    let platforms = Platforms::bare();
    platforms.environment("aleta", &["aleta", "standard"], &[]).expect(201);
    platforms.tenant("aleta", "acme");
    let (native, failing) =
        (platforms.native("aleta"), Receiver::unrecorded(|_| Reply::Status(500)));
    for (contract, kind) in [("aleta", "limit.breached"), ("standard", "authority.revoked")] {
        let endpoint = json!({
            "url": failing.url("/"),
            "types": [kind],
            "contract": contract,
            "delivery": {"retries": []},
        });
        native.post("/v1/tenants/acme/endpoints", &endpoint).expect(201);
    }
    for (kind, count) in [("limit.breached", 101), ("authority.revoked", 149)] {
        let event = |n| json!({"tenant": "acme", "type": kind, "id": format!("{n}"), "data": {}});
        let first = if kind == "limit.breached" { 1000 } else { 2000 };
        let events: Vec<_> = (first..first + count).map(event).collect();
        native.post("/v1/events/batch", &json!({"events": events})).expect(202);
    }
    let dead = || native.get("/v1/deliveries?tenant=acme&state=dead&limit=250").expect(200);
    let all = || dead()["data"].as_array().map(Vec::len) == Some(250);
    eventually("all are given up", Duration::from_secs(20), all);

    let key = platforms.key("aleta", Some("acme"), &["read"]);
    let caller = platforms.caller(page("aleta"), &key);
    let shown = caller.get("/e/aleta/v2/webhooks/diagnostics").expect(200);
    let letters = shown["dead_letters"].as_array().expect("dead letters");
    let ids: Vec<_> = letters.iter().map(|letter| text(letter, "event_id").to_owned()).collect();
    let newest: Vec<_> = (1001..=1100).rev().map(|n| n.to_string()).collect();
    assert_eq!(ids, newest);
    assert!(letters.iter().all(|letter| letter["cause"] == "server_error"));
    assert_eq!(shown["endpoints"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["endpoints"][0]["consecutive_failures"], 101);
}
