//! Where a URL comes in: the native calls, and those of every contract that has some.

use super::{SOON, oracle};
use crate::support::client::{Answer, Api};
use crate::support::eventually;
use crate::support::proxy::Proxy;
use crate::support::server::Server;
use crate::support::shop::text;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A call that takes a URL.
pub(super) struct Entrance {
    pub(super) contract: &'static str,
    method: &'static str,
    /// Below `/e/{environment}` where it begins so; `{id}` is what it changes.
    path: &'static str,
    member: &'static str,
    /// What else the call takes.
    body: fn() -> Value,
}

const NATIVE_ENDPOINT: fn() -> Value =
    || json!({"types": ["*"], "delivery": {"timeout": "5s", "retries": []}});
const NATIVE_SOURCE: fn() -> Value =
    || json!({"name": "n", "scheme": "github", "secret": "a secret of the third party"});
const NOTHING: fn() -> Value = || json!({});

/// With a token endpoint, whose URL is in question, at a URL that is not.
fn with_tokens(rest: fn() -> Value) -> Value {
    let mut body = rest();
    body["url"] = oracle::VALIDATING.into();
    body["auth"] = json!({"type": "oauth2", "client_id": "c", "client_secret": "s"});
    body
}

pub(super) const ENTRANCES: &[Entrance] = &[
    native("POST", "/v1/tenants/acme/endpoints", "url", NATIVE_ENDPOINT),
    native("PATCH", "/v1/endpoints/{id}", "url", NOTHING),
    native("POST", "/v1/tenants/acme/endpoints", "auth.token_url", || with_tokens(NATIVE_ENDPOINT)),
    native("PATCH", "/v1/endpoints/{id}", "auth.token_url", || with_tokens(NOTHING)),
    native("POST", "/v1/tenants/acme/sources", "forward_url", NATIVE_SOURCE),
    native("PATCH", "/v1/sources/{id}", "forward_url", NOTHING),
    of("aioka", "POST", "/e/v1/webhooks", || json!({"events": ["verdict.new"]})),
    of("aleta", "POST", "/e/v2/webhooks", || json!({"events": ["limit.breached"]})),
    of("aleta", "PATCH", "/e/v2/webhooks/{id}", NOTHING),
    of("anduin", "POST", "/e/api/v2/webhooks", || json!({"events": ["fundSubscription.signed"]})),
    of("anduin", "PATCH", "/e/api/v2/webhooks/{id}", NOTHING),
    of("anduin", "PUT", "/e/api/v2/webhooks/{id}", NOTHING),
    of(
        "anduin-legacy",
        "POST",
        "/e/api/v1/webhooks",
        || json!({"events": ["fundSubscription.signed"]}),
    ),
    of("anduin-legacy", "PATCH", "/e/api/v1/webhooks/{id}", NOTHING),
    of("alumia", "POST", "/e/api/v1/webhooks", || json!({"name": "n", "events": ["a"]})),
    of("alumia", "PATCH", "/e/api/v1/webhooks/{id}", NOTHING),
];

const fn native(
    method: &'static str,
    path: &'static str,
    member: &'static str,
    body: fn() -> Value,
) -> Entrance {
    Entrance { contract: "standard", method, path, member, body }
}

const fn of(
    contract: &'static str,
    method: &'static str,
    path: &'static str,
    body: fn() -> Value,
) -> Entrance {
    Entrance { contract, method, path, member: "url", body }
}

/// An environment of one contract behind one way, with a tenant.
pub(super) struct Platform {
    /// The operator, in this environment.
    pub(super) api: Api,
    /// The customer, who calls what the contract has published.
    customer: Api,
    slug: String,
    /// Of the events that its endpoints get.
    kind: &'static str,
    sources: bool,
}

/// A type of a contract's catalog, or any.
fn kind_of(contract: &str) -> &'static str {
    match contract {
        "aioka" => "verdict.new",
        "aleta" => "limit.breached",
        "anduin" | "anduin-legacy" => "fundSubscription.signed",
        _ => "a",
    }
}

impl Platform {
    pub(super) fn open(server: &Server, contract: &str, way: &str, proxy: Option<&Proxy>) -> Self {
        static OPENED: AtomicUsize = AtomicUsize::new(0);
        let slug = format!("{contract}-{way}-{}", OPENED.fetch_add(1, Ordering::SeqCst));
        let mut environment = json!({"slug": slug, "contracts": [contract]});
        if let Some(proxy) = proxy {
            environment["egress"] = json!({"proxy": {"url": proxy.url}});
        }
        server.admin().post("/v1/environments", &environment).expect(201);
        let api = server.admin().with("angarium-environment", &slug);
        let plan = (contract == "aioka").then_some("basic");
        api.put("/v1/tenants/acme", &json!({"plan": plan})).expect(201);
        let key = json!({"name": "c", "tenant": "acme", "scopes": ["manage", "read"]});
        let key = api.post("/v1/keys", &key).expect(201);
        let customer = Api::new(&server.address, text(&key, "key"));
        let customer = match contract {
            "aioka" => customer.without("authorization").with("x-api-key", text(&key, "key")),
            _ => customer,
        };
        let (kind, sources) = (kind_of(contract), contract == "alumia");
        Self { api, customer, slug, kind, sources }
    }

    pub(super) fn publish(&self) -> Answer {
        self.api.post("/v1/events", &json!({"tenant": "acme", "type": self.kind, "data": 1}))
    }

