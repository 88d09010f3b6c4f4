//! Rates, quotas and trusted proxies: at the limit, one past it, and after a restart.

use crate::support::client::{Answer, Api, Connection};
use crate::support::receiver::{Receiver, Reply};
use crate::support::shop::{Shop, metric, text};
use serde_json::{Value, json};
use std::io::Read;
use std::time::Duration;

/// A shop under these limits.
fn limited(limits: &[&str]) -> Shop {
    Shop::open_with(|start| {
        limits.iter().fold(start, |start, limit| start.argument(&format!("--limit={limit}")))
    })
}

/// A new key, and who calls with it.
fn key(shop: &Shop, body: Value) -> (Value, Api) {
    let made = shop.api.post("/v1/keys", &body).expect(201);
    let api = Api::new(&shop.server.address, text(&made, "key"));
    (made, api)
}

fn headers<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let of_name = answer.message.headers.iter().filter(|(known, _)| known == name);
    of_name.map(|(_, value)| value.as_str()).collect()
}

fn publish(api: &Api, data: &str) -> Answer {
    api.post("/v1/events", &json!({"tenant": "acme", "type": "a", "data": data}))
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{}", answer.body);
    if status == 429 {
        let wait = answer.message.header("retry-after").and_then(|text| text.parse::<u64>().ok());
        assert!(wait.is_some_and(|seconds| seconds > 0), "no time to come again");
    }
}

#[test]
fn a_key_calls_as_often_as_its_rate_says_and_every_answer_tells_where_it_stands() {
    let shop = Shop::open();
    assert!(headers(&shop.api.get("/v1/tenants"), "ratelimit").is_empty(), "no limit, no header");
    let slow = json!({"per_second": 0.01, "burst": 3});
    let body = json!({"name": "slow", "scopes": ["manage", "publish"], "rate": slow});
    let (made, api) = key(&shop, body);
    assert_eq!(made["rate"], slow);
    let event = json!({"tenant": "acme", "type": "a", "data": 1});
    let answers = [
        (api.get("/v1/tenants"), 200, 2),
        (api.post("/v1/events", &event), 202, 1),
        (api.get("/v1/nothing"), 404, 1),
        (api.get("/v1/tenants/nobody"), 404, 0),
    ];
    for (answer, status, left) in &answers {
        assert_eq!(answer.status, *status, "{}", answer.body);
        // Nobody is asked for a key where there is nothing.
        let stands = headers(answer, "ratelimit");
        let known = *status != 404 || *left == 0;
        let begins = format!("\"requests\";r={left};t=");
        assert_eq!(stands.iter().any(|line| line.starts_with(&begins)), known, "{stands:?}");
    }
    for answer in [api.get("/v1/tenants"), api.post("/v1/events", &event)] {
        refused(&answer, 429, "rate_limited");
        assert_eq!(headers(&answer, "ratelimit-policy"), ["\"requests\";q=3;w=300"]);
        assert_eq!(answer.message.header("retry-after"), Some("100"));
    }
    shop.api.get("/v1/tenants").expect(200);
    let more = json!({"name": "n", "scopes": ["read"], "rate": {"per_second": 1}});
    let slow = json!({"name": "s", "scopes": ["manage"], "rate": {"per_second": 0.5, "burst": 9}});
    let (_, slow) = key(&shop, slow);
    let answer = slow.post("/v1/keys", &more);
    assert_eq!((answer.code(), answer.field()), ("forbidden", Some("rate")));
    let made = slow.post("/v1/keys", &json!({"name": "n", "scopes": ["read"]})).expect(201);
    assert_eq!(made["rate"], json!({"per_second": 0.5, "burst": 9}), "as its maker's");
    let shop = shop.restarted(crate::support::server::Server::kill);
    let kept = shop.api.list("/v1/keys");
    assert!(kept.iter().any(|key| key["rate"] == json!({"per_second": 0.01, "burst": 3})));
}

