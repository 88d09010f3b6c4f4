//! `angarium environment`.

use crate::client::{Client, Connection, segment, with_query};
use crate::commands::{PageArgs, document};
use crate::output::{Column, Output};
use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

const COLUMNS: &[Column] = &[
    ("SLUG", "/slug"),
    ("TITLE", "/title"),
    ("CONTRACTS", "/contracts"),
    ("HOSTS", "/hosts"),
    ("CREATED", "/created_at"),
];

/// What is done with environments.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Makes an environment.
    Create {
        /// Its name in URLs.
        slug: String,
        /// Its contracts; the first is the default.
        #[arg(long, required = true, value_delimiter = ',', value_name = "NAME")]
        contract: Vec<String>,
        /// Its name for people; the slug if not given.
        #[arg(long)]
        title: Option<String>,
        /// Host whose root serves the contracts' routes; repeatable.
        #[arg(long, value_delimiter = ',')]
        host: Vec<String>,
    },
    /// Lists the environments.
    List(PageArgs),
    /// Shows one.
    Show {
        /// Its slug.
        slug: String,
    },
    /// Deletes one that has no tenants.
    Delete {
        /// Its slug.
        slug: String,
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
    let mut client = Client::new(&connection.to_instance())?;
    let one = |slug: &str| format!("/v1/environments/{}", segment(slug));
    match action {
        Action::Create { slug, contract, title, host } => {
            let hosts = (!host.is_empty()).then(|| json!(host));
            let body = document([
                ("slug", Some(json!(slug))),
                ("title", Some(json!(title.as_ref().unwrap_or(&slug)))),
                ("contracts", Some(json!(contract))),
                ("hosts", hosts),
            ]);
            output.object(&client.post("/v1/environments", &Value::Object(body)).await?);
        }
        Action::List(page) => {
            let path = with_query("/v1/environments", &page.parameters());
            output.list(&client.get(&path).await?, COLUMNS);
        }
        Action::Show { slug } => output.object(&client.get(&one(&slug)).await?),
        Action::Delete { slug } => {
            client.call(Method::DELETE, &one(&slug), None).await?;
            output.done(&format!("environment {slug} is deleted"));
        }
    }
    Ok(())
}
