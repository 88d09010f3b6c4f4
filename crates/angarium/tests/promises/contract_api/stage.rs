//! A server with several platforms on it, and the callers that they have.

use crate::support::client::{Answer, Api};
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::{Server, Start};
use crate::support::shop::text;
use serde_json::{Value, json};
use std::sync::OnceLock;
use tempfile::TempDir;

/// What a contract's page prints of its webhooks.
pub(super) struct Page {
    /// The contract, and the slug of its environment.
    pub(super) contract: &'static str,
    /// Where webhooks are made and listed.
    pub(super) path: &'static str,
    /// Whether the key stands in `X-API-Key`; else it is a bearer.
    pub(super) in_own_header: bool,
    /// The members of a webhook that was just made, in their order.
    pub(super) members: &'static [&'static str],
    /// What shows that an id is in the contract's form.
    pub(super) id_looks_right: fn(&str) -> bool,
    /// A change, where the page has one.
    pub(super) change: Option<Change>,
}

/// A method, and what is sent with it.
type Change = (&'static str, fn() -> Value);

impl Page {
    /// A webhook that the contract takes: AIOKA only https, where nothing listens and nothing is
    /// sent; Anduin only what answers its validation.
    pub(super) fn webhook(&self) -> Value {
        let (url, kind) = match self.contract {
            "aioka" => ("https://127.0.0.1:9443/hook".to_owned(), "verdict.new"),
            "aleta" => (receiver().url("/hook"), "limit.breached"),
            _ => (receiver().url("/hook"), "fundSubscription.signed"),
        };
        json!({"url": url, "events": [kind]})
    }
}

/// Answers as Anduin's validation wants it.
fn receiver() -> &'static Receiver {
    static RECEIVER: OnceLock<Receiver> = OnceLock::new();
    let header = "x-anduin-webhook-validation-key";
    RECEIVER.get_or_init(|| Receiver::unrecorded(move |_| Reply::Echo(header.to_owned())))
}

fn is_prefixed(id: &str) -> bool {
    id.len() == 29 && id.starts_with("wh_")
}

fn is_uuid(id: &str) -> bool {
    id.len() == 36 && id.split('-').map(str::len).eq([8, 4, 4, 4, 12])
}

/// The pages that are tried.
pub(super) const PAGES: &[Page] = &[
    Page {
        contract: "aioka",
        path: "/v1/webhooks",
        in_own_header: true,
        members: &["id", "url", "events", "secret", "is_active", "created_at"],
        id_looks_right: is_prefixed,
        change: None,
    },
    Page {
        contract: "aleta",
        path: "/v2/webhooks",
        in_own_header: false,
        members: &["id", "url", "events", "status", "created_at"],
        id_looks_right: is_prefixed,
        change: Some(("PATCH", || json!({"status": "paused"}))),
    },
    Page {
        contract: "anduin",
        path: "/api/v2/webhooks",
        in_own_header: false,
        members: &["id", "url", "events", "fundSubscriptions", "secret", "isActive"],
        id_looks_right: is_uuid,
        change: Some(("PUT", || json!({"isActive": false}))),
    },
];

/// The page of this contract.
pub(super) fn page(contract: &str) -> &'static Page {
    PAGES.iter().find(|page| page.contract == contract).expect("a page")
}

/// A server with an environment for each page, each with two tenants.
pub(super) struct Platforms {
    pub(super) server: Server,
    pub(super) folder: TempDir,
}

impl Platforms {
    pub(super) fn open() -> Self {
        let platforms = Self::bare();
        for page in PAGES {
            let host = format!("api.{}.test", page.contract);
            platforms.environment(page.contract, &[page.contract], &[&host]).expect(201);
            for tenant in ["acme", "other"] {
                platforms.tenant(page.contract, tenant);
            }
        }
        platforms
    }

    /// Without any environment, and with the contracts of the folder `contracts`.
    pub(super) fn bare() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("contracts")).expect("a folder");
        let server = Self::start(&folder).run();
        Self { server, folder }
    }

    pub(super) fn start(folder: &TempDir) -> Start {
        let contracts = folder.path().join("contracts");
        Start::local(&folder.path().join("data"))
            .argument(&format!("--contracts={}", contracts.display()))
    }

    pub(super) fn environment(&self, slug: &str, contracts: &[&str], hosts: &[&str]) -> Answer {
        let body = json!({"slug": slug, "contracts": contracts, "hosts": hosts});
        self.server.admin().post("/v1/environments", &body)
    }

    /// The native API of an environment.
    pub(super) fn native(&self, environment: &str) -> Api {
        self.server.admin().with("angarium-environment", environment)
    }

    pub(super) fn tenant(&self, environment: &str, tenant: &str) {
        let path = format!("/v1/tenants/{tenant}");
        self.native(environment).put(&path, &json!({"plan": "basic"})).expect(201);
    }

    /// The text of a new key.
    pub(super) fn key(&self, environment: &str, tenant: Option<&str>, scopes: &[&str]) -> String {
        let mut body = json!({"name": "k", "environment": environment, "scopes": scopes});
        if let Some(tenant) = tenant {
            body["tenant"] = tenant.into();
        }
        let made = self.server.admin().post("/v1/keys", &body).expect(201);
        text(&made, "key").to_owned()
    }

    /// A caller of a page with a key of this text.
    pub(super) fn caller(&self, page: &Page, key: &str) -> Api {
        let bearer = Api::new(&self.server.address, key);
        match page.in_own_header {
            true => bearer.without("authorization").with("x-api-key", key),
            false => bearer,
        }
    }

    /// A caller of a page with a new key of this tenant that may do everything.
    pub(super) fn customer(&self, page: &Page, tenant: &str) -> Api {
        let key = self.key(page.contract, Some(tenant), &["manage", "read"]);
        self.caller(page, &key)
    }
}

/// The webhooks of a list.
pub(super) fn webhooks(caller: &Api, path: &str) -> Vec<Value> {
    let list = caller.get(path).expect(200);
    list["webhooks"].as_array().expect("a list").clone()
}

/// The members of an object in their order, as they stand in the answer.
pub(super) fn names_in_order(answer: &Answer) -> Vec<String> {
    let body = std::str::from_utf8(&answer.message.body).expect("text");
    let object: Value = serde_json::from_str(body).expect("JSON");
    let object = object.as_object().expect("an object");
    let mut names: Vec<_> = object.keys().cloned().collect();
    names.sort_by_key(|name| body.find(&format!("\"{name}\":")));
    names
}

/// Refused in the shape of the pages, with this status and code; the message says why.
#[track_caller]
pub(super) fn refused(answer: &Answer, status: u16, code: &str) -> String {
    let error = &answer.body["error"];
    assert_eq!((answer.status, &error["code"]), (status, &json!(code)), "{}", answer.body);
    assert_eq!(answer.message.header("content-type"), Some("application/json"));
    assert_eq!(names_in_order(answer), ["error"]);
    text(error, "message").to_owned()
}
