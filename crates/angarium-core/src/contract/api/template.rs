//! Templates of answers: JSON with placeholders, cut into parts when the contract is read.

use super::Operation;
use super::fact::Fact;
use super::object::{Forms, Object};
use super::subject::Over;
use crate::declared::{Fault, Item, Piece, Read, each, split, split_word, unknown_placeholder};
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
    Each {
        /// What it is repeated for.
        over: Over,
        /// The template.
        item: Box<Template>,
    },
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
    pub(super) whole: Facts,
    /// What a list of one template may be repeated for, and the facts of each.
    pub(super) each: Vec<(Over, Facts)>,
    /// Templates by name.
    pub(super) shapes: &'a Shapes<'a>,
}

/// Facts by name, in tables that belong together.
type Facts = Vec<&'static [(&'static str, Fact)]>;

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
            Template::Each { over, item } => {
                let objects = object.each(*over).into_iter();
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
            Template::Each { item, .. } => item.says(wanted),
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
        let source = || vec![Fact::OF_SOURCE, Fact::SHOWN_ONCE];
        let keys = || vec![(Over::Keys, vec![Fact::OF_KEY])];
        let (whole, each) = match operation {
            Operation::EndpointCreate | Operation::EndpointGet | Operation::EndpointUpdate => {
                (endpoint(), vec![])
            }
            Operation::EndpointList => (vec![], vec![(Over::Endpoints, endpoint())]),
            Operation::EndpointTest => (vec![Fact::OF_TEST], vec![]),
            Operation::DiagnosticsShow => {
                let dead_letters = (Over::DeadLetters, vec![Fact::OF_DEAD_LETTER]);
                (vec![], vec![(Over::Endpoints, endpoint()), dead_letters])
            }
            Operation::SourceCreate
            | Operation::SourceGet
            | Operation::SourceUpdate
            | Operation::SourceRotate => (source(), vec![]),
            Operation::SourceList => (vec![], vec![(Over::Sources, source())]),
            Operation::EndpointDelete | Operation::SourceDelete => (vec![], vec![]),
            Operation::SourceEvents | Operation::SourceRecent => {
                (vec![], vec![(Over::Received, vec![Fact::OF_RECEIVED])])
            }
            Operation::SourceDeliveries => (vec![], vec![(Over::Forwards, vec![Fact::OF_FORWARD])]),
            Operation::SourceTest | Operation::SourceReceive | Operation::SourceMatch => {
                (vec![Fact::OF_ACCEPTED], vec![])
            }
            Operation::SourceVerify => (vec![Fact::OF_VERDICT], vec![]),
            Operation::KeysList => (vec![], keys()),
            Operation::KeysRotate => (vec![Fact::SHOWN_ONCE], keys()),
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
        let spot = item.spot();
        let mut items = item.list()?;
        if items.len() == 1
            && !self.each.is_empty()
            && let Some(item) = items.pop()
        {
            let whole = self.each.iter().flat_map(|(_, facts)| facts).copied().collect();
            let inner = Names { whole, each: vec![], shapes: self.shapes };
            let item = Box::new(inner.parse(item, open)?);
            let over = self.repeated_for(&item).map_err(|fault| spot.error(fault))?;
            return Ok(Template::Each { over, item });
        }
        let items = each(items.into_iter().map(|item| self.parse(item, open)))?;
        Ok(Template::List(items.into()))
    }

    /// What a list of this template is repeated for: the only objects that there are, else those
    /// whose facts stand in it.
    fn repeated_for(&self, item: &Template) -> Result<Over, Fault> {
        if let [(over, _)] = self.each[..] {
            return Ok(over);
        }
        let says =
            |facts: &Facts| facts.iter().copied().flatten().any(|(_, fact)| item.says(*fact));
        let mut said = self.each.iter().filter(|(_, facts)| says(facts));
        match (said.next(), said.next()) {
            (Some((over, _)), None) => Ok(*over),
            (Some(_), Some(_)) => {
                let fault = Fault::from("a list is repeated for objects of one kind, not of two");
                Err(fault.cured_by("write a list for each"))
            }
            (None, _) => {
                let fault = Fault::from("nothing says what this list is repeated for");
                let first = |(_, facts): &(Over, Facts)| Some(facts.first()?.first()?.0);
                let names: Vec<_> = self.each.iter().filter_map(first).collect();
                Err(fault.cured_by(format!("name a fact such as `{{{}}}`", names.join("}` or `{"))))
            }
        }
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
        let mut repeated = self.each.iter().flat_map(|(_, facts)| facts).copied().flatten();
        if repeated.any(|(known, _)| *known == name) {
            let why = "stands inside a list with one template, which is repeated";
            let fault = Fault::from(format!("`{{{name}}}` {why}"));
            return Err(fault.cured_by(format!("write it like [{{ it = \"{{{name}}}\" }}]")));
        }
        let shapes = self.shapes.iter().map(|(name, _)| &**name);
        let names: Vec<_> = known().map(|(known, _)| *known).chain(shapes).collect();
        Err(unknown_placeholder(name, &names))
    }
}
