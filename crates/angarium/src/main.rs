//! The executable: command line, configuration, wiring. What it does stands in the crates that it
//! wires; what it says stands here.

mod badhost;
mod cli;
mod client;
mod commands;
mod config;
mod demo;
mod failure;
mod logs;
mod machine;
mod output;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
