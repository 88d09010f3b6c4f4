//! Abuses of HTTP/1.1.

use super::{Answers, Target, until};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const DRIP: Duration = Duration::from_millis(250);

/// A crowd of connections on which each drips.
struct Crowd {
    open: Vec<TcpStream>,
    answers: Answers,
    longest: Duration,
    began: Instant,
}

impl Crowd {
    fn open(target: &Target, count: usize, first: &[u8]) -> Self {
        let open = (0..count).map(|_| {
            let mut stream = target.connect();
            // One that was refused says so when it is read.
            let _ = stream.write_all(first);
            stream.set_nonblocking(true).expect("a socket");
            stream
        });
        let open = open.collect();
        let (answers, longest, began) = (Answers::default(), Duration::ZERO, Instant::now());
        Self { open, answers, longest, began }
    }

    /// Drips until all were ended by the server.
    fn drip(mut self, drop: &[u8], limit: Duration) -> String {
        while !self.open.is_empty() && self.began.elapsed() < limit {
            std::thread::sleep(DRIP);
            for mut stream in std::mem::take(&mut self.open) {
                let _ = stream.write(drop);
                match ended(&mut stream) {
                    None => self.open.push(stream),
                    Some(said) => {
                        self.answers.add(&said);
                        self.longest = self.began.elapsed();
                    }
                }
            }
        }
        assert!(self.open.is_empty(), "{} are open after {limit:?}", self.open.len());
        format!("{} within {:.1} s", self.answers, self.longest.as_secs_f64())
    }
}

/// What the server said, if it said something or closed.
fn ended(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = [0; 1024];
    match stream.read(&mut bytes) {
        Ok(0) => Some(String::new()),
        Ok(n) => Some(String::from_utf8_lossy(&bytes[..n]).into_owned()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(_) => Some(String::new()),
    }
}

pub(super) fn slow_heads(target: &Target) -> String {
    let head = "POST /v1/events HTTP/1.1\r\nhost: x\r\nx-slow: ";
    Crowd::open(target, 500, head.as_bytes()).drip(b"a", Duration::from_secs(8))
}

pub(super) fn slow_bodies(target: &Target) -> String {
    let head = target.head("POST /v1/events", "content-length: 200000\r\n");
    let said = Crowd::open(target, 500, head.as_bytes()).drip(b"{", Duration::from_secs(12));
    assert!(said.starts_with("500 × 400"), "{said}");
    said
}

/// Asks for much and reads nothing of it.
pub(super) fn slow_reads(target: &Target) -> String {
    let before = target.ended("slow_answer");
    let asked = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
    let crowd = Crowd::open(target, 30, asked.as_bytes());
    until(Duration::from_secs(20), "slow readers are cut", || {
        target.ended("slow_answer") >= before + 30
    });
    format!("30 cut within {:.1} s", crowd.began.elapsed().as_secs_f64())
}

pub(super) fn idle(target: &Target) -> String {
    let count = target.many();
    let before = target.ended("idle");
    let opening = Instant::now();
    let crowd = Crowd::open(target, count, b"");
    let opened = opening.elapsed();
    assert_eq!(target.ended("idle"), before, "all are open at the same time");
    until(Duration::from_secs(20), "idle ones are closed", || {
        target.ended("idle") >= before + count as u64
    });
    let closed = crowd.began.elapsed();
    format!("{count} at once, opened in {opened:.1?}, closed {closed:.1?} later")
}

/// As many calls as fit into the time, each on a connection of its own.
fn again(target: &Target, request: &[u8]) -> Answers {
    let mut answers = Answers::default();
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        answers.add(&target.say(request));
    }
    answers
}

fn publish(target: &Target, body: &[u8]) -> Vec<u8> {
    let head = target.last_head("POST /v1/events", &format!("content-length: {}\r\n", body.len()));
    [head.as_bytes(), body].concat()
}

