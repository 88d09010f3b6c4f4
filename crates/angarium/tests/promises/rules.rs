//! What an endpoint may be is the contract's word: who may have one, how many, of which types, with
//! which texts, and at which URL. And keys that age.

use crate::publishing::verify_standard;
use crate::support::client::Api;
use crate::support::eventually;
use crate::support::message::Message;
use crate::support::receiver::{Receiver, Reply};
use crate::support::shop::{Shop, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);
/// Long enough for what must not happen to happen.
const QUIET: Duration = Duration::from_millis(1500);
const AIOKA: &str = "https://hooks.example.com/aioka";
const VALIDATION_KEY: &str = "x-anduin-webhook-validation-key";

/// A contract with short times: a URL proves itself within a second, keys live one.
const BRISK: &str = r#"
contract = "brisk"
title = "Brisk"
[events."a.b"]
description = "It happened."
example = {}
[request]
body = { type = "{event.type}", data = "{event.data}" }
[[request.signature]]
header = "x-signature"
algorithm = "hmac-sha256"
content = "{body}"
value = "{hex}"
key = { encoding = "hex", use = "text", bytes = 32 }
[keys]
scope = "tenant"
priors = 2
rotate_every = "1s"
[delivery]
timeout = "1s"
retries = []
[endpoint]
schemes = ["http"]
validation = { method = "GET", header = "x-proof", status = 200, timeout = "1s" }
"#;

/// An environment of its own for a contract, with the tenant `acme`.
fn environment(shop: &Shop, contract: &str, tenant: &Value) -> Api {
    let body = json!({"slug": contract, "title": contract, "contracts": [contract]});
    shop.api.post("/v1/environments", &body).expect(201);
    let api = shop.server.admin().with("angarium-environment", contract);
    api.put("/v1/tenants/acme", tenant).expect(201);
    api
}

/// A key of the tenant `acme`, for the calls of its own people.
fn tenant_key(api: &Api, environment: &str) -> Api {
    let body = json!({"name": "k", "environment": environment, "tenant": "acme",
        "scopes": ["publish", "manage", "read"]});
    let made = api.post("/v1/keys", &body).expect(201);
    Api::new(&api.address, text(&made, "key"))
}

fn create(api: &Api, body: &Value) -> crate::support::client::Answer {
    api.post("/v1/tenants/acme/endpoints", body)
}

/// A server with the contract [`BRISK`], which lives as long as the folder.
fn brisk_shop() -> (Shop, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("brisk.toml"), BRISK).expect("the contract is written");
    let directory = folder.path().display().to_string();
    let shop = Shop::open_with(|start| start.argument("--contracts").argument(&directory));
    (shop, folder)
}

#[test]
fn a_tenant_below_the_contract_s_plan_has_no_endpoints() {
    let shop = Shop::open();
    let api = environment(&shop, "aioka", &json!({}));
    let body = json!({"url": AIOKA, "types": ["verdict.new"]});
    let refused = create(&api, &body);
    assert_eq!((refused.status, refused.code()), (403, "plan_required"), "{}", refused.body);
    for (plan, status) in [("free", 403), ("basic", 201), ("enterprise", 201)] {
        api.put("/v1/tenants/acme", &json!({"plan": plan})).expect(200);
        assert_eq!(create(&api, &body).status, status, "{plan}");
    }
    let unknown = api.put("/v1/tenants/acme", &json!({"plan": "gold"}));
    assert_eq!((unknown.status, unknown.field()), (422, Some("plan")));
    let message = text(&unknown.body, "detail");
    assert!(message.contains("free, basic, pro, enterprise"), "{message}");
    // Where no contract names plans, they are the platform's own words.
    shop.api.put("/v1/tenants/acme", &json!({"plan": "gold"})).expect(200);
}

