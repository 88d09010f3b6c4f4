//! Names that lead nowhere, astray, or round in circles. The name of a case is its first label.

use super::path;
use crate::badhost::case::{Case, Expected, Patience, Place, Stage};
use crate::badhost::dns::{NO_SUCH_NAME, Record, Reply};
use angarium_core::outcome::Class;
use std::net::{Ipv4Addr, Ipv6Addr};

const NO_ADDRESS: Expected = Expected::of(&[Class::Dns]);
const SLOW: Expected = Expected::of(&[Class::Dns, Class::Timeout]).within(Patience::Resolve);
const FORBIDDEN: Expected = Expected::of(&[Class::Unreachable]);
const FORBIDDEN_OR_NONE: Expected = Expected::of(&[Class::Unreachable, Class::Dns]);

/// Where clouds keep a machine's credentials.
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

const ROWS: &[(&str, &str, Expected)] = &[
    ("dns-none", "the name does not exist", NO_ADDRESS),
    ("dns-failure", "the name server has failed", NO_ADDRESS),
    ("dns-refused", "the name server refuses", NO_ADDRESS),
    ("dns-empty", "the name has no address", NO_ADDRESS),
    ("dns-silent", "the name server never answers", SLOW),
    ("dns-other-id", "answers another question's id", SLOW),
    ("dns-garbage", "answers with bytes that are no answer", SLOW),
    ("dns-truncated", "the answer is cut, and TCP never answers", SLOW),
    ("dns-loop", "an alias of itself", SLOW),
    ("dns-aliases", "an alias of an alias, without end", SLOW),
    ("dns-many", "five hundred private addresses", FORBIDDEN_OR_NONE),
    ("dns-metadata", "the address of a cloud's metadata", FORBIDDEN),
    ("dns-mixed", "loopback, and a cloud's metadata", FORBIDDEN),
    ("dns-mapped", "metadata as an IPv4-mapped IPv6 address", FORBIDDEN),
    ("dns-nat64", "metadata behind NAT64", FORBIDDEN),
    ("dns-local-nat64", "metadata behind a local NAT64", FORBIDDEN),
    ("dns-6to4", "metadata behind 6to4", FORBIDDEN),
    ("dns-teredo", "metadata behind Teredo", FORBIDDEN),
    ("dns-rebinding", "metadata at every second question, TTL 0", FORBIDDEN),
];

pub(super) fn cases() -> Vec<Case> {
    let case = |(name, does, expected): &(&str, &str, Expected)| Case {
        place: Place::Name,
        ..path(Stage::Dns, name, does, *expected, [])
    };
    ROWS.iter().map(case).collect()
}

/// What the name server says of a case; `asked` is how often it was asked before.
pub(in crate::badhost) fn answers_for(case: &str, asked: u64) -> Reply {
    let v4 = |address: Ipv4Addr| Reply::Records(vec![Record::V4(address)]);
    let v6 = |text: &str| match text.parse::<Ipv6Addr>() {
        Ok(address) => Reply::Records(vec![Record::V6(address)]),
        Err(_) => Reply::Garbage,
    };
    match case {
        "dns-failure" => Reply::Code(2),
        "dns-refused" => Reply::Code(5),
        "dns-empty" => Reply::Records(Vec::new()),
        "dns-silent" => Reply::Silence,
        "dns-other-id" => Reply::OtherId,
        "dns-garbage" => Reply::Garbage,
        "dns-truncated" => Reply::Truncated,
        "dns-loop" => Reply::Records(vec![Record::Alias("dns-loop".to_owned())]),
        "dns-aliases" => Reply::Records(vec![Record::Alias(format!("{asked}.dns-aliases"))]),
        "dns-many" => Reply::Records(many()),
        "dns-metadata" => v4(METADATA),
        "dns-mixed" => Reply::Records(vec![Record::V4(Ipv4Addr::LOCALHOST), Record::V4(METADATA)]),
        "dns-mapped" => v6("::ffff:169.254.169.254"),
        "dns-nat64" => v6("64:ff9b::169.254.169.254"),
        "dns-local-nat64" => v6("64:ff9b:1:ffff::169.254.169.254"),
        "dns-6to4" => v6("2002:a9fe:a9fe::1"),
        "dns-teredo" => v6("2001:0:a9fe:a9fe::1"),
        "dns-rebinding" if asked.is_multiple_of(2) => v4(Ipv4Addr::LOCALHOST),
        "dns-rebinding" => v4(METADATA),
        _ => Reply::Code(NO_SUCH_NAME),
    }
}

fn many() -> Vec<Record> {
    let address = |n: u16| {
        let [high, low] = n.to_be_bytes();
        Record::V4(Ipv4Addr::new(10, 1, high, low))
    };
    (0..500).map(address).collect()
}
