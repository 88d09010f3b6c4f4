//! What must stand on the page: everything that a contract says, found by a second look at it.

use super::*;
use crate::contract::ContractLibrary;
use crate::contract::api::Access;
use crate::retry::RetryPolicy;
use std::collections::BTreeSet;

const BASE_URL: &str = "http://localhost:8080/e/x";

fn library() -> ContractLibrary {
    ContractLibrary::built_in(&Limits::default()).expect("built-in contracts")
}

/// The page of contracts, in the order of their names here.
fn page(names: &[&str]) -> (String, Value) {
    let library = library();
    let contracts: Vec<_> =
        names.iter().map(|name| Arc::clone(library.get(name).expect(name))).collect();
    let limits = Limits::default();
    let page = Page::new("Both", &contracts, BASE_URL, &limits);
    (page.markdown(), page.openapi())
}

fn written(text: &str) -> String {
    let contract = Contract::parse("x.toml", text, &Limits::default());
    let contracts = [Arc::new(contract.expect("a contract"))];
    Page::new("X", &contracts, BASE_URL, &Limits::default()).markdown()
}

#[test]
fn everything_that_a_contract_says_stands_on_its_page() {
    for contract in library().iter() {
        let (text, _) = page(&[contract.name()]);
        let mut wanted = vec![words::span(contract.timeout())];
        for event in contract.events() {
            wanted.push(format!("### `{}`\n\n{}", event.name, plain(&event.description)));
        }
        let written = |name| format!("| `{}` | ", contract.written_header(name));
        wanted.extend(contract.header_names().map(written));
        match contract.retry() {
            RetryPolicy::List { waits, .. } if waits.iter().all(std::time::Duration::is_zero) => {
                wanted.push(format!("{} attempts in all", waits.len() + 1));
            }
            RetryPolicy::List { waits, .. } => wanted.extend(waits.iter().map(|w| words::span(*w))),
            RetryPolicy::Growing { base, cap, window, .. } => {
                wanted.extend([base, cap, window].map(|span| words::span(*span)));
            }
        }
        if let Some(bounds) = contract.retry_after() {
            wanted.extend([bounds.floor, bounds.cap].map(words::span));
            wanted.push("`Retry-After`".to_owned());
        }
        wanted.extend(contract.gone().map(|_| "status 410".to_owned()));
        let rules = contract.rules();
        wanted.extend(rules.max_per_key.map(|most| format!("| at most {most} |")));
        wanted.extend(rules.plan.as_deref().map(|plan| format!("`{plan}` and those above")));
        wanted.extend(rules.validation.as_ref().map(|rule| format!("`{}`", rule.header)));
        let after = contract.health().disable_after;
        wanted.extend(after.map(|after| format!("after {}", words::failures(after))));
        for route in
            contract.api().map(crate::contract::api::ManagementApi::routes).unwrap_or_default()
        {
            wanted.extend(route.calls.iter().map(|call| format!("`{call}`")));
            wanted.extend(route.request.fields().into_iter().map(|(path, _)| format!("`{path}`")));
        }
        for wanted in wanted {
            assert!(text.contains(&wanted), "{}: {wanted}", contract.name());
        }
    }
}

#[test]
fn the_diagnostics_are_told_of_where_a_call_shows_them_and_nowhere_else() {
    for contract in library().iter() {
        let (text, openapi) = page(&[contract.name()]);
        let has_call = contract.name() == "aleta";
        assert_eq!(text.to_lowercase().contains("diagnostics"), has_call, "{}", contract.name());
        let path = "/paths/~1v2~1webhooks~1diagnostics/get/responses/200/content/application~1json";
        let answer = openapi.pointer(&format!("{path}/schema/properties"));
        assert_eq!(answer.is_some(), has_call, "{}", contract.name());
        let Some(answer) = answer else { continue };
        let kind = |pointer: &str| answer.pointer(pointer).cloned().unwrap_or_default();
        assert_eq!(kind("/endpoints/items/properties/consecutive_failures/type"), "integer");
        assert_eq!(kind("/dead_letters/items/properties/died_at/format"), "date-time");
        assert_eq!(kind("/dead_letters/items/properties/cause/anyOf/1/type"), "null");
    }
}

