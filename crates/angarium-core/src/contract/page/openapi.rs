//! The management calls of contracts as a document of OpenAPI 3.1, made from the routes that serve
//! them.

mod schema;

use super::calls::Calls;
use super::errors;
use super::managing::title;
use super::sample::Samples;
use crate::contract::Contract;
use crate::contract::api::{Access, Authentication, Call, ManagementApi, Operation, Route};
use crate::limits::Limits;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The document of the calls of several contracts under one address.
pub(super) fn document(
    title: &str,
    contracts: &[Arc<Contract>],
    base_url: &str,
    limits: &Limits,
) -> Value {
    let (mut paths, mut schemes, mut schemas) = (Map::new(), Map::new(), Map::new());
    for contract in contracts {
        let Some(api) = contract.api() else { continue };
        let samples = Samples::of(contract);
        let calls = Calls::of(contract, base_url, &samples);
        let described = Described { contract, api, calls: &calls, limits };
        schemes.insert(contract.name().to_owned(), security(&api.auth));
        schemas.insert(described.error_name(), schema::of_error(contract, api));
        for (route, call) in api.routes().iter().flat_map(|r| r.calls.iter().map(move |c| (r, c))) {
            let item = paths.entry(call.path.to_string()).or_insert_with(|| json!({}));
            item[call.method.as_str().to_lowercase()] = described.operation(route, call);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": title, "version": "1" },
        "servers": [{ "url": base_url }],
        "tags": contracts.iter().map(|contract| json!({
            "name": contract.name(), "description": contract.title(),
        })).collect::<Vec<_>>(),
        "paths": paths,
        "components": { "securitySchemes": schemes, "schemas": schemas },
    })
}

fn security(auth: &Authentication) -> Value {
    match auth.scheme.as_deref() {
        Some(scheme) if scheme.eq_ignore_ascii_case("bearer") => {
            json!({ "type": "http", "scheme": "bearer" })
        }
        Some(scheme) => json!({
            "type": "apiKey", "in": "header", "name": auth.written_header,
            "description": format!("The word `{scheme}`, a space, and the API key"),
        }),
        None => json!({ "type": "apiKey", "in": "header", "name": auth.written_header }),
    }
}

/// A contract whose calls are described.
struct Described<'a> {
    contract: &'a Contract,
    api: &'a ManagementApi,
    calls: &'a Calls<'a>,
    limits: &'a Limits,
}

impl Described<'_> {
    fn error_name(&self) -> String {
        format!("{}-error", self.contract.name())
    }

    fn operation(&self, route: &Route, call: &Call) -> Value {
        let bounds = route.operation.bounds();
        let name = self.contract.name();
        let method = call.method.as_str().to_lowercase();
        let path = call.path.to_string().replace(['/', '{', '}'], "-");
        let mut operation = json!({
            "operationId": format!("{name}-{method}{}", path.trim_end_matches('-')),
            "summary": title(route),
            "tags": [name],
            "security": match bounds.access {
                Access::Reads | Access::Changes => json!([{ name: [] }]),
                Access::Receives => json!([]),
            },
        });
        let mut parameters = Vec::new();
        if call.path.has_id() {
            parameters.push(json!({
                "name": "id", "in": "path", "required": true,
                "description": "The webhook's id", "schema": { "type": "string", "minLength": 1 },
                "example": self.calls.id(route),
            }));
        }
        parameters.extend(match bounds.access {
            Access::Reads => {
                Some(header("If-None-Match", "The `ETag` of the answer that you have", None))
            }
            Access::Changes => Some(header(
                "Idempotency-Key",
                "The same key and body replays the first answer for 24 h",
                Some(self.limits.idempotency_key_chars),
            )),
            Access::Receives => None,
        });
        operation["parameters"] = parameters.into();
        if !route.request.members().is_empty() {
            operation["requestBody"] = self.request_body(route);
        }
        operation["responses"] = self.responses(route).into();
        operation
    }

    fn request_body(&self, route: &Route) -> Value {
        let schema = schema::of_request(self.contract, route, self.limits);
        let mut content = json!({ "schema": schema });
        if let Some(example) = self.calls.body(route) {
            content["example"] = example;
        }
        let needed = content["schema"].get("required").is_some();
        json!({ "required": needed, "content": { "application/json": content } })
    }

    fn responses(&self, route: &Route) -> Map<String, Value> {
        let mut responses = Map::new();
        let reads = route.operation.bounds().access == Access::Reads;
        let mut good = json!({ "description": described(route.operation) });
        if let Some(template) = &route.response {
            let schema = schema::of_answer(self.contract, route.operation, template);
            let example = self.calls.answer(route).map(|body| serde_json::from_slice(&body));
            let example: Value = example.and_then(Result::ok).unwrap_or_default();
            let content = json!({ "schema": schema, "example": example });
            good["content"] = json!({ "application/json": content });
        }
        if reads {
            let tag = json!({ "schema": { "type": "string" }, "description": "Names this answer" });
            good["headers"] = json!({ "ETag": tag });
            responses
                .insert("304".into(), json!({ "description": "You have this answer already" }));
        }
        responses.insert(route.status.to_string(), good);
        for (code, when) in errors::possible(self.contract, &[route]) {
            let (status, _) = errors::shown(self.api, code);
            let known = responses.entry(status.to_string()).or_insert_with(|| self.refusal());
            let told = known["description"].as_str().unwrap_or_default();
            known["description"] = format!("{told} {when}").trim().into();
        }
        responses
    }

    fn refusal(&self) -> Value {
        let content_type = match self.api.error {
            Some(_) => "application/json",
            None => "application/problem+json",
        };
        let schema = json!({ "$ref": format!("#/components/schemas/{}", self.error_name()) });
        json!({ "description": "", "content": { content_type: { "schema": schema } } })
    }
}

fn header(name: &str, description: &str, most: Option<usize>) -> Value {
    let mut schema = json!({ "type": "string" });
    if let Some(most) = most {
        schema["minLength"] = 1.into();
        schema["maxLength"] = most.into();
    }
    json!({
        "name": name, "in": "header", "required": false, "description": description,
        "schema": schema,
    })
}

fn described(operation: Operation) -> &'static str {
    match operation {
        Operation::EndpointCreate => "Registered",
        Operation::EndpointList => "The webhooks, newest first",
        Operation::EndpointGet => "The webhook",
        Operation::EndpointUpdate => "Changed",
        Operation::EndpointDelete => "Deleted",
        Operation::EndpointTest => "Sent",
        Operation::DiagnosticsShow => "The webhooks and the dead letters",
        Operation::KeysList => "The keys",
        Operation::KeysRotate => "A new key signs",
        Operation::SourceCreate => "Created",
        Operation::SourceList => "The webhooks, newest first",
        Operation::SourceGet => "The webhook",
        Operation::SourceUpdate => "Changed",
        Operation::SourceDelete => "Deleted",
        Operation::SourceRotate => "A new secret verifies",
        Operation::SourceEvents | Operation::SourceRecent => "What was received, newest first",
        Operation::SourceDeliveries => "How it was forwarded, newest first",
        Operation::SourceTest => "Recorded",
        Operation::SourceVerify => "Whether it is genuine",
        Operation::SourceReceive | Operation::SourceMatch => "Received",
    }
}
