//! From a host to the addresses that may be dialled (S2): resolved once for each connection, and
//! one forbidden address in the answer refuses them all, so that there is nothing to rebind.

use super::config::{EgressConfig, NameServers};
use angarium_core::address::{AddressPolicy, LOOPBACK, is_localhost};
use angarium_core::destination::Host;
use angarium_core::outcome::{Outcome, Phase};
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{Resolver, TokioResolver};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Longest time that an address is taken from the cache, whatever its record says.
const LONGEST_TTL: Duration = Duration::from_secs(60);

pub(super) struct Addresses {
    resolver: TokioResolver,
    limit: Duration,
}

impl Addresses {
    pub(super) fn new(config: &EgressConfig) -> Result<Self, NetError> {
        let mut builder = match &config.name_servers {
            NameServers::System => Resolver::builder_tokio()?,
            NameServers::At(servers) => {
                let servers = servers.iter().map(name_server).collect();
                let config = ResolverConfig::from_parts(None, Vec::new(), servers);
                Resolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        options.timeout = config.limits.resolve;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.positive_max_ttl = Some(LONGEST_TTL);
        options.negative_max_ttl = Some(LONGEST_TTL);
        options.use_hosts_file = match config.name_servers {
            NameServers::System => ResolveHosts::Always,
            NameServers::At(_) => ResolveHosts::Never,
        };
        Ok(Self { resolver: builder.build()?, limit: config.limits.resolve })
    }

    /// The addresses of a host that was judged by what it says itself, all of them judged too;
    /// never empty.
    pub(super) async fn judged(
        &self,
        host: &Host,
        policy: &AddressPolicy,
        deadline: Instant,
    ) -> Result<Vec<IpAddr>, Outcome> {
        match host {
            Host::Name(name) if is_localhost(name) => {
                let is_open = |address: &IpAddr| policy.judge(*address).is_ok();
                Ok(LOOPBACK.into_iter().filter(is_open).collect())
            }
            Host::Address(_) | Host::Name(_) => {
                let addresses = self.of(host, deadline).await?;
                judge_all(&addresses, policy)?;
                Ok(addresses)
            }
        }
    }

    /// The addresses of a host, whatever they are: of one that the operator named.
    pub(super) async fn of(&self, host: &Host, deadline: Instant) -> Result<Vec<IpAddr>, Outcome> {
        match host {
            Host::Address(address) => Ok(vec![*address]),
            Host::Name(name) if is_localhost(name) => Ok(LOOPBACK.to_vec()),
            Host::Name(name) => self.look_up(name, deadline).await,
        }
    }

    async fn look_up(&self, name: &str, deadline: Instant) -> Result<Vec<IpAddr>, Outcome> {
        let deadline = deadline.min(Instant::now() + self.limit);
        // The final dot makes it a full name: no search domain is tried.
        let lookup = self.resolver.lookup_ip(format!("{name}."));
        match timeout_at(deadline, lookup).await {
            Err(_elapsed) => Err(Outcome::TimedOut(Phase::Resolve)),
            Ok(Ok(found)) => match found.iter().collect::<Vec<_>>() {
                addresses if addresses.is_empty() => Err(no_address("the name has no address")),
                addresses => Ok(addresses),
            },
            Ok(Err(error)) => Err(describe(&error)),
        }
    }
}

fn judge_all(addresses: &[IpAddr], policy: &AddressPolicy) -> Result<(), Outcome> {
    addresses
        .iter()
        .try_for_each(|address| policy.judge(*address))
        .map_err(|forbidden| Outcome::ForbiddenAddress(forbidden.to_string()))
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    server.connections = server.connections.into_iter().map(on_port).collect();
    server
}

fn describe(error: &NetError) -> Outcome {
    if matches!(error, NetError::Timeout) {
        return Outcome::TimedOut(Phase::Resolve);
    }
    no_address(match error {
        error if error.is_nx_domain() => "the name does not exist",
        error if error.is_no_records_found() => "the name has no address",
        _ => "the name server failed",
    })
}

fn no_address(text: &str) -> Outcome {
    Outcome::NoAddress(text.into())
}
