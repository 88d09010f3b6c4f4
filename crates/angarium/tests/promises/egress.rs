//! Where requests may go on behalf of an environment, and by which way: set by the platform's
//! operator, in force at once, and narrower than what the server was started with.

use crate::support::client::{Answer, Api};
use crate::support::proxy::{Kind, Proxy, USERNAME};
use crate::support::receiver::Receiver;
use crate::support::shop::{Shop, text};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
const PASSWORD: &str = "pass-4f1c-word";

/// Changes the egress of the shop's environment.
fn set(shop: &Shop, egress: &Value) -> Value {
    shop.api.patch("/v1/environments/shop", &json!({"egress": egress})).expect(200)
}

fn port_of(receiver: &Receiver) -> u16 {
    let url = receiver.url("");
    url.rsplit(':').next().expect("a port").parse().expect("a port")
}

fn make(api: &Api, url: &str) -> Answer {
    let delivery = json!({"timeout": "2s", "retries": []});
    let endpoint = json!({"url": url, "types": ["*"], "delivery": delivery});
    api.post("/v1/tenants/acme/endpoints", &endpoint)
}

/// Publishes, and answers how the only delivery ended.
fn outcome(shop: &Shop, state: &str) -> Value {
    let event = shop.publish("a", &json!(1));
    shop.wait_for_state(text(&event, "id"), state)
}

#[test]
fn only_a_key_of_the_instance_sets_it_and_no_customer_sees_it() {
    let shop = Shop::open();
    let egress = json!({
        "ports": [443, "8000-9000"],
        "allow_cidrs": ["127.0.0.0/16"],
        "deny_cidrs": ["203.0.113.0/24"],
        "proxy": {"url": "http://127.0.0.1:3128", "username": USERNAME, "password": PASSWORD},
    });
    let shown = json!({
        "ports": [443, "8000-9000"],
        "allow_cidrs": ["127.0.0.0/16"],
        "deny_cidrs": ["203.0.113.0/24"],
        "proxy": {"url": "http://127.0.0.1:3128", "username": USERNAME, "resolve": "here"},
    });
    let key = |body: &Value| {
        let made = shop.api.post("/v1/keys", body).expect(201);
        Api::new(&shop.server.address, text(&made, "key"))
    };
    let scopes = json!(["publish", "manage", "read"]);
    let platform = key(&json!({"name": "p", "environment": "shop", "scopes": scopes}));
    let customer = key(&json!({"name": "c", "tenant": "acme", "scopes": scopes}));
    let path = "/v1/environments/shop";
    for denied in [&platform, &customer] {
        let answer = denied.patch(path, &json!({"egress": egress}));
        assert_eq!((answer.status, answer.code()), (403, "forbidden"));
    }
    assert_eq!(set(&shop, &egress)["egress"], shown);
    assert_eq!(platform.get(path).expect(200)["egress"], shown);
    assert_eq!(customer.get(path).expect(200)["egress"], Value::Null);
    let restarted = shop.restarted(|server| assert!(server.stop().success()));
    assert_eq!(restarted.api.get(path).expect(200)["egress"], shown);
    let kept = restarted.api.patch(path, &json!({"title": "Other"})).expect(200);
    assert_eq!(kept["egress"], shown, "what is absent stays");
    assert_eq!(set(&restarted, &Value::Null)["egress"], Value::Null);
}

