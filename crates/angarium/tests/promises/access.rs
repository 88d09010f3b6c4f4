//! Who may do what: keys, scopes, and that another tenant's things do not exist.

use crate::support::client::Api;
use crate::support::receiver::Receiver;
use crate::support::shop::{Shop, text};
use serde_json::{Value, json};
use std::time::Duration;

/// A key of the shop with these members beside the environment.
fn key(shop: &Shop, members: &Value) -> Api {
    let mut body = json!({"name": "a key", "environment": "shop"});
    for (name, value) in members.as_object().expect("members") {
        body[name] = value.clone();
    }
    let made = shop.api.post("/v1/keys", &body).expect(201);
    Api::new(&shop.server.address, text(&made, "key"))
}

#[test]
fn a_call_without_a_key_or_with_a_wrong_one_is_unauthorized() {
    let shop = Shop::open();
    let wrong = |value: &str| shop.api.without("authorization").with("authorization", value);
    let callers = [
        shop.api.without("authorization"),
        wrong("Bearer wrong"),
        wrong("Basic YTpi"),
        wrong("Bearer "),
        wrong(&format!("Bearer {}x", crate::support::server::ADMIN_KEY)),
    ];
    for caller in callers {
        for path in ["/v1/environments", "/v1/events", "/v1/deliveries", "/v1/keys"] {
            let answer = caller.get(path);
            assert_eq!((answer.status, answer.code()), (401, "unauthorized"), "{path}");
        }
    }
    let unnamed = shop.api.without("angarium-environment").get("/v1/events");
    assert_eq!((unnamed.status, unnamed.code()), (400, "environment_required"));
    for open in ["/healthz", "/readyz", "/openapi.json"] {
        assert_eq!(shop.api.without("authorization").get(open).status, 200, "{open}");
    }
}

#[test]
fn a_scope_allows_what_it_names_and_nothing_else() {
    let shop = Shop::open();
    let event = json!({"tenant": "acme", "type": "a", "data": 1});
    let endpoint = json!({"url": "https://example.com/", "types": ["a"]});
    // Scope, then whether it may publish, manage, read. Who may manage may also read.
    let rows = [
        ("publish", [true, false, false]),
        ("manage", [false, true, true]),
        ("read", [false, false, true]),
    ];
    for (scope, [publishes, manages, reads]) in rows {
        let api = key(&shop, &json!({"scopes": [scope]}));
        let statuses = [
            (api.post("/v1/events", &event), publishes),
            (api.post("/v1/tenants/acme/endpoints", &endpoint), manages),
            (api.get("/v1/deliveries?tenant=acme"), reads),
        ];
        for (answer, allowed) in statuses {
            let refused = (answer.status, answer.code()) == (403, "forbidden");
            assert_eq!(refused, !allowed, "{scope}: {}", answer.body);
            assert!(refused || answer.status < 300, "{scope}: {}", answer.body);
        }
    }
}

#[test]
fn a_tenants_key_sees_nothing_of_another_tenant() {
    let (shop, receiver) = (Shop::open(), Receiver::kind());
    shop.tenant("other");
    let endpoint = shop.endpoint_for_all(&receiver.url("/"), &[]);
    let event = shop.publish("a", &json!(1));
    receiver.wait_for(1, Duration::from_secs(10));
    let delivery = shop.wait_for_state(text(&event, "id"), "delivered");
    let other = key(&shop, &json!({"tenant": "other", "scopes": ["publish", "manage", "read"]}));

    let (endpoint, event) = (text(&endpoint, "id"), text(&event, "id"));
    let delivery = text(&delivery, "id");
    let patch = json!({"description": "mine"});
    let hidden = [
        other.get(&format!("/v1/endpoints/{endpoint}")),
        other.patch(&format!("/v1/endpoints/{endpoint}"), &patch),
        other.delete(&format!("/v1/endpoints/{endpoint}")),
        other.post(&format!("/v1/endpoints/{endpoint}/pause"), &json!({})),
        other.get(&format!("/v1/events/{event}")),
        other.get(&format!("/v1/deliveries/{delivery}")),
        other.post(&format!("/v1/deliveries/{delivery}/retry"), &json!({})),
        other.post(&format!("/v1/deliveries/{delivery}/cancel"), &json!({})),
    ];
    for answer in hidden {
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{}", answer.body);
    }
    for list in ["/v1/endpoints", "/v1/events", "/v1/deliveries"] {
        assert_eq!(other.list(list), Vec::<Value>::new(), "{list}");
    }
    let foreign = [
        other.post("/v1/events", &json!({"tenant": "acme", "type": "a", "data": 1})),
        other.get("/v1/endpoints?tenant=acme"),
        other.get("/v1/tenants/acme"),
        other
            .post("/v1/tenants/acme/endpoints", &json!({"url": "https://a.example/", "types": []})),
    ];
    for answer in foreign {
        assert!(matches!(answer.status, 403 | 404), "{}: {}", answer.status, answer.body);
    }
    assert_eq!(shop.api.get(&format!("/v1/endpoints/{endpoint}")).status, 200);
}

#[test]
fn a_key_of_one_environment_cannot_reach_another() {
    let shop = Shop::open();
    let second = json!({"slug": "second", "title": "Second", "contracts": ["standard"]});
    shop.api.post("/v1/environments", &second).expect(201);
    let api = key(&shop, &json!({"scopes": ["publish", "manage", "read"]}));
    let elsewhere = api.with("angarium-environment", "second").get("/v1/tenants/acme");
    assert!(matches!(elsewhere.status, 403 | 404), "{}", elsewhere.body);
    let admin = shop.api.without("angarium-environment").with("angarium-environment", "second");
    assert_eq!(admin.get("/v1/tenants/acme").status, 404);
    let nowhere = shop.api.without("angarium-environment").with("angarium-environment", "none");
    let answer = nowhere.get("/v1/events");
    assert_eq!((answer.status, answer.code()), (404, "environment_not_found"));
}

#[test]
fn a_revoked_or_expired_key_is_wrong_at_once() {
    let shop = Shop::open();
    let body = json!({"name": "k", "environment": "shop", "scopes": ["read"]});
    let made = shop.api.post("/v1/keys", &body).expect(201);
    let api = Api::new(&shop.server.address, text(&made, "key"));
    assert_eq!(api.get("/v1/events").status, 200);
    let listed = shop.api.list("/v1/keys");
    assert!(listed.iter().all(|key| key["key"].is_null()), "a key's text is shown once");
    assert_eq!(shop.api.delete(&format!("/v1/keys/{}", text(&made, "id"))).status, 204);
    assert_eq!(api.get("/v1/events").status, 401);

    let past = json!({"scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"});
    let mut body = json!({"name": "k", "environment": "shop"});
    for (name, value) in past.as_object().expect("members") {
        body[name] = value.clone();
    }
    let answer = shop.api.post("/v1/keys", &body);
    let works = answer.status == 201 && {
        let api = Api::new(&shop.server.address, text(&answer.body, "key"));
        api.get("/v1/events").status == 200
    };
    assert!(!works, "a key that has expired opens nothing");
}
