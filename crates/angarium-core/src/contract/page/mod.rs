//! The page for a platform's customers: all that a contract says, in words, with examples that the
//! same code makes as real deliveries and real answers.
//!
//! Somebody reads it at night because deliveries fail. So it says what to do and when, in
//! sentences, and nothing that the contract does not have is mentioned. [`Page::markdown`] is its
//! text, [`Page::openapi`] the management calls for programs.

mod answers;
mod calls;
mod delivery;
mod errors;
mod events;
mod facts;
mod json;
mod keys;
mod limits;
mod managing;
mod markdown;
mod members;
mod openapi;
mod overview;
mod practice;
mod purposes;
mod requests;
mod sample;
mod semantics;
mod verifying;
mod words;

#[cfg(test)]
mod tests;

use super::{Contract, EventDescription, RequestShape};
use crate::limits::Limits;
use calls::Calls;
use markdown::{Markdown, plain};
use sample::Samples;
use serde_json::Value;
use std::sync::Arc;

/// What is said to the customers of one environment.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The environment's name for people.
    name: &'a str,
    /// Its contracts, the default one first.
    contracts: &'a [Arc<Contract>],
    /// The types that it has beside those of its contracts.
    own_events: &'a [EventDescription],
    /// Where its management calls are, without a slash at the end.
    base_url: &'a str,
    /// The limits in force.
    limits: &'a Limits,
}

impl<'a> Page<'a> {
    /// The page of an environment. `base_url` is printed as it is, so it must be a URL that needs
    /// no quotes in a command.
    pub fn new(
        name: &'a str,
        contracts: &'a [Arc<Contract>],
        base_url: &'a str,
        limits: &'a Limits,
    ) -> Self {
        Self { name, contracts, own_events: &[], base_url, limits }
    }

    /// With the types that the environment has beside those of its contracts.
    #[must_use]
    pub fn with_events(self, own_events: &'a [EventDescription]) -> Self {
        Self { own_events, ..self }
    }

    /// What the page is called.
    pub fn title(&self) -> String {
        match self.contracts {
            [one] => titled(one.title()),
            [] | [_, ..] => titled(self.name),
        }
    }

    /// The page as Markdown (CommonMark with tables).
    pub fn markdown(&self) -> String {
        let mut page = Markdown::default();
        page.heading(1, &plain(&self.title()));
        if let [one] = self.contracts {
            self.contract(&mut page, one);
            return page.finish();
        }
        overview::several(&mut page, self.contracts);
        for contract in self.contracts {
            page.set_depth(0);
            page.heading(2, &plain(contract.title()));
            page.set_depth(1);
            self.contract(&mut page, contract);
        }
        page.finish()
    }

    /// The management calls as a document of OpenAPI 3.1.
    pub fn openapi(&self) -> Value {
        openapi::document(&self.title(), self.contracts, self.base_url, self.limits)
    }

    fn contract(&self, page: &mut Markdown, contract: &Arc<Contract>) {
        let samples = Samples::of(contract);
        let calls = Calls::of(contract, self.base_url, &samples);
        overview::write(page, contract, &calls, self.base_url);
        events::write(page, contract, self.own_events, &samples);
        delivery::write(page, contract, &samples);
        managing::write(page, contract, &calls, self.limits);
        verifying::write(page, contract);
        semantics::write(page, contract, &calls);
        keys::write(page, contract, &calls);
        limits::write(page, contract, &calls, self.limits);
        practice::write(page, contract);
    }
}

/// The names of a request's parts whose meaning a contract can say.
pub(super) fn part_names(shape: &RequestShape) -> Vec<String> {
    members::names(shape)
}

/// `AIOKA webhooks`; a name that says it already is enough by itself.
fn titled(name: &str) -> String {
    match name.to_lowercase().ends_with("webhooks") {
        true => name.to_owned(),
        false => format!("{name} webhooks"),
    }
}
