//! The contracts of a server: the built-in ones, and those that an operator adds.

use super::Contract;
use crate::declared::Mistakes;
use crate::limits::Limits;
use std::collections::BTreeMap;
use std::sync::Arc;

macro_rules! built_in {
    ($($file:literal),* $(,)?) => {
        /// The files at the repository's root, each beside the page that it was written from.
        const BUILT_IN: &[(&str, &str)] =
            &[$(($file, include_str!(concat!("../../../../", $file)))),*];
    };
}

built_in![
    "contracts/standard.toml",
    "contracts/forward.toml",
    "contracts/aleta.toml",
    "contracts/aioka.toml",
    "contracts/alumia.toml",
    "contracts/anduin.toml",
    "contracts/anduin-legacy.toml",
    "contracts/quantfolio.toml",
];

/// Contracts by name.
#[derive(Debug, Clone, Default)]
pub struct ContractLibrary {
    contracts: BTreeMap<String, Arc<Contract>>,
}

impl ContractLibrary {
    /// The built-in contracts.
    ///
    /// # Errors
    /// When the limits are set so low that a built-in contract breaks one.
    pub fn built_in(limits: &Limits) -> Result<Self, Mistakes> {
        let mut library = Self::default();
        for (file, text) in BUILT_IN {
            library.add(file, text, limits)?;
        }
        Ok(library)
    }

    /// Adds a contract; one of the same name is replaced.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn add(
        &mut self,
        file: &str,
        text: &str,
        limits: &Limits,
    ) -> Result<Arc<Contract>, Mistakes> {
        let contract = Arc::new(Contract::parse(file, text, limits)?);
        self.contracts.insert(contract.name().to_owned(), Arc::clone(&contract));
        Ok(contract)
    }

    /// The contract of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Contract>> {
        self.contracts.get(name)
    }

    /// Every contract, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Contract>> {
        self.contracts.values()
    }
}
