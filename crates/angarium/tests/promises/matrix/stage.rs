//! Two environments with tenants of the same ids, every kind of key, and the objects that calls are
//! about. All objects are those of the tenant `acme` of `shop`.

use crate::support::client::{Answer, Api, Connection};
use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::shop::{Shop, text};
use angarium_core::time::Timestamp;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// Stands in whatever belongs to `acme` of `shop` and can hold a text.
pub(super) const CANARY: &str = "acme-of-shop-only";

/// How far a key reaches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Tenant,
    Environment,
    Instance,
}

/// What a valid key is.
pub(super) struct Key {
    pub(super) level: Level,
    pub(super) scopes: &'static [&'static str],
    /// The slug of its environment; nothing for the instance's.
    own: Option<&'static str>,
    /// Its tenant.
    tenant: Option<&'static str>,
}

/// Who calls.
pub(super) struct Caller {
    pub(super) name: String,
    pub(super) api: Api,
    /// Nothing if the key opens nothing.
    pub(super) key: Option<Key>,
    /// The environment that its calls are about: its own, or the one it names; empty where it
    /// names one that is not its own.
    pub(super) environment: Option<&'static str>,
}

impl Caller {
    /// Whether it may see what belongs to `acme` of `shop`.
    pub(super) fn sees_acme(&self) -> bool {
        let of_acme = |key: &Key| key.tenant.is_none_or(|tenant| tenant == "acme");
        self.environment == Some("shop") && self.key.as_ref().is_some_and(of_acme)
    }
}

/// What a call is about. What a call may use up is made anew for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Object {
    Nothing,
    /// The tenant `acme`, of whichever environment.
    Tenant,
    NewTenant,
    /// The tenant that gets the notices.
    Operator,
    Environment,
    NewKey,
    Endpoint,
    NewEndpoint,
    Event,
    NewEvent,
    Delivery,
    NewDelivery,
    Job,
    Erasure,
    Source,
    NewSource,
    /// An event type, which whoever may put it may make.
    Type,
}

impl Object {
    /// Whether it is there for a caller.
    pub(super) fn is_seen_by(self, caller: &Caller) -> bool {
        let Some(key) = &caller.key else { return false };
        match self {
            Object::Nothing | Object::Type => true,
            Object::Tenant => key.tenant.is_none_or(|tenant| tenant == "acme"),
            Object::Operator => key.tenant.is_none(),
            // An environment and a key are seen by whose they are, not by what the call is about.
            Object::Environment => key.own.is_none_or(|own| own == "shop"),
            Object::NewKey => {
                key.own.is_none_or(|own| own == "shop") && key.tenant.is_none_or(|t| t == "acme")
            }
            Object::NewTenant => caller.environment == Some("shop") && key.tenant.is_none(),
            Object::Endpoint
            | Object::NewEndpoint
            | Object::Event
            | Object::NewEvent
            | Object::Delivery
            | Object::NewDelivery
            | Object::Job
            | Object::Erasure
            | Object::Source
            | Object::NewSource => caller.sees_acme(),
        }
    }

    /// An id of its kind that nothing has.
    pub(super) fn never_made(self) -> Option<&'static str> {
        Some(match self {
            Object::Nothing | Object::Operator | Object::Type => return None,
            Object::Tenant | Object::NewTenant => "nobody",
            Object::Environment => "nowhere",
            Object::NewKey => "key_00000000000000000000000000",
            Object::Endpoint | Object::NewEndpoint => "ep_00000000000000000000000000",
            Object::Event | Object::NewEvent => "evt_00000000000000000000000000",
            Object::Delivery | Object::NewDelivery => "dlv_00000000000000000000000000",
            Object::Job => "job_00000000000000000000000000",
            Object::Erasure => "ers_00000000000000000000000000",
            Object::Source | Object::NewSource => "src_00000000000000000000000000",
        })
    }

    /// The code by which it is said that it is not there.
    pub(super) fn missing(self) -> &'static str {
        match self {
            Object::Tenant | Object::NewTenant | Object::Operator => "tenant_not_found",
            Object::Environment => "environment_not_found",
            _ => "not_found",
        }
    }
}

/// A path with this in its only place.
pub(super) fn filled(template: &str, id: &str) -> String {
    let Some((before, rest)) = template.split_once('{') else { return template.to_owned() };
    let after = rest.split_once('}').map_or("", |(_, after)| after);
    format!("{before}{id}{after}")
}

/// All that an answer says but when.
pub(super) fn said(answer: &Answer) -> (&str, Vec<&(String, String)>, &[u8]) {
    let headers = answer.message.headers.iter().filter(|(name, _)| name != "date").collect();
    (&answer.message.first_line, headers, &answer.message.body)
}

