//! `angarium event`.

use crate::client::{Client, Connection, segment, with_query};
use crate::commands::{PageArgs, delivery, document};
use crate::output::{Column, Output};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("TENANT", "/tenant"),
    ("TYPE", "/type"),
    ("TIME", "/time"),
    ("SUBJECT", "/subject"),
    ("KEY", "/key"),
];

/// The columns of an explanation.
pub(crate) const EXPLAINED: &[Column] = &[
    ("ENDPOINT", "/endpoint"),
    ("STATUS", "/status"),
    ("MATCHED", "/matched"),
    ("WHY NOT", "/reason"),
    ("STATE", "/delivery/state"),
    ("ATTEMPTS", "/delivery/attempts"),
    ("WAITS FOR", "/waits_for"),
    ("NEXT ATTEMPT", "/next_attempt_at"),
];

/// What is done with events.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Lists events, newest first.
    List {
        /// Of this tenant only.
        #[arg(long)]
        tenant: Option<String>,
        /// Of this type only.
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// About this subject only.
        #[arg(long)]
        subject: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows one with its data.
    Show(One),
    /// Says for every endpoint whether it matched or by which rule not, and what it waits for.
    Explain {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Erases its data and what its receivers answered; its id, type and time stay.
    Erase(One),
    /// Delivers it again, to the endpoints that it matched or to others.
    Replay {
        #[command(flatten)]
        one: One,
        /// To this endpoint, whether the event matched it or not; repeatable.
        #[arg(long, value_name = "ID")]
        endpoint: Vec<String>,
    },
}

/// Which event.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// Its id.
    id: String,
    /// Whose it is, for an id that the publisher gave.
    #[arg(long)]
    tenant: Option<String>,
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
    match action {
        Action::List { tenant, kind, subject, page } => {
            let [limit, cursor] = page.parameters();
            let parameters = [
                ("tenant", tenant.as_deref()),
                ("type", kind.as_deref()),
                ("subject", subject.as_deref()),
                limit,
                cursor,
            ];
            let path = with_query("/v1/events", &parameters);
            output.list(&client.get(&path).await?, COLUMNS);
        }
        Action::Show(one) => output.object(&client.get(&path(&one, "", [])).await?),
        Action::Erase(one) => {
            client.call(Method::DELETE, &path(&one, "", []), None).await?;
            output.done(&format!("event {} is erased", one.id));
        }
        Action::Explain { one, page } => {
            let path = path(&one, "/explain", page.parameters());
            output.list(&client.get(&path).await?, EXPLAINED);
        }
        Action::Replay { one, endpoint } => {
            let endpoints = (!endpoint.is_empty()).then(|| json!(endpoint));
            let body = Value::Object(document([("endpoints", endpoints)]));
            let answer = client.post(&path(&one, "/replay", []), &body).await?;
            replayed(output, &answer);
        }
    }
    Ok(())
}

fn path<const N: usize>(one: &One, call: &str, more: [(&str, Option<&str>); N]) -> String {
    let path = format!("/v1/events/{}{call}", segment(&one.id));
    let path = with_query(&path, &[("tenant", one.tenant.as_deref())]);
    with_query(&path, &more)
}

/// The new deliveries, then who gets none and why.
fn replayed(output: Output, answer: &Value) {
    let made = json!({"data": answer["deliveries"]});
    output.either(answer, |output| {
        output.list(&made, delivery::COLUMNS);
        for not_made in answer["not_replayed"].as_array().into_iter().flatten() {
            let part = |name: &str| not_made[name].as_str().unwrap_or_default().to_owned();
            output.done(&format!("not to {}: {}", part("endpoint"), part("reason")));
        }
    });
}
