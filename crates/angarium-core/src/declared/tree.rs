//! Reads a file as a tree in which everything knows its line.
//!
//! Each key of a section is taken once; what nobody took is unknown and refused. So the code that
//! reads a section is also the list of what the section may hold.

use super::fault::{Fault, nearest, quoted};
use super::kind::Kind;
use super::mistake::{About, Mistake, Mistakes, Read, each};
use super::toml_value::{line_and_column, texts, to_json};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text of a file, for lines and columns.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    kind: &'static Kind,
    file: &'a str,
    text: &'a str,
}

impl<'a> Source<'a> {
    /// Reads the tree. A file that is not TOML has the first mistake of each such line.
    pub(crate) fn parse(kind: &'static Kind, file: &'a str, text: &'a str) -> Read<Section<'a>> {
        let source = Source { kind, file, text };
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut lines = BTreeSet::new();
        let mistakes = errors.iter().map(|error| {
            let reason = error.message().lines().collect::<Vec<_>>().join(", ");
            let fault = Fault::from(reason).cured_by("mend this line first: it is not TOML");
            source.error(error.span().unwrap_or(0..0), fault)
        });
        each(
            mistakes.filter(|mistake| lines.insert(mistake.line)).map(|it| Err::<(), _>(it.into())),
        )?;
        Ok(Section {
            spot: Spot { source, at: 0..0 },
            name: String::new(),
            table: table.into_inner(),
            known: Vec::new(),
        })
    }

    fn error(&self, at: Range<usize>, fault: Fault) -> Mistake {
        let (line, column) = line_and_column(self.text, at.start);
        Mistake {
            file: self.file.to_owned(),
            line,
            column,
            reason: fault.reason,
            cure: fault.cure,
            about: About::Value,
        }
    }
}

/// A place in the file, for what is found out about it later.
#[derive(Clone)]
pub(crate) struct Spot<'a> {
    source: Source<'a>,
    at: Range<usize>,
}

impl Spot<'_> {
    /// A mistake at this place.
    pub(crate) fn error(&self, fault: impl Into<Fault>) -> Mistakes {
        self.source.error(self.at.clone(), fault.into()).into()
    }
}

/// A table of the file.
pub(crate) struct Section<'a> {
    spot: Spot<'a>,
    name: String,
    table: DeTable<'a>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// Takes the value of a key, if it is there.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Item<'a>> {
        self.known.push(key);
        let value = self.table.remove(key)?;
        Some(Item { source: self.spot.source, name: self.path(key), value })
    }

    /// Takes the value of a key that must be there.
    pub(crate) fn require(&mut self, key: &'static str) -> Read<Item<'a>> {
        self.take(key).ok_or_else(|| self.missing(key))
    }

    /// Reads a key that must be there.
    pub(crate) fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Item<'a>) -> Read<T>,
    ) -> Read<T> {
        self.require(key).and_then(read)
    }

    /// Reads a key that may be there.
    pub(crate) fn read_optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Item<'a>) -> Read<T>,
    ) -> Read<Option<T>> {
        self.take(key).map(read).transpose()
    }

    /// Takes every key, in the order of the file.
    pub(crate) fn entries(self) -> impl Iterator<Item = (Cow<'a, str>, Item<'a>)> {
        let (source, name) = (self.spot.source, self.name);
        self.table.into_iter().map(move |(key, value)| {
            let key = key.into_inner();
            let name = format!("{name}.{key}");
            let item = Item { source, name, value };
            (key, item)
        })
    }

    /// Refuses what nobody took.
    pub(crate) fn finish(self) -> Read<()> {
        each(self.table.keys().map(|key| Err(self.unknown(key)))).map(|_: Vec<()>| ())
    }

    fn unknown(&self, key: &Spanned<Cow<'_, str>>) -> Mistakes {
        let place = match self.name.as_str() {
            "" => self.spot.source.kind.name.to_owned(),
            name => format!("`{name}`"),
        };
        let (at, key) = (key.span(), key.get_ref());
        let reason = format!("unknown key `{key}`; {place} may hold {}", quoted(&self.known));
        let meant = nearest(key, self.known.iter().copied());
        let fault = Fault::from(reason).meant(key, meant, format!("take `{key}` out"));
        let about = meant.map_or(About::Value, |meant| About::Meant(self.path(meant)));
        Mistake { about, ..self.spot.source.error(at, fault) }.into()
    }

    /// A key that must be there and is not.
    pub(crate) fn missing(&self, key: &str) -> Mistakes {
        self.missing_because(key, Fault::from(format!("`{}` is missing", self.path(key))))
    }

    /// A key that must be there for some reason, and is not.
    pub(crate) fn missing_because(&self, key: &str, mut fault: Fault) -> Mistakes {
        let path = self.path(key);
        fault.cure =
            self.spot.source.kind.line(&self.name, key).map(|line| format!("add `{line}`"));
        let spot = self.spot.source.error(self.spot.at.clone(), fault);
        Mistake { about: About::Missing(path), ..spot }.into()
    }

    /// A mistake that concerns the section as a whole.
    pub(crate) fn error(&self, fault: impl Into<Fault>) -> Mistakes {
        self.spot.error(fault)
    }

    fn path(&self, key: &str) -> String {
        match self.name.as_str() {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }
}

