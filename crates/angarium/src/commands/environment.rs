//! `angarium environment`.

use crate::client::{Client, Connection, segment, with_query};
use crate::commands::{PageArgs, document, text_of};
use crate::output::{Column, Output};
use anyhow::Context;
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
        /// Where requests may go on its behalf: a JSON document, `@FILE` or `-`.
        #[arg(long, value_name = "JSON|@FILE|-")]
        egress: Option<String>,
        /// How long what it accepts is kept: a JSON document, `@FILE` or `-`.
        #[arg(long, value_name = "JSON|@FILE|-")]
        retention: Option<String>,
    },
    /// Lists the environments.
    List(PageArgs),
    /// Shows one.
    Show {
        /// Its slug.
        slug: String,
    },
    /// Changes what is given, keeps the rest.
    Update {
        /// Its slug.
        slug: String,
        /// Its contracts; the first is the default.
        #[arg(long, value_delimiter = ',', value_name = "NAME")]
        contract: Vec<String>,
        /// Its name for people.
        #[arg(long)]
        title: Option<String>,
        /// Host whose root serves the contracts' routes; repeatable.
        #[arg(long, value_delimiter = ',')]
        host: Vec<String>,
        /// Where requests may go on its behalf, whole: a JSON document, `@FILE` or `-`; `null`
        /// makes it as the server was started.
        #[arg(long, value_name = "JSON|@FILE|-")]
        egress: Option<String>,
        /// How long what it accepts is kept, whole: a JSON document, `@FILE` or `-`; `null` makes
        /// it as by default.
        #[arg(long, value_name = "JSON|@FILE|-")]
        retention: Option<String>,
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
        Action::Create { slug, contract, title, host, egress, retention } => {
            let hosts = (!host.is_empty()).then(|| json!(host));
            let body = document([
                ("slug", Some(json!(slug))),
                ("title", Some(json!(title.as_ref().unwrap_or(&slug)))),
                ("contracts", Some(json!(contract))),
                ("hosts", hosts),
                ("egress", json_of("--egress", egress.as_deref())?),
                ("retention", json_of("--retention", retention.as_deref())?),
            ]);
            output.object(&client.post("/v1/environments", &Value::Object(body)).await?);
        }
        Action::Update { slug, contract, title, host, egress, retention } => {
            let body = document([
                ("title", title.map(Value::String)),
                ("contracts", (!contract.is_empty()).then(|| json!(contract))),
                ("hosts", (!host.is_empty()).then(|| json!(host))),
                ("egress", json_of("--egress", egress.as_deref())?),
                ("retention", json_of("--retention", retention.as_deref())?),
            ]);
            let body = Some(Value::Object(body).to_string().into());
            output.object(&client.call(Method::PATCH, &one(&slug), body).await?);
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

/// The document of an option. A password in it is better off in a file than in a command line,
/// which every process of the machine can read.
fn json_of(option: &str, text: Option<&str>) -> anyhow::Result<Option<Value>> {
    let Some(text) = text else { return Ok(None) };
    let not_json = || format!("{option} is not JSON");
    serde_json::from_str(&text_of(text)?).map(Some).with_context(not_json)
}
