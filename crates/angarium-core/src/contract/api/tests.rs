//! Routes found, requests read, answers printed: by the built-in contracts and by invented ones.

use super::*;
use crate::contract::{Contract, ContractLibrary};
use crate::endpoint::{EndpointConfig, EndpointHealth};
use crate::event::{DataKind, Event, EventType, NewEvent};
use crate::id::{EndpointId, EventKey, SigningKeyId, TenantNo};
use crate::limits::Limits;
use crate::outcome::Class;
use crate::refusal::{Code, Refusal};
use crate::secret::{SecretText, SigningKey};
use crate::subscription::Subscription;
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

mod sources;

const NOW: Timestamp = Timestamp::from_millis(1_776_686_400_250);

fn contract(name: &str) -> Arc<Contract> {
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    Arc::clone(library.get(name).expect("a built-in contract"))
}

fn endpoint(subjects: Option<Vec<String>>) -> EndpointConfig {
    let types = ["verdict.new".to_owned(), "a.*".to_owned()];
    EndpointConfig::new(
        EndpointId::from_parts(NOW, [7; 10]),
        TenantNo::new(1),
        "x".into(),
        "https://a.example/h".into(),
        Subscription::try_new(&types, subjects, vec![], &Limits::default()).expect("types"),
        NOW,
    )
}

fn route<'a>(api: &'a ManagementApi, method: Method, path: &'a str) -> &'a Route {
    match api.find(&method, path) {
        Found::Route(route, ..) => route,
        other => panic!("{method} {path}: {other:?}"),
    }
}

fn printed(api: &ManagementApi, route: &Route, subject: &Subject<'_>) -> String {
    String::from_utf8(api.print(route, subject).expect("a response")).expect("UTF-8")
}

#[test]
fn a_path_without_id_is_found_before_one_with() {
    let contract = contract("aioka");
    let api = contract.api().expect("an api");
    let test = route(api, Method::POST, "/v1/webhooks/test");
    assert_eq!(test.operation, Operation::EndpointTest);
    match api.find(&Method::DELETE, "/v1/webhooks/wh_1") {
        Found::Route(route, _, id) => {
            assert_eq!((route.operation, id), (Operation::EndpointDelete, Some("wh_1")));
        }
        other => panic!("{other:?}"),
    }
    let allowed = match api.find(&Method::PUT, "/v1/webhooks") {
        Found::WrongMethod(methods) => methods,
        other => panic!("{other:?}"),
    };
    assert_eq!(allowed, [&Method::POST, &Method::GET]);
    for nothing in ["/v1/webhooks/", "/v1", "", "/v1/webhooks/a/b", "v1/webhooks"] {
        assert!(matches!(api.find(&Method::GET, nothing), Found::Nothing), "{nothing}");
    }
}

