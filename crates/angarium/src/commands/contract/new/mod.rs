//! `angarium contract new`: starts a contract from a few answers.
//!
//! Every answer is judged by the contract that it would make, so nothing is asked twice and nothing
//! is accepted here that `check` refuses.

mod answers;
mod draft;
mod questions;

use self::questions::{Asker, QUESTIONS};
use super::check;
use crate::output::line;
use angarium_core::limits::Limits;
use anyhow::Context;
use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdin};
use std::path::{Path, PathBuf};

/// The answers that are known already. On a terminal the others are asked for; else they take
/// their defaults, which are printed.
#[derive(Debug, clap::Args)]
pub(crate) struct New {
    /// The contract's name: a-z 0-9 -.
    #[arg(long)]
    name: Option<String>,
    /// Its name for people.
    #[arg(long)]
    title: Option<String>,
    /// An event type, such as `order.paid`; may be given several times.
    #[arg(long = "event", value_name = "TYPE")]
    events: Vec<String>,
    /// How deliveries are signed: `standard` (Standard Webhooks), `hmac-hex` or `none`.
    #[arg(long)]
    signature: Option<String>,
    /// With `hmac-hex`: the header of the signature.
    #[arg(long)]
    header: Option<String>,
    /// With `hmac-hex`: what is signed, such as `{timestamp}.{body}`.
    #[arg(long)]
    content: Option<String>,
    /// When a failed delivery is tried again: `growing` (for a day), waits such as `5s,5m,1h`, or
    /// `none`.
    #[arg(long)]
    retries: Option<String>,
    /// Who has the key that signs: each `endpoint`, or the `tenant` for all of its endpoints.
    #[arg(long)]
    keys: Option<String>,
    /// How the platform's customers manage their endpoints: not at all (`none`), or with an API
    /// key in the header `Authorization` (`bearer`) or `X-API-Key` (`x-api-key`).
    #[arg(long)]
    api: Option<String>,
    /// Where it is written; `NAME.toml` where nothing is said. A file that is there stays.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Asks, writes the file, and checks it.
///
/// # Errors
/// An answer makes no contract, or the file is there or cannot be written.
pub(super) fn run(action: New, limits: &Limits) -> anyhow::Result<()> {
    let output = action.output.clone();
    let answers = match stdin().is_terminal() && stderr().is_terminal() {
        true => Asker::person(stdin().lock(), stderr()).ask(&action.given(), limits)?,
        false => Asker::defaults(stderr()).ask(&action.given(), limits)?,
    };
    let file = output.unwrap_or_else(|| PathBuf::from(format!("{}.toml", answers.name())));
    write_new(&file, &draft::text(&answers))?;
    line(&check::report(&file, limits));
    line(&format!("next: fill in {}, then angarium serve --contracts DIR", file.display()));
    Ok(())
}

impl New {
    /// The answers on the command line, in the order of the questions.
    fn given(self) -> Vec<Option<String>> {
        let events = (!self.events.is_empty()).then(|| self.events.join(" "));
        let given = vec![
            self.name,
            self.title,
            events,
            self.signature,
            self.header,
            self.content,
            self.retries,
            self.keys,
            self.api,
        ];
        debug_assert_eq!(given.len(), QUESTIONS.len());
        given
    }
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = File::create_new(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            anyhow::anyhow!("{} is there already, and stays as it is", path.display())
        }
        _ => anyhow::Error::new(error).context(format!("{} cannot be written", path.display())),
    })?;
    file.write_all(text.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))
}