#[test]
fn one_key_makes_as_many_endpoints_as_the_contract_says_however_many_calls_come_at_once() {
    let shop = Shop::open();
    let api = environment(&shop, "aioka", &json!({"plan": "basic"}));
    let key = tenant_key(&shop.api, "aioka");
    let body = json!({"url": AIOKA, "types": ["verdict.new"]});
    let answers: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..20).map(|_| scope.spawn(|| create(&key, &body))).collect();
        calls.into_iter().map(|call| call.join().expect("an answer")).collect()
    });
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == 201);
    assert_eq!(made.len(), 5);
    for answer in refused {
        assert_eq!((answer.status, answer.code()), (409, "too_many_endpoints"), "{}", answer.body);
        assert!(text(&answer.body, "detail").contains('5'), "{}", answer.body);
    }
    assert_eq!(key.list("/v1/endpoints").len(), 5);
    // Each key for itself; the platform's own keys are not counted.
    let other = tenant_key(&shop.api, "aioka");
    create(&other, &body).expect(201);
    for _ in 0..6 {
        create(&api, &body).expect(201);
    }
    let id = text(&made[0].body, "id");
    assert_eq!(key.delete(&format!("/v1/endpoints/{id}")).status, 204);
    create(&key, &body).expect(201);
    assert_eq!(create(&key, &body).status, 409);
}

#[test]
fn a_subscription_names_only_types_that_there_are() {
    let shop = Shop::open();
    let api = environment(&shop, "aioka", &json!({"plan": "pro"}));
    let subscribed = |types: Value| create(&api, &json!({"url": AIOKA, "types": types}));
    for (types, field) in [
        (json!(["verdict.old"]), "types[0]"),
        (json!(["verdict.*", "verdicts.*"]), "types[1]"),
        (json!(["own.thing"]), "types[0]"),
    ] {
        let answer = subscribed(types.clone());
        assert_eq!(answer.code(), "invalid_subscription", "{}", answer.body);
        assert_eq!((answer.status, answer.field()), (422, Some(field)), "{types}");
        let named = types.as_array().and_then(|types| types.last()).and_then(Value::as_str);
        let detail = text(&answer.body, "detail");
        assert!(detail.contains(named.expect("a type")), "{detail}");
    }
    let own = json!({"description": "Our own."});
    api.put("/v1/event-types/own.thing", &own).expect(200);
    let made = subscribed(json!(["*", "verdict.*", "own.thing", "own.*"])).expect(201);
    let path = format!("/v1/endpoints/{}", text(&made, "id"));
    let answer = api.patch(&path, &json!({"types": ["verdict.new", "nothing"]}));
    assert_eq!((answer.status, answer.field()), (422, Some("types[1]")));
    assert_eq!(api.get(&path).expect(200)["types"], made["types"]);
    // Under a contract without that rule any type may come one day.
    shop.endpoint(&json!({"url": AIOKA, "types": ["whatever"]}));
}

#[test]
fn texts_hold_at_the_contract_s_limit_and_are_refused_one_past_it() {
    let shop = Shop::open();
    let api = environment(&shop, "alumia", &json!({}));
    let body = |name: Value, description: usize| {
        json!({"url": "https://hooks.example.com/", "types": ["*"], "name": name,
            "description": "ü".repeat(description)})
    };
    let rows = [
        (Value::Null, 0, Some("name")),
        (json!(""), 0, Some("name")),
        (json!("n"), 0, None),
        (json!("ü".repeat(120)), 2_000, None),
        (json!("ü".repeat(121)), 2_000, Some("name")),
        (json!("n"), 2_001, Some("description")),
    ];
    for (name, description, field) in rows {
        let answer = create(&api, &body(name.clone(), description));
        let code = field.map_or("", |_| "invalid_field");
        assert_eq!((answer.field(), answer.code()), (field, code), "{name} {description}");
        assert_eq!(answer.status == 201, field.is_none(), "{}", answer.body);
    }
    let made = create(&api, &body(json!("Orders"), 5)).expect(201);
    let path = format!("/v1/endpoints/{}", text(&made, "id"));
    assert_eq!(api.patch(&path, &json!({"name": null})).field(), Some("name"));
    assert_eq!(api.patch(&path, &json!({"name": "Bills"})).expect(200)["name"], "Bills");
    // Where the contract says nothing, a name may be there or not.
    let plain = shop.endpoint(&json!({"url": "https://hooks.example.com/", "types": ["*"]}));
    assert_eq!(plain["name"], Value::Null);
}

