//! Connections that are not made, break, or take nothing.

use super::port;
use crate::badhost::case::{BROKEN, Case, DELIVERED, Expected, LATE, Patience, Socket};
use crate::badhost::script::{Portion, Step, answer};
use angarium_core::outcome::Class;

const REFUSED: Expected = Expected::of(&[Class::Unreachable]);
/// The reset may come before the sender knows that it is connected.
const NOT_TALKED: Expected = Expected::of(&[Class::Protocol, Class::Unreachable]);
const NOT_CONNECTED: Expected = Expected::of(&[Class::Timeout]).within(Patience::Connect);

pub(super) fn cases() -> Vec<Case> {
    use Portion::{Byte, Head, Request};
    use Step::{HalfClose, Hold, Ignore, Read, Reset};
    let (open, narrow) = (Socket::Open, Socket::Narrow);
    vec![
        port(Socket::Refusing, "connect-refused", "nobody listens", REFUSED, []),
        port(
            Socket::Full,
            "connect-swallowed",
            "drops SYN: its accept queue is full",
            NOT_CONNECTED,
            [],
        ),
        port(open, "connect-silent", "accepts, reads, and says nothing", LATE, [Hold]),
        port(open, "connect-deaf", "accepts and does not even read", LATE, [Ignore]),
        port(narrow, "connect-zero-window", "its receive window stays shut", LATE, [Ignore]),
        port(open, "connect-reset", "RST as soon as it has accepted", NOT_TALKED, [Reset]),
        port(
            open,
            "connect-reset-in-request",
            "RST after one byte of the request",
            BROKEN,
            [Read(Byte), Reset],
        ),
        port(
            open,
            "connect-reset-before-body",
            "RST once it has the request's head",
            BROKEN,
            [Read(Head), Reset],
        ),
        port(
            open,
            "connect-reset-after-request",
            "RST instead of an answer",
            BROKEN,
            [Read(Request), Reset],
        ),
        port(open, "connect-closed", "FIN as soon as it has accepted", BROKEN, [HalfClose]),
        port(
            open,
            "connect-closed-in-request",
            "FIN after one byte of the request",
            BROKEN,
            [Read(Byte), HalfClose],
        ),
        port(
            open,
            "connect-half-closed",
            "FIN after the request, and goes on reading",
            BROKEN,
            [Read(Request), HalfClose, Hold],
        ),
        port(
            open,
            "connect-early-answer",
            "answers 200 before the request has come, then reads it",
            Expected::of(&[Class::Success, Class::Protocol]),
            [answer(200, ""), Read(Request)],
        ),
        port(
            open,
            "connect-answer-then-reset",
            "a whole 200, then RST",
            Expected { classes: &[Class::Success, Class::Protocol], ..DELIVERED },
            [Read(Request), answer(200, ""), Reset],
        ),
    ]
}
