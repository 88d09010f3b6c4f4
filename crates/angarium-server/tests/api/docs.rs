//! The customers' pages, as they are served.

use crate::stage::{Answer, Stage};
use serde_json::json;

async fn stage() -> Stage {
    let stage = Stage::new().await;
    for (slug, contracts, hosts) in [
        ("aioka", json!(["aioka"]), json!(["api.aioka.test"])),
        ("both", json!(["anduin", "anduin-legacy"]), json!([])),
    ] {
        let environment = json!({"slug": slug, "contracts": contracts, "hosts": hosts});
        let made = stage.post("/v1/environments").json(environment).send().await;
        assert_eq!(made.status, 201, "{}", made.text);
    }
    stage
}

/// As anybody asks: without a key.
async fn get(stage: &Stage, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut call = stage.get(path).without("authorization").without("angarium-environment");
    call = call.header("host", "localhost:8080");
    for (name, value) in headers {
        call = call.header(name, value);
    }
    call.send().await
}

#[tokio::test]
async fn anybody_reads_the_page_of_an_environment_in_three_forms() {
    let stage = stage().await;
    let rows = [
        ("/docs/aioka", "text/html; charset=utf-8", "<!doctype html>"),
        ("/docs/aioka.md", "text/markdown; charset=utf-8", "# AIOKA webhooks\n"),
        ("/docs/aioka/openapi.json", "application/json", "{\"openapi\":\"3.1.0\""),
        ("/docs/both", "text/html; charset=utf-8", "<!doctype html>"),
    ];
    for (path, content_type, start) in rows {
        let answer = get(&stage, path, &[]).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["content-type"], content_type);
        assert!(answer.text.starts_with(start), "{path}: {}", answer.text);
    }
    for path in ["/docs/nothing", "/docs/nothing.md", "/docs/nothing/openapi.json", "/docs/.md"] {
        assert_eq!(get(&stage, path, &[]).await.refusal().0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_page_says_the_address_under_which_it_was_asked_for() {
    let stage = stage().await;
    for (host, base_url) in [
        ("localhost:8080", "http://localhost:8080/e/aioka/v1/webhooks"),
        ("gateway.example:9", "http://gateway.example:9/e/aioka/v1/webhooks"),
        ("api.aioka.test", "https://api.aioka.test/v1/webhooks"),
        ("api.aioka.test:8080", "http://api.aioka.test:8080/v1/webhooks"),
    ] {
        for path in ["/docs/aioka", "/docs/aioka.md"] {
            let answer = get(&stage, path, &[("host", host)]).await;
            assert_eq!(answer.status, 200, "{host} {path}");
            assert!(answer.text.contains(&format!("curl -X POST {base_url} ")), "{host} {path}");
        }
    }
    let hostile = get(&stage, "/docs/aioka", &[("host", "a';x")]).await;
    assert_eq!(hostile.refused(), "400 bad_request host");
}

#[tokio::test]
async fn a_page_may_run_and_fetch_nothing() {
    let stage = stage().await;
    for path in ["/docs/aioka", "/docs/both"] {
        let answer = get(&stage, path, &[]).await;
        let policy = answer.headers["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(policy.ends_with("; frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        for bad in ["<script", " src=", " style=", "<link", "@import", "url("] {
            assert!(!answer.text.contains(bad), "{path}: {bad}");
        }
    }
}

#[tokio::test]
async fn a_page_that_the_reader_has_is_not_sent_again() {
    let stage = stage().await;
    for path in ["/docs/aioka", "/docs/aioka.md", "/docs/aioka/openapi.json"] {
        let first = get(&stage, path, &[]).await;
        let tag = first.headers["etag"].to_str().expect("text").to_owned();
        let again = get(&stage, path, &[("if-none-match", &format!("\"x\", W/{tag}"))]).await;
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{path}");
        assert_eq!(again.headers["etag"], tag.as_str());
        assert_eq!(get(&stage, path, &[("if-none-match", "\"x\"")]).await.status, 200, "{path}");
        let elsewhere = get(&stage, path, &[("host", "other"), ("if-none-match", &tag)]).await;
        assert_eq!(elsewhere.status, 200, "another host is another page");
    }
}

#[tokio::test]
async fn the_types_of_the_environment_stand_beside_those_of_its_contracts() {
    let stage = stage().await;
    let kind = json!({"description": "An *own* type", "example": {"n": 7}});
    let put = stage.call("PUT", "/v1/event-types/own.thing").json(kind);
    let put = put.header("angarium-environment", "aioka").send().await;
    assert!(matches!(put.status, 200 | 201), "{}", put.text);
    let page = get(&stage, "/docs/aioka.md", &[]).await.text;
    assert!(page.contains("| `own.thing` | An \\*own\\* type |"), "{page}");
    assert!(page.contains("  \"event\": \"own.thing\",") && page.contains("    \"n\": 7\n"));
    assert!(!get(&stage, "/docs/both.md", &[]).await.text.contains("own.thing"));
}

#[tokio::test]
async fn the_native_page_keeps_its_place() {
    let stage = stage().await;
    let page = get(&stage, "/docs/api/", &[]).await;
    assert!(page.status == 200 && page.text.contains("swagger"), "{}", page.text);
    let environment = json!({"slug": "api", "contracts": ["standard"]});
    let refused = stage.post("/v1/environments").json(environment).send().await;
    assert_eq!(refused.refused(), "422 invalid_environment slug");
}
