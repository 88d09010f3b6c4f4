//! `angarium endpoint`.

mod credentials;

use crate::client::{Client, Connection, segment, with_query};
use crate::commands::{PageArgs, document, job, member};
use crate::output::{Column, Output};
use anyhow::Context;
use bytes::Bytes;
use clap::{Args, Subcommand};
use credentials::Credentials;
use http::Method;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("TENANT", "/tenant"),
    ("URL", "/url"),
    ("TYPES", "/types"),
    ("CONTRACT", "/contract"),
    ("STATUS", "/status"),
    ("FAILURES", "/health/consecutive_failures"),
];

const NUMBER_COLUMNS: &[Column] = &[
    ("SEQUENCE", "/sequence"),
    ("ID", "/id"),
    ("EVENT", "/event/id"),
    ("TYPE", "/event/type"),
    ("STATE", "/state"),
    ("ATTEMPTS", "/attempts"),
    ("STATUS", "/last/status"),
    ("REDELIVERED", "/redeliveries/0/state"),
];

/// What is done with endpoints.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Makes an endpoint; its secret is shown once.
    Create {
        /// Whose it is.
        #[arg(long)]
        tenant: String,
        #[command(flatten)]
        members: Members,
    },
    /// Lists endpoints.
    List {
        /// Of this tenant only.
        #[arg(long)]
        tenant: Option<String>,
        /// `active`, `paused` or `disabled`.
        #[arg(long)]
        status: Option<String>,
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
    /// Deletes one; what waits is cancelled.
    Delete(One),
    /// Deliveries wait until it is resumed.
    Pause(One),
    /// Deliveries that waited start.
    Resume(One),
    /// Deliveries start again, those that are parked too.
    Enable(One),
    /// New events are suppressed; what waits stays parked.
    Disable(One),
    /// Makes a new signing secret, shown once.
    RotateSecret(One),
    /// Lists what became of each of its sequence numbers, none left out.
    Sequence {
        #[command(flatten)]
        one: One,
        /// The first number; 1 if not given.
        #[arg(long, value_name = "NUMBER")]
        from: Option<String>,
        /// The last number; the newest if not given.
        #[arg(long, value_name = "NUMBER")]
        to: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Delivers anew what did not arrive, as a job.
    Recover {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        recovery: job::Recovery,
    },
    /// Sends it a test event, signed and retried as a real one.
    Test {
        #[command(flatten)]
        one: One,
        /// The event type; the first of the catalog that it asks for if not given.
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// The data; the catalog's example if not given.
        #[arg(long, value_name = "JSON")]
        data: Option<String>,
    },
}

/// Which endpoint.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Its id (`ep_…`).
    id: String,
}

/// The members of an endpoint.
#[derive(Debug, Args)]
pub(crate) struct Members {
    /// URL that deliveries go to.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Event types and patterns (`a.*`), separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "TYPE")]
    types: Vec<String>,
    /// The contract; the environment's first if not given.
    #[arg(long)]
    contract: Option<String>,
    /// For people.
    #[arg(long)]
    description: Option<String>,
    #[command(flatten)]
    credentials: Credentials,
    /// Any other member of the API, such as `delivery={"retries":["1s"]}`; repeatable.
    #[arg(long, value_parser = member, value_name = "NAME=JSON")]
    set: Vec<(String, Value)>,
}

impl Members {
    fn document(self) -> anyhow::Result<Value> {
        let types = (!self.types.is_empty()).then(|| json!(self.types));
        let mut members: Map<String, Value> = document([
            ("url", self.to.map(|url| json!(url))),
            ("types", types),
            ("contract", self.contract.map(|name| json!(name))),
            ("description", self.description.map(|text| json!(text))),
        ]);
        members.extend(self.credentials.members()?);
        members.extend(self.set);
        Ok(Value::Object(members))
    }
}

#[derive(Debug, Serialize)]
struct TestEvent {
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
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
    let path = |one: &One| format!("/v1/endpoints/{}", segment(&one.id));
    let (one, verb) = match action {
        Action::Create { tenant, members } => {
            let path = format!("/v1/tenants/{}/endpoints", segment(&tenant));
            output.object(&client.post(&path, &members.document()?).await?);
            return Ok(());
        }
        Action::List { tenant, status, page } => {
            let [limit, cursor] = page.parameters();
            let filters = [("tenant", tenant.as_deref()), ("status", status.as_deref())];
            let path = with_query("/v1/endpoints", &[filters[0], filters[1], limit, cursor]);
            output.list(&client.get(&path).await?, COLUMNS);
            return Ok(());
        }
        Action::Show(one) => {
            output.object(&client.get(&path(&one)).await?);
            return Ok(());
        }
        Action::Update { one, members } => {
            let body = Some(Bytes::from(members.document()?.to_string()));
            output.object(&client.call(Method::PATCH, &path(&one), body).await?);
            return Ok(());
        }
        Action::Delete(one) => {
            client.call(Method::DELETE, &path(&one), None).await?;
            output.done(&format!("endpoint {} is deleted", one.id));
            return Ok(());
        }
        Action::Sequence { one, from, to, page } => {
            let [limit, cursor] = page.parameters();
            let range = [("from", from.as_deref()), ("to", to.as_deref())];
            let path = format!("{}/deliveries", path(&one));
            let path = with_query(&path, &[range[0], range[1], limit, cursor]);
            output.list(&client.get(&path).await?, NUMBER_COLUMNS);
            return Ok(());
        }
        Action::Recover { one, recovery } => {
            let path = format!("{}/recover", path(&one));
            return recovery.begin(&mut client, output, &path).await;
        }
        Action::Test { one, kind, data } => {
            let body = Some(test_event(kind, data)?);
            let path = format!("{}/test", path(&one));
            output.object(&client.call(Method::POST, &path, body).await?);
            return Ok(());
        }
        Action::Pause(one) => (one, "pause"),
        Action::Resume(one) => (one, "resume"),
        Action::Enable(one) => (one, "enable"),
        Action::Disable(one) => (one, "disable"),
        Action::RotateSecret(one) => (one, "rotate-secret"),
    };
    let path = format!("{}/{verb}", path(&one));
    output.object(&client.call(Method::POST, &path, None).await?);
    Ok(())
}

/// The body of a test event; the data byte for byte.
fn test_event(kind: Option<String>, data: Option<String>) -> anyhow::Result<Bytes> {
    let data = data.map(|text| RawValue::from_string(text.trim().to_owned())).transpose();
    let data =
        data.context("--data is not JSON; text needs quotes of its own: --data '\"text\"'")?;
    Ok(serde_json::to_vec(&TestEvent { r#type: kind, data })?.into())
}
