//! The place an endpoint's URL names, parsed once (reliability-security.md, S5 and S6).
//!
//! A URL is accepted only in its canonical form, so that no two parsers can read it differently:
//! `http://0x7f.1/` and `http://[::ffff:7f00:1]@host/` are refused here, not understood. What may
//! be dialled is decided elsewhere (`address`), on addresses.

use crate::limits::Limits;
use crate::refusal::{Code, Refusal};
use http::HeaderValue;
use http::uri::PathAndQuery;
use std::fmt;
use std::net::IpAddr;
use url::Url;

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

/// Longest name and longest label in DNS (RFC 1035, 2.3.4).
const NAME_CHARS: usize = 253;
const LABEL_CHARS: usize = 63;

/// Ports from 1024 up that the Fetch standard blocks: other protocols listen there and may take a
/// request for a command.
const BAD_PORTS: &[u16] = &[
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10080,
];

impl Scheme {
    /// The scheme as it stands in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|scheme| scheme.as_str() == text)
    }
}

impl Destination {
    /// Parses an endpoint's URL. The text must be canonical but for the case of scheme and host,
    /// the `/` of an empty path, and an IDN, which is stored as A-labels.
    ///
    /// # Errors
    /// `invalid_url` at `url`, saying what is wrong and what is allowed.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, Refusal> {
        refuse_bad_text(text, limits)?;
        let url = Url::parse(text)
            .map_err(|error| refuse(format!("this is not an absolute URL: {error}")))?;
        let scheme = Scheme::parse(url.scheme())
            .ok_or_else(|| refuse("the scheme must be https, or http where that is allowed"))?;
        refuse_extra_parts(&url)?;
        let host = parse_host(&url)?;
        refuse_other_spellings(text, &url)?;
        let port = parse_port(&url, scheme)?;
        Ok(Self {
            scheme,
            host,
            port,
            authority: parse_part(&url[url::Position::BeforeHost..url::Position::AfterPort])?,
            path_and_query: parse_part(&url[url::Position::BeforePath..])?,
            text: String::from(url).into(),
        })
    }

    /// Scheme, host and port, as they stand at the beginning of the text: what connections are
    /// shared by.
    pub fn origin(&self) -> &str {
        let end = self.scheme.as_str().len() + "://".len() + self.authority.len();
        &self.text[..end]
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a URL may name this port: that of https or http, or a free one.
pub fn is_open_port(port: u16) -> bool {
    matches!(port, 443 | 80 | 1024..) && !BAD_PORTS.contains(&port)
}

fn refuse(message: impl Into<String>) -> Refusal {
    Refusal::field(Code::InvalidUrl, "url", message)
}

fn refuse_bad_text(text: &str, limits: &Limits) -> Result<(), Refusal> {
    if text.len() > limits.url_bytes {
        return Err(refuse(format!(
            "a URL has at most {} bytes, this one has {}",
            limits.url_bytes,
            text.len()
        )));
    }
    let is_unprintable = |c: char| c.is_control() || c.is_whitespace();
    if text.contains(is_unprintable) {
        return Err(refuse(
            "a URL has no space, line break or control character; write them percent-encoded",
        ));
    }
    if text.contains('\\') {
        return Err(refuse("a URL has no backslash; its parts end with /"));
    }
    Ok(())
}

fn refuse_extra_parts(url: &Url) -> Result<(), Refusal> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse(
            "a URL carries no user or password; use the endpoint's authentication instead",
        ));
    }
    if url.fragment().is_some() {
        return Err(refuse("a URL has no fragment (the part after #): it is never sent"));
    }
    Ok(())
}

fn parse_host(url: &Url) -> Result<Host, Refusal> {
    match url.host() {
        None => Err(refuse("the URL needs a host")),
        Some(url::Host::Ipv4(address)) => Ok(Host::Address(address.into())),
        Some(url::Host::Ipv6(address)) => Ok(Host::Address(address.into())),
        Some(url::Host::Domain(name)) => parse_name(name).map(Host::Name),
    }
}

