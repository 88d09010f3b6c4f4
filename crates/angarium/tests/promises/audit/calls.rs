//! Every call that changes something leaves its entry, and no other call does.

use super::{deeds, entry, export};
use crate::support::client::Api;
use crate::support::figure;
use crate::support::receiver::{Receiver, Reply};
use crate::support::shop::{Shop, text};
use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// What no entry may hold, wherever it was given.
const CANARY: &str = "canary-5d41402abc4b2a76b9719d911017c592";

/// Calls with a body that change nothing but by publishing.
const NOT_AUDITED: &[&str] = &[
    "POST /v1/events",
    "POST /v1/events/batch",
    "POST /v1/endpoints/{id}/test",
    "POST /v1/explain",
    "POST /v1/verify",
];

/// Calls that need another contract: one that signs with a tenant's key, which is below; and one
/// that holds lanes (`verdicts.rs`).
const SHOWN_ELSEWHERE: &[&str] =
    &["POST /v1/tenants/{tenant}/signing-keys/rotate", "POST /v1/deliveries/{id}/skip"];

/// Makes calls, and holds each against the entries that it leaves.
struct Auditor<'a> {
    shop: &'a Shop,
    made: BTreeSet<String>,
}

impl Auditor<'_> {
    /// Makes a call whose path has its ids in braces, `{id=ep_1}`; its last entry must be of this
    /// action.
    fn call(&mut self, method: &str, path: &str, body: &Value, action: &str) -> Value {
        let (mut called, mut described) = (String::new(), String::new());
        for (nth, part) in path.split(['{', '}']).enumerate() {
            match part.split_once('=').filter(|_| nth % 2 == 1) {
                Some((name, value)) => {
                    called.push_str(value);
                    described.push_str(&format!("{{{name}}}"));
                }
                None => [&mut called, &mut described].into_iter().for_each(|to| to.push_str(part)),
            }
        }
        let before = export(&self.shop.api).len();
        let answer = self.shop.api.call(method, &called, Some(body.to_string().as_bytes()));
        assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.body);
        let lines = export(&self.shop.api);
        let last = entry(lines.last().expect("an entry"));
        assert!(lines.len() > before, "{method} {path} left none");
        assert_eq!(text(&last, "action"), action, "{method} {path}: {last}");
        self.made.insert(format!("{method} {described}"));
        answer.body
    }
}

