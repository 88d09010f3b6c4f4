//! What the network said, and what that means.
//!
//! A receiver's failure is data, never an `Err`: the transport answers every attempt with an
//! [`Outcome`], and [`Outcome::class`] is total.

use crate::oauth2::TokenFault;
use crate::time::Timestamp;
use std::time::{Duration, SystemTime};

/// How far an attempt came before its time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Looking up the name.
    Resolve,
    /// Opening the connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Writing the request.
    Write,
    /// Waiting for the answer's head.
    Head,
}

/// When a receiver asks to be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// After a span.
    Span(Duration),
    /// At a time.
    At(Timestamp),
}

impl RetryAfter {
    /// Reads `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(seconds) = text.parse::<u32>() {
            return Some(Self::Span(Duration::from_secs(seconds.into())));
        }
        let date = httpdate::parse_http_date(text).ok()?;
        let since_epoch = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let millis = i64::try_from(since_epoch.as_millis()).ok()?;
        Some(Self::At(Timestamp::from_millis(millis)))
    }
}

/// What the network said about one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A complete answer head came in time.
    Response {
        /// Its status.
        status: u16,
        /// Its `Retry-After`, where it could be read.
        retry_after: Option<RetryAfter>,
    },
    /// The time of a phase, or of the whole attempt, was up.
    TimedOut(Phase),
    /// The name has no address, or the name server failed.
    NoAddress(String),
    /// No connection: refused, unreachable, no route.
    NotConnected(String),
    /// An address that the egress policy forbids; nothing was dialled.
    ForbiddenAddress(String),
    /// The TLS handshake failed, with the reason.
    TlsFailed(String),
    /// The receiver speaks only TLS that we do not (S12).
    TlsUnsupported(String),
    /// The connection broke after the request was begun.
    Broken(String),
    /// The answer was not HTTP, or its head was longer than the limit.
    Malformed(String),
    /// The endpoint's token endpoint gave no access token, with the reason; nothing was sent.
    NoToken(TokenFault),
    /// The request could not be built from endpoint, contract and event.
    NotBuilt(String),
}

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// What an outcome means. Stored as a number, shown as text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Class { $($(#[$doc])* $name = $number,)* }

        impl Class {
            /// All classes.
            pub const ALL: &[Class] = &[$(Class::$name,)*];

            /// The text in the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Class::$name => $text,)* }
            }

            /// The stored number.
            pub const fn number(self) -> u8 { self as u8 }

            /// From the stored number.
            pub fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Class::$name),)* _ => None }
            }

            /// From the text in the API.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Class::$name),)* _ => None }
            }
        }
    };
}

classes! {
    /// A 2xx head came in time (D4).
    Success = 1, "success";
    /// 3xx; redirects are never followed.
    Redirect = 2, "redirect";
    /// 4xx but those below.
    ClientError = 3, "client_error";
    /// 410: the receiver says that the endpoint is gone.
    Gone = 4, "gone";
    /// 429 or 503: the receiver asks for less.
    Throttled = 5, "throttled";
    /// 5xx but 503, and statuses that do not exist.
    ServerError = 6, "server_error";
    /// The time was up.
    Timeout = 7, "timeout";
    /// The name has no address.
    Dns = 8, "dns";
    /// Refused, unreachable or forbidden: one class, so that it is no oracle (S10).
    Unreachable = 9, "unreachable";
    /// The handshake or the certificate failed.
    Tls = 10, "tls";
    /// The receiver speaks only TLS that we do not.
    TlsUnsupported = 11, "tls_unsupported_by_receiver";
    /// The connection broke, or the answer was not HTTP.
    Protocol = 12, "protocol";
    /// The request could not be built.
    Unsendable = 13, "unsendable";
    /// The endpoint's token endpoint gave no access token.
    Token = 14, "token";
}

impl Outcome {
    /// What this outcome means.
    pub fn class(&self) -> Class {
        match self {
            Outcome::Response { status, .. } => Self::class_of_status(*status),
            Outcome::TimedOut(_) => Class::Timeout,
            Outcome::NoAddress(_) => Class::Dns,
            Outcome::NotConnected(_) | Outcome::ForbiddenAddress(_) => Class::Unreachable,
            Outcome::TlsFailed(_) => Class::Tls,
            Outcome::TlsUnsupported(_) => Class::TlsUnsupported,
            Outcome::Broken(_) | Outcome::Malformed(_) => Class::Protocol,
            Outcome::NotBuilt(_) => Class::Unsendable,
            Outcome::NoToken(_) => Class::Token,
        }
    }

