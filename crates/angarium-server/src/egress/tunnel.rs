//! Asks a proxy for a tunnel (S7). Whatever it says instead stays between it and the operator's
//! log: a tenant reads that the receiver cannot be reached.

use angarium_core::egress::connect::{self, Answer, HEAD_BYTES};
use angarium_core::egress::socks5::{self, Wants};
use angarium_core::egress::{Credentials, Proxy, ProxyFault, ProxyKind, Target};
use angarium_core::outcome::Outcome;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Why there is no tunnel.
#[derive(Debug, thiserror::Error)]
enum NoTunnel {
    #[error(transparent)]
    Fault(#[from] ProxyFault),
    #[error("the proxy's connection broke")]
    Broken(#[from] io::Error),
    #[error("the proxy spoke before the receiver could")]
    Filled,
}

/// Opens a tunnel on a connection to a proxy. The caller bounds the time.
pub(super) async fn open(
    stream: &mut TcpStream,
    proxy: &Proxy,
    target: &Target,
) -> Result<(), Outcome> {
    let credentials = proxy.credentials.as_ref();
    let opened = match proxy.kind {
        ProxyKind::Connect => by_connect(stream, target, credentials).await,
        ProxyKind::Socks5 => by_socks5(stream, target, credentials).await,
    };
    opened.map_err(|reason| {
        tracing::debug!(%reason, proxy = proxy.url(), "no tunnel");
        match reason {
            NoTunnel::Fault(fault) => Outcome::NotConnected(fault.to_string()),
            NoTunnel::Broken(error) => Outcome::NotConnected(error.kind().to_string()),
            NoTunnel::Filled => Outcome::Broken("there was an answer before the request".into()),
        }
    })
}

async fn by_connect(
    stream: &mut TcpStream,
    target: &Target,
    credentials: Option<&Credentials>,
) -> Result<(), NoTunnel> {
    stream.write_all(connect::request(target, credentials).as_bytes()).await?;
    let mut answer = Vec::with_capacity(1_024);
    loop {
        let room = HEAD_BYTES - answer.len();
        let read = stream.take(room as u64).read_buf(&mut answer).await?;
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        match connect::read(&answer)? {
            Answer::Unfinished => {}
            Answer::Open(used) if used == answer.len() => return Ok(()),
            // In HTTP and in TLS we speak first: this is not the receiver.
            Answer::Open(_) => return Err(NoTunnel::Filled),
        }
    }
}

async fn by_socks5(
    stream: &mut TcpStream,
    target: &Target,
    credentials: Option<&Credentials>,
) -> Result<(), NoTunnel> {
    stream.write_all(socks5::greeting(credentials.is_some())).await?;
    match (socks5::chosen(read_some(stream).await?, credentials.is_some())?, credentials) {
        (Wants::Password, Some(credentials)) => {
            stream.write_all(&socks5::password(credentials)).await?;
            socks5::accepted(read_some(stream).await?)?;
        }
        (Wants::Password | Wants::Request, _) => {}
    }
    stream.write_all(&socks5::request(target)).await?;
    let rest = socks5::rest_of_reply(read_some(stream).await?)?;
    let mut bound_address = vec![0; rest];
    stream.read_exact(&mut bound_address).await?;
    Ok(())
}

async fn read_some<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
