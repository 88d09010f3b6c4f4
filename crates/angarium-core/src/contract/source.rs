//! Reads a contract file as a tree in which everything knows its line.
//!
//! Each key of a section is taken once; what nobody took is unknown and refused. So the code that
//! reads a section is also the list of what the section may hold.

use super::error::ContractError;
use std::borrow::Cow;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text of a file, for lines and columns.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl<'a> Source<'a> {
    /// Reads the tree.
    pub(super) fn parse(file: &'a str, text: &'a str) -> Result<Section<'a>, ContractError> {
        let source = Source { file, text };
        match DeTable::parse(text) {
            Ok(table) => Ok(Section {
                source,
                name: String::new(),
                at: 0..0,
                table: table.into_inner(),
                known: Vec::new(),
            }),
            Err(error) => {
                let reason = error.message().lines().collect::<Vec<_>>().join(", ");
                Err(source.error(error.span().unwrap_or(0..0), reason))
            }
        }
    }

    fn error(&self, at: Range<usize>, reason: impl Into<String>) -> ContractError {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        ContractError {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            reason: reason.into(),
        }
    }
}

/// A table of the file.
pub(super) struct Section<'a> {
    source: Source<'a>,
    name: String,
    at: Range<usize>,
    table: DeTable<'a>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// Takes the value of a key, if it is there.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Item<'a>> {
        self.known.push(key);
        let value = self.table.remove(key)?;
        Some(Item { source: self.source, name: self.path(key), value })
    }

    /// Takes the value of a key that must be there.
    pub(super) fn require(&mut self, key: &'static str) -> Result<Item<'a>, ContractError> {
        self.take(key).ok_or_else(|| self.error(format!("`{}` is missing", self.path(key))))
    }

    /// Takes every key, in the order of the file.
    pub(super) fn entries(self) -> impl Iterator<Item = (Cow<'a, str>, Item<'a>)> {
        let (source, name) = (self.source, self.name);
        self.table.into_iter().map(move |(key, value)| {
            let key = key.into_inner();
            let name = format!("{name}.{key}");
            let item = Item { source, name, value };
            (key, item)
        })
    }

    /// Refuses what nobody took.
    pub(super) fn finish(self) -> Result<(), ContractError> {
        let Some((key, _)) = self.table.iter().next() else {
            return Ok(());
        };
        let place = match self.name.as_str() {
            "" => "a contract".to_owned(),
            name => format!("`{name}`"),
        };
        let reason =
            format!("unknown key `{}`; {place} may hold {}", key.get_ref(), quoted(&self.known));
        Err(self.source.error(key.span(), reason))
    }

    /// A mistake that concerns the section as a whole.
    pub(super) fn error(&self, reason: impl Into<String>) -> ContractError {
        self.source.error(self.at.clone(), reason)
    }

    fn path(&self, key: &str) -> String {
        match self.name.as_str() {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }
}

/// A value of the file.
pub(super) struct Item<'a> {
    source: Source<'a>,
    name: String,
    value: Spanned<DeValue<'a>>,
}

impl<'a> Item<'a> {
    /// A mistake in this value.
    pub(super) fn error(&self, reason: impl Into<String>) -> ContractError {
        self.source.error(self.value.span(), reason)
    }

    fn expected(&self, what: &str) -> ContractError {
        let found = self.value.get_ref().type_str();
        self.error(format!("`{}` is {what}, not {found}", self.name))
    }

    /// The value as text.
    pub(super) fn text(&self) -> Result<&str, ContractError> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.expected("a text")),
        }
    }

    /// The value as a whole number that is not negative.
    pub(super) fn count(&self) -> Result<usize, ContractError> {
        self.json()?
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .ok_or_else(|| self.expected("a whole number"))
    }

    /// The value as a number.
    pub(super) fn number(&self) -> Result<f64, ContractError> {
        self.json()?.as_f64().ok_or_else(|| self.expected("a number"))
    }

    /// The value as true or false.
    pub(super) fn truth(&self) -> Result<bool, ContractError> {
        match self.value.get_ref() {
            DeValue::Boolean(truth) => Ok(*truth),
            _ => Err(self.expected("true or false")),
        }
    }

    /// The value as a list.
    pub(super) fn list(self) -> Result<Vec<Item<'a>>, ContractError> {
        if !self.value.get_ref().is_array() {
            return Err(self.expected("a list"));
        }
        let DeValue::Array(values) = self.value.into_inner() else {
            return Ok(Vec::new());
        };
        let item =
            |(i, value)| Item { source: self.source, name: format!("{}[{i}]", self.name), value };
        Ok(values.into_iter().enumerate().map(item).collect())
    }

    /// The value as a section of its own.
    pub(super) fn section(self) -> Result<Section<'a>, ContractError> {
        if !self.value.get_ref().is_table() {
            return Err(self.expected("a table"));
        }
        let at = self.value.span();
        let DeValue::Table(table) = self.value.into_inner() else {
            return Err(self.source.error(at, "a table"));
        };
        Ok(Section { source: self.source, name: self.name, at, table, known: Vec::new() })
    }

    /// Whether the value is a text.
    pub(super) fn is_text(&self) -> bool {
        self.value.get_ref().is_str()
    }

    /// The value as JSON, members in the order of the file.
    pub(super) fn json(&self) -> Result<serde_json::Value, ContractError> {
        to_json(&self.value).map_err(|at| {
            let reason = "a number that JSON does not have";
            self.source.error(at, reason)
        })
    }
}

/// A TOML value as JSON; a date becomes its text. `Err` is the place of a number that is none.
fn to_json(value: &Spanned<DeValue<'_>>) -> Result<serde_json::Value, Range<usize>> {
    use serde_json::Value;
    let number = |text: &str| {
        // TOML allows a sign that JSON does not have.
        let text = text.strip_prefix('+').unwrap_or(text);
        serde_json::from_str(text).map_err(|_| value.span())
    };
    Ok(match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => {
            let parsed = i64::from_str_radix(integer.as_str(), integer.radix());
            Value::from(parsed.map_err(|_| value.span())?)
        }
        DeValue::Float(float) => Value::Number(number(float.as_str())?),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(values) => {
            Value::Array(values.iter().map(to_json).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => {
            let member = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
                Ok((key.get_ref().to_string(), to_json(value)?))
            };
            Value::Object(table.iter().map(member).collect::<Result<_, Range<usize>>>()?)
        }
    })
}

/// `` `a`, `b`, `c` ``
pub(super) fn quoted(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
