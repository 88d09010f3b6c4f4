//! A contract's file: whatever stands there is a contract or a list of mistakes.
#![no_main]

use angarium_core::contract::Contract;
use angarium_core::limits::Limits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(contract) = Contract::parse("fuzz.toml", text, &Limits::default()) {
        let _ = contract.to_string();
    }
});
