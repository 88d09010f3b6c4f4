//! What went wrong elsewhere: server-side request forgery in senders of webhooks, each case by the
//! number that it has in the study of published vulnerabilities, none of which may happen here.
//! Where a case is one of many (an address, a writing), the whole table is in `ssrf`.

#[path = "../../../../angarium-server/tests/ssrf_names/mod.rs"]
mod names;

use crate::support::client::{Answer, Api};
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::{Server, Start};
use crate::support::shop::{Shop, text};
use angarium_core::address::AddressPolicy;
use angarium_core::destination::Destination;
use angarium_core::egress::EgressPolicy;
use angarium_core::limits::Limits;
use angarium_core::outcome::Outcome;
use angarium_core::request::OutgoingRequest;
use angarium_server::egress::{Egress, EgressConfig, NO_ENDPOINT, NameServers, Transport, Way};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// A server as it is by default, with an environment and a tenant.
struct Closed {
    api: Api,
    _server: Server,
    _folder: tempfile::TempDir,
}

impl Closed {
    fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Start::closed(&folder.path().join("data")).argument("--allow-http").run();
        let api = server.admin().with("angarium-environment", "shop");
        let environment = json!({"slug": "shop", "contracts": ["standard"]});
        api.post("/v1/environments", &environment).expect(201);
        api.put("/v1/tenants/acme", &json!({})).expect(201);
        Self { api, _server: server, _folder: folder }
    }

    fn refuses(&self, hosts: &[&str]) {
        for host in hosts {
            let answer = create(&self.api, &format!("http://{host}/"));
            let codes = ["forbidden_address", "invalid_url"];
            assert!(answer.status == 422 && codes.contains(&answer.code()), "{}", answer.body);
        }
    }
}

fn create(api: &Api, url: &str) -> Answer {
    let delivery = json!({"timeout": "3s", "retries": []});
    let endpoint = json!({"url": url, "types": ["*"], "delivery": delivery});
    api.post("/v1/tenants/acme/endpoints", &endpoint)
}

/// Redirects everything to another receiver.
fn redirecting(code: u16, other: &Receiver) -> Receiver {
    let location = format!("location: {}\r\nset-cookie: a=b\r\n", other.url("/stolen"));
    Receiver::scripted(move |_| Reply::Headed(code, location.clone()))
}

/// The only delivery of an event when it is dead.
fn dead(shop: &Shop, event: &Value) -> Value {
    shop.wait_for_state(text(event, "id"), "dead")
}

/// Attempts by names that lead where the name server says; loopback is open, nothing else private.
struct Named {
    egress: Egress,
    server: names::NameServer,
}

impl Named {
    fn new() -> Self {
        let server = names::start_name_server();
        let name_servers = NameServers::At(vec![server.address]);
        let config = EgressConfig { name_servers, ..EgressConfig::default() };
        Self { egress: Egress::new(config).expect("the egress starts"), server }
    }

    async fn send(&self, url: &str) -> Outcome {
        let destination = Destination::parse(url, &Limits::default()).expect(url);
        let message = http::Request::post("/").body(Bytes::from_static(b"{}")).expect("a request");
        let request =
            OutgoingRequest { destination: Arc::new(destination), message, masked_target: None };
        let loopback = vec!["127.0.0.0/8".parse().expect("a range")];
        let policy = EgressPolicy::of_server(AddressPolicy::allowing(loopback));
        let way = Way { endpoint: NO_ENDPOINT, policy: Arc::new(policy), tls: None };
        self.egress.send(&way, request, Duration::from_secs(3)).await.outcome
    }
}

#[test]
fn regress_r1_the_test_button_needs_a_key_follows_nothing_and_reflects_little() {
    let (shop, other) = (Shop::open(), Receiver::kind());
    let receiver = redirecting(302, &other);
    let made = create(&shop.api, &receiver.url("/hook")).expect(201);
    let path = format!("/v1/endpoints/{}/test", text(&made, "id"));
    let anonymous = shop.api.without("authorization").post(&path, &json!({}));
    assert_eq!(anonymous.status, 401);
    let event = shop.api.post(&path, &json!({"type": "a", "data": 1})).expect(202);
    let dead = dead(&shop, &event);
    let attempt = &dead["attempts"][0];
    assert_eq!((&attempt["class"], &attempt["status"]), (&json!("redirect"), &json!(302)));
    assert!(!attempt["response"].to_string().contains("a=b"), "{attempt}");
    assert_eq!((receiver.count(), other.count()), (1, 0));
}