#[test]
fn a_url_that_echoes_the_key_is_accepted_and_gets_a_new_key_each_time() {
    let receiver = Receiver::scripted(|_| Reply::Echo(VALIDATION_KEY.into()));
    let shop = Shop::open();
    let api = environment(&shop, "anduin-legacy", &json!({}));
    let body = json!({
        "url": receiver.url("/hook?a=1"), "types": ["*"], "headers": {"x-own": "mine"},
        "auth": {"type": "query", "name": "key", "value": "secret"},
    });
    let made = create(&api, &body).expect(201);
    create(&api, &body).expect(201);
    let seen = receiver.seen();
    let keys: BTreeSet<_> = seen.iter().filter_map(|r| r.header(VALIDATION_KEY)).collect();
    assert_eq!((seen.len(), keys.len()), (2, 2));
    assert!(keys.iter().all(|key| key.len() == 64), "{keys:?}");
    assert_eq!(seen[0].first_line, "GET /hook?a=1&key=secret HTTP/1.1");
    assert_eq!(seen[0].header("x-own"), Some("mine"));
    assert!(seen[0].body.is_empty());

    // Switching it off and on, and any change but of the URL, asks nothing of the receiver.
    let path = format!("/v1/endpoints/{}", text(&made, "id"));
    for step in ["disable", "enable", "pause", "resume"] {
        api.post(&format!("{path}/{step}"), &json!({})).expect(200);
    }
    let same = json!({"url": receiver.url("/hook?a=1"), "description": "d", "status": "active"});
    api.patch(&path, &same).expect(200);
    assert_eq!(receiver.count(), 2);
    api.patch(&path, &json!({"url": receiver.url("/other")})).expect(200);
    assert_eq!(receiver.count(), 3);
}

#[test]
fn a_url_that_does_not_echo_the_key_is_refused_and_nothing_is_changed() {
    let kind = Receiver::scripted(|_| Reply::Echo("x-proof".into()));
    let elsewhere = kind.url("/");
    let receiver = Receiver::scripted(move |request| {
        let key = request.header("x-proof").unwrap_or_default();
        let echoed = |status| Reply::Headed(status, format!("x-proof: {key}\r\n"));
        match request.first_line.split(' ').nth(1).unwrap_or_default() {
            "/created" => echoed(201),
            "/broken" => echoed(500),
            "/silent" => Reply::Status(200),
            "/wrong" => Reply::Headed(200, "x-proof: another\r\n".into()),
            "/both" => Reply::Headed(200, format!("x-proof: {key}\r\nx-proof: another\r\n")),
            "/elsewhere" => {
                Reply::Headed(302, format!("location: {elsewhere}\r\nx-proof: {key}\r\n"))
            }
            "/late" => Reply::Late(Duration::from_secs(3), 200),
            _ => Reply::HangUp,
        }
    });
    let (shop, _folder) = brisk_shop();
    let api = environment(&shop, "brisk", &json!({}));
    let made = create(&api, &json!({"url": kind.url("/"), "types": ["*"]})).expect(201);
    let path = format!("/v1/endpoints/{}", text(&made, "id"));
    assert_eq!(kind.count(), 1);
    let rows = [
        ("/created", "201"),
        ("/broken", "500"),
        ("/silent", "no header x-proof"),
        ("/wrong", "not the one that was sent"),
        ("/both", "not the one that was sent"),
        ("/elsewhere", "302"),
        ("/late", "no answer in time"),
        ("/nobody", "closed"),
    ];
    for (at, said) in rows {
        let body = json!({"url": receiver.url(at), "types": ["*"]});
        let change = json!({"url": receiver.url(at), "description": "changed"});
        for answer in [create(&api, &body), api.patch(&path, &change)] {
            assert_eq!((answer.status, answer.code()), (422, "validation_failed"), "{at}");
            assert_eq!(answer.field(), Some("url"), "{at}");
            assert!(text(&answer.body, "detail").contains(said), "{at}: {}", answer.body);
        }
    }
    assert_eq!(receiver.count(), 2 * rows.len(), "one request each, and none repeated");
    assert_eq!(kind.count(), 1, "no redirect is followed");
    let left = api.list("/v1/endpoints");
    assert_eq!((left.len(), &left[0]["url"]), (1, &made["url"]));
    assert_eq!(left[0]["description"], Value::Null);
}

