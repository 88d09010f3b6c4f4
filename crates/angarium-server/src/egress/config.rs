//! What the egress is made with.

use angarium_core::limits::Limits;
use std::net::SocketAddr;
use std::time::Duration;

/// What the egress is made with.
#[derive(Debug, Clone, Default)]
pub struct EgressConfig {
    /// Root certificates beside the public ones, as PEM; a text may hold several.
    pub extra_roots: Vec<String>,
    /// Who is asked for the addresses of a name.
    pub name_servers: NameServers,
    /// The limits of an attempt and of the pool.
    pub limits: EgressLimits,
}

/// Who is asked for the addresses of a name.
#[derive(Debug, Clone, Default)]
pub enum NameServers {
    /// Those of the system's configuration, after its hosts file. Search domains are not applied:
    /// a URL's host is a full name.
    #[default]
    System,
    /// These and nothing else, without the hosts file.
    At(Vec<SocketAddr>),
}

/// The limits of an attempt and of the pool (reliability-security.md, S3, S8 and S9). Every time
/// lies within the attempt's own timeout, which alone bounds writing and waiting for the head.
#[derive(Debug, Clone)]
pub struct EgressLimits {
    /// Longest wait for the name servers.
    pub resolve: Duration,
    /// Longest wait for a connection, over all addresses of a name.
    pub connect: Duration,
    /// Longest TLS handshake.
    pub tls: Duration,
    /// Longest wait for the rest of an answer whose head has come.
    pub body: Duration,
    /// How long a connection is kept without use.
    pub idle: Duration,
    /// How long a connection is used for new attempts.
    pub age: Duration,
    /// Most idle connections of one endpoint.
    pub idle_per_endpoint: usize,
    /// Most idle connections in all: each costs a descriptor and some 20 KiB.
    pub idle_in_all: usize,
    /// Most addresses of one name that are tried.
    pub addresses: usize,
    /// Longest head of an answer, in bytes.
    pub head_bytes: usize,
    /// Most header fields of an answer.
    pub head_fields: usize,
    /// Most informational answers (1xx) before the real one.
    pub informational: usize,
    /// Most bytes of an answer's body that are read before the connection is dropped.
    pub body_read_bytes: usize,
    /// Most bytes of an answer's body that are kept.
    pub body_kept_bytes: usize,
    /// Most bytes that are read from a connection for one exchange, whatever they are: what no
    /// other limit counts (frames that say nothing, sizes of chunks, answers before the answer)
    /// must not keep a processor busy until the time is up.
    pub exchange_bytes: usize,
}

impl EgressLimits {
    /// The limits that follow the product's table; the others keep their defaults.
    pub fn new(limits: &Limits) -> Self {
        Self {
            resolve: Duration::from_secs(3),
            connect: Duration::from_secs(5),
            tls: Duration::from_secs(5),
            body: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            age: Duration::from_secs(600),
            idle_per_endpoint: limits.endpoint_window,
            idle_in_all: 2_048,
            addresses: 6,
            head_bytes: 32 * 1024,
            head_fields: 100,
            informational: 8,
            body_read_bytes: limits.answer_read_bytes,
            body_kept_bytes: limits.answer_kept_bytes,
            exchange_bytes: limits.answer_read_bytes + 512 * 1024,
        }
    }
}

impl Default for EgressLimits {
    fn default() -> Self {
        Self::new(&Limits::default())
    }
}
