//! The API's own document: it is served, and what it describes never ends in a server error.
//!
//! The calls are made by schemathesis, which `./test` installs and names in `SCHEMATHESIS`.

use crate::support::server::ADMIN_KEY;
use crate::support::shop::Shop;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

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
        "POST /v1/tenants/{tenant}/endpoints",
        "PATCH /v1/endpoints/{id}",
        "DELETE /v1/endpoints/{id}",
        "POST /v1/endpoints/{id}/pause",
        "POST /v1/events",
        "POST /v1/events/batch",
        "GET /v1/events/{id}",
        "GET /v1/deliveries",
        "GET /v1/deliveries/{id}",
        "POST /v1/deliveries/{id}/retry",
        "POST /v1/deliveries/{id}/cancel",
        "PUT /v1/event-types/{type}",
    ];
    for call in expected {
        assert!(described.contains(call), "{call} is not in {described:?}");
    }
}

#[test]
fn no_call_that_the_document_describes_ends_in_a_server_error() {
    let Ok(schemathesis) = std::env::var("SCHEMATHESIS") else {
        assert!(std::env::var_os("CI").is_none(), "CI runs ./test, which sets SCHEMATHESIS");
        println!("skipped: SCHEMATHESIS is not set; run ./test");
        return;
    };
    let mut shop = Shop::open();
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(schemathesis)
        .arg("run")
        .arg(format!("http://{}/openapi.json", shop.server.address))
        .args(["--checks", "not_a_server_error", "--continue-on-failure", "--no-color"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-time", "120"])
        .args(["--seed", "1", "--request-timeout", "20", "--warnings", "off"])
        .args(["--header", &format!("authorization:Bearer {ADMIN_KEY}")])
        .args(["--header", "angarium-environment:shop"])
        .current_dir(folder.path())
        .output()
        .expect("schemathesis starts");
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "schemathesis found failures");
    assert!(shop.server.is_running());
    assert_eq!(shop.api.get("/readyz").status, 200);
    assert_ne!(shop.api.get("/openapi.json").body, Value::Null);
}
