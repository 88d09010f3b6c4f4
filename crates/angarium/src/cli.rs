//! The tree of commands.

use crate::badhost;
use crate::client::Connection;
use crate::commands::{
    audit, backup, bench, contract, delivery, doctor, endpoint, environment, event, job, key,
    notice, publish, serve, settings, signature, source, tenant,
};
use crate::config::{Loaded, Settings};
use crate::demo;
use crate::output::Output;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::future::Future;

/// A webhook gateway whose contract is a file.
#[derive(Debug, Parser)]
#[command(name = "angarium", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the gateway until SIGTERM or Ctrl-C.
    Serve(Settings),
    /// Server, receivers and sample events of every contract in one process.
    Demo(demo::Options),
    /// Publishes an event.
    Publish(Calling<publish::Publish>),
    /// Says for every endpoint what publishing an event would do; nothing is published.
    Explain(Calling<publish::Explain>),
    /// Environments: one for each platform product.
    #[command(subcommand_required = true)]
    Environment(CallingGroup<environment::Action>),
    /// Tenants: the platform's customers.
    Tenant(CallingGroup<tenant::Action>),
    /// Endpoints: where a tenant's deliveries go.
    Endpoint(CallingGroup<endpoint::Action>),
    /// Sources: where third parties send what they have to say to a tenant.
    Source(CallingGroup<source::Action>),
    /// Events that were accepted.
    Event(CallingGroup<event::Action>),
    /// Deliveries and their attempts.
    Delivery(CallingGroup<delivery::Action>),
    /// Work in bulk that is under way or has ended.
    Job(CallingGroup<job::Action>),
    /// What the operator was told: endpoints that were disabled or fail, dead letters, new keys.
    Notice(CallingGroup<notice::Action>),
    /// Who changed what, and whether the log of it is whole.
    Audit(CallingGroup<audit::Action>),
    /// API keys, and the keys that secrets are encrypted with.
    Key(CallingGroup<key::Action>),
    /// Contract files.
    #[command(subcommand)]
    Contract(contract::Action),
    /// Signs a request as a third party or a contract does; no server is needed.
    Sign(signature::Sign),
    /// Says whether a request is genuine; no server is needed.
    Verify(signature::Verify),
    /// Writes a consistent copy of the embedded store to a new file.
    Backup(backup::Backup),
    /// Looks at everything that a server needs, and says how to mend what is wrong.
    Doctor(Settings),
    /// Measures publish to delivery on this machine.
    Bench(bench::Options),
    /// A receiver that behaves badly by script, to test a sender with.
    Badhost(badhost::Options),
    /// Shows the configuration in force and where each value comes from.
    Config(settings::Show),
}

/// A command that calls a server.
#[derive(Debug, clap::Args)]
struct Calling<A: clap::Args> {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    action: A,
}

/// A group of commands that call a server.
#[derive(Debug, clap::Args)]
struct CallingGroup<A: Subcommand> {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    action: A,
}

/// Parses the command line and does what it says.
///
/// # Errors
/// Whatever the command fails with; wrong usage ends the process with status 2 at once.
pub(crate) fn run() -> anyhow::Result<()> {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let given = || given(&matches);
    match cli.command {
        Command::Serve(_) => serve::run(Loaded::new(given())?.settings),
        Command::Demo(options) => demo::run(options),
        Command::Publish(c) => call(publish::run(c.connection, c.output, c.action)),
        Command::Explain(c) => call(publish::explain(c.connection, c.output, c.action)),
        Command::Environment(c) => call(environment::run(c.connection, c.output, c.action)),
        Command::Tenant(c) => call(tenant::run(c.connection, c.output, c.action)),
        Command::Endpoint(c) => call(endpoint::run(c.connection, c.output, c.action)),
        Command::Source(c) => call(source::run(c.connection, c.output, c.action)),
        Command::Event(c) => call(event::run(c.connection, c.output, c.action)),
        Command::Delivery(c) => call(delivery::run(c.connection, c.output, c.action)),
        Command::Job(c) => call(job::run(c.connection, c.output, c.action)),
        Command::Notice(c) => call(notice::run(c.connection, c.output, c.action)),
        Command::Audit(c) => call(audit::run(c.connection, c.output, c.action)),
        Command::Key(c) => call(key::run(c.connection, c.output, c.action)),
        Command::Contract(action) => contract::run(action),
        Command::Sign(sign) => signature::sign(&sign),
        Command::Verify(verify) => signature::verify(&verify),
        Command::Backup(backup) => backup::run(&Loaded::new(given())?.settings, &backup.file),
        Command::Doctor(_) => doctor::run(&Loaded::new(given())?.settings),
        Command::Bench(options) => bench::run(&options),
        Command::Badhost(options) => badhost::run(&options),
        Command::Config(show) => settings::run(&Loaded::new(given())?, &show),
    }
}

/// What the command line gave to the subcommand.
fn given(matches: &ArgMatches) -> &ArgMatches {
    let (_, given) = matches.subcommand().expect("a subcommand is required");
    given
}

/// Runs the calls of a command on this thread.
fn call(calls: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(calls)
}