#[tokio::test]
async fn regress_r2_a_name_that_was_judged_once_is_judged_at_every_connection() {
    let (named, receiver) = (Named::new(), Receiver::kind());
    named.server.answers.in_turn("turning.test", &[&["127.0.0.1"], &["10.0.0.1"]]);
    let port = receiver.url("").rsplit(':').next().expect("a port").to_owned();
    for _ in 0..10 {
        let outcome = named.send(&format!("http://turning.test:{port}/")).await;
        assert_eq!(outcome.status(), Some(200), "{outcome:?}");
        let outcome = named.send(&format!("http://turning.test:{port}/")).await;
        assert!(matches!(outcome, Outcome::ForbiddenAddress(_)), "{outcome:?}");
    }
}

#[test]
fn regress_r3_no_kind_of_redirect_is_followed() {
    let (shop, other) = (Shop::open(), Receiver::kind());
    for code in [301, 302, 303, 307, 308] {
        let receiver = redirecting(code, &other);
        let made = create(&shop.api, &receiver.url("/hook")).expect(201);
        let dead = dead(&shop, &shop.publish("a", &json!(1)));
        assert_eq!(dead["attempts"][0]["status"], code);
        assert_eq!((receiver.count(), other.count()), (1, 0), "{code}");
        shop.api.delete(&format!("/v1/endpoints/{}", text(&made, "id")));
    }
}

#[test]
fn regress_r4_nor_is_a_redirect_followed_when_a_url_is_validated() {
    let (shop, other) = (Shop::open(), Receiver::kind());
    let admin = shop.server.admin();
    let environment = json!({"slug": "fund", "contracts": ["anduin"]});
    admin.post("/v1/environments", &environment).expect(201);
    let api = admin.with("angarium-environment", "fund");
    api.put("/v1/tenants/acme", &json!({})).expect(201);
    let receiver = redirecting(307, &other);
    let endpoint = json!({"url": receiver.url("/"), "types": ["fundSubscription.signed"]});
    let answer = api.post("/v1/tenants/acme/endpoints", &endpoint);
    assert_eq!((answer.status, answer.code()), (422, "validation_failed"), "{}", answer.body);
    assert_eq!((receiver.count(), other.count()), (1, 0));
}

#[test]
fn regress_r5_a_change_is_judged_as_a_creation_is() {
    let closed = Closed::open();
    let made = create(&closed.api, "https://public.example/").expect(201);
    let path = format!("/v1/endpoints/{}", text(&made, "id"));
    for url in
        ["http://127.0.0.1/", "http://169.254.169.254/", "http://[::1]/", "http://localhost/"]
    {
        let answer = closed.api.patch(&path, &json!({"url": url}));
        assert_eq!((answer.status, answer.code()), (422, "forbidden_address"), "{url}");
    }
    assert_eq!(closed.api.get(&path).expect(200)["url"], "https://public.example/");
}

#[tokio::test]
async fn regress_r6_a_public_name_of_a_private_address_leads_nowhere() {
    let named = Named::new();
    named.server.answers.always("169.254.169.254.nip.test", &["169.254.169.254"]);
    named.server.answers.always("half.test", &["127.0.0.1", "169.254.169.254"]);
    for name in ["169.254.169.254.nip.test", "half.test"] {
        let outcome = named.send(&format!("http://{name}/")).await;
        assert!(matches!(outcome, Outcome::ForbiddenAddress(_)), "{name}: {outcome:?}");
    }
}

#[test]
fn regress_r7_ipv4_inside_ipv6_is_judged_as_ipv4() {
    Closed::open().refuses(&["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:a9fe:a9fe]"]);
}

#[test]
fn regress_r8_tunnelled_and_translated_addresses_are_refused() {
    Closed::open().refuses(&[
        "[2002:7f00:1::]",
        "[2002:a9fe:a9fe::1]",
        "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a9fe:a9fe]",
        "[::7f00:1]",
        "[::ffff:0:7f00:1]",
    ]);
}

