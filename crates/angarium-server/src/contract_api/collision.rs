//! Contracts that cannot stand side by side: a server could not tell their calls apart.

use angarium_core::contract::api::collision;
use angarium_core::contract::{Contract, ContractLibrary};

/// Two contracts of one environment that have the same call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Collision {
    /// The one that comes first.
    pub(crate) one: String,
    /// The other.
    pub(crate) other: String,
    /// The call, as the one writes it.
    pub(crate) call: String,
}

/// The first call that two of these contracts have both: the same method, and paths that differ in
/// nothing, or only in how they name an id. Contracts that are not loaded are passed over.
pub(crate) fn first_collision(names: &[String], library: &ContractLibrary) -> Option<Collision> {
    let contracts: Vec<&Contract> =
        names.iter().filter_map(|name| library.get(name)).map(AsRef::as_ref).collect();
    contracts.iter().enumerate().find_map(|(place, one)| {
        contracts[place + 1..].iter().find_map(|other| {
            Some(Collision {
                call: collision(one.api()?, other.api()?)?.to_string(),
                one: one.name().to_owned(),
                other: other.name().to_owned(),
            })
        })
    })
}
