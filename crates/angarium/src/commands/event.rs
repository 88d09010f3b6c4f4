//! `angarium event`.

use crate::client::{Client, Connection, segment, with_query};
use crate::commands::PageArgs;
use crate::output::{Column, Output};
use clap::Subcommand;

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("TENANT", "/tenant"),
    ("TYPE", "/type"),
    ("TIME", "/time"),
    ("SUBJECT", "/subject"),
    ("KEY", "/key"),
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
    Show {
        /// Its id.
        id: String,
        /// Whose it is, for an id that the publisher gave.
        #[arg(long)]
        tenant: Option<String>,
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
        Action::Show { id, tenant } => {
            let path = format!("/v1/events/{}", segment(&id));
            let path = with_query(&path, &[("tenant", tenant.as_deref())]);
            output.object(&client.get(&path).await?);
        }
    }
    Ok(())
}
