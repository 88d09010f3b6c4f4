//! K1: a secret leaves only to who owns it and asks for it, or as a MAC. A secret of every kind is
//! put in, everything that can be done is done at trace level, and then every form of every secret
//! is looked for in all that anybody could get to see.

mod house;
pub(crate) mod secret;

use crate::badhost::host::BadHost;
use crate::support::client::Api;
use crate::support::figure;
use crate::support::proxy::{Kind, Proxy, USERNAME};
use crate::support::sender::hmac_sha256;
use crate::support::server::Server;
use crate::support::shop::text;
use house::House;
use serde_json::json;

#[test]
fn no_secret_of_any_kind_gets_anywhere_it_does_not_belong() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = folder.path().join("authority.pem");
    let host = BadHost::start(&authority);
    let mut house = House::open(&authority);
    let platform = json!({"slug": "shop", "title": "Shop", "contracts": ["standard", "aleta"]});
    house.admin_call("POST /v1/environments", &platform, 201);
    house.admin_call("PUT /v1/tenants/acme", &json!({}), 201);

    let endpoints = house.make_endpoints();
    keys(&mut house);
    let source = sources(&mut house);
    fail_at(&host, &mut house);
    house.keep_files("while it serves");
    mistakes(&mut house, &endpoints[0], &source);
    by_a_proxy(&mut house);
    rotations(&mut house, &endpoints[0], &source);
    house.end(Server::kill);
    house.start();
    look_at_everything(&mut house, &endpoints, &source);
    house.end(|server| assert!(server.stop().success()));
    house.keep_files("after a stop");
    house.keep_backup();
    for command in ["doctor", "config --explain"] {
        house.command(&command.split(' ').collect::<Vec<_>>());
    }
    house.start();

    house.keep_requests();
    let log = house.log();
    assert!(log.contains("TRACE"), "nothing was logged that could tell");
    house.keep("the log".into(), log.into_bytes(), &[]);
    let found = secret::search(&house.canaries, &house.places);
    let shown: usize = found.shown.values().sum();
    figure(format_args!(
        "{} secrets in {} forms, looked for in {} places with {} bytes: {} hits; {shown} where \
         they belong",
        found.kinds,
        found.forms,
        house.places.len(),
        found.bytes,
        found.hits.len(),
    ));
    for kind in ["password", "token", "value of a header", "value in the query", "custom header"] {
        assert!(found.shown.contains_key(kind), "no request carried the {kind}");
    }
    assert!(found.hits.is_empty(), "{:#?}", found.hits);
}

/// Keys of every reach, one of them in a form that a contract prints, and one that is wrong.
fn keys(house: &mut House) {
    let shows = |kind| [(kind, "/key")];
    let scopes = json!(["publish", "manage", "read"]);
    let key = json!({"name": "k", "environment": "shop", "scopes": scopes});
    house.revealing("POST /v1/keys", &key, &shows("key of the environment"));
    let key = json!({"name": "k", "tenant": "acme", "scopes": scopes});
    let made = house.revealing("POST /v1/keys", &key, &shows("key of the tenant"));
    let customer = house.as_key(text(&made, "key"));
    house.call(&customer, "GET /v1/endpoints", None, &[]).expect(200);
    let portal = json!({"name": "visit", "tenant": "acme", "scopes": ["portal"]});
    let made = house.revealing("POST /v1/keys", &portal, &shows("portal key"));
    let visitor = house.as_key(text(&made, "key"));
    house.call(&visitor, "GET /v1/endpoints", None, &[]).expect(200);
    let wrong = house.canaries.word("wrong key");
    let stranger = house.as_key(&wrong);
    house.call(&stranger, "GET /v1/events", None, &[]).expect(401);
    let nobody = Api { headers: vec![], ..stranger };
    house.call(&nobody, &format!("GET /v1/events?key={wrong}&token={wrong}"), None, &[]);
}