#[test]
fn a_receiver_that_thinks_about_its_validation_keeps_nobody_else_waiting() {
    let kind = Receiver::scripted(|_| Reply::Echo(VALIDATION_KEY.into()));
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let slow = Receiver::scripted(move |_| {
        let _ = gate.lock().expect("not poisoned").recv_timeout(SOON);
        Reply::Echo(VALIDATION_KEY.into())
    });
    let shop = Shop::open();
    let api = environment(&shop, "anduin-legacy", &json!({}));
    let made = create(&api, &json!({"url": kind.url("/"), "types": ["*"]})).expect(201);
    let path = format!("/v1/endpoints/{}", text(&made, "id"));
    std::thread::scope(|scope| {
        let moved = scope.spawn(|| api.patch(&path, &json!({"url": slow.url("/")})));
        slow.wait_for(1, SOON);
        // The same endpoint, and another one of the same tenant.
        api.patch(&path, &json!({"description": "meanwhile"})).expect(200);
        create(&api, &json!({"url": kind.url("/two"), "types": ["*"]})).expect(201);
        release.send(()).expect("the receiver waits");
        moved.join().expect("an answer").expect(200);
    });
    let left = api.get(&path).expect(200);
    assert_eq!(text(&left, "url"), slow.url("/"));
    assert_eq!(left["description"], "meanwhile");
}

