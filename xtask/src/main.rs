//! Dev commands, in Rust so that they run wherever the product builds.
//!
//! `cargo xtask check` is exactly what CI runs; `cargo xtask tidy` keeps the rules that neither the
//! compiler nor clippy can; `cargo xtask bench` compares the release binary with the relay floor;
//! `cargo xtask sim` breaks simulated processes, stores and receivers and checks what was promised;
//! `cargo xtask fuzz` feeds parsers what nobody would send;
//! `cargo xtask assurance` says which promise which test shows, and with which figures.

mod assurance;
mod bench;
mod check;
mod fuzz;
mod sim;
mod tidy;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Dev commands of Angarium")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that CI runs: format, clippy, tidy, tests, promises, simulation, fuzzing, bans
    Check {
        /// Only what is quick: unit tests, no test that starts the server
        #[arg(long)]
        quick: bool,
    },
    /// The rules of the house: sizes, comments, dependency edges, documents that name what exists
    Tidy,
    /// Every promise, the tests that show it with their figures, and whether it holds
    Assurance,
    /// Simulated crashes, store faults and bad receivers, each run decided by a seed
    Sim(sim::Options),
    /// Random input for everything that reads what outsiders send
    Fuzz(fuzz::Options),
    /// Cost and speed of the release binary, alternating with the relay floor
    Bench(bench::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let root = root()?;
    match command {
        Command::Check { quick: true } => check::run(&root, check::Depth::Quick),
        Command::Check { quick: false } => check::run(&root, check::Depth::Whole),
        Command::Tidy => tidy::run(&root),
        Command::Assurance => assurance::run(&root, assurance::ALONE),
        Command::Sim(options) => sim::run(&root, &options),
        Command::Fuzz(options) => fuzz::run(&root, &options),
        Command::Bench(options) => bench::run(&root, &options),
    }
}

/// The repository's root: the folder above this crate.
fn root() -> Result<PathBuf> {
    let here = std::env::var("CARGO_MANIFEST_DIR").context("run this through `cargo xtask`")?;
    let root =
        PathBuf::from(here).parent().map(PathBuf::from).context("xtask has no parent folder")?;
    Ok(root)
}