/// A key of `acme` in this environment that has ended by itself: its text, and a caller with it.
pub(super) fn expired_key(admin: &Api, environment: &str) -> (String, Api) {
    let body = |end: Option<Timestamp>| {
        json!({"name": "short", "environment": environment, "tenant": "acme", "scopes": ALL,
               "expires_at": end.map(|end| end.to_string())})
    };
    let made = admin.post("/v1/keys", &body(None)).expect(201);
    let now = Timestamp::parse(text(&made, "created_at")).expect("a time");
    let soon = now + Duration::from_secs(1);
    let made = admin.post("/v1/keys", &body(Some(soon))).expect(201);
    let is_short = |key: &Value| key["id"] == made["id"] && key["state"] == "expired";
    eventually("the key ends", Duration::from_secs(10), || {
        admin.list("/v1/keys").iter().any(is_short)
    });
    let key = text(&made, "key").to_owned();
    let api = Api::new(&admin.address, &key);
    (key, api)
}

/// See the module.
pub(super) struct Stage {
    pub(super) shop: Shop,
    pub(super) callers: Vec<Caller>,
    receiver: Receiver,
    source: String,
    endpoint: String,
    event: String,
    delivery: String,
    job: String,
    erasure: String,
    made: Cell<u32>,
    connection: RefCell<Option<Connection>>,
}

const PUBLISH: &[&str] = &["publish"];
const MANAGE: &[&str] = &["manage"];
const READ: &[&str] = &["read"];
const PORTAL: &[&str] = &["portal"];
/// Every scope that may stand beside others.
const ALL: &[&str] = &["publish", "manage", "read"];

impl Stage {
    pub(super) fn open() -> Self {
        let shop = Shop::open();
        let admin = shop.server.admin();
        let contracts = json!({"contracts": ["standard", "aleta"]});
        shop.api.patch("/v1/environments/shop", &contracts).expect(200);
        let mall = json!({"slug": "mall", "contracts": ["standard", "aleta"]});
        admin.post("/v1/environments", &mall).expect(201);
        admin.with("angarium-environment", "mall").put("/v1/tenants/acme", &json!({})).expect(201);
        shop.tenant("other");
        let receiver = Receiver::kind();
        let mut stage = Self {
            shop,
            callers: Vec::new(),
            receiver,
            source: String::new(),
            endpoint: String::new(),
            event: String::new(),
            delivery: String::new(),
            job: String::new(),
            erasure: String::new(),
            made: Cell::new(0),
            connection: RefCell::default(),
        };
        stage.furnish();
        stage.callers = stage.callers();
        stage
    }

    /// Makes the objects that no call uses up.
    fn furnish(&mut self) {
        self.endpoint = self.new_endpoint("acme.only", "paused");
        self.source = self.new_source();
        self.event = self.new_event();
        self.delivery = self.delivery_of(&self.event);
        let recovery = json!({"since": "2026-01-01T00:00:00Z"});
        let path = format!("/v1/endpoints/{}/recover", self.endpoint);
        self.job = text(&self.shop.api.post(&path, &recovery).expect(202), "id").to_owned();
        let path = format!("/v1/jobs/{}", self.job);
        eventually("the job is done", Duration::from_secs(20), || {
            self.shop.api.get(&path).body["status"] == "done"
        });
        let erasure = json!({"subject": "nobody"});
        let erasure = self.shop.api.post("/v1/tenants/acme/erasures", &erasure).expect(202);
        self.erasure = text(&erasure, "id").to_owned();
    }

    fn callers(&self) -> Vec<Caller> {
        let bad = |name: &str, api: Api| Caller {
            name: name.to_owned(),
            api,
            key: None,
            environment: Some("shop"),
        };
        let wrong = Api::new(&self.shop.server.address, "ang_wrong");
        let mut callers = vec![
            bad("no key", wrong.without("authorization")),
            bad("a wrong key", wrong),
            bad("an expired key", self.expired()),
            bad("a revoked key", self.revoked()),
        ];
        for scopes in [PUBLISH, MANAGE, READ] {
            for named in [Some("shop"), Some("mall"), None] {
                callers.push(self.caller(scopes, None, None, named));
            }
            for own in ["shop", "mall"] {
                callers.push(self.caller(scopes, Some(own), None, None));
            }
            callers.push(self.caller(scopes, Some("shop"), None, Some("mall")));
        }
        for scopes in [PUBLISH, MANAGE, READ, PORTAL] {
            for (own, tenant) in [("shop", "acme"), ("shop", "other"), ("mall", "acme")] {
                callers.push(self.caller(scopes, Some(own), Some(tenant), None));
            }
        }
        callers
    }

