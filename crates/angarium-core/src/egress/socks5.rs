//! What is said to a SOCKS5 proxy, and what its replies mean (RFC 1928, RFC 1929).

use super::{Credentials, ProxyFault, Target};
use crate::destination::Host;
use std::net::IpAddr;
use zeroize::Zeroizing;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const BY_PASSWORD: u8 = 2;
/// Version of the exchange of name and password (RFC 1929).
const PASSWORD_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// What the proxy wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// The request.
    Request,
    /// Name and password first.
    Password,
}

/// The first message: how we can prove who we are.
pub fn greeting(has_credentials: bool) -> &'static [u8] {
    match has_credentials {
        true => &[VERSION, 2, NO_AUTHENTICATION, BY_PASSWORD],
        false => &[VERSION, 1, NO_AUTHENTICATION],
    }
}

/// Reads the answer to the greeting.
///
/// # Errors
/// It is not SOCKS5, or wants what was not offered.
pub fn chosen(reply: [u8; 2], has_credentials: bool) -> Result<Wants, ProxyFault> {
    match reply {
        [VERSION, NO_AUTHENTICATION] => Ok(Wants::Request),
        [VERSION, BY_PASSWORD] if has_credentials => Ok(Wants::Password),
        [VERSION, BY_PASSWORD] => fault("wants a password"),
        [VERSION, _] => fault("accepts no method of authentication that we have"),
        _ => fault("does not speak SOCKS5"),
    }
}

/// Name and password, each with its length; both have at most 255 bytes.
pub fn password(credentials: &Credentials) -> Zeroizing<Vec<u8>> {
    let mut message = Zeroizing::new(vec![PASSWORD_VERSION]);
    for text in [&*credentials.username, credentials.password.expose()] {
        push_short(&mut message, text.as_bytes());
    }
    message
}

/// Reads the answer to name and password.
///
/// # Errors
/// They were refused.
pub fn accepted(reply: [u8; 2]) -> Result<(), ProxyFault> {
    match reply {
        [PASSWORD_VERSION, 0] => Ok(()),
        _ => fault("refused our password"),
    }
}

/// The request for a connection.
pub fn request(target: &Target) -> Vec<u8> {
    let mut message = vec![VERSION, CONNECT, 0];
    match &target.host {
        Host::Address(IpAddr::V4(address)) => {
            message.push(IPV4);
            message.extend(address.octets());
        }
        Host::Address(IpAddr::V6(address)) => {
            message.push(IPV6);
            message.extend(address.octets());
        }
        Host::Name(name) => {
            message.push(NAME);
            push_short(&mut message, name.as_bytes());
        }
    }
    message.extend(target.port.to_be_bytes());
    message
}

/// Reads the first five bytes of the reply to the request; how many more belong to it.
///
/// # Errors
/// The proxy did not connect, or it is no reply.
pub fn rest_of_reply(start: [u8; 5]) -> Result<usize, ProxyFault> {
    const PORT: usize = 2;
    match start {
        // The fifth byte is the first of the address, or the length of the name.
        [VERSION, 0, 0, IPV4, _] => Ok(3 + PORT),
        [VERSION, 0, 0, IPV6, _] => Ok(15 + PORT),
        [VERSION, 0, 0, NAME, length] => Ok(usize::from(length) + PORT),
        [VERSION, code @ 1..=u8::MAX, ..] => fault(&format!("replied with code {code}")),
        _ => fault("does not speak SOCKS5"),
    }
}

/// Appends a text behind its length; what is longer than 255 bytes was refused before.
fn push_short(message: &mut Vec<u8>, text: &[u8]) {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    message.push(length);
    message.extend(text.iter().take(length.into()));
}

fn fault<T>(what: &str) -> Result<T, ProxyFault> {
    Err(ProxyFault(what.to_owned()))
}
