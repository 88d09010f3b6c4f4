//! `angarium source`.

use crate::client::{Client, Connection, segment, with_query};
use crate::commands::{PageArgs, document, member, text_of};
use crate::output::{Column, Output};
use anyhow::Context;
use bytes::Bytes;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("TENANT", "/tenant"),
    ("NAME", "/name"),
    ("SCHEME", "/scheme"),
    ("STATUS", "/status"),
    ("RECEIVE URL", "/receive_url"),
    ("FORWARD URL", "/forward_url"),
];

const REQUEST_COLUMNS: &[Column] = &[
    ("AT", "/at"),
    ("OUTCOME", "/outcome"),
    ("CAUSE", "/cause"),
    ("TYPE", "/type"),
    ("EVENT", "/event"),
    ("BYTES", "/body_bytes"),
    ("REASON", "/reason"),
];

/// What is done with sources.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Makes a source; secrets are shown once.
    Create {
        /// Whose it is.
        #[arg(long)]
        tenant: String,
        #[command(flatten)]
        members: Members,
    },
    /// Lists sources.
    List {
        /// Of this tenant only.
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows one.
    Show(One),
    /// Changes what is given, keeps the rest.
    Update {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        members: Members,
    },
    /// Deletes one; what it accepted stays.
    Delete(One),
    /// Believes another secret, at once; without one makes one, shown once.
    RotateSecret {
        #[command(flatten)]
        one: One,
        /// The secret that the third party made; `@FILE` reads a file.
        #[arg(long, value_name = "TEXT|@FILE")]
        secret: Option<String>,
        /// For how long the old one is believed too, such as 24h.
        #[arg(long, value_name = "SPAN")]
        overlap: Option<String>,
    },
    /// Lists what arrived, accepted and rejected, and why.
    Requests {
        #[command(flatten)]
        one: One,
        /// Only `accepted` or only `rejected` ones.
        #[arg(long)]
        outcome: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
}

/// Which source.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Its id (`src_…`).
    id: String,
}

/// The members of a source.
#[derive(Debug, Args)]
pub(crate) struct Members {
    /// What people call it; the scheme's name if not given.
    #[arg(long)]
    name: Option<String>,
    /// How its third party signs: a built-in scheme's name, or `@FILE` with a scheme of your own.
    #[arg(long, value_name = "NAME|@FILE")]
    scheme: Option<String>,
    /// The third party's secret or public key; `@FILE` reads a file.
    #[arg(long, value_name = "TEXT|@FILE")]
    secret: Option<String>,
    /// Event types and patterns (`a.*`) that are wanted, separated by commas; all if not given.
    #[arg(long, value_delimiter = ',', value_name = "TYPE")]
    types: Vec<String>,
    /// URL that accepted requests are forwarded to.
    #[arg(long, value_name = "URL")]
    forward_to: Option<String>,
    /// For people.
    #[arg(long)]
    description: Option<String>,
    /// Any other member of the API, such as `dedupe="1d"`; repeatable.
    #[arg(long, value_parser = member, value_name = "NAME=JSON")]
    set: Vec<(String, Value)>,
}

impl Members {
    fn document(self) -> anyhow::Result<Map<String, Value>> {
        let types = (!self.types.is_empty()).then(|| json!(self.types));
        let secret = self.secret.map(|secret| text_of(&secret)).transpose()?;
        let mut members: Map<String, Value> = document([
            ("name", self.name.map(|name| json!(name))),
            ("scheme", self.scheme.map(|scheme| scheme_of(&scheme)).transpose()?),
            ("secret", secret.map(|secret| json!(secret.trim_end()))),
            ("types", types),
            ("forward_url", self.forward_to.map(|url| json!(url))),
            ("description", self.description.map(|text| json!(text))),
        ]);
        members.extend(self.set);
        Ok(members)
    }
}

/// A scheme's name, or what its file says.
fn scheme_of(text: &str) -> anyhow::Result<Value> {
    if !text.starts_with('@') {
        return Ok(json!(text));
    }
    let file = text_of(text)?;
    toml::from_str(&file).with_context(|| format!("{} is not TOML", &text[1..]))
}

/// Runs the command.
///
/// # Errors
/// The call's.
pub(crate) async fn run(
    connection: Connection,
    output: Output,
    action: Action,
) -> anyhow::Result<()> {
    let mut client = Client::new(&connection)?;
    let path = |one: &One| format!("/v1/sources/{}", segment(&one.id));
    match action {
        Action::Create { tenant, members } => {
            let mut members = members.document()?;
            let name = members.get("scheme").filter(|scheme| scheme.is_string()).cloned();
            members.entry("name").or_insert_with(|| name.unwrap_or_else(|| json!("source")));
            let path = format!("/v1/tenants/{}/sources", segment(&tenant));
            output.object(&client.post(&path, &Value::Object(members)).await?);
        }
        Action::List { tenant, page } => {
            let [limit, cursor] = page.parameters();
            let path = with_query("/v1/sources", &[("tenant", tenant.as_deref()), limit, cursor]);
            output.list(&client.get(&path).await?, COLUMNS);
        }
        Action::Show(one) => output.object(&client.get(&path(&one)).await?),
        Action::Update { one, members } => {
            let body = Some(Bytes::from(Value::Object(members.document()?).to_string()));
            output.object(&client.call(Method::PATCH, &path(&one), body).await?);
        }
        Action::Delete(one) => {
            client.call(Method::DELETE, &path(&one), None).await?;
            output.done(&format!("source {} is deleted", one.id));
        }
        Action::RotateSecret { one, secret, overlap } => {
            let secret = secret.map(|secret| text_of(&secret)).transpose()?;
            let body: Map<String, Value> = document([
                ("secret", secret.map(|secret| json!(secret.trim_end()))),
                ("overlap", overlap.map(|overlap| json!(overlap))),
            ]);
            let path = format!("{}/rotate-secret", path(&one));
            output.object(&client.post(&path, &Value::Object(body)).await?);
        }
        Action::Requests { one, outcome, page } => {
            let [limit, cursor] = page.parameters();
            let path = format!("{}/requests", path(&one));
            let path = with_query(&path, &[("outcome", outcome.as_deref()), limit, cursor]);
            output.list(&client.get(&path).await?, REQUEST_COLUMNS);
        }
    }
    Ok(())
}