#[test]
fn regress_r9_the_whole_prefix_of_local_translation_is_refused() {
    Closed::open().refuses(&[
        "[64:ff9b:1::7f00:1]",
        "[64:ff9b:1:ffff:ffff:ffff:ffff:ffff]",
        "[64:ff9b:1:fffe::a00:1]",
    ]);
}

#[test]
fn regress_r10_each_range_has_a_mask_of_its_own() {
    Closed::open().refuses(&[
        "10.255.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.168.0.0",
        "192.168.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "[fc00::]",
        "[fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]",
        "[febf::1]",
    ]);
}

#[test]
fn regress_r11_dots_case_brackets_and_shared_addresses_open_nothing() {
    Closed::open().refuses(&[
        "localhost.",
        "LocalHost",
        "LOCALHOST.",
        "[localhost]",
        "[127.0.0.1]",
        "127.0.0.1.",
        "[::1].",
        "100.64.0.1",
        "100.100.100.200",
    ]);
}

#[test]
fn regress_r12_only_global_unicast_is_open() {
    Closed::open().refuses(&[
        "[1::1]",
        "[4000::1]",
        "[8000::1]",
        "[e000::1]",
        "[ff0e::1]",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
    ]);
}

#[test]
fn regress_r13_no_setting_turns_verification_off_and_every_attempt_ends() {
    let shop = Shop::open();
    let receiver = Receiver::secured(|_| Reply::Status(200));
    // Its authority is known to nobody here.
    let made = create(&shop.api, &receiver.secure_url("/")).expect(201);
    let path = format!("/v1/endpoints/{}", text(&made, "id"));
    for member in ["insecure_skip_verify", "verify_tls", "ssl_verify"] {
        let answer = shop.api.patch(&path, &json!({member: false}));
        assert_eq!((answer.status, answer.code()), (422, "unknown_field"), "{member}");
    }
    let answer = shop.api.patch(&path, &json!({"delivery": {"timeout": "1h"}}));
    assert_eq!(answer.field(), Some("delivery.timeout"));
    let dead = dead(&shop, &shop.publish("a", &json!(1)));
    assert_eq!((&dead["attempts"][0]["class"], receiver.count()), (&json!("tls"), 0));
}

#[test]
fn regress_r14_an_empty_or_unknown_kind_skips_no_check() {
    let closed = Closed::open();
    let good = json!({"url": "http://127.0.0.1/", "types": ["a"]});
    for (member, value) in [
        ("contract", json!("")),
        ("status", json!("")),
        ("method", json!("")),
        ("auth", json!({"type": ""})),
        ("auth", json!({"type": "none"})),
        ("type", json!("")),
    ] {
        let mut body = good.clone();
        body[member] = value.clone();
        let answer = closed.api.post("/v1/tenants/acme/endpoints", &body);
        assert_eq!(answer.status, 422, "{member} {value}: {}", answer.body);
    }
    for scheme in [json!(""), json!(null), json!({}), json!("none")] {
        let source = json!({"name": "n", "scheme": scheme, "forward_url": "http://127.0.0.1/"});
        let answer = closed.api.post("/v1/tenants/acme/sources", &source);
        assert_eq!(answer.status, 422, "{scheme}: {}", answer.body);
    }
}

#[test]
fn regress_r15_a_schema_fetches_nothing_and_what_is_queued_is_judged_again() {
    let (shop, receiver) = (Shop::open(), Receiver::kind());
    let schema = json!({"$ref": receiver.url("/schema.json")});
    let body = json!({"description": "d", "schema": schema, "validate": "reject"});
    let answer = shop.api.put("/v1/event-types/a.b", &body);
    assert_eq!((answer.status, answer.code()), (422, "invalid_schema"), "{}", answer.body);
    let made = create(&shop.api, &receiver.url("/")).expect(201);
    let path = format!("/v1/endpoints/{}", text(&made, "id"));
    shop.api.post(&format!("{path}/pause"), &json!({})).expect(200);
    let event = shop.publish("a", &json!(1));
    let deny = json!({"egress": {"deny_cidrs": ["127.0.0.0/8"]}});
    shop.api.patch("/v1/environments/shop", &deny).expect(200);
    shop.api.post(&format!("{path}/resume"), &json!({})).expect(200);
    assert_eq!(dead(&shop, &event)["attempts"][0]["class"], "unreachable");
    assert_eq!(receiver.count(), 0);
}