/// Sources whose secret was given, and handed over; requests that are genuine and forged.
fn sources(house: &mut House) -> String {
    let secret = house.canaries.word("source's secret");
    let source = json!({
        "name": "repository", "scheme": "github", "secret": secret,
        "forward_url": house.receiver.url("/forward"),
    });
    let shows = [("source's secret", "/secret"), ("forwards' secret", "/forward_secret")];
    let made = house.revealing("POST /v1/tenants/acme/sources", &source, &shows);
    let path = format!("/in/{}", text(&made, "id"));
    let outside = Api { headers: vec![], ..house.admin() };
    for (key, status) in [(&*secret, 200), ("another", 401)] {
        let body = br#"{"action":"opened"}"#;
        let signature = format!("sha256={}", hmac_sha256(key, body));
        let sender = outside.with("x-hub-signature-256", &signature).with("x-github-event", "push");
        assert_eq!(sender.call("POST", &path, Some(body)).status, status);
    }
    let asking = json!({"name": "projects", "scheme": "asana"});
    let asking = house.admin_call("POST /v1/tenants/acme/sources", &asking, 201);
    let handed = house.canaries.word("secret that was handed over");
    let sender = outside.with("x-hook-secret", &handed);
    let call = format!("POST /in/{}", text(&asking, "id"));
    let shows = ["secret that was handed over"];
    house.call(&sender, &call, Some(&json!({})), &shows).expect(200);
    text(&made, "id").to_owned()
}

/// One attempt at every receiver of the bad host, each with a secret in its request.
fn fail_at(host: &BadHost, house: &mut House) {
    let token = house.canaries.word("token for bad hosts");
    for case in &host.cases {
        let endpoint = json!({
            "url": case.url, "types": ["bad"], "delivery": {"timeout": "2s", "retries": []},
            "auth": {"type": "bearer", "token": token},
        });
        let api = house.admin();
        let answer = house.call(&api, "POST /v1/tenants/acme/endpoints", Some(&endpoint), &[]);
        // What it made is shown here and looked for nowhere else.
        if answer.status == 201 {
            house.places.pop();
        }
    }
    let event = json!({"tenant": "acme", "type": "bad", "data": {"n": 1}});
    let event = house.admin_call("POST /v1/events", &event, 202);
    house.wait_until_all_ended(text(&event, "id"));
}

/// Secrets in bodies that are refused.
fn mistakes(house: &mut House, endpoint: &str, source: &str) {
    let word = house.canaries.word("refused secret");
    let change = format!("PATCH /v1/endpoints/{endpoint}");
    let of_source = format!("PATCH /v1/sources/{source}");
    let create = "POST /v1/tenants/acme/endpoints".to_owned();
    let egress = "PATCH /v1/environments/shop".to_owned();
    let url = house.receiver.url("/plain");
    let bodies = [
        (&create, json!({"url": url, "types": ["*"], "secret": format!("whsec_{word}!")})),
        (&create, json!({"url": url, "types": ["*"], "secret": {"value": word}})),
        (&change, json!({"auth": word})),
        (&change, json!({"auth": {"type": "basic", "username": "a", "password": [word]}})),
        (&change, json!({"auth": {"type": "bearer", "tokens": word}})),
        (&change, json!({"auth": {"type": "bearer", "token": format!("{word}\n")}})),
        (&change, json!({"auth": {"type": word}})),
        (&change, json!({"headers": {"bad name": word}})),
        (&change, json!({"headers": {"x-a": format!("{word}\r\nx: y")}})),
        (&change, json!({"headers": word})),
        (&of_source, json!({"secret": word.repeat(300)})),
        (&of_source, json!({"secrets": word})),
        (&egress, json!({"egress": {"proxy": {"url": "http://a:1", "password": [word]}}})),
        (&egress, json!({"egress": {"proxy": {"url": format!("http://u:{word}@a:3128")}}})),
    ];
    let api = house.admin();
    for (call, body) in bodies {
        let answer = house.call(&api, call, Some(&body), &[]);
        assert_eq!(answer.status / 100, 4, "{call} {body}: {}", answer.body);
    }
    let broken = format!("{{\"url\": \"{url}\", \"secret\": \"{word}");
    let answer = api.call("POST", "/v1/tenants/acme/endpoints", Some(broken.as_bytes()));
    assert_eq!(answer.status, 400, "{}", answer.body);
    house.keep("the answer to a broken body".into(), answer.message.body, &[]);
    let credentials = format!("http://user:{word}@127.0.0.1:1/");
    let body = json!({"url": credentials, "types": ["*"]});
    house.call(&api, &create, Some(&body), &[]).expect(422);
}

