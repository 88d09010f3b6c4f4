//! Addresses, under the server's rule and an environment's: IPv4 in a disguise is judged as IPv4,
//! and what an environment says opens nothing that the operator has not.
#![no_main]

use angarium_core::address::AddressPolicy;
use angarium_core::egress::{EgressPolicy, EgressSettings, WrittenSettings};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Arbitrary, Debug)]
struct Question<'a> {
    address: [u8; 16],
    is_ipv4: bool,
    opened: Option<([u8; 16], u8)>,
    allowed: Vec<&'a str>,
    denied: Vec<&'a str>,
}

fuzz_target!(|question: Question<'_>| {
    let [a, b, c, d, ..] = question.address;
    let ipv4 = Ipv4Addr::new(a, b, c, d);
    let ipv6 = Ipv6Addr::from(question.address);
    let address = if question.is_ipv4 { IpAddr::V4(ipv4) } else { IpAddr::V6(ipv6) };
    let closed = AddressPolicy::default();
    if closed.judge(address).is_ok() {
        assert!(is_public(address), "{address}");
    }
    let mapped = IpAddr::V6(ipv4.to_ipv6_mapped());
    assert_eq!(closed.judge(mapped).is_ok(), closed.judge(IpAddr::V4(ipv4)).is_ok(), "{mapped}");

    let opened = question.opened.map(|(network, prefix)| {
        let network = IpAddr::V6(Ipv6Addr::from(network));
        ipnet::IpNet::new(network, prefix % 129).expect("a prefix of at most 128").trunc()
    });
    let operator = EgressPolicy::of_server(AddressPolicy::allowing(opened.into_iter().collect()));
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let written = WrittenSettings {
        allow_cidrs: Some(texts(&question.allowed)),
        deny_cidrs: texts(&question.denied),
        ..WrittenSettings::default()
    };
    if let Ok(settings) = EgressSettings::try_new(written) {
        let narrowed = operator.narrowed(&settings);
        if narrowed.addresses.judge(address).is_ok() {
            let judged = operator.addresses.judge(address);
            judged.expect("an environment opens nothing that the operator has not");
        }
    }
});

/// By the standard library's words for addresses, another table than the one that is tried.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_broadcast()
                || ip.is_documentation()
                || ip.is_multicast()
                || ip.is_unspecified())
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped().or_else(|| translated(ip)) {
            Some(ipv4) => is_public(IpAddr::V4(ipv4)),
            None => ip.segments()[0] & 0xe000 == 0x2000,
        },
    }
}

/// The address behind the well-known prefix of NAT64 (RFC 6052).
fn translated(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [prefix @ .., a, b, c, d] = ip.octets();
    let well_known = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
    (prefix == well_known).then_some(Ipv4Addr::new(a, b, c, d))
}
