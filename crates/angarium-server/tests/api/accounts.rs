//! Environments, keys, tenants and event types: who may do and see what.

use super::stage::Stage;
use angarium_core::account::{ApiKey, Scope};
use angarium_core::id::ApiKeyId;
use angarium_core::secret::SecretText;
use angarium_core::time::Timestamp;
use angarium_server::api::admin_key::{AdminKeyError, ensure_admin_key};
use angarium_server::clock::{Clock, SystemClock};
use angarium_server::entropy::OsEntropy;
use angarium_server::key_uses;
use angarium_store::{AccountChange, AccountChanged};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

#[tokio::test]
async fn a_call_without_a_valid_key_is_a_401_that_says_how_to_authenticate() {
    let stage = Stage::ready().await;
    for bad in ["Bearer nonsense", "Basic dTpw", "Bearer", "nonsense"] {
        let answer = stage.get("/v1/tenants").header("authorization", bad).send().await;
        assert_eq!(answer.refusal(), (401, "unauthorized".into(), String::new()), "{bad}");
        assert!(answer.headers.contains_key("www-authenticate"));
    }
    let answer = stage.get("/v1/tenants").without("authorization").send().await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_revoked_key_ends_at_once_and_an_expired_one_cannot_be_made() {
    let stage = Stage::ready().await;
    let body = json!({"name": "k", "environment": "prod", "scopes": ["read"]});
    let made = stage.post("/v1/keys").json(body).send().await.json();
    let (id, key) = (made["id"].as_str().expect("id"), made["key"].as_str().expect("key"));
    assert!(key.starts_with("ang_"));
    assert_eq!(stage.get("/v1/tenants").key(key).send().await.status, 200);
    let listed = stage.get("/v1/keys").send().await;
    assert!(listed.text.contains(id) && !listed.text.contains(key), "shown once only");
    let path = format!("/v1/keys/{id}");
    assert_eq!(stage.call("DELETE", &path).send().await.status, 204);
    assert_eq!(stage.get("/v1/tenants").key(key).send().await.status, 401);
    assert_eq!(stage.call("DELETE", &path).send().await.status, 404);
    let past = json!({"name": "k", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"});
    let refused = stage.post("/v1/keys").json(past).send().await;
    assert_eq!(refused.refusal(), (422, "invalid_field".into(), "expires_at".into()));
}

#[tokio::test]
async fn a_key_does_only_what_its_scopes_say() {
    let stage = Stage::ready().await;
    let key = |scope: &'static str| {
        let stage = stage.clone();
        async move {
            let body = json!({"name": scope, "environment": "prod", "scopes": [scope]});
            stage.key(body).await
        }
    };
    let (publish, manage, read) = (key("publish").await, key("manage").await, key("read").await);
    let event = json!({"tenant": "acme", "type": "a.b", "data": 1});
    let tenant = json!({"name": "Acme"});
    let rows = [(&publish, 403, 202, 403), (&manage, 200, 403, 200), (&read, 200, 403, 403)];
    for (key, reading, publishing, managing) in rows {
        let list = stage.get("/v1/tenants").key(key).send().await;
        assert_eq!(list.status, reading);
        let published = stage.post("/v1/events").key(key).json(event.clone()).send().await;
        assert_eq!(published.status, publishing, "{}", published.text);
        let put = stage.call("PUT", "/v1/tenants/acme").key(key).json(tenant.clone()).send().await;
        assert_eq!(put.status, managing, "{}", put.text);
    }
}

#[tokio::test]
async fn a_key_cannot_make_one_that_may_more() {
    let stage = Stage::ready().await;
    let bound = json!({"name": "k", "environment": "prod", "tenant": "acme", "scopes": ["manage"]});
    let key = stage.key(bound).await;
    let more = json!({"name": "x", "scopes": ["publish"]});
    let refused = stage.post("/v1/keys").key(&key).json(more).send().await;
    assert_eq!(refused.refusal(), (403, "forbidden".into(), "scopes".into()));
    let wider = json!({"name": "x", "environment": "other", "scopes": ["manage"]});
    let refused = stage.post("/v1/keys").key(&key).json(wider).send().await;
    assert_eq!(refused.refusal().1, "environment_not_found");
    let same = json!({"name": "x", "scopes": ["read"]});
    let made = stage.post("/v1/keys").key(&key).json(same).send().await.json();
    assert_eq!((&made["environment"], &made["tenant"]), (&json!("prod"), &json!("acme")));
    let environment = json!({"slug": "x", "contracts": ["standard"]});
    let refused = stage.post("/v1/environments").key(&key).json(environment).send().await;
    assert_eq!(refused.status, 403);
}

fn bound(tenant: &str) -> Value {
    json!({"name": "k", "environment": "prod", "tenant": tenant,
           "scopes": ["publish", "manage", "read"]})
}

#[tokio::test]
async fn another_s_object_is_answered_exactly_as_a_missing_one() {
    let stage = Stage::ready().await;
    stage.call("PUT", "/v1/tenants/rival").json(json!({})).send().await;
    let endpoint = json!({"url": "https://a.example/h", "types": ["*"]});
    let endpoint = stage.endpoint(endpoint).await;
    let event = json!({"tenant": "acme", "type": "a.b", "data": 1});
    let event = stage.post("/v1/events").json(event).send().await.json();
    let event = event["id"].as_str().expect("an id");
    let deliveries = stage.until("/v1/deliveries", |l| l["data"][0]["id"].is_string()).await;
    let delivery = deliveries["data"][0]["id"].as_str().expect("an id");
    let own = stage.key(bound("acme")).await;
    let rival = stage.key(bound("rival")).await;
    let missing = [
        ("/v1/endpoints/", endpoint.as_str(), "ep_00000000000000000000000000"),
        ("/v1/events/", event, "evt_00000000000000000000000000"),
        ("/v1/deliveries/", delivery, "dlv_00000000000000000000000000"),
        ("/v1/tenants/", "acme", "nobody"),
    ];
    for (path, theirs, nobody_s) in missing {
        let seen = stage.get(&format!("{path}{theirs}")).key(&own).send().await;
        assert_eq!(seen.status, 200, "{path} {}", seen.text);
        let hidden = stage.get(&format!("{path}{theirs}")).key(&rival).send().await;
        let absent = stage.get(&format!("{path}{nobody_s}")).key(&rival).send().await;
        assert_eq!((hidden.status, hidden.text), (404, absent.text), "{path}");
    }
}

#[tokio::test]
async fn a_tenant_s_key_lists_and_publishes_for_its_own_tenant_only() {
    let stage = Stage::ready().await;
    stage.call("PUT", "/v1/tenants/rival").json(json!({})).send().await;
    let rival = stage.key(bound("rival")).await;
    stage.endpoint(json!({"url": "https://a.example/h", "types": ["*"]})).await;
    let event = json!({"tenant": "acme", "type": "a.b", "data": 1});
    stage.post("/v1/events").json(event).send().await;
    for list in ["/v1/endpoints", "/v1/events", "/v1/deliveries"] {
        let listed = stage.get(list).key(&rival).send().await.json();
        assert_eq!(listed["data"], json!([]), "{list}");
        let asked = stage.get(&format!("{list}?tenant=acme")).key(&rival).send().await;
        assert_eq!(asked.refusal().1, "tenant_not_found", "{list}");
    }
    let stolen = json!({"tenant": "acme", "type": "a.b", "data": 1});
    let refused = stage.post("/v1/events").key(&rival).json(stolen).send().await;
    assert_eq!(refused.refusal(), (404, "tenant_not_found".into(), "tenant".into()));
}

#[tokio::test]
async fn an_admin_key_names_its_environment_and_one_of_an_environment_stays_in_it() {
    let stage = Stage::ready().await;
    let answer = stage.get("/v1/tenants").without("angarium-environment").send().await;
    let field = "Angarium-Environment".to_owned();
    assert_eq!(answer.refusal(), (400, "environment_required".into(), field.clone()));
    let answer = stage.get("/v1/tenants").header("angarium-environment", "nope").send().await;
    assert_eq!(answer.refusal(), (404, "environment_not_found".into(), field));
    stage
        .post("/v1/environments")
        .json(json!({"slug": "two", "contracts": ["standard"]}))
        .send()
        .await;
    let key = stage.key(json!({"name": "k", "environment": "prod", "scopes": ["read"]})).await;
    let other = stage.get("/v1/tenants").key(&key).header("angarium-environment", "two");
    assert_eq!(other.send().await.status, 404);
    let seen = stage.get("/v1/environments").key(&key).send().await.json();
    assert_eq!(seen["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_environment_is_unique_can_be_changed_and_goes_when_it_is_empty() {
    let stage = Stage::ready().await;
    let path = "/v1/environments/prod";
    let again = json!({"slug": "prod", "contracts": ["standard"]});
    let refused = stage.post("/v1/environments").json(again).send().await;
    assert_eq!(refused.refusal().1, "already_exists");
    let changed = stage.call("PATCH", path).json(json!({"title": "P", "hosts": ["a.io"]}));
    assert_eq!(changed.send().await.json()["hosts"], json!(["a.io"]));
    let unknown = stage.call("PATCH", path).json(json!({"contracts": ["nope"]})).send().await;
    assert_eq!(unknown.refusal(), (422, "unknown_contract".into(), "contracts[0]".into()));
    stage.endpoint(json!({"url": "https://a.example/h", "types": ["*"]})).await;
    let followed = stage.call("PATCH", path).json(json!({"contracts": ["aleta"]})).send().await;
    assert_eq!(followed.refusal(), (409, "in_use".into(), "contracts".into()));
    assert_eq!(stage.call("DELETE", path).send().await.refusal().1, "in_use");
    assert_eq!(stage.call("DELETE", "/v1/tenants/acme").send().await.status, 204);
    assert_eq!(stage.call("DELETE", path).without("angarium-environment").send().await.status, 204);
    assert_eq!(stage.get(path).without("angarium-environment").send().await.status, 404);
}

#[tokio::test]
async fn a_list_is_walked_to_its_end_by_its_cursors() {
    let stage = Stage::ready().await;
    for i in 0..6 {
        stage.call("PUT", &format!("/v1/tenants/t{i}")).json(json!({})).send().await;
    }
    let (mut path, mut seen) = ("/v1/tenants?limit=3".to_owned(), Vec::new());
    loop {
        let page = stage.get(&path).send().await.json();
        let ids = page["data"].as_array().expect("a list").iter();
        seen.extend(ids.filter_map(|t| t["id"].as_str().map(str::to_owned)));
        match &page["next"] {
            Value::String(next) => path = format!("/v1/tenants?limit=3&cursor={next}"),
            _ => break,
        }
    }
    assert_eq!(seen, ["t5", "t4", "t3", "t2", "t1", "t0", "acme"]);
    let foreign = path.replace("/v1/tenants", "/v1/endpoints");
    assert_eq!(stage.get(&foreign).send().await.refusal().1, "invalid_cursor");
}

#[tokio::test]
async fn a_schema_refuses_or_warns_as_its_event_type_says() {
    let stage = Stage::ready().await;
    let put = |validate: &str| {
        let body = json!({"description": "d", "validate": validate,
                          "schema": {"type": "object", "required": ["n"]}});
        stage.call("PUT", "/v1/event-types/order.paid").json(body).send()
    };
    let publish = || {
        let event = json!({"tenant": "acme", "type": "order.paid", "data": {"m": 1}});
        stage.post("/v1/events").json(event).send()
    };
    assert_eq!(put("reject").await.status, 200);
    assert_eq!(publish().await.refusal(), (422, "schema_violation".into(), "data".into()));
    assert_eq!(put("warn").await.status, 200);
    assert!(publish().await.json()["warning"].is_string());
    assert_eq!(put("off").await.status, 200);
    assert!(publish().await.json()["warning"].is_null());
    let bad = json!({"description": "d", "schema": {"type": 3}});
    let refused = stage.call("PUT", "/v1/event-types/order.paid").json(bad).send().await;
    assert_eq!(refused.refusal(), (422, "invalid_schema".into(), "schema".into()));
    let catalog = stage.get("/v1/event-types?limit=250").send().await;
    assert!(catalog.text.contains("limit.breached") && catalog.text.contains("order.paid"));
}

/// Sleeps until it is woken, and keeps for how long it was to sleep.
#[derive(Debug, Default)]
struct Sleeper {
    asked: Mutex<Vec<Duration>>,
    woken: Notify,
}

#[async_trait]
impl Clock for Sleeper {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    async fn sleep(&self, span: Duration) {
        self.asked.lock().expect("nobody panicked").push(span);
        self.woken.notified().await;
    }
}

#[tokio::test]
async fn uses_of_keys_are_written_together_and_away_from_the_calls() {
    let clock = Arc::new(Sleeper::default());
    let stage = Stage::by(clock.clone()).await;
    let environment = json!({"slug": "prod", "contracts": ["standard"]});
    stage.post("/v1/environments").json(environment).send().await;
    stage.call("PUT", "/v1/tenants/acme").json(json!({})).send().await;
    let written = async || {
        let keys = stage.app.store.accounts().await.expect("accounts").keys;
        keys.iter().filter(|key| key.last_used_at.is_some()).count()
    };
    let keys = [stage.key(bound("acme")).await, stage.key(bound("acme")).await];
    let task = tokio::spawn(key_uses::keep_for_ever(Arc::clone(&stage.app)));
    for key in &keys {
        assert_eq!(stage.get("/v1/events").key(key).send().await.status, 200);
    }
    while clock.asked.lock().expect("nobody panicked").is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*clock.asked.lock().expect("nobody panicked"), [Duration::from_secs(60)]);
    assert_eq!(written().await, 0, "no call writes");
    clock.woken.notify_one();
    for _ in 0..10_000 {
        if written().await == 3 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(written().await, 3, "the two and the admin's");
    task.abort();
}

#[tokio::test]
async fn a_key_that_ended_long_ago_is_forgotten_in_memory_too() {
    let stage = Stage::ready().await;
    let listed = async || stage.get("/v1/keys").send().await.json()["data"].clone();
    let put = |byte: u8, ends: Timestamp| {
        let key = ApiKey {
            id: ApiKeyId::from_bytes([byte; 16]),
            hash: [byte; 32],
            name: format!("{byte}"),
            environment: stage.app.directory.environment_by_slug("prod").map(|prod| prod.no),
            tenant: None,
            scopes: vec![Scope::Read],
            rate: None,
            created_at: ends,
            expires_at: Some(ends),
            last_used_at: None,
        };
        stage.app.directory.apply(AccountChange::CreateKey(key), AccountChanged::Created(0));
    };
    let now = stage.app.now();
    put(1, now - ApiKey::LISTED_AFTER_END);
    put(2, now - ApiKey::LISTED_AFTER_END + Duration::from_secs(60));
    assert_eq!(listed().await.as_array().map(Vec::len), Some(2));
    key_uses::keep(&stage.app).await.expect("kept");
    let left = listed().await;
    assert_eq!((&left[0]["name"], &left[0]["state"]), (&json!("2"), &json!("expired")));
    assert!(left[1].is_null(), "{left}");
}

#[tokio::test]
async fn a_given_admin_key_opens_the_instance_or_is_refused() {
    let stage = Stage::ready().await;
    let ensure = async |text: &str| {
        let given = SecretText::new(text);
        ensure_admin_key(&*stage.app.store, Some(&given), &SystemClock, &OsEntropy).await
    };
    let names = async || {
        let keys = stage.app.store.accounts().await.expect("accounts").keys;
        keys.iter().map(|key| key.name.clone()).collect::<Vec<_>>()
    };
    let tenants = stage.key(bound("acme")).await;
    let own = json!({"name": "ANGARIUM_ADMIN_KEY", "tenant": "acme", "scopes": ["read"]});
    stage.key(own).await;
    assert!(matches!(ensure(&tenants).await, Err(AdminKeyError::NotAdmin)));
    assert!(matches!(ensure("another").await, Ok(None)));
    let left = names().await;
    let given = left.iter().filter(|name| *name == "ANGARIUM_ADMIN_KEY").count();
    assert_eq!(given, 2, "the new one, and a tenant's that only has the name: {left:?}");
    assert!(matches!(ensure(super::stage::ADMIN).await, Err(AdminKeyError::Revoked)));
    assert_eq!(names().await, left, "what is refused revokes nothing");
}
