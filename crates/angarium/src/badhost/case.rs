//! What a case is: where it is met, what it does, and what a good sender makes of it.

use super::script::Step;
use angarium_core::outcome::Class;
use std::fmt;

/// One way to be a bad receiver.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// Unique; also its path.
    pub(super) name: Box<str>,
    pub(super) stage: Stage,
    pub(super) place: Place,
    /// What it does, for the list.
    pub(super) does: Box<str>,
    pub(super) expected: Expected,
    pub(super) script: Vec<Step>,
}

/// How far an attempt comes before it meets the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Resolving the name.
    Dns,
    /// What stands between sender and receiver.
    Proxy,
    /// Opening the connection and writing the request.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The head of the answer.
    Head,
    /// Informational answers before it.
    Informational,
    /// Its status.
    Status,
    /// Its body.
    Body,
    /// Frames of HTTP/2.
    Http2,
}

impl Stage {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Stage::Dns => "dns",
            Stage::Proxy => "proxy",
            Stage::Connect => "connect",
            Stage::Tls => "tls",
            Stage::Head => "head",
            Stage::Informational => "1xx",
            Stage::Status => "status",
            Stage::Body => "body",
            Stage::Http2 => "h2",
        }
    }
}

/// Where a case is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Below its name on both shared ports, http and https; the request is read first.
    Path,
    /// Below `/status/` and the status that is wanted, on both shared ports.
    Statuses,
    /// On a TCP port of its own.
    Port(Socket),
    /// On a TLS port of its own.
    TlsPort(Identity),
    /// Under a name that only the name server of this program knows.
    Name,
}

/// How a port of its own treats connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Socket {
    /// Takes them.
    Open,
    /// Takes them, and its URL says https: the script speaks in place of TLS.
    Raw,
    /// Takes them, and its URL is that of an HTTP proxy.
    HttpProxy,
    /// Takes them, and its URL is that of a SOCKS proxy.
    SocksProxy,
    /// Takes them with the smallest receive buffer that the system grants.
    Narrow,
    /// Is bound and refuses them.
    Refusing,
    /// Listens with a full queue: further handshakes are dropped.
    Full,
}

/// What a TLS port shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// A sound certificate, HTTP/1.1.
    Sound,
    /// A sound certificate, HTTP/2 only.
    SoundHttp2,
    /// A sound certificate, and the wish for one of the sender's.
    AsksBack,
    /// Ended in 2020.
    Expired,
    /// Begins in 2099.
    NotYetValid,
    /// Made out to another name.
    OtherName,
    /// Signed by itself.
    SelfSigned,
    /// Signed by an authority that nobody knows.
    UnknownAuthority,
    /// Signed by an intermediate authority that is not shown.
    MissingLink,
    /// Made for clients only.
    ForClients,
    /// Sound, with ten megabytes behind it.
    LongChain,
}

/// What a good sender records, and how long it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected {
    /// Any of these is right.
    pub(super) classes: &'static [Class],
    pub(super) patience: Patience,
}

/// Which of a sender's limits ends the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// None: it is decided as soon as the bytes are there.
    None,
    /// Its limit for names.
    Resolve,
    /// Its limit for connecting.
    Connect,
    /// Its limit for the handshake.
    Tls,
    /// Its limit for an answer's head.
    Head,
    /// Its limit for an answer's body.
    Body,
}

impl Patience {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Patience::None => "none",
            Patience::Resolve => "resolve",
            Patience::Connect => "connect",
            Patience::Tls => "tls",
            Patience::Head => "head",
            Patience::Body => "body",
        }
    }
}

impl Expected {
    pub(super) const fn of(classes: &'static [Class]) -> Self {
        Self { classes, patience: Patience::None }
    }

    pub(super) const fn within(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }
}

/// It counts as delivered.
pub(super) const DELIVERED: Expected = Expected::of(&[Class::Success]);
/// It counts as delivered; the body's end is not waited for beyond its limit.
pub(super) const DELIVERED_CUT: Expected = DELIVERED.within(Patience::Body);
/// Not HTTP, or broken: failed at once.
pub(super) const BROKEN: Expected = Expected::of(&[Class::Protocol]);
/// Nothing to be decided until the time is up.
pub(super) const LATE: Expected = Expected::of(&[Class::Timeout]).within(Patience::Head);
/// Read generously or refused: both are right.
pub(super) const DELIVERED_OR_BROKEN: Expected = Expected::of(&[Class::Success, Class::Protocol]);
/// Either broken, or too late.
pub(super) const BROKEN_OR_LATE: Expected =
    Expected::of(&[Class::Protocol, Class::Timeout]).within(Patience::Head);

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, class) in self.classes.iter().enumerate() {
            let or = if place > 0 { " or " } else { "" };
            write!(f, "{or}{}", advice(*class))?;
        }
        f.write_str(match self.patience {
            Patience::None => "",
            Patience::Resolve => ", at its limit for names",
            Patience::Connect => ", at its limit for connecting",
            Patience::Tls => ", at its limit for the handshake",
            Patience::Head => ", at its limit for an answer",
            Patience::Body => ", and leaves the body at its limit",
        })
    }
}

fn advice(class: Class) -> &'static str {
    match class {
        Class::Success => "counts it as delivered",
        Class::Redirect => "fails it and follows nothing",
        Class::ClientError | Class::ServerError => "fails it",
        Class::Gone => "fails it and may stop sending",
        Class::Throttled => "fails it and waits within its own bounds",
        Class::Timeout => "gives up",
        Class::Dns => "fails it for want of an address",
        Class::Unreachable => "fails it without a connection",
        Class::Tls => "fails it before a byte of the request",
        Class::TlsUnsupported => "fails it and names the versions it needs",
        Class::Protocol => "fails it as broken",
        Class::Unsendable => "cannot send it",
        Class::Token => "has no token to send it with",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_reads_as_a_sentence() {
        let rows = [
            (DELIVERED, "counts it as delivered"),
            (DELIVERED_CUT, "counts it as delivered, and leaves the body at its limit"),
            (BROKEN_OR_LATE, "fails it as broken or gives up, at its limit for an answer"),
        ];
        for (expected, text) in rows {
            assert_eq!(expected.to_string(), text);
        }
    }
}