    /// The answer's status, if there was one.
    pub fn status(&self) -> Option<u16> {
        if let Outcome::Response { status, .. } = self { Some(*status) } else { None }
    }

    /// When the receiver asks to be tried again, if it does.
    pub fn retry_after(&self) -> Option<RetryAfter> {
        if let Outcome::Response { retry_after, .. } = self { *retry_after } else { None }
    }

    /// What to tell the tenant beside the class; refused and forbidden read alike (S10).
    pub fn detail(&self) -> Option<String> {
        match self {
            Outcome::Response { .. } => None,
            Outcome::TimedOut(Phase::Resolve) => {
                Some("no answer from the name server in time".into())
            }
            Outcome::TimedOut(Phase::Connect) => Some("no connection in time".into()),
            Outcome::TimedOut(Phase::Tls) => Some("no TLS handshake in time".into()),
            Outcome::TimedOut(Phase::Write) => {
                Some("the request could not be written in time".into())
            }
            Outcome::TimedOut(Phase::Head) => Some("no answer in time".into()),
            Outcome::NotConnected(_) | Outcome::ForbiddenAddress(_) => {
                Some("the address cannot be reached".into())
            }
            Outcome::NoToken(fault) => {
                Some(format!("no access token from the token endpoint: {fault}"))
            }
            Outcome::NoAddress(text)
            | Outcome::TlsFailed(text)
            | Outcome::TlsUnsupported(text)
            | Outcome::Broken(text)
            | Outcome::Malformed(text)
            | Outcome::NotBuilt(text) => Some(text.clone()),
        }
    }

    fn class_of_status(status: u16) -> Class {
        match status {
            200..300 => Class::Success,
            300..400 => Class::Redirect,
            410 => Class::Gone,
            429 | 503 => Class::Throttled,
            400..500 => Class::ClientError,
            _ => Class::ServerError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_or_date_and_else_ignored() {
        let rows = [
            ("120", Some(RetryAfter::Span(Duration::from_secs(120)))),
            (
                "Wed, 21 Oct 2026 07:28:00 GMT",
                Some(RetryAfter::At(Timestamp::from_millis(1_792_567_680_000))),
            ),
            ("-1", None),
            ("soon", None),
            ("1.5", None),
            ("99999999999999999999", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(RetryAfter::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn only_a_2xx_is_a_success() {
        let class = |status| Outcome::Response { status, retry_after: None }.class();
        let rows = [
            (199, Class::ServerError),
            (200, Class::Success),
            (204, Class::Success),
            (299, Class::Success),
            (300, Class::Redirect),
            (308, Class::Redirect),
            (400, Class::ClientError),
            (410, Class::Gone),
            (429, Class::Throttled),
            (500, Class::ServerError),
            (503, Class::Throttled),
            (999, Class::ServerError),
        ];
        for (status, expected) in rows {
            assert_eq!(class(status), expected, "{status}");
        }
    }

    #[test]
    fn what_stood_in_the_way_is_told_in_words_but_not_which_addresses_are_forbidden() {
        let detail = |outcome: Outcome| outcome.detail();
        assert_eq!(detail(Outcome::Response { status: 500, retry_after: None }), None);
        let silent = detail(Outcome::TimedOut(Phase::Head));
        assert_eq!(silent.as_deref(), Some("no answer in time"));
        assert_eq!(detail(Outcome::NotBuilt("no key".into())).as_deref(), Some("no key"));
        let unreachable = Some("the address cannot be reached");
        assert_eq!(detail(Outcome::NotConnected("refused".into())).as_deref(), unreachable);
        assert_eq!(detail(Outcome::ForbiddenAddress("::1".into())).as_deref(), unreachable);
    }

    #[test]
    fn only_an_answer_has_a_status_and_a_wish() {
        let wish = Some(RetryAfter::Span(Duration::from_secs(120)));
        let answered = Outcome::Response { status: 503, retry_after: wish };
        assert_eq!((answered.status(), answered.retry_after()), (Some(503), wish));
        let silent = Outcome::TimedOut(Phase::Connect);
        assert_eq!((silent.status(), silent.retry_after()), (None, None));
    }

    #[test]
    fn a_class_reads_back_from_its_number_and_its_text() {
        for class in Class::ALL {
            assert_eq!(Class::from_number(class.number()), Some(*class));
            assert_eq!(Class::parse(class.as_str()), Some(*class));
        }
    }

    #[test]
    fn refused_and_forbidden_look_alike() {
        let refused = Outcome::NotConnected("connection refused".into());
        let forbidden = Outcome::ForbiddenAddress("169.254.169.254".into());
        assert_eq!((refused.class(), refused.detail()), (forbidden.class(), forbidden.detail()));
    }
}
