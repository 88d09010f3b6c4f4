//! Which addresses may be dialled (reliability-security.md, S4).
//!
//! Only global unicast is open; everything else is closed until the operator opens its range. The
//! table is data, after the IANA registries of special-purpose addresses as of 2026-11. An address
//! is judged, never a name: names are judged here only where they cannot lead anywhere public.

use crate::destination::Host;
use crate::refusal::{Code, Refusal};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

/// Which addresses may be dialled: the table of forbidden ranges, less what the operator allows,
/// and what an environment denies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Ranges that the operator allows (`--allow-cidr`); each opens exactly itself.
    pub allowed: Vec<IpNet>,
    /// Ranges that an environment denies, whatever is allowed.
    pub denied: Vec<IpNet>,
}

/// Why an address is not dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} is in {range} ({why})")]
pub struct ForbiddenAddress {
    /// The address that was judged.
    pub address: IpAddr,
    /// The forbidden range.
    pub range: String,
    /// What the range is for.
    pub why: &'static str,
}

/// Forbidden ranges with what they are for; the first that contains an address names the reason.
/// The last three rows close whatever of IPv6 is not global unicast (`2000::/3`).
pub const FORBIDDEN: &[(&str, &str)] = &[
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private network"),
    ("100.64.0.0/10", "carrier-grade NAT"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "host channel of a cloud"),
    ("169.254.0.0/16", "link-local, cloud metadata"),
    ("172.16.0.0/12", "private network"),
    ("192.0.0.0/24", "protocol assignments"),
    ("192.0.2.0/24", "documentation"),
    ("192.31.196.0/24", "AS112 redirection"),
    ("192.52.193.0/24", "automatic multicast tunnelling"),
    ("192.88.99.0/24", "6to4 relay"),
    ("192.168.0.0/16", "private network"),
    ("192.175.48.0/24", "AS112 redirection"),
    ("198.18.0.0/15", "benchmarks"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "broadcast"),
    ("240.0.0.0/4", "reserved"),
    ("::1/128", "loopback"),
    ("64:ff9b:1::/48", "translation inside a site"),
    ("::/8", "reserved, or an IPv4 address in disguise"),
    ("100::/64", "discard only"),
    ("100:0:0:1::/64", "dummy prefix"),
    ("2001::/32", "Teredo tunnelling"),
    ("2001::/23", "protocol assignments"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4 tunnelling"),
    ("2620:4f:8000::/48", "AS112 redirection"),
    ("3fff::/20", "documentation"),
    ("5f00::/16", "segment routing"),
    ("fc00::/7", "private network"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
    ("::/3", "not global unicast"),
    ("4000::/2", "not global unicast"),
    ("8000::/1", "not global unicast"),
];

struct ForbiddenRange {
    range: IpNet,
    text: &'static str,
    why: &'static str,
}

static RANGES: LazyLock<Vec<ForbiddenRange>> = LazyLock::new(|| {
    let parse = |(text, why): &(&'static str, &'static str)| ForbiddenRange {
        range: text.parse().expect("every row of the table is a range"),
        text,
        why,
    };
    FORBIDDEN.iter().map(parse).collect()
});

/// What has to be open before a special name passes.
enum Opening {
    /// A range with a loopback address.
    Loopback,
    /// Any range: the operator has a private network that such names live in.
    AnyRange,
    /// Nothing opens it.
    Never,
}

/// Names that never lead to a public address, with their subdomains (RFC 6761, 6762, 7686, 8375,
/// ICANN's `internal`).
const SPECIAL_NAMES: &[(&str, Opening)] = &[
    ("localhost", Opening::Loopback),
    ("local", Opening::AnyRange),
    ("internal", Opening::AnyRange),
    ("home.arpa", Opening::AnyRange),
    ("onion", Opening::Never),
];

/// Addresses that `localhost` stands for; it is never looked up (RFC 6761).
pub const LOOPBACK: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

impl AddressPolicy {
    /// With these ranges open beside the public ones.
    pub fn allowing(ranges: Vec<IpNet>) -> Self {
        Self { allowed: ranges, denied: Vec::new() }
    }

    /// Whether an address may be dialled. An IPv4 address inside an IPv6 one (mapped, or NAT64 of
    /// the well-known prefix) is judged as IPv4; every other embedding is forbidden. What is denied
    /// is so in either form.
    ///
    /// # Errors
    /// The range that forbids it.
    pub fn judge(&self, address: IpAddr) -> Result<(), ForbiddenAddress> {
        let whole = address;
        let address = unwrap_embedded(address);
        let denied = |range: &IpNet| range.contains(&address) || range.contains(&whole);
        if self.denied.iter().any(denied) {
            // Which range is the operator's own affair.
            let (range, why) = ("a closed range".to_owned(), "denied by the operator");
            return Err(ForbiddenAddress { address, range, why });
        }
        if self.allowed.iter().any(|range| range.contains(&address)) {
            return Ok(());
        }
        match RANGES.iter().find(|row| row.range.contains(&address)) {
            None => Ok(()),
            Some(row) => {
                Err(ForbiddenAddress { address, range: row.text.to_owned(), why: row.why })
            }
        }
    }

    /// Judges what a URL's host says by itself: a literal address, or a special name. Other names
    /// are judged by their addresses when connecting (contracts.md, G5).
    ///
    /// # Errors
    /// `forbidden_address` at `url`.
    pub fn judge_host(&self, host: &Host) -> Result<(), Refusal> {
        match host {
            Host::Address(address) => self
                .judge(*address)
                .map_err(|forbidden| refuse(format!("{forbidden}; nothing is sent there"))),
            Host::Name(name) => self.judge_name(name),
        }
    }

    fn judge_name(&self, name: &str) -> Result<(), Refusal> {
        let special = SPECIAL_NAMES.iter().find(|(suffix, _)| is_below(name, suffix));
        let Some((suffix, opening)) = special else {
            return Ok(());
        };
        let open = match opening {
            Opening::Loopback => LOOPBACK.iter().any(|address| self.judge(*address).is_ok()),
            Opening::AnyRange => !self.allowed.is_empty(),
            Opening::Never => false,
        };
        if open {
            return Ok(());
        }
        Err(refuse(format!(
            "names under {suffix} lead to no public address; deliveries go to public addresses only"
        )))
    }
}

/// Whether a name is `localhost` or below it, and so stands for [`LOOPBACK`].
pub fn is_localhost(name: &str) -> bool {
    is_below(name, "localhost")
}

fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn refuse(message: String) -> Refusal {
    Refusal::field(Code::ForbiddenAddress, "url", message)
}

/// Takes the IPv4 address out of `::ffff:0:0/96` and `64:ff9b::/96`.
fn unwrap_embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)).into()
        }
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    fn opened(ranges: &[&str]) -> AddressPolicy {
        AddressPolicy::allowing(ranges.iter().map(|r| r.parse().expect(r)).collect())
    }

    #[test]
    fn the_edges_of_every_range_are_forbidden() {
        let policy = AddressPolicy::default();
        for (text, _) in FORBIDDEN {
            let range: IpNet = text.parse().expect(text);
            // The mapped block is judged as IPv4, and its middle may be public.
            for edge in [range.network(), range.broadcast()] {
                assert!(policy.judge(edge).is_err(), "{edge} of {text}");
            }
        }
    }

    #[test]
    fn metadata_services_of_clouds_are_forbidden() {
        let policy = AddressPolicy::default();
        for metadata in [
            "169.254.169.254",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "fd00:ec2::254",
            "::ffff:168.63.129.16",
        ] {
            assert!(policy.judge(address(metadata)).is_err(), "{metadata}");
        }
    }

    #[test]
    fn public_addresses_are_open_also_beside_the_ranges() {
        let policy = AddressPolicy::default();
        for open in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "8.8.8.8",
            "2000::",
            "2001:200::",
            "2003::",
            "2606:4700::1111",
            "2620:4f:8001::",
            "3fff:1000::",
            "3ffe:ffff::",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(policy.judge(address(open)), Ok(()), "{open}");
        }
    }

    #[test]
    fn an_embedded_ipv4_address_is_judged_as_ipv4_or_refused() {
        let policy = AddressPolicy::default();
        for closed in [
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:0:8.8.8.8",
            "64:ff9b:1::8.8.8.8",
            "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
            "2002:7f00:1::",
            "2001:0:4136:e378::",
        ] {
            assert!(policy.judge(address(closed)).is_err(), "{closed}");
        }
        let loopback = opened(&["127.0.0.0/8"]);
        assert_eq!(loopback.judge(address("::ffff:127.0.0.1")), Ok(()));
    }

    #[test]
    fn an_opened_range_opens_exactly_itself() {
        let policy = opened(&["10.1.0.0/16", "::/0"]);
        assert_eq!(policy.judge(address("10.1.255.255")), Ok(()));
        for closed in ["10.0.255.255", "10.2.0.0", "127.0.0.1", "::ffff:127.0.0.1"] {
            assert!(policy.judge(address(closed)).is_err(), "{closed}");
        }
    }

    #[test]
    fn a_special_name_passes_only_where_the_operator_opened_its_network() {
        let name = |text: &str| Host::Name(text.into());
        let (closed, loopback, private) =
            (AddressPolicy::default(), opened(&["127.0.0.0/8"]), opened(&["10.0.0.0/8"]));
        let rows = [
            ("localhost", false, true, false),
            ("a.localhost", false, true, false),
            ("printer.local", false, true, true),
            ("metadata.google.internal", false, true, true),
            ("nas.home.arpa", false, true, true),
            ("abc.onion", false, false, false),
            ("notlocalhost", true, true, true),
            ("local.example", true, true, true),
        ];
        for (text, by_default, with_loopback, with_private) in rows {
            let passes = |policy: &AddressPolicy| policy.judge_host(&name(text)).is_ok();
            assert_eq!(passes(&closed), by_default, "{text} by default");
            assert_eq!(passes(&loopback), with_loopback, "{text} with loopback");
            assert_eq!(passes(&private), with_private, "{text} with 10.0.0.0/8");
        }
        let refusal = closed.judge_host(&name("localhost")).expect_err("closed");
        assert_eq!(refusal.code, Code::ForbiddenAddress);
    }

    proptest! {
        #[test]
        fn ipv6_is_open_only_in_global_unicast_or_as_embedded_ipv4(bits: u128) {
            let v6 = Ipv6Addr::from_bits(bits);
            if AddressPolicy::default().judge(v6.into()).is_ok() {
                let embedded = unwrap_embedded(v6.into()).is_ipv4();
                prop_assert!(embedded || bits >> 125 == 1);
            }
        }
    }
}
