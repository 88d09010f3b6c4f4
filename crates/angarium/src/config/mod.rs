//! Configuration: one struct is the table of every key. Its field is the key, the flag and the
//! environment variable; its comment is the reference (`angarium config --explain`).
//!
//! Precedence: flag, environment, file, default. A value is parsed by the same parser wherever it
//! comes from, and an error names the place.

mod explain;
mod file;
mod layers;
mod secrets;

pub(crate) use explain::explain;
pub(crate) use layers::Loaded;
pub(crate) use secrets::{
    MasterKey, admin_key, find_master_key, generate as generate_master_key, master_key,
    next_master_key,
};

use crate::logs::LogFormat;
use angarium_core::limits::Limits;
use angarium_core::time::parse_span;
use angarium_server::origin::Origin;
use angarium_store::seal::NotAMasterKey;
use clap::{Args, builder::BoolishValueParser};
use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Every key of the configuration.
#[derive(Debug, Clone, Args)]
pub(crate) struct Settings {
    /// Configuration file (TOML); its keys are the names of these flags without the dashes.
    #[arg(long, env = "ANGARIUM_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Directory of the embedded store and, with --dev, of the generated master key.
    #[arg(long, env = "ANGARIUM_DATA", value_name = "DIR", default_value = "./angarium-data")]
    pub(crate) data: PathBuf,

    /// Address that the API listens on; port 0 picks a free one.
    #[arg(long, env = "ANGARIUM_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// The store: `sqlite` is the embedded one in the data directory.
    #[arg(long, env = "ANGARIUM_STORE", value_name = "STORE", default_value = "sqlite")]
    #[arg(value_parser = parse_store)]
    pub(crate) store: Embedded,

    /// Directory of contracts that are added to the built-in ones or replace them by name.
    #[arg(long, env = "ANGARIUM_CONTRACTS", value_name = "DIR")]
    pub(crate) contracts: Option<PathBuf>,

    /// Development: without a master key, makes one in the data directory.
    #[arg(long, env = "ANGARIUM_DEV", value_name = "BOOL", default_value = "false")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new(), action = clap::ArgAction::Set)]
    pub(crate) dev: bool,

    /// File with the master key, 32 bytes in base64; ANGARIUM_MASTER_KEY goes before it.
    #[arg(long, env = "ANGARIUM_MASTER_KEY_FILE", value_name = "FILE")]
    pub(crate) master_key_file: Option<PathBuf>,

    /// File with the next master key, for a rotation; else the name of the master key's file with
    /// `.next` behind it. ANGARIUM_NEXT_MASTER_KEY goes before it.
    #[arg(long, env = "ANGARIUM_NEXT_MASTER_KEY_FILE", value_name = "FILE")]
    pub(crate) next_master_key_file: Option<PathBuf>,

    /// Lets deliveries go to http:// too; a contract's own rule still holds.
    #[arg(long, env = "ANGARIUM_ALLOW_HTTP", value_name = "BOOL", default_value = "false")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new(), action = clap::ArgAction::Set)]
    pub(crate) allow_http: bool,

    /// Address range that deliveries may go to although it is not public; repeatable.
    #[arg(long, env = "ANGARIUM_ALLOW_CIDR", value_name = "CIDR", value_delimiter = ',')]
    pub(crate) allow_cidr: Vec<IpNet>,

    /// File of root certificates (PEM) that are trusted beside the public ones; repeatable.
    #[arg(long, env = "ANGARIUM_TRUST_CA", value_name = "PEM", value_delimiter = ',')]
    pub(crate) trust_ca: Vec<PathBuf>,

    /// Address by which third parties and customers know the server, such as
    /// https://hooks.example.com; else that of each request.
    #[arg(long, env = "ANGARIUM_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<Origin>,

    /// Address range of proxies whose X-Forwarded-For, X-Forwarded-Host and X-Forwarded-Proto are
    /// believed; repeatable.
    #[arg(long, env = "ANGARIUM_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    pub(crate) trusted_proxy: Vec<IpNet>,

    /// How long a stop waits for what is in flight (`500ms`, `30s`, `2m`).
    #[arg(long, env = "ANGARIUM_GRACE", value_name = "SPAN", default_value = "30s")]
    #[arg(value_parser = span)]
    pub(crate) grace: Duration,

