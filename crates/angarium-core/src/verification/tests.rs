//! The printed programs, kept as snapshots; what they do is shown where they run
//! (`crates/angarium/tests/promises/verification.rs`).

use super::*;
use crate::contract::ContractLibrary;
use crate::limits::Limits;

fn library() -> ContractLibrary {
    ContractLibrary::built_in(&Limits::default()).expect("built-in contracts")
}

#[test]
fn every_signing_contract_has_code_in_every_language() {
    for contract in library().iter() {
        let signs = contract.key_rule().is_some();
        for language in Language::ALL {
            let code = code(contract, language);
            assert_eq!(code.is_some(), signs, "{} {}", contract.name(), language.name());
            if let Some(code) = code {
                insta::assert_snapshot!(format!("{}.{}", contract.name(), language.slug()), code);
            }
        }
    }
}
