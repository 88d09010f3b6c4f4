//! Statuses, and the headers that tempt a sender to do more than note them.

use super::path;
use crate::badhost::case::{Case, DELIVERED, Expected, Place, Stage};
use crate::badhost::script::{Step, answer, say};
use angarium_core::outcome::Class;

/// Where redirects lead: whoever comes here has followed one.
pub(in crate::badhost) const LANDING: &str = "landing";

const REDIRECTED: Expected = Expected::of(&[Class::Redirect]);
const REFUSED: Expected = Expected::of(&[Class::ClientError]);
const THROTTLED: Expected = Expected::of(&[Class::Throttled]);
const FAILED: Expected = Expected::of(&[Class::ServerError]);

pub(super) fn cases() -> Vec<Case> {
    [plain(), redirects(), throttling()].concat()
}

/// The answer to `/status/NNN`; with a body where the status allows one.
pub(in crate::badhost) fn answer_with(status: u16) -> Vec<Step> {
    match status {
        204 | 304 => vec![say(format!("HTTP/1.1 {status} Bad Host\r\n\r\n"))],
        _ => vec![answer(status, "")],
    }
}

fn case(name: &str, does: &str, expected: Expected, script: Vec<Step>) -> Case {
    path(Stage::Status, name, does, expected, script)
}

fn plain() -> Vec<Case> {
    let any = "answers with the status in the path, 200 to 599";
    vec![
        Case { place: Place::Statuses, ..case("status", any, DELIVERED, vec![]) },
        case("ok", "200, and keeps the connection", DELIVERED, vec![answer(200, ""), Step::Again]),
        case(LANDING, "200; redirects lead here", DELIVERED, vec![answer(200, "")]),
        case("status-999", "status 999", FAILED, vec![answer(999, "")]),
        case("status-204-body", "204, with a body", DELIVERED, vec![answer(204, "")]),
        case("status-205-body", "205, with a body", DELIVERED, vec![answer(205, "")]),
        case(
            "status-401",
            "wants a password",
            REFUSED,
            vec![answer(
                401,
                "www-authenticate: Basic realm=\"x\"\r\nwww-authenticate: Negotiate\r\n",
            )],
        ),
        case(
            "status-407",
            "wants a proxy's password",
            REFUSED,
            vec![answer(407, "proxy-authenticate: NTLM\r\n")],
        ),
        case(
            "status-408",
            "says that the request took too long",
            REFUSED,
            vec![answer(408, "connection: close\r\n")],
        ),
        case("status-410", "gone", Expected::of(&[Class::Gone]), vec![answer(410, "")]),
        case("status-425", "too early", REFUSED, vec![answer(425, "")]),
    ]
}

/// Each status that redirects, to each place where no sender must go.
fn redirects() -> Vec<Case> {
    let targets = |status| {
        [
            ("elsewhere", "/landing".to_owned()),
            ("metadata", "http://169.254.169.254/latest/meta-data/".to_owned()),
            ("itself", format!("/redirect-{status}-itself")),
            ("file", "file:///etc/passwd".to_owned()),
        ]
    };
    let mut cases = Vec::new();
    for status in [301, 302, 303, 307, 308] {
        for (name, target) in targets(status) {
            let name = format!("redirect-{status}-{name}");
            let does = format!("{status} to {target}");
            let script = vec![answer(status, &format!("location: {target}\r\n"))];
            cases.push(case(&name, &does, REDIRECTED, script));
        }
    }
    cases
}

fn throttling() -> Vec<Case> {
    let times = [
        ("seconds", "1"),
        ("date", "Fri, 31 Dec 2100 23:59:59 GMT"),
        ("past", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("ten-years", "315360000"),
        ("negative", "-1"),
        ("garbage", "soon; or \"later\""),
        ("overflow", "99999999999999999999999999"),
    ];
    let mut cases = Vec::new();
    for status in [429, 503] {
        for (name, time) in times {
            let name = format!("retry-after-{status}-{name}");
            let does = format!("{status} with Retry-After: {time}");
            let script = vec![answer(status, &format!("retry-after: {time}\r\n"))];
            cases.push(case(&name, &does, THROTTLED, script));
        }
    }
    cases
}
