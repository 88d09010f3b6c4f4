//! `angarium key`.

use crate::client::{Client, Connection, segment, with_query};
use crate::commands::{PageArgs, document};
use crate::config::generate_master_key;
use crate::output::{Column, Output, line};
use angarium_server::entropy::OsEntropy;
use clap::Subcommand;
use http::Method;
use serde_json::{Number, Value, json};

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
        /// How many calls a second may be made with it.
        #[arg(long, value_name = "NUMBER")]
        rate: Option<Number>,
        /// How many at once; as many as in a second if absent.
        #[arg(long, value_name = "NUMBER", requires = "rate")]
        burst: Option<u32>,
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
    /// Puts the store under the next master key, which the server reads from its own file or
    /// environment; the server goes on serving.
    RotateMaster,
    /// Gives a tenant, or everybody, a new data key; secrets are sealed anew in the background.
    RotateData {
        /// The tenant.
        #[arg(long, required_unless_present = "all", conflicts_with = "all")]
        tenant: Option<String>,
        /// Every tenant, and what is no tenant's.
        #[arg(long)]
        all: bool,
    },
    /// Shows which master key the store is under, and whether secrets are still being sealed anew.
    Status,
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
        Action::Create { name, tenant, scopes, expires_at, rate, burst } => {
            let burst = burst.map(|burst| json!(burst));
            let rate =
                rate.map(|rate| document([("per_second", Some(json!(rate))), ("burst", burst)]));
            let body = document([
                ("name", Some(json!(name))),
                ("environment", connection.environment.map(|slug| json!(slug))),
                ("tenant", tenant.map(|tenant| json!(tenant))),
                ("scopes", Some(json!(scopes))),
                ("expires_at", expires_at.map(|time| json!(time))),
                ("rate", rate.map(Value::Object)),
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
        Action::RotateMaster => rotate_master(&mut client, output).await?,
        Action::RotateData { tenant, all } => {
            let body = document([
                ("tenant", tenant.map(|tenant| json!(tenant))),
                ("all", all.then_some(json!(true))),
            ]);
            let path = "/v1/encryption/rotate-data-keys";
            client.post(path, &Value::Object(body)).await?;
            output.done("begun; `angarium key status` shows when no retired data keys are left");
        }
        Action::Status => output.object(&client.get("/v1/encryption").await?),
        Action::GenerateMaster => {}
    }
    Ok(())
}

async fn rotate_master(client: &mut Client, output: Output) -> anyhow::Result<()> {
    let rotated = client.post("/v1/encryption/rotate-master-key", &json!({})).await?;
    let said = |member: &str| rotated[member].as_str().unwrap_or_default();
    output.object(&rotated);
    output.done(&format!(
        "Now put {} in the place of the master key before it ({}), and keep that one as long as \
         the backups that were made under it.",
        said("from"),
        said("previous"),
    ));
    Ok(())
}
