//! What each call is expected to need, written by hand: the server's own table is not looked at.

use super::stage::{Caller, Level, Object};

/// Whether a call is about one environment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Environment {
    /// It is: a key of the instance names which.
    Needed,
    /// It may be: none needs to be named, but a wrong one is refused.
    Optional,
    /// It is not, whatever the header says.
    Free,
}

/// One call, and what it answers to those who may make it.
pub(super) struct Row {
    pub(super) call: &'static str,
    pub(super) scopes: &'static [&'static str],
    pub(super) level: Level,
    pub(super) environment: Environment,
    pub(super) object: Object,
    pub(super) body: Option<&'static str>,
    pub(super) status: u16,
    pub(super) code: &'static str,
}

impl Row {
    /// With a body.
    const fn sends(self, body: &'static str) -> Self {
        Self { body: Some(body), ..self }
    }

    /// About this; it must be there for the caller.
    const fn about(self, object: Object) -> Self {
        Self { object, ..self }
    }

    const fn at(self, level: Level) -> Self {
        Self { level, ..self }
    }

    const fn environment(self, environment: Environment) -> Self {
        Self { environment, ..self }
    }

    /// Refused after the key was found good.
    const fn refused(self, status: u16, code: &'static str) -> Self {
        Self { status, code, ..self }
    }

    pub(super) fn method(&self) -> &'static str {
        self.call.split_once(' ').map_or(self.call, |(method, _)| method)
    }

    pub(super) fn path(&self) -> &'static str {
        self.call.split_once(' ').map_or(self.call, |(_, path)| path)
    }

    /// The call's line in `docs/keys.md`.
    pub(super) fn line(&self) -> String {
        let mark = |scope: &&str| if self.scopes.contains(scope) { " yes |" } else { " |" };
        let marks: String = ["publish", "read", "manage", "portal"].iter().map(mark).collect();
        let keys = match self.level {
            Level::Tenant => "any",
            Level::Environment => "environment, instance",
            Level::Instance => "instance",
        };
        format!("| `{}` |{marks} {keys} |", self.call)
    }

    /// The status and code that a caller gets.
    pub(super) fn expected(&self, caller: &Caller) -> (u16, &'static str) {
        let Some(key) = &caller.key else {
            return match self.scopes {
                [] => (self.status, self.code),
                _ => (401, "unauthorized"),
            };
        };
        if self.scopes.is_empty() {
            return (self.status, self.code);
        }
        if !key.scopes.iter().any(|scope| self.scopes.contains(scope)) || key.level < self.level {
            return (403, "forbidden");
        }
        match (self.environment, caller.environment) {
            (Environment::Needed, None) => return (400, "environment_required"),
            (Environment::Needed | Environment::Optional, Some("")) => {
                return (404, "environment_not_found");
            }
            _ => {}
        }
        match self.object.is_seen_by(caller) {
            true => (self.status, self.code),
            false => (404, self.object.missing()),
        }
    }
}

