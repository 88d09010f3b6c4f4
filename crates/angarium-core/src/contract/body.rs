//! The body of a delivery: a JSON template, compiled into segments that are copied one after the
//! other.
//!
//! The members keep the order of the file and the data goes in byte for byte, so a receiver that
//! signs or hashes the body sees what the publisher sent.

use super::template::{Facts, Placeholder};
use crate::declared::{Fault, Piece, quoted, split, split_word};
use crate::event::DataKind;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;
use std::fmt;
use std::io::Write;

/// How a body is made.
#[derive(Debug)]
pub(crate) struct Body {
    form: Form,
    written: String,
}

#[derive(Debug)]
enum Form {
    /// The data as it was published, and nothing else.
    AsReceived,
    /// JSON around it.
    Json(Box<[Segment]>),
}

/// The template as it stands in the file, as JSON.
impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// A step in writing a JSON body.
#[derive(Debug)]
enum Segment {
    /// Bytes that are always the same.
    Literal(Vec<u8>),
    /// A fact that is a whole value and keeps its type.
    Value(Placeholder),
    /// The same, or these bytes where it is absent.
    ValueOr(Placeholder, Vec<u8>),
    /// A fact inside a JSON string.
    Text(Placeholder),
    /// A comma, unless nothing stands before it in its object or list.
    Comma,
    /// A member that is left out where one of the facts is absent.
    Optional(Box<[Placeholder]>, Box<[Segment]>),
}

impl Body {
    /// Compiles a template.
    pub(super) fn parse(template: &Value) -> Result<Self, Fault> {
        let form = match template {
            Value::String(text) if text == "{event.data}" => Form::AsReceived,
            Value::Object(_) => {
                let mut segments = Vec::new();
                compile(template, &mut segments)?;
                Form::Json(segments.into())
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                let alone = quoted(&["{event.data}"]);
                let fault = Fault::from(format!("a body is a table of members, or {alone} alone"));
                return Err(fault.cured_by("write `{ data = \"{event.data}\" }`"));
            }
        };
        Ok(Self { form, written: template.to_string() })
    }

    /// Checks one text of a template.
    pub(super) fn check_text(text: &str) -> Result<(), Fault> {
        compile_text(text, &mut Vec::new())
    }

    /// The content type where the contract names none.
    pub(crate) fn content_type(&self, data: DataKind) -> &'static str {
        match (&self.form, data) {
            (Form::Json(_), _) | (Form::AsReceived, DataKind::Json) => "application/json",
            (Form::AsReceived, DataKind::Text) => "text/plain; charset=utf-8",
            (Form::AsReceived, DataKind::Binary) => "application/octet-stream",
        }
    }

    /// The bytes for one attempt.
    pub(crate) fn fill(&self, facts: &Facts<'_>) -> Bytes {
        let data = &facts.event().body.data;
        match &self.form {
            Form::AsReceived => data.clone(),
            Form::Json(segments) => {
                let mut out = Vec::with_capacity(data.len() + 512);
                write(segments, facts, &mut out);
                out.into()
            }
        }
    }
}

fn compile(template: &Value, out: &mut Vec<Segment>) -> Result<(), Fault> {
    match template {
        Value::Null | Value::Bool(_) | Value::Number(_) => literal(out, &template.to_string()),
        Value::String(text) => compile_text(text, out)?,
        Value::Array(values) => {
            literal(out, "[");
            let values = values.iter().map(|value| (String::new(), value));
            compile_members(values, out)?;
            literal(out, "]");
        }
        Value::Object(members) => {
            literal(out, "{");
            let name = |name: &String| Value::String(name.clone()).to_string() + ":";
            let members = members.iter().map(|(key, value)| (name(key), value));
            compile_members(members, out)?;
            literal(out, "}");
        }
    }
    Ok(())
}

/// Compiles what stands in an object or a list. Once a member that is never absent has been
/// written, the comma after it is sure and becomes a literal.
fn compile_members<'a>(
    members: impl Iterator<Item = (String, &'a Value)>,
    out: &mut Vec<Segment>,
) -> Result<(), Fault> {
    let mut first = true;
    let mut sure = false;
    for (name, value) in members {
        let needs = needs(value)?;
        let mut inner = Vec::new();
        let steps = if needs.is_empty() { &mut *out } else { &mut inner };
        match (first, sure) {
            (true, _) => {}
            (false, true) => literal(steps, ","),
            (false, false) => steps.push(Segment::Comma),
        }
        literal(steps, &name);
        compile(value, steps)?;
        sure |= needs.is_empty();
        first = false;
        if !needs.is_empty() {
            out.push(Segment::Optional(needs.into(), inner.into()));
        }
    }
    Ok(())
}

