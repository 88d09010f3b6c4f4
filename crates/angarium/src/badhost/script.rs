//! What a receiver does on one connection, as data. `play` acts it out.

use bytes::Bytes;
use std::time::Duration;

/// One thing that a receiver does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Reads until so much has come.
    Read(Portion),
    /// Writes these bytes.
    Say(Bytes),
    /// Writes these bytes again and again, as fast as they are taken.
    Flood(Bytes),
    /// Writes these bytes again and again, waiting each time before it does.
    Drip(Bytes, Duration),
    /// Waits, reading what comes.
    Pause(Duration),
    /// Reads what comes until the sender gives up.
    Hold,
    /// Reads nothing more and waits for the sender to give up.
    Ignore,
    /// Says that nothing more will be written.
    HalfClose,
    /// Ends the connection with RST.
    Reset,
    /// Ends the connection without the farewell of TLS.
    Drop,
    /// Reads the next request on this connection and begins anew.
    Again,
}

/// How much of what the sender writes is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Portion {
    /// One byte.
    Byte,
    /// The head of a request.
    Head,
    /// A whole request.
    Request,
    /// What a client of HTTP/2 says first, and a whole request.
    Http2,
}

pub(super) fn say(text: impl Into<Vec<u8>>) -> Step {
    Step::Say(Bytes::from(text.into()))
}

/// Writes a unit for ever; small units are joined, so that it is done in large writes.
pub(super) fn flood(unit: impl AsRef<[u8]>) -> Step {
    const LEAST: usize = 32 * 1024;
    let unit = unit.as_ref();
    Step::Flood(unit.repeat(LEAST.div_ceil(unit.len().max(1))).into())
}

pub(super) fn drip(unit: &'static str, seconds: u64) -> Step {
    Step::Drip(Bytes::from_static(unit.as_bytes()), Duration::from_secs(seconds))
}

/// A whole answer with a body of two bytes, and these header lines, each with its line end.
pub(super) fn answer(status: u16, headers: &str) -> Step {
    say(format!("HTTP/1.1 {status} Bad Host\r\n{headers}content-length: 2\r\n\r\nok"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_made_of_whole_units_in_large_writes() {
        let Step::Flood(bytes) = flood("abc") else { panic!("a flood") };
        assert!(bytes.len() >= 32 * 1024 && bytes.len() % 3 == 0);
        assert!(bytes.ends_with(b"abc"));
    }
}
