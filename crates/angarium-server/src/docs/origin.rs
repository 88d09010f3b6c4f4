//! Under which address a page was asked for, and so which address its commands name.

use angarium_core::account::Environment;
use angarium_core::refusal::{Code, Refusal};
use http::header;
use http::request::Parts;

/// The scheme and host of a request, safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: &'static str,
    authority: String,
}

impl Origin {
    /// What a request names. The listener speaks plain HTTP; a name that is the environment's own,
    /// without a port, is a public one, in front of which something speaks TLS.
    ///
    /// # Errors
    /// `bad_request` where there is no host, or one with characters that no host has.
    pub fn of(environment: &Environment, head: &Parts) -> Result<Self, Refusal> {
        let named = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let named = head.uri.authority().map(http::uri::Authority::as_str).or(named);
        let authority = named.unwrap_or_default().to_ascii_lowercase();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]_".contains(&byte);
        if authority.is_empty() || !authority.bytes().all(allowed) {
            return Err(Refusal::field(Code::BadRequest, "host", "a name or an address"));
        }
        let is_public = environment.hosts.contains(&authority);
        Ok(Self { scheme: if is_public { "https" } else { "http" }, authority })
    }

    /// The address below which the environment's calls are.
    pub fn base_url(&self, environment: &Environment) -> String {
        let (scheme, authority) = (self.scheme, &self.authority);
        match environment.hosts.iter().any(|host| host == self.host()) {
            true => format!("{scheme}://{authority}"),
            false => format!("{scheme}://{authority}/e/{}", environment.slug),
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

#[cfg(test)]
mod tests {
    use super::*;
    use angarium_core::id::EnvironmentNo;
    use angarium_core::time::Timestamp;

    fn base_url(host: &str) -> Result<String, Code> {
        let environment = Environment {
            no: EnvironmentNo::new(1),
            slug: "aioka".into(),
            title: "AIOKA".into(),
            contracts: vec!["aioka".into()],
            hosts: vec!["api.aioka.io".into()],
            created_at: Timestamp::default(),
        };
        let request = http::Request::get("/docs/aioka").header("host", host).body(());
        let (head, ()) = request.expect("a request").into_parts();
        let origin = Origin::of(&environment, &head).map_err(|refusal| refusal.code)?;
        Ok(origin.base_url(&environment))
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
    fn a_host_that_could_change_a_command_or_the_page_is_refused() {
        for host in ["", "a b", "a;rm", "a'b", "a\"b", "<b>", "$(x)", "a/b", "u@h", "a`b"] {
            assert_eq!(base_url(host), Err(Code::BadRequest), "{host}");
        }
    }
}
