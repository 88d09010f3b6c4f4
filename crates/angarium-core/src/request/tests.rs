//! What is sent, byte for byte.

mod verified;

use super::*;
use crate::contract::{Contract, ContractLibrary};
use crate::endpoint::{DeliveryOverride, EndpointAuth, EndpointConfig, EndpointSecrets, PlainHttp};
use crate::event::{DataKind, EventType, NewEvent};
use crate::id::{EndpointId, EventKey, SigningKeyId, TenantNo};
use crate::limits::Limits;
use crate::refusal::Code;
use crate::secret::{SecretText, SigningKey};
use crate::subscription::Subscription;
use std::time::Duration;

/// The time of the Standard Webhooks specification's example.
const NOW: Timestamp = Timestamp::from_millis(1_614_265_330_000);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SEED: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

fn contract(name: &str) -> Arc<Contract> {
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    Arc::clone(library.get(name).expect(name))
}

fn written(request: &str) -> Arc<Contract> {
    let text = format!(
        "contract = \"x\"\ntitle = \"X\"\n[events.a]\ndescription = \"\"\nexample = 1\n{request}\n\
         [delivery]\ntimeout = \"1s\"\nretries = []\n[endpoint]\nschemes = [\"https\"]\n"
    );
    Arc::new(Contract::parse("x.toml", &text, &Limits::default()).expect("a contract"))
}

fn key(secret: &str) -> SigningKey {
    SigningKey {
        id: SigningKeyId::from_bytes([1; 16]),
        secret: SecretText::new(secret),
        created_at: NOW,
        retired_at: None,
        signs_until: None,
    }
}

fn config(secrets: &[&str]) -> EndpointConfig {
    EndpointConfig {
        secrets: EndpointSecrets {
            keys: secrets.iter().map(|secret| key(secret)).collect(),
            ..EndpointSecrets::default()
        },
        ..EndpointConfig::new(
            EndpointId::from_bytes([2; 16]),
            TenantNo::new(1),
            String::new(),
            "https://example.com/in".into(),
            Subscription::default(),
            NOW,
        )
    }
}

fn prepare(config: EndpointConfig, contract: Arc<Contract>) -> Result<Endpoint, Code> {
    let limits = Limits::default();
    Endpoint::prepare(config, contract, &limits, PlainHttp::Allowed).map_err(|no| no.code)
}

fn event(kind: &str, data: &'static str) -> Event {
    Event {
        key: EventKey::new(1),
        tenant: TenantNo::new(1),
        sequence: 1,
        accepted_at: NOW,
        body: Arc::new(NewEvent {
            own_id: Some("msg_p5jXN8AQM9LWM0D4loKWxJek".into()),
            kind: EventType::from_stored(kind),
            time: Some("2026-04-20T14:32:00Z".into()),
            subject: None,
            ordering_key: None,
            attributes: vec![],
            data: Bytes::from_static(data.as_bytes()),
            data_kind: DataKind::Json,
        }),
    }
}

fn with(event: &Event, change: impl FnOnce(&mut NewEvent)) -> Event {
    let mut body = NewEvent::clone(&event.body);
    change(&mut body);
    Event { body: Arc::new(body), ..event.clone() }
}

fn built(endpoint: &Endpoint, event: &Event) -> OutgoingRequest {
    build(endpoint, None, event, 7, NOW).expect("a request")
}

fn header<'a>(request: &'a OutgoingRequest, name: &str) -> Option<&'a str> {
    request.message.headers().get(name).map(|value| value.to_str().expect("visible ASCII"))
}

fn body(request: &OutgoingRequest) -> &str {
    std::str::from_utf8(request.message.body()).expect("UTF-8")
}

/// HMAC-SHA256 in hex, as a receiver computes it.
fn mac(key: &str, content: &str) -> String {
    use aws_lc_rs::hmac;
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    hex::encode(hmac::sign(&key, content.as_bytes()))
}