/// The facts without which a value is absent. A table or list is never absent itself.
fn needs(value: &Value) -> Result<Vec<Placeholder>, Fault> {
    let Value::String(text) = value else {
        return Ok(Vec::new());
    };
    let mut needs = Vec::new();
    let pieces = split(text)?;
    if let [Piece::Name(name)] = pieces[..]
        && split_word(name).1.is_some()
    {
        return Ok(needs);
    }
    for piece in pieces {
        if let Piece::Name(name) = piece {
            let fact = Placeholder::parse(name)?;
            if fact.may_be_absent() {
                needs.push(fact);
            }
        }
    }
    Ok(needs)
}

fn compile_text(text: &str, out: &mut Vec<Segment>) -> Result<(), Fault> {
    let pieces = split(text)?;
    if let [Piece::Name(name)] = pieces[..] {
        let (name, absent) = split_word(name);
        let fact = Placeholder::parse(name)?;
        out.push(match absent {
            None => Segment::Value(fact),
            Some(absent) => Segment::ValueOr(fact, absent.to_string().into_bytes()),
        });
        return Ok(());
    }
    literal(out, "\"");
    for piece in pieces {
        match piece {
            Piece::Literal(text) => {
                let mut escaped = Vec::new();
                push_escaped(&text, &mut escaped);
                literal(out, &String::from_utf8_lossy(&escaped));
            }
            Piece::Name(name) => match Placeholder::parse(name)? {
                Placeholder::Data => {
                    let fault = Fault::from("the data stands alone, not inside a text");
                    return Err(fault.cured_by("write \"{event.data}\", and nothing beside it"));
                }
                fact => out.push(Segment::Text(fact)),
            },
        }
    }
    literal(out, "\"");
    Ok(())
}

fn literal(out: &mut Vec<Segment>, text: &str) {
    if let Some(Segment::Literal(bytes)) = out.last_mut() {
        bytes.extend_from_slice(text.as_bytes());
    } else {
        out.push(Segment::Literal(text.into()));
    }
}

fn write(segments: &[Segment], facts: &Facts<'_>, out: &mut Vec<u8>) {
    for segment in segments {
        match segment {
            Segment::Literal(bytes) => out.extend_from_slice(bytes),
            Segment::ValueOr(fact, absent) if !facts.has(fact) => out.extend_from_slice(absent),
            Segment::Value(fact) | Segment::ValueOr(fact, _) => write_value(fact, facts, out),
            Segment::Text(fact) => {
                push_escaped(&facts.text(fact).unwrap_or_default(), out);
            }
            // No value ends with an opening bracket, so one at the end opened this object.
            Segment::Comma if matches!(out.last(), Some(b'{' | b'[')) => {}
            Segment::Comma => out.push(b','),
            Segment::Optional(needs, inner) => {
                if needs.iter().all(|fact| facts.has(fact)) {
                    write(inner, facts, out);
                }
            }
        }
    }
}

fn write_value(fact: &Placeholder, facts: &Facts<'_>, out: &mut Vec<u8>) {
    let body = &facts.event().body;
    match (fact, body.data_kind) {
        (Placeholder::Data, DataKind::Json) => out.extend_from_slice(&body.data),
        (Placeholder::Data, DataKind::Binary) => {
            write!(out, "\"{}\"", STANDARD.encode(&body.data)).expect("a Vec takes every byte");
        }
        (Placeholder::Sequence | Placeholder::Timestamp, _) => {
            out.extend_from_slice(facts.text(fact).unwrap_or_default().as_bytes());
        }
        (Placeholder::Data, DataKind::Text)
        | (
            Placeholder::Id
            | Placeholder::Type
            | Placeholder::Time
            | Placeholder::Subject
            | Placeholder::Key
            | Placeholder::Attribute(_),
            _,
        ) => {
            out.push(b'"');
            push_escaped(&facts.text(fact).unwrap_or_default(), out);
            out.push(b'"');
        }
    }
}

/// Adds text as it stands inside a JSON string (RFC 8259, section 7).
fn push_escaped(text: &str, out: &mut Vec<u8>) {
    let plain = |byte: &u8| *byte >= b' ' && *byte != b'"' && *byte != b'\\';
    if text.as_bytes().iter().all(plain) {
        return out.extend_from_slice(text.as_bytes());
    }
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..b' ' => write!(out, "\\u{byte:04x}").expect("a Vec takes every byte"),
            _ => out.push(byte),
        }
    }
}
