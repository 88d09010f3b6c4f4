//! Where requests may go on behalf of an environment, and by which way.
//!
//! The server's own rule is the operator's word at its start (`--allow-cidr`). An environment's
//! settings narrow it: they take ports and addresses away, never add any. What is left is the
//! [`EgressPolicy`], by which an endpoint's URL is judged when it is made and every connection when
//! it is opened.

use crate::address::AddressPolicy;
use crate::destination::Destination;
use crate::refusal::{Code, Refusal};
use ipnet::IpNet;
use std::str::FromStr;

pub mod connect;
mod port_range;
mod proxy;
mod sealed_form;
pub mod socks5;

pub use port_range::PortRange;
pub use proxy::{Credentials, Proxy, ProxyFault, ProxyKind, ResolvedBy, Target, WrittenProxy};

/// Most ports and ranges of ports that an environment names.
pub const MOST_PORTS: usize = 64;
/// Most ranges of addresses that an environment allows, and as many that it denies.
pub const MOST_CIDRS: usize = 256;

/// What an environment sets, checked; the default sets nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EgressSettings {
    /// The only ports; any that a URL may name if none.
    pub ports: Option<Vec<PortRange>>,
    /// The only ranges that stay open of those that the operator allows; all of them if none.
    pub allow_cidrs: Option<Vec<IpNet>>,
    /// Ranges that are closed, whatever else is said.
    pub deny_cidrs: Vec<IpNet>,
    /// What connections go through.
    pub proxy: Option<Proxy>,
}

/// Settings as somebody wrote them down.
#[derive(Debug, Clone, Default)]
pub struct WrittenSettings {
    /// Ports (`443`) and ranges of them (`1024-65535`).
    pub ports: Option<Vec<String>>,
    /// Ranges of addresses in CIDR notation.
    pub allow_cidrs: Option<Vec<String>>,
    /// Ranges of addresses in CIDR notation.
    pub deny_cidrs: Vec<String>,
    /// The proxy.
    pub proxy: Option<WrittenProxy>,
}

/// Where requests may go, and by which way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EgressPolicy {
    /// Which addresses may be dialled.
    pub addresses: AddressPolicy,
    /// The only ports; any that a URL may name if none.
    pub ports: Option<Vec<PortRange>>,
    /// What connections go through.
    pub proxy: Option<Proxy>,
}

impl EgressSettings {
    /// Reads what somebody wrote down.
    ///
    /// # Errors
    /// `invalid_field`, `missing_field` or `invalid_url` at the member at fault.
    pub fn try_new(written: WrittenSettings) -> Result<Self, Refusal> {
        let ports = |ports: Vec<String>| {
            check_count("ports", 1..=MOST_PORTS, ports.len())?;
            let parse = |(place, text): (usize, &String)| {
                text.parse().map_err(|error| refuse(format!("ports[{place}]"), error))
            };
            ports.iter().enumerate().map(parse).collect()
        };
        Ok(Self {
            ports: written.ports.map(ports).transpose()?,
            allow_cidrs: written.allow_cidrs.map(|all| cidrs("allow_cidrs", &all)).transpose()?,
            deny_cidrs: cidrs("deny_cidrs", &written.deny_cidrs)?,
            proxy: written
                .proxy
                .map(Proxy::try_new)
                .transpose()
                .map_err(|refusal| refusal.below("proxy"))?,
        })
    }

    /// Refuses an allowed range that the operator did not allow: settings only narrow.
    ///
    /// # Errors
    /// `invalid_field` at the range, which must lie within one of the operator's.
    pub fn check_within(&self, operator: &AddressPolicy) -> Result<(), Refusal> {
        for (place, range) in self.allow_cidrs.iter().flatten().enumerate() {
            if !is_within(range, operator) {
                let message = format!(
                    "{range} lies in no range that the server was started with (--allow-cidr)"
                );
                return Err(refuse(format!("allow_cidrs[{place}]"), message));
            }
        }
        Ok(())
    }
}

impl EgressPolicy {
    /// The server's own rule: what the operator allows, on every port, without a proxy.
    pub fn of_server(addresses: AddressPolicy) -> Self {
        Self { addresses, ports: None, proxy: None }
    }

    /// What is left of this rule in an environment. A range that the operator does not allow (any
    /// more) stays closed.
    #[must_use]
    pub fn narrowed(&self, settings: &EgressSettings) -> Self {
        let allowed = match &settings.allow_cidrs {
            None => self.addresses.allowed.clone(),
            Some(wanted) => {
                let is_allowed = |range: &&IpNet| is_within(range, &self.addresses);
                wanted.iter().filter(is_allowed).copied().collect()
            }
        };
        let denied = settings.deny_cidrs.clone();
        Self {
            addresses: AddressPolicy { allowed, denied },
            ports: settings.ports.clone(),
            proxy: settings.proxy.clone(),
        }
    }

    /// Judges what a URL says by itself: its port, and its host where that is an address or a
    /// special name. Other names are judged by their addresses when connecting.
    ///
    /// # Errors
    /// `forbidden_address` at `url`, saying what is allowed.
    pub fn judge(&self, destination: &Destination) -> Result<(), Refusal> {
        self.judge_port(destination.port)?;
        self.addresses.judge_host(&destination.host)
    }

    fn judge_port(&self, port: u16) -> Result<(), Refusal> {
        let Some(open) = &self.ports else { return Ok(()) };
        if open.iter().any(|range| range.contains(port)) {
            return Ok(());
        }
        let open: Vec<_> = open.iter().map(ToString::to_string).collect();
        let message = format!("port {port} is closed here; open are {}", open.join(", "));
        Err(Refusal::field(Code::ForbiddenAddress, "url", message))
    }
}

fn is_within(range: &IpNet, operator: &AddressPolicy) -> bool {
    operator.allowed.iter().any(|allowed| allowed.contains(range))
}

fn cidrs(member: &str, written: &[String]) -> Result<Vec<IpNet>, Refusal> {
    check_count(member, 0..=MOST_CIDRS, written.len())?;
    let parse = |(place, text): (usize, &String)| {
        let refuse = |message: String| refuse(format!("{member}[{place}]"), message);
        let range = IpNet::from_str(text)
            .map_err(|_| refuse(format!("{text:?} is no range such as 10.0.0.0/8")))?;
        if let IpNet::V6(mapped) = range
            && mapped.prefix_len() >= 96
            && mapped.network().to_ipv4_mapped().is_some()
        {
            return Err(refuse(format!("{text} stands for IPv4 addresses: write it as theirs")));
        }
        match range.trunc() == range {
            true => Ok(range),
            false => Err(refuse(format!("a range begins at its first address: {}", range.trunc()))),
        }
    };
    written.iter().enumerate().map(parse).collect()
}

fn check_count(
    member: &str,
    allowed: std::ops::RangeInclusive<usize>,
    count: usize,
) -> Result<(), Refusal> {
    if allowed.contains(&count) {
        return Ok(());
    }
    let message = format!("a list of {} to {}", allowed.start(), allowed.end());
    Err(refuse(member.to_owned(), message))
}

fn refuse(field: String, message: impl Into<String>) -> Refusal {
    Refusal::field(Code::InvalidField, field, message)
}

#[cfg(test)]
mod tests;
