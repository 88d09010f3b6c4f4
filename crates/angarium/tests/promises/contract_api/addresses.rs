//! Hosts, and contracts that cannot stand side by side.

use super::stage::{PAGES, Platforms, page, refused};
use crate::support::client::{Api, Connection};
use crate::support::server::ADMIN_KEY;
use crate::support::shop::text;
use serde_json::json;
use std::io::Read;
use std::process::Command;

#[test]
fn at_a_host_nothing_native_answers_and_the_host_grants_nothing() {
    let platforms = Platforms::open();
    for page in PAGES {
        let key = platforms.key(page.contract, Some("acme"), &["publish", "manage", "read"]);
        let host = format!("api.{}.test", page.contract);
        let event = json!({"type": "a", "data": 1, "tenant": "acme"});
        for name in [host.clone(), host.to_uppercase(), format!("{host}:8080"), format!("{host}.")]
        {
            let native =
                [Api::new(&platforms.server.address, &key), platforms.native(page.contract)];
            for caller in native.map(|caller| caller.with("host", &name)) {
                refused(&caller.post("/v1/events", &event), 404, "not_found");
                let guarded = caller.with("idempotency-key", "k");
                refused(&guarded.post("/v1/events", &event), 404, "not_found");
                for path in [
                    "/v1/endpoints",
                    "/v1/environments",
                    "/healthz",
                    "/metrics",
                    "/openapi.json",
                    "/docs/api/",
                ] {
                    refused(&caller.get(path), 404, "not_found");
                }
                let below = format!("/e/{}{}", page.contract, page.path);
                refused(&caller.get(&below), 404, "not_found");
            }
        }
        let nobody = Api::new(&platforms.server.address, "x").with("host", &host);
        refused(&nobody.without("authorization").get(page.path), 401, "unauthorized");
        let other = platforms.caller(page, &key).with("host", "api.elsewhere.test");
        assert_eq!(other.get(page.path).code(), "not_found", "an unknown host is the server's own");
    }
}

#[test]
fn a_host_follows_its_environment() {
    let platforms = Platforms::open();
    let page = page("aleta");
    let caller = platforms.customer(page, "acme");
    let at = |host: &str| caller.with("host", host).get(page.path).status;
    assert_eq!((at("api.aleta.test"), at("new.aleta.test")), (200, 404));
    let change = json!({"hosts": ["new.aleta.test"]});
    platforms.server.admin().patch("/v1/environments/aleta", &change).expect(200);
    assert_eq!((at("api.aleta.test"), at("new.aleta.test")), (404, 200));
    let taken = json!({"hosts": ["api.aioka.test"]});
    let answer = platforms.server.admin().patch("/v1/environments/aleta", &taken);
    assert_eq!((answer.status, answer.code()), (409, "already_exists"));

    let Platforms { server, folder } = platforms;
    server.stop();
    let server = Platforms::start(&folder).run();
    let caller = Api { address: server.address.clone(), ..caller };
    assert_eq!(caller.with("host", "new.aleta.test").get(page.path).status, 200);
}

#[test]
fn a_request_that_names_two_hosts_is_refused() {
    let platforms = Platforms::open();
    let page = page("aleta");
    let caller = platforms.customer(page, "acme");
    let absolute = format!("http://api.aleta.test{}", page.path);
    let answer = caller.with("host", "api.aleta.test").get(&absolute);
    assert_eq!(answer.status, 200, "{}", answer.body);
    for host in ["api.aioka.test", &caller.address] {
        let answer = caller.with("host", host).get(&absolute);
        assert_eq!((answer.status, answer.code()), (400, "bad_request"), "{}", answer.body);
    }
    let events = "http://api.aleta.test/v1/events";
    let answer = platforms.native("aleta").post(events, &json!({}));
    assert_eq!((answer.status, answer.code()), (400, "bad_request"));
    let twice = caller.with("host", "api.aleta.test").with("host", "api.aioka.test");
    assert_eq!(twice.get(page.path).status, 400);
}

