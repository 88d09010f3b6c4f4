//! `angarium backup`: a copy of the embedded store, made while no server uses it.

use crate::commands::serve;
use crate::config::Settings;
use crate::output::line;
use angarium_store::Store;
use anyhow::Context;
use clap::Args;
use std::path::{Path, PathBuf};

/// Where the copy goes.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The new file; it must not be there yet.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

/// Runs the command.
///
/// # Errors
/// The store cannot be opened or the file not written.
pub(crate) fn run(settings: &Settings, file: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(!file.exists(), "{} is there already", file.display());
    serve::runtime()?.block_on(async {
        let store = serve::open_store(settings)?;
        let copied = store.backup(file).await;
        store.close().await;
        copied.with_context(|| format!("no copy was made to {}", file.display()))
    })?;
    line(&format!("the store is copied to {}", file.display()));
    Ok(())
}
