//! Ports as an environment names them.

use crate::destination::is_open_port;
use std::fmt;
use std::str::FromStr;

/// A port, or all from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Whether a port is one of them.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl FromStr for PortRange {
    type Err = String;

    /// Reads `443` or `1024-65535`. A port to which nothing is ever sent is refused where it stands
    /// alone; a range may go over some.
    fn from_str(text: &str) -> Result<Self, String> {
        let port = |digits: &str| {
            let is_plain = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse::<u16>().ok().filter(|_| is_plain)
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (port(first), port(last)) {
            (Some(port), Some(last)) if port == last && !is_open_port(port) => {
                Err(format!("nothing is ever sent to port {port}"))
            }
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err("a port such as 443, or a range such as \"1024-65535\"".to_owned()),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}