/// A value of the file.
#[derive(Clone)]
pub(crate) struct Item<'a> {
    source: Source<'a>,
    name: String,
    value: Spanned<DeValue<'a>>,
}

impl<'a> Item<'a> {
    /// Where it stands.
    pub(crate) fn spot(&self) -> Spot<'a> {
        Spot { source: self.source, at: self.value.span() }
    }

    /// A mistake in this value.
    pub(crate) fn error(&self, fault: impl Into<Fault>) -> Mistakes {
        self.spot().error(fault)
    }

    fn expected(&self, what: &str, example: &str) -> Mistakes {
        let found = match self.value.get_ref() {
            DeValue::Integer(number) => number.to_string(),
            other => other.type_str().to_owned(),
        };
        let fault = Fault::from(format!("`{}` is {what}, not {found}", self.name));
        self.error(fault.cured_by(format!("write it like {example}")))
    }

    /// The value as text.
    pub(crate) fn text(&self) -> Read<&str> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.expected("a text", "\"this\"")),
        }
    }

    /// The value as text of its own.
    pub(crate) fn into_text<T: for<'t> From<&'t str>>(self) -> Read<T> {
        self.text().map(T::from)
    }

    /// Every text in the value, however deep, with its place.
    pub(crate) fn texts(&self) -> Vec<(Spot<'a>, &str)> {
        let spot = |at| Spot { source: self.source, at };
        texts(&self.value).into_iter().map(|(at, text)| (spot(at), text)).collect()
    }

    /// The value as a whole number that is not negative.
    pub(crate) fn count(&self) -> Read<usize> {
        self.json()?
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .ok_or_else(|| self.expected("a whole number from 0", "32"))
    }

    /// The value as a number.
    pub(crate) fn number(&self) -> Read<f64> {
        self.json()?.as_f64().ok_or_else(|| self.expected("a number", "0.5"))
    }

    /// The value as true or false.
    pub(crate) fn truth(&self) -> Read<bool> {
        match self.value.get_ref() {
            DeValue::Boolean(truth) => Ok(*truth),
            _ => Err(self.expected("true or false", "true, without quotes")),
        }
    }

    /// The value as a list.
    pub(crate) fn list(self) -> Read<Vec<Item<'a>>> {
        if !self.value.get_ref().is_array() {
            return Err(self.expected("a list", "[\"this\", \"that\"]"));
        }
        let DeValue::Array(values) = self.value.into_inner() else {
            return Ok(Vec::new());
        };
        let item =
            |(i, value)| Item { source: self.source, name: format!("{}[{i}]", self.name), value };
        Ok(values.into_iter().enumerate().map(item).collect())
    }

    /// The value as a section of its own.
    pub(crate) fn section(self) -> Read<Section<'a>> {
        if !self.value.get_ref().is_table() {
            return Err(self.expected("a table", "{ this = \"that\" }"));
        }
        let (spot, name) = (self.spot(), self.name);
        let DeValue::Table(table) = self.value.into_inner() else {
            return Err(spot.error("a table"));
        };
        Ok(Section { spot, name, table, known: Vec::new() })
    }

    /// Whether the value is a list.
    pub(crate) fn is_list(&self) -> bool {
        self.value.get_ref().is_array()
    }

    /// Whether the value is a table.
    pub(crate) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    /// Whether the value is a text.
    pub(crate) fn is_text(&self) -> bool {
        self.value.get_ref().is_str()
    }

    /// The value as JSON, members in the order of the file.
    pub(crate) fn json(&self) -> Read<serde_json::Value> {
        to_json(&self.value).map_err(|at| {
            let fault = Fault::from("a number that JSON does not have");
            let fault = fault.cured_by("write it as a text, or as a number of at most 64 bits");
            Spot { source: self.source, at }.error(fault)
        })
    }
}
