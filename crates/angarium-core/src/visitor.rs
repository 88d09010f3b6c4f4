//! Who stands behind an address, as far as limits for each of them go.

use std::net::{IpAddr, Ipv6Addr};

/// Bits of an IPv6 address that a network gives to one customer at the least (RFC 6177).
const OF_ONE: u32 = 64;

/// An address to count by: whoever has one IPv6 address has its whole /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Visitor(IpAddr);

impl From<IpAddr> for Visitor {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            IpAddr::V6(v6) => {
                let network = v6.to_bits() >> (128 - OF_ONE) << (128 - OF_ONE);
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_visitor_and_others_are_not() {
        let visitor = |text: &str| Visitor::from(text.parse::<IpAddr>().expect("an address"));
        let rows = [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ];
        for (one, other, alike) in rows {
            assert_eq!(visitor(one) == visitor(other), alike, "{one} {other}");
        }
    }
}
