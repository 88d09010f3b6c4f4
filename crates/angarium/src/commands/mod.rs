//! One file a command.

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod contract;
pub(crate) mod delivery;
pub(crate) mod doctor;
pub(crate) mod endpoint;
pub(crate) mod environment;
pub(crate) mod event;
pub(crate) mod job;
pub(crate) mod key;
pub(crate) mod notice;
pub(crate) mod publish;
pub(crate) mod serve;
pub(crate) mod settings;
pub(crate) mod signature;
pub(crate) mod source;
pub(crate) mod tenant;

use anyhow::Context;
use serde_json::{Map, Value};
use std::io::Read;

/// Which page of a list.
#[derive(Debug, clap::Args)]
pub(crate) struct PageArgs {
    /// Most items on the page.
    #[arg(long, value_name = "NUMBER")]
    limit: Option<String>,
    /// Where to go on, as the page before said.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl PageArgs {
    fn parameters(&self) -> [(&str, Option<&str>); 2] {
        [("limit", self.limit.as_deref()), ("cursor", self.cursor.as_deref())]
    }
}

/// Text of an argument: as it stands, from a file (`@FILE`) or from standard input (`-`).
fn text_of(argument: &str) -> anyhow::Result<String> {
    if argument == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        return Ok(text);
    }
    match argument.strip_prefix('@') {
        Some(path) => {
            std::fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))
        }
        None => Ok(argument.to_owned()),
    }
}

/// A member of the API's document, `NAME=JSON`; what is not JSON is text.
fn member(argument: &str) -> Result<(String, Value), String> {
    let (name, value) = argument.split_once('=').ok_or("a member is set as NAME=JSON")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((name.to_owned(), value))
}

/// A document of the members that are there.
fn document<const N: usize>(members: [(&str, Option<Value>); N]) -> Map<String, Value> {
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_member_is_json_or_else_text() {
        for (argument, name, value) in [
            ("plan=basic", "plan", json!("basic")),
            ("concurrency=4", "concurrency", json!(4)),
            (r#"delivery={"retries":["1s"]}"#, "delivery", json!({"retries": ["1s"]})),
        ] {
            assert_eq!(member(argument), Ok((name.to_owned(), value)));
        }
        assert!(member("plan").is_err());
    }
}
