//! The addresses that are tried, and how each can be written.

use angarium_core::address::FORBIDDEN;
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The ranges of both IANA registries of special-purpose addresses.
pub(crate) fn registered() -> impl Iterator<Item = IpNet> {
    let rows = include_str!("../data/special-purpose-addresses.csv").lines();
    let rows = rows.filter(|row| !row.starts_with('#'));
    rows.map(|row| row.split(',').next().unwrap_or_default().parse().expect(row))
}

/// First, last and middle address of every range, the product's and the registries', and one beyond
/// each edge.
pub(crate) fn edges() -> Vec<IpAddr> {
    let of = |range: IpNet| match range {
        IpNet::V4(range) => {
            let (first, last) = (range.network().to_bits(), range.broadcast().to_bits());
            let middle = first + (last - first) / 2;
            [first, last, middle, first.wrapping_sub(1), last.wrapping_add(1)]
                .map(|bits| IpAddr::from(Ipv4Addr::from_bits(bits)))
        }
        IpNet::V6(range) => {
            let (first, last) = (range.network().to_bits(), range.broadcast().to_bits());
            let middle = first + (last - first) / 2;
            [first, last, middle, first.wrapping_sub(1), last.wrapping_add(1)]
                .map(|bits| IpAddr::from(Ipv6Addr::from_bits(bits)))
        }
    };
    let known = FORBIDDEN.iter().map(|(range, _)| range.parse().expect("a range"));
    known.chain(registered()).flat_map(of).collect::<BTreeSet<_>>().into_iter().collect()
}

pub(crate) fn canonical_host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

/// Every writing of an address that some parser takes for it.
pub(crate) fn writings(address: IpAddr) -> Vec<String> {
    match address {
        IpAddr::V4(v4) => writings_of_v4(v4),
        IpAddr::V6(v6) => writings_of_v6(v6),
    }
}

fn writings_of_v4(address: Ipv4Addr) -> Vec<String> {
    let bits = address.to_bits();
    let [a, b, c, d] = address.octets();
    let (high, low) = (bits >> 16, bits & 0xffff);
    let dotted = address.to_string();
    let full_width = |digit: char| match digit.to_digit(10) {
        Some(value) => char::from_u32(0xff10 + value).expect("a full-width digit"),
        None => digit,
    };
    vec![
        dotted.clone(),
        format!("{bits}"),
        format!("0x{bits:x}"),
        format!("0{bits:o}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("{a}.{}", bits & 0xff_ffff),
        format!("{a}.{b}.{low}"),
        format!("{a:03}.{b:03}.{c:03}.{d:03}"),
        format!("{dotted}."),
        format!("[{dotted}]"),
        dotted.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        dotted.chars().map(full_width).collect(),
        dotted.replace('.', "。"),
        format!("example.com@{dotted}"),
        format!("{dotted}%00.example.com"),
        format!("[::ffff:{dotted}]"),
        format!("[::ffff:{high:x}:{low:x}]"),
        format!("[::{dotted}]"),
        format!("[::{high:x}:{low:x}]"),
        format!("[::ffff:0:{high:x}:{low:x}]"),
        format!("[64:ff9b::{dotted}]"),
        format!("[64:ff9b::{high:x}:{low:x}]"),
        format!("[64:ff9b:1::{high:x}:{low:x}]"),
        format!("[2002:{high:x}:{low:x}::]"),
        format!("[2001:0:4136:e378:8000:63bf:{:x}:{:x}]", high ^ 0xffff, low ^ 0xffff),
        format!("[fe80::1%25lo]:80@{dotted}"),
    ]
}

fn writings_of_v6(address: Ipv6Addr) -> Vec<String> {
    let full: Vec<_> = address.segments().iter().map(|s| format!("{s:04x}")).collect();
    let short: Vec<_> = address.segments().iter().map(|s| format!("{s:x}")).collect();
    vec![
        format!("[{address}]"),
        format!("[{address}]").to_uppercase(),
        format!("[{}]", full.join(":")),
        format!("[{}]", short.join(":")),
        format!("[{address}%25lo]"),
        format!("[{address}%lo]"),
        format!("{address}"),
        format!("[{address}]."),
        format!("%5b{address}%5d"),
        format!("example.com@[{address}]"),
    ]
}
