//! The audit log (reliability-security.md, P7): who changed what, for every call that changes
//! something, without a secret; and whatever is done to the log is found.

mod calls;
mod tampering;

use crate::support::client::Api;
use crate::support::eventually;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::Start;
use crate::support::shop::{Shop, text};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// The log as it is exported, each line as it came.
fn export(api: &Api) -> Vec<String> {
    let answer = api.get("/v1/audit/export");
    assert_eq!(answer.message.header("content-type"), Some("application/x-ndjson"));
    let lines = String::from_utf8(answer.message.body).expect("text");
    lines.lines().map(str::to_owned).collect()
}

fn entry(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))
}

/// What was done to what, oldest first.
fn deeds(api: &Api) -> Vec<String> {
    let told = |line: &String| {
        let entry = entry(line);
        format!("{} {}", text(&entry, "action"), text(&entry["object"], "id"))
    };
    export(api).iter().map(told).collect()
}

#[test]
fn each_key_sees_what_lies_within_its_bounds() {
    let shop = Shop::open();
    let other = json!({"slug": "other", "contracts": ["standard"]});
    let instance = shop.server.admin();
    instance.post("/v1/environments", &other).expect(201);
    shop.tenant("globex");
    let key = |body: &Value| {
        let made = shop.api.post("/v1/keys", body).expect(201);
        Api::new(&shop.server.address, text(&made, "key"))
    };
    let of_shop = key(&json!({"name": "shop", "scopes": ["read"]}));
    let of_acme = key(&json!({"name": "acme", "tenant": "acme", "scopes": ["read"]}));
    let publisher = key(&json!({"name": "publisher", "tenant": "acme", "scopes": ["publish"]}));
    let endpoint = shop.endpoint(&json!({"url": "http://127.0.0.1:9443/", "types": ["*"]}));
    let listed = |api: &Api, query: &str| -> Vec<(String, String)> {
        let entries = api.list(&format!("/v1/audit{query}"));
        let told = |entry: &Value| {
            let tenant = entry["tenant"].as_str().unwrap_or_default();
            (text(entry, "action").to_owned(), tenant.to_owned())
        };
        entries.iter().map(told).collect()
    };
    let whole = listed(&instance, "");
    assert_eq!(whole.last(), Some(&("key.create".into(), String::new())), "the admin's own");
    let environments = whole.iter().filter(|(action, _)| action == "environment.create");
    assert_eq!(environments.count(), 2);
    let inside = listed(&of_shop, "");
    assert_eq!(inside, listed(&shop.api, ""), "an admin who names the environment");
    assert_eq!(inside.iter().filter(|(action, _)| action == "environment.create").count(), 1);
    let own = listed(&of_acme, "");
    assert!(own.iter().all(|(_, tenant)| tenant == "acme"), "{own:?}");
    assert_eq!(own, listed(&shop.api, "?tenant=acme"));
    assert!(listed(&of_acme, "?tenant=globex").is_empty());
    let made = listed(&of_acme, &format!("?object={}", text(&endpoint, "id")));
    assert_eq!(made, [("endpoint.create".into(), "acme".into())]);
    assert_eq!(export(&of_acme).len(), own.len());
    for partly in [&of_shop, &of_acme, &shop.api] {
        assert_eq!(partly.get("/v1/audit").expect(200)["head"], Value::Null);
    }
    let head = instance.get("/v1/audit?limit=1").expect(200);
    assert_eq!(head["head"]["no"], head["data"][0]["no"]);
    assert_eq!(head["head"]["hash"], head["data"][0]["hash"]);
    for path in ["/v1/audit", "/v1/audit/export"] {
        assert_eq!(publisher.get(path).status, 403, "{path}");
        assert_eq!(shop.api.without("authorization").get(path).status, 401, "{path}");
    }
    for (path, field) in [
        ("/v1/audit?action=endpoint.fly", "action"),
        ("/v1/audit?after=yesterday", "after"),
        ("/v1/audit/export?from=0", "from"),
    ] {
        let refused = shop.api.get(path);
        assert_eq!((refused.status, refused.field()), (400, Some(field)), "{path}");
    }
}

#[test]
fn what_the_server_does_by_itself_is_told_too() {
    let shop = Shop::open();
    let gone = Receiver::scripted(|_| Reply::Status(410));
    let endpoint = shop.endpoint_for_all(&gone.url("/"), &["1s"]);
    shop.publish("a", &json!({}));
    let path = format!("/v1/audit?action=endpoint.disable&object={}", text(&endpoint, "id"));
    eventually("it is disabled, and that is told", SOON, || !shop.api.list(&path).is_empty());
    let told = shop.api.list(&path).remove(0);
    assert_eq!(told["actor"], json!({"id": "server", "name": null}));
    assert_eq!((&told["environment"], &told["tenant"]), (&json!("shop"), &json!("acme")));
    assert_eq!(told["address"], Value::Null);
    let changes = told["changes"].as_array().expect("changes");
    let status = json!({"member": "status", "old": "active", "new": "disabled"});
    assert!(changes.contains(&status), "{told}");
}

#[test]
fn an_entry_says_who_and_from_where_as_far_as_a_trusted_proxy_tells() {
    let trusting = |start: Start| start.argument("--trusted-proxy=127.0.0.0/8");
    for (shop, address) in
        [(Shop::open(), "127.0.0.1"), (Shop::open_with(trusting), "198.51.100.7")]
    {
        let key = json!({"name": "deployer", "scopes": ["manage"]});
        let made = shop.api.post("/v1/keys", &key).expect(201);
        let caller = Api::new(&shop.server.address, text(&made, "key"));
        let caller = caller
            .with("x-forwarded-for", "203.0.113.9, 198.51.100.7")
            .with("x-request-id", "r-17");
        caller.patch("/v1/tenants/acme", &json!({"name": "Acme"})).expect(200);
        let told = shop.api.get("/v1/audit?limit=1").expect(200)["data"][0].clone();
        let actor = json!({"id": text(&made, "id"), "name": "deployer"});
        assert_eq!((&told["actor"], &told["request"]), (&actor, &json!("r-17")));
        assert_eq!(told["address"], json!(address));
        let name = json!([{"member": "name", "old": null, "new": "Acme"}]);
        assert_eq!((&told["action"], &told["changes"]), (&json!("tenant.update"), &name));
    }
}

#[test]
fn publishing_leaves_no_entry() {
    let shop = Shop::open();
    let receiver = Receiver::kind();
    let endpoint = shop.endpoint_for_all(&receiver.url("/"), &[]);
    let instance = shop.server.admin();
    let before = export(&instance);
    let event = json!({"tenant": "acme", "type": "a", "data": 1});
    shop.try_publish(&event).expect(202);
    shop.api.post("/v1/events/batch", &json!({"events": [event, event]})).expect(202);
    shop.api.post("/v1/explain", &event).expect(200);
    let test = format!("/v1/endpoints/{}/test", text(&endpoint, "id"));
    shop.api.post(&test, &json!({})).expect(202);
    receiver.wait_for(4, SOON);
    assert_eq!(export(&instance), before);
}
