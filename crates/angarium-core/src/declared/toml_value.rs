//! What a TOML value holds as a whole: the same as JSON, all of its texts, and where each part of
//! it stands.

use std::borrow::Cow;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A TOML value as JSON; a date becomes its text. `Err` is the place of a number that is none.
pub(super) fn to_json(value: &Spanned<DeValue<'_>>) -> Result<serde_json::Value, Range<usize>> {
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

/// Every text in a value, however deep, with its place.
pub(super) fn texts<'v>(value: &'v Spanned<DeValue<'_>>) -> Vec<(Range<usize>, &'v str)> {
    match value.get_ref() {
        DeValue::String(text) => vec![(value.span(), text)],
        DeValue::Array(items) => items.iter().flat_map(texts).collect(),
        DeValue::Table(members) => members.values().flat_map(texts).collect(),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            Vec::new()
        }
    }
}

/// The line and the column, both from 1, of a byte of the text.
pub(super) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The line and the column of what stands at a path: keys, and numbers in lists. Where the path
/// ends early, of the last that is there.
pub(crate) fn place(text: &str, path: &[&str]) -> (usize, usize) {
    let (table, _) = DeTable::parse_recoverable(text);
    let mut here = 0;
    let mut step = path.first().and_then(|key| table.get_ref().get(*key));
    for next in path.iter().skip(1).map(Some).chain([None]) {
        let Some(value) = step else { break };
        here = value.span().start;
        step = next.and_then(|key| match value.get_ref() {
            DeValue::Table(table) => table.get(*key),
            DeValue::Array(items) => items.get(key.parse::<usize>().ok()?),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => None,
        });
    }
    line_and_column(text, here)
}
