//! A platform in small: a server, an environment, tenants with endpoints.

use super::client::{Answer, Api};
use super::server::{Server, Start};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// A server with the environment `shop` (contract `standard`) and the tenant `acme`.
pub(crate) struct Shop {
    pub(crate) server: Server,
    /// The admin's key with the environment's header.
    pub(crate) api: Api,
    folder: TempDir,
}

impl Shop {
    pub(crate) fn open() -> Self {
        Self::open_with(|start| start)
    }

    /// As [`Shop::open`], with other options.
    pub(crate) fn open_with(options: impl FnOnce(Start) -> Start) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = options(Start::local(&folder.path().join("data"))).run();
        let api = server.admin().with("angarium-environment", "shop");
        let environment = json!({"slug": "shop", "title": "Shop", "contracts": ["standard"]});
        api.post("/v1/environments", &environment).expect(201);
        let shop = Self { server, api, folder };
        shop.tenant("acme");
        shop
    }

    /// Ends the server by SIGTERM or kill, then starts it again on the same data.
    pub(crate) fn restarted(self, end: impl FnOnce(Server)) -> Self {
        let Self { server, folder, .. } = self;
        end(server);
        let server = Start::local(&folder.path().join("data")).run();
        let api = server.admin().with("angarium-environment", "shop");
        Self { server, api, folder }
    }

    /// The server's data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn tenant(&self, id: &str) {
        let answer = self.api.put(&format!("/v1/tenants/{id}"), &json!({}));
        assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
    }

    /// An endpoint of `acme`; answers with it.
    pub(crate) fn endpoint(&self, body: &Value) -> Value {
        self.api.post("/v1/tenants/acme/endpoints", body).expect(201)
    }

    /// An endpoint that gets everything, and is tried again after each of `retries`.
    pub(crate) fn endpoint_for_all(&self, url: &str, retries: &[&str]) -> Value {
        let delivery = json!({"timeout": "2s", "retries": retries});
        self.endpoint(&json!({"url": url, "types": ["*"], "delivery": delivery}))
    }

    /// Publishes to `acme`.
    pub(crate) fn publish(&self, kind: &str, data: &Value) -> Value {
        self.try_publish(&json!({"tenant": "acme", "type": kind, "data": data})).expect(202)
    }

    pub(crate) fn try_publish(&self, event: &Value) -> Answer {
        self.api.post("/v1/events", event)
    }

    /// The deliveries of an event.
    pub(crate) fn deliveries(&self, event: &str) -> Vec<Value> {
        self.api.list(&format!("/v1/deliveries?tenant=acme&event={event}"))
    }

    /// Waits until the event's only delivery is in this state; answers with it and its attempts.
    pub(crate) fn wait_for_state(&self, event: &str, state: &str) -> Value {
        let mut last = Value::Null;
        super::eventually(&format!("{event} {state}"), Duration::from_secs(20), || {
            last = self.deliveries(event).pop().unwrap_or_default();
            last["state"] == state
        });
        let id = last["id"].as_str().expect("a delivery's id");
        self.api.get(&format!("/v1/deliveries/{id}")).expect(200)
    }
}

/// What the server counts under this name; labels, if it has some, are part of it.
pub(crate) fn metric(api: &Api, name: &str) -> u64 {
    let text = String::from_utf8(api.get("/metrics").message.body).expect("metrics are text");
    let of_line = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<f64>().ok();
    let value = text.lines().find_map(of_line);
    #[expect(clippy::cast_possible_truncation, reason = "counts are small")]
    #[expect(clippy::cast_sign_loss, reason = "and not negative")]
    value.map_or(0, |value| value as u64)
}

/// How many of `acme`'s deliveries have not ended.
pub(crate) fn waiting(api: &Api) -> usize {
    let in_state = |state: &str| {
        let path = format!("/v1/deliveries?tenant=acme&state={state}");
        api.list(&path).len()
    };
    in_state("queued") + in_state("pending") + in_state("in_flight")
}

/// A member that is text.
pub(crate) fn text<'a>(object: &'a Value, member: &str) -> &'a str {
    object[member].as_str().unwrap_or_else(|| panic!("no `{member}` in {object}"))
}
