//! Runs the simulator, which is a program of its own, so that dev commands do not link the product.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// Seeds of a check: less than a minute in a debug build.
const IN_A_CHECK: u64 = 150;

/// How to simulate.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Optimised: a longer build, and several times the seeds in a second
    #[arg(long)]
    release: bool,
    /// For the simulator: `--seed N`, `--seeds COUNT`, `--from N`, `--lines COUNT`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    simulator: Vec<String>,
}

impl Options {
    /// What a check runs.
    pub(crate) fn of_a_check() -> Self {
        Self { release: false, simulator: vec!["--seeds".into(), IN_A_CHECK.to_string()] }
    }
}

/// Builds and runs the simulator.
///
/// # Errors
/// When a seed breaks a promise.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--locked", "--package", "angarium-sim"]);
    if options.release {
        command.arg("--release");
    }
    command.arg("--").args(&options.simulator).current_dir(root);
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("the simulation broke a promise, or could not run");
    }
    Ok(())
}
