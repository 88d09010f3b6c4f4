//! Sources under Alumia's contract: records to the letter, requests in all their forms, and how
//! third parties sign.

use super::{NOW, contract, event, printed, route};
use crate::contract::api::*;
use crate::contract::{Contract, LibraryRule};
use crate::delivery::DeliveryState;
use crate::endpoint::EndpointStatus;
use crate::event::{DataKind, Event, NewEvent};
use crate::id::{DeliveryKey, EndpointId, EndpointNo, EventId, EventKey, SourceId, TenantNo};
use crate::limits::Limits;
use crate::refusal::Code;
use crate::scheme::{Incoming, SchemeLibrary, Verified, Verifier};
use crate::secret::SecretText;
use crate::source::{DEDUPE_SECONDS, Forward, SchemeChoice, SourceConfig, SourceStatus};
use crate::subscription::TypePattern;
use crate::time::Timestamp;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};
use serde_json::{Value, json};
use std::sync::Arc;

const RECEIVE_URL: &str = "https://alumia.example/api/v1/webhooks/receive/1";
/// 24 bytes, after their prefix.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn source() -> SourceConfig {
    let limits = Limits::default();
    SourceConfig {
        id: SourceId::from_parts(NOW, [7; 10]),
        tenant: TenantNo::new(1),
        name: "Stripe events".into(),
        scheme: SchemeChoice::Named("custom".into()),
        types: vec![TypePattern::try_new("payment_intent.succeeded", &limits).expect("a type")],
        contract: Some("alumia".into()),
        forward: Forward { endpoint: EndpointId::from_parts(NOW, [1; 10]), url: None },
        headers: Vec::new(),
        dedupe_seconds: DEDUPE_SECONDS,
        reply: None,
        description: None,
        status: SourceStatus::Active,
        created_at: NOW,
        updated_at: NOW,
        keys: Vec::new(),
    }
}

fn facts(config: &SourceConfig) -> SourceFacts<'_> {
    SourceFacts {
        config,
        receive_url: RECEIVE_URL,
        secret: None,
        deliveries: 0,
        last_delivery_at: None,
    }
}

/// JSON without the space that makes it readable.
fn compact(text: &str) -> String {
    serde_json::from_str::<Value>(text).expect("JSON").to_string()
}

fn api(contract: &Contract) -> &ManagementApi {
    contract.api().expect("an api")
}

