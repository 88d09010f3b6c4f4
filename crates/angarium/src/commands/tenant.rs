//! `angarium tenant`.

use crate::client::{Client, Connection, segment, with_query};
use crate::commands::{PageArgs, document, job, member};
use crate::output::{Column, Output};
use bytes::Bytes;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Number, Value, json};
use std::time::Duration;

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("PLAN", "/plan"),
    ("RATE", "/rate/per_second"),
    ("CREATED", "/created_at"),
];

const ERASURES: &[Column] = &[
    ("ID", "/id"),
    ("STATUS", "/status"),
    ("ERASED", "/erased"),
    ("CREATED", "/created_at"),
    ("ENDED", "/ended_at"),
];

/// How often an erasure that is watched is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is done with tenants.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Makes a tenant, or replaces what is known of it.
    Put {
        /// The platform's own id.
        tenant: String,
        #[command(flatten)]
        members: Members,
    },
    /// Changes what is given, keeps the rest.
    Update {
        /// Its id.
        tenant: String,
        #[command(flatten)]
        members: Members,
        /// Lifts its own rate: the server's default holds again.
        #[arg(long, conflicts_with = "rate")]
        no_rate: bool,
    },
    /// Lists the tenants.
    List(PageArgs),
    /// Shows one.
    Show {
        /// Its id.
        tenant: String,
    },
    /// Delivers anew what did not arrive at any of its endpoints, as one job.
    Recover {
        /// Its id.
        tenant: String,
        #[command(flatten)]
        recovery: job::Recovery,
    },
    /// Erases what it has of a subject, in the background.
    Erase {
        /// Its id.
        tenant: String,
        /// The `subject` of the events.
        #[arg(long)]
        subject: String,
        /// Goes on until everything is erased.
        #[arg(long)]
        watch: bool,
    },
    /// Lists its erasures, newest first.
    Erasures {
        /// Its id.
        tenant: String,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Deletes one with its endpoints, keys and events.
    Delete {
        /// Its id.
        tenant: String,
    },
}

/// The members of a tenant.
#[derive(Debug, Args)]
pub(crate) struct Members {
    /// Its name for people.
    #[arg(long)]
    name: Option<String>,
    /// Its plan, one of the contract's.
    #[arg(long)]
    plan: Option<String>,
    /// A member of its metadata, NAME=JSON; repeatable.
    #[arg(long, value_parser = member, value_name = "NAME=JSON")]
    metadata: Vec<(String, Value)>,
    /// Events a second that it may publish.
    #[arg(long, value_name = "NUMBER")]
    rate: Option<Number>,
    /// Events that it may publish at once; what a second allows if not given.
    #[arg(long, value_name = "NUMBER", requires = "rate")]
    burst: Option<u32>,
}

impl Members {
    fn document(self) -> Map<String, Value> {
        let metadata = Map::from_iter(self.metadata);
        let burst = self.burst.map(|burst| json!(burst));
        let rate =
            self.rate.map(|rate| document([("per_second", Some(json!(rate))), ("burst", burst)]));
        document([
            ("name", self.name.map(|name| json!(name))),
            ("plan", self.plan.map(|plan| json!(plan))),
            ("metadata", (!metadata.is_empty()).then_some(Value::Object(metadata))),
            ("rate", rate.map(Value::Object)),
        ])
    }
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
        Action::Put { tenant, members } => {
            let body = Some(Bytes::from(Value::Object(members.document()).to_string()));
            output.object(&client.call(Method::PUT, &one(&tenant), body).await?);
        }
        Action::Update { tenant, members, no_rate } => {
            let mut members = members.document();
            members.extend(no_rate.then(|| ("rate".to_owned(), Value::Null)));
            let body = Some(Bytes::from(Value::Object(members).to_string()));
            output.object(&client.call(Method::PATCH, &one(&tenant), body).await?);
        }
        Action::List(page) => {
            let path = with_query("/v1/tenants", &page.parameters());
            output.list(&client.get(&path).await?, COLUMNS);
        }
        Action::Show { tenant } => output.object(&client.get(&one(&tenant)).await?),
        Action::Recover { tenant, recovery } => {
            let path = format!("{}/recover", one(&tenant));
            recovery.begin(&mut client, output, &path).await?;
        }
        Action::Erase { tenant, subject, watch } => {
            let path = format!("{}/erasures", one(&tenant));
            let begun = client.post(&path, &json!({"subject": subject})).await?;
            let erasure = if watch { watched(&mut client, begun).await? } else { begun };
            output.object(&erasure);
        }
        Action::Erasures { tenant, page } => {
            let path = with_query(&format!("{}/erasures", one(&tenant)), &page.parameters());
            output.list(&client.get(&path).await?, ERASURES);
        }
        Action::Delete { tenant } => {
            client.call(Method::DELETE, &one(&tenant), None).await?;
            output.done(&format!("tenant {tenant} is deleted"));
        }
    }
    Ok(())
}

/// The erasure once it has ended.
async fn watched(client: &mut Client, begun: Value) -> anyhow::Result<Value> {
    let id = begun["id"].as_str().unwrap_or_default();
    let path = format!("/v1/erasures/{}", segment(id));
    loop {
        let erasure = client.get(&path).await?;
        if erasure["status"] != "running" {
            return Ok(erasure);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
