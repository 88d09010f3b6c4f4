//! Where each fact stands in a delivery, and what it means to a receiver.

use super::markdown::code;
use crate::contract::Contract;
use crate::contract::template::{Piece, Placeholder, split};
use serde_json::Value;

/// A part of a delivery that carries facts of the event.
#[derive(Debug)]
pub(super) struct Member {
    /// Its name; members of members after a dot.
    pub(super) name: String,
    /// The facts in it.
    pub(super) facts: Vec<Placeholder>,
}

impl Member {
    fn new(name: String, template: &str) -> Self {
        let pieces = split(template).unwrap_or_default();
        let fact = |piece: &Piece<'_>| match piece {
            Piece::Name(name) => Placeholder::parse(name).ok(),
            Piece::Literal(_) => None,
        };
        Self { name, facts: pieces.iter().filter_map(fact).collect() }
    }

    /// What it means.
    pub(super) fn meaning(&self) -> String {
        let meanings: Vec<_> = self.facts.iter().map(meaning).collect();
        match meanings.is_empty() {
            true => "Always the same.".to_owned(),
            false => meanings.join(" "),
        }
    }
}

/// The members of the body; none where it is the data alone.
pub(super) fn of_body(contract: &Contract) -> Vec<Member> {
    let template = contract.request.body.as_ref().map(ToString::to_string);
    let template = template.and_then(|text| serde_json::from_str(&text).ok());
    let mut members = Vec::new();
    collect("", &template.unwrap_or_default(), &mut members);
    members
}

fn collect(name: &str, template: &Value, out: &mut Vec<Member>) {
    match template {
        Value::Object(members) => {
            for (member, template) in members {
                let dot = if name.is_empty() { "" } else { "." };
                collect(&format!("{name}{dot}{member}"), template, out);
            }
        }
        Value::String(_) if name.is_empty() => {}
        Value::String(text) => out.push(Member::new(name.to_owned(), text)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            out.push(Member::new(name.to_owned(), ""));
        }
    }
}

/// The parameters of a GET.
pub(super) fn of_query(contract: &Contract) -> Vec<Member> {
    let query = contract.request.query.iter();
    query.map(|(name, template)| Member::new(name.to_string(), &template.written)).collect()
}

/// The headers that the contract sets, but for the signature.
pub(super) fn of_headers(contract: &Contract) -> Vec<Member> {
    let headers = contract.request.headers.iter();
    let named = |name| contract.written_header(name).to_owned();
    headers.map(|(name, template)| Member::new(named(name), &template.written)).collect()
}

/// Where a fact stands alone: ``the header `webhook-id` ``, ``the member `id` ``.
pub(super) fn place_of(contract: &Contract, fact: &Placeholder) -> Option<String> {
    let alone = |member: &&Member| member.facts == [fact.clone()];
    let in_body = of_body(contract).iter().find(alone).map(|m| format!("`{}`", m.name));
    let in_header = || {
        let headers = of_headers(contract);
        headers.iter().find(alone).map(|m| format!("the header {}", code(&m.name)))
    };
    let in_query = || {
        let query = of_query(contract);
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
