//! Runs the simulator, which is a program of its own, so that dev commands do not link the product.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// Seeds of a check, each a simulated day and run twice.
const IN_A_CHECK: u64 = 2_000;

/// How to simulate.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// For the simulator: `--seed N`, `--seeds COUNT`, `--from N`, `--once`, `--lines COUNT`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    simulator: Vec<String>,
}

impl Options {
    /// What a check runs.
    pub(crate) fn of_a_check() -> Self {
        Self { simulator: vec!["--seeds".into(), IN_A_CHECK.to_string()] }
    }
}

/// Builds and runs the simulator.
///
/// # Errors
/// When a seed breaks a promise.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let mut command = Command::new("cargo");
    let build = ["run", "--quiet", "--locked", "--profile", "sim", "--package", "angarium-sim"];
    command.args(build).arg("--").args(&options.simulator).current_dir(root);
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("the simulation broke a promise, or could not run");
    }
    Ok(())
}
