//! The address table against another implementation: Python's `ipaddress`. Every disagreement lies
//! in a range that was reviewed, and none opens an address that Python calls private.
//! `SSRF_ADDRESSES` is how many random addresses are tried.

#[expect(dead_code, reason = "these tests need the ranges, not their writings")]
mod ssrf_table;

use angarium_core::address::{AddressPolicy, FORBIDDEN};
use ipnet::IpNet;
use ssrf_table::registered;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};

const SCRIPT: &str = "import sys, ipaddress
for line in sys.stdin:
    print(int(ipaddress.ip_address(line.strip()).is_global))";

/// Ranges that Python calls global and we forbid, with why; the edges of the table lie in them.
const REVIEWED: &[(&str, &str)] = &[
    ("168.63.129.16/32", "a cloud's host channel, public by its number"),
    ("192.0.0.0/24", "anycast of PCP and TURN: never a receiver of webhooks"),
    ("192.31.196.0/24", "AS112"),
    ("192.52.193.0/24", "AMT"),
    ("192.88.99.0/24", "6to4 relays"),
    ("192.175.48.0/24", "AS112"),
    ("224.0.0.0/4", "multicast is no receiver"),
    ("::/8", "embedded IPv4 addresses and unassigned space"),
    ("2001::/23", "Teredo, ORCHID, AMT, AS112, DETs"),
    ("2002::/16", "6to4: an IPv4 address in disguise"),
    ("2620:4f:8000::/48", "AS112"),
    ("3fff::/20", "documentation since RFC 9637, newer than some Pythons"),
    ("::/3", "not global unicast"),
    ("4000::/2", "not global unicast"),
    ("8000::/1", "not global unicast"),
];

/// Random addresses that a round of the sample adds.
const RANDOM_EACH_ROUND: usize = 5;

#[test]
fn every_range_of_the_registries_is_forbidden_whole_unless_it_carries_an_ipv4_address() {
    let forbidden: Vec<IpNet> =
        FORBIDDEN.iter().map(|(range, _)| range.parse().expect("a range")).collect();
    let judged_as_ipv4 = ["::ffff:0:0/96", "64:ff9b::/96"];
    let (mut ranges, policy) = (0, AddressPolicy::default());
    for range in registered() {
        ranges += 1;
        let is_covered = forbidden.iter().any(|known| known.contains(&range));
        assert!(is_covered, "{range}");
        let is_open = [range.network(), range.broadcast()].map(|edge| policy.judge(edge).is_ok());
        let carries_ipv4 = judged_as_ipv4.contains(&&*range.to_string());
        assert!(carries_ipv4 || is_open == [false, false], "{range}");
    }
    assert!(ranges > 50, "the registries have shrunk to {ranges}");
}

#[test]
fn the_table_agrees_with_pythons_ipaddress_but_for_reviewed_ranges() {
    let addresses = sample();
    let global = ask_python(&addresses);
    let policy = AddressPolicy::default();
    let reviewed: Vec<IpNet> =
        REVIEWED.iter().map(|(range, _)| range.parse().expect("a range")).collect();
    let (mut agreed, mut stricter) = (0, 0);
    for (address, is_global) in addresses.iter().zip(global) {
        match (policy.judge(*address).is_ok(), is_global) {
            (true, true) | (false, false) => agreed += 1,
            (true, false) => assert!(is_embedded(*address), "{address} is open, Python disagrees"),
            (false, true) => {
                let is_reviewed = reviewed.iter().any(|range| range.contains(address));
                assert!(is_reviewed, "{address} is forbidden, Python calls it global");
                stricter += 1;
            }
        }
    }
    println!("addresses={} agreed={agreed} stricter={stricter}", addresses.len());
}

/// Mapped and NAT64 addresses are judged by the IPv4 address in them; Python judges the wrapping.
fn is_embedded(address: IpAddr) -> bool {
    let wrappings = ["::ffff:0:0/96", "64:ff9b::/96"];
    wrappings.iter().any(|range| range.parse::<IpNet>().expect("a range").contains(&address))
}

/// Addresses from everywhere and from every range of the table, and its edges; the same each run.
fn sample() -> Vec<IpAddr> {
    let rounds = std::env::var("SSRF_ADDRESSES").ok().and_then(|text| text.parse::<usize>().ok());
    let rounds = rounds.unwrap_or(50_000).div_ceil(RANDOM_EACH_ROUND);
    let mut state: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let mut random = move || {
        // Xorshift over 128 bits.
        state ^= state << 37;
        state ^= state >> 53;
        state ^= state << 101;
        state
    };
    let v4 = |bits: u128| IpAddr::from(Ipv4Addr::from_bits(bits as u32));
    let v6 = |bits: u128| IpAddr::from(Ipv6Addr::from_bits(bits));
    let mut addresses = Vec::new();
    for _ in 0..rounds {
        let bits = random();
        addresses.extend([v4(bits), v6(bits), v6(bits >> 3 | 1 << 125)]);
        addresses.extend([v6(0xffff << 32 | bits >> 96), v6(0x64_ff9b << 96 | bits >> 96)]);
    }
    for (text, _) in FORBIDDEN {
        let range: IpNet = text.parse().expect("a range");
        let (first, last, make): (u128, u128, &dyn Fn(u128) -> IpAddr) = match range {
            IpNet::V4(range) => {
                let (first, last) = (range.network(), range.broadcast());
                (first.to_bits().into(), last.to_bits().into(), &v4)
            }
            IpNet::V6(range) => (range.network().to_bits(), range.broadcast().to_bits(), &v6),
        };
        addresses.extend([first, last, first.wrapping_sub(1), last.wrapping_add(1)].map(make));
        let width = (last - first).saturating_add(1);
        addresses.extend((0..100).map(|_| make(first + random() % width)));
    }
    addresses
}

fn ask_python(addresses: &[IpAddr]) -> Vec<bool> {
    let mut python = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs python3");
    let mut input = python.stdin.take().expect("piped");
    let lines: String = addresses.iter().map(|address| format!("{address}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = python.wait_with_output().expect("python3 runs");
    writer.join().expect("no panic").expect("written");
    let answers = String::from_utf8(output.stdout).expect("text");
    let answers: Vec<bool> = answers.lines().map(|line| line == "1").collect();
    assert_eq!(answers.len(), addresses.len());
    answers
}
