//! Bodies without end, bodies that lie about their length, bodies that unpack, bodies for the eyes
//! of whoever looks at the attempt. The head was a 200: it is delivered whatever comes now.

use super::path;
use crate::badhost::bomb;
use crate::badhost::case::{Case, DELIVERED, DELIVERED_CUT, DELIVERED_OR_BROKEN, Expected, Stage};
use crate::badhost::script::{Step, answer, drip, flood, say};

pub(super) fn cases() -> Vec<Case> {
    [endless(), untrue(), chunked(), packed(), texts()].concat()
}

fn case(name: &str, does: &str, expected: Expected, script: Vec<Step>) -> Case {
    path(Stage::Body, name, does, expected, script)
}

fn head(headers: &str) -> Step {
    say(format!("HTTP/1.1 200 OK\r\n{headers}\r\n"))
}

fn endless() -> Vec<Case> {
    let long = || head("content-length: 10737418240\r\n");
    vec![
        case("body-endless", "a body without end", DELIVERED, vec![head(""), flood("endless ")]),
        case(
            "body-ten-gigabytes",
            "says ten gigabytes, and sends",
            DELIVERED,
            vec![long(), flood("long ")],
        ),
        case(
            "body-none",
            "says ten gigabytes, and sends none",
            DELIVERED_CUT,
            vec![long(), Step::Hold],
        ),
        case(
            "body-drip",
            "a byte each second, for ever",
            DELIVERED_CUT,
            vec![long(), drip("x", 1)],
        ),
    ]
}

fn untrue() -> Vec<Case> {
    vec![
        case(
            "body-short",
            "ends before its length",
            DELIVERED,
            vec![head("content-length: 100\r\n"), say("short")],
        ),
        case(
            "body-short-reset",
            "RST before its length",
            DELIVERED_OR_BROKEN,
            vec![head("content-length: 100\r\n"), say("short"), Step::Reset],
        ),
        case(
            "body-long",
            "goes on beyond its length",
            DELIVERED,
            vec![head("content-length: 2\r\n"), flood("long ")],
        ),
        case(
            "body-second-answer",
            "a second answer that nobody asked for",
            DELIVERED,
            vec![answer(200, ""), answer(500, "x-unsolicited: yes\r\n"), Step::Again],
        ),
    ]
}

fn chunked() -> Vec<Case> {
    let rows = [
        ("chunk-huge", "a chunk of 2^64-1 bytes", "ffffffffffffffff\r\nok"),
        ("chunk-overflow", "a chunk beyond 2^64 bytes", "1ffffffffffffffff\r\nok"),
        ("chunk-negative", "a chunk of -1 bytes", "-1\r\nok\r\n"),
        ("chunk-word", "a chunk size that is no number", "many\r\nok\r\n"),
        ("chunk-unended", "a chunk longer than it says", "1\r\nlong\r\n0\r\n\r\n"),
    ];
    let floods = [
        ("chunk-extension", "a chunk extension without end", "2;x=", "y"),
        ("chunk-trailers", "trailers without end", "2\r\nok\r\n0\r\n", "x: y\r\n"),
        ("chunk-zeros", "a chunk size without end", "", "0"),
        ("chunk-bytes", "chunks of one byte without end", "", "1\r\nx\r\n"),
    ];
    let head = || head("transfer-encoding: chunked\r\n");
    let said = |(name, does, text): (&str, &str, &str)| {
        case(name, does, DELIVERED_CUT, vec![head(), say(text), Step::Pause(SHORT)])
    };
    let flooded = |(name, does, begin, unit): (&str, &str, &str, &str)| {
        case(name, does, DELIVERED, vec![head(), say(begin), flood(unit)])
    };
    rows.into_iter().map(said).chain(floods.into_iter().map(flooded)).collect()
}

/// Long enough to be seen waiting, short enough to say that it was not the chunk that ended it.
const SHORT: std::time::Duration = std::time::Duration::from_secs(30);

fn packed() -> Vec<Case> {
    let bomb = |name, coding: &str, bytes: Vec<u8>| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-encoding: {coding}\r\n\
             content-length: {}\r\n\r\n",
            bytes.len()
        );
        let does = format!("{} bytes of {coding} that unpack to 64 MiB", bytes.len());
        case(name, &does, DELIVERED, vec![say(head), say(bytes)])
    };
    vec![
        bomb("body-gzip-bomb", "gzip", bomb::gzip()),
        bomb("body-brotli-bomb", "br", bomb::brotli()),
        bomb("body-zstd-bomb", "zstd", bomb::zstd()),
    ]
}

fn texts() -> Vec<Case> {
    let rows: [(&str, &str, &str, &[u8]); 6] = [
        (
            "body-bad-utf-8",
            "bytes that are not UTF-8",
            "text/plain; charset=utf-8",
            b"\xff\xfe\xc0\xaf\x80",
        ),
        (
            "body-html",
            "a page with a script",
            "text/html",
            b"<script>alert(document.domain)</script><img src=x onerror=alert(1)>",
        ),
        (
            "body-ansi",
            "escapes that steer a terminal",
            "text/plain",
            b"\x1b[2J\x1b]0;owned\x07\x1b[31mred\x1b[8mhidden",
        ),
        (
            "body-right-to-left",
            "marks that turn the text around",
            "text/plain",
            "\u{202e}txt.exe\u{202c} \u{2066}x\u{2069}".as_bytes(),
        ),
        ("body-null", "NUL bytes", "application/json", b"{\"a\":\"\0\0\0\"}"),
        ("body-deep-json", "JSON, ten thousand levels deep", "application/json", &[b'['; 10_000]),
    ];
    let text = |(name, does, kind, bytes): (&str, &str, &str, &[u8])| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {kind}\r\n\
             content-length: {}\r\n\r\n",
            bytes.len()
        );
        case(name, does, DELIVERED, vec![say(head), say(bytes)])
    };
    rows.into_iter().map(text).collect()
}
