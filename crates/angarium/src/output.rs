//! Answers: tables for people, JSON for programs.

use comfy_table::{Table, presets};
use serde_json::Value;
use std::io::Write;

/// Which form an answer takes.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Output {
    /// Prints JSON instead of text for people.
    #[arg(long, global = true)]
    json: bool,
}

/// A column: its head and the JSON pointer to its value.
pub(crate) type Column = (&'static str, &'static str);

impl Output {
    /// Prints the page of a list.
    pub(crate) fn list(self, page: &Value, columns: &[Column]) {
        if self.json {
            return line(&pretty(page));
        }
        let rows = page.get("data").and_then(Value::as_array);
        let rows = rows.map(Vec::as_slice).unwrap_or_default();
        if rows.is_empty() {
            return line("nothing");
        }
        line(&table(rows, columns));
        if let Some(next) = page.get("next").and_then(Value::as_str) {
            line(&format!("more: --cursor {next}"));
        }
    }

    /// Prints one object, a line a member.
    pub(crate) fn object(self, object: &Value) {
        if self.json {
            return line(&pretty(object));
        }
        let Some(members) = object.as_object() else {
            return line(&cell(object));
        };
        let mut table = plain();
        for (name, value) in members {
            table.add_row([name.clone(), cell(value)]);
        }
        line(&table.trim_fmt());
    }

    /// Prints an answer that has a form of its own for people.
    pub(crate) fn answer(self, json: &Value, text: &str) {
        line(&if self.json { pretty(json) } else { text.to_owned() });
    }

    /// Prints the API's JSON for programs, and something else for people.
    pub(crate) fn either(self, answer: &Value, for_people: impl FnOnce(Self)) {
        match self.json {
            true => line(&pretty(answer)),
            false => for_people(self),
        }
    }

    /// Says that something is done, where the API has no body.
    pub(crate) fn done(self, sentence: &str) {
        if !self.json {
            line(sentence);
        }
    }
}

/// Rows of objects under the heads of their columns.
pub(crate) fn table(rows: &[Value], columns: &[Column]) -> String {
    let mut table = plain();
    table.set_header(columns.iter().map(|(head, _)| *head));
    for row in rows {
        let value = |pointer| row.pointer(pointer).map_or(String::new(), cell);
        table.add_row(columns.iter().map(|(_, pointer)| value(pointer)));
    }
    table.trim_fmt()
}

/// A table without lines.
pub(crate) fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// Prints a line; a reader that has gone away is no error.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => {
            items.iter().map(cell).collect::<Vec<_>>().join(", ")
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Text from outside may not steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_shows_nested_values_and_leaves_absent_ones_empty() {
        let rows = [json!({"id": "a", "last": {"status": 200}}), json!({"id": "b", "last": null})];
        let text = table(&rows, &[("ID", "/id"), ("STATUS", "/last/status")]);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[1].starts_with('a') && lines[1].ends_with("200"), "{text}");
        assert_eq!(lines[2], "b");
    }

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\nc"), "a [2Jb c");
    }
}
