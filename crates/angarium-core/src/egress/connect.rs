//! What is said to a proxy of HTTP, and what its answer means (RFC 9110, 9.3.6).

use super::{Credentials, ProxyFault, Target};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Longest head of a proxy's answer, in bytes.
pub const HEAD_BYTES: usize = 8 * 1024;

/// What a proxy's answer says so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Its head has not come to its end.
    Unfinished,
    /// The tunnel is open; what the receiver says begins after so many bytes.
    Open(usize),
}

/// The request for a tunnel.
pub fn request(target: &Target, credentials: Option<&Credentials>) -> Zeroizing<String> {
    let authorization = credentials.map(|Credentials { username, password }| {
        let pair = Zeroizing::new(format!("{username}:{}", password.expose()));
        let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
        Zeroizing::new(format!("Proxy-Authorization: Basic {}\r\n", *encoded))
    });
    let authorization = authorization.as_ref().map_or("", |line| line.as_str());
    Zeroizing::new(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n"))
}

/// Reads the beginning of an answer. Whatever its fields say, one of success has no body.
///
/// # Errors
/// It does not open a tunnel, is not HTTP/1, or is longer than [`HEAD_BYTES`].
pub fn read(answer: &[u8]) -> Result<Answer, ProxyFault> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(end) = end else {
        return match answer.len() < HEAD_BYTES {
            true => Ok(Answer::Unfinished),
            false => Err(ProxyFault("answers at too great a length".to_owned())),
        };
    };
    match status(&answer[..end]) {
        Some(200..300) => Ok(Answer::Open(end + 4)),
        Some(status) => Err(ProxyFault(format!("answered CONNECT with {status}"))),
        None => Err(ProxyFault("does not speak HTTP/1.1".to_owned())),
    }
}

/// The status of an answer that begins as HTTP/1 does.
fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.1 ").or_else(|| head.strip_prefix(b"HTTP/1.0 "))?;
    let (digits, after) = rest.split_at_checked(3)?;
    let ends = matches!(after.first(), None | Some(b' ' | b'\r'));
    let digits = std::str::from_utf8(digits).ok().filter(|_| ends)?;
    digits.parse().ok().filter(|status| (100..600).contains(status))
}