#[test]
fn an_answer_has_exactly_the_printed_members_in_their_order() {
    let (contract, config) = (contract("aioka"), endpoint(None));
    let api = contract.api().expect("an api");
    let create = route(api, Method::POST, "/v1/webhooks");
    let secret = SecretText::new("whsec_1");
    let facts =
        EndpointFacts { config: &config, health: EndpointHealth::default(), secret: Some(&secret) };
    let id = api.id.show(config.id);
    assert!(id.starts_with("wh_") && id.len() == 29, "{id}");
    let members = r#""url":"https://a.example/h","events":["verdict.new","a.*"]"#;
    let end = r#""is_active":true,"created_at":"2026-04-20T12:00:00Z"}"#;
    let made = format!(r#"{{"id":"{id}",{members},"secret":"whsec_1",{end}"#);
    assert_eq!(printed(api, create, &Subject::Endpoint(facts)), made);

    let list = route(api, Method::GET, "/v1/webhooks");
    let facts = EndpointFacts { secret: None, ..facts };
    let listed = format!(r#"{{"webhooks":[{{"id":"{id}",{members},{end}]}}"#);
    assert_eq!(printed(api, list, &Subject::Endpoints(&[facts])), listed);
    assert_eq!(printed(api, list, &Subject::Endpoints(&[])), r#"{"webhooks":[]}"#);
}

#[test]
fn an_id_is_found_by_the_contracts_form_and_by_its_type_id() {
    let id = EndpointId::from_parts(NOW, [9; 10]);
    for text in ["{typeid}", "{uuid}", "wh_{base32}", "hook-{hex}-x"] {
        let form = IdForm::parse_template(text).expect("a form");
        let shown = form.show(id);
        assert_eq!(form.parse(&shown), Some(id), "{shown}");
        assert_eq!(form.parse(&id.to_string()), Some(id));
        assert_eq!(form.parse::<EndpointId>(&shown.to_uppercase()), None, "{shown}");
        assert_eq!(form.parse::<EndpointId>(""), None);
    }
    for bad in ["wh_", "{uuid}{hex}", "{id}", "a/{uuid}", "a b{uuid}", "{uuid"] {
        assert!(IdForm::parse_template(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_word_for_all_stands_for_an_absent_value_both_ways() {
    let contract = contract("anduin");
    let api = contract.api().expect("an api");
    let create = route(api, Method::POST, "/api/v2/webhooks");
    let read = |fund_subscriptions: Value| {
        let body = json!({"url": "u", "events": ["a"], "fundSubscriptions": fund_subscriptions});
        let members = body.as_object().expect("an object");
        create.request.read(members, create.operation.bounds().needed).map(|f| f.subjects)
    };
    assert_eq!(read(json!("*")), Ok(Given::Cleared));
    assert_eq!(read(json!(null)), Ok(Given::Cleared));
    assert_eq!(read(json!(["fs_1"])), Ok(Given::Value(vec!["fs_1".into()])));
    assert!(read(json!("all")).is_err());

    let show = |config: &EndpointConfig| {
        let facts = EndpointFacts { config, health: EndpointHealth::default(), secret: None };
        let text = printed(api, create, &Subject::Endpoint(facts));
        serde_json::from_str::<Value>(&text).expect("JSON")["fundSubscriptions"].clone()
    };
    assert_eq!(show(&endpoint(None)), json!("*"));
    assert_eq!(show(&endpoint(Some(vec!["fs_1".into()]))), json!(["fs_1"]));
}

#[test]
fn a_request_is_refused_by_the_member_at_fault() {
    let contract = contract("anduin-legacy");
    let api = contract.api().expect("an api");
    let create = route(api, Method::POST, "/api/v1/webhooks");
    let rows = [
        (json!({"events": ["a"]}), Code::MissingField, "url"),
        (json!({"url": null, "events": ["a"]}), Code::MissingField, "url"),
        (json!({"url": 1, "events": ["a"]}), Code::InvalidField, "url"),
        (json!({"url": "u", "events": "a"}), Code::InvalidField, "events"),
        (json!({"url": "u", "events": ["a", 1]}), Code::InvalidField, "events[1]"),
        (json!({"url": "u", "events": ["a"], "isActive": "yes"}), Code::InvalidField, "isActive"),
        (json!({"url": "u", "events": ["a"], "types": []}), Code::UnknownField, "types"),
    ];
    for (body, code, field) in rows {
        let members = body.as_object().expect("an object");
        let refusal = create.request.read(members, create.operation.bounds().needed);
        let refusal = refusal.expect_err("refused");
        assert_eq!((refusal.code, refusal.field.as_deref()), (code, Some(field)), "{body}");
    }
    let native = Refusal::field(Code::InvalidSubscription, "types[1]", "no");
    let own = create.request.in_own_words(native);
    assert_eq!(own.field.as_deref(), Some("events[1]"));
}

#[test]
fn keys_are_shown_with_null_where_the_page_says_so() {
    let contract = contract("aleta");
    let api = contract.api().expect("an api");
    let list = route(api, Method::GET, "/v2/webhooks/keys");
    let key = |byte: u8, retired_at| SigningKey {
        id: SigningKeyId::from_bytes([byte; 16]),
        secret: SecretText::new(format!("whsec_{byte}")),
        created_at: NOW,
        retired_at,
        signs_until: None,
    };
    let keys = [key(2, None), key(1, Some(NOW))];
    let shown = printed(api, list, &Subject::Keys { keys: &keys, secret: None });
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["keys"][0]["status"], "active");
    assert_eq!(shown["keys"][0]["retired_at"], Value::Null);
    assert_eq!(shown["keys"][1]["retired_at"], "2026-04-20T12:00:00Z");
    assert_eq!(shown["keys"][1]["secret"], "whsec_1");
}

/// An event that waits for nothing, with an ordering key or without.
fn event(ordering_key: Option<&str>) -> Event {
    Event {
        key: EventKey::first_at(NOW),
        tenant: TenantNo::new(1),
        sequence: 1,
        accepted_at: NOW,
        body: Arc::new(NewEvent {
            own_id: Some("breach-1".into()),
            kind: EventType::from_stored("limit.breached"),
            time: None,
            subject: Some("acme".into()),
            ordering_key: ordering_key.map(Into::into),
            attributes: vec![],
            data: "{}".into(),
            data_kind: DataKind::Json,
        }),
    }
}

#[test]
fn each_list_of_the_diagnostics_is_filled_from_the_objects_whose_facts_stand_in_it() {
    let (contract, config) = (contract("aleta"), endpoint(None));
    let api = contract.api().expect("an api");
    let diagnostics = route(api, Method::GET, "/v2/webhooks/diagnostics");
    assert_eq!(diagnostics.operation, Operation::DiagnosticsShow);
    let health = EndpointHealth {
        consecutive_failures: 2,
        last_failure_at: Some(NOW),
        last_failure_class: Some(Class::Timeout),
        ..EndpointHealth::default()
    };
    let (with, without) = (event(Some("re_1")), event(None));
    let letter = |event, class, status| DeadLetter {
        event,
        endpoint: config.id,
        died_at: NOW,
        attempts: 3,
        class,
        status,
    };
    let shown = Subject::Diagnostics {
        endpoints: &[EndpointFacts { config: &config, health, secret: None }],
        dead_letters: &[
            letter(&with, Some(Class::ServerError), Some(500)),
            letter(&without, None, None),
        ],
    };
    let id = api.id.show(config.id);
    let failure = r#"{"at":"2026-04-20T12:00:00Z","status":null,"cause":"timeout"}"#;
    let counts = r#""consecutive_failures":2,"last_success_at":null"#;
    let head = format!(r#""id":"{id}","url":"https://a.example/h","status":"active""#);
    let of_endpoint = format!(r#"{{{head},{counts},"last_failure":{failure}}}"#);
    let dead = |entity: &str, cause: &str| {
        let event = r#""event_id":"breach-1","type":"limit.breached""#;
        let died = r#""died_at":"2026-04-20T12:00:00Z","attempts":3"#;
        let of_event = format!(r#"{event},"reporting_entity_id":{entity}"#);
        format!(r#"{{{of_event},"endpoint_id":"{id}",{died},"cause":{cause}}}"#)
    };
    let dead = [dead("\"re_1\"", "\"server_error\""), dead("null", "null")].join(",");
    let expected = format!(r#"{{"endpoints":[{of_endpoint}],"dead_letters":[{dead}]}}"#);
    assert_eq!(printed(api, diagnostics, &shown), expected);
    let nothing = Subject::Diagnostics { endpoints: &[], dead_letters: &[] };
    let expected = r#"{"endpoints":[],"dead_letters":[]}"#;
    assert_eq!(printed(api, diagnostics, &nothing), expected);
}

#[test]
fn an_error_has_the_contracts_shape() {
    let contract = contract("aioka");
    let api = contract.api().expect("an api");
    let refusal = Refusal::whole(Code::NotFound, "no \"such\" webhook");
    let answer = api.print_error(&refusal).expect("a shape");
    assert_eq!(answer.status, 404);
    let body = r#"{"error":{"code":"not_found","message":"no \"such\" webhook"}}"#;
    assert_eq!(String::from_utf8_lossy(&answer.body), body);
    let refusal = Refusal::field(Code::MissingField, "url", "this member is needed");
    let answer = api.print_error(&refusal).expect("a shape");
    let body = r#"{"error":{"code":"missing_field","message":"url: this member is needed"}}"#;
    assert_eq!(String::from_utf8_lossy(&answer.body), body);
}

#[test]
fn calls_that_two_contracts_share_collide_and_others_do_not() {
    let (aioka, legacy, new) = (contract("aioka"), contract("anduin-legacy"), contract("anduin"));
    let (aioka, legacy, new) = (aioka.api(), legacy.api(), new.api());
    let (aioka, legacy, new) = (aioka.expect("api"), legacy.expect("api"), new.expect("api"));
    assert!(collision(legacy, new).is_none() && collision(aioka, new).is_none());
    let call = collision(aioka, aioka).expect("the same calls");
    assert_eq!(call.to_string(), "POST /v1/webhooks");
}
