//! The bad host by itself: it does what its list says, and is bounded.

use super::host::BadHost;
use crate::support::client::Connection;
use crate::support::eventually;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Most bytes that one connection is sent, and what is under way when that is noticed.
const MOST_BYTES: u64 = 257 * 1024 * 1024;

fn open() -> (BadHost, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    (BadHost::start(&folder.path().join("authority.pem")), folder)
}

fn dial(url: &str) -> TcpStream {
    let (_, rest) = url.split_once("://").expect("a URL");
    let address = rest.split('/').next().expect("an address");
    Connection::open(address).expect("it listens").into_stream()
}

#[test]
fn proxies_say_what_their_cases_promise() {
    let (host, _folder) = open();
    let connect = b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n";
    let rows: [(&str, &[u8], &[u8]); 8] = [
        ("proxy-password", connect, b"HTTP/1.1 407 "),
        ("proxy-failure", connect, b"HTTP/1.1 502 "),
        ("proxy-body", connect, b"HTTP/1.1 200 "),
        ("proxy-garbage", connect, b"HTTP/1.1 200 Connection established\r\n\r\n\xde\xad"),
        ("socks-reply-5", &[5, 1, 0], &[5, 0, 5, 5, 0, 1, 0, 0, 0, 0, 0, 0]),
        ("socks-no-method", &[5, 1, 0], &[5, 0xff]),
        ("socks-short", &[5, 1, 0], &[5, 0, 5]),
        ("socks-other-version", &[5, 1, 0], &[0, 0x5a]),
    ];
    for (name, asked, answered) in rows {
        let case = host.cases.iter().find(|case| case.name == name).expect(name);
        let mut proxy = dial(&case.url);
        proxy.write_all(asked).expect("it reads");
        let mut answer = vec![0; answered.len()];
        proxy.read_exact(&mut answer).expect(name);
        assert_eq!(answer, answered, "{name}");
    }
}

#[test]
fn a_sender_without_limits_is_let_go_at_ours() {
    let (host, _folder) = open();
    let mut endless = dial(&host.http);
    endless.write_all(b"POST /body-endless HTTP/1.1\r\n\r\n").expect("it reads");
    let read = std::io::copy(&mut endless, &mut std::io::sink()).expect("it ends");
    assert!(read < MOST_BYTES, "{read} bytes");
    eventually("it says so", Duration::from_secs(5), || {
        host.visits().iter().any(|visit| visit.end == "read to our limit of bytes")
    });
}