/// Deliveries by a proxy that takes the password, and by one that wants another.
fn by_a_proxy(house: &mut House) {
    let password = house.canaries.word("proxy's password");
    let taken: &'static str = password.clone().leak();
    for wanted in [taken, "another"] {
        let proxy = Proxy::start(Kind::Connect, Some(wanted));
        let settings = json!({"url": proxy.url, "username": USERNAME, "password": password});
        let body = json!({"egress": {"proxy": settings}});
        house.admin_call("PATCH /v1/environments/shop", &body, 200);
        let event = json!({"tenant": "acme", "type": "by.proxy", "data": {}});
        let event = house.admin_call("POST /v1/events", &event, 202);
        house.wait_until_all_ended(text(&event, "id"));
        assert_eq!(
            proxy.take_asked().is_empty(),
            wanted != taken,
            "by a proxy that wants {wanted}"
        );
    }
    house.admin_call("PATCH /v1/environments/shop", &json!({"egress": null}), 200);
}

/// New secrets in the place of the old, and new keys that they are encrypted with.
fn rotations(house: &mut House, endpoint: &str, source: &str) {
    let call = format!("POST /v1/endpoints/{endpoint}/rotate-secret");
    house.revealing(&call, &json!({}), &[("rotated secret", "/secret")]);
    let call = format!("POST /v1/sources/{source}/rotate-secret");
    let new = house.canaries.word("source's next secret");
    let api = house.admin();
    let body = json!({"secret": new});
    house.call(&api, &call, Some(&body), &["source's next secret"]).expect(200);
    let key = format!("whsec_{}", house.canaries.key("tenant's signing key"));
    let body = json!({"contract": "aleta", "secret": key});
    let call = "POST /v1/tenants/acme/signing-keys/rotate";
    house.call(&api, call, Some(&body), &["tenant's signing key"]).expect(200);
    let next = house.canaries.key("next master key");
    let (file, place) = (house.file("master.key.next"), house.file("master.key"));
    std::fs::write(&file, next).expect("a file");
    house.command(&["key", "rotate-master"]);
    std::fs::rename(&file, &place).expect("moved");
    house.command(&["key", "rotate-data", "--all"]);
}

/// Every list and object, to every key that may see it, and every command that prints one.
fn look_at_everything(house: &mut House, endpoints: &[String], source: &str) {
    let event = json!({"tenant": "acme", "type": "last", "data": {"n": 1}});
    let event = house.admin_call("POST /v1/events", &event, 202);
    let event = text(&event, "id").to_owned();
    house.admin_call(&format!("POST /v1/endpoints/{}/test", endpoints[0]), &json!({}), 202);
    let question = json!({"tenant": "acme", "type": "last", "data": {}});
    house.admin_call("POST /v1/explain", &question, 200);
    let mut calls: Vec<String> = [
        "environments",
        "environments/shop",
        "tenants",
        "tenants/acme",
        "endpoints",
        "keys",
        "events",
        "deliveries?limit=250",
        "sources",
        "event-types",
        "jobs",
        "notices",
        "audit?limit=250",
        "audit/export",
        "encryption",
        "tenants/acme/signing-keys",
        "tenants/acme/endpoints",
        "tenants/acme/sources",
        "contracts",
        "schemes",
    ]
    .map(|path| format!("GET /v1/{path}"))
    .to_vec();
    calls.push(format!("GET /v1/events/{event}"));
    calls.push(format!("GET /v1/events/{event}/explain"));
    calls.push(format!("GET /v1/sources/{source}"));
    calls.push(format!("GET /v1/sources/{source}/requests"));
    for endpoint in endpoints {
        calls.push(format!("GET /v1/endpoints/{endpoint}"));
        calls.push(format!("GET /v1/endpoints/{endpoint}/deliveries"));
    }
    calls.extend(
        ["GET /metrics", "GET /openapi.json", "GET /docs", "GET /docs/shop"].map(Into::into),
    );
    let api = house.admin();
    let deliveries = house.call(&api, "GET /v1/deliveries?limit=250", None, &[]).expect(200);
    let rows = deliveries["data"].as_array().expect("deliveries");
    calls.extend(rows.iter().map(|row| format!("GET /v1/deliveries/{}", text(row, "id"))));
    for call in &calls {
        let shows: &[&'static str] =
            if call.ends_with("signing-keys") { &["tenant's signing key"] } else { &[] };
        let answer = house.call(&api, call, None, shows);
        assert!(answer.status < 500, "{call}: {}", answer.body);
    }
    for command in [
        "environment list",
        "tenant list",
        "endpoint list",
        "source list",
        "key list",
        "key status",
        "event list",
        "delivery list",
        "job list",
        "notice list",
        "audit list",
        "audit export",
        "audit verify",
        "contract list",
    ] {
        house.command(&command.split(' ').collect::<Vec<_>>());
    }
}
