//! The catalog: every type, when it happens, and the delivery that it makes.

use super::json::readable;
use super::markdown::{Markdown, code, plain};
use super::sample::Samples;
use crate::contract::{Contract, EventDescription};
use crate::endpoint::DeliveryMethod;
use serde_json::Value;

/// Deepest member of a schema that the table shows.
const DEEPEST: usize = 4;

/// `own` are the environment's types, which stand beside those of the catalog.
pub(super) fn write(
    page: &mut Markdown,
    contract: &Contract,
    own: &[EventDescription],
    samples: &Samples<'_>,
) {
    page.heading(2, "Events");
    let known = |event: &&EventDescription| contract.events().iter().any(|e| e.name == event.name);
    let own = own.iter().filter(|event| !known(event));
    let events: Vec<_> = contract.events().iter().chain(own).collect();
    let row = |event: &&EventDescription| [code(event.name.as_str()), plain(&event.description)];
    page.table(["Event", "When it happens"], events.iter().map(row));
    page.say(&patterns(&events));
    for event in events {
        page.heading(3, &code(event.name.as_str()));
        page.say(&plain(&event.description));
        for method in contract.methods() {
            deliver(page, event, *method, samples);
        }
        let mut rows = Vec::new();
        members("", event.schema.as_ref().unwrap_or_default(), 1, &mut rows);
        if !rows.is_empty() {
            page.say("Its data:");
        }
        page.table(["Member", "Type", "What it is"], rows);
    }
}

/// How several types are named at once, where types have parts.
fn patterns(events: &[&EventDescription]) -> String {
    let stem = |event: &&EventDescription| {
        event.name.as_str().rsplit_once('.').map(|(stem, _)| stem.to_owned())
    };
    let everything = "Where you name the events that you want, `*` means every event";
    match events.iter().find_map(stem) {
        Some(stem) => {
            let pattern = code(&format!("{stem}.*"));
            format!("{everything}, and {pattern} every event below {}.", code(&stem))
        }
        None => format!("{everything}."),
    }
}

fn deliver(
    page: &mut Markdown,
    event: &EventDescription,
    method: DeliveryMethod,
    samples: &Samples<'_>,
) {
    let Some(request) = samples.request(event, method) else {
        return;
    };
    match method {
        DeliveryMethod::Post => {
            page.say("The body of its delivery:");
            page.code("json", &readable(request.message.body()));
        }
        DeliveryMethod::Get => {
            page.say("Its delivery by GET:");
            page.code("http", &format!("GET {}", request.shown_target()));
        }
    }
}

/// The members that a schema describes, those of members after a dot.
fn members(parent: &str, schema: &Value, depth: usize, rows: &mut Vec<[String; 3]>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let required: Vec<_> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, member) in properties {
        let path = if parent.is_empty() { name.clone() } else { format!("{parent}.{name}") };
        let presence = if required.contains(&name.as_str()) { "" } else { "May be absent." };
        let about = format!("{} {presence}", about(member));
        rows.push([code(&path), kind(member), about.trim().to_owned()]);
        if depth < DEEPEST {
            members(&path, member, depth + 1, rows);
            if let Some(items) = member.get("items") {
                members(&format!("{path}[]"), items, depth + 1, rows);
            }
        }
    }
}

fn kind(schema: &Value) -> String {
    let format = match schema.get("format").and_then(Value::as_str) {
        Some("date") => " (date)".to_owned(),
        Some("date-time") => " (time, RFC 3339)".to_owned(),
        Some(other) => format!(" ({})", plain(other)),
        None => String::new(),
    };
    let kind = match (schema.get("type"), schema.get("enum"), schema.get("const")) {
        (Some(Value::String(kind)), ..) => plain(kind),
        (Some(Value::Array(kinds)), ..) => {
            let kinds: Vec<_> = kinds.iter().filter_map(Value::as_str).map(plain).collect();
            super::words::or(&kinds)
        }
        (_, Some(Value::Array(values)), _) if values.iter().all(Value::is_string) => {
            "string".to_owned()
        }
        _ => "any".to_owned(),
    };
    kind + &format
}

fn about(schema: &Value) -> String {
    let mut parts = Vec::new();
    for word in ["title", "description"] {
        if let Some(text) = schema.get(word).and_then(Value::as_str) {
            parts.push(plain(text));
        }
    }
    if let Some(Value::Array(values)) = schema.get("enum") {
        let values: Vec<_> = values.iter().map(|value| code(&value.to_string())).collect();
        parts.push(format!("One of {}.", super::words::and(&values)));
    }
    if let Some(value) = schema.get("const") {
        parts.push(format!("Always {}.", code(&value.to_string())));
    }
    parts.join(" ")
}
