//! Under which address a request arrived, and so which address its answer names.

use angarium_core::account::Environment;
use angarium_core::refusal::{Code, Refusal};
use http::request::Parts;
use http::{HeaderMap, Uri, header};
use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The proxy's word for the scheme that a client used.
const FORWARDED_PROTO: &str = "x-forwarded-proto";
/// The proxies' words for the addresses that a request came through.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// The proxy's word for the host that a client named.
const FORWARDED_HOST: &str = "x-forwarded-host";

/// How the server is seen from outside.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// The address by which everybody knows it; else that of each request.
    pub public_url: Option<Origin>,
    /// Proxies whose word for the address is taken (contracts.md, L3).
    pub trusted_proxies: Vec<IpNet>,
}

impl Outside {
    fn trusts(&self, address: &IpAddr) -> bool {
        self.trusted_proxies.iter().any(|range| range.contains(address))
    }
}

/// The address that a request came from: the other end of the connection, or, while that is a
/// trusted proxy, the one that it names.
pub fn client_address(outside: &Outside, head: &Parts) -> Option<IpAddr> {
    let Peer(mut address) = *head.extensions.get::<Peer>()?;
    let named = head.headers.get_all(FORWARDED_FOR).iter().filter_map(|list| list.to_str().ok());
    let named: Vec<_> = named.flat_map(|list| list.split(',')).map(str::trim).collect();
    for text in named.into_iter().rev() {
        match parsed(text) {
            Some(named) if outside.trusts(&address) => address = named.to_canonical(),
            Some(_) | None => break,
        }
    }
    Some(address)
}

/// An address, as some proxies write it with a port.
fn parsed(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    text.parse().ok().or_else(with_port)
}

/// Who sent a request: the other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The scheme and host of a request, safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: &'static str,
    authority: String,
}

impl Origin {
    /// What a request names. The listener speaks plain HTTP; a name that is an environment's own,
    /// without a port, is a public one, in front of which something speaks TLS.
    ///
    /// # Errors
    /// `bad_request` where there is no host, or one with characters that no host has.
    pub fn of(
        outside: &Outside,
        head: &Parts,
        is_public: impl Fn(&str) -> bool,
    ) -> Result<Self, Refusal> {
        if let Some(public) = &outside.public_url {
            return Ok(public.clone());
        }
        let peer = head.extensions.get::<Peer>();
        let peer = peer.filter(|Peer(address)| outside.trusts(address));
        let forwarded = |name| peer.and(last(&head.headers, name));
        let named = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let named = head.uri.authority().map(http::uri::Authority::as_str).or(named);
        let named = forwarded(FORWARDED_HOST).or(named);
        let wrong = || Refusal::field(Code::BadRequest, "host", "a name or an address");
        let authority = checked(named.unwrap_or_default()).ok_or_else(wrong)?;
        let scheme = match forwarded(FORWARDED_PROTO) {
            Some(proto) => known_scheme(proto).ok_or_else(wrong)?,
            None if is_public(&authority) => "https",
            None => "http",
        };
        Ok(Self { scheme, authority })
    }

    /// The address below which an environment's calls are.
    pub fn base_url(&self, environment: &Environment) -> String {
        match environment.hosts.iter().any(|host| host == self.host()) {
            true => self.to_string(),
            false => format!("{self}/e/{}", environment.slug),
        }
    }

    /// The host without a port.
    fn host(&self) -> &str {
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        match self.authority.rsplit_once(':') {
            Some((host, port)) if is_port(port) => host,
            Some(_) | None => &self.authority,
        }
        .trim_end_matches('.')
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

/// Reads `https://hooks.example.com`, as it stands in the configuration.
impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a scheme and a host, like https://hooks.example.com";
        let uri: Uri = text.parse().map_err(|_| FORM)?;
        let scheme = uri.scheme_str().and_then(known_scheme).ok_or(FORM)?;
        let authority = uri.authority().and_then(|authority| checked(authority.as_str()));
        match uri.path_and_query().is_none_or(|rest| rest.as_str() == "/") {
            true => Ok(Self { scheme, authority: authority.ok_or(FORM)? }),
            false => Err(FORM),
        }
    }
}

/// The last item of a header's list: the one that the nearest proxy wrote.
fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim)
}

fn known_scheme(text: &str) -> Option<&'static str> {
    ["https", "http"].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme))
}

fn checked(authority: &str) -> Option<String> {
    let authority = authority.to_ascii_lowercase();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]_".contains(&byte);
    (!authority.is_empty() && authority.bytes().all(allowed)).then_some(authority)
}

#[cfg(test)]
mod tests {
    use super::*;
    use angarium_core::egress::EgressSettings;
    use angarium_core::id::EnvironmentNo;
    use angarium_core::time::Timestamp;