#[test]
fn every_call_that_changes_something_leaves_its_entry_without_a_secret() {
    let status = Arc::new(AtomicU16::new(500));
    let says = Arc::clone(&status);
    let receiver = Receiver::scripted(move |_| Reply::Status(says.load(Ordering::SeqCst)));
    let shop = Shop::open();
    let none = json!({});
    let mut all = Auditor { shop: &shop, made: BTreeSet::new() };
    let environment = json!({"slug": "other", "contracts": ["standard"]});
    // It is made in another environment than that of the list, which shows its own.
    let instance = shop.server.admin();
    instance.post("/v1/environments", &environment).expect(201);
    assert!(deeds(&instance).contains(&"environment.create other".into()));
    instance.delete("/v1/environments/other").expect(204);
    assert_eq!(deeds(&instance).last().map(String::as_str), Some("environment.delete other"));
    all.made.extend(["POST /v1/environments", "DELETE /v1/environments/{slug}"].map(String::from));
    encryption(&mut all, &instance);
    let title = json!({"title": "A shop"});
    all.call("PATCH", "/v1/environments/{slug=shop}", &title, "environment.update");
    all.call("PUT", "/v1/tenants/{tenant=globex}", &none, "tenant.create");
    all.call(
        "PUT",
        "/v1/tenants/{tenant=globex}",
        &json!({"plan": null, "name": "Globex"}),
        "tenant.update",
    );
    let entries = export(&instance).len();
    shop.api.put("/v1/tenants/globex", &json!({"name": "Globex"})).expect(200);
    assert_eq!(export(&instance).len(), entries, "what changes nothing leaves nothing");
    all.call("PATCH", "/v1/tenants/{tenant=globex}", &json!({"name": "G"}), "tenant.update");
    all.call("DELETE", "/v1/tenants/{tenant=globex}", &none, "tenant.delete");
    let kind = json!({"description": "it is paid"});
    all.call("PUT", "/v1/event-types/{type=order.paid}", &kind, "event_type.put");
    let key = all.call("POST", "/v1/keys", &json!({"name": "k", "scopes": ["read"]}), "key.create");
    let (id, key) = (text(&key, "id"), text(&key, "key").to_owned());
    all.call("DELETE", &format!("/v1/keys/{{id={id}}}"), &none, "key.revoke");
    let endpoint = endpoints(&mut all, &receiver);
    sources(&mut all);
    deliveries(&mut all, &endpoint, &status);
    all.call("DELETE", &format!("/v1/endpoints/{{id={endpoint}}}"), &none, "endpoint.delete");
    assert_eq!(all.made, described(&shop), "each call of the document is tried here");
    figure(format_args!("{} calls that change something, each with its entry", all.made.len()));
    let told = export(&instance).join("\n");
    assert!(!told.contains(CANARY) && !told.contains(&key), "a secret is in the log");
    assert!(told.contains(r#"{"member":"auth"}"#) && told.contains(r#"{"member":"secret"}"#));
}

/// Every call of the document that changes something.
fn described(shop: &Shop) -> BTreeSet<String> {
    let document = shop.api.get("/openapi.json").expect(200);
    let paths = document["paths"].as_object().expect("paths");
    let calls =
        paths.iter().filter(|(path, _)| path.starts_with("/v1/")).flat_map(|(path, item)| {
            let methods = item.as_object().expect("methods").keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        });
    let elsewhere = |call: &str| NOT_AUDITED.contains(&call) || SHOWN_ELSEWHERE.contains(&call);
    calls.filter(|call| !call.starts_with("GET ") && !elsewhere(call)).collect()
}

/// Of the instance, too.
fn encryption(all: &mut Auditor<'_>, instance: &Api) {
    let next = base64::engine::general_purpose::STANDARD.encode([7; 32]);
    std::fs::write(all.shop.data().join("master.key.next"), next).expect("written");
    let calls = [
        ("/v1/encryption/rotate-data-keys", json!({"all": true}), "encryption.rotate_data all"),
        ("/v1/encryption/rotate-master-key", json!({}), "encryption.rotate_master "),
    ];
    for (path, body, told) in calls {
        assert!((200..300).contains(&instance.post(path, &body).status), "{path}");
        let last = deeds(instance).pop().expect("an entry");
        assert!(last.starts_with(told), "{last}");
        all.made.insert(format!("POST {path}"));
    }
}

fn endpoints(all: &mut Auditor<'_>, receiver: &Receiver) -> String {
    let new = json!({
        "url": receiver.url("/"), "types": ["*"], "delivery": {"retries": ["1h"]},
        "headers": {"x-key": CANARY}, "auth": {"type": "bearer", "token": CANARY},
    });
    let made = all.call("POST", "/v1/tenants/{tenant=acme}/endpoints", &new, "endpoint.create");
    let id = text(&made, "id").to_owned();
    let path = format!("/v1/endpoints/{{id={id}}}");
    let auth = json!({"auth": {"type": "basic", "username": "u", "password": CANARY}});
    all.call("PATCH", &path, &auth, "endpoint.update");
    for (step, action) in [
        ("pause", "endpoint.pause"),
        ("resume", "endpoint.resume"),
        ("disable", "endpoint.disable"),
        ("enable", "endpoint.enable"),
        ("rotate-secret", "endpoint.rotate"),
    ] {
        all.call("POST", &format!("{path}/{step}"), &json!({}), action);
    }
    id
}

fn sources(all: &mut Auditor<'_>) {
    let new = json!({"name": "github", "scheme": "github", "secret": CANARY});
    let made = all.call("POST", "/v1/tenants/{tenant=acme}/sources", &new, "source.create");
    let path = format!("/v1/sources/{{id={}}}", text(&made, "id"));
    all.call("PATCH", &path, &json!({"description": "code"}), "source.update");
    all.call("POST", &format!("{path}/rotate-secret"), &json!({"secret": CANARY}), "source.rotate");
    all.call("DELETE", &path, &json!({}), "source.delete");
}

/// What is done with deliveries: those that wait are cancelled, then delivered anew.
fn deliveries(all: &mut Auditor<'_>, endpoint: &str, status: &AtomicU16) {
    let mut events = Vec::new();
    for _ in 0..3 {
        let event = all.shop.publish("a", &json!({}));
        let event = text(&event, "id").to_owned();
        crate::support::eventually("its first attempt", super::SOON, || {
            all.shop.deliveries(&event).first().is_some_and(|delivery| delivery["attempts"] == 1)
        });
        let waiting = all.shop.wait_for_state(&event, "pending");
        let path = format!("/v1/deliveries/{{id={}}}", text(&waiting, "id"));
        all.call("POST", &format!("{path}/cancel"), &json!({}), "delivery.cancel");
        events.push((event, path));
    }
    status.store(200, Ordering::SeqCst);
    let slowly = json!({"since": "2026-01-01T00:00:00Z", "states": ["cancelled"], "rate": 1});
    let job = all.call("POST", "/v1/tenants/{tenant=acme}/recover", &slowly, "tenant.recover");
    let job = format!("/v1/jobs/{{id={}}}/cancel", text(&job, "id"));
    all.call("POST", &job, &json!({}), "job.cancel");
    let recover = format!("/v1/endpoints/{{id={endpoint}}}/recover");
    all.call("POST", &recover, &slowly, "endpoint.recover");
    let (event, delivery) = events.pop().expect("an event");
    all.call("POST", &format!("{delivery}/retry"), &json!({}), "delivery.retry");
    let replay = format!("/v1/events/{{id={event}}}/replay");
    all.call("POST", &replay, &json!({}), "event.replay");
    all.call("DELETE", &format!("/v1/events/{{id={event}}}"), &json!({}), "event.erase");
    let erasure = json!({"subject": CANARY});
    all.call("POST", "/v1/tenants/{tenant=acme}/erasures", &erasure, "tenant.erase");
}

#[test]
fn a_call_that_is_refused_leaves_no_entry_and_one_that_is_repeated_one() {
    let shop = Shop::open();
    let instance = shop.server.admin();
    let before = deeds(&instance);
    let nowhere = "/v1/endpoints/ep_01kcq0a3f7e8vb6k2m4n5p6q7r";
    shop.api.patch(nowhere, &json!({"url": "https://a.example"})).expect(404);
    shop.api.delete("/v1/tenants/angarium").expect(403);
    shop.api.put("/v1/tenants/acme", &json!({"plan": 7})).expect(422);
    let taken = json!({"slug": "shop", "contracts": ["standard"]});
    instance.post("/v1/environments", &taken).expect(409);
    assert_eq!(deeds(&instance), before);
    let guarded = shop.api.with("idempotency-key", "once");
    let url = json!({"url": "http://127.0.0.1:9443/", "types": ["*"]});
    let made = guarded.post("/v1/tenants/acme/endpoints", &url).expect(201);
    assert_eq!(guarded.post("/v1/tenants/acme/endpoints", &url).expect(201), made);
    let made = format!("endpoint.create {}", text(&made, "id"));
    assert_eq!(deeds(&instance)[before.len()..], [made]);
}

#[test]
fn a_contracts_calls_are_told_in_the_contracts_words() {
    let shop = Shop::open();
    let environment = json!({"slug": "aleta", "contracts": ["aleta"]});
    shop.server.admin().post("/v1/environments", &environment).expect(201);
    let admin = shop.server.admin().with("angarium-environment", "aleta");
    admin.put("/v1/tenants/acme", &json!({})).expect(201);
    let new = json!({"name": "acme", "tenant": "acme", "scopes": ["manage", "read"]});
    let key = admin.post("/v1/keys", &new).expect(201);
    let caller = Api::new(&shop.server.address, text(&key, "key"));
    let url = json!({"url": "http://127.0.0.1:9443/", "events": ["limit.breached"]});
    let before = deeds(&admin).len();
    let made = caller.post("/e/aleta/v2/webhooks", &url).expect(201);
    let path = format!("/e/aleta/v2/webhooks/{}", text(&made, "id"));
    caller.patch(&path, &json!({"status": "paused"})).expect(200);
    caller.delete(&path);
    let rotate = "/v1/tenants/acme/signing-keys/rotate";
    admin.post(rotate, &json!({})).expect(200);
    let told: Vec<_> = export(&admin)[before..].iter().map(|line| entry(line)).collect();
    let actions: Vec<_> = told.iter().map(|entry| text(entry, "action")).collect();
    let expected = ["endpoint.create", "endpoint.update", "endpoint.delete", "keys.rotate"];
    assert_eq!(actions, expected);
    assert_eq!(told[0]["actor"], json!({"id": text(&key, "id"), "name": "acme"}));
    assert_eq!(told[3]["object"], json!({"kind": "keys", "id": "aleta"}));
    assert_eq!(told[3]["changes"], json!([{"member": "secret"}]));
}
