//! Proxies that do not let through: by CONNECT (RFC 9110, 9.3.6) and by SOCKS5 (RFC 1928). A good
//! sender never goes around its proxy, and never shows what the proxy said as the receiver's
//! answer.

use super::port;
use crate::badhost::case::{BROKEN, Case, Expected, Patience, Socket, Stage};
use crate::badhost::script::{Portion, Step, answer, flood, say};
use angarium_core::outcome::Class;

const NO_WAY: Expected = Expected::of(&[Class::Unreachable]);
const NO_WAY_IN_TIME: Expected = Expected::of(&[Class::Timeout]).within(Patience::Connect);

pub(super) fn cases() -> Vec<Case> {
    [connect(), socks()].concat()
}

fn connect() -> Vec<Case> {
    let case = |name, does, expected, script: Vec<Step>| Case {
        stage: Stage::Proxy,
        ..port(Socket::HttpProxy, name, does, expected, script)
    };
    let asked = || Step::Read(Portion::Head);
    let opened = || say("HTTP/1.1 200 Connection established\r\n\r\n");
    let wants_password = answer(407, "proxy-authenticate: Basic realm=\"proxy\"\r\n");
    vec![
        case("proxy-password", "wants a password", NO_WAY, vec![asked(), wants_password]),
        case("proxy-failure", "cannot reach the receiver", NO_WAY, vec![asked(), answer(502, "")]),
        case(
            "proxy-silent",
            "takes CONNECT and says nothing",
            NO_WAY_IN_TIME,
            vec![asked(), Step::Hold],
        ),
        case(
            "proxy-body",
            "200 with a body, which is no tunnel",
            BROKEN,
            vec![asked(), answer(200, "")],
        ),
        case(
            "proxy-garbage",
            "opens the tunnel, and fills it with garbage",
            BROKEN,
            vec![asked(), opened(), flood([0xde, 0xad, 0xbe, 0xef])],
        ),
        case(
            "proxy-dies",
            "opens the tunnel, then RST",
            BROKEN,
            vec![asked(), opened(), Step::Read(Portion::Byte), Step::Reset],
        ),
    ]
}

fn socks() -> Vec<Case> {
    let case = |name: &str, does: &str, expected, words: &[u8]| Case {
        stage: Stage::Proxy,
        ..port(Socket::SocksProxy, name, does, expected, [Step::Read(Portion::Byte), say(words)])
    };
    // Any address, any port; what was asked for is not looked at.
    let reply = |code| [5, 0, 5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    let refusals = (1..=9).map(|code| {
        let name = format!("socks-reply-{code}");
        case(&name, &format!("replies with code {code}"), NO_WAY, &reply(code))
    });
    let others = [
        case("socks-no-method", "accepts no method", NO_WAY, &[5, 0xff]),
        case("socks-password", "wants a password, and refuses every one", NO_WAY, &[5, 2, 1, 1]),
        case("socks-short", "half a reply", NO_WAY, &[5, 0, 5]),
        case("socks-other-version", "speaks SOCKS 4", NO_WAY, &[0, 0x5a, 0, 0, 0, 0, 0, 0]),
    ];
    refusals.chain(others).collect()
}
