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

#[cfg(test)]
mod tests {
    use super::*;
    use angarium_core::limits::Limits;

    #[test]
    fn two_contracts_with_the_same_call_are_named_with_it() {
        let limits = Limits::default();
        let mut library = ContractLibrary::built_in(&limits).expect("built-in contracts");
        let aleta = include_str!("../../../../contracts/aleta.toml");
        let twin = aleta.replace("contract = \"aleta\"", "contract = \"twin\"");
        library.add("twin.toml", &twin, &limits).expect("a contract");
        let first = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            first_collision(&names, &library)
        };
        assert_eq!(first(&["aleta", "aioka", "anduin", "anduin-legacy", "standard"]), None);
        let found = first(&["aioka", "aleta", "unheard", "twin"]).expect("a collision");
        assert_eq!((&*found.one, &*found.other), ("aleta", "twin"));
        assert_eq!(found.call, "GET /v2/webhooks/keys");
    }
}