#[test]
fn a_test_event_goes_to_its_endpoint_alone_signed_and_retried_as_a_real_one() {
    let tries = AtomicUsize::new(0);
    let tried = Receiver::scripted(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Status(500),
        _ => Reply::Status(200),
    });
    let bystander = Receiver::kind();
    let shop = Shop::open();
    shop.endpoint_for_all(&bystander.url("/"), &[]);
    let delivery = json!({"retries": ["100ms"]});
    let endpoint = json!({"url": tried.url("/"), "types": ["order.*"], "delivery": delivery});
    let made = shop.endpoint(&endpoint);
    let path = format!("/v1/endpoints/{}/test", text(&made, "id"));
    let accepted = shop.api.post(&path, &json!({})).expect(202);
    assert_eq!((&accepted["endpoints"], &accepted["duplicate"]), (&json!(1), &json!(false)));
    let delivered = shop.wait_for_state(text(&accepted, "id"), "delivered");
    assert_eq!(delivered["attempts"].as_array().map(Vec::len), Some(2));
    let seen = tried.wait_for(2, SOON);
    for request in &seen {
        verify_standard(request, text(&made, "secret"));
        assert_eq!(request.header("webhook-id"), accepted["id"].as_str());
    }
    let body = |request: &Message| -> Value {
        serde_json::from_slice(&request.body).expect("a body of JSON")
    };
    let sent = body(&seen[0]);
    assert_eq!((&sent["type"], &sent["data"]), (&json!("order.test"), &json!({})));

    // The environment's own type is better than one that is made up, and its example comes along.
    let own = json!({"description": "Paid.", "example": {"order": 17}});
    shop.api.put("/v1/event-types/order.paid", &own).expect(200);
    shop.api.post(&path, &json!({})).expect(202);
    let sent = body(&tried.wait_for(3, SOON)[2]);
    assert_eq!((&sent["type"], &sent["data"]), (&json!("order.paid"), &json!({"order": 17})));

    // A type that it does not ask for is sent too, the data byte for byte.
    let given = br#"{"type":"other.thing","data":{ "n": 1.10 }}"#;
    shop.api.call("POST", &path, Some(given)).expect(202);
    let raw = String::from_utf8(tried.wait_for(4, SOON)[3].body.clone()).expect("text");
    assert!(raw.contains(r#""type":"other.thing""#) && raw.contains(r#"{ "n": 1.10 }"#), "{raw}");
    std::thread::sleep(QUIET);
    assert_eq!((tried.count(), bystander.count()), (4, 0));
}

#[test]
fn a_test_call_is_refused_by_its_member_and_done_once_under_one_idempotency_key() {
    let receiver = Receiver::kind();
    let shop = Shop::open();
    let made = shop.endpoint_for_all(&receiver.url("/"), &[]);
    let path = format!("/v1/endpoints/{}/test", text(&made, "id"));
    let guarded = shop.api.with("idempotency-key", "once");
    let first = guarded.post(&path, &json!({})).expect(202);
    let again = guarded.post(&path, &json!({}));
    assert_eq!(again.message.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.expect(202), first);
    shop.wait_for_state(text(&first, "id"), "delivered");
    assert_eq!(receiver.count(), 1);

    let bad = shop.api.post(&path, &json!({"type": "a b"}));
    assert_eq!((bad.status, bad.field()), (422, Some("type")));
    let unknown = "/v1/endpoints/ep_01kcq0a3f7e8vb6k2m4n5p6q7r/test";
    assert_eq!(shop.api.post(unknown, &json!({})).status, 404);
    shop.tenant("other");
    let key = json!({"name": "k", "environment": "shop", "tenant": "other", "scopes": ["manage"]});
    let key = shop.api.post("/v1/keys", &key).expect(201);
    let other = Api::new(&shop.server.address, text(&key, "key"));
    assert_eq!(other.post(&path, &json!({})).status, 404);

    let aioka = environment(&shop, "aioka", &json!({"plan": "basic"}));
    let made = create(&aioka, &json!({"url": AIOKA, "types": ["*"]})).expect(201);
    let path = format!("/v1/endpoints/{}/test", text(&made, "id"));
    let none = aioka.post(&path, &json!({"type": "verdict.old"}));
    assert_eq!((none.status, none.code(), none.field()), (422, "invalid_event_type", Some("type")));
}

#[test]
fn a_key_that_has_come_of_age_is_rotated_by_itself_and_its_priors_stay_known() {
    let seen: Arc<Mutex<Vec<Message>>> = Arc::default();
    let record = seen.clone();
    let receiver = Receiver::scripted(move |request| {
        if request.header("x-signature").is_some() {
            record.lock().expect("not poisoned").push(request.clone());
        }
        Reply::Echo("x-proof".into())
    });
    let (shop, _folder) = brisk_shop();
    let api = environment(&shop, "brisk", &json!({}));
    create(&api, &json!({"url": receiver.url("/"), "types": ["*"]})).expect(201);
    let (mut known, mut secrets) = (Vec::new(), BTreeSet::new());
    eventually("five keys, one after the other", SOON, || {
        known = api.list("/v1/tenants/acme/signing-keys");
        assert!((1..=3).contains(&known.len()), "the current key and two priors: {known:?}");
        secrets.extend(known.iter().map(|key| text(key, "secret").to_owned()));
        secrets.len() >= 5
    });
    let statuses: Vec<_> = known.iter().map(|key| text(key, "status")).collect();
    assert_eq!(statuses, ["active", "retired", "retired"]);
    assert!(known.windows(2).all(|pair| pair[0]["created_at"] == pair[1]["retired_at"]));

    api.post("/v1/events", &json!({"tenant": "acme", "type": "a.b", "data": {}})).expect(202);
    eventually("the delivery", SOON, || !seen.lock().expect("not poisoned").is_empty());
    secrets.extend(
        api.list("/v1/tenants/acme/signing-keys").iter().map(|k| text(k, "secret").to_owned()),
    );
    let request = seen.lock().expect("not poisoned")[0].clone();
    let signs = |secret: &String| {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
        let tag = aws_lc_rs::hmac::sign(&key, &request.body);
        request.header("x-signature") == Some(hex::encode(tag).as_str())
    };
    assert_eq!(secrets.iter().filter(|secret| signs(secret)).count(), 1);
    // A key of a contract that says nothing of age stays.
    let standing = shop.api.list("/v1/tenants/acme/signing-keys");
    assert_eq!(standing, Vec::<Value>::new());
}
