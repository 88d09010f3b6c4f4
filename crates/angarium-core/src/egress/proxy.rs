//! A proxy that an environment's connections go through (reliability-security.md, S7).

use crate::destination::{Destination, Host};
use crate::limits::Limits;
use crate::refusal::{Code, Refusal};
use crate::secret::SecretText;
use http::uri::PathAndQuery;
use std::fmt;

/// A proxy. Its own address is the operator's word and may be private: whoever names it holds a key
/// of the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// How it is spoken to.
    pub kind: ProxyKind,
    /// Its host.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// What it wants to know of us.
    pub credentials: Option<Credentials>,
    /// Who looks names up.
    pub resolved_by: ResolvedBy,
}

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyKind {
    /// CONNECT of HTTP/1.1 (RFC 9110, 9.3.6).
    Connect,
    /// SOCKS5 (RFC 1928).
    Socks5,
}

/// Who looks up the names of receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResolvedBy {
    /// We do, judge the addresses, and give the proxy one of them.
    #[default]
    Us,
    /// The proxy, which then guards what the names lead to.
    Proxy,
}

/// A name and a password for a proxy, each of 1 to 255 bytes (RFC 1929).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: SecretText,
}

/// A proxy as somebody wrote it down.
#[derive(Debug, Clone, Default)]
pub struct WrittenProxy {
    /// `http://HOST:PORT` or `socks5://HOST:PORT`.
    pub url: String,
    /// The name, where it wants one.
    pub username: Option<String>,
    /// The password that goes with the name.
    pub password: Option<SecretText>,
    /// `here` (the default) or `proxy`.
    pub resolve: Option<String>,
}

/// What a proxy is asked to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// An address that was judged, or a name that the proxy looks up.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// What a proxy did in place of opening a tunnel; for the operator's log, never for a tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the proxy {0}")]
pub struct ProxyFault(pub String);

/// Longest name and longest password (RFC 1929).
const CREDENTIAL_BYTES: usize = 255;

impl ProxyKind {
    const ALL: [Self; 2] = [Self::Connect, Self::Socks5];

    /// The scheme of its URL.
    pub const fn scheme(self) -> &'static str {
        match self {
            ProxyKind::Connect => "http",
            ProxyKind::Socks5 => "socks5",
        }
    }
}

impl ResolvedBy {
    const ALL: [Self; 2] = [Self::Us, Self::Proxy];

    /// The text in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            ResolvedBy::Us => "here",
            ResolvedBy::Proxy => "proxy",
        }
    }
}

impl Proxy {
    /// Reads what somebody wrote down.
    ///
    /// # Errors
    /// `invalid_url` at `url`; `missing_field` where a name stands without a password, or the other
    /// way round; `invalid_field`.
    pub fn try_new(written: WrittenProxy) -> Result<Self, Refusal> {
        let (kind, host, port) = parse_url(&written.url)?;
        let resolved_by = match written.resolve.as_deref() {
            None => ResolvedBy::default(),
            Some(text) => ResolvedBy::ALL
                .into_iter()
                .find(|by| by.as_str() == text)
                .ok_or_else(|| invalid("resolve", "\"here\" or \"proxy\""))?,
        };
        let credentials = Credentials::try_new(written.username, written.password)?;
        Ok(Self { kind, host, port, credentials, resolved_by })
    }

    /// As it is written in a URL.
    pub fn url(&self) -> String {
        format!("{}://{}", self.kind.scheme(), authority(&self.host, self.port))
    }
}

impl Credentials {
    fn try_new(
        username: Option<String>,
        password: Option<SecretText>,
    ) -> Result<Option<Self>, Refusal> {
        let missing = |field, message| Err(Refusal::field(Code::MissingField, field, message));
        let (username, password) = match (username, password) {
            (None, None) => return Ok(None),
            (Some(_), None) => {
                return missing("password", "a name needs its password, which is never shown");
            }
            (None, Some(_)) => return missing("username", "a password needs its name"),
            (Some(username), Some(password)) => (username, password),
        };
        let is_sound = |text: &str| {
            (1..=CREDENTIAL_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
        };
        // A colon ends the name in basic authentication (RFC 7617, 2).
        if !is_sound(&username) || username.contains(':') {
            return Err(invalid("username", "1 to 255 bytes without : and control characters"));
        }
        if !is_sound(password.expose()) {
            return Err(invalid("password", "1 to 255 bytes without control characters"));
        }
        Ok(Some(Self { username, password }))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&authority(&self.host, self.port))
    }
}

fn authority(host: &Host, port: u16) -> String {
    match host {
        Host::Address(std::net::IpAddr::V6(address)) => format!("[{address}]:{port}"),
        Host::Address(address) => format!("{address}:{port}"),
        Host::Name(name) => format!("{name}:{port}"),
    }
}

/// The rules of a receiver's URL hold for a proxy's too, but that it names its port and no path.
fn parse_url(text: &str) -> Result<(ProxyKind, Host, u16), Refusal> {
    let shape = || {
        let message = "a proxy's URL is http://HOST:PORT or socks5://HOST:PORT";
        Refusal::field(Code::InvalidUrl, "url", message)
    };
    let (scheme, rest) = text.split_once("://").ok_or_else(shape)?;
    let kind = ProxyKind::ALL.into_iter().find(|kind| kind.scheme() == scheme);
    let kind = kind.ok_or_else(shape)?;
    let place = Destination::parse(&format!("http://{rest}"), &Limits::default())?;
    let written = rest.strip_suffix('/').unwrap_or(rest);
    let names_port = written.ends_with(&format!(":{}", place.port));
    if place.path_and_query != PathAndQuery::from_static("/") || !names_port {
        return Err(shape());
    }
    // An IPv4 address in its own form, which reads back from how it is printed.
    let host = match place.host {
        Host::Address(address) => Host::Address(address.to_canonical()),
        Host::Name(name) => Host::Name(name),
    };
    Ok((kind, host, place.port))
}

fn invalid(field: &str, message: &str) -> Refusal {
    Refusal::field(Code::InvalidField, field, message)
}