const fn row(call: &'static str, scopes: &'static [&'static str], status: u16) -> Row {
    let (level, environment, object) = (Level::Tenant, Environment::Needed, Object::Nothing);
    Row { call, scopes, level, environment, object, body: None, status, code: "" }
}

const OPEN: &[&str] = &[];
const PUBLISH: &[&str] = &["publish"];
const LOOK: &[&str] = &["manage", "read", "portal"];
const OPERATE: &[&str] = &["manage", "portal"];
const READ: &[&str] = &["manage", "read"];
const MANAGE: &[&str] = &["manage"];

const EVENT: &str = r#"{"tenant":"acme","type":"never.seen","data":1}"#;
const BATCH: &str = r#"{"events":[{"tenant":"acme","type":"never.seen","data":1}]}"#;
const ENDPOINT: &str = r#"{"url":"https://example.com/","types":["never.seen"]}"#;
const SOURCE: &str = r#"{"name":"s","scheme":"github","secret":"s3cret"}"#;
const VERIFY: &str = r#"{"scheme":"github","secret":"s3cret","headers":{},"body":""}"#;
const COUNT: &str = r#"{"since":"2026-01-01T00:00:00Z","dry_run":true}"#;
const DESCRIPTION: &str = r#"{"description":"still here"}"#;
const SUBJECT: &str = r#"{"subject":"nobody"}"#;
const CONTRACT: &str = r#"{"contract":"aleta"}"#;

/// Every call of the native API. One that is not here fails the test: who may make it must be
/// decided.
pub(super) const ROWS: &[Row] = &[
    row("GET /healthz", OPEN, 200),
    row("GET /readyz", OPEN, 200),
    row("GET /metrics", OPEN, 200),
    row("POST /v1/events", PUBLISH, 202).sends(EVENT).about(Object::Tenant),
    row("POST /v1/events/batch", PUBLISH, 202).sends(BATCH).about(Object::Tenant),
    row("GET /v1/environments", READ, 200).environment(Environment::Free),
    row("POST /v1/environments", MANAGE, 0)
        .at(Level::Instance)
        .environment(Environment::Free)
        .sends(r#"{"slug":"NO","contracts":["standard"]}"#)
        .refused(422, "invalid_environment"),
    row("GET /v1/environments/{slug}", READ, 200)
        .environment(Environment::Free)
        .about(Object::Environment),
    row("PATCH /v1/environments/{slug}", MANAGE, 200)
        .at(Level::Instance)
        .environment(Environment::Free)
        .sends("{}")
        .about(Object::Environment),
    row("DELETE /v1/environments/{slug}", MANAGE, 0)
        .at(Level::Instance)
        .environment(Environment::Free)
        .about(Object::Environment)
        .refused(409, "in_use"),
    row("GET /v1/keys", READ, 200).environment(Environment::Optional),
    row("POST /v1/keys", MANAGE, 201)
        .environment(Environment::Optional)
        .sends(r#"{"name":"k","scopes":["read"]}"#),
    row("DELETE /v1/keys/{id}", MANAGE, 204)
        .environment(Environment::Optional)
        .about(Object::NewKey),
    row("GET /v1/tenants", READ, 200),
    row("GET /v1/tenants/{tenant}", READ, 200).about(Object::Tenant),
    row("PUT /v1/tenants/{tenant}", MANAGE, 200)
        .at(Level::Environment)
        .sends("{}")
        .about(Object::Tenant),
    row("PATCH /v1/tenants/{tenant}", MANAGE, 200)
        .at(Level::Environment)
        .sends("{}")
        .about(Object::Tenant),
    row("DELETE /v1/tenants/{tenant}", MANAGE, 204).at(Level::Environment).about(Object::NewTenant),
    row("GET /v1/tenants/{tenant}/usage", READ, 200).about(Object::Tenant),
    row("POST /v1/tenants/{tenant}/recover", OPERATE, 200).sends(COUNT).about(Object::Tenant),
    row("GET /v1/tenants/{tenant}/erasures", READ, 200).about(Object::Tenant),
    row("POST /v1/tenants/{tenant}/erasures", MANAGE, 202).sends(SUBJECT).about(Object::Tenant),
    row("GET /v1/erasures/{id}", READ, 200).about(Object::Erasure),
    row("GET /v1/tenants/{tenant}/signing-keys", LOOK, 200).about(Object::Tenant),
    row("POST /v1/tenants/{tenant}/signing-keys/rotate", MANAGE, 200)
        .sends(CONTRACT)
        .about(Object::Tenant),
    row("GET /v1/endpoints", LOOK, 200),
    row("POST /v1/tenants/{tenant}/endpoints", OPERATE, 201).sends(ENDPOINT).about(Object::Tenant),
    row("GET /v1/endpoints/{id}", LOOK, 200).about(Object::Endpoint),
    row("PATCH /v1/endpoints/{id}", OPERATE, 200).sends(DESCRIPTION).about(Object::Endpoint),
    row("DELETE /v1/endpoints/{id}", OPERATE, 204).about(Object::NewEndpoint),
    row("POST /v1/endpoints/{id}/enable", OPERATE, 200).about(Object::NewEndpoint),
    row("POST /v1/endpoints/{id}/disable", OPERATE, 200).about(Object::NewEndpoint),
    row("POST /v1/endpoints/{id}/pause", OPERATE, 200).about(Object::NewEndpoint),
    row("POST /v1/endpoints/{id}/resume", OPERATE, 200).about(Object::NewEndpoint),
    row("POST /v1/endpoints/{id}/rotate-secret", OPERATE, 200).about(Object::NewEndpoint),
    row("POST /v1/endpoints/{id}/test", OPERATE, 202).about(Object::NewEndpoint),
    row("POST /v1/endpoints/{id}/recover", OPERATE, 200).sends(COUNT).about(Object::Endpoint),
    row("GET /v1/endpoints/{id}/deliveries", LOOK, 200).about(Object::Endpoint),
    row("GET /v1/jobs", LOOK, 200),
    row("GET /v1/jobs/{id}", LOOK, 200).about(Object::Job),
    row("POST /v1/jobs/{id}/cancel", OPERATE, 0).about(Object::Job).refused(409, "invalid_state"),
    row("GET /v1/events", LOOK, 200),
    row("GET /v1/events/{id}", LOOK, 200).about(Object::Event),
    row("DELETE /v1/events/{id}", MANAGE, 204).about(Object::NewEvent),
    row("GET /v1/events/{id}/explain", LOOK, 200).about(Object::Event),
    row("POST /v1/events/{id}/replay", OPERATE, 202).about(Object::NewEvent),
    row("POST /v1/explain", LOOK, 200).sends(EVENT).about(Object::Tenant),
    row("GET /v1/deliveries", LOOK, 200),
    row("GET /v1/deliveries/{id}", LOOK, 200).about(Object::Delivery),
    row("POST /v1/deliveries/{id}/retry", OPERATE, 202).about(Object::NewDelivery),
    row("POST /v1/deliveries/{id}/cancel", OPERATE, 202).about(Object::NewDelivery),
    row("POST /v1/deliveries/{id}/skip", OPERATE, 0)
        .about(Object::Delivery)
        .refused(409, "invalid_state"),
    row("GET /v1/event-types", LOOK, 200),
    row("PUT /v1/event-types/{type}", MANAGE, 200)
        .at(Level::Environment)
        .sends(r#"{"description":"d"}"#)
        .about(Object::Type),
    row("GET /v1/notices", READ, 200).about(Object::Operator),
    row("GET /v1/sources", READ, 200),
    row("GET /v1/tenants/{tenant}/sources", READ, 200).about(Object::Tenant),
    row("POST /v1/tenants/{tenant}/sources", MANAGE, 201).sends(SOURCE).about(Object::Tenant),
    row("GET /v1/sources/{id}", READ, 200).about(Object::Source),
    row("PATCH /v1/sources/{id}", MANAGE, 200).sends(DESCRIPTION).about(Object::Source),
    row("DELETE /v1/sources/{id}", MANAGE, 204).about(Object::NewSource),
    row("POST /v1/sources/{id}/rotate-secret", MANAGE, 200).about(Object::NewSource),
    row("GET /v1/sources/{id}/requests", READ, 200).about(Object::Source),
    row("POST /v1/verify", READ, 200).environment(Environment::Free).sends(VERIFY),
    row("GET /v1/audit", READ, 200).environment(Environment::Optional),
    row("GET /v1/audit/export", READ, 200).environment(Environment::Optional),
    row("GET /v1/encryption", READ, 200).at(Level::Instance).environment(Environment::Free),
    row("POST /v1/encryption/rotate-master-key", MANAGE, 0)
        .at(Level::Instance)
        .environment(Environment::Free)
        .refused(409, "invalid_state"),
    row("POST /v1/encryption/rotate-data-keys", MANAGE, 202)
        .at(Level::Instance)
        .environment(Environment::Free)
        .sends(r#"{"all":true}"#),
];