#[test]
fn an_example_is_the_body_that_the_real_request_has() {
    let (text, _) = page(&["aioka"]);
    let body = r#"{"event":"verdict.new","timestamp":"2026-04-20T14:32:00.000Z","data":{"ruling""#;
    assert!(text.contains(body), "{text}");
    assert!(text.contains("  \"data\": {\n    \"ruling\": \"STRONG_BUY\",\n"));
    let (text, _) = page(&["quantfolio"]);
    assert!(text.contains("&event_time=2026-04-20T14%3A32Z"), "{text}");
}

#[test]
fn what_the_published_pages_say_stands_on_the_generated_ones() {
    let rows: &[(&str, &[&str])] = &[
        (
            "aioka",
            &[
                "curl -X POST http://localhost:8080/e/x/v1/webhooks \\\n  -H \"X-API-Key: ",
                "\"events\": [\"verdict.new\", \"council.new\"]",
                "lower-case hex of an HMAC-SHA256 of the raw request body",
                "`whsec_` included",
                "HTTPS only",
                "3 (5s → 25s → 125s)",
                "Recognise it by `event` and `timestamp` together",
                "Answer 401",
                "| Send test event | `POST /v1/webhooks/test` |",
            ],
        ),
        (
            "aleta",
            &[
                "\"reporting_entity_id\": \"re_7Q2\"",
                "`t=<timestamp>,v1=<v1>,v2=<v2>`",
                "more than five minutes off",
                "curl http://localhost:8080/e/x/v2/webhooks/keys \\\n  -H \"Authorization: Bearer ",
                "the active one and the one that was retired last",
                "**Ordered by `reporting_entity_id`.**",
                "exponential backoff for up to 24 hours",
                "dead letter",
                "`GET /v2/webhooks/diagnostics` shows it",
                "at most 100, those of the newest events first.",
                "| `dead_letters[].cause` | string | Why the last attempt failed",
                "`Idempotency-Key`",
            ],
        ),
        (
            "anduin-legacy",
            &[
                "scheduled to be retired by March 31, 2025",
                "curl -i -X GET https://example.com/webhooks \\\n  -H 'x-anduin-webhook",
                "the status 200 and the same header",
                "tried again immediately, up to 3 times more: 4 attempts in all",
                "**Switched off after 3 failed deliveries.**",
                "`PATCH /api/v1/webhooks/{id}` and `\"isActive\": true`",
            ],
        ),
        (
            "quantfolio",
            &[
                "If an event triggers multiple webhooks, this is equal across webhooks",
                "one POST or GET request",
                "static authentication, custom headers",
                "its parameters, after those that your URL has already, but for `event_data`",
                "Without a key there is no such header",
            ],
        ),
    ];
    for (name, sentences) in rows {
        let (text, _) = page(&[name]);
        for sentence in *sentences {
            assert!(text.contains(sentence), "{name}: {sentence}\n{text}");
        }
    }
}

#[test]
fn what_a_contract_does_not_have_is_not_mentioned() {
    let rows: &[(&str, &[&str])] = &[
        ("anduin-legacy", &["Verifying", "signature", "secret", "Secrets"]),
        ("standard", &["Registering", "curl", "API key", "Idempotency-Key", "validated first"]),
        ("aioka", &["validated first", "By GET", "Ordered", "PATCH"]),
    ];
    for (name, absent) in rows {
        let (text, _) = page(&[name]);
        for word in *absent {
            assert!(!text.contains(word), "{name}: {word}");
        }
    }
}

#[test]
fn several_contracts_make_one_page_with_the_default_one_first() {
    let (text, document) = page(&["anduin", "anduin-legacy"]);
    let at = |heading: &str| text.find(heading).unwrap_or_else(|| panic!("no {heading}"));
    assert!(text.starts_with("# Both webhooks\n"));
    assert!(at("\n## Anduin\n") < at("\n## Anduin (legacy)\n"));
    assert_eq!(text.matches("\n### Events\n").count(), 2);
    let paths: BTreeSet<_> = document["paths"].as_object().expect("paths").keys().collect();
    assert_eq!(paths.len(), 4, "{paths:?}");
    assert!(document["components"]["securitySchemes"]["anduin-legacy"].is_object());
}

