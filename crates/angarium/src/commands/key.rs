//! `angarium key`.

use crate::client::{Client, Connection, segment, with_query};
use crate::commands::{PageArgs, document};
use crate::config::generate_master_key;
use crate::output::{Column, Output, line};
use angarium_server::entropy::OsEntropy;
use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("ENVIRONMENT", "/environment"),
    ("TENANT", "/tenant"),
    ("SCOPES", "/scopes"),
    ("STATE", "/state"),
    ("CREATED", "/created_at"),
    ("EXPIRES", "/expires_at"),
    ("LAST USED", "/last_used_at"),
];

/// What is done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Makes an API key, shown once. It belongs to the environment of --environment, or else to
    /// the instance.
    Create {
        /// Its name for people.
        name: String,
        /// The tenant that it is bound to.
        #[arg(long)]
        tenant: Option<String>,
        /// What it may do: publish, manage, read; or portal alone, with --tenant.
        #[arg(long, value_delimiter = ',', required = true, value_name = "SCOPE")]
        scopes: Vec<String>,
        /// When it ends by itself (RFC 3339); a portal key ends after an hour, or within a day.
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
    },
    /// Lists the keys, without their texts.
    List(PageArgs),
    /// Revokes a key at once.
    Revoke {
        /// Its id (`key_…`).
        id: String,
    },
    /// Prints a new master key for ANGARIUM_MASTER_KEY; calls no server.
    GenerateMaster,
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
    if let Action::GenerateMaster = action {
        line(&generate_master_key(&OsEntropy));
        return Ok(());
    }
    let mut client = Client::new(&connection)?;
    match action {
        Action::Create { name, tenant, scopes, expires_at } => {
            let body = document([
                ("name", Some(json!(name))),
                ("environment", connection.environment.map(|slug| json!(slug))),
                ("tenant", tenant.map(|tenant| json!(tenant))),
                ("scopes", Some(json!(scopes))),
                ("expires_at", expires_at.map(|time| json!(time))),
            ]);
            output.object(&client.post("/v1/keys", &Value::Object(body)).await?);
        }
        Action::List(page) => {
            let path = with_query("/v1/keys", &page.parameters());
            output.list(&client.get(&path).await?, COLUMNS);
        }
        Action::Revoke { id } => {
            let path = format!("/v1/keys/{}", segment(&id));
            client.call(Method::DELETE, &path, None).await?;
            output.done(&format!("key {id} is revoked"));
        }
        Action::GenerateMaster => {}
    }
    Ok(())
}
