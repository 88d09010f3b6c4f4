//! `angarium publish`.

use crate::client::{Client, Connection, with_query};
use crate::commands::{PageArgs, event, member, text_of};
use crate::output::Output;
use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use http::Method;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// An event.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// Whose event it is.
    #[arg(long)]
    tenant: String,
    /// Its type.
    #[arg(long = "type", value_name = "TYPE")]
    kind: String,
    /// Its data: JSON, @FILE, or - for standard input. Its bytes are kept as they are.
    #[arg(long, value_name = "JSON|@FILE|-")]
    data: String,
    /// Your own id, which makes publishing it again harmless.
    #[arg(long)]
    id: Option<String>,
    /// When it happened (RFC 3339); now if not given.
    #[arg(long)]
    time: Option<String>,
    /// What it is about.
    #[arg(long)]
    subject: Option<String>,
    /// Its ordering key.
    #[arg(long = "ordering-key", value_name = "KEY")]
    ordering_key: Option<String>,
    /// An attribute, NAME=TEXT; repeatable.
    #[arg(long, value_parser = member, value_name = "NAME=TEXT")]
    attribute: Vec<(String, Value)>,
}

#[derive(Serialize)]
struct Body<'a> {
    tenant: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    attributes: Map<String, Value>,
    data: Box<RawValue>,
}

impl Publish {
    fn body(&self) -> anyhow::Result<Bytes> {
        let data = text_of(&self.data)?;
        let data = RawValue::from_string(data.trim().to_owned())
            .context("--data is not JSON; text needs quotes of its own: --data '\"text\"'")?;
        let attributes = self.attribute.iter().cloned();
        let body = Body {
            tenant: &self.tenant,
            r#type: &self.kind,
            id: self.id.as_deref(),
            time: self.time.as_deref(),
            subject: self.subject.as_deref(),
            key: self.ordering_key.as_deref(),
            attributes: attributes.map(|(name, value)| (name, as_text(value))).collect(),
            data,
        };
        Ok(serde_json::to_vec(&body)?.into())
    }
}

/// Attributes are text, whatever it looks like.
fn as_text(value: Value) -> Value {
    match value {
        Value::String(_) => value,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Value::String(value.to_string())
        }
    }
}

/// An event that is only tried.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    event: Publish,
    #[command(flatten)]
    page: PageArgs,
}

/// Says what publishing would do, endpoint by endpoint; nothing is published.
///
/// # Errors
/// The data is not JSON; the call's.
pub(crate) async fn explain(
    connection: Connection,
    output: Output,
    explain: Explain,
) -> anyhow::Result<()> {
    let mut client = Client::new(&connection)?;
    let path = with_query("/v1/explain", &explain.page.parameters());
    let answer = client.call(Method::POST, &path, Some(explain.event.body()?)).await?;
    output.list(&answer, event::EXPLAINED);
    Ok(())
}

/// Runs the command.
///
/// # Errors
/// The data is not JSON; the call's.
pub(crate) async fn run(
    connection: Connection,
    output: Output,
    publish: Publish,
) -> anyhow::Result<()> {
    let mut client = Client::new(&connection)?;
    let body = publish.body()?;
    let answer = client.call(Method::POST, "/v1/events", Some(body)).await?;
    output.object(&answer);
    Ok(())
}