#[test]
fn keys_of_a_tenant_share_its_rate_its_portal_keys_too() {
    let shop = limited(&["tenant_call_rate=1", "tenant_call_burst=5"]);
    let of_acme = |scope: &str| {
        let mut body = json!({"name": "k", "environment": "shop", "tenant": "acme"});
        body["scopes"] = json!([scope]);
        body["rate"] = json!({"per_second": 0.01, "burst": 4});
        key(&shop, body).1
    };
    let keys = [of_acme("read"), of_acme("portal"), of_acme("portal")];
    let statuses = |api: &Api| [(); 6].map(|()| api.get("/v1/endpoints").status);
    let all: Vec<u16> = keys.iter().flat_map(statuses).collect();
    let served = all.iter().filter(|status| **status == 200).count();
    // A second may pass meanwhile, or some.
    assert!((5..=9).contains(&served), "{all:?}");
    assert_eq!(all[..6], [200, 200, 200, 200, 429, 429], "a key's own rate holds too");
    assert_eq!(all.iter().filter(|status| **status == 429).count(), all.len() - served);
}

#[test]
fn a_key_publishes_no_more_events_than_its_rate_in_batches_too() {
    let shop = limited(&["key_event_rate=1", "key_event_burst=4"]);
    let (_, api) = key(&shop, json!({"name": "k", "environment": "shop", "scopes": ["publish"]}));
    let event = json!({"tenant": "acme", "type": "a", "data": 1});
    let batch = |events: usize| {
        api.post("/v1/events/batch", &json!({"events": vec![event.clone(); events]}))
    };
    let answer = batch(3);
    let stands = headers(&answer, "ratelimit");
    assert!(answer.status == 202 && stands[0].starts_with("\"publish\";r=1;t="), "{stands:?}");
    refused(&batch(5), 422, "batch_too_large");
    refused(&batch(3), 429, "rate_limited");
    let (_, other) = key(&shop, json!({"name": "o", "environment": "shop", "scopes": ["publish"]}));
    other.post("/v1/events", &event).expect(202);
}

#[test]
fn wrong_keys_from_one_address_are_told_to_wait_and_a_right_one_is_not() {
    let shop = limited(&["wrong_key_rate=1", "wrong_key_burst=5"]);
    let wrong = Api::new(&shop.server.address, "ang_wrong");
    let answers: Vec<_> = (0..9).map(|_| wrong.get("/v1/tenants")).collect();
    assert!(answers[..5].iter().all(|answer| answer.status == 401));
    refused(&answers[8], 429, "rate_limited");
    refused(&wrong.post("/v1/events", &json!({})), 429, "rate_limited");
    refused(&wrong.get("/e/shop/api/v1/endpoints"), 404, "not_found");
    shop.api.get("/v1/tenants").expect(200);
}

#[test]
fn a_tenant_publishes_no_more_than_may_wait_and_goes_on_when_some_has_ended() {
    let limit = "pending_per_tenant=3";
    let shop = limited(&[limit]);
    let receiver = Receiver::unrecorded(|_| Reply::Status(200));
    let endpoint = shop.endpoint_for_all(&receiver.url("/"), &[]);
    let id = text(&endpoint, "id");
    shop.api.post(&format!("/v1/endpoints/{id}/pause"), &json!({})).expect(200);
    for n in ["1", "2"] {
        publish(&shop.api, n).expect(202);
    }
    // Each of a batch is asked for itself.
    let event = json!({"tenant": "acme", "type": "a", "data": 1});
    let batch = shop.api.post("/v1/events/batch", &json!({"events": [event, event]})).expect(202);
    let codes: Vec<_> = batch["results"].as_array().expect("results").iter().collect();
    assert_eq!(codes.iter().filter(|result| result["status"] == 202).count(), 1, "{batch}");
    let refusal = codes.iter().find(|result| result["status"] == 429).expect("one is too many");
    assert_eq!(refusal["error"]["code"], "too_many_pending");
    let over = publish(&shop.api, "5");
    refused(&over, 429, "too_many_pending");
    assert!(over.body["detail"].as_str().is_some_and(|text| text.contains("at most 3 may")));
    shop.tenant("other");
    let other = json!({"tenant": "other", "type": "a", "data": 1});
    shop.api.post("/v1/events", &other).expect(202);
    let used = shop.api.get("/v1/tenants/acme/usage").expect(200);
    assert_eq!(used["pending_deliveries"], json!({"used": 3, "limit": 3}));
    let counted = "angarium_events_refused_total{code=\"too_many_pending\"}";
    assert_eq!(metric(&shop.api, counted), 2);
    shop.api.post(&format!("/v1/endpoints/{id}/resume"), &json!({})).expect(200);
    crate::support::eventually("what waited has ended", Duration::from_secs(20), || {
        publish(&shop.api, "6").status == 202
    });
}