#[test]
fn the_standard_webhooks_specification_s_example_is_signed_as_printed() {
    let contract = written(
        r#"[request]
        body = "{event.data}"
        [[request.signature]]
        header = "webhook-signature"
        algorithm = "hmac-sha256"
        content = "{id}.{timestamp}.{body}"
        value = "v1,{base64}"
        key = { prefix = "whsec_", encoding = "base64", use = "bytes", bytes = 24 }
        [keys]
        scope = "endpoint""#,
    );
    let endpoint = prepare(config(&[SECRET]), contract).expect("an endpoint");
    let request = built(&endpoint, &event("a", r#"{"test": 2432232314}"#));
    assert_eq!(
        header(&request, "webhook-signature"),
        Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    );
}

#[test]
fn standard_carries_id_time_and_sequence_and_both_keys_sign_while_they_overlap() {
    let mut config = config(&[SECRET, SEED]);
    config.secrets.keys[1].retired_at = Some(NOW);
    config.secrets.keys[1].signs_until = Some(NOW + Duration::from_secs(60));
    let endpoint = prepare(config, contract("standard")).expect("an endpoint");
    let request = built(&endpoint, &event("a.b", "{ }"));
    assert_eq!(header(&request, "webhook-id"), Some("msg_p5jXN8AQM9LWM0D4loKWxJek"));
    assert_eq!(header(&request, "webhook-timestamp"), Some("1614265330"));
    assert_eq!(header(&request, "webhook-sequence"), Some("7"));
    assert_eq!(header(&request, "content-type"), Some("application/json"));
    assert_eq!(body(&request), r#"{"type":"a.b","timestamp":"2026-04-20T14:32:00Z","data":{ }}"#);
    let signatures: Vec<_> =
        header(&request, "webhook-signature").expect("signed").split(' ').collect();
    assert!(signatures[0].starts_with("v1,") && signatures.len() == 2);

    // The seed of RFC 8032, test 1, whose public key is printed there.
    let public = hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let public = public.expect("hex");
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    use base64::Engine;
    let signature = signatures[1].strip_prefix("v1a,").expect("v1a");
    let signature = base64::engine::general_purpose::STANDARD.decode(signature).expect("base64");
    let message = format!("msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{}", body(&request));
    let public = UnparsedPublicKey::new(&ED25519, public);
    assert!(public.verify(message.as_bytes(), &signature).is_ok());

    let later = NOW + Duration::from_secs(60);
    let request = build(&endpoint, None, &event("a.b", "{}"), 7, later).expect("a request");
    assert!(!header(&request, "webhook-signature").expect("signed").contains("v1a"));
}

#[test]
fn aioka_s_printed_verifier_accepts_the_delivery_and_the_envelope_is_as_printed() {
    let secret = "whsec_a1b2c3d4a1b2c3d4a1b2c3d4";
    let endpoint = prepare(config(&[secret]), contract("aioka")).expect("an endpoint");
    let data = "{ \"ruling\" : \"STRONG_BUY\",\n\t\"n\":1.10e+2, \"ü\":\"\\u00e9é\" }";
    let request = built(&endpoint, &event("verdict.new", data));
    let expected = format!(
        "{{\"event\":\"verdict.new\",\"timestamp\":\"2026-04-20T14:32:00Z\",\"data\":{data}}}"
    );
    assert_eq!(body(&request), expected);
    assert_eq!(header(&request, "x-aioka-signature"), Some(&*mac(secret, &expected)));
}

#[test]
fn aleta_signs_the_body_alone_and_with_the_time_by_the_tenant_s_key() {
    let contract = contract("aleta");
    let endpoint = prepare(config(&[]), Arc::clone(&contract)).expect("an endpoint");
    let secret = "whsec_0123456789abcdef";
    let signer = TenantSigner::prepare(&contract, &[key(secret)]).expect("a signer");
    let event = event("limit.breached", "1");
    let keyed = with(&event, |body| body.ordering_key = Some("re_1".into()));
    let request = build(&endpoint, Some(&signer), &keyed, 7, NOW).expect("a request");
    let text = body(&request);
    assert!(
        text.contains(
            r#""created_at":"2026-04-20T14:32:00Z","reporting_entity_id":"re_1","data":1}"#
        )
    );
    let expected = format!(
        "t=1614265330,v1={},v2={}",
        mac(secret, text),
        mac(secret, &format!("1614265330.{text}"))
    );
    assert_eq!(header(&request, "aleta-signature"), Some(&*expected));
    let request = build(&endpoint, Some(&signer), &event, 7, NOW).expect("a request");
    assert!(!body(&request).contains("reporting_entity_id"));
    assert_eq!(build(&endpoint, None, &event, 7, NOW).err(), Some(NotBuilt::NoKey));
}

#[test]
fn quantfolio_s_get_carries_the_event_in_the_query_and_signs_it_as_sent() {
    let secret = "a key of the customer";
    let mut config = config(&[secret]);
    config.method = Some(DeliveryMethod::Get);
    config.url = "https://example.com/in?own=1".into();
    config.secrets.auth =
        Some(EndpointAuth::Query { name: "api key".into(), value: SecretText::new("s&cret") });
    let endpoint = prepare(config, contract("quantfolio")).expect("an endpoint");
    let event = with(&event("qap.investor.created", "{\"secret\":1}"), |body| {
        body.subject = Some("inv 1/ü".into());
        body.attributes = vec![("owner_id".into(), "o&1".into())];
    });
    let request = built(&endpoint, &event);
    let shown = "/in?own=1&event_id=msg_p5jXN8AQM9LWM0D4loKWxJek&event_type=qap.investor.created\
                 &event_object_id=inv%201%2F%C3%BC&event_owner_id=o%261\
                 &event_time=2026-04-20T14%3A32%3A00Z&api%20key=***";
    assert_eq!(request.shown_target(), shown);
    let sent = shown.replace("***", "s%26cret");
    assert_eq!(request.message.uri().to_string(), sent);
    assert_eq!((request.message.method(), body(&request)), (&Method::GET, ""));
    assert_eq!(header(&request, "content-type"), None);
    let query = sent.strip_prefix("/in?").expect("a query");
    let expected = format!("sha256={}", mac(secret, query));
    assert_eq!(header(&request, "x-quantfolio-signature-256"), Some(&*expected));
}

#[test]
fn quantfolio_without_a_key_is_not_signed() {
    let endpoint = prepare(config(&[]), contract("quantfolio")).expect("an endpoint");
    let request = built(&endpoint, &event("qap.investor.deleted", "{}"));
    assert_eq!(header(&request, "x-quantfolio-signature-256"), None);
    assert!(body(&request).ends_with(r#""event_time":"2026-04-20T14:32:00Z","event_data":{}}"#));
}

#[test]
fn alumia_forwards_the_body_as_received_with_its_own_content_type() {
    let secret = "whsec_an imported one";
    let endpoint = prepare(config(&[secret]), contract("alumia")).expect("an endpoint");
    let event = with(&event("a", "a=1&b=%20"), |body| body.data_kind = DataKind::Text);
    let request = built(&endpoint, &event);
    assert_eq!(body(&request), "a=1&b=%20");
    assert_eq!(header(&request, "content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(header(&request, "x-alumia-event-type"), Some("a"));
    let expected = format!("sha256={}", mac(secret, "a=1&b=%20"));
    assert_eq!(header(&request, "x-alumia-signature"), Some(&*expected));
    let form = "application/x-www-form-urlencoded";
    let event = with(&event, |body| body.attributes = vec![("content_type".into(), form.into())]);
    assert_eq!(header(&built(&endpoint, &event), "content-type"), Some(form));
}

#[test]
fn a_source_forwards_the_body_and_the_headers_that_it_kept_and_signs_anew() {
    let secret = format!("whsec_{}", "A".repeat(43) + "=");
    let endpoint = prepare(config(&[&secret]), contract("forward")).expect("an endpoint");
    let pairs = [
        ("header.x-github-event", "push"),
        ("header.webhook-signature", "v1,theirs"),
        ("header.host", "evil.example"),
        ("header.not a name", "x"),
        ("content_type", "application/json"),
    ];
    let attributes = pairs.map(|(name, value)| (name.into(), value.into())).to_vec();
    let event = with(&event("push", "{ }"), |body| body.attributes = attributes);
    let request = built(&endpoint, &event);
    assert_eq!(body(&request), "{ }");
    assert_eq!(header(&request, "x-github-event"), Some("push"));
    assert_eq!(header(&request, "angarium-event-type"), Some("push"));
    assert_eq!(header(&request, "host"), None);
    let ours = header(&request, "webhook-signature").expect("a signature");
    assert!(ours.starts_with("v1,") && ours != "v1,theirs", "{ours}");
}

#[test]
fn facts_are_escaped_for_where_they_stand_and_absent_members_leave_no_comma() {
    let contract = written(
        r#"[request]
        headers = { X-About = "about {event.subject}" }
        [request.body]
        s = "{event.subject}"
        k = "{event.key}"
        in = { k = "{event.key}", t = "<{event.subject}> {{}}" }
        n = "{sequence}"
        l = ["{event.key}", 1]
        data = "{event.data}""#,
    );
    let endpoint = prepare(config(&[]), contract).expect("an endpoint");
    let bare = event("a", "null");
    let request = built(&endpoint, &bare);
    assert_eq!(body(&request), r#"{"in":{},"n":7,"l":[1],"data":null}"#);
    assert_eq!(header(&request, "x-about"), None);
    let full = with(&bare, |body| {
        body.subject = Some("ü\"\\\u{1}%\n".into());
        body.ordering_key = Some("k".into());
        body.data = Bytes::from_static(b"\xff\x00");
        body.data_kind = DataKind::Binary;
    });
    let request = built(&endpoint, &full);
    let parsed: serde_json::Value = serde_json::from_str(body(&request)).expect("JSON");
    let subject = "ü\"\\\u{1}%\n";
    assert_eq!(
        parsed,
        serde_json::json!({
            "s": subject, "k": "k", "in": {"k": "k", "t": format!("<{subject}> {{}}")},
            "n": 7, "l": ["k", 1], "data": "/wA="
        })
    );
    assert_eq!(header(&request, "x-about"), Some("about %C3%BC\"\\%01%25%0A"));
}

#[test]
fn authentication_and_custom_headers_are_sent_and_marked_sensitive() {
    let mut config = config(&[SECRET]);
    config.secrets.auth =
        Some(EndpointAuth::Basic { username: "u".into(), password: SecretText::new("p:q") });
    config.secrets.headers = vec![("X-A".into(), SecretText::new("1"))];
    let endpoint = prepare(config, contract("standard")).expect("an endpoint");
    let request = built(&endpoint, &event("a", "{}"));
    assert_eq!(header(&request, "authorization"), Some("Basic dTpwOnE="));
    assert_eq!(header(&request, "x-a"), Some("1"));
    for name in ["authorization", "x-a"] {
        assert!(request.message.headers()[name].is_sensitive());
    }
    assert_eq!(request.shown_target(), "/in");
}

type Change = fn(&mut EndpointConfig);

/// A contract, a change to a sound endpoint, and the code that refuses it.
const NOT_ALLOWED: &[(&str, Change, Code)] = &[
    ("aioka", |c| c.url = "http://example.com/".into(), Code::SchemeNotAllowed),
    ("standard", |c| c.method = Some(DeliveryMethod::Get), Code::InvalidField),
    ("standard", |c| c.concurrency = Some(0), Code::InvalidField),
    ("standard", |c| c.concurrency = Some(65), Code::InvalidField),
    ("standard", |c| c.secrets.keys.clear(), Code::InvalidSecret),
    ("standard", |c| c.secrets.keys[0].retired_at = Some(NOW), Code::InvalidSecret),
    ("aleta", |_| (), Code::InvalidSecret),
    ("anduin-legacy", |_| (), Code::InvalidSecret),
    ("standard", |c| c.delivery = Some(timeout("31s")), Code::InvalidField),
    ("standard", |c| c.delivery = Some(timeout("999ms")), Code::InvalidField),
    ("standard", |c| own_header(c, "Host", "x"), Code::InvalidHeader),
    ("standard", |c| own_header(c, "webhook-id", "x"), Code::InvalidHeader),
    ("standard", |c| own_header(c, "a b", "x"), Code::InvalidHeader),
    ("standard", |c| own_header(c, "X-A", "x\r\ny: z"), Code::InvalidHeader),
    ("standard", |c| own_header(c, "X-A", "ü"), Code::InvalidHeader),
    ("aioka", |c| own_header(c, "x-aioka-signature", "x"), Code::InvalidHeader),
    ("standard", |c| own_header(c, "X-A", &"x".repeat(8 * 1024 - 2)), Code::TooManyHeaders),
    ("standard", |c| (0..41).for_each(|_| own_header(c, "X-A", "x")), Code::TooManyHeaders),
];

#[test]
fn a_setting_that_is_not_allowed_is_refused_with_its_code() {
    for (row, (name, change, code)) in NOT_ALLOWED.iter().enumerate() {
        let mut config = config(&[SECRET]);
        change(&mut config);
        assert_eq!(prepare(config, contract(name)).err(), Some(*code), "row {row}");
    }
    let mut config = config(&[SECRET]);
    config.delivery = Some(timeout("30s"));
    (0..39).for_each(|_| own_header(&mut config, "X-A", "x"));
    own_header(&mut config, "X-B", &"x".repeat(8 * 1024 - 3 - 39 * 4));
    assert_eq!(prepare(config, contract("standard")).err(), None);
}

fn timeout(text: &str) -> DeliveryOverride {
    DeliveryOverride { timeout: Some(text.into()), retries: None }
}

fn own_header(config: &mut EndpointConfig, name: &str, value: &str) {
    config.secrets.headers.push((name.into(), SecretText::new(value)));
}
