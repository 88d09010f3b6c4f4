//! Reads a request's members into fields.

use super::{Field, Fields, Given, RequestMember, RequestValue, path};
use crate::declared::quoted;
use crate::endpoint::EndpointStatus;
use crate::refusal::{Code, Refusal};
use crate::secret::SecretText;
use serde_json::{Map, Value};

pub(super) fn read_table(
    members: &[RequestMember],
    body: &Map<String, Value>,
    below: &str,
    fields: &mut Fields,
    given: &mut Vec<Field>,
) -> Result<(), Refusal> {
    let names: Vec<_> = members.iter().map(|member| member.name.as_str()).collect();
    if let Some(unknown) = body.keys().find(|name| !names.contains(&name.as_str())) {
        let message = match names[..] {
            [] => "this call takes no members".to_owned(),
            _ => format!("there is no such member; there are {}", quoted(&names)),
        };
        return Err(Refusal::field(Code::UnknownField, path(below, unknown), message));
    }
    for member in members {
        let Some(value) = body.get(&member.name) else { continue };
        let path = path(below, &member.name);
        match (&member.value, value) {
            (RequestValue::Table(inner), Value::Object(body)) => {
                read_table(inner, body, &path, fields, given)?;
            }
            (RequestValue::Table(_), _) => return Err(wrong(&path, "an object")),
            (RequestValue::Field { field, absent }, value) => {
                let cleared = value.is_null() || absent.as_ref() == Some(value);
                if !cleared {
                    given.push(*field);
                }
                set(fields, *field, (!cleared).then_some(value), &path)?;
            }
        }
    }
    Ok(())
}

/// Sets a field; no value means that it is absent.
fn set(
    fields: &mut Fields,
    field: Field,
    value: Option<&Value>,
    path: &str,
) -> Result<(), Refusal> {
    match field {
        Field::Url | Field::SourceUrl => fields.url = text(value, path)?,
        Field::Types => fields.types = texts(value, path)?,
        Field::SourceTypes => fields.types = normal_types(texts(value, path)?),
        Field::Subjects => fields.subjects = texts(value, path)?,
        Field::Name | Field::SourceName => fields.name = text(value, path)?,
        Field::Description | Field::SourceDescription => fields.description = text(value, path)?,
        Field::SourceScheme => fields.scheme = text(value, path)?,
        Field::EndpointId => fields.endpoint_id = text(value, path)?,
        Field::SourceId => fields.source_id = text(value, path)?,
        Field::ReceivedBody => fields.received_body = text(value, path)?,
        Field::ReceivedSignature => fields.received_signature = text(value, path)?,
        Field::ReceivedHeaders => fields.received_headers = named_texts(value, path)?,
        Field::EventType => fields.event_type = text(value, path)?,
        Field::EventData => fields.event_data = given(value, |value| Ok(value.clone()))?,
        Field::Secret => {
            fields.secret = given(value, |value| match value.as_str() {
                Some(text) => Ok(SecretText::new(text)),
                None => Err(wrong(path, "text")),
            })?;
        }
        Field::Active | Field::SourceActive => {
            fields.status = given(value, |value| match value {
                Value::Bool(true) => Ok(EndpointStatus::Active),
                Value::Bool(false) => Ok(EndpointStatus::Disabled),
                _ => Err(wrong(path, "true or false")),
            })?;
        }
        Field::Status | Field::SourceStatus => {
            fields.status = given(value, |value| {
                let status = value.as_str().and_then(EndpointStatus::parse);
                status.ok_or_else(|| wrong(path, "`active`, `paused` or `disabled`"))
            })?;
        }
    }
    Ok(())
}

fn given<T>(
    value: Option<&Value>,
    read: impl FnOnce(&Value) -> Result<T, Refusal>,
) -> Result<Given<T>, Refusal> {
    value.map_or(Ok(Given::Cleared), |value| read(value).map(Given::Value))
}

fn text(value: Option<&Value>, path: &str) -> Result<Given<String>, Refusal> {
    given(value, |value| match value {
        Value::String(text) => Ok(text.clone()),
        _ => Err(wrong(path, "text")),
    })
}

fn texts(value: Option<&Value>, path: &str) -> Result<Given<Vec<String>>, Refusal> {
    given(value, |value| {
        let items = value.as_array().ok_or_else(|| wrong(path, "a list of texts"))?;
        let item = |(i, item): (usize, &Value)| match item {
            Value::String(text) => Ok(text.clone()),
            _ => Err(wrong(&format!("{path}[{i}]"), "text")),
        };
        items.iter().enumerate().map(item).collect()
    })
}

fn named_texts(value: Option<&Value>, path: &str) -> Result<Given<Vec<(String, String)>>, Refusal> {
    given(value, |value| {
        let members = value.as_object().ok_or_else(|| wrong(path, "an object of texts"))?;
        let member = |(name, value): (&String, &Value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            _ => Err(wrong(&self::path(path, name), "text")),
        };
        members.iter().map(member).collect()
    })
}

/// The types that a source lets in: without space around them, each once, and none that is empty.
fn normal_types(given: Given<Vec<String>>) -> Given<Vec<String>> {
    let Given::Value(types) = given else { return given };
    let mut normal: Vec<String> = Vec::with_capacity(types.len());
    for kind in types.iter().map(|kind| kind.trim()).filter(|kind| !kind.is_empty()) {
        if !normal.iter().any(|known| known == kind) {
            normal.push(kind.to_owned());
        }
    }
    Given::Value(normal)
}

fn wrong(path: &str, allowed: &str) -> Refusal {
    Refusal::field(Code::InvalidField, path, format!("this must be {allowed}"))
}
