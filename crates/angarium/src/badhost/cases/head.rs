//! Heads that do not come, do not end, or are not HTTP.

use super::path;
use crate::badhost::case::{BROKEN, Case, DELIVERED_OR_BROKEN, Expected, LATE, Stage};
use crate::badhost::script::{Step, drip, flood, say};

pub(super) fn cases() -> Vec<Case> {
    [late(), broken_off(), large(), malformed()].concat()
}

fn case(name: &str, does: &str, expected: Expected, script: Vec<Step>) -> Case {
    path(Stage::Head, name, does, expected, script)
}

fn late() -> Vec<Case> {
    let begun = || say("HTTP/1.1 200 OK\r\nx: ");
    vec![
        case("head-none", "never answers", LATE, vec![Step::Hold]),
        case("head-drip", "a byte of the head each second", LATE, vec![begun(), drip("y", 1)]),
        case(
            "head-slow-drip",
            "a byte of the head every 14 seconds",
            LATE,
            vec![begun(), drip("y", 14)],
        ),
        case("head-half", "half a head, and nothing more", LATE, vec![begun(), Step::Hold]),
        case(
            "head-unfinished",
            "a head without its last line end",
            LATE,
            vec![say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n"), Step::Hold],
        ),
    ]
}

fn broken_off() -> Vec<Case> {
    vec![case(
        "head-reset",
        "RST in the head",
        BROKEN,
        vec![say("HTTP/1.1 200 OK\r\nx"), Step::Reset],
    )]
}

fn large() -> Vec<Case> {
    let ok = || say("HTTP/1.1 200 OK\r\n");
    let megabyte = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1024 * 1024));
    let fields = "x: y\r\n".repeat(1_000_000);
    vec![
        case(
            "head-endless-line",
            "a header line without end",
            BROKEN,
            vec![say("HTTP/1.1 200 OK\r\nx: "), flood("y")],
        ),
        case(
            "head-endless-reason",
            "a reason phrase without end",
            BROKEN,
            vec![say("HTTP/1.1 200 "), flood("y")],
        ),
        case(
            "head-endless-fields",
            "header lines without end",
            BROKEN,
            vec![ok(), flood("x: y\r\n")],
        ),
        case(
            "head-empty-lines",
            "line ends without end, and no status line",
            BROKEN,
            vec![flood("\r\n")],
        ),
        case(
            "head-million-fields",
            "a million header lines",
            BROKEN,
            vec![ok(), say(fields), say("\r\n")],
        ),
        case("head-megabyte", "a header line of one megabyte", BROKEN, vec![say(megabyte)]),
    ]
}

/// Name, what it does, what it says: nothing of it is HTTP.
const MALFORMED: &[(&str, &str, &str)] = &[
    ("head-empty", "closes without a byte", ""),
    ("head-cut", "closes in the status line", "HTTP/1.1 200"),
    ("head-garbage", "bytes that are not HTTP", "\u{1}\u{2}\u{3} not HTTP \r\n\r\n"),
    ("head-ssh", "the greeting of SSH", "SSH-2.0-OpenSSH_9.2\r\n"),
    ("head-smtp", "the greeting of SMTP", "220 mail ESMTP\r\n"),
    ("head-http-0-9", "a body without a head", "<html>hello</html>\r\n\r\n"),
    ("head-http-9-9", "HTTP/9.9", "HTTP/9.9 200 OK\r\n\r\n"),
    ("head-status-99", "status 99", "HTTP/1.1 99 Low\r\n\r\n"),
    ("head-status-2000", "status 2000", "HTTP/1.1 2000 High\r\n\r\n"),
    ("head-status-word", "a word for a status", "HTTP/1.1 fine OK\r\n\r\n"),
    ("head-status-negative", "status -200", "HTTP/1.1 -200 OK\r\n\r\n"),
    ("head-no-colon", "a header line without colon", "HTTP/1.1 200 OK\r\nbad header\r\n\r\n"),
    ("head-no-name", "a header line without name", "HTTP/1.1 200 OK\r\n: value\r\n\r\n"),
    ("head-null-in-value", "NUL in a header's value", "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n"),
    ("head-null-in-name", "NUL in a header's name", "HTTP/1.1 200 OK\r\nx\0y: a\r\n\r\n"),
    (
        "head-two-lengths",
        "two lengths that differ",
        "HTTP/1.1 200 OK\r\n\
            content-length: 1\r\ncontent-length: 2\r\n\r\nok",
    ),
    (
        "head-negative-length",
        "a negative length",
        "HTTP/1.1 200 OK\r\n\
            content-length: -1\r\n\r\n",
    ),
    (
        "head-length-word",
        "a length that is no number",
        "HTTP/1.1 200 OK\r\n\
            content-length: 0x10\r\n\r\n",
    ),
    (
        "head-length-overflow",
        "a length beyond 2^64",
        "HTTP/1.1 200 OK\r\n\
            content-length: 99999999999999999999\r\n\r\n",
    ),
];

/// As above; a sender may be generous here.
const TOLERABLE: &[(&str, &str, &str)] = &[
    (
        "head-folded",
        "a header folded over two lines",
        "HTTP/1.1 200 OK\r\n\
            x: a\r\n b\r\ncontent-length: 0\r\n\r\n",
    ),
    (
        "head-space-before-colon",
        "a space before a colon",
        "HTTP/1.1 200 OK\r\n\
            content-length : 0\r\n\r\n",
    ),
    ("head-bare-line-feeds", "LF for CRLF", "HTTP/1.1 200 OK\ncontent-length: 0\n\n"),
    (
        "head-latin-1",
        "bytes beyond ASCII in a header",
        "HTTP/1.1 200 OK\r\n\
            x: \u{e9}\u{fc}\r\ncontent-length: 0\r\n\r\n",
    ),
    ("head-http-1-0", "HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nold"),
    ("head-no-reason", "no reason phrase", "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n"),
    (
        "head-equal-lengths",
        "the same length twice",
        "HTTP/1.1 200 OK\r\n\
            content-length: 2\r\ncontent-length: 2\r\n\r\nok",
    ),
    (
        "head-length-and-chunked",
        "a length, and chunks",
        "HTTP/1.1 200 OK\r\n\
            content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    (
        "head-unknown-coding",
        "a transfer coding that nobody knows",
        "HTTP/1.1 200 OK\r\n\
            transfer-encoding: chunked, x\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
];

fn malformed() -> Vec<Case> {
    let said = |expected: Expected| {
        move |(name, does, text): &(&str, &str, &'static str)| {
            case(name, does, expected, vec![say(*text)])
        }
    };
    let malformed = MALFORMED.iter().map(said(BROKEN));
    malformed.chain(TOLERABLE.iter().map(said(DELIVERED_OR_BROKEN))).collect()
}
