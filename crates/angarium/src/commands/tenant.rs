//! `angarium tenant`.

use crate::client::{Client, Connection, segment, with_query};
use crate::commands::{PageArgs, document, member};
use crate::output::{Column, Output};
use bytes::Bytes;
use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

const COLUMNS: &[Column] =
    &[("ID", "/id"), ("NAME", "/name"), ("PLAN", "/plan"), ("CREATED", "/created_at")];

/// What is done with tenants.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Makes a tenant, or replaces what is known of it.
    Put {
        /// The platform's own id.
        tenant: String,
        /// Its name for people.
        #[arg(long)]
        name: Option<String>,
        /// Its plan, one of the contract's.
        #[arg(long)]
        plan: Option<String>,
        /// A member of its metadata, NAME=JSON; repeatable.
        #[arg(long, value_parser = member, value_name = "NAME=JSON")]
        metadata: Vec<(String, Value)>,
    },
    /// Lists the tenants.
    List(PageArgs),
    /// Shows one.
    Show {
        /// Its id.
        tenant: String,
    },
    /// Deletes one whose endpoints are all deleted.
    Delete {
        /// Its id.
        tenant: String,
    },
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
    let one = |tenant: &str| format!("/v1/tenants/{}", segment(tenant));
    match action {
        Action::Put { tenant, name, plan, metadata } => {
            let metadata =
                (!metadata.is_empty()).then(|| Value::Object(metadata.into_iter().collect()));
            let body = Value::Object(document([
                ("name", name.map(|name| json!(name))),
                ("plan", plan.map(|plan| json!(plan))),
                ("metadata", metadata),
            ]));
            let body = Some(Bytes::from(body.to_string()));
            output.object(&client.call(Method::PUT, &one(&tenant), body).await?);
        }
        Action::List(page) => {
            let path = with_query("/v1/tenants", &page.parameters());
            output.list(&client.get(&path).await?, COLUMNS);
        }
        Action::Show { tenant } => output.object(&client.get(&one(&tenant)).await?),
        Action::Delete { tenant } => {
            client.call(Method::DELETE, &one(&tenant), None).await?;
            output.done(&format!("tenant {tenant} is deleted"));
        }
    }
    Ok(())
}
