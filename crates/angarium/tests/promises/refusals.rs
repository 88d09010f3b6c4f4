//! Bad input: every limit at the limit and one past it, malformed and mistyped bodies, unknown
//! members and ids. Each is refused with its status, its code and the field at fault, and leaves
//! nothing behind.

use crate::support::client::Answer;
use crate::support::receiver::Receiver;
use crate::support::shop::{Shop, text};
use serde_json::{Value, json};

/// Refused with this status and code; `field` is the member at fault, `""` for the whole request.
#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str, field: &str) {
    let seen = (answer.status, answer.code(), answer.field().unwrap_or_default());
    assert_eq!(seen, (status, code, field), "{}", answer.body);
    let kind = answer.message.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("application/problem+json"), "{kind}");
    assert!(answer.body["detail"].as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!(answer.body["status"], status);
}

fn event(member: &str, value: Value) -> Value {
    let mut event = json!({"tenant": "acme", "type": "a", "data": 1});
    event[member] = value;
    event
}

fn endpoint(member: &str, value: Value) -> Value {
    let mut endpoint = json!({"url": "https://example.com/hook", "types": ["a"]});
    endpoint[member] = value;
    endpoint
}

/// JSON with so many levels.
fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn an_event_is_accepted_at_each_limit_and_refused_one_past_it() {
    let shop = Shop::open();
    let x = |count: usize| json!("x".repeat(count));
    let attributes = |count: usize| -> Value {
        (0..count).map(|n| (format!("a{n}"), json!("v"))).collect::<serde_json::Map<_, _>>().into()
    };
    let rows = [
        ("type", x(128), x(129), "invalid_event_type", "type"),
        ("id", x(64), x(65), "invalid_event_id", "id"),
        ("subject", x(512), x(513), "invalid_field", "subject"),
        ("key", x(512), x(513), "invalid_field", "key"),
        ("attributes", attributes(32), attributes(33), "invalid_field", "attributes"),
        ("attributes", json!({"a": x(512)}), json!({"a": x(513)}), "invalid_field", "attributes.a"),
    ];
    for (member, at, past, code, field) in rows {
        shop.try_publish(&event(member, at)).expect(202);
        refused(&shop.try_publish(&event(member, past)), 422, code, field);
    }
    let deep = |levels: usize| {
        let body = format!(r#"{{"tenant":"acme","type":"a","data":{}}}"#, nested(levels));
        shop.api.call("POST", "/v1/events", Some(body.as_bytes()))
    };
    deep(64).expect(202);
    refused(&deep(65), 422, "json_too_deep", "data");
}

#[test]
fn a_body_is_accepted_at_the_limit_and_refused_one_byte_past_it() {
    let shop = Shop::open();
    let body = |bytes: usize| {
        let empty = r#"{"tenant":"acme","type":"a","data":""}"#;
        let data = "x".repeat(bytes - empty.len());
        format!(r#"{{"tenant":"acme","type":"a","data":"{data}"}}"#)
    };
    let post = |path: &str, body: &str| shop.api.call("POST", path, Some(body.as_bytes()));
    post("/v1/events", &body(256 * 1024)).expect(202);
    let past = post("/v1/events", &body(256 * 1024 + 1));
    assert_eq!((past.status, past.code()), (413, "body_too_large"));

    let events = |count: usize| json!({"events": vec![event("data", json!(1)); count]});
    shop.api.post("/v1/events/batch", &events(1000)).expect(202);
    refused(&shop.api.post("/v1/events/batch", &events(1001)), 422, "batch_too_large", "events");
    let batch = |bytes: usize| {
        let empty = r#"{"events":[]}"#;
        format!(r#"{{"events":[]{}}}"#, " ".repeat(bytes - empty.len()))
    };
    let at = post("/v1/events/batch", &batch(4 * 1024 * 1024));
    assert_ne!(at.status, 413, "{}", at.body);
    let past = post("/v1/events/batch", &batch(4 * 1024 * 1024 + 1));
    assert_eq!((past.status, past.code()), (413, "body_too_large"));
}

#[test]
fn an_endpoint_is_accepted_at_each_limit_and_refused_one_past_it() {
    let shop = Shop::open();
    let headers = |count: usize| -> Value {
        (0..count)
            .map(|n| (format!("x-h{n}"), json!("v")))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let header_bytes = |bytes: usize| {
        let half = bytes / 2;
        json!({"x-a": "v".repeat(half - 3), "x-b": "v".repeat(bytes - half - 3)})
    };
    let url = |bytes: usize| {
        let start = "https://example.com/";
        json!(format!("{start}{}", "p".repeat(bytes - start.len())))
    };
    let types = |count: usize| json!((0..count).map(|n| format!("t{n}")).collect::<Vec<_>>());
    let retries = |count: usize| json!({"retries": vec!["1s"; count]});
    let rows = [
        ("headers", headers(40), headers(41), "too_many_headers", "headers"),
        ("headers", header_bytes(8192), header_bytes(8193), "too_many_headers", "headers"),
        ("url", url(2048), url(2049), "invalid_url", "url"),
        ("types", types(256), types(257), "invalid_subscription", "types"),
        ("delivery", retries(100), retries(101), "invalid_schedule", "delivery.retries"),
        (
            "description",
            json!("d".repeat(2000)),
            json!("d".repeat(2001)),
            "invalid_field",
            "description",
        ),
    ];
    for (member, at, past, code, field) in rows {
        let create = |value| shop.api.post("/v1/tenants/acme/endpoints", &endpoint(member, value));
        create(at).expect(201);
        refused(&create(past), 422, code, field);
    }
}

#[test]
fn names_are_accepted_at_their_limits_and_refused_one_past_them() {
    let shop = Shop::open();
    let tenant = |chars: usize| {
        let path = format!("/v1/tenants/{}", "t".repeat(chars));
        shop.api.put(&path, &json!({}))
    };
    assert!(tenant(64).status < 300);
    refused(&tenant(65), 422, "invalid_tenant_id", "tenant");
    let guarded = |chars: usize| {
        let api = shop.api.with("idempotency-key", &"k".repeat(chars));
        api.post("/v1/events", &event("data", json!(1)))
    };
    guarded(255).expect(202);
    let past = guarded(256);
    assert_eq!((past.status, past.code()), (400, "invalid_idempotency_key"));
    let environment = |slug: &str| {
        let body = json!({"slug": slug, "title": "T", "contracts": ["standard"]});
        shop.api.post("/v1/environments", &body)
    };
    environment(&"e".repeat(63)).expect(201);
    for slug in ["", "UPPER", "a_b", &"e".repeat(64)] {
        refused(&environment(slug), 422, "invalid_environment", "slug");
    }
    assert!(matches!(environment("shop").code(), "already_exists" | "invalid_environment"));
}

#[test]
fn a_tenant_has_a_thousand_endpoints_and_an_event_matches_as_many() {
    let shop = Shop::open();
    let body = endpoint("types", json!(["wide"]));
    let create = || shop.api.post("/v1/tenants/acme/endpoints", &body);
    for _ in 0..1000 {
        create().expect(201);
    }
    let past = create();
    assert_eq!((past.status, past.code()), (409, "too_many_endpoints"));
    // All at once: example.com is not there, and that is not the point.
    assert_eq!(shop.publish("wide", &json!(1))["endpoints"], 1000);
}

#[test]
fn a_body_that_is_not_json_is_refused_whole() {
    let shop = Shop::open();
    let post = |body: &str| shop.api.call("POST", "/v1/events", Some(body.as_bytes()));
    for body in [
        "",
        "{",
        "nonsense",
        "[1",
        r#"{"tenant":"acme","type":"a","data":1}}"#,
        r#"["acme","a","one",null,null,null,null,1]"#,
        "{'a':1}",
        "\u{feff}{}",
    ] {
        let answer = post(body);
        assert!(matches!(answer.code(), "invalid_json" | "missing_field"), "{}", answer.body);
        assert!(matches!(answer.status, 400 | 422), "{body}: {}", answer.status);
    }
    let bytes = shop.api.call("POST", "/v1/events", Some(b"{\"tenant\":\"\xff\xfe\"}"));
    assert_eq!((bytes.status, bytes.code()), (400, "invalid_json"));
    let plain = shop.api.with("content-type", "text/plain");
    let answer = plain.post("/v1/events", &event("data", json!(1)));
    assert_eq!((answer.status, answer.code()), (415, "unsupported_media_type"));
}

#[test]
fn a_mistyped_event_is_refused_by_the_name_of_its_member() {
    let shop = Shop::open();
    let rows = [
        (json!({"type": "a", "data": 1}), "missing_field", "tenant"),
        (json!({"tenant": "acme", "data": 1}), "missing_field", "type"),
        (json!({"tenant": "acme", "type": "a"}), "missing_field", "data"),
        (event("type", json!(7)), "invalid_field", "type"),
        (event("type", json!("")), "invalid_event_type", "type"),
        (event("type", json!("a b")), "invalid_event_type", "type"),
        (event("type", json!("ä")), "invalid_event_type", "type"),
        (event("id", json!("evt_mine")), "invalid_event_id", "id"),
        (event("id", json!("a.b")), "invalid_event_id", "id"),
        (event("id", json!({})), "invalid_field", "id"),
        (event("time", json!("yesterday")), "invalid_field", "time"),
        (event("subject", json!("a\nb")), "invalid_field", "subject"),
        (event("attributes", json!(["a"])), "invalid_field", "attributes"),
        (event("attributes", json!({"a": 1})), "invalid_field", "attributes.a"),
        (event("priority", json!(1)), "unknown_field", "priority"),
    ];
    for (body, code, field) in rows {
        refused(&shop.try_publish(&body), 422, code, field);
    }
    let nobody = shop.try_publish(&event("tenant", json!("nobody")));
    assert_eq!((nobody.status, nobody.code()), (404, "tenant_not_found"));
    assert_eq!(shop.api.list("/v1/events?tenant=acme"), Vec::<Value>::new());
}

#[test]
fn a_malformed_endpoint_is_refused_by_the_name_of_its_member() {
    let shop = Shop::open();
    for (body, code, field) in malformed_endpoints() {
        let answer = shop.api.post("/v1/tenants/acme/endpoints", &body);
        refused(&answer, 422, code, field);
    }
    let left = shop.api.list("/v1/endpoints?tenant=acme");
    assert_eq!(left, Vec::<Value>::new());
}

fn malformed_endpoints() -> [(Value, &'static str, &'static str); 15] {
    [
        (json!({"types": ["a"]}), "missing_field", "url"),
        (endpoint("url", json!("not a url")), "invalid_url", "url"),
        (endpoint("url", json!("ftp://example.com/")), "invalid_url", "url"),
        (endpoint("url", json!("https://user:pw@example.com/")), "invalid_url", "url"),
        (endpoint("url", json!("https://example.com/#part")), "invalid_url", "url"),
        (endpoint("types", json!("a")), "invalid_field", "types"),
        (endpoint("types", json!(["a", "b*"])), "invalid_subscription", "types[1]"),
        (endpoint("types", json!(["a", 1])), "invalid_field", "types[1]"),
        (endpoint("headers", json!({"bad header": "v"})), "invalid_header", "headers.bad header"),
        (endpoint("headers", json!({"x-a": "a\r\nb: c"})), "invalid_header", "headers.x-a"),
        (endpoint("contract", json!("unheard")), "unknown_contract", "contract"),
        (endpoint("secret", json!("short")), "invalid_secret", "secret"),
        (endpoint("delivery", json!({"timeout": "soon"})), "invalid_field", "delivery.timeout"),
        (endpoint("delivery", json!({"retrys": []})), "unknown_field", "delivery.retrys"),
        (endpoint("colour", json!("red")), "unknown_field", "colour"),
    ]
}

#[test]
fn unknown_ids_parameters_paths_and_methods_are_told_apart() {
    let (shop, receiver) = (Shop::open(), Receiver::kind());
    let real = shop.endpoint_for_all(&receiver.url("/"), &[]);
    let zero = "0".repeat(26);
    let unknown = [
        shop.api.get(&format!("/v1/endpoints/ep_{zero}")),
        shop.api.get("/v1/endpoints/nonsense"),
        shop.api.get(&format!("/v1/endpoints/{}x", text(&real, "id"))),
        shop.api.get(&format!("/v1/events/evt_{zero}?tenant=acme")),
        shop.api.get("/v1/events/own-unknown?tenant=acme"),
        shop.api.get(&format!("/v1/deliveries/dlv_{zero}")),
        shop.api.post(&format!("/v1/deliveries/dlv_{zero}/retry"), &json!({})),
        shop.api.delete(&format!("/v1/keys/key_{zero}")),
        shop.api.get("/v1/no/such/path"),
    ];
    for answer in unknown {
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{}", answer.body);
    }
}

#[test]
fn a_bad_parameter_is_refused_by_its_name_and_a_wrong_method_by_its_status() {
    let shop = Shop::open();
    for (query, code) in [
        ("limit=0", "invalid_parameter"),
        ("limit=251", "invalid_parameter"),
        ("limit=x", "invalid_parameter"),
        ("state=lost", "invalid_parameter"),
        ("after=yesterday", "invalid_parameter"),
        ("colour=red", "invalid_parameter"),
        ("cursor=nonsense", "invalid_cursor"),
    ] {
        let answer = shop.api.get(&format!("/v1/deliveries?tenant=acme&{query}"));
        let field = query.split('=').next();
        assert_eq!((answer.status, answer.code(), answer.field()), (400, code, field), "{query}");
    }
    assert_eq!(shop.api.get("/v1/deliveries?tenant=acme&limit=250").status, 200);
    let method = shop.api.delete("/v1/events");
    assert_eq!((method.status, method.code()), (405, "method_not_allowed"));
}
