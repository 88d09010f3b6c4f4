//! Which addresses may be dialled (reliability-security.md, S4).

use ipnet::IpNet;
use std::net::IpAddr;

/// The egress policy on addresses: the table of forbidden ranges, less what the operator allows.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    /// Ranges that the operator allows (`--allow-cidr`).
    pub allowed: Vec<IpNet>,
}

/// Why an address is not dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} is in {range} ({why})")]
pub struct ForbiddenAddress {
    /// The address that was judged.
    pub address: IpAddr,
    /// The forbidden range.
    pub range: &'static str,
    /// What the range is for.
    pub why: &'static str,
}