    fn caller(
        &self,
        scopes: &'static [&'static str],
        own: Option<&'static str>,
        tenant: Option<&'static str>,
        named: Option<&'static str>,
    ) -> Caller {
        let level = match (own, tenant) {
            (None, _) => Level::Instance,
            (Some(_), None) => Level::Environment,
            (Some(_), Some(_)) => Level::Tenant,
        };
        let mut api =
            Api::new(&self.shop.server.address, text(&self.key(scopes, own, tenant), "key"));
        if let Some(named) = named {
            api = api.with("angarium-environment", named);
        }
        let of = [own.unwrap_or("instance"), tenant.unwrap_or_default()].join(" ");
        let named_so = named.map_or(String::new(), |named| format!(", naming {named}"));
        Caller {
            name: format!("{} of {}{named_so}", scopes.join("+"), of.trim()),
            api,
            key: Some(Key { level, scopes, own, tenant }),
            environment: match (own, named) {
                (Some(own), Some(named)) if own != named => Some(""),
                (own, named) => named.or(own),
            },
        }
    }

    fn key(&self, scopes: &[&str], own: Option<&str>, tenant: Option<&str>) -> Value {
        let body = json!({"name": "k", "scopes": scopes, "environment": own, "tenant": tenant});
        self.shop.server.admin().post("/v1/keys", &body).expect(201)
    }

    fn revoked(&self) -> Api {
        let key = self.key(ALL, Some("shop"), Some("acme"));
        self.shop.server.admin().delete(&format!("/v1/keys/{}", text(&key, "id"))).expect(204);
        Api::new(&self.shop.server.address, text(&key, "key"))
    }

    fn expired(&self) -> Api {
        expired_key(&self.shop.server.admin(), "shop").1
    }

    /// The path of a call about this object.
    pub(super) fn path(&self, template: &str, object: Object) -> String {
        let made;
        let id = match object {
            Object::Nothing | Object::Operator => "",
            Object::Tenant => "acme",
            Object::Environment => "shop",
            Object::Type => "never.seen",
            Object::Endpoint => &self.endpoint,
            Object::Event => &self.event,
            Object::Delivery => &self.delivery,
            Object::Job => &self.job,
            Object::Erasure => &self.erasure,
            Object::Source => &self.source,
            Object::NewTenant
            | Object::NewKey
            | Object::NewEndpoint
            | Object::NewEvent
            | Object::NewDelivery
            | Object::NewSource => {
                made = self.made_anew(object);
                &made
            }
        };
        filled(template, id)
    }

    /// The id of another object of its kind that is `acme`'s of `shop` alone.
    fn made_anew(&self, object: Object) -> String {
        match object {
            Object::NewTenant => {
                self.made.set(self.made.get() + 1);
                let id = format!("t{}", self.made.get());
                self.shop.tenant(&id);
                id
            }
            Object::NewKey => text(&self.key(READ, Some("shop"), Some("acme")), "id").to_owned(),
            Object::NewEndpoint => self.new_endpoint("never.seen", "active"),
            Object::NewEvent => self.new_event(),
            Object::NewDelivery => self.delivery_of(&self.new_event()),
            Object::NewSource => self.new_source(),
            _ => String::new(),
        }
    }

    fn new_endpoint(&self, kind: &str, status: &str) -> String {
        let url = self.receiver.url("/");
        let body = json!({"url": url, "types": [kind], "description": CANARY, "status": status});
        text(&self.shop.endpoint(&body), "id").to_owned()
    }

    fn new_source(&self) -> String {
        let body = json!({"name": CANARY, "scheme": "github", "secret": "s3cret"});
        let made = self.shop.api.post("/v1/tenants/acme/sources", &body).expect(201);
        text(&made, "id").to_owned()
    }

    fn new_event(&self) -> String {
        text(&self.shop.publish("acme.only", &json!(CANARY)), "id").to_owned()
    }

    /// Of the endpoint that is paused, so that it waits.
    fn delivery_of(&self, event: &str) -> String {
        let deliveries = self.shop.deliveries(event);
        text(deliveries.first().expect("a delivery"), "id").to_owned()
    }

    /// A call, on a connection that stays open from cell to cell.
    pub(super) fn call(&self, api: &Api, method: &str, path: &str, body: Option<&str>) -> Answer {
        let mut slot = self.connection.borrow_mut();
        for _ in 0..2 {
            let connection = slot.take().map_or_else(|| Connection::open(&api.address), Ok);
            let mut connection = connection.expect("a connection");
            let bytes = body.map(str::as_bytes);
            if let Ok(answer) = connection.exchange(api, method, path, bytes) {
                *slot = Some(connection);
                return answer;
            }
        }
        panic!("{method} {path}: no answer");
    }
}
