//! Templates of answers: JSON with placeholders, cut into parts when the contract is read.

use super::Operation;
use super::fact::{Fact, Forms, Object};
use crate::contract::template::{Piece, split, split_word};
use serde_json::{Map, Value};

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
    pub(super) shapes: &'a Map<String, Value>,
}

impl Template {
    pub(in crate::contract) fn parse(value: &Value, names: &Names<'_>) -> Result<Self, String> {
        names.parse(value, &mut Vec::new())
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
}

impl<'a> Names<'a> {
    /// What an error may name.
    pub(in crate::contract) fn of_error(shapes: &'a Map<String, Value>) -> Self {
        Self { whole: vec![Fact::OF_ERROR], each: vec![], shapes }
    }

    /// What an operation's answer may name.
    pub(in crate::contract) fn of_answer(
        operation: Operation,
        shapes: &'a Map<String, Value>,
    ) -> Self {
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
    fn parse(&self, value: &'a Value, open: &mut Vec<&'a str>) -> Result<Template, String> {
        Ok(match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Template::Fixed(value.clone()),
            Value::String(text) => return self.parse_text(text, open),
            Value::Array(items) => match items.as_slice() {
                [item] if !self.each.is_empty() => {
                    let whole = self.each.clone();
                    let inner = Names { whole, each: vec![], shapes: self.shapes };
                    Template::Each(Box::new(inner.parse(item, open)?))
                }
                items => {
                    let items = items.iter().map(|item| self.parse(item, open));
                    Template::List(items.collect::<Result<_, _>>()?)
                }
            },
            Value::Object(members) => {
                let member = |(name, value): (&String, &'a Value)| {
                    let template = self.parse(value, open);
                    Ok((name.clone(), template.map_err(|reason| format!("`{name}`: {reason}"))?))
                };
                Template::Table(members.iter().map(member).collect::<Result<_, String>>()?)
            }
        })
    }

    fn parse_text(&self, text: &'a str, open: &mut Vec<&'a str>) -> Result<Template, String> {
        let pieces = split(text)?;
        if let [Piece::Name(name)] = pieces[..] {
            let (name, absent) = split_word(name);
            if let Some((shape, value)) = self.shapes.get_key_value(name) {
                if open.contains(&shape.as_str()) {
                    return Err(format!("the shape `{shape}` holds itself"));
                }
                open.push(shape);
                let template = self.parse(value, open)?;
                open.pop();
                return Ok(template);
            }
            return Ok(Template::Whole { fact: self.fact(name)?, absent });
        }
        let part = |piece| match piece {
            Piece::Literal(text) => Ok(TextPart::Literal(text.into())),
            Piece::Name(name) => Ok(TextPart::Fact(self.fact(name)?)),
        };
        if let [] | [Piece::Literal(_)] = pieces[..] {
            let literal = pieces.into_iter().map(|piece| match piece {
                Piece::Literal(text) => text.into_owned(),
                Piece::Name(_) => String::new(),
            });
            return Ok(Template::Fixed(Value::String(literal.collect())));
        }
        Ok(Template::Text(pieces.into_iter().map(part).collect::<Result<_, String>>()?))
    }

    fn fact(&self, name: &str) -> Result<Fact, String> {
        let known = || self.whole.iter().flat_map(|table| table.iter());
        if let Some((_, fact)) = known().find(|(known, _)| *known == name) {
            return Ok(*fact);
        }
        if self.each.iter().any(|table| table.iter().any(|(known, _)| *known == name)) {
            let why = "stands inside a list with one template, which is repeated";
            return Err(format!("`{{{name}}}` {why}"));
        }
        let shapes = self.shapes.keys().map(String::as_str);
        let names: Vec<_> = known().map(|(known, _)| *known).chain(shapes).collect();
        Err(match names[..] {
            [] => format!("unknown placeholder `{{{name}}}`; there are none here"),
            _ => {
                let names = crate::contract::source::quoted(&names);
                format!("unknown placeholder `{{{name}}}`; there are {names}")
            }
        })
    }
}
