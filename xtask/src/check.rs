//! What CI runs, in the order in which it fails soonest. Every step's output is shown as it comes.

use crate::{assurance, fuzz, sim, tidy};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// How much is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Format, clippy, tidy and unit tests.
    Quick,
    /// All tests with the table of promises, the simulation, a minute of each fuzz target, licences
    /// and bans too.
    Whole,
}

/// Runs every step; the first that fails ends the check.
///
/// # Errors
/// The name of the step that failed.
pub(crate) fn run(root: &Path, depth: Depth) -> Result<()> {
    cargo(root, "format", &["fmt", "--all", "--check"])?;
    step("tidy", || tidy::run(root))?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--all-features", "--locked"];
    cargo(root, "clippy", &[&clippy[..], &["--", "-D", "warnings"]].concat())?;
    let build = ["--workspace", "--all-features", "--locked"];
    match depth {
        Depth::Quick => {
            let tests = [&["test"][..], &build, &["--lib", "--bins"]].concat();
            cargo(root, "unit tests", &tests)
        }
        Depth::Whole => {
            step("tests and promises", || assurance::run(root, &build))?;
            step("simulation", || sim::run(root, &sim::Options::of_a_check()))?;
            step("fuzzing", || fuzz::run(root, &fuzz::Options::of_a_check()))?;
            deny(root)
        }
    }
}

/// Licences, bans and advisories. cargo-deny is a tool of its own; without it the bans still
/// hold, because tidy reads what is linked.
fn deny(root: &Path) -> Result<()> {
    let installed = Command::new("cargo")
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        eprintln!("== cargo deny: not installed, skipped (`cargo install --locked cargo-deny`)");
        return Ok(());
    }
    cargo(root, "licences and bans", &["deny", "check", "bans", "licenses", "sources"])
}

fn cargo(root: &Path, name: &str, args: &[&str]) -> Result<()> {
    step(name, || {
        let status = Command::new("cargo")
            .args(args)
            .current_dir(root)
            .status()
            .context("cannot start cargo")?;
        if !status.success() {
            bail!("cargo {} failed", args.join(" "));
        }
        Ok(())
    })
}

fn step(name: &str, body: impl FnOnce() -> Result<()>) -> Result<()> {
    eprintln!("== {name}");
    let started = Instant::now();
    body().with_context(|| format!("check failed: {name}"))?;
    eprintln!("== {name}: ok in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}