    /// Delivers to all endpoints there are: by an event, its replay, a retry, a recovery, and the
    /// test button. Answers how many attempts were made.
    pub(super) fn deliver_in_every_way(&self) -> usize {
        let event = self.publish();
        let endpoints = self.api.list("/v1/endpoints?tenant=acme");
        eventually("each delivery was tried", SOON, || self.are_tried());
        for endpoint in &endpoints {
            let path = format!("/v1/endpoints/{}", text(endpoint, "id"));
            let tested = self.api.post(&format!("{path}/test"), &json!({"data": 1}));
            assert!(matches!(tested.status, 202 | 429), "{}", tested.body);
            let recovered = json!({"since": "2020-01-01T00:00:00Z"});
            self.api.post(&format!("{path}/recover"), &recovered);
        }
        if event.status == 202 {
            let path = format!("/v1/events/{}/replay", text(&event.body, "id"));
            self.api.post(&path, &json!({}));
        }
        self.wait_a_little();
        for delivery in self.api.list("/v1/deliveries?tenant=acme&state=dead").iter().take(20) {
            self.api.post(&format!("/v1/deliveries/{}/retry", text(delivery, "id")), &json!({}));
        }
        self.wait_a_little();
        let deliveries = self.api.list("/v1/deliveries?tenant=acme");
        assert!(deliveries.iter().all(|row| row["state"] != "delivered"), "{deliveries:?}");
        deliveries.iter().filter_map(|row| row["attempts"].as_u64()).sum::<u64>() as usize
    }

    fn are_tried(&self) -> bool {
        let deliveries = self.api.list("/v1/deliveries?tenant=acme");
        let is_tried = |row: &Value| row["attempts"].as_u64() > Some(0);
        deliveries.iter().all(|row| is_tried(row) && row["state"] != "in_flight")
    }

    /// Some contracts try an endpoint that is down ever more rarely, so not all is tried soon.
    fn wait_a_little(&self) {
        let started = Instant::now();
        while !self.are_tried() && started.elapsed() < Duration::from_millis(500) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends to sources that fetch the certificate which a request names, at every host that such a
    /// request may name; how many were asked for.
    pub(super) fn name_certificates(&self, addresses: &[IpAddr]) -> usize {
        let literal = |address: &IpAddr| super::table::canonical_host(*address);
        let hosts: Vec<_> = super::HOSTS
            .map(str::to_owned)
            .into_iter()
            .chain(addresses.iter().map(literal))
            .step_by(7)
            .collect();
        let mut asked = 0;
        for host in hosts {
            let scheme = json!({
                "signature": [{
                    "from": "header.X-Sig", "algorithm": "rsa-sha256", "value": "{hex}",
                    "content": "{secret}{body}",
                }],
                "certificate": {
                    "from": "header.X-Url", "urls": [format!("https://{host}/{{any}}")],
                    "names": ["a.example"],
                },
            });
            let source = json!({"name": "n", "scheme": scheme, "secret": "a topic"});
            let made = self.api.post("/v1/tenants/acme/sources", &source);
            if made.status != 201 {
                continue;
            }
            let path = format!("/in/{}", text(&made.body, "id"));
            let url = format!("https://{host}/a.pem");
            let sender = self.api.with("x-sig", "00").with("x-url", &url);
            assert_eq!(sender.post(&path, &json!({})).status, 401, "{host}");
            asked += 1;
        }
        asked
    }
}

impl Entrance {
    /// Brings a URL in; whether it was taken. Where it was not, it was refused as what it is.
    pub(super) fn take(&self, platform: &Platform, url: &str) -> bool {
        let mut body = (self.body)();
        let member = self.member.split('.').fold(&mut body, |body, name| &mut body[name]);
        *member = url.into();
        let is_native = self.contract == "standard";
        let caller = if is_native { &platform.api } else { &platform.customer };
        let mut path = match self.path.strip_prefix("/e/") {
            Some(rest) => format!("/e/{}/{rest}", platform.slug),
            None => self.path.to_owned(),
        };
        if path.contains("{id}") {
            path = path.replace("{id}", &self.one(platform));
        }
        let answer = caller.call(self.method, &path, Some(body.to_string().as_bytes()));
        if matches!(answer.status, 200 | 201) {
            return true;
        }
        assert_eq!(answer.status / 100, 4, "{} {path} {url}: {}", self.method, answer.body);
        if is_native {
            let codes = ["forbidden_address", "invalid_url"];
            assert!(codes.contains(&answer.code()), "{path} {url}: {}", answer.body);
            assert_eq!(answer.field(), Some(self.member), "{url}");
        }
        false
    }

    /// What the call changes: made once, without a URL that is in question.
    fn one(&self, platform: &Platform) -> String {
        let kind =
            if platform.sources || self.path.contains("sources") { "sources" } else { "endpoints" };
        if let Some(there) = platform.api.list(&format!("/v1/{kind}?tenant=acme")).first() {
            return text(there, "id").to_owned();
        }
        let made = match kind {
            "sources" => platform.api.post("/v1/tenants/acme/sources", &NATIVE_SOURCE()),
            _ => {
                let mut endpoint = NATIVE_ENDPOINT();
                endpoint["url"] = oracle::VALIDATING.into();
                endpoint["types"] = json!([platform.kind]);
                platform.api.post("/v1/tenants/acme/endpoints", &endpoint)
            }
        };
        text(&made.expect(201), "id").to_owned()
    }
}
