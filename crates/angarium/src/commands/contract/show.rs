//! `angarium contract show`: what a contract says, in words or as its file does.

use super::find;
use crate::output::line;
use angarium_core::limits::Limits;

/// What is shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The name of a built-in contract, a file, or `-` for standard input.
    contract: String,
    /// Prints the file's own text, to start a copy from.
    #[arg(long)]
    toml: bool,
}

/// Shows it.
///
/// # Errors
/// There is no such contract, or the file is wrong.
pub(super) fn run(action: &Show, limits: &Limits) -> anyhow::Result<()> {
    let contract = find(&action.contract, limits)?;
    match action.toml {
        true => line(contract.text().trim_end()),
        false => line(contract.to_string().trim_end()),
    }
    Ok(())
}
