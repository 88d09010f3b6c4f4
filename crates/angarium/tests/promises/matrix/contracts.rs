//! The same for the contracts' own calls, by the key forms that their pages print.

use super::stage::{CANARY, expired_key, filled, said};
use super::{Tally, described};
use crate::support::client::{Answer, Api};
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::{ADMIN_KEY, Server, Start};
use crate::support::shop::text;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Instant;
use tempfile::TempDir;

/// A call of a contract, and what it answers to those who may make it.
struct Row(&'static str, &'static [&'static str], &'static str, u16);

/// The platforms, each in an environment of its own, with what makes a webhook.
struct Platform {
    slug: &'static str,
    contracts: &'static [&'static str],
    in_own_header: bool,
    /// The call that makes a webhook for each other call.
    make: &'static str,
    rows: &'static [Row],
}

/// For third parties: what is not signed is refused, whatever key comes with it.
const OPEN: &[&str] = &[];
const LOOK: &[&str] = &["manage", "read", "portal"];
const OPERATE: &[&str] = &["manage", "portal"];
const READ: &[&str] = &["manage", "read"];
const MANAGE: &[&str] = &["manage"];

const PLATFORMS: &[Platform] = &[
    Platform {
        slug: "aioka",
        contracts: &["aioka"],
        in_own_header: true,
        make: "/v1/webhooks",
        rows: &[
            Row("POST /v1/webhooks", OPERATE, "{webhook}", 201),
            Row("GET /v1/webhooks", LOOK, "", 200),
            Row("DELETE /v1/webhooks/{id}", OPERATE, "", 204),
            Row("POST /v1/webhooks/test", OPERATE, r#"{"webhook_id":"{id}"}"#, 202),
        ],
    },
    Platform {
        slug: "aleta",
        contracts: &["aleta"],
        in_own_header: false,
        make: "/v2/webhooks",
        rows: &[
            Row("GET /v2/webhooks/keys", MANAGE, "", 200),
            Row("POST /v2/webhooks/keys/rotate", MANAGE, "{}", 200),
            Row("POST /v2/webhooks", OPERATE, "{webhook}", 201),
            Row("GET /v2/webhooks", LOOK, "", 200),
            Row("GET /v2/webhooks/{id}", LOOK, "", 200),
            Row("PATCH /v2/webhooks/{id}", OPERATE, r#"{"status":"paused"}"#, 200),
            Row("DELETE /v2/webhooks/{id}", OPERATE, "", 204),
            Row("GET /v2/webhooks/diagnostics", LOOK, "", 200),
        ],
    },
    Platform {
        slug: "anduin",
        contracts: &["anduin"],
        in_own_header: false,
        make: "/api/v2/webhooks",
        rows: &[
            Row("POST /api/v2/webhooks", OPERATE, "{webhook}", 201),
            Row("GET /api/v2/webhooks", LOOK, "", 200),
            Row("GET /api/v2/webhooks/{id}", LOOK, "", 200),
            Row("PATCH /api/v2/webhooks/{id}", OPERATE, r#"{"isActive":false}"#, 200),
            Row("PUT /api/v2/webhooks/{id}", OPERATE, r#"{"isActive":false}"#, 200),
            Row("DELETE /api/v2/webhooks/{id}", OPERATE, "", 204),
        ],
    },
    Platform {
        slug: "anduin-old",
        contracts: &["anduin-legacy"],
        in_own_header: false,
        make: "/api/v1/webhooks",
        rows: &[
            Row("POST /api/v1/webhooks", OPERATE, "{webhook}", 201),
            Row("GET /api/v1/webhooks", LOOK, "", 200),
            Row("GET /api/v1/webhooks/{id}", LOOK, "", 200),
            Row("PATCH /api/v1/webhooks/{id}", OPERATE, r#"{"isActive":false}"#, 200),
            Row("PUT /api/v1/webhooks/{id}", OPERATE, r#"{"isActive":false}"#, 200),
            Row("DELETE /api/v1/webhooks/{id}", OPERATE, "", 204),
        ],
    },
    Platform {
        slug: "alumia",
        contracts: &["alumia"],
        in_own_header: false,
        make: "/api/v1/webhooks",
        rows: &[
            Row("GET /api/v1/webhooks", READ, "", 200),
            Row("POST /api/v1/webhooks", MANAGE, "{webhook}", 201),
            Row("GET /api/v1/webhooks/{id}", READ, "", 200),
            Row("PATCH /api/v1/webhooks/{id}", MANAGE, r#"{"enabled":false}"#, 200),
            Row("DELETE /api/v1/webhooks/{id}", MANAGE, "", 200),
            Row("POST /api/v1/webhooks/{id}/rotate", MANAGE, "{}", 200),
            Row("GET /api/v1/webhooks/{id}/events", READ, "", 200),
            Row("GET /api/v1/webhooks/{id}/deliveries", READ, "", 200),
            Row("GET /api/v1/webhooks/events", READ, "", 200),
            Row("POST /api/v1/webhooks/test", MANAGE, r#"{"webhookId":"{id}"}"#, 202),
            Row("POST /api/v1/webhooks/verify", READ, r#"{"webhookId":"{id}","payload":""}"#, 200),
            Row("POST /api/v1/webhooks/receive/{id}", OPEN, "{}", 401),
            Row("GET /api/v1/webhooks/receive/{id}", OPEN, "", 401),
            Row("POST /api/v1/webhooks/linear", OPEN, "{}", 401),
        ],
    },
];

/// Who calls.
struct Caller {
    name: String,
    api: Api,
    /// The scopes of a key that opens this platform's calls, and whether it is `acme`'s.
    key: Option<(&'static [&'static str], bool)>,
}

impl Row {
    fn method(&self) -> &'static str {
        self.0.split_once(' ').map_or(self.0, |(method, _)| method)
    }

    fn path(&self) -> &'static str {
        self.0.split_once(' ').map_or(self.0, |(_, path)| path)
    }

    fn names_a_webhook(&self) -> bool {
        self.0.contains("{id}") || self.2.contains("{id}")
    }

    fn expected(&self, caller: &Caller) -> (u16, &'static str) {
        let Some((scopes, is_acmes)) = caller.key.filter(|_| !self.1.is_empty()) else {
            return (401, "unauthorized");
        };
        match scopes.iter().any(|scope| self.1.contains(scope)) {
            false => (403, "forbidden"),
            true if self.names_a_webhook() && !is_acmes => (404, "not_found"),
            true => (self.3, ""),
        }
    }
}

/// A server with all platforms, each with the tenants `acme` and `other`.
struct Stage {
    server: Server,
    receiver: Receiver,
    _folder: TempDir,
}

impl Stage {
    fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Start::local(&folder.path().join("data")).run();
        for platform in PLATFORMS {
            let body = json!({"slug": platform.slug, "contracts": platform.contracts});
            server.admin().post("/v1/environments", &body).expect(201);
            let native = server.admin().with("angarium-environment", platform.slug);
            for tenant in ["acme", "other"] {
                native.put(&format!("/v1/tenants/{tenant}"), &json!({"plan": "basic"}));
            }
        }
        let echo = |_: &_| Reply::Echo("x-anduin-webhook-validation-key".to_owned());
        Self { server, receiver: Receiver::unrecorded(echo), _folder: folder }
    }

    fn key(&self, environment: &str, tenant: Option<&str>, scopes: &[&str]) -> Value {
        let body = json!({"name": "k", "environment": environment, "tenant": tenant,
                          "scopes": scopes});
        self.server.admin().post("/v1/keys", &body).expect(201)
    }

    /// What makes a webhook; its URL or name says whose it is.
    fn webhook(&self, platform: &Platform, whose: &str) -> Value {
        let url = self.receiver.url(&format!("/{whose}"));
        match platform.slug {
            "aioka" => json!({"url": format!("https://127.0.0.1:9443/{whose}"),
                              "events": ["verdict.new"]}),
            "aleta" => json!({"url": url, "events": ["limit.breached"]}),
            "alumia" => json!({"name": whose, "url": url, "source": "github"}),
            _ => json!({"url": url, "events": ["fundSubscription.signed"]}),
        }
    }

    fn make(&self, platform: &Platform, api: &Api, whose: &str) -> String {
        let path = format!("/e/{}{}", platform.slug, platform.make);
        text(&api.post(&path, &self.webhook(platform, whose)).expect(201), "id").to_owned()
    }

    fn callers(&self, platform: &Platform) -> Vec<Caller> {
        let (slug, admin) = (platform.slug, self.server.admin());
        let sends = |key: &str| {
            let bearer = Api::new(&self.server.address, key);
            match platform.in_own_header {
                true => bearer.without("authorization").with("x-api-key", key),
                false => bearer,
            }
        };
        let key = |environment: &str, tenant: Option<&str>, scopes: &[&str]| {
            text(&self.key(environment, tenant, scopes), "key").to_owned()
        };
        let bad = |name: &str, api: Api| Caller { name: name.to_owned(), api, key: None };
        let all = &["publish", "manage", "read"];
        let elsewhere = if slug == "aleta" { "aioka" } else { "aleta" };
        let revoked = self.key(slug, Some("acme"), all);
        admin.delete(&format!("/v1/keys/{}", text(&revoked, "id"))).expect(204);
        let good = key(slug, Some("acme"), all);
        let misplaced = match platform.in_own_header {
            true => Api::new(&self.server.address, &good),
            false => sends(&good).without("authorization").with("x-api-key", &good),
        };
        let mut callers = vec![
            bad("no key", sends("x").without("authorization").without("x-api-key")),
            bad("a wrong key", sends("ang_wrong")),
            bad("an expired key", sends(&expired_key(&admin, slug).0)),
            bad("a revoked key", sends(text(&revoked, "key"))),
            bad("the instance's key", sends(ADMIN_KEY)),
            bad("a key of the environment", sends(&key(slug, None, all))),
            bad("a key of another environment", sends(&key(elsewhere, Some("acme"), all))),
            bad("a key in another header", misplaced),
        ];
        for scopes in [&["publish"], &["manage"], &["read"], &["portal"]] {
            for tenant in ["acme", "other"] {
                callers.push(Caller {
                    name: format!("{} of {tenant}", scopes[0]),
                    api: sends(&key(slug, Some(tenant), scopes)),
                    key: Some((scopes, tenant == "acme")),
                });
            }
        }
        callers
    }
}

/// One platform's calls, with what they are about.
struct Tried<'a> {
    stage: &'a Stage,
    platform: &'a Platform,
    /// A webhook of `acme` that no call uses up.
    webhook: String,
}

impl Tried<'_> {
    fn call(&self, row: &Row, caller: &Caller, id: &str, query: &str) -> Answer {
        let path = filled(row.path(), id);
        let path = format!("/e/{}{path}{query}", self.platform.slug);
        let webhook = self.stage.webhook(self.platform, "new").to_string();
        let body = row.2.replace("{webhook}", &webhook).replace("{id}", id);
        let body = Some(body.as_bytes()).filter(|body| !body.is_empty());
        caller.api.call(row.method(), &path, body)
    }

    fn cell(&self, row: &Row, caller: &Caller, tally: &mut Tally) {
        let expected = row.expected(caller);
        // What is changed is the caller's own: in some contracts a key sees nothing else.
        let is_changed = row.names_a_webhook() && row.method() != "GET" && expected.1.is_empty();
        let made;
        let id = match is_changed && row.1 != READ {
            true => {
                made = self.stage.make(self.platform, &caller.api, "own");
                &made
            }
            false => &self.webhook,
        };
        let answer = self.call(row, caller, id, "");
        tally.cells += 1;
        let code = answer.body["error"]["code"].as_str().unwrap_or_default().to_lowercase();
        let told = String::from_utf8_lossy(&answer.message.body);
        let mut wrong = |what: &str| {
            let call = format!("{} of {} by {}", row.0, self.platform.slug, caller.name);
            tally.mismatches.push(format!("{call}: {what}: {told}"));
        };
        if (answer.status, &*code) != expected {
            wrong(&format!("{} {code} instead of {expected:?}", answer.status));
        }
        if caller.key.is_none_or(|(_, is_acmes)| !is_acmes) && told.contains(CANARY) {
            wrong("shows what is another's");
        }
        if expected.0 == 404 {
            let never = if self.webhook.contains('-') {
                "00000000-0000-0000-0000-000000000000".to_owned()
            } else {
                let (prefix, _) = self.webhook.split_once('_').unwrap_or_default();
                format!("{prefix}_00000000000000000000000000")
            };
            if said(&self.call(row, caller, &never, "")) != said(&answer) {
                wrong("what is another's is told from what is not there");
            }
            tally.compared += 1;
        }
        if row.method() == "GET" {
            let asked = self.call(row, caller, id, "?tenant=acme&environment=aleta&limit=1&x=%00");
            if said(&asked) != said(&answer) {
                wrong("a query changes the answer");
            }
            tally.compared += 1;
        }
    }
}

#[test]
fn every_call_of_a_contract_answers_every_kind_of_key_as_it_should() {
    let (started, stage) = (Instant::now(), Stage::open());
    let (mut tally, mut operations) = (Tally::default(), 0);
    for platform in PLATFORMS {
        let path = format!("/docs/{}/openapi.json", platform.slug);
        let document = stage.server.admin().without("authorization").get(&path).expect(200);
        let decided: BTreeSet<_> = platform.rows.iter().map(|row| row.0.to_owned()).collect();
        assert_eq!(decided, described(&document), "decide who may make each call");
        let callers = stage.callers(platform);
        let is_owner = |caller: &&Caller| caller.name == "manage of acme";
        let owner = callers.iter().find(is_owner).expect("an owner");
        let webhook = stage.make(platform, &owner.api, CANARY);
        let tried = Tried { stage: &stage, platform, webhook };
        for row in platform.rows {
            for caller in &callers {
                tried.cell(row, caller, &mut tally);
            }
        }
        operations += platform.rows.len();
    }
    tally.judged(operations, started);
}
