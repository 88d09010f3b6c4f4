//! Logs: text for people, JSON for programs; to standard error, so that answers stay alone on
//! standard output.

use clap::ValueEnum;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line a person reads.
    Text,
    /// A JSON object a line.
    Json,
}

/// Starts the log. `filter` is a level or a list such as `warn,angarium_server=debug`.
///
/// # Errors
/// The filter is not one.
pub(crate) fn start(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => {
            subscriber.with_target(false).with_ansi(std::io::stderr().is_terminal()).init()
        }
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
    Ok(())
}
