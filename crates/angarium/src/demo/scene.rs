//! Who takes part in the demo: for each contract an environment with a tenant and its endpoints.

use super::verify::Scheme;

/// One endpoint of the demo. Its name is also the path at the receiver.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene {
    /// The endpoint's name.
    pub(super) endpoint: &'static str,
    /// Contract, and slug of its environment.
    pub(super) contract: &'static str,
    /// Which receiver it has.
    pub(super) receiver: Receiver,
    /// How the receiver behaves.
    pub(super) conduct: Conduct,
    /// How the receiver verifies.
    pub(super) scheme: Scheme,
    /// Whose key signs.
    pub(super) key: KeyScope,
}

/// Whose key signs the deliveries of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyScope {
    /// The endpoint's, shown when it is made.
    Endpoint,
    /// The tenant's, asked for once the endpoint is made.
    Tenant,
    /// The endpoint's, chosen by the customer: the contract signs only for those who have one.
    Given,
    /// Nobody's.
    None,
}

/// Which of the two receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receiver {
    /// With a certificate of the demo's own CA.
    Https,
    /// In the clear.
    Http,
}

/// How a receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conduct {
    /// Takes what it can verify.
    Steady,
    /// Answers the first two attempts of every event with 503.
    FailsTwice,
}

/// The tenant of every environment.
pub(super) const TENANT: &str = "acme";

const fn scene(contract: &'static str, receiver: Receiver, scheme: Scheme) -> Scene {
    Scene {
        endpoint: contract,
        contract,
        receiver,
        conduct: Conduct::Steady,
        scheme,
        key: KeyScope::Endpoint,
    }
}

const fn hex(header: &'static str, prefix: &'static str) -> Scheme {
    Scheme::Hex { header, prefix }
}

/// Everyone.
pub(super) const SCENES: &[Scene] = &[
    scene("standard", Receiver::Http, Scheme::Standard),
    Scene {
        endpoint: "standard-flaky",
        conduct: Conduct::FailsTwice,
        ..scene("standard", Receiver::Https, Scheme::Standard)
    },
    Scene { key: KeyScope::Tenant, ..scene("aleta", Receiver::Https, Scheme::Aleta) },
    scene("aioka", Receiver::Https, hex("x-aioka-signature", "")),
    Scene { key: KeyScope::None, ..scene("anduin-legacy", Receiver::Http, Scheme::Unsigned) },
    scene("anduin", Receiver::Https, Scheme::Standard),
    Scene {
        key: KeyScope::Given,
        ..scene("quantfolio", Receiver::Https, hex("x-quantfolio-signature-256", "sha256="))
    },
    scene("alumia", Receiver::Http, hex("x-alumia-signature", "sha256=")),
];

/// The contracts, each once, in the order of the scenes.
pub(super) fn contracts() -> Vec<&'static str> {
    let mut contracts: Vec<_> = SCENES.iter().map(|scene| scene.contract).collect();
    contracts.dedup();
    contracts
}
