//! Templates of answers: JSON with placeholders, cut into parts when the contract is read.

use super::Operation;
use super::fact::{Fact, Forms, Object};
use crate::contract::error::{Read, each};
use crate::contract::fault::Fault;
use crate::contract::source::Item;
use crate::contract::template::{Piece, split, split_word, unknown_placeholder};
use serde_json::Value;
use std::borrow::Cow;

/// A JSON template.
#[derive(Debug, Clone)]
pub(in crate::contract) enum Template {
    /// A value that is always the same.
    Fixed(Value),
    /// A fact that is a whole value and keeps its type.
    Whole {
        fact: Fact,
        /// What stands there where the fact is absent; without it the member is left out.
        absent: Option<Value>,
    },
    /// Facts inside text.
    Text(Box<[TextPart]>),
    /// A list.
    List(Box<[Template]>),
    /// A list of one template, filled from each object.
    Each(Box<Template>),
    /// Members, in the order of the file.
    Table(Box<[(String, Template)]>),
}

#[derive(Debug, Clone)]
pub(in crate::contract) enum TextPart {
    Literal(Box<str>),
    Fact(Fact),
}

impl TextPart {
    /// The fact, if it is one.
    pub(in crate::contract) fn fact(&self) -> Option<Fact> {
        match self {
            TextPart::Fact(fact) => Some(*fact),
            TextPart::Literal(_) => None,
        }
    }
}

/// What may be named where a template stands.
pub(in crate::contract) struct Names<'a> {
    /// Facts of the answer as a whole.
    pub(super) whole: Vec<&'static [(&'static str, Fact)]>,
    /// Facts of each object of a list; a list of one template is then repeated.
    pub(super) each: Vec<&'static [(&'static str, Fact)]>,
    /// Templates by name.
    pub(super) shapes: &'a Shapes<'a>,
}

/// Templates by name, as they stand in the file.
pub(in crate::contract) type Shapes<'a> = Vec<(Cow<'a, str>, Item<'a>)>;

impl Template {
    pub(in crate::contract) fn parse(item: Item<'_>, names: &Names<'_>) -> Read<Self> {
        names.parse(item, &[])
    }

    /// Fills the template; `None` where it is one fact that is absent.
    pub(super) fn fill(&self, object: Object<'_>, forms: &Forms<'_>) -> Option<Value> {
        Some(match self {
            Template::Fixed(value) => value.clone(),
            Template::Whole { fact, absent } => {
                return object.value(*fact, forms).or_else(|| absent.clone());
            }
            Template::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        TextPart::Literal(literal) => text.push_str(literal),
                        TextPart::Fact(fact) => match object.value(*fact, forms)? {
                            Value::String(inner) => text.push_str(&inner),
                            other => text.push_str(&other.to_string()),
                        },
                    }
                }
                Value::String(text)
            }
            Template::List(items) => {
                items.iter().filter_map(|item| item.fill(object, forms)).collect()
            }
            Template::Each(item) => {
                let objects = object.each().into_iter();
                objects.filter_map(|object| item.fill(object, forms)).collect()
            }
            Template::Table(members) => {
                let member = |(name, template): &(String, Template)| {
                    Some((name.clone(), template.fill(object, forms)?))
                };
                Value::Object(members.iter().filter_map(member).collect())
            }
        })
    }

    /// Whether a fact stands in it.
    pub(super) fn says(&self, wanted: Fact) -> bool {
        match self {
            Template::Fixed(_) => false,
            Template::Whole { fact, .. } => *fact == wanted,
            Template::Text(parts) => {
                parts.iter().any(|part| matches!(part, TextPart::Fact(fact) if *fact == wanted))
            }
            Template::List(items) => items.iter().any(|item| item.says(wanted)),
            Template::Each(item) => item.says(wanted),
            Template::Table(members) => members.iter().any(|(_, member)| member.says(wanted)),
        }
    }
}

impl<'a> Names<'a> {
    /// What an error may name.
    pub(in crate::contract) fn of_error(shapes: &'a Shapes<'a>) -> Self {
        Self { whole: vec![Fact::OF_ERROR], each: vec![], shapes }
    }

