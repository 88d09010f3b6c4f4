//! Which call of which contract a request is.

use super::call::ContractCall;
use crate::api::App;
use angarium_core::account::Environment;
use angarium_core::contract::Contract;
use angarium_core::contract::api::{Found, ManagementApi};
use http::Method;
use std::sync::Arc;

/// The contracts of an environment that have a management API, the default one first.
#[derive(Debug)]
pub(super) struct Served(Vec<Arc<Contract>>);

/// What is found at a path.
#[derive(Debug)]
pub(super) enum Routed<'a> {
    /// A call.
    Call(ContractCall<'a>),
    /// The path is there, the method is not; these are.
    WrongMethod(Vec<&'a Method>),
    /// Nothing.
    Nothing,
}

impl Served {
    pub(super) fn of(app: &App, environment: &Environment) -> Self {
        let named = environment.contracts.iter().filter_map(|name| app.contracts.get(name));
        Self(named.filter(|contract| contract.api().is_some()).cloned().collect())
    }

    /// The API in whose words it is said that there is no such call.
    pub(super) fn default_api(&self) -> Option<&ManagementApi> {
        self.0.first()?.api()
    }

    /// What a request calls. A path in the very words of a contract comes before one that reads
    /// these words as an id; two that are alike there never are (see [`super::collision`]).
    pub(super) fn find<'a>(&'a self, method: &Method, path: &'a str) -> Routed<'a> {
        // Whoever asks for the head of an answer calls what gives the answer.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let (mut by_id, mut methods) = (None, Vec::new());
        for contract in &self.0 {
            let Some(api) = contract.api() else { continue };
            match api.find(method, path) {
                Found::Route(route, call, id) => {
                    let found = ContractCall { contract, api, route, call, id };
                    match id {
                        None => return Routed::Call(found),
                        Some(_) => by_id = by_id.or(Some(found)),
                    }
                }
                Found::WrongMethod(known) => methods.extend(known),
                Found::Nothing => {}
            }
        }
        match by_id {
            Some(found) => Routed::Call(found),
            None if methods.is_empty() => Routed::Nothing,
            None => Routed::WrongMethod(methods),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use angarium_core::limits::Limits;

    fn contract(name: &str, routes: &[(&str, &str)]) -> Arc<Contract> {
        let mut text = format!(
            r#"
            contract = "{name}"
            title = "T"
            events."a.b" = {{ description = "Something.", example = {{}} }}
            [request]
            body = "{{event.data}}"
            [delivery]
            timeout = "5s"
            retries = ["1s"]
            [endpoint]
            schemes = ["https"]
            [api.auth]
            header = "X-Key"
            "#
        );
        for (call, does) in routes {
            text += &format!("[[api.route]]\ncall = \"{call}\"\ndoes = \"{does}\"\n");
            if *does != "endpoint.delete" {
                text += "response = { ok = true }\n";
            }
        }
        let contract = Contract::parse("test.toml", &text, &Limits::default());
        Arc::new(contract.expect("a contract"))
    }

    #[test]
    fn a_path_in_a_contracts_own_words_comes_before_one_that_reads_them_as_an_id() {
        let served = Served(vec![
            contract("one", &[("GET /hooks/{id}", "endpoint.get")]),
            contract("two", &[("GET /hooks/all", "endpoint.list")]),
            contract("three", &[("DELETE /hooks/{id}", "endpoint.delete")]),
        ]);
        let rows = [
            ("GET", "/hooks/all", "two"),
            ("HEAD", "/hooks/all", "two"),
            ("GET", "/hooks/a", "one a"),
            ("DELETE", "/hooks/all", "three all"),
            ("PUT", "/hooks/a", "GET DELETE"),
            ("GET", "/hooks", ""),
            ("GET", "/hooks/", ""),
            ("GET", "hooks/a", ""),
        ];
        for (method, path, expected) in rows {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let found = match served.find(&method, path) {
                Routed::Call(ContractCall { contract, id, .. }) => {
                    [contract.name(), id.unwrap_or_default()].join(" ").trim().to_owned()
                }
                Routed::WrongMethod(methods) => {
                    methods.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(" ")
                }
                Routed::Nothing => String::new(),
            };
            assert_eq!(found, expected, "{method} {path}");
        }
    }
}
