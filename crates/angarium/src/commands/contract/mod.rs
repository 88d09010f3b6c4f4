//! `angarium contract`: looks at contract files without a server, and starts new ones.

mod check;
mod docs;
mod new;
mod show;

use crate::output::line;
use angarium_core::contract::{Contract, ContractLibrary};
use angarium_core::limits::Limits;
use anyhow::Context;
use clap::Subcommand;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// What is done with contracts.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Checks contract files: every mistake and every weak choice, with its line and what to write
    /// instead.
    Check(check::Check),
    /// Shows a built-in contract or a file in words: everything that it says.
    Show(show::Show),
    /// Prints the page for a platform's customers.
    Docs(docs::Docs),
    /// Starts a contract from a few answers: asked for on a terminal, or given as options.
    New(new::New),
    /// Lists the built-in contracts.
    List,
}

/// Runs the command.
///
/// # Errors
/// A file is wrong or cannot be read, or there is no such contract.
pub(crate) fn run(action: Action) -> anyhow::Result<()> {
    let limits = Limits::default();
    match action {
        Action::Check(action) => check::run(&action, &limits),
        Action::Show(action) => show::run(&action, &limits),
        Action::Docs(asked) => docs::run(&asked, &limits),
        Action::New(action) => new::run(action, &limits),
        Action::List => {
            for contract in ContractLibrary::built_in(&limits)?.iter() {
                line(&format!("{:16} {}", contract.name(), contract.title()));
            }
            Ok(())
        }
    }
}

/// A built-in contract, or that of a file; `-` is standard input.
///
/// # Errors
/// There is no such contract, or the file is wrong.
fn find(name: &str, limits: &Limits) -> anyhow::Result<Arc<Contract>> {
    let library = ContractLibrary::built_in(limits)?;
    if let Some(contract) = library.get(name) {
        return Ok(Arc::clone(contract));
    }
    let file = Path::new(name);
    anyhow::ensure!(
        name == "-" || file.exists(),
        "`{name}` is neither a built-in contract ({}) nor a file",
        library.iter().map(|c| c.name()).collect::<Vec<_>>().join(", ")
    );
    Ok(Arc::new(Contract::parse(name, &text_of(file)?, limits)?))
}

/// The text of a file; of `-`, that of standard input.
fn text_of(file: &Path) -> anyhow::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}
