//! The place an endpoint's URL names, parsed once (reliability-security.md, S5 and S6).

use http::HeaderValue;
use http::uri::PathAndQuery;
use std::net::IpAddr;

/// The scheme of an endpoint's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP, only where the server and the contract allow it.
    Http,
    /// HTTP over TLS.
    Https,
}

/// The host of an endpoint's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name, in lower case, IDN as A-labels.
    Name(Box<str>),
    /// A literal address.
    Address(IpAddr),
}

/// An endpoint's URL in its parts; the request is built from these and nothing parses the text
/// again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The canonical text, without credentials or fragment.
    pub text: Box<str>,
    /// The scheme.
    pub scheme: Scheme,
    /// The host.
    pub host: Host,
    /// The port, the scheme's default filled in.
    pub port: u16,
    /// The value of the `Host` header: the port only where it is not the scheme's default.
    pub authority: HeaderValue,
    /// Path and query as they are sent.
    pub path_and_query: PathAndQuery,
}
