//! Tests of the page.
use super::*;
use crate::contract::ContractLibrary;

#[test]
fn look() {
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    for contract in library.iter() {
        let limits = Limits::default();
        let contracts = [Arc::clone(contract)];
        let page = Page::new(contract.title(), &contracts, "http://localhost:8080/e/x", &limits);
        std::fs::write(format!("/tmp/page-{}.md", contract.name()), page.markdown()).expect("w");
        std::fs::write(format!("/tmp/page-{}.json", contract.name()), page.openapi().to_string())
            .expect("w");
    }
}
