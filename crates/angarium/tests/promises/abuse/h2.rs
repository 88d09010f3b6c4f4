//! Abuses of HTTP/2, frame by frame.

use super::Target;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const SPAN: Duration = Duration::from_secs(2);
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `GET http://x/` by the static table, and its host as a literal.
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x41, 1, b'x'];
/// The same as a `POST`.
const POST: &[u8] = &[0x83, 0x86, 0x84, 0x41, 1, b'x'];

fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

struct Peer {
    stream: TcpStream,
    came: Vec<u8>,
    sent: usize,
}

impl Peer {
    fn open(target: &Target) -> Self {
        let mut stream = target.connect();
        let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, b"")];
        stream.write_all(&preface.concat()).expect("written");
        stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a socket");
        stream.set_read_timeout(Some(Duration::from_millis(1))).expect("a socket");
        Self { stream, came: Vec::new(), sent: 0 }
    }

    /// Sends, and takes what has come; whether the connection is still there.
    fn send(&mut self, frames: &[u8]) -> bool {
        let written = self.stream.write_all(frames);
        self.sent += 1;
        self.take() && written.is_ok()
    }

    fn take(&mut self) -> bool {
        let mut bytes = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return false,
                Ok(n) => self.came.extend_from_slice(&bytes[..n]),
                Err(error) => {
                    return matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                }
            }
        }
    }

    /// How the server ended it, if it did.
    fn farewell(&mut self) -> Option<u32> {
        let (mut rest, mut code) = (self.came.as_slice(), None);
        while let [a, b, c, kind, _, _, _, _, _, after @ ..] = rest {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            let body = after.get(..length)?;
            if *kind == GO_AWAY
                && let Some([.., d, e, f, g]) = body.get(..8)
            {
                code = Some(u32::from_be_bytes([*d, *e, *f, *g]));
            }
            rest = &after[length..];
        }
        code
    }
}

/// Floods from some connections, one after the other, until each ends or the time does.
fn flood(target: &Target, mut frames: impl FnMut(u32) -> Vec<u8>, must_end: bool) -> String {
    let (mut ended, mut open, mut sent, mut codes) = (0, 0, 0usize, Vec::new());
    let until = Instant::now() + SPAN;
    while Instant::now() < until {
        let mut peer = Peer::open(target);
        let mut number = 1;
        while Instant::now() < until && peer.send(&frames(number)) {
            number += 200;
        }
        sent += peer.sent;
        match peer.farewell() {
            _ if Instant::now() >= until => open += 1,
            code => {
                ended += 1;
                codes.extend(code.filter(|code| !codes.contains(code)));
            }
        }
    }
    assert!(!must_end || ended > 0, "no connection was ended");
    format!("{ended} connections ended, {open} open at the end, GOAWAY {codes:?}, {sent} bursts")
}

/// A hundred streams at a time, each reset at once.
pub(super) fn rapid_reset(target: &Target) -> String {
    let burst = |first: u32| {
        let streams = (0..100).map(|n| first + n * 2);
        streams
            .flat_map(|stream| {
                let opened = frame(HEADERS, END_STREAM | END_HEADERS, stream, GET);
                [opened, frame(RESET, 0, stream, &8u32.to_be_bytes())].concat()
            })
            .collect()
    };
    flood(target, burst, true)
}

/// Frames of data with nothing in them, which no window holds back.
pub(super) fn empty_frames(target: &Target) -> String {
    let burst = |first: u32| {
        let mut burst = match first {
            1 => frame(HEADERS, END_HEADERS, 1, POST),
            _ => Vec::new(),
        };
        (0..1_000).for_each(|_| burst.extend(frame(DATA, 0, 1, b"")));
        burst
    };
    flood(target, burst, false)
}

pub(super) fn pings_and_settings(target: &Target) -> String {
    let one = [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, b"")].concat();
    flood(target, |_| one.repeat(500), false)
}

/// Headers without an end.
pub(super) fn continuation(target: &Target) -> String {
    let lines = [&[0, 1, b'a', 126][..], &[b'x'; 126]].concat().repeat(100);
    let burst = |first: u32| match first {
        1 => [frame(HEADERS, 0, 1, GET), frame(CONTINUATION, 0, 1, &lines)].concat(),
        _ => frame(CONTINUATION, 0, 1, &lines),
    };
    flood(target, burst, true)
}

/// A list of headers of 64 KiB, whole.
pub(super) fn header_lists(target: &Target) -> String {
    let lines = [&[0, 1, b'a', 126][..], &[b'x'; 126]].concat().repeat(120);
    let one = |stream: u32| {
        let mut frames = frame(HEADERS, END_STREAM, stream, GET);
        (0..3).for_each(|_| frames.extend(frame(CONTINUATION, 0, stream, &lines)));
        frames.extend(frame(CONTINUATION, END_HEADERS, stream, &lines));
        frames
    };
    flood(target, one, false)
}