/// A contract with the routes of Aleta's endpoints, and keys of its own look.
fn twin(name: &str) -> String {
    format!(
        r#"
contract = "{name}"
title = "Twin"
[events."a.b"]
description = "Something."
example = {{ n = 1 }}
[request]
body = {{ type = "{{event.type}}", data = "{{event.data}}" }}
[delivery]
timeout = "5s"
retries = ["1s"]
[endpoint]
schemes = ["https"]
[api.auth]
header = "Authorization"
scheme = "Bearer"
key = {{ prefix = "twn_live_", encoding = "hex", bytes = 16 }}
[[api.route]]
call = "GET /v2/webhooks/{{id}}"
does = "endpoint.get"
response = {{ id = "{{endpoint.id}}" }}
"#
    )
}

#[test]
fn contracts_with_the_same_call_do_not_stand_side_by_side() {
    let platforms = Platforms::bare();
    let Platforms { server, folder } = platforms;
    server.stop();
    let file = folder.path().join("contracts/twin.toml");
    std::fs::write(&file, twin("twin")).expect("written");
    let platforms = Platforms { server: Platforms::start(&folder).run(), folder };

    let together = platforms.environment("both", &["aleta", "twin"], &[]);
    assert_eq!((together.status, together.field()), (422, Some("contracts")));
    for named in ["aleta", "twin", "GET /v2/webhooks/{id}"] {
        assert!(text(&together.body, "detail").contains(named), "{}", together.body);
    }
    platforms.environment("both", &["twin", "anduin"], &[]).expect(201);
    let change = json!({"contracts": ["twin", "anduin", "aleta"]});
    let changed = platforms.server.admin().patch("/v1/environments/both", &change);
    assert_eq!((changed.status, changed.field()), (422, Some("contracts")));

    // The file of a contract in use comes to collide: the server does not start.
    let Platforms { server, folder } = platforms;
    server.stop();
    let colliding = twin("twin").replace("/v2/webhooks", "/api/v2/webhooks");
    std::fs::write(&file, colliding).expect("written");
    let mut serve = Command::new(env!("CARGO_BIN_EXE_angarium"));
    serve.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data"]);
    serve.arg(folder.path().join("data")).env("ANGARIUM_ADMIN_KEY", ADMIN_KEY);
    serve.arg("--contracts").arg(folder.path().join("contracts"));
    let ended = serve.output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success(), "{said}");
    for named in ["both", "twin", "anduin", "GET /api/v2/webhooks/{id}"] {
        assert!(said.contains(named), "{named}: {said}");
    }
}

#[test]
fn new_keys_look_as_the_first_contract_that_says_how() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("contracts")).expect("a folder");
    std::fs::write(folder.path().join("contracts/twin.toml"), twin("twin")).expect("written");
    let platforms = Platforms { server: Platforms::start(&folder).run(), folder };
    platforms.environment("twins", &["anduin", "twin"], &[]).expect(201);
    platforms.environment("plain", &["standard"], &[]).expect(201);
    platforms.tenant("twins", "acme");
    for tenant in [None, Some("acme")] {
        let key = platforms.key("twins", tenant, &["read"]);
        let digits = key.strip_prefix("twn_live_").expect("the prefix");
        assert!(digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{key}");
    }
    let key = platforms.key("twins", Some("acme"), &["read"]);
    let caller = Api::new(&platforms.server.address, &key);
    caller.get("/e/twins/api/v2/webhooks").expect(200);
    caller.get("/v1/endpoints").expect(200);
    assert!(platforms.key("plain", None, &["read"]).starts_with("ang_"));
}

#[test]
fn the_head_of_an_answer_is_that_of_the_answer() {
    let platforms = Platforms::open();
    let caller = platforms.customer(page("aleta"), "acme");
    let key = caller.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let head = format!(
        "HEAD /e/aleta/v2/webhooks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{}\r\n",
        key.collect::<String>()
    );
    let mut said = String::new();
    let mut stream = Connection::open(&caller.address).expect("a connection").into_stream();
    std::io::Write::write_all(&mut stream, head.as_bytes()).expect("written");
    stream.read_to_string(&mut said).expect("text");
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    assert!(said.contains("etag: ") && said.ends_with("\r\n\r\n"), "{said}");
}
