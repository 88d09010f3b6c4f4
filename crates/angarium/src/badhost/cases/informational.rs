//! Answers before the answer.

use super::path;
use crate::badhost::case::{BROKEN, Case, DELIVERED, DELIVERED_OR_BROKEN, Expected, LATE, Stage};
use crate::badhost::script::{Step, answer, flood, say};
use angarium_core::outcome::Class;

/// Nothing was asked to switch: neither an answer nor a reason to wait.
const NO_ANSWER: Expected = Expected::of(&[Class::ServerError, Class::Protocol]);

pub(super) fn cases() -> Vec<Case> {
    let case = |name, does, expected, script: Vec<Step>| {
        path(Stage::Informational, name, does, expected, script)
    };
    let hint = |status: u16| say(format!("HTTP/1.1 {status} Wait\r\n\r\n"));
    vec![
        case("informational-100", "100, then 200", DELIVERED, vec![hint(100), answer(200, "")]),
        case(
            "informational-103",
            "103 with links, then 200",
            DELIVERED,
            vec![
                say("HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"),
                answer(200, ""),
            ],
        ),
        case("informational-199", "199, then 200", DELIVERED, vec![hint(199), answer(200, "")]),
        case("informational-only", "103, and nothing more", LATE, vec![hint(103), Step::Hold]),
        case(
            "informational-endless",
            "103 without end",
            BROKEN,
            vec![flood("HTTP/1.1 103 Early Hints\r\n\r\n")],
        ),
        case(
            "informational-upgrade",
            "101, to a protocol nobody asked for",
            NO_ANSWER,
            vec![
                say(
                    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
                ),
                Step::Hold,
            ],
        ),
        case(
            "informational-late",
            "200 with its body, then 100",
            DELIVERED_OR_BROKEN,
            vec![answer(200, ""), hint(100)],
        ),
    ]
}
