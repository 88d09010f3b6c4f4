//! JSON as people read it: a member a line, short lists on one.

use serde_json::Value;

/// Longest list that stays on its line.
const SHORT: usize = 72;

/// JSON with line breaks; text that is no JSON stays as it is.
pub(super) fn readable(text: &[u8]) -> String {
    match serde_json::from_slice(text) {
        Ok(value) => print(&value, 0),
        Err(_) => String::from_utf8_lossy(text).into_owned(),
    }
}

/// A value with line breaks.
pub(super) fn print(value: &Value, indent: usize) -> String {
    let (open, close, lines): (_, _, Vec<String>) = match value {
        Value::Object(members) if !members.is_empty() => {
            let line = |(name, value): (&String, &Value)| {
                format!("{}: {}", Value::from(name.as_str()), print(value, indent + 2))
            };
            ('{', '}', members.iter().map(line).collect())
        }
        Value::Array(items) if !is_short(items) => {
            ('[', ']', items.iter().map(|item| print(item, indent + 2)).collect())
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(ToString::to_string).collect();
            return format!("[{}]", items.join(", "));
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return value.to_string();
        }
    };
    let inner = " ".repeat(indent + 2);
    let lines: Vec<_> = lines.iter().map(|line| format!("{inner}{line}")).collect();
    format!("{open}\n{}\n{:indent$}{close}", lines.join(",\n"), "")
}

fn is_short(items: &[Value]) -> bool {
    let simple = |item: &Value| !item.is_object() && !item.is_array();
    items.iter().all(simple) && items.iter().map(|i| i.to_string().len() + 2).sum::<usize>() < SHORT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_on_lines_of_their_own_and_short_lists_on_one() {
        let text = br#"{"a":["x","y"],"b":{"c":1},"d":{},"e":[{"f":null}]}"#;
        let expected = r#"{
  "a": ["x", "y"],
  "b": {
    "c": 1
  },
  "d": {},
  "e": [
    {
      "f": null
    }
  ]
}"#;
        assert_eq!(readable(text), expected);
        assert_eq!(readable(b"not json"), "not json");
    }
}