    fn environment() -> Environment {
        Environment {
            no: EnvironmentNo::new(1),
            slug: "aioka".into(),
            title: "AIOKA".into(),
            contracts: vec!["aioka".into()],
            hosts: vec!["api.aioka.io".into()],
            egress: EgressSettings::default(),
            retention: Default::default(),
            created_at: Timestamp::default(),
        }
    }

    fn origin(outside: &Outside, headers: &[(&str, &str)], peer: &str) -> Result<Origin, Code> {
        let mut request = http::Request::get("/docs/aioka");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut head, ()) = request.body(()).expect("a request").into_parts();
        head.extensions.insert(Peer(peer.parse().expect("an address")));
        let environment = environment();
        let is_public = |authority: &str| environment.hosts.iter().any(|host| host == authority);
        Origin::of(outside, &head, is_public).map_err(|refusal| refusal.code)
    }

    fn base_url(host: &str) -> Result<String, Code> {
        let origin = origin(&Outside::default(), &[("host", host)], "127.0.0.1")?;
        Ok(origin.base_url(&environment()))
    }

    #[test]
    fn a_page_names_the_address_under_which_it_was_asked_for() {
        let rows = [
            ("localhost:8080", "http://localhost:8080/e/aioka"),
            ("[::1]:8080", "http://[::1]:8080/e/aioka"),
            ("api.aioka.io", "https://api.aioka.io"),
            ("API.aioka.io", "https://api.aioka.io"),
            ("api.aioka.io:8080", "http://api.aioka.io:8080"),
        ];
        for (host, expected) in rows {
            assert_eq!(base_url(host).as_deref(), Ok(expected), "{host}");
        }
    }

    #[test]
    fn a_caller_has_the_address_that_the_last_trusted_proxy_names() {
        let outside = Outside {
            public_url: None,
            trusted_proxies: vec!["10.0.0.0/8".parse().expect("a range")],
        };
        let rows = [
            ("192.0.2.1", None, "192.0.2.1"),
            ("192.0.2.1", Some("198.51.100.7"), "192.0.2.1"),
            ("10.0.0.1", None, "10.0.0.1"),
            ("10.0.0.1", Some("203.0.113.9, 198.51.100.7"), "198.51.100.7"),
            ("10.0.0.1", Some("198.51.100.7, 10.0.0.2"), "198.51.100.7"),
            ("10.0.0.1", Some("198.51.100.7, unknown"), "10.0.0.1"),
            ("10.0.0.1", Some("198.51.100.7:4711"), "198.51.100.7"),
            ("10.0.0.1", Some("[2001:db8::7]:4711"), "2001:db8::7"),
        ];
        for (peer, named, expected) in rows {
            let mut request = http::Request::get("/");
            if let Some(named) = named {
                request = request.header("x-forwarded-for", named);
            }
            let (mut head, ()) = request.body(()).expect("a request").into_parts();
            head.extensions.insert(Peer(peer.parse().expect("an address")));
            let address = client_address(&outside, &head).map(|address| address.to_string());
            assert_eq!(address.as_deref(), Some(expected), "{peer} {named:?}");
        }
    }

    #[test]
    fn a_host_that_could_change_a_command_or_the_page_is_refused() {
        for host in ["", "a b", "a;rm", "a'b", "a\"b", "<b>", "$(x)", "a/b", "u@h", "a`b"] {
            assert_eq!(base_url(host), Err(Code::BadRequest), "{host}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_says_under_which_address_a_request_came() {
        let outside = Outside {
            public_url: None,
            trusted_proxies: vec!["10.0.0.0/8".parse().expect("a range")],
        };
        let told = [
            ("host", "inside:8080"),
            ("x-forwarded-host", "evil.example, hooks.example.com"),
            ("x-forwarded-proto", "https"),
        ];
        let rows = [("10.1.2.3", "https://hooks.example.com"), ("192.0.2.1", "http://inside:8080")];
        for (peer, expected) in rows {
            let origin = origin(&outside, &told, peer).expect("an origin");
            assert_eq!(origin.to_string(), expected, "{peer}");
        }
        let odd = [("host", "inside"), ("x-forwarded-proto", "gopher")];
        assert_eq!(origin(&outside, &odd, "10.1.2.3"), Err(Code::BadRequest));
    }

    #[test]
    fn a_configured_address_goes_before_every_other() {
        let public_url = Some("https://Hooks.example.com/".parse().expect("an origin"));
        let outside = Outside { public_url, trusted_proxies: Vec::new() };
        let origin = origin(&outside, &[("host", "a")], "127.0.0.1").expect("an origin");
        assert_eq!(origin.to_string(), "https://hooks.example.com");
        for wrong in ["hooks.example.com", "ftp://a", "https://a/path", "https://", ""] {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
        }
    }
}