#[test]
fn a_record_has_exactly_the_printed_members_in_their_order() {
    let (contract, mut config) = (contract("alumia"), source());
    let api = api(&contract);
    let id = api.id.show(config.id);
    assert_eq!(id.len(), 36, "{id}");
    let record = |url: &str, own: &str, counts: &str, secret: &str| {
        let at = "2026-04-20T12:00:00.250Z";
        compact(&format!(
            r#"{{
                "id": "{id}", "name": "Stripe events", "url": "{url}", "source": "custom",
                {own}, {counts}, "createdAt": "{at}", "updatedAt": "{at}",
                "receiveUrl": "{RECEIVE_URL}" {secret}
            }}"#
        ))
    };
    let own = r#""description": null, "events": ["payment_intent.succeeded"],
        "status": "active", "enabled": true"#;
    let counts = r#""deliveryCount": 0, "lastDeliveryAt": null"#;
    let list = route(api, Method::GET, "/api/v1/webhooks");
    let listed = format!("[{}]", record(RECEIVE_URL, own, counts, ""));
    assert_eq!(printed(api, list, &Subject::Sources(&[facts(&config)])), listed);
    assert_eq!(printed(api, list, &Subject::Sources(&[])), "[]");

    let url = "https://mine.example/in";
    config.forward.url = Some(url.into());
    config.status = SourceStatus::Paused;
    config.types = Vec::new();
    config.description = Some("d".into());
    let secret = SecretText::new(SECRET);
    let made = SourceFacts {
        secret: Some(&secret),
        deliveries: 3,
        last_delivery_at: Some(NOW),
        ..facts(&config)
    };
    let own = r#""description": "d", "events": [], "status": "paused", "enabled": false"#;
    let counts = r#""deliveryCount": 3, "lastDeliveryAt": "2026-04-20T12:00:00.250Z""#;
    let expected = record(url, own, counts, &format!(r#", "secret": "{SECRET}""#));
    for (method, path) in
        [(Method::POST, "/api/v1/webhooks"), (Method::POST, "/api/v1/webhooks/x/rotate")]
    {
        assert_eq!(printed(api, route(api, method, path), &Subject::Source(made)), expected);
    }
    let delete = route(api, Method::DELETE, "/api/v1/webhooks/x");
    assert_eq!(printed(api, delete, &Subject::Nothing), r#"{"deleted":true}"#);
}

#[test]
fn a_source_is_found_by_the_contracts_form_and_by_its_type_id() {
    let contract = contract("alumia");
    let (form, id) = (&api(&contract).id, SourceId::from_parts(NOW, [9; 10]));
    assert_eq!(form.parse(&form.show(id)), Some(id));
    assert_eq!(form.parse(&id.to_string()), Some(id));
    let endpoint = EndpointId::from_parts(NOW, [9; 10]);
    assert_eq!(form.parse::<SourceId>(&endpoint.to_string()), None);
}

fn received(kind: DataKind, data: &'static [u8]) -> Event {
    let event = event(None);
    let body =
        NewEvent { data: Bytes::from_static(data), data_kind: kind, ..(*event.body).clone() };
    Event { body: Arc::new(body), ..event }
}

#[test]
fn what_was_received_is_told_as_json_or_as_text_and_how_it_went_on() {
    let (contract, config) = (contract("alumia"), source());
    let api = api(&contract);
    let of = |event| ReceivedEvent {
        event,
        source: config.id,
        source_name: &config.name,
        is_gone: false,
    };
    let (json, text) = (received(DataKind::Json, b"{\"a\":1}"), received(DataKind::Text, b"a=1"));
    let id = api.id.show(config.id);
    let told = |name: &str, payload: &str| {
        compact(&format!(
            r#"{{
                "id": "breach-1", "webhookId": "{id}", {name} "type": "limit.breached",
                "payload": {payload}, "receivedAt": "2026-04-20T12:00:00.250Z"
            }}"#
        ))
    };
    let events = route(api, Method::GET, "/api/v1/webhooks/x/events");
    let both = format!("[{},{}]", told("", r#"{"a":1}"#), told("", r#""a=1""#));
    assert_eq!(printed(api, events, &Subject::Received(&[of(&json), of(&text)])), both);
    let gone = ReceivedEvent { is_gone: true, ..of(&text) };
    let without = format!("[{}]", told("", "null"));
    assert_eq!(printed(api, events, &Subject::Received(&[gone])), without);
    let recent = route(api, Method::GET, "/api/v1/webhooks/events");
    let named = format!("[{}]", told(r#""webhookName":"Stripe events","#, r#""a=1""#));
    assert_eq!(printed(api, recent, &Subject::Received(&[of(&text)])), named);

    let waiting = ForwardDelivery {
        key: DeliveryKey::first(EventKey::first_at(NOW), EndpointNo::new(1)),
        event: EventId::Own("in-1".into()),
        state: DeliveryState::Pending,
        attempts: 0,
        answer_status: None,
        answer_body: None,
        created_at: NOW,
        delivered_at: None,
    };
    let arrived = ForwardDelivery {
        state: DeliveryState::Delivered,
        attempts: 3,
        answer_status: Some(200),
        answer_body: Some(Bytes::from_static(b"ok")),
        delivered_at: Some(NOW),
        ..waiting.clone()
    };
    let key = waiting.key;
    let told = |status: &str, retries: u16, answer: &str, arrived: &str| {
        compact(&format!(
            r#"{{
                "id": "{key}", "eventId": "in-1", "status": "{status}", "retryCount": {retries},
                {answer}, "createdAt": "2026-04-20T12:00:00.250Z", "deliveredAt": {arrived}
            }}"#
        ))
    };
    let none = r#""responseStatus": null, "responseBody": null"#;
    let ok = r#""responseStatus": 200, "responseBody": "ok""#;
    let expected = [
        told("pending", 0, none, "null"),
        told("delivered", 2, ok, r#""2026-04-20T12:00:00.250Z""#),
    ];
    let deliveries = route(api, Method::GET, "/api/v1/webhooks/x/deliveries");
    let shown = printed(api, deliveries, &Subject::Forwards(&[waiting, arrived]));
    assert_eq!(shown, format!("[{}]", expected.join(",")));
}

#[test]
fn a_receive_and_a_verdict_answer_what_the_page_says() {
    let contract = contract("alumia");
    let api = api(&contract);
    let id = EventId::Own("in-1".into());
    for path in ["receive/x", "linear", "test"] {
        let route = route(api, Method::POST, &*format!("/api/v1/webhooks/{path}").leak());
        assert_eq!(route.status, 202);
        let known = printed(api, route, &Subject::Accepted(Some(&id)));
        assert_eq!(known, r#"{"received":true,"eventId":"in-1"}"#);
        let unwanted = printed(api, route, &Subject::Accepted(None));
        assert_eq!(unwanted, r#"{"received":true,"eventId":null}"#);
    }
    let verify = route(api, Method::POST, "/api/v1/webhooks/verify");
    let verdict = |verdict| printed(api, verify, &Subject::Verdict(verdict));
    assert_eq!(verdict(RequestVerdict::Genuine), r#"{"valid":true,"reason":null}"#);
    assert_eq!(verdict(RequestVerdict::Rejected("no")), r#"{"valid":false,"reason":"no"}"#);
}

#[test]
fn a_request_says_what_a_source_is_and_is_refused_by_the_member_at_fault() {
    let contract = contract("alumia");
    let api = api(&contract);
    let read = |method: Method, path: &'static str, body: Value| {
        let route = route(api, method, path);
        let body = body.as_object().expect("an object").clone();
        route.request.read(&body, route.operation.bounds().needed)
    };
    let fields = read(
        Method::POST,
        "/api/v1/webhooks",
        json!({"name": "n", "url": "", "source": "", "events": [" a.b", "", "a.b ", "c"]}),
    );
    let fields = fields.expect("fields");
    assert_eq!((&fields.url, &fields.scheme), (&Given::Cleared, &Given::Cleared));
    assert_eq!(fields.types, Given::Value(vec!["a.b".into(), "c".into()]));
    let webhook = "/api/v1/webhooks/x";
    for (status, enabled, read_as) in [
        (json!("active"), json!(false), EndpointStatus::Active),
        (json!("paused"), json!(true), EndpointStatus::Paused),
        (json!("disabled"), json!(true), EndpointStatus::Disabled),
    ] {
        let fields = read(Method::PATCH, webhook, json!({"status": status, "enabled": enabled}));
        assert_eq!(fields.expect("fields").status, Given::Value(read_as));
    }
    let headers = json!({"webhookId": "x", "payload": "{}", "headers": {"a": "b"}});
    let fields = read(Method::POST, "/api/v1/webhooks/verify", headers).expect("fields");
    assert_eq!(fields.received_headers, Given::Value(vec![("a".into(), "b".into())]));
    let rows = [
        (Method::POST, "/api/v1/webhooks", json!({}), Code::MissingField, "name"),
        (Method::PATCH, webhook, json!({"status": "off"}), Code::InvalidField, "status"),
        (Method::PATCH, webhook, json!({"events": [1]}), Code::InvalidField, "events[0]"),
        (Method::PATCH, webhook, json!({"id": "y"}), Code::UnknownField, "id"),
        (Method::POST, "/api/v1/webhooks/test", json!({}), Code::MissingField, "webhookId"),
        (
            Method::POST,
            "/api/v1/webhooks/verify",
            json!({"webhookId": "x", "payload": "", "headers": {"a": 1}}),
            Code::InvalidField,
            "headers.a",
        ),
    ];
    for (method, path, body, code, field) in rows {
        let refusal = read(method, path, body.clone()).expect_err("refused");
        assert_eq!((refusal.code, refusal.field.as_deref()), (code, Some(field)), "{body}");
        let answer = api.print_error(&refusal).expect("a shape");
        assert_eq!(answer.status, 400);
        assert!(answer.body.starts_with(br#"{"error":{"code":"BAD_REQUEST","#));
    }
}

#[test]
fn a_source_has_a_scheme_of_the_library_and_any_other_word_is_custom() {
    let (contract, library) = (contract("alumia"), SchemeLibrary::built_in().expect("schemes"));
    let rules = contract.sources();
    assert_eq!(rules.library, LibraryRule::Any);
    for (named, meant) in [
        ("stripe", "stripe"),
        ("GitHub", "github"),
        (" linear ", "linear"),
        ("custom", "custom"),
        ("", "custom"),
        ("our own shop", "custom"),
    ] {
        let scheme = rules.meant(named, &library).expect("a scheme");
        assert_eq!(scheme.name(), meant, "{named}");
    }
}

/// A request with these headers, verified as one of the custom scheme.
fn custom(headers: &[(&str, &str)], body: &str, now: Timestamp) -> Result<Verified, &'static str> {
    let contract = contract("alumia");
    let scheme = contract.sources().meant("custom", &SchemeLibrary::default()).expect("custom");
    let verifier = Verifier::prepare(scheme, &[SecretText::new(SECRET)]);
    let header = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"))
    };
    let headers: HeaderMap = headers.iter().map(header).collect();
    let incoming = Incoming {
        method: &Method::POST,
        url: RECEIVE_URL,
        headers: &headers,
        body: body.as_bytes(),
    };
    verifier.verify(incoming, now).map_err(|cause| cause.code())
}

fn mac(key: &[u8], content: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), content.as_bytes())
}

/// As the page's own header has it: the secret's text is the key.
fn own_signature(body: &str) -> String {
    format!("sha256={}", hex::encode(mac(SECRET.as_bytes(), body)))
}

/// As Standard Webhooks has it: the secret is decoded after its prefix.
fn standard_signature(id: &str, body: &str) -> String {
    let key = STANDARD.decode(&SECRET["whsec_".len()..]).expect("base64");
    let content = format!("{id}.{}.{body}", NOW.as_seconds());
    format!("v1,{}", STANDARD.encode(mac(&key, &content)))
}

#[test]
fn a_custom_source_accepts_its_own_signature_and_standard_webhooks() {
    let body = r#"{"type":"a.b","id":"e1"}"#;
    let own = own_signature(body);
    let verified = custom(&[("X-Alumia-Signature", &own)], body, NOW).expect("genuine");
    assert_eq!((verified.kind.as_deref(), verified.id.as_deref()), (Some("a.b"), Some("e1")));
    let (seconds, standard) = (NOW.as_seconds().to_string(), standard_signature("m1", body));
    let headers =
        [("webhook-id", "m1"), ("webhook-timestamp", &*seconds), ("webhook-signature", &*standard)];
    assert_eq!(custom(&headers, body, NOW).expect("genuine").id.as_deref(), Some("m1"));
    // The page's own signature has no time; that of Standard Webhooks is of now.
    let later = NOW + std::time::Duration::from_secs(301);
    assert_eq!(custom(&headers, body, later), Err("too_old"));
    assert!(custom(&[("X-Alumia-Signature", &own)], body, later).is_ok());
    let upper = own.to_uppercase();
    for (headers, cause) in [
        (&[][..], "no_signature"),
        (&[("X-Alumia-Signature", "sha256=")], "malformed_signature"),
        (&[("X-Alumia-Signature", &own[7..])], "malformed_signature"),
        (&[("X-Alumia-Signature", &own[..own.len() - 2])], "wrong_signature"),
        (&[("X-Alumia-Signature", &*upper)], "malformed_signature"),
        (&[("webhook-signature", &*standard), ("webhook-id", "m1")], "no_timestamp"),
    ] {
        assert_eq!(custom(headers, body, NOW), Err(cause), "{headers:?}");
    }
    assert_eq!(custom(&[("X-Alumia-Signature", &own)], "{}", NOW), Err("wrong_signature"));
}

#[test]
fn a_custom_source_knows_types_and_repeats_where_they_are_signed() {
    let signed = |headers: &[(&str, &str)], body: &str| {
        let signature = own_signature(body);
        let own = [("X-Alumia-Signature", &*signature)];
        custom(&[headers, &own].concat(), body, NOW).expect("genuine")
    };
    for (headers, body, kind) in [
        (&[][..], r#"{"type":"a","event":"b"}"#, Some("a")),
        (&[("X-Event-Type", "c")], r#"{"event":"b"}"#, Some("b")),
        (&[("X-Event-Type", "c")], "a=1", Some("c")),
        (&[], "a=1", None),
    ] {
        assert_eq!(signed(headers, body).kind.as_deref(), kind, "{body}");
    }
    let known = |headers: &[(&str, &str)], body: &str| signed(headers, body).known_by;
    // The body's own id is signed: another body with it is the same event, whatever else is sent.
    let once = known(&[], r#"{"id":"e1","n":1}"#);
    assert_eq!(once, known(&[("X-Event-Id", "e2")], r#"{"id":"e1","n":2}"#));
    assert_ne!(once, known(&[], r#"{"id":"e2","n":1}"#));
    // A header's is not: who repeats a request could choose another.
    let once = known(&[("X-Event-Id", "e1")], "a=1");
    assert_eq!(once, known(&[("X-Event-Id", "e2")], "a=1"));
    assert_ne!(once, known(&[("X-Event-Id", "e1")], "a=2"));
    assert_eq!(signed(&[("X-Event-Id", "e1")], "a=1").id.as_deref(), Some("e1"));
}