#[test]
fn what_is_wrong_with_it_is_said_at_its_member() {
    let shop = Shop::open();
    let rows = [
        (json!({"ports": [22]}), "egress.ports[0]"),
        (json!({"ports": [443, "9000-8000"]}), "egress.ports[1]"),
        (json!({"ports": []}), "egress.ports"),
        (json!({"ports": [70000]}), "egress.ports[0]"),
        (json!({"allow_cidrs": ["127.0.0.0/8", "10.0.0.0/8"]}), "egress.allow_cidrs[1]"),
        (json!({"allow_cidrs": ["0.0.0.0/0"]}), "egress.allow_cidrs[0]"),
        (json!({"deny_cidrs": ["10.0.0.1/8"]}), "egress.deny_cidrs[0]"),
        (json!({"proxy": {"url": "https://proxy:3128"}}), "egress.proxy.url"),
        (json!({"proxy": {"url": "http://a:b@proxy:3128"}}), "egress.proxy.url"),
        (json!({"proxy": {"url": "http://proxy:3128", "username": "a"}}), "egress.proxy.password"),
        (json!({"proxy": {"url": "http://proxy:3128", "resolve": "x"}}), "egress.proxy.resolve"),
        (json!({"proxies": []}), "egress.proxies"),
    ];
    for (egress, field) in rows {
        let answer = shop.api.patch("/v1/environments/shop", &json!({"egress": egress}));
        assert_eq!((answer.status, answer.field()), (422, Some(field)), "{}", answer.body);
        let new = json!({"slug": "new", "contracts": ["standard"], "egress": egress});
        let answer = shop.api.post("/v1/environments", &new);
        assert_eq!((answer.status, answer.field()), (422, Some(field)), "{}", answer.body);
    }
}

#[test]
fn a_changed_policy_closes_at_once_what_it_forbids() {
    let shop = Shop::open();
    let receiver = Receiver::kind();
    let made = make(&shop.api, &receiver.url("/hook")).expect(201);
    outcome(&shop, "delivered");
    let port = port_of(&receiver);
    for closed in [
        json!({"ports": [443]}),
        json!({"allow_cidrs": []}),
        json!({"deny_cidrs": ["127.0.0.0/8"]}),
    ] {
        set(&shop, &closed);
        let dead = outcome(&shop, "dead");
        assert_eq!(dead["attempts"][0]["class"], "unreachable", "{closed}");
        let refused = make(&shop.api, &receiver.url("/other"));
        assert_eq!((refused.status, refused.code()), (422, "forbidden_address"), "{closed}");
        let path = format!("/v1/endpoints/{}", text(&made, "id"));
        let refused = shop.api.patch(&path, &json!({"url": receiver.url("/other")}));
        assert_eq!((refused.status, refused.code()), (422, "forbidden_address"), "{closed}");
        // What was made before can still be managed.
        for action in ["pause", "resume"] {
            shop.api.post(&format!("{path}/{action}"), &json!({})).expect(200);
        }
    }
    let seen = receiver.count();
    set(&shop, &json!({"ports": [port]}));
    outcome(&shop, "delivered");
    assert_eq!(receiver.count(), seen + 1);
}

#[test]
fn requests_go_through_the_environments_proxy_whatever_the_process_is_told() {
    let nowhere = "http://127.0.0.1:1";
    let shop = Shop::open_with(|start| {
        let variables = ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"];
        variables.iter().fold(start, |start, name| start.variable(name, nowhere))
    });
    let receiver = Receiver::kind();
    make(&shop.api, &receiver.url("/hook")).expect(201);
    outcome(&shop, "delivered");
    for kind in [Kind::Connect, Kind::Socks5] {
        let proxy = Proxy::start(kind, Some(PASSWORD));
        let known = json!({"url": proxy.url, "username": USERNAME, "password": PASSWORD});
        set(&shop, &json!({"proxy": known}));
        outcome(&shop, "delivered");
        assert_eq!(proxy.take_asked(), [format!("127.0.0.1:{}", port_of(&receiver))]);
        let seen = receiver.count();
        set(&shop, &json!({"proxy": {"url": proxy.url}}));
        assert_eq!(outcome(&shop, "dead")["attempts"][0]["class"], "unreachable");
        assert_eq!(receiver.count(), seen, "nothing went around it");
    }
}

#[test]
fn another_environment_is_not_concerned() {
    let shop = Shop::open();
    let receiver = Receiver::kind();
    set(&shop, &json!({"deny_cidrs": ["127.0.0.0/8"]}));
    let admin = shop.server.admin();
    let other = json!({"slug": "other", "contracts": ["standard"]});
    admin.post("/v1/environments", &other).expect(201);
    let other = admin.with("angarium-environment", "other");
    other.put("/v1/tenants/acme", &json!({})).expect(201);
    make(&other, &receiver.url("/hook")).expect(201);
    make(&shop.api, &receiver.url("/hook"));
    let event = json!({"tenant": "acme", "type": "a", "data": 1});
    other.post("/v1/events", &event).expect(202);
    receiver.wait_for(1, SOON);
}
