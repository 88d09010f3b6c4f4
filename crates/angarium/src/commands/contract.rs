//! `angarium contract`: looks at contract files without a server.

mod docs;

use crate::output::line;
use angarium_core::contract::{Contract, ContractLibrary};
use angarium_core::limits::Limits;
use anyhow::Context;
use clap::Subcommand;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is done with contracts.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Checks contract files, and names file, line and reason of what is wrong.
    Check {
        /// The files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Shows a built-in contract or a file in words: catalog, request, signature, schedule.
    Show {
        /// The name of a built-in contract, or a file.
        contract: String,
    },
    /// Prints the page for a platform's customers.
    Docs(docs::Docs),
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
        Action::Check { files } => check(&files, &limits),
        Action::Show { contract } => show(&contract, &limits),
        Action::Docs(asked) => docs::run(&asked, &limits),
        Action::List => {
            for contract in ContractLibrary::built_in(&limits)?.iter() {
                line(&format!("{:16} {}", contract.name(), contract.title()));
            }
            Ok(())
        }
    }
}

/// Every file is looked at, so that one run shows the first mistake of each.
fn check(files: &[PathBuf], limits: &Limits) -> anyhow::Result<()> {
    let mut wrong = 0;
    for file in files {
        match read(file, limits) {
            Ok(contract) => {
                let events = contract.events().len();
                line(&format!("{}: {}, {events} events: ok", file.display(), contract.name()));
            }
            Err(error) => {
                wrong += 1;
                eprintln!("{error:#}");
            }
        }
    }
    anyhow::ensure!(wrong == 0, "{wrong} of {} contracts cannot be used", files.len());
    Ok(())
}

fn show(name: &str, limits: &Limits) -> anyhow::Result<()> {
    line(find(name, limits)?.to_string().trim_end());
    Ok(())
}

/// A built-in contract, or that of a file.
fn find(name: &str, limits: &Limits) -> anyhow::Result<Arc<Contract>> {
    let library = ContractLibrary::built_in(limits)?;
    if let Some(contract) = library.get(name) {
        return Ok(Arc::clone(contract));
    }
    let file = Path::new(name);
    anyhow::ensure!(
        file.exists(),
        "`{name}` is neither a built-in contract ({}) nor a file",
        library.iter().map(|c| c.name()).collect::<Vec<_>>().join(", ")
    );
    Ok(Arc::new(read(file, limits)?))
}

fn read(file: &Path, limits: &Limits) -> anyhow::Result<Contract> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    Ok(Contract::parse(&name, &text, limits)?)
}