fn parse_name(name: &str) -> Result<Box<str>, Refusal> {
    if name.ends_with('.') {
        return Err(refuse("the host must not end with a dot"));
    }
    if name.len() > NAME_CHARS || name.split('.').any(|label| label.len() > LABEL_CHARS) {
        return Err(refuse(format!(
            "a host name has at most {NAME_CHARS} characters, and {LABEL_CHARS} between two dots"
        )));
    }
    let is_name_char = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_name_char);
    if !name.split('.').all(is_label) {
        return Err(refuse(
            "a host name is made of letters, digits, - and _, with single dots between them",
        ));
    }
    Ok(name.into())
}

/// Refuses whatever the parser had to rewrite: numbers in other bases, percent-encoded hosts,
/// dot segments, default ports, characters that need an escape.
fn refuse_other_spellings(text: &str, url: &Url) -> Result<(), Refusal> {
    let authority_and_rest = text.split_once("://").map(|(_, rest)| rest);
    let same = authority_and_rest.is_some_and(|written| {
        let (authority, rest) = written.split_at(written.find(['/', '?']).unwrap_or(written.len()));
        let slash = if rest.starts_with('/') { "" } else { "/" };
        let canonical_rest = &url[url::Position::BeforePath..];
        canonical_rest.strip_prefix(slash) == Some(rest)
            && is_same_authority(
                authority,
                &url[url::Position::BeforeHost..url::Position::AfterPort],
            )
    });
    if same {
        return Ok(());
    }
    Err(refuse(format!(
        "the URL is not in its canonical form; if that is what you mean, write {url}"
    )))
}

/// Equal label by label but for case; a label that is not ASCII must have become an A-label, so
/// that full-width digits and letters are not taken for the plain ones.
fn is_same_authority(written: &str, canonical: &str) -> bool {
    let is_same_label = |(written, canonical): (&str, &str)| match written.is_ascii() {
        true => written.eq_ignore_ascii_case(canonical),
        false => canonical.starts_with("xn--"),
    };
    const ENDS: [char; 2] = ['.', ':'];
    written.split(ENDS).count() == canonical.split(ENDS).count()
        && written.split(ENDS).zip(canonical.split(ENDS)).all(is_same_label)
}

fn parse_port(url: &Url, scheme: Scheme) -> Result<u16, Refusal> {
    let port = url.port_or_known_default().unwrap_or_default();
    if is_open_port(port) && (port != 80 || scheme == Scheme::Http) {
        return Ok(port);
    }
    Err(refuse(format!(
        "port {port} is not allowed; allowed are 443, 80 for http, and 1024 to 65535 but those of \
         other protocols"
    )))
}

