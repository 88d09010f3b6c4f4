//! Whose call a request is: the server's own API, or the contracts of an environment.
//!
//! At a host of an environment only its contracts' routes and its own page answer; nothing native
//! is there, not even publishing. A host grants no rights: who may do what says the key alone.

use crate::directory::Directory;
use angarium_core::account::Environment;
use angarium_core::refusal::{Code, Refusal};
use http::uri::Authority;
use http::{Request, header};
use std::sync::Arc;

/// What stands before an environment's slug in the path.
const PREFIX: &str = "/e/";
/// Where third parties send to sources, at every host.
const SOURCES: &str = "/in/";
/// Where the page for an environment's customers stands.
const DOCS: &str = "/docs/";

/// Whose call a request is.
#[derive(Debug)]
pub(super) enum Address {
    /// The server's own API.
    Native,
    /// The contracts of an environment.
    Contracts(Path),
}

/// A path among the routes of an environment's contracts.
#[derive(Debug)]
pub(super) struct Path {
    /// Whose contracts.
    pub(super) environment: Arc<Environment>,
    /// As a contract writes it: what follows `/e/{environment}`, or the whole path at a host.
    pub(super) rest: String,
}

impl Path {
    /// The whole path, the same however the environment was named.
    pub(super) fn whole(&self) -> String {
        format!("{PREFIX}{}{}", self.environment.slug, self.rest)
    }
}

/// Whose call a request is.
///
/// # Errors
/// `bad_request` for a request that names two hosts.
pub(super) fn of<B>(directory: &Directory, request: &Request<B>) -> Result<Address, Refusal> {
    let path = request.uri().path();
    if let Some(environment) = environment_at_host(directory, request)? {
        if path.starts_with(SOURCES) || is_docs(path, &environment.slug) {
            return Ok(Address::Native);
        }
        return Ok(Address::Contracts(Path { environment, rest: path.to_owned() }));
    }
    let Some(below) = path.strip_prefix(PREFIX) else {
        return Ok(Address::Native);
    };
    let cut = below.find('/').unwrap_or(below.len());
    let (slug, rest) = below.split_at(cut);
    Ok(match directory.environment_by_slug(slug) {
        Some(environment) => Address::Contracts(Path { environment, rest: rest.to_owned() }),
        None => Address::Native,
    })
}

/// Whether a request is for no environment's host, and says so without contradiction.
pub(crate) fn is_of_server<B>(directory: &Directory, request: &Request<B>) -> bool {
    matches!(environment_at_host(directory, request), Ok(None))
}

/// The environment at whose host a request arrived. Where no environment has a host, the host is
/// not even read.
fn environment_at_host<B>(
    directory: &Directory,
    request: &Request<B>,
) -> Result<Option<Arc<Environment>>, Refusal> {
    let authority = request.uri().authority();
    if authority.is_none() && !directory.has_hosts() {
        return Ok(None);
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next();
    let differs = |authority: &Authority| {
        host.is_some_and(|host| {
            !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
        })
    };
    if hosts.next().is_some() || authority.is_some_and(differs) {
        return Err(Refusal::field(Code::BadRequest, "host", "a request names one host"));
    }
    let named = host.and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let Some(named) = authority.cloned().or(named).filter(|_| directory.has_hosts()) else {
        return Ok(None);
    };
    // A name may end with the dot of the root; it is the same name.
    let name = named.host().trim_end_matches('.').to_ascii_lowercase();
    Ok(directory.environment_by_host(&name))
}

fn is_docs(path: &str, slug: &str) -> bool {
    let below = path.strip_prefix(DOCS).and_then(|rest| rest.strip_prefix(slug));
    below.is_some_and(|rest| matches!(rest, "" | ".md") || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use angarium_core::egress::EgressSettings;
    use angarium_core::id::EnvironmentNo;
    use angarium_core::time::Timestamp;
    use angarium_store::{AccountChange, AccountChanged};

    fn directory(hosts: &[&str]) -> Directory {
        let directory = Directory::default();
        let environment = Environment {
            no: EnvironmentNo::new(1),
            slug: "aioka".into(),
            title: "AIOKA".into(),
            contracts: vec!["aioka".into()],
            hosts: hosts.iter().map(ToString::to_string).collect(),
            egress: EgressSettings::default(),
            retention: Default::default(),
            created_at: Timestamp::from_millis(0),
        };
        let made = AccountChange::CreateEnvironment(environment);
        directory.apply(made, AccountChanged::Created(1));
        directory
    }

    /// `native`, the path below the environment, or the refused field.
    fn told(directory: &Directory, uri: &str, hosts: &[&str]) -> String {
        let mut request = Request::get(uri);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        match of(directory, &request.body(()).expect("a request")) {
            Ok(Address::Native) => "native".to_owned(),
            Ok(Address::Contracts(path)) => path.rest,
            Err(refusal) => format!("{} {:?}", refusal.code.as_str(), refusal.field),
        }
    }

    #[test]
    fn an_environment_is_named_by_the_path_or_by_its_host() {
        let directory = directory(&["api.aioka.io"]);
        let rows = [
            ("/v1/webhooks", "localhost:8080", "native"),
            ("/e/aioka/v1/webhooks", "localhost:8080", "/v1/webhooks"),
            ("/e/aioka", "localhost:8080", ""),
            ("/e/aioka/", "localhost:8080", "/"),
            ("/e/nowhere/v1/webhooks", "localhost:8080", "native"),
            ("/v1/webhooks", "api.aioka.io", "/v1/webhooks"),
            ("/v1/webhooks", "API.Aioka.IO:8443", "/v1/webhooks"),
            ("/v1/webhooks", "api.aioka.io.", "/v1/webhooks"),
            ("/e/aioka/v1/webhooks", "api.aioka.io", "/e/aioka/v1/webhooks"),
            ("/v1/events", "api.aioka.io", "/v1/events"),
            ("/in/src_1", "api.aioka.io", "native"),
            ("/docs/aioka", "api.aioka.io", "native"),
            ("/docs/aioka.md", "api.aioka.io", "native"),
            ("/docs/aioka/openapi.json", "api.aioka.io", "native"),
            ("/docs/aioka2", "api.aioka.io", "/docs/aioka2"),
            ("/docs/api", "api.aioka.io", "/docs/api"),
        ];
        for (path, host, expected) in rows {
            assert_eq!(told(&directory, path, &[host]), expected, "{host} {path}");
        }
    }

    #[test]
    fn a_request_that_names_two_hosts_is_refused() {
        let (known, none) = (directory(&["api.aioka.io"]), directory(&[]));
        let refused = "bad_request Some(\"host\")";
        for directory in [&known, &none] {
            let whole = "http://api.aioka.io/v1/webhooks";
            assert_eq!(told(directory, whole, &["localhost:8080"]), refused);
        }
        assert_eq!(told(&known, "/v1/webhooks", &["localhost", "api.aioka.io"]), refused);
        let same = told(&known, "http://api.aioka.io/v1/webhooks", &["API.aioka.io"]);
        assert_eq!(same, "/v1/webhooks");
        assert_eq!(told(&known, "http://api.aioka.io/v1/webhooks", &[]), "/v1/webhooks");
        assert_eq!(told(&known, "/v1/webhooks", &[]), "native");
    }
}
