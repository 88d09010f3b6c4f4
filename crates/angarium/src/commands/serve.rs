//! `angarium serve`: from settings to a running server, and to its clean stop.

use crate::config::{self, MasterKey, Settings};
use crate::output::line;
use crate::{logs, machine};
use angarium_core::address::AddressPolicy;
use angarium_core::endpoint::PlainHttp;
use angarium_server::clock::SteadyClock;
use angarium_server::entropy::OsEntropy;
use angarium_server::origin::Outside;
use angarium_server::server::{Server, ServerConfig};
use angarium_store::sqlite::{Mode, SqliteConfig, SqliteStore, Synchronous};
use anyhow::Context;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Runs the server until SIGTERM or Ctrl-C, then drains it.
///
/// # Errors
/// The configuration's and the server's.
pub(crate) fn run(settings: Settings) -> anyhow::Result<()> {
    let descriptors = machine::raise_file_limit();
    let key = config::master_key(&settings)?;
    logs::start(&settings.log, settings.log_format)?;
    if let Some(path) = &key.made {
        line(&format!("made a master key for development in {}", path.display()));
    }
    let config = server_config(&settings, &key, descriptors)?;
    runtime()?.block_on(serve(config))
}

async fn serve(config: ServerConfig) -> anyhow::Result<()> {
    let mut stop = Stop::new()?;
    let server = Server::start(config).await?;
    if let Some(key) = &server.new_admin_key {
        line(&format!("admin key, shown this once: {}", key.expose()));
    }
    line(&format!("listening on http://{}", server.address));
    let reason = stop.wait().await;
    tracing::info!(reason, "draining");
    server.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

/// The signals that stop a process cleanly.
pub(crate) struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    /// Takes the signals over, from now on.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one, and names it.
    pub(crate) async fn wait(&mut self) -> &'static str {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// The runtime of everything that serves.
///
/// # Errors
/// No threads.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().context("no threads can be started")
}

/// Opens the store of these settings, as `serve` does.
///
/// # Errors
/// No master key, or the store's.
pub(crate) fn open_store(settings: &Settings) -> anyhow::Result<SqliteStore> {
    let key = config::master_key(settings)?;
    Ok(SqliteStore::open(SqliteConfig {
        path: Some(settings.data.clone()),
        master_key: key.key,
        // A file that is wrong hinders nothing here: the store opens without it, or says that it
        // does not.
        next_master_key: config::next_master_key(settings)?.find().unwrap_or(None),
        synchronous: Synchronous::Full,
        mode: Mode::Threads,
    })?)
}

fn server_config(
    settings: &Settings,
    key: &MasterKey,
    descriptors: usize,
) -> anyhow::Result<ServerConfig> {
    let roots = settings.trust_ca.iter().map(|path| root(path));
    Ok(ServerConfig {
        data: settings.data.clone(),
        master_key: key.key.clone(),
        next_master_key: config::next_master_key(settings)?,
        admin_key: config::admin_key(settings)?,
        listen: settings.listen,
        contracts: settings.contracts.clone(),
        plain_http: match settings.allow_http {
            true => PlainHttp::Allowed,
            false => PlainHttp::Refused,
        },
        addresses: AddressPolicy::allowing(settings.allow_cidr.clone()),
        extra_roots: roots.collect::<anyhow::Result<_>>()?,
        outside: Outside {
            public_url: settings.public_url.clone(),
            trusted_proxies: settings.trusted_proxy.clone(),
        },
        limits: settings.limits(descriptors),
        grace: settings.grace,
        clock: Arc::new(SteadyClock::start()),
        entropy: Arc::new(OsEntropy),
    })
}

fn root(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path)
        .with_context(|| format!("the certificates in {} cannot be read", path.display()))
}
