//! Opens a connection to a judged address and speaks TLS on it.

use super::EgressError;
use super::allowance::Allowance;
use super::config::{EgressConfig, EgressLimits};
use super::resolve::Addresses;
use super::tls::{self, Protocol};
use super::wire::Wire;
use angarium_core::destination::{Destination, Host, Scheme};
use angarium_core::outcome::{Outcome, Phase};
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

/// Opens connections. Nothing else in the product does.
pub(super) struct Dialler {
    addresses: Addresses,
    tls: TlsConnector,
    limits: EgressLimits,
}

impl Dialler {
    pub(super) fn new(config: &EgressConfig) -> Result<Self, EgressError> {
        Ok(Self {
            addresses: Addresses::new(config)?,
            tls: tls::connector(&config.extra_roots)?,
            limits: config.limits.clone(),
        })
    }

    /// Opens a connection to where a destination leads now.
    pub(super) async fn open(
        &self,
        destination: &Destination,
        deadline: Instant,
    ) -> Result<(Wire, Protocol), Outcome> {
        let addresses = self.addresses.of(&destination.host, deadline).await?;
        let stream = self.connect(&addresses, destination.port, deadline).await?;
        match destination.scheme {
            Scheme::Http => Ok((Wire::plain(stream, self.allowance()), Protocol::Http1)),
            Scheme::Https => self.shake_hands(stream, &destination.host, deadline).await,
        }
    }

    /// Tries the addresses in turn. All but the last get half of the time that is left, so that one
    /// that swallows packets does not hide one that answers.
    async fn connect(
        &self,
        addresses: &[IpAddr],
        port: u16,
        deadline: Instant,
    ) -> Result<TcpStream, Outcome> {
        let deadline = deadline.min(Instant::now() + self.limits.connect);
        let mut failure = Outcome::TimedOut(Phase::Connect);
        let tried = &addresses[..addresses.len().min(self.limits.addresses)];
        for (place, address) in tried.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let until = match place + 1 == tried.len() {
                true => deadline,
                false => Instant::now() + left / 2,
            };
            let address = SocketAddr::new(*address, port);
            match timeout_at(until, self.connect_to(address)).await {
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

    async fn connect_to(&self, address: SocketAddr) -> Result<TcpStream, Outcome> {
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
        self.addresses
            .judge(peer.ip())
            .map_err(|forbidden| Outcome::ForbiddenAddress(forbidden.to_string()))?;
        // Without it the connection works, only slower.
        stream.set_nodelay(true).ok();
        Ok(stream)
    }

    async fn shake_hands(
        &self,
        stream: TcpStream,
        host: &Host,
        deadline: Instant,
    ) -> Result<(Wire, Protocol), Outcome> {
        let deadline = deadline.min(Instant::now() + self.limits.tls);
        let handshake = self.tls.connect(server_name(host)?, stream);
        match timeout_at(deadline, handshake).await {
            Err(_elapsed) => Err(Outcome::TimedOut(Phase::Tls)),
            Ok(Err(error)) => Err(tls::describe(&error)),
            Ok(Ok(stream)) => {
                let protocol = tls::protocol(stream.get_ref().1.alpn_protocol());
                Ok((Wire::tls(stream, self.allowance()), protocol))
            }
        }
    }
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