#[test]
fn stored_payload_counts_against_its_quota_after_a_restart_too() {
    // Six characters and their quotes.
    let limits = "stored_bytes_per_tenant=32";
    let shop = Shop::open_with(|start| start.variable("ANGARIUM_LIMIT", limits));
    let once = json!({"tenant": "acme", "type": "a", "id": "once", "data": "abcdef"});
    shop.try_publish(&once).expect(202);
    for _ in 0..2 {
        publish(&shop.api, "abcdef").expect(202);
    }
    refused(&publish(&shop.api, "abcdefg"), 429, "too_many_bytes");
    publish(&shop.api, "ghijkl").expect(202);
    refused(&publish(&shop.api, ""), 429, "too_many_bytes");
    // What is there already takes no room.
    assert_eq!(shop.try_publish(&once).expect(202)["duplicate"], true);
    let used = |shop: &Shop| {
        shop.api.get("/v1/tenants/acme/usage").expect(200)["stored_bytes"]["used"].clone()
    };
    assert_eq!(used(&shop), 32);
    let shop = shop.restarted(crate::support::server::Server::kill);
    assert_eq!(used(&shop), 32);
}

#[test]
fn a_tenant_has_so_many_valid_keys_and_no_more() {
    let shop = limited(&["keys_per_tenant=2"]);
    let body = |scope: &str| {
        let (name, environment, tenant) = ("k", "shop", "acme");
        json!({"name": name, "environment": environment, "tenant": tenant, "scopes": [scope]})
    };
    let (first, _) = key(&shop, body("read"));
    key(&shop, body("portal"));
    let over = shop.api.post("/v1/keys", &body("portal"));
    refused(&over, 409, "too_many_keys");
    assert_eq!(over.field(), Some("tenant"));
    assert_eq!(shop.api.get("/v1/tenants/acme/usage").expect(200)["keys"]["used"], 2);
    shop.api.delete(&format!("/v1/keys/{}", text(&first, "id")));
    key(&shop, body("publish"));
    key(&shop, json!({"name": "k", "environment": "shop", "scopes": ["read"]}));
}

#[test]
fn an_address_has_so_many_connections_and_no_more() {
    let shop = limited(&["connections_per_address=4"]);
    let open = || Connection::open(&shop.server.address).expect("a connection");
    let mut served = Vec::new();
    // Those that made the shop may not be gone yet.
    crate::support::eventually("all places are taken", Duration::from_secs(5), || {
        let mut connection = open();
        let answer = connection.exchange(&shop.api, "GET", "/healthz", None);
        served.extend(answer.ok().map(|_| connection));
        served.len() == 4
    });
    let mut closed = open().into_stream();
    assert_eq!(closed.read(&mut [0; 1]).unwrap_or(0), 0, "one past the limit is closed");
    served.pop();
    crate::support::eventually("there is room again", Duration::from_secs(5), || {
        open().exchange(&shop.api, "GET", "/healthz", None).is_ok()
    });
    let metrics = served[0].exchange(&shop.api, "GET", "/metrics", None).expect("an answer");
    let metrics = String::from_utf8(metrics.message.body).expect("text");
    let ended = "angarium_connections_ended_total{reason=\"address\"}";
    assert!(metrics.contains(ended), "{metrics}");
}

/// The address that the audit log has of the last change.
fn last_address(api: &Api) -> Value {
    api.get("/v1/audit?limit=1").expect(200)["data"][0]["address"].clone()
}

#[test]
fn only_a_trusted_proxy_says_where_a_caller_is() {
    let lies = [("x-forwarded-for", "198.51.100.9, 203.0.113.7"), ("forwarded", "for=192.0.2.1")];
    for (trusted, address) in [(None, "127.0.0.1"), (Some("127.0.0.0/8"), "203.0.113.7")] {
        let shop = Shop::open_with(|start| match trusted {
            Some(range) => start
                .argument(&format!("--trusted-proxy={range}"))
                .argument("--limit=connections_per_address=1"),
            None => start,
        });
        let told = lies.iter().fold(shop.api.clone(), |api, (name, value)| api.with(name, value));
        told.put("/v1/tenants/told", &json!({})).expect(201);
        assert_eq!(last_address(&shop.api), address, "{trusted:?}");
        if trusted.is_some() {
            // A proxy comes for many.
            let held: Vec<_> = (0..9).map(|_| Connection::open(&shop.server.address)).collect();
            shop.api.get("/healthz").expect(200);
            drop(held);
        }
    }
}