#[test]
fn regress_r16_without_any_setting_everything_private_is_closed() {
    let closed = Closed::open();
    let private = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "localhost", "[fd00::1]"];
    closed.refuses(&private);
    for egress in [json!({}), json!({"deny_cidrs": []}), json!({"allow_cidrs": []}), Value::Null] {
        let change = json!({"egress": egress});
        closed.api.patch("/v1/environments/shop", &change).expect(200);
        closed.refuses(&private);
    }
}

#[test]
fn regress_r17_no_line_break_reaches_a_request_and_no_port_of_another_protocol() {
    let shop = Shop::open();
    for url in [
        "http://127.0.0.1:8000/\r\nSET a b",
        "http://127.0.0.1:8000/a\nb",
        "http://u\r\n:p@127.0.0.1:8000/",
        "http://[::ffff:127.0.0.1]:6379/",
        "http://[0:0:0:0:0:ffff:127.0.0.1]:6379/",
        "http://127.0.0.1:22/",
        "http://127.0.0.1:25/",
        "http://127.0.0.1:6667/",
    ] {
        assert_eq!(create(&shop.api, url).code(), "invalid_url", "{url}");
    }
    let with = |member: &str, value: Value| {
        let mut body = json!({"url": "http://127.0.0.1:8000/", "types": ["a"]});
        body[member] = value;
        shop.api.post("/v1/tenants/acme/endpoints", &body)
    };
    let pair = json!({"type": "basic", "username": "a\r\nb", "password": "c"});
    let rows = [
        with("headers", json!({"x-a": "b\r\nc: d"})),
        with("headers", json!({"x-a\r\nb": "c"})),
        with("auth", json!({"type": "bearer", "token": "a\r\nb: c"})),
        with("auth", json!({"type": "header", "name": "x\r\ny", "value": "z"})),
    ];
    for answer in rows {
        assert_eq!(answer.status, 422, "{}", answer.body);
    }
    // A name and its password travel in base64, which has no line break.
    assert!(matches!(with("auth", pair).status, 201 | 422));
}

#[test]
fn regress_r18_no_label_is_taken_for_another_name() {
    Closed::open().refuses(&[
        "xn--example-.org",
        "xn--localhost-.test",
        "ｌocalhost",
        "127。0。0。1",
    ]);
}

#[tokio::test]
async fn regress_r19_a_literal_address_is_judged_though_no_name_is_looked_up() {
    let named = Named::new();
    for literal in ["10.0.0.1", "169.254.169.254", "[fd00::1]", "[::1]"] {
        let outcome = named.send(&format!("http://{literal}/")).await;
        assert!(matches!(outcome, Outcome::ForbiddenAddress(_)), "{literal}: {outcome:?}");
    }
}

#[test]
fn regress_r19_what_is_meant_for_one_receiver_is_sent_to_no_other() {
    let (shop, other) = (Shop::open(), Receiver::kind());
    let receiver = redirecting(307, &other);
    let auth = json!({"type": "bearer", "token": "for-one-only"});
    let delivery = json!({"timeout": "3s", "retries": []});
    shop.endpoint(&json!({
        "url": receiver.url("/"), "types": ["*"], "auth": auth, "delivery": delivery,
    }));
    dead(&shop, &shop.publish("a", &json!(1)));
    let seen = receiver.wait_for(1, SOON);
    assert_eq!(seen[0].header("authorization"), Some("Bearer for-one-only"));
    assert_eq!(other.count(), 0);
}

#[test]
fn regress_r20_names_of_this_machine_and_its_network_are_refused() {
    Closed::open().refuses(&[
        "localhost",
        "a.localhost",
        "printer.local",
        "metadata.google.internal",
        "db.internal",
        "nas.home.arpa",
        "abc.onion",
    ]);
}
