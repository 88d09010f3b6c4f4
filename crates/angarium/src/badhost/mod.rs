//! `angarium badhost`: a receiver that behaves badly by script, for testing senders.
//!
//! Every case is data ([`cases`]): a place where it is met, what it does there, and what a good
//! sender makes of it. One process plays them all, tells what each caller did, and is bounded
//! itself: in connections, in the time and the bytes that one may cost, in memory.

mod authority;
mod bomb;
mod case;
mod cases;
mod dns;
mod frame;
mod play;
mod report;
mod request;
mod script;
mod serve;
mod wire;

use crate::commands::serve::{Stop, runtime};
use crate::machine;
use crate::output::line;
use anyhow::Context;
use authority::Authority;
use clap::Args;
use report::{Addresses, Form};
use serve::Serving;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where it listens, and what it prints.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Point an endpoint of your sender at the URL of a case, send it one event, and compare what it \
recorded with what a good sender does. While it runs, a line tells what each caller did: how long \
it held on, how many bytes it sent and took, and how the connection ended.

Shared ports, http and then https, know the cases by their paths; cases that begin before there is \
a path have a port of their own, and those of names a name server. Certificates are made at each \
start: --authority writes the root that a sender has to trust. A connection is held for at most \
120 s and takes at most 256 MiB.")]
pub(crate) struct Options {
    /// First port, for http; https, the name server and the cases with a port of their own take
    /// those after it. Port 0 lets the system choose them all.
    #[arg(long, env = "ANGARIUM_BADHOST_LISTEN", value_name = "ADDR")]
    #[arg(default_value = "127.0.0.1:9400")]
    listen: SocketAddr,
    /// Lists the cases and ends.
    #[arg(long)]
    list: bool,
    /// Writes the root certificate of this run, PEM, to this file.
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
    /// Prints a JSON object a line: the cases first, then what each caller did.
    #[arg(long)]
    json: bool,
}

/// Lists the cases, or plays them until SIGTERM or Ctrl-C.
///
/// # Errors
/// A port is taken, or a file cannot be written.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let form = if options.json { Form::Json } else { Form::Text };
    let cases = cases::all();
    let planned = Addresses::planned(options.listen, &cases);
    if options.list {
        report::list(form, &cases, &planned, None);
        return Ok(());
    }
    machine::raise_file_limit();
    let authority = Authority::new(options.listen.ip())?;
    if let Some(path) = &options.authority {
        std::fs::write(path, &authority.pem)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if !options.listen.ip().is_loopback() {
        eprintln!("warning: {} can be reached from outside this machine", options.listen.ip());
    }
    runtime()?.block_on(async {
        let mut stop = Stop::new()?;
        let serving = Serving::start(planned, cases.clone(), &authority, form).await?;
        report::list(form, &cases, &serving.addresses, Some(&authority.pem));
        if form == Form::Text {
            line(&format!("listening on http://{}", serving.addresses.http));
        }
        stop.wait().await;
        Ok(())
    })
}