#[test]
fn text_of_a_contract_can_be_neither_markup_nor_a_second_command() {
    let text = written(
        r#"
contract = "x"
title = "<b>X</b>\n# Y"
description = "[a](javascript:b) | <script>c</script>"
[events."a.b"]
description = "<img src=x onerror=y> `z` | w\n\n## Heading"
example = { "it's" = "</code>" }
schema = { type = "object", properties = { "a|b`<i>" = { type = "string", description = "*d*" } } }
[request]
body = { "m'|`" = "{event.type}", data = "{event.data}" }
[delivery]
timeout = "1s"
retries = []
[endpoint]
schemes = ["https"]
[api]
auth = { header = "X-Key", scheme = "a\"; rm -rf $HOME; `id`" }
[[api.route]]
summary = "<u>S</u>"
call = "POST /hooks"
does = "endpoint.create"
request = { "u'; rm -rf /; '" = "{endpoint.url}", types = "{endpoint.types}" }
status = 201
response = { id = "{endpoint.id}" }
"#,
    );
    for bad in ["\n# Y", "\n## Heading", "<script>", "<img", "<b>X", "<u>S", "[a](javascript"] {
        assert!(!text.contains(bad), "{bad} in {text}");
    }
    // In a command, a quote ends its word and is quoted itself.
    assert!(text.contains(r#"-H 'X-Key: a"; rm -rf $HOME; `id` your_api_key'"#), "{text}");
    assert!(text.contains(r#""u'\''; rm -rf /; '\''": "#), "{text}");
}

#[test]
fn the_document_describes_every_call_with_its_answer_and_refusals() {
    for contract in library().iter() {
        let Some(api) = contract.api() else { continue };
        let (_, document) = page(&[contract.name()]);
        for route in api.routes() {
            for call in &route.calls {
                let method = call.method.as_str().to_lowercase();
                let operation = &document["paths"][call.path.to_string()][method];
                let responses = &operation["responses"];
                assert!(responses[route.status.to_string()].is_object(), "{call}: {operation}");
                assert!(responses["401"].is_object(), "{call}");
                let security = match route.operation.bounds().access {
                    Access::Receives => serde_json::json!([]),
                    Access::Reads | Access::Changes => serde_json::json!([{ contract.name(): [] }]),
                };
                assert_eq!(operation["security"], security, "{call}");
                let content = &responses[route.status.to_string()]["content"];
                assert_eq!(content.is_object(), route.response.is_some(), "{call}");
            }
        }
    }
}

#[test]
fn the_page_of_a_contract_reads_as_it_was_last_agreed() {
    insta::assert_snapshot!("anduin-legacy", page(&["anduin-legacy"]).0);
}

#[test]
fn what_holds_a_lane_and_what_waits_for_a_webhook_that_is_off_is_told() {
    let text = r#"
contract = "x"
title = "X"
events."a.b" = { description = "It happened.", example = {} }
request.body = "{event.data}"
endpoint.schemes = ["https"]
[delivery]
timeout = "10s"
retries = ["5s"]
ordering = "key"
after_dead_letter = "hold"
[health]
disable_after = { failing_for = "5d", deliveries = 20 }
while_disabled = "wait"
"#;
    let page = written(text);
    for wanted in [
        "those behind it wait until it has arrived after all, or we skip it",
        "**Switched off after 5 days without a success and 20 failed deliveries.**",
        "what happens meanwhile waits for it",
        "| after 5 days without a success and 20 failed deliveries |",
    ] {
        assert!(page.contains(wanted), "{wanted}:\n{page}");
    }
    assert!(!page.contains("the next one goes"), "{page}");
    let contract = Contract::parse("x.toml", text, &Limits::default()).expect("a contract");
    let shown = contract.to_string();
    assert!(
        shown.contains("a dead letter holds its lane until it is skipped or arrives"),
        "{shown}"
    );
    assert!(shown.contains("waits until it is switched on"), "{shown}");
}
