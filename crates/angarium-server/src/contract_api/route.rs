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
