//! The documents of the API and of the contracts' calls: they are served, and what they describe
//! never ends in a server error.
//!
//! The calls are made by schemathesis and the contracts' documents judged by
//! openapi-spec-validator. `./test` installs both and names them in `SCHEMATHESIS` and
//! `OPENAPI_VALIDATOR`.

use crate::support::figure;
use crate::support::server::{ADMIN_KEY, Server, Start};
use crate::support::shop::{Shop, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::{Command, Output};
use tempfile::TempDir;

#[test]
fn the_document_names_every_call_of_the_api() {
    let shop = Shop::open();
    let document = shop.api.without("authorization").get("/openapi.json").expect(200);
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let described: BTreeSet<String> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, methods)| {
            let names = methods.as_object().into_iter().flat_map(serde_json::Map::keys);
            names.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let expected = [
        "POST /v1/environments",
        "GET /v1/environments/{slug}",
        "POST /v1/keys",
        "DELETE /v1/keys/{id}",
        "PUT /v1/tenants/{tenant}",
        "PATCH /v1/tenants/{tenant}",
        "POST /v1/tenants/{tenant}/recover",
        "POST /v1/tenants/{tenant}/endpoints",
        "PATCH /v1/endpoints/{id}",
        "DELETE /v1/endpoints/{id}",
        "POST /v1/endpoints/{id}/pause",
        "POST /v1/events",
        "POST /v1/events/batch",
        "GET /v1/events/{id}",
        "POST /v1/events/{id}/replay",
        "GET /v1/events/{id}/explain",
        "POST /v1/explain",
        "GET /v1/endpoints/{id}/deliveries",
        "POST /v1/endpoints/{id}/recover",
        "GET /v1/jobs",
        "GET /v1/jobs/{id}",
        "POST /v1/jobs/{id}/cancel",
        "GET /v1/deliveries",
        "GET /v1/deliveries/{id}",
        "POST /v1/deliveries/{id}/retry",
        "POST /v1/deliveries/{id}/cancel",
        "PUT /v1/event-types/{type}",
        "GET /v1/audit",
        "GET /v1/audit/export",
    ];
    for call in expected {
        assert!(described.contains(call), "{call} is not in {described:?}");
    }
}

/// Each call by itself, then calls that follow from the answers of others.
#[test]
fn every_call_answers_as_the_document_says_and_none_by_a_server_error() {
    let Some(schemathesis) = tool("SCHEMATHESIS") else { return };
    let mut shop = Shop::open();
    let folder = tempfile::tempdir().expect("a folder");
    for (phases, seconds) in [("examples,coverage,fuzzing", "100"), ("stateful", "40")] {
        let output = Command::new(&schemathesis)
            .arg("run")
            .arg(format!("http://{}/openapi.json", shop.server.address))
            .args(["--checks", CHECKS, "--continue-on-failure", "--no-color"])
            .args(["--phases", phases, "--max-time", seconds])
            .args(["--seed", "1", "--request-timeout", "20", "--warnings", "off"])
            .args(["--header", &format!("authorization:Bearer {ADMIN_KEY}")])
            .args(["--header", "angarium-environment:shop"])
            .current_dir(folder.path())
            .output()
            .expect("schemathesis starts");
        judged(&output);
        let told = String::from_utf8_lossy(&output.stdout);
        let cases = told.lines().find(|line| line.contains(" generated, "));
        figure(format_args!("{phases}: {}", cases.unwrap_or("no case").trim()));
    }
    assert!(shop.server.is_running());
    assert_eq!(shop.api.get("/readyz").status, 200);
    assert_ne!(shop.api.get("/openapi.json").body, Value::Null);
}

/// A program that `./test` installs.
fn tool(variable: &str) -> Option<String> {
    let path = std::env::var(variable).ok();
    if path.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI runs ./test, which sets {variable}");
        println!("skipped: {variable} is not set; run ./test");
    }
    path
}

#[track_caller]
fn judged(output: &Output) {
    let (told, failed) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{told}{failed}");
    assert!(output.status.success(), "it found failures");
}

/// A server with an environment for each contract, and the old and the new one of a platform in
/// one.
fn platforms() -> (Server, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Start::local(&folder.path().join("data")).run();
    for (slug, contracts) in [
        ("aioka", json!(["aioka"])),
        ("aleta", json!(["aleta"])),
        ("anduin", json!(["anduin", "anduin-legacy"])),
    ] {
        let environment = json!({"slug": slug, "contracts": contracts});
        server.admin().post("/v1/environments", &environment).expect(201);
    }
    (server, folder)
}

#[test]
fn the_documents_of_contracts_are_sound_openapi() {
    let Some(validator) = tool("OPENAPI_VALIDATOR") else { return };
    let (server, folder) = platforms();
    for slug in ["aioka", "aleta", "anduin"] {
        let path = format!("/docs/{slug}/openapi.json");
        let document = server.admin().without("authorization").get(&path).expect(200);
        assert_eq!(document["openapi"], "3.1.0");
        let file = folder.path().join(format!("{slug}.json"));
        std::fs::write(&file, document.to_string()).expect("a file");
        judged(&Command::new(&validator).arg(file).output().expect("the validator starts"));
    }
}

/// Nothing is sent here: no event is published, and the call that sends a test event is made by a
/// key that has no webhooks.
#[test]
fn every_answer_of_a_contracts_call_is_in_its_document() {
    let Some(schemathesis) = tool("SCHEMATHESIS") else { return };
    let (mut server, folder) = platforms();
    let test = "/v1/webhooks/test";
    for (slug, header, scheme, paths) in [
        ("aioka", "x-api-key", "", ["--exclude-path", test]),
        ("aioka", "x-api-key", "", ["--include-path", test]),
        ("aleta", "authorization", "Bearer ", ["--exclude-path", test]),
    ] {
        let native = server.admin().with("angarium-environment", slug);
        native.put("/v1/tenants/acme", &json!({"plan": "basic"}));
        let key = json!({
            "name": "k", "environment": slug, "tenant": "acme", "scopes": ["manage", "read"],
        });
        let key = server.admin().post("/v1/keys", &key).expect(201);
        let output = Command::new(&schemathesis)
            .arg("run")
            .arg(format!("http://{}/docs/{slug}/openapi.json", server.address))
            .args(["--checks", CHECKS, "--continue-on-failure", "--no-color"])
            .args(["--phases", "examples,coverage,fuzzing", "--max-time", "20"])
            .args(["--seed", "1", "--request-timeout", "20", "--warnings", "off"])
            .args(["--header", &format!("{header}:{scheme}{}", text(&key, "key"))])
            .args(paths)
            .current_dir(folder.path())
            .output();
        judged(&output.expect("schemathesis starts"));
        assert!(server.is_running());
    }
}

/// That nothing ends in a server error, and that every answer is in the document.
const CHECKS: &str = concat!(
    "not_a_server_error,status_code_conformance,content_type_conformance,",
    "response_schema_conformance,response_headers_conformance",
);
