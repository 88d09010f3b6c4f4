//! How a command ends when it fails: one sentence with its causes, and a status for scripts.
//!
//! 1: refused or failed; 2: wrong usage or configuration; 3: the server cannot be reached.

use crate::client::ClientError;
use crate::config::ConfigError;
use std::process::ExitCode;

/// Prints the whole chain of causes and picks the status.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(status(error))
}

fn status(error: &anyhow::Error) -> u8 {
    if error.is::<ConfigError>() {
        return 2;
    }
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Unreachable { .. }) => 3,
        Some(ClientError::Url { .. }) => 2,
        Some(ClientError::Refused(_) | ClientError::Broken { .. } | ClientError::Answer { .. })
        | None => 1,
    }
}