/// The event around this data.
fn event(data: &[u8]) -> Vec<u8> {
    [br#"{"tenant":"acme","type":"a","data":"#, data, b"}"].concat()
}

pub(super) fn deep_json(target: &Target) -> String {
    let open = 256 * 1024 - 64;
    let half = event(&[vec![b'['; open / 2], vec![b']'; open / 2]].concat());
    let unclosed = event(&vec![b'['; open]);
    let said = [half, unclosed].map(|body| again(target, &publish(target, &body)));
    said.iter().for_each(|answers| answers.only(&["400", "422"]));
    said.map(|answers| answers.to_string()).join(", ")
}

pub(super) fn repeated_names(target: &Target) -> String {
    let many: Vec<_> = (0..20_000).map(|n| format!("\"m{n}\":\"1\"")).collect();
    let twice = format!("1,\"attributes\":{{{},\"m7\":\"2\"}}", many.join(","));
    let answers = again(target, &publish(target, &event(twice.as_bytes())));
    answers.only(&["422"]);
    answers.to_string()
}

pub(super) fn invalid_utf8(target: &Target) -> String {
    let answers = again(target, &publish(target, &event(b"\"\xff\xfe\xc0\xaf\"")));
    answers.only(&["400"]);
    answers.to_string()
}

pub(super) fn a_declared_gigabyte(target: &Target) -> String {
    let head = target.last_head("POST /v1/events", "content-length: 1000000000\r\n");
    let answers = again(target, &[head.as_bytes(), &[b'x'; 64 * 1024]].concat());
    answers.only(&["413"]);
    answers.to_string()
}

pub(super) fn a_chunked_gigabyte(target: &Target) -> String {
    let head = target.head("POST /v1/events", "transfer-encoding: chunked\r\n");
    let chunk = [b"10000\r\n", &[b'x'; 0x10000][..], b"\r\n"].concat();
    let mut stream = target.connect();
    stream.write_all(head.as_bytes()).expect("written");
    stream.set_write_timeout(Some(Duration::from_secs(5))).expect("a socket");
    let mut sent = 0usize;
    while sent < 1_000_000_000 && stream.write_all(&chunk).is_ok() {
        sent += chunk.len();
    }
    assert!(sent < 50_000_000, "{sent} bytes were taken");
    let mut said = String::new();
    // It may be lost behind the reset of what was not read.
    let _ = stream.read_to_string(&mut said);
    let mut answers = Answers::default();
    answers.add(&said);
    answers.only(&["413", "closed"]);
    format!("{answers} after {} kB", sent / 1000)
}

/// Pairs of framings behind which a second request hides.
pub(super) fn smuggling(target: &Target) -> String {
    let hidden = "GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n";
    let framings = [
        "content-length: 6\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 3\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "content-length: 6\r\ncontent-length: 7\r\n",
        "content-length: +6\r\n",
        "content-length: 6, 6\r\n",
        "x: y\r\n transfer-encoding: chunked\r\n",
    ];
    let mut all = Answers::default();
    for framing in framings {
        let head = target.head("POST /v1/events", framing);
        let said = target.say(format!("{head}0\r\n\r\n{hidden}").as_bytes());
        assert!(said.starts_with("HTTP/1.1 4"), "{framing:?}: {said}");
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{framing:?}: {said}");
        all.add(&said);
    }
    all.to_string()
}

pub(super) fn pipelined(target: &Target) -> String {
    let (mut stream, count) = (target.connect(), 500);
    let asked = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".repeat(count - 1);
    let last = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(format!("{asked}{last}").as_bytes()).expect("written");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("the end");
    assert_eq!(said.matches("HTTP/1.1 200 OK").count(), count);
    format!("{count} × 200")
}

pub(super) fn batches(target: &Target) -> String {
    let frame = |events: &str| {
        let body = format!("{{\"events\":[{events}]}}");
        let length = format!("content-length: {}\r\n", body.len());
        format!("{}{body}", target.last_head("POST /v1/events/batch", &length))
    };
    let event = r#"{"tenant":"acme","type":"a","data":1}"#;
    let many = again(target, frame(&vec![event; 1_001].join(",")).as_bytes());
    many.only(&["422"]);
    let long = again(target, frame(&" ".repeat(4 * 1024 * 1024)).as_bytes());
    long.only(&["413"]);
    format!("{many}, {long}")
}

/// Heads beyond the limits: a line of 64 KiB, and 200 lines.
pub(super) fn long_heads(target: &Target) -> String {
    let long = target.last_head("GET /healthz", &format!("x-long: {}\r\n", "x".repeat(64 * 1024)));
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let many = target.last_head("GET /healthz", &many);
    let said = [long, many].map(|head| again(target, head.as_bytes()));
    said.iter().for_each(|answers| answers.only(&["431"]));
    said.map(|answers| answers.to_string()).join(", ")
}

/// A caller that waits for `100 Continue` is told to go on, or told no at once.
pub(super) fn expectations(target: &Target) -> String {
    let body = event(b"1");
    let more = format!("expect: 100-continue\r\ncontent-length: {}\r\n", body.len());
    let mut stream = target.connect();
    stream.write_all(target.head("POST /v1/events", &more).as_bytes()).expect("written");
    let mut bytes = [0; 1024];
    let n = stream.read(&mut bytes).expect("an answer");
    assert!(bytes[..n].starts_with(b"HTTP/1.1 100 "), "{}", String::from_utf8_lossy(&bytes[..n]));
    stream.write_all(&body).expect("written");
    let n = stream.read(&mut bytes).expect("an answer");
    assert!(bytes[..n].starts_with(b"HTTP/1.1 202 "), "{}", String::from_utf8_lossy(&bytes[..n]));
    let long = "expect: 100-continue\r\ncontent-length: 999999\r\n";
    let refused = target.say(target.last_head("POST /v1/events", long).as_bytes());
    assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");
    "100 then 202; 413 without 100".to_owned()
}

pub(super) fn wrong_keys(target: &Target) -> String {
    let head = "GET /v1/tenants HTTP/1.1\r\nhost: x\r\nauthorization: Bearer no\r\n\
                connection: close\r\n\r\n";
    let (mut answers, began) = (Answers::default(), Instant::now());
    while !answers.has("429") && began.elapsed() < Duration::from_secs(8) {
        answers.add(&target.say(head.as_bytes()));
    }
    answers.only(&["401", "429"]);
    assert!(answers.has("429"), "{answers}");
    answers.to_string()
}
