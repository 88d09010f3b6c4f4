//! Where each fact stands in a delivery, and what it means to a receiver.

use super::markdown::{code, plain};
use crate::contract::RequestShape;
use crate::contract::template::Placeholder;
use crate::declared::{Piece, split, split_word};
use serde_json::{Map, Value};

/// A part of a delivery that carries facts of the event.
#[derive(Debug)]
pub(super) struct Member {
    /// Its name; members of members after a dot.
    pub(super) name: String,
    /// The facts in it.
    pub(super) facts: Vec<Placeholder>,
    /// What the contract itself says that it means.
    told: Option<String>,
}

impl Member {
    fn new(name: String, template: &str, shape: &RequestShape) -> Self {
        let pieces = split(template).unwrap_or_default();
        let fact = |piece: &Piece<'_>| match piece {
            Piece::Name(name) => Placeholder::parse(split_word(name).0).ok(),
            Piece::Literal(_) => None,
        };
        let told = shape.meanings.iter().find(|(known, _)| **known == name);
        let told = told.map(|(_, meaning)| plain(meaning));
        Self { name, facts: pieces.iter().filter_map(fact).collect(), told }
    }

    /// What it means.
    pub(super) fn meaning(&self) -> String {
        let meanings: Vec<_> = self.facts.iter().map(meaning).collect();
        match &self.told {
            Some(told) => told.clone(),
            None if meanings.is_empty() => "Always the same.".to_owned(),
            None => meanings.join(" "),
        }
    }
}

/// The members of the body; none where it is the data alone.
pub(super) fn of_body(shape: &RequestShape) -> Vec<Member> {
    let template = shape.body.as_ref().map(ToString::to_string);
    let template: Option<Value> = template.and_then(|text| serde_json::from_str(&text).ok());
    let mut members = Vec::new();
    if let Some(Value::Object(template)) = template {
        collect("", &template, shape, &mut members);
    }
    members
}

fn collect(
    below: &str,
    template: &Map<String, Value>,
    shape: &RequestShape,
    out: &mut Vec<Member>,
) {
    for (name, value) in template {
        let dot = if below.is_empty() { "" } else { "." };
        let name = format!("{below}{dot}{name}");
        match value {
            Value::Object(inner) => collect(&name, inner, shape, out),
            Value::String(text) => out.push(Member::new(name, text, shape)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                out.push(Member::new(name, "", shape));
            }
        }
    }
}

/// The parameters of a GET.
pub(super) fn of_query(shape: &RequestShape) -> Vec<Member> {
    let query = shape.query.iter();
    query.map(|(name, text)| Member::new(name.to_string(), &text.written, shape)).collect()
}

/// The headers that the contract sets, but for the signature.
pub(super) fn of_headers(shape: &RequestShape) -> Vec<Member> {
    let headers = shape.written_headers.iter().zip(&shape.headers);
    headers.map(|(name, (_, text))| Member::new(name.to_string(), &text.written, shape)).collect()
}

/// The names of all of them.
pub(super) fn names(shape: &RequestShape) -> Vec<String> {
    let parts = [of_body(shape), of_query(shape), of_headers(shape)];
    parts.into_iter().flatten().map(|member| member.name).collect()
}

/// Where a fact stands alone: ``the header `webhook-id` ``, ``the member `id` ``.
pub(super) fn place_of(shape: &RequestShape, fact: &Placeholder) -> Option<String> {
    let alone = |member: &&Member| member.facts == [fact.clone()];
    let in_body = of_body(shape).iter().find(alone).map(|m| format!("`{}`", m.name));
    let in_header = || {
        let headers = of_headers(shape);
        headers.iter().find(alone).map(|m| format!("the header {}", code(&m.name)))
    };
    let in_query = || {
        let query = of_query(shape);
        query.iter().find(alone).map(|m| format!("the parameter {}", code(&m.name)))
    };
    in_body.or_else(in_header).or_else(in_query)
}

fn meaning(fact: &Placeholder) -> String {
    match fact {
        Placeholder::Id => "The event's id. It is the same on every retry and for every webhook \
                            that gets the event, so it tells you what you have seen."
            .to_owned(),
        Placeholder::Type => "What happened: the event's type.".to_owned(),
        Placeholder::Time => "When it happened, in UTC. It is the same on every retry.".to_owned(),
        Placeholder::Data => "The data of the event, as its type says above.".to_owned(),
        Placeholder::Subject => {
            "The object that the event is about; absent where there is none.".to_owned()
        }
        Placeholder::Key => {
            "What the event belongs to in the order of deliveries; absent where it \
                             belongs to nothing."
                .to_owned()
        }
        Placeholder::Attribute(name) => {
            format!("The event's attribute {}; absent where it has none.", code(name))
        }
        Placeholder::Sequence => "The number of this delivery at your webhook, counted one by one \
                                  and the same on every retry: a number that is missing is a \
                                  delivery that you missed."
            .to_owned(),
        Placeholder::Timestamp => "When this attempt was made, in seconds since 1970.".to_owned(),
    }
}
