//! `angarium notice`: what the operator was told.

use crate::client::{Client, Connection, with_query};
use crate::commands::PageArgs;
use crate::output::{Column, Output};
use clap::Subcommand;

const COLUMNS: &[Column] = &[
    ("TIME", "/time"),
    ("TYPE", "/type"),
    ("TENANT", "/tenant"),
    ("ENDPOINT", "/endpoint"),
    ("MESSAGE", "/data/message"),
];

/// What is done with notices.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Lists notices, newest first.
    List {
        /// Of this type only (`angarium.endpoint.disabled` …).
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// About this tenant only.
        #[arg(long)]
        tenant: Option<String>,
        /// About this endpoint only.
        #[arg(long)]
        endpoint: Option<String>,
        #[command(flatten)]
        page: PageArgs,
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
    let Action::List { kind, tenant, endpoint, page } = action;
    let [limit, cursor] = page.parameters();
    let filters = [
        ("type", kind.as_deref()),
        ("tenant", tenant.as_deref()),
        ("endpoint", endpoint.as_deref()),
        limit,
        cursor,
    ];
    let path = with_query("/v1/notices", &filters);
    output.list(&client.get(&path).await?, COLUMNS);
    Ok(())
}
