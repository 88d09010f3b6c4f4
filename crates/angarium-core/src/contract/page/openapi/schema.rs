//! JSON Schemas of requests and answers.

use super::super::answers::{Presence, presence};
use super::super::facts::{Kind, kind, meaning};
use super::super::requests::is_required;
use crate::contract::api::{
    Field, ManagementApi, Operation, RequestMember, RequestValue, Route, Template,
};
use crate::contract::{Contract, TextRule, TimeForm};
use crate::destination::Scheme;
use crate::limits::Limits;
use serde_json::{Map, Value, json};

/// What a call takes.
pub(super) fn of_request(contract: &Contract, route: &Route, limits: &Limits) -> Value {
    let needed = route.operation.bounds().needed;
    of_members(contract, route.request.members(), needed, limits)
}

fn of_members(
    contract: &Contract,
    members: &[RequestMember],
    needed: &[Field],
    limits: &Limits,
) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for member in members {
        let schema = match &member.value {
            RequestValue::Table(inner) => {
                let schema = of_members(contract, inner, needed, limits);
                if schema.get("required").is_some() {
                    required.push(member.name.clone());
                }
                schema
            }
            RequestValue::Field { field, absent } => {
                let schema = of_field(contract, *field, limits);
                match needed.contains(field) || is_required(contract, *field, needed) {
                    true => {
                        required.push(member.name.clone());
                        schema
                    }
                    false => or_absent(schema, absent.as_ref()),
                }
            }
        };
        properties.insert(member.name.clone(), schema);
    }
    object(properties, required)
}

