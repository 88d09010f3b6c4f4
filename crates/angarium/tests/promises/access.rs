//! Who may do what: keys, scopes, and that another tenant's things do not exist.

use crate::support::client::{Api, Connection};
use crate::support::receiver::Receiver;
use crate::support::shop::{Shop, text};
use angarium_core::time::Timestamp;
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

/// A portal key of `acme`.
fn portal(shop: &Shop) -> Api {
    key(shop, &json!({"tenant": "acme", "scopes": ["portal"]}))
}

#[test]
fn a_portal_key_is_one_tenants_stands_alone_and_ends_within_a_day() {
    let shop = Shop::open();
    let made = |members: &Value| {
        let mut body = json!({"name": "visit", "tenant": "acme", "scopes": ["portal"]});
        for (name, value) in members.as_object().expect("members") {
            body[name] = value.clone();
        }
        shop.api.post("/v1/keys", &body)
    };
    let first = made(&json!({})).expect(201);
    let time = |name: &str| Timestamp::parse(text(&first, name)).expect("a time");
    let life = time("expires_at").since(time("created_at"));
    assert!(life > Duration::from_secs(3_590) && life <= Duration::from_secs(3_610), "{life:?}");
    let in_hours = |hours: u64| time("created_at") + Duration::from_secs(hours * 3_600);
    made(&json!({"expires_at": in_hours(23).to_string()})).expect(201);
    let rows = [
        (json!({"expires_at": in_hours(25).to_string()}), "invalid_field", "expires_at"),
        (json!({"expires_at": in_hours(0).to_string()}), "invalid_field", "expires_at"),
        (json!({"expires_at": "tomorrow"}), "invalid_field", "expires_at"),
        (json!({"scopes": ["portal", "read"]}), "invalid_field", "scopes"),
        (json!({"scopes": []}), "invalid_field", "scopes"),
        (json!({"tenant": null}), "missing_field", "tenant"),
    ];
    for (members, code, field) in rows {
        let answer = made(&members);
        assert_eq!((answer.code(), answer.field()), (code, Some(field)), "{members}");
    }
    let late = made(&json!({"expires_at": in_hours(25).to_string()}));
    assert!(text(&late.body, "detail").contains("86400 seconds"), "{}", late.body);
    let reads = key(&shop, &json!({"tenant": "acme", "scopes": ["read", "publish"]}));
    let refused = reads.post("/v1/keys", &json!({"name": "x", "scopes": ["portal"]}));
    assert_eq!((refused.status, refused.code()), (403, "forbidden"));
}

#[test]
fn a_portal_is_shown_a_secret_only_where_it_makes_it() {
    let shop = Shop::open();
    let aleta = json!({"contracts": ["standard", "aleta"]});
    shop.api.patch("/v1/environments/shop", &aleta).expect(200);
    shop.tenant("acme");
    let portal = portal(&shop);
    let body = json!({"url": "https://example.com/", "types": ["a"],
                      "auth": {"type": "bearer", "token": "canary-token"}});
    let made = portal.post("/v1/tenants/acme/endpoints", &body).expect(201);
    let id = text(&made, "id");
    let first = text(&made, "secret").to_owned();
    let rotated = portal.post(&format!("/v1/endpoints/{id}/rotate-secret"), &json!({})).expect(200);
    let second = text(&rotated, "secret").to_owned();
    let manage = key(&shop, &json!({"tenant": "acme", "scopes": ["manage"]}));
    let keys = manage.get("/v1/tenants/acme/signing-keys").expect(200);
    let signing = text(&keys["data"][0], "secret").to_owned();
    let secrets = [first, second, signing, "canary-token".to_owned()];
    let seen = [
        portal.get("/v1/tenants/acme/signing-keys"),
        portal.get(&format!("/v1/endpoints/{id}")),
        portal.get("/v1/endpoints"),
        portal.patch(&format!("/v1/endpoints/{id}"), &json!({"description": "d"})),
        portal.post(&format!("/v1/endpoints/{id}/pause"), &json!({})),
    ];
    for answer in seen {
        let told = answer.body.to_string();
        assert_eq!(answer.status, 200, "{told}");
        assert!(secrets.iter().all(|secret| !told.contains(secret)), "{told}");
    }
    assert!(portal.list("/v1/tenants/acme/signing-keys").iter().all(|key| key["id"].is_string()));
}

#[test]
fn a_key_ends_at_once_on_a_connection_that_is_open() {
    let shop = Shop::open();
    let made = shop.api.post("/v1/keys", &json!({"name": "k", "scopes": ["read"]})).expect(201);
    let api = Api::new(&shop.server.address, text(&made, "key"));
    let mut connection = Connection::open(&shop.server.address).expect("a connection");
    let mut ask = || connection.exchange(&api, "GET", "/v1/events", None).expect("an answer");
    assert_eq!(ask().status, 200);
    shop.api.delete(&format!("/v1/keys/{}", text(&made, "id"))).expect(204);
    assert_eq!((ask().status, ask().code()), (401, "unauthorized"));
    assert_eq!(ask().status, 401);
}

#[test]
fn keys_end_with_their_tenant_and_their_environment() {
    let shop = Shop::open();
    shop.tenant("leaving");
    let admin = shop.server.admin();
    let gone = json!({"slug": "gone", "contracts": ["standard"]});
    admin.post("/v1/environments", &gone).expect(201);
    let keys = [
        key(&shop, &json!({"tenant": "leaving", "scopes": ["read"]})),
        key(&shop, &json!({"tenant": "leaving", "scopes": ["portal"]})),
        key(&shop, &json!({"environment": "gone", "scopes": ["read"]})),
    ];
    for key in &keys {
        key.get("/v1/events").expect(200);
    }
    shop.api.delete("/v1/tenants/leaving").expect(204);
    admin.delete("/v1/environments/gone").expect(204);
    // What comes after them under the same name has nothing of theirs.
    shop.tenant("leaving");
    admin.post("/v1/environments", &gone).expect(201);
    for key in &keys {
        assert_eq!(key.get("/v1/events").status, 401);
    }
}

/// When the key of this name was used last, as the list says.
fn last_use(shop: &Shop, name: &str) -> Option<Timestamp> {
    let keys = shop.api.list("/v1/keys");
    let key = keys.iter().find(|key| key["name"] == name).expect("the key");
    key["last_used_at"].as_str().map(|text| Timestamp::parse(text).expect("a time"))
}

#[test]
fn the_last_use_of_a_key_is_listed_and_outlives_a_stop() {
    let shop = Shop::open();
    let body = |name: &str| json!({"name": name, "scopes": ["read"]});
    let made = shop.api.post("/v1/keys", &body("used")).expect(201);
    assert!(made["last_used_at"].is_null(), "{made}");
    shop.api.post("/v1/keys", &body("unused")).expect(201);
    assert_eq!(last_use(&shop, "used"), None);
    Api::new(&shop.server.address, text(&made, "key")).get("/v1/events").expect(200);
    let used = last_use(&shop, "used").expect("it was used");
    let created = Timestamp::parse(text(&made, "created_at")).expect("a time");
    assert!(used >= created && used.since(created) < Duration::from_secs(60), "{used}");
    let shop = shop.restarted(|server| assert!(server.stop().success()));
    assert_eq!(last_use(&shop, "used"), Some(used));
    assert_eq!(last_use(&shop, "unused"), None);
}
