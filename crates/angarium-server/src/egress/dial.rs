//! Opens a connection to a judged address, itself or through a proxy, and speaks TLS on it.

use super::allowance::Allowance;
use super::config::{EgressConfig, EgressLimits};
use super::resolve::Addresses;
use super::tls::{self, Connectors, Protocol};
use super::tunnel;
use super::wire::Wire;
use super::{EgressError, Way};
use angarium_core::address::AddressPolicy;
use angarium_core::destination::{Destination, Host, Scheme};
use angarium_core::egress::{Proxy, ResolvedBy, Target};
use angarium_core::endpoint::EndpointTls;
use angarium_core::outcome::{Outcome, Phase};
use angarium_core::refusal::Refusal;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// Opens connections. Nothing else in the product does.
pub(super) struct Dialler {
    addresses: Addresses,
    tls: Connectors,
    limits: EgressLimits,
}

impl Dialler {
    pub(super) fn new(config: &EgressConfig) -> Result<Self, EgressError> {
        Ok(Self {
            addresses: Addresses::new(config)?,
            tls: Connectors::new(&config.extra_roots)?,
            limits: config.limits.clone(),
        })
    }

    /// Opens a connection to where a destination leads now.
    pub(super) async fn open(
        &self,
        destination: &Destination,
        way: &Way,
        deadline: Instant,
    ) -> Result<(Wire, Protocol), Outcome> {
        let policy = &*way.policy;
        let forbidden = |refusal: Refusal| Outcome::ForbiddenAddress(refusal.message);
        policy.judge(destination).map_err(forbidden)?;
        let stream = match &policy.proxy {
            None => self.directly(destination, &policy.addresses, deadline).await?,
            // Boxed, because few go through one, and its future is large.
            Some(proxy) => {
                Box::pin(self.through(proxy, destination, &policy.addresses, deadline)).await?
            }
        };
        match destination.scheme {
            Scheme::Http => Ok((Wire::plain(stream, self.allowance()), Protocol::Http1)),
            Scheme::Https => {
                let tls = way.tls.as_deref();
                self.shake_hands(stream, &destination.host, tls, deadline).await
            }
        }
    }

    async fn directly(
        &self,
        destination: &Destination,
        policy: &AddressPolicy,
        deadline: Instant,
    ) -> Result<TcpStream, Outcome> {
        let addresses = self.addresses.judged(&destination.host, policy, deadline).await?;
        let connect = |address: &IpAddr, _until| {
            let address = SocketAddr::new(*address, destination.port);
            async move {
                let stream = connect_to(address).await?;
                judge_peer(&stream, policy)?;
                Ok(stream)
            }
        };
        self.first_of(&addresses, deadline, connect).await
    }

    /// A tunnel through a proxy, and through nothing else: where it fails, the attempt fails. The
    /// proxy is given an address that was judged, unless it is the one that looks names up.
    async fn through(
        &self,
        proxy: &Proxy,
        destination: &Destination,
        policy: &AddressPolicy,
        deadline: Instant,
    ) -> Result<TcpStream, Outcome> {
        let hosts = match proxy.resolved_by {
            ResolvedBy::Proxy => vec![destination.host.clone()],
            ResolvedBy::Us => {
                let addresses = self.addresses.judged(&destination.host, policy, deadline).await?;
                // As it was judged: an IPv4 address in its own form, whatever the proxy makes of
                // others.
                addresses.iter().map(|address| Host::Address(address.to_canonical())).collect()
            }
        };
        let proxies = self.addresses.of(&proxy.host, deadline).await;
        let proxies = proxies.map_err(|_| Outcome::NotConnected("no proxy".into()))?;
        let connect = |address: &IpAddr, _until| connect_to(SocketAddr::new(*address, proxy.port));
        let tunnel = |host: &Host, until| {
            let target = Target { host: host.clone(), port: destination.port };
            let to_proxy = self.first_of(&proxies, until, connect);
            async move {
                let mut stream = to_proxy.await?;
                tunnel::open(&mut stream, proxy, &target).await?;
                Ok(stream)
            }
        };
        self.first_of(&hosts, deadline, tunnel).await
    }

    /// Tries the candidates in turn. All but the last get half of the time that is left, so that
    /// one that swallows packets does not hide one that answers.
    async fn first_of<T, C>(
        &self,
        candidates: &[T],
        deadline: Instant,
        connect: impl Fn(&T, Instant) -> C,
    ) -> Result<TcpStream, Outcome>
    where
        C: Future<Output = Result<TcpStream, Outcome>>,
    {
        let deadline = deadline.min(Instant::now() + self.limits.connect);
        let mut failure = Outcome::TimedOut(Phase::Connect);
        let tried = &candidates[..candidates.len().min(self.limits.addresses)];
        for (place, candidate) in tried.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let until = match place + 1 == tried.len() {
                true => deadline,
                false => Instant::now() + left / 2,
            };
            match timeout_at(until, connect(candidate, until)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(outcome)) => failure = outcome,
                Err(_elapsed) => failure = Outcome::TimedOut(Phase::Connect),
            }
        }
        Err(failure)
    }

    fn allowance(&self) -> Allowance {
        Allowance::new(self.limits.exchange_bytes)
    }

    async fn shake_hands(
        &self,
        stream: TcpStream,
        host: &Host,
        tls: Option<&EndpointTls>,
        deadline: Instant,
    ) -> Result<(Wire, Protocol), Outcome> {
        let deadline = deadline.min(Instant::now() + self.limits.tls);
        let handshake = self.tls.of(tls)?.connect(server_name(host)?, stream);
        match timeout_at(deadline, handshake).await {
            Err(_elapsed) => Err(Outcome::TimedOut(Phase::Tls)),
            Ok(Err(error)) => Err(tls::describe_handshake(&error)),
            Ok(Ok(stream)) => {
                let protocol = tls::protocol(stream.get_ref().1.alpn_protocol());
                Ok((Wire::tls(stream, self.allowance()), protocol))
            }
        }
    }
}

async fn connect_to(address: SocketAddr) -> Result<TcpStream, Outcome> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that opens outbound connections"
    )]
    let stream = TcpStream::connect(address).await.map_err(not_connected)?;
    let peer = stream.peer_addr().map_err(not_connected)?;
    if peer != address {
        let text = format!("dialled {address}, connected to {peer}");
        return Err(Outcome::ForbiddenAddress(text));
    }
    // Without it the connection works, only slower.
    stream.set_nodelay(true).ok();
    Ok(stream)
}

/// Judges the address that a socket says it is connected to, before a byte is written.
fn judge_peer(stream: &TcpStream, policy: &AddressPolicy) -> Result<(), Outcome> {
    let peer = stream.peer_addr().map_err(not_connected)?;
    policy.judge(peer.ip()).map_err(|forbidden| Outcome::ForbiddenAddress(forbidden.to_string()))
}

fn server_name(host: &Host) -> Result<ServerName<'static>, Outcome> {
    match host {
        Host::Address(address) => Ok(ServerName::from(*address)),
        Host::Name(name) => ServerName::try_from(name.to_string())
            .map_err(|_| Outcome::TlsFailed("no certificate can be made out to this name".into())),
    }
}

fn not_connected(error: io::Error) -> Outcome {
    Outcome::NotConnected(error.kind().to_string())
}