    /// What an operation's answer may name.
    pub(in crate::contract) fn of_answer(operation: Operation, shapes: &'a Shapes<'a>) -> Self {
        // A secret is shown once and left out everywhere else, so that one shape serves all calls.
        let endpoint = || vec![Fact::OF_ENDPOINT, Fact::SHOWN_ONCE];
        let (whole, each) = match operation {
            Operation::EndpointCreate | Operation::EndpointGet | Operation::EndpointUpdate => {
                (endpoint(), vec![])
            }
            Operation::EndpointList => (vec![], endpoint()),
            Operation::EndpointDelete => (vec![], vec![]),
            Operation::EndpointTest => (vec![Fact::OF_TEST], vec![]),
            Operation::KeysList => (vec![], vec![Fact::OF_KEY]),
            Operation::KeysRotate => (vec![Fact::SHOWN_ONCE], vec![Fact::OF_KEY]),
        };
        Self { whole, each, shapes }
    }

    /// `open` are the shapes that are being read, so that none can hold itself.
    fn parse(&self, item: Item<'_>, open: &[&str]) -> Read<Template> {
        if item.is_text() {
            return self.parse_text(&item, open);
        }
        if item.is_table() {
            let members = item.section()?.entries();
            let members = members.map(|(name, item)| Ok((name.into(), self.parse(item, open)?)));
            return Ok(Template::Table(each(members)?.into()));
        }
        if !item.is_list() {
            return item.json().map(Template::Fixed);
        }
        let items = item.list()?;
        if items.len() == 1 && !self.each.is_empty() {
            let inner = Names { whole: self.each.clone(), each: vec![], shapes: self.shapes };
            let mut items = each(items.into_iter().map(|item| inner.parse(item, open)))?;
            return Ok(items
                .pop()
                .map_or(Template::List([].into()), |item| Template::Each(Box::new(item))));
        }
        let items = each(items.into_iter().map(|item| self.parse(item, open)))?;
        Ok(Template::List(items.into()))
    }

    fn parse_text(&self, item: &Item<'_>, open: &[&str]) -> Read<Template> {
        let text = item.text()?;
        let pieces = split(text).map_err(|fault| item.error(fault))?;
        if let [Piece::Name(name)] = pieces[..] {
            let (name, absent) = split_word(name);
            if let Some((shape, template)) = self.shape(name) {
                if open.contains(&shape) {
                    let fault = Fault::from(format!("the shape `{shape}` holds itself"));
                    return Err(item.error(fault.cured_by("write its members instead")));
                }
                return self.parse(template.clone(), &[open, &[shape]].concat());
            }
            let fact = self.fact(name).map_err(|fault| item.error(fault))?;
            return Ok(Template::Whole { fact, absent });
        }
        if pieces.iter().all(|piece| matches!(piece, Piece::Literal(_))) {
            let literal = pieces.iter().map(|piece| match piece {
                Piece::Literal(text) => text,
                Piece::Name(name) => *name,
            });
            return Ok(Template::Fixed(Value::String(literal.collect())));
        }
        let part = |piece| match piece {
            Piece::Literal(text) => Ok(TextPart::Literal(text.into())),
            Piece::Name(name) => Ok(TextPart::Fact(self.fact(name)?)),
        };
        let parts = pieces.into_iter().map(part).collect::<Result<_, Fault>>();
        parts.map(Template::Text).map_err(|fault| item.error(fault))
    }

    fn shape(&self, name: &str) -> Option<(&'a str, &'a Item<'a>)> {
        let found = self.shapes.iter().find(|(known, _)| *known == name);
        found.map(|(name, item)| (&**name, item))
    }

    fn fact(&self, name: &str) -> Result<Fact, Fault> {
        let known = || self.whole.iter().flat_map(|table| table.iter());
        if let Some((_, fact)) = known().find(|(known, _)| *known == name) {
            return Ok(*fact);
        }
        if self.each.iter().any(|table| table.iter().any(|(known, _)| *known == name)) {
            let why = "stands inside a list with one template, which is repeated";
            let fault = Fault::from(format!("`{{{name}}}` {why}"));
            return Err(fault.cured_by(format!("write it like [{{ it = \"{{{name}}}\" }}]")));
        }
        let shapes = self.shapes.iter().map(|(name, _)| &**name);
        let names: Vec<_> = known().map(|(known, _)| *known).chain(shapes).collect();
        Err(unknown_placeholder(name, &names))
    }
}
