//! Handshakes that do not end, and certificates that prove nothing.
//!
//! What no TLS library would send is written byte by byte (RFC 8446, 5.1): type, version 3.3,
//! length, and for a handshake message its own type and length.

use super::{port, tls_port};
use crate::badhost::case::{
    BROKEN, Case, DELIVERED, Expected, Identity, Patience, Place, Socket, Stage,
};
use crate::badhost::script::{Portion, Step, answer, drip, flood, say};
use angarium_core::outcome::Class;

const REFUSED: Expected = Expected::of(&[Class::Tls]);
const TOO_OLD: Expected = Expected::of(&[Class::TlsUnsupported, Class::Tls]);
const NO_HANDSHAKE: Expected = Expected::of(&[Class::Timeout]).within(Patience::Tls);
const REFUSED_OR_LATE: Expected = Expected::of(&[Class::Tls, Class::Timeout]).within(Patience::Tls);

pub(super) fn cases() -> Vec<Case> {
    [certificates(), handshakes(), farewells()].concat()
}

fn certificates() -> Vec<Case> {
    let rows = [
        (Identity::Expired, "tls-expired", "a certificate that ended in 2020"),
        (Identity::NotYetValid, "tls-not-yet-valid", "a certificate that begins in 2099"),
        (Identity::OtherName, "tls-other-name", "a certificate for another name"),
        (Identity::SelfSigned, "tls-self-signed", "a certificate that it signed itself"),
        (
            Identity::UnknownAuthority,
            "tls-unknown-authority",
            "a certificate of nobody's authority",
        ),
        (Identity::MissingLink, "tls-missing-link", "leaves the intermediate certificate out"),
        (Identity::ForClients, "tls-for-clients", "a certificate that is for clients only"),
        (Identity::LongChain, "tls-long-chain", "ten megabytes of certificates"),
        (Identity::AsksBack, "tls-asks-back", "wants a certificate of the sender"),
    ];
    let case = |(identity, name, does)| {
        let script = [Step::Read(Portion::Request), answer(200, "")];
        tls_port(Stage::Tls, identity, name, does, REFUSED, script)
    };
    let mut cases: Vec<Case> = rows.into_iter().map(case).collect();
    // TLS 1.3 lets a client believe itself connected before the server has refused it.
    for case in cases.iter_mut().filter(|case| case.place == Place::TlsPort(Identity::AsksBack)) {
        case.expected = Expected::of(&[Class::Tls, Class::Protocol]);
    }
    cases
}

/// Ports that speak before, instead of or without TLS.
fn handshakes() -> Vec<Case> {
    let hello = Step::Read(Portion::Byte);
    let rows: Vec<(&str, &str, Expected, Vec<Step>)> = vec![
        ("tls-silent", "reads the greeting and says nothing", NO_HANDSHAKE, vec![Step::Hold]),
        (
            "tls-drip",
            "a byte of a handshake each second",
            NO_HANDSHAKE,
            vec![say([22, 3, 3, 0x10, 0]), drip("\x02", 1)],
        ),
        ("tls-reset", "RST after the greeting", REFUSED, vec![hello.clone(), Step::Reset]),
        ("tls-closed", "FIN after the greeting", REFUSED, vec![hello.clone(), Step::HalfClose]),
        (
            "tls-plain-http",
            "answers in plain HTTP",
            REFUSED,
            vec![
                hello.clone(),
                say("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
                Step::Hold,
            ],
        ),
        (
            "tls-garbage",
            "answers in no protocol at all",
            REFUSED,
            vec![hello.clone(), flood([0xde, 0xad, 0xbe, 0xef])],
        ),
        (
            "tls-endless-handshake",
            "a handshake message without end",
            REFUSED_OR_LATE,
            vec![
                hello.clone(),
                say(record(22, &[2, 0xff, 0xff, 0xff])),
                flood(record(22, &[0; 1024])),
            ],
        ),
        (
            "tls-empty-records",
            "empty records without end",
            REFUSED_OR_LATE,
            vec![hello.clone(), flood(record(22, &[]))],
        ),
        (
            "tls-warnings",
            "warnings without end",
            REFUSED_OR_LATE,
            vec![hello.clone(), flood(record(21, &[1, 90]))],
        ),
    ];
    let plain = |(name, does, expected, script): (&str, &str, Expected, Vec<Step>)| Case {
        stage: Stage::Tls,
        ..port(Socket::Open, name, does, expected, script)
    };
    let old = [
        ("tls-1-0", "speaks TLS 1.0 only", server_hello([3, 1])),
        ("tls-1-1", "speaks TLS 1.1 only", server_hello([3, 2])),
        ("tls-cbc-only", "has CBC suites only, and finds none in common", alert(40)),
        ("tls-alert-version", "refuses the version", alert(70)),
        ("tls-alert-internal", "has an internal error", alert(80)),
        ("tls-alert-name", "does not know the name", alert(112)),
    ]
    .map(|(name, does, bytes)| {
        (name, does, TOO_OLD, vec![hello.clone(), say(bytes), Step::HalfClose])
    });
    rows.into_iter().chain(old).map(plain).map(on_tls).collect()
}

/// A sound handshake, then an end without farewell.
fn farewells() -> Vec<Case> {
    let case = |name, does, expected, script: Vec<Step>| {
        tls_port(Stage::Tls, Identity::Sound, name, does, expected, script)
    };
    let request = Step::Read(Portion::Request);
    vec![
        case(
            "tls-reset-after-handshake",
            "RST instead of an answer",
            BROKEN,
            vec![request.clone(), Step::Reset],
        ),
        case(
            "tls-cut-in-head",
            "ends in the head without close_notify",
            BROKEN,
            vec![request.clone(), say("HTTP/1.1 200 OK\r\ncontent-"), Step::Drop],
        ),
        case(
            "tls-cut-in-body",
            "200, and ends in the body without close_notify",
            DELIVERED,
            vec![request, say("HTTP/1.1 200 OK\r\n\r\nhalf a bo"), Step::Drop],
        ),
    ]
}

/// The URL of a port that should speak TLS says so, though the script does not.
fn on_tls(case: Case) -> Case {
    Case { place: Place::Port(Socket::Raw), ..case }
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[kind, 3, 3, length[0], length[1]], payload].concat()
}

/// A fatal alert (RFC 8446, 6).
fn alert(code: u8) -> Vec<u8> {
    record(21, &[2, code])
}

/// The ServerHello of an old version: random bytes, no session, TLS_RSA_WITH_AES_128_CBC_SHA.
fn server_hello(version: [u8; 2]) -> Vec<u8> {
    let mut hello = version.to_vec();
    hello.extend([7; 32]);
    hello.extend([0, 0x00, 0x2f, 0]);
    let length = u8::try_from(hello.len()).unwrap_or(u8::MAX);
    let mut bytes = record(22, &[&[2, 0, 0, length], &hello[..]].concat());
    bytes[1..3].copy_from_slice(&version);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_say_their_length() {
        assert_eq!(alert(40), [21, 3, 3, 0, 2, 2, 40]);
        let hello = server_hello([3, 1]);
        assert_eq!(hello[..3], [22, 3, 1]);
        assert_eq!(usize::from(hello[4]), hello.len() - 5);
        assert_eq!(usize::from(hello[8]), hello.len() - 9);
    }
}
