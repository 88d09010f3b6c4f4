//! `angarium delivery`.

use crate::client::{Client, Connection, segment, with_query};
use crate::commands::PageArgs;
use crate::output::{Column, Output};
use clap::Subcommand;
use http::Method;

pub(crate) const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("EVENT", "/event/id"),
    ("TYPE", "/event/type"),
    ("ENDPOINT", "/endpoint"),
    ("STATE", "/state"),
    ("ATTEMPTS", "/attempts"),
    ("STATUS", "/last/status"),
    ("CLASS", "/last/class"),
    ("NEXT ATTEMPT", "/next_attempt_at"),
];

/// What is done with deliveries.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Lists deliveries, newest first.
    List {
        /// Of this tenant only.
        #[arg(long)]
        tenant: Option<String>,
        /// To this endpoint only.
        #[arg(long)]
        endpoint: Option<String>,
        /// Of this event only.
        #[arg(long)]
        event: Option<String>,
        /// In this state only, such as `dead`.
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows one with its attempts.
    Show {
        /// Its id (`dlv_…`).
        id: String,
    },
    /// Attempts a waiting one now; delivers one that has ended anew.
    Retry {
        /// Its id.
        id: String,
    },
    /// Ends a waiting one.
    Cancel {
        /// Its id.
        id: String,
    },
    /// Lets the lane go on that a dead letter holds.
    Skip {
        /// The dead letter's id.
        id: String,
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
    let one = |id: &str| format!("/v1/deliveries/{}", segment(id));
    let answer = match action {
        Action::List { tenant, endpoint, event, state, page } => {
            let [limit, cursor] = page.parameters();
            let parameters = [
                ("tenant", tenant.as_deref()),
                ("endpoint", endpoint.as_deref()),
                ("event", event.as_deref()),
                ("state", state.as_deref()),
                limit,
                cursor,
            ];
            let path = with_query("/v1/deliveries", &parameters);
            output.list(&client.get(&path).await?, COLUMNS);
            return Ok(());
        }
        Action::Show { id } => client.get(&one(&id)).await?,
        Action::Retry { id } => {
            let path = format!("{}/retry", one(&id));
            client.call(Method::POST, &path, None).await?
        }
        Action::Cancel { id } => {
            let path = format!("{}/cancel", one(&id));
            client.call(Method::POST, &path, None).await?
        }
        Action::Skip { id } => {
            let path = format!("{}/skip", one(&id));
            client.call(Method::POST, &path, None).await?
        }
    };
    output.object(&answer);
    Ok(())
}