fn object(properties: Map<String, Value>, required: Vec<String>) -> Value {
    let mut schema =
        json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// Null, and the contract's own word, say that there is none.
fn or_absent(schema: Value, word: Option<&Value>) -> Value {
    let mut choices = vec![schema, json!({ "type": "null" })];
    choices.extend(word.filter(|word| !word.is_null()).map(|word| json!({ "const": word })));
    json!({ "anyOf": choices })
}

fn of_field(contract: &Contract, field: Field, limits: &Limits) -> Value {
    let text = |rule: &TextRule| {
        json!({
            "type": "string", "minLength": rule.chars.start(), "maxLength": rule.chars.end(),
        })
    };
    let rules = contract.rules();
    match field {
        Field::Url => {
            let schemes = match &rules.schemes[..] {
                [Scheme::Https] => "https",
                [Scheme::Http] => "http",
                _ => "https?",
            };
            json!({
                "type": "string", "format": "uri", "maxLength": limits.url_bytes,
                "pattern": format!("^{schemes}://"),
            })
        }
        Field::SourceUrl => json!({
            "type": "string", "maxLength": limits.url_bytes, "pattern": "^(https?://.*)?$",
        }),
        Field::Types => json!({
            "type": "array", "minItems": 1, "maxItems": limits.subscription_types,
            "items": {
                "type": "string", "maxLength": limits.event_type_chars + 2,
                "pattern": r"^(\*|[A-Za-z0-9_.:-]+(\.\*)?)$",
            },
        }),
        Field::SourceTypes => json!({
            "type": "array", "maxItems": limits.subscription_types,
            "items": { "type": "string", "maxLength": limits.event_type_chars + 2 },
        }),
        Field::Subjects => json!({
            "type": "array", "minItems": 1, "maxItems": limits.subscription_types,
            "items": { "type": "string", "minLength": 1, "maxLength": limits.text_chars },
        }),
        Field::Name => text(&rules.name),
        Field::Description => text(&rules.description),
        Field::SourceName => text(&contract.sources().name),
        Field::SourceScheme => text(&contract.sources().scheme),
        Field::SourceDescription => text(&contract.sources().description),
        Field::Active | Field::SourceActive => json!({ "type": "boolean" }),
        Field::Status | Field::SourceStatus => json!({ "enum": ["active", "paused", "disabled"] }),
        Field::Secret | Field::EndpointId | Field::SourceId => {
            json!({ "type": "string", "minLength": 1 })
        }
        Field::ReceivedBody | Field::ReceivedSignature => json!({ "type": "string" }),
        Field::ReceivedHeaders => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        Field::EventType => json!({
            "type": "string", "minLength": 1, "maxLength": limits.event_type_chars,
            "pattern": "^[A-Za-z0-9_.:-]+$",
        }),
        Field::EventData => json!({}),
    }
}

/// What a good answer is.
pub(super) fn of_answer(contract: &Contract, operation: Operation, template: &Template) -> Value {
    of_template(contract, Some(operation), template)
}

/// What a refusal is: the contract's own shape, or RFC 9457.
pub(super) fn of_error(contract: &Contract, api: &ManagementApi) -> Value {
    match &api.error {
        Some(shape) => of_template(contract, None, &shape.body),
        None => {
            let text = json!({ "type": "string" });
            json!({
                "type": "object",
                "required": ["type", "title", "status", "code", "detail"],
                "properties": {
                    "type": text, "title": text, "status": { "type": "integer" }, "code": text,
                    "detail": text, "field": text,
                },
            })
        }
    }
}

/// `operation` is none for an error.
fn of_template(contract: &Contract, operation: Option<Operation>, template: &Template) -> Value {
    let inner = |template: &Template| of_template(contract, operation, template);
    match template {
        Template::Fixed(value) => json!({ "const": value }),
        Template::Text(_) => json!({ "type": "string" }),
        Template::Each { item, .. } => json!({ "type": "array", "items": inner(item) }),
        Template::List(items) => {
            json!({ "type": "array", "prefixItems": items.iter().map(inner).collect::<Vec<_>>() })
        }
        Template::Whole { fact, absent } => {
            let mut schema = of_kind(kind(contract, *fact));
            schema["description"] = meaning(*fact).into();
            match absent {
                None => schema,
                Some(Value::Null) => json!({ "anyOf": [schema, { "type": "null" }] }),
                Some(word) => json!({ "anyOf": [schema, { "const": word }] }),
            }
        }
        Template::Table(members) => {
            let (mut properties, mut required) = (Map::new(), Vec::new());
            for (name, member) in members {
                match presence_of(contract, operation, member) {
                    Presence::Never => continue,
                    Presence::Maybe => {}
                    Presence::Always => required.push(name.clone()),
                }
                properties.insert(name.clone(), inner(member));
            }
            object(properties, required)
        }
    }
}

fn presence_of(contract: &Contract, operation: Option<Operation>, template: &Template) -> Presence {
    // An error is no operation's; its facts are judged as any operation's are.
    let operation = operation.unwrap_or(Operation::EndpointGet);
    let of_fact = |fact| presence(contract, operation, fact);
    match template {
        Template::Whole { fact, absent: None } => of_fact(*fact),
        Template::Text(parts) => parts.iter().filter_map(|part| part.fact()).map(of_fact).fold(
            Presence::Always,
            |all, one| match (all, one) {
                (Presence::Never, _) | (_, Presence::Never) => Presence::Never,
                (Presence::Maybe, _) | (_, Presence::Maybe) => Presence::Maybe,
                (Presence::Always, Presence::Always) => Presence::Always,
            },
        ),
        Template::Whole { absent: Some(_), .. }
        | Template::Fixed(_)
        | Template::List(_)
        | Template::Each { .. }
        | Template::Table(_) => Presence::Always,
    }
}

fn of_kind(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Any => json!({}),
        Kind::Truth => json!({ "type": "boolean" }),
        Kind::Number | Kind::Time(TimeForm::UnixSeconds | TimeForm::UnixMillis) => {
            json!({ "type": "integer" })
        }
        Kind::Time(TimeForm::Millis | TimeForm::Seconds) => {
            json!({ "type": "string", "format": "date-time" })
        }
        // Without seconds a time is none of RFC 3339.
        Kind::Time(TimeForm::Minutes) => json!({ "type": "string" }),
    }
}
