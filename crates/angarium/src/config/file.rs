//! The configuration file: every value becomes the argument that it stands for, with the line that
//! it came from.

use super::ConfigError;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key of the file with its values, as text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileKey {
    /// The key, as a flag is named.
    pub(super) name: String,
    /// Its value; several for an array or the table of limits.
    pub(super) values: Vec<FileValue>,
}

/// One value of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileValue {
    /// The value as a flag would take it.
    pub(super) text: String,
    /// Its line, from 1.
    pub(super) line: usize,
}

/// Reads a file.
///
/// # Errors
/// It cannot be read, or is not TOML.
pub(super) fn read(path: &Path) -> Result<Vec<FileKey>, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.display().to_string(), source })?;
    parse(&text, &path.display().to_string())
}

fn parse(text: &str, path: &str) -> Result<Vec<FileKey>, ConfigError> {
    let table = DeTable::parse(text).map_err(|error| ConfigError::NotToml {
        path: path.to_owned(),
        reason: error.to_string().trim_end().to_owned(),
    })?;
    let lines = Lines { text, path };
    table.into_inner().into_iter().map(|(key, value)| lines.key(&key, &value)).collect()
}

struct Lines<'a> {
    text: &'a str,
    path: &'a str,
}

impl Lines<'_> {
    fn key(
        &self,
        key: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<FileKey, ConfigError> {
        let name = key.get_ref().as_ref();
        let values = match (name, value.get_ref()) {
            ("limits", DeValue::Table(limits)) => {
                return Ok(FileKey { name: "limit".to_owned(), values: self.limits(limits)? });
            }
            (_, DeValue::Array(items)) => {
                items.iter().map(|item| self.value(name, item)).collect::<Result<_, _>>()?
            }
            _ => vec![self.value(name, value)?],
        };
        Ok(FileKey { name: name.to_owned(), values })
    }

    fn limits(&self, limits: &DeTable<'_>) -> Result<Vec<FileValue>, ConfigError> {
        let mut values = Vec::new();
        for (limit, value) in limits {
            let mut value = self.value(limit.get_ref(), value)?;
            value.text = format!("{}={}", limit.get_ref(), value.text);
            values.push(value);
        }
        Ok(values)
    }

    fn value(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<FileValue, ConfigError> {
        let line = self.line(value.span().start);
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Integer(number) => number.as_str().replace('_', ""),
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                return Err(ConfigError::Key {
                    path: self.path.to_owned(),
                    line,
                    key: key.to_owned(),
                    reason: "a value is text, a whole number, true or false".to_owned(),
                });
            }
        };
        Ok(FileValue { text, line })
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.text[..offset].matches('\n').count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_arguments_and_keep_their_lines() {
        let text = "dev = true\nallow-cidr = [\"10.0.0.0/8\",\n \"127.0.0.0/8\"]\n\
                    [limits]\nbody_bytes = 1_000\n";
        let keys = parse(text, "f.toml").expect("it is well-formed");
        let flat: Vec<(&str, &str, usize)> = keys
            .iter()
            .flat_map(|key| key.values.iter().map(move |v| (key, v)))
            .map(|(key, value)| (key.name.as_str(), value.text.as_str(), value.line))
            .collect();
        for expected in [
            ("dev", "true", 1),
            ("allow-cidr", "10.0.0.0/8", 2),
            ("allow-cidr", "127.0.0.0/8", 3),
            ("limit", "body_bytes=1000", 5),
        ] {
            assert!(flat.contains(&expected), "{expected:?} not in {flat:?}");
        }
    }

    #[test]
    fn what_no_flag_could_carry_is_refused_with_its_line() {
        let error = parse("\n\ngrace = 1.5\n", "f.toml").expect_err("a float is no value");
        assert!(error.to_string().starts_with("f.toml, line 3: grace:"), "{error}");
    }
}
