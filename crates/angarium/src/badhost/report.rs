//! What is printed: the list of cases, and what each caller did.

use super::case::{Case, Place, Socket, Stage};
use super::dns::ZONE;
use super::play::End;
use crate::output::{line, plain, printable};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// The form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) http: SocketAddr,
    pub(super) https: SocketAddr,
    pub(super) names: SocketAddr,
    /// Of each case, where it has a port of its own.
    pub(super) own: Vec<Option<SocketAddr>>,
}

impl Addresses {
    /// The ports that follow the first one: https, names, then each case's own. After port 0 all
    /// are the system's choice.
    pub(super) fn planned(first: SocketAddr, cases: &[Case]) -> Self {
        let mut port = first.port();
        let mut next = || {
            port = match first.port() {
                0 => 0,
                _ => port.saturating_add(1),
            };
            SocketAddr::new(first.ip(), port)
        };
        let (https, names) = (next(), next());
        let own = cases.iter().map(|case| case.has_port().then(&mut next)).collect();
        Self { http: first, https, names, own }
    }

    /// The URL of a case.
    pub(super) fn url(&self, place: usize, case: &Case) -> String {
        let own = self.own.get(place).copied().flatten().unwrap_or(self.http);
        match case.place {
            Place::Path => format!("http://{}/{}", self.http, case.name),
            Place::Statuses => format!("http://{}/status/NNN", self.http),
            Place::Port(Socket::Raw) | Place::TlsPort(_) => format!("https://{own}/{}", case.name),
            Place::Port(Socket::HttpProxy) => format!("http://{own}"),
            Place::Port(Socket::SocksProxy) => format!("socks5://{own}"),
            Place::Port(Socket::Open | Socket::Narrow | Socket::Refusing | Socket::Full) => {
                format!("http://{own}/{}", case.name)
            }
            Place::Name => format!("http://{}.{ZONE}/", case.name),
        }
    }
}

impl Case {
    /// Whether it needs a port of its own.
    pub(super) fn has_port(&self) -> bool {
        match self.place {
            Place::Port(_) | Place::TlsPort(_) => true,
            Place::Path | Place::Statuses | Place::Name => false,
        }
    }
}

/// Prints every case with its URL and with what a good sender makes of it.
pub(super) fn list(form: Form, cases: &[Case], addresses: &Addresses, authority: Option<&str>) {
    match form {
        Form::Json => line(&to_json(cases, addresses, authority).to_string()),
        Form::Text => line(&to_text(cases, addresses)),
    }
}

fn to_json(cases: &[Case], addresses: &Addresses, authority: Option<&str>) -> Value {
    let row = |(place, case): (usize, &Case)| {
        let classes = case.expected.classes.iter().map(|class| class.as_str());
        json!({
            "name": case.name,
            "stage": case.stage.as_str(),
            "url": addresses.url(place, case),
            "does": case.does,
            "good_sender": case.expected.to_string(),
            "classes": classes.collect::<Vec<_>>(),
            "limit": case.expected.patience.as_str(),
        })
    };
    json!({
        "http": format!("http://{}", addresses.http),
        "https": format!("https://{}", addresses.https),
        "name_server": addresses.names.to_string(),
        "authority": authority,
        "cases": cases.iter().enumerate().map(row).collect::<Vec<_>>(),
    })
}

fn to_text(cases: &[Case], addresses: &Addresses) -> String {
    let mut table = plain();
    table.set_header(["STAGE", "URL", "WHAT IT DOES", "A GOOD SENDER"]);
    for (place, case) in cases.iter().enumerate() {
        let good = if case.place == Place::Statuses {
            "counts 2xx as delivered and nothing else".to_owned()
        } else {
            case.expected.to_string()
        };
        let url = addresses.url(place, case);
        table.add_row([case.stage.as_str().to_owned(), url, case.does.to_string(), good]);
    }
    format!(
        "{}\n\n{} cases; those with a path are at https://{} too. Those of the proxy stage are \
         proxies to send through.\n\
         Names are known to the name server at {}, UDP and TCP.",
        table.trim_fmt(),
        cases.len(),
        addresses.https,
        addresses.names,
    )
}

/// What a caller did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Visit {
    /// The case's name; none when no request was read.
    pub(super) case: Option<Box<str>>,
    pub(super) stage: Option<Stage>,
    pub(super) peer: SocketAddr,
    /// Requests that were read.
    pub(super) requests: u64,
    /// Bytes from the sender, TLS included.
    pub(super) read: u64,
    /// Bytes to the sender, TLS included; some may never have left the systems' buffers.
    pub(super) written: u64,
    /// From the connection to its end.
    pub(super) held: Duration,
    pub(super) end: End,
}

impl Visit {
    pub(super) fn print(&self, form: Form) {
        line(&match form {
            Form::Json => self.to_json().to_string(),
            Form::Text => self.to_text(),
        });
    }

    fn to_json(&self) -> Value {
        json!({
            "case": self.case,
            "stage": self.stage.map(Stage::as_str),
            "peer": self.peer.to_string(),
            "requests": self.requests,
            "read_bytes": self.read,
            "written_bytes": self.written,
            "held_ms": u64::try_from(self.held.as_millis()).unwrap_or(u64::MAX),
            "end": self.end.as_str(),
        })
    }

    fn to_text(&self) -> String {
        format!(
            "{:28} {:>8.3} s  read {:>8}  wrote {:>10}  {}",
            printable(self.case.as_deref().unwrap_or("-")),
            self.held.as_secs_f64(),
            self.read,
            self.written,
            self.end.as_str(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_case_has_a_url_of_its_own() {
        let cases = cases::all();
        let first = "127.0.0.1:9400".parse().expect("an address");
        let addresses = Addresses::planned(first, &cases);
        let urls: BTreeSet<String> =
            cases.iter().enumerate().map(|(place, case)| addresses.url(place, case)).collect();
        assert_eq!(urls.len(), cases.len());
        assert!(urls.contains("http://127.0.0.1:9400/head-none"));
        assert!(
            urls.contains("http://127.0.0.1:9403"),
            "the first with a port of its own: {urls:?}"
        );
    }

    #[test]
    fn the_list_tells_people_and_programs_the_same() {
        let cases = cases::all();
        let first = "127.0.0.1:9400".parse().expect("an address");
        let addresses = Addresses::planned(first, &cases);
        let text = to_text(&cases, &addresses);
        let json = to_json(&cases, &addresses, None);
        let rows = json["cases"].as_array().expect("rows");
        assert_eq!(rows.len(), cases.len());
        assert!(rows.iter().all(|row| text.contains(row["url"].as_str().expect("a URL"))));
    }
}