    /// What is logged: a level, or a list such as `warn,angarium_server=debug`.
    #[arg(long, env = "ANGARIUM_LOG", value_name = "FILTER", default_value = "info")]
    pub(crate) log: String,

    /// Form of the log.
    #[arg(long, env = "ANGARIUM_LOG_FORMAT", value_name = "FORM", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// Sets a limit, as `body_bytes=1048576`; in the file, a key below `[limits]`; repeatable.
    #[arg(long, env = "ANGARIUM_LIMIT", value_name = "NAME=NUMBER", value_delimiter = ',')]
    #[arg(value_parser = parse_limit)]
    pub(crate) limit: Vec<LimitSetting>,
}

impl Settings {
    /// The limits in force. The node's window follows the descriptors and a tenant's rate beside
    /// others the cores, unless they were set.
    pub(crate) fn limits(&self, descriptors: usize) -> Limits {
        let mut limits = Limits::default();
        limits.node_window = crate::machine::node_window(descriptors, limits.node_window);
        limits.tenant_commit_rate *= crate::machine::cores();
        for setting in &self.limit {
            limits
                .set(&setting.name, setting.value)
                .expect("the parser of limits accepts known names only");
        }
        limits
    }
}

/// The embedded store, the only one there is today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Embedded;

/// A limit that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LimitSetting {
    name: String,
    value: usize,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {path} cannot be read")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path} is not TOML: {reason}")]
    NotToml {
        /// Which file.
        path: String,
        /// The parser's words, with line and column.
        reason: String,
    },
    /// A key or value of the file is not allowed.
    #[error("{path}, line {line}: {key}: {reason}")]
    Key {
        /// Which file.
        path: String,
        /// Where in it, from 1.
        line: usize,
        /// Which key.
        key: String,
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// There is no master key.
    #[error("{}", secrets::NO_MASTER_KEY)]
    NoMasterKey,
    /// The master key is not 32 bytes in base64.
    #[error("{origin} is not a master key: {reason}")]
    BadMasterKey {
        /// Where it came from.
        origin: String,
        /// What is wrong with it.
        reason: NotAMasterKey,
    },
    /// The admin key can be guessed.
    #[error(
        "ANGARIUM_ADMIN_KEY has {length} characters; whoever guesses it may do everything, so it \
         has at least {}.\n  Make one:  openssl rand -hex 24",
        secrets::ADMIN_KEY_CHARS
    )]
    WeakAdminKey {
        /// How many it has.
        length: usize,
    },
    /// The admin key cannot be sent.
    #[error(
        "ANGARIUM_ADMIN_KEY is sent in a header, so it is visible ASCII without spaces.\n  \
         Make one:  openssl rand -hex 24"
    )]
    UnfitAdminKey,
    /// A file of the configuration cannot be read or written.
    #[error("{path} cannot be {verb}")]
    File {
        /// Which file.
        path: PathBuf,
        /// `read` or `written`.
        verb: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

fn parse_store(text: &str) -> Result<Embedded, String> {
    match text {
        "sqlite" => Ok(Embedded),
        server if server.starts_with("postgres:") || server.starts_with("postgresql:") => {
            Err("this version has the embedded store only; PostgreSQL is not built in".to_owned())
        }
        other => Err(format!("there is no store `{other}`; the embedded one is `sqlite`")),
    }
}

/// A span such as `30s`, for clap.
///
/// # Errors
/// What a span looks like.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    parse_span(text).ok_or_else(|| "a span is a number and one of ms, s, m, h, d".to_owned())
}

fn parse_limit(text: &str) -> Result<LimitSetting, String> {
    let (name, value) = text.split_once('=').ok_or("a limit is set as NAME=NUMBER")?;
    let value = value.parse().map_err(|_| format!("{name} takes a whole number, not `{value}`"))?;
    match Limits::default().set(name, value) {
        Ok(()) => Ok(LimitSetting { name: name.to_owned(), value }),
        Err(known) => {
            Err(format!("there is no limit `{name}`; the limits are {}", known.join(", ")))
        }
    }
}