fn parse_part<T: for<'a> TryFrom<&'a str>>(part: &str) -> Result<T, Refusal> {
    T::try_from(part).map_err(|_| refuse("the URL has a character that HTTP does not carry"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Destination, Refusal> {
        Destination::parse(text, &Limits::default())
    }

    #[test]
    fn a_canonical_url_is_taken_apart() {
        let destination = parse("https://hooks.example.com:8443/in?tenant=7").expect("canonical");
        assert_eq!(destination.scheme, Scheme::Https);
        assert_eq!(destination.host, Host::Name("hooks.example.com".into()));
        assert_eq!(destination.port, 8443);
        assert_eq!(destination.authority, "hooks.example.com:8443");
        assert_eq!(destination.path_and_query, "/in?tenant=7");
        assert_eq!(destination.origin(), "https://hooks.example.com:8443");
        assert_eq!(destination.to_string(), "https://hooks.example.com:8443/in?tenant=7");
    }

    #[test]
    fn case_the_empty_path_and_idn_are_made_canonical() {
        let rows = [
            ("HTTPS://Example.COM", "https://example.com/"),
            ("https://example.com?a=1", "https://example.com/?a=1"),
            ("https://bücher.example/", "https://xn--bcher-kva.example/"),
            ("https://BÜCHER.example/", "https://xn--bcher-kva.example/"),
            ("http://example.com/", "http://example.com/"),
            ("http://93.184.215.14:1024/x", "http://93.184.215.14:1024/x"),
            ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
            ("https://a_b.example/%20?q=%27", "https://a_b.example/%20?q=%27"),
        ];
        for (written, canonical) in rows {
            let text = parse(written).map(|d| d.to_string());
            assert_eq!(text.as_deref(), Ok(canonical), "{written}");
        }
    }

    #[test]
    fn every_other_spelling_is_refused() {
        for bad in [
            "",
            "example.com",
            "//example.com/",
            "https://",
            "https:///x",
            "ftp://example.com/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https:example.com/",
            "https:/example.com/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://0/",
            "http://127.0.0.1./",
            "http://①②⑦.⓪.⓪.①/",
            "http://%31%32%37.0.0.1/",
            "http://１２７.0.0.1/",
            "http://127。0。0。1/",
            "http://127.0.0.1%2f@example.com/",
            "https://ｅxample.com/",
            "https://[fe80::1%25eth0]/",
            "https://[::1",
            "https://::1/",
            "https://[0:0:0:0:0:0:0:1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[1.2.3.4]/",
            "https://user@example.com/",
            "https://u:p@example.com/",
            "https://@example.com/",
            "https://:@example.com/",
            "https://example.com#f",
            "https://example.com/#",
            "https://exa\tmple.com/",
            "https://example.com/\r\nHost: x",
            "https://exam\nple.com/",
            " https://example.com/",
            "https://example.com/ ",
            "https://example.com/a b",
            "https://example.com\\@evil.example/",
            "https://example.com/\\x",
            "https://example.com/\u{0}",
            "https://example.com./",
            "https://.example.com/",
            "https://a..example.com/",
            "https://example.com:443/",
            "http://example.com:80/",
            "https://example.com:08443/",
            "https://example.com:/",
            "https://example.com:65536/",
            "https://example.com/a/../b",
            "https://example.com/./a",
            "https://example.com/ü",
            "https://xn--example-.org/",
            "https://example.com/?q='",
            "https://a b.example/",
            "https://exa%6dple.com/",
        ] {
            let refusal = parse(bad).expect_err(bad);
            assert_eq!(refusal.code, Code::InvalidUrl, "{bad}");
            assert_eq!(refusal.field.as_deref(), Some("url"), "{bad}");
        }
    }

    #[test]
    fn a_url_is_refused_one_byte_past_the_limits() {
        let with_path = |bytes: usize| {
            let start = "https://example.com/";
            format!("{start}{}", "a".repeat(bytes - start.len()))
        };
        assert!(parse(&with_path(2_048)).is_ok());
        assert!(parse(&with_path(2_049)).is_err());
        let with_label = |chars: usize| format!("https://{}.example/", "a".repeat(chars));
        assert!(parse(&with_label(63)).is_ok());
        assert!(parse(&with_label(64)).is_err());
        let with_name = |chars: usize| format!("https://{}aa/", "a.".repeat((chars - 2) / 2));
        assert!(parse(&with_name(252)).is_ok());
        assert!(parse(&with_name(254)).is_err());
    }

    #[test]
    fn only_ports_of_http_and_free_ports_are_allowed() {
        let rows = [
            ("https", 80, false),
            ("http", 443, true),
            ("https", 22, false),
            ("https", 25, false),
            ("https", 0, false),
            ("https", 1023, false),
            ("https", 1024, true),
            ("https", 6000, false),
            ("http", 6667, false),
            ("https", 8443, true),
            ("https", 10_080, false),
            ("http", 65_535, true),
        ];
        for (scheme, port, allowed) in rows {
            let text = format!("{scheme}://example.com:{port}/");
            assert_eq!(parse(&text).is_ok(), allowed, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_accepted_is_accepted_again_unchanged(
            text in "https?://[a-zA-Z0-9.:@%\\[\\]/?#_-]{1,40}"
        ) {
            if let Ok(destination) = parse(&text) {
                prop_assert_eq!(parse(&destination.text), Ok(destination.clone()));
                prop_assert!(destination.text.starts_with(destination.origin()));
            }
        }
    }
}
