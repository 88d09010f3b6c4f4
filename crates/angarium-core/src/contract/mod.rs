//! The contract language: one declarative file says everything that a platform published.
//!
//! A contract is read once, at start, and compiled: what an attempt costs is copying bytes. A
//! mistake in a file is refused with its line; nothing in a file is ignored.

pub mod api;
mod body;
mod describe;
mod file;
mod health;
mod key;
mod library;
pub mod page;
mod rules;
mod signature;
mod signer;
mod sources;
mod template;
mod time_form;
mod weakness;

#[cfg(test)]
mod tests;

pub use health::{DisableAfter, HealthPolicy, WhileDisabled};
pub use key::{KeyPresence, KeyRule, KeyScope};
pub use library::ContractLibrary;
pub use rules::{EndpointRules, TextPresence, TextRule, TypesRule, ValidationRule};
pub use signer::{Signer, TenantSigner};
pub use sources::{LibraryRule, SourceRules};
pub use time_form::TimeForm;
pub use weakness::{ContractWarning, Weakness};

pub(crate) use signature::SignatureRule;
pub(crate) use signer::Signed;
pub(crate) use template::{Facts, Place};

use crate::account::EventTypeConfig;
use crate::declared::Mistake;
use crate::delivery::{DeadLetterPolicy, GonePolicy};
use crate::endpoint::DeliveryMethod;
use crate::event::EventType;
use crate::gate::BreakerRule;
use crate::lane::Ordering;
use crate::retry::{RetryAfterBounds, RetryPolicy};
use api::ManagementApi;
use http::HeaderName;
use serde_json::Value;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The time limits that an attempt may have.
pub(crate) const TIMEOUTS: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(30);

/// A contract, compiled once at load.
#[derive(Debug)]
pub struct Contract {
    file: Box<str>,
    text: Box<str>,
    name: String,
    title: String,
    description: Option<String>,
    plans: Vec<Box<str>>,
    events: Vec<EventDescription>,
    pub(crate) request: RequestShape,
    pub(crate) signatures: Vec<SignatureRule>,
    keys: Option<KeyRule>,
    timeout: Duration,
    retry: RetryPolicy,
    retry_after: Option<RetryAfterBounds>,
    gone: Option<GonePolicy>,
    ordering: Option<Ordering>,
    after_dead_letter: Option<DeadLetterPolicy>,
    breaker: Option<BreakerRule>,
    health: HealthPolicy,
    rules: EndpointRules,
    sources: SourceRules,
    api: Option<ManagementApi>,
}

/// An event type of a contract's catalog.
#[derive(Debug, Clone, PartialEq)]
pub struct EventDescription {
    /// The type.
    pub name: EventType,
    /// When it happens, for people.
    pub description: String,
    /// An example of the data: JSON text, members in the order of the file.
    pub example: String,
    /// JSON Schema of the data.
    pub schema: Option<serde_json::Value>,
}

/// A type that an environment has beside those of its contracts.
impl From<&EventTypeConfig> for EventDescription {
    fn from(config: &EventTypeConfig) -> Self {
        Self {
            name: EventType::from_stored(&config.name),
            description: config.description.clone(),
            example: config.example.as_ref().map_or_else(|| "{}".to_owned(), Value::to_string),
            schema: config.schema.clone(),
        }
    }
}

/// The request of a delivery, but for its signatures.
#[derive(Debug)]
pub(crate) struct RequestShape {
    pub(crate) methods: Vec<DeliveryMethod>,
    /// The body of a POST; there if the methods have POST.
    pub(crate) body: Option<body::Body>,
    /// The query parameters of a GET, names escaped.
    pub(crate) query: Vec<(Box<str>, template::TextTemplate)>,
    pub(crate) headers: Vec<(HeaderName, template::TextTemplate)>,
    /// The names of the headers as the file writes them; on the wire they have no case.
    pub(crate) written_headers: Vec<Box<str>>,
    /// Whether the headers that a source kept of what it received are sent along.
    pub(crate) received_headers: bool,
    /// What parts of it mean, for people, by name: members of the body, parameters, headers.
    pub(crate) meanings: Vec<(Box<str>, Box<str>)>,
    pub(crate) content_type: Option<template::TextTemplate>,
    /// How a time is written where the publisher gave none.
    pub(crate) time: TimeForm,
}

impl Contract {
    /// A mistake that shows only beside other contracts, at a path of the file.
    pub fn mistake(
        &self,
        path: &[&str],
        reason: impl Into<String>,
        cure: impl Into<String>,
    ) -> Mistake {
        Mistake::at(&self.file, &self.text, path, reason, cure)
    }

    /// The file's own text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its name, unique on a server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What it is about, for people: paragraphs with an empty line between.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The platform's plans, the lowest first; empty where it has none.
    pub fn plans(&self) -> &[Box<str>] {
        &self.plans
    }

    /// The catalog, in the order of the file.
    pub fn events(&self) -> &[EventDescription] {
        &self.events
    }

    /// Time limit of one attempt.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The retry schedule.
    pub fn retry(&self) -> &RetryPolicy {
        &self.retry
    }

    /// Within which bounds a receiver's `Retry-After` defers a retry; none where the schedule is
    /// kept to the letter.
    pub fn retry_after(&self) -> Option<RetryAfterBounds> {
        self.retry_after
    }

    /// What an answer 410 means; none where it says nothing, which is a failure like any other.
    pub fn gone(&self) -> Option<GonePolicy> {
        self.gone
    }

    /// What it says about signing keys; `None` where deliveries are not signed.
    pub fn key_rule(&self) -> Option<&KeyRule> {
        self.keys.as_ref()
    }

    /// What an endpoint may be.
    pub fn rules(&self) -> &EndpointRules {
        &self.rules
    }

    /// What a source may be.
    pub fn sources(&self) -> &SourceRules {
        &self.sources
    }

    /// What an endpoint's deliveries are ordered by; none where it says nothing, which is by
    /// nothing.
    pub fn ordering(&self) -> Option<&Ordering> {
        self.ordering.as_ref()
    }

    /// What follows in a lane after a dead letter; none where it says nothing, which is the next
    /// delivery.
    pub fn after_dead_letter(&self) -> Option<DeadLetterPolicy> {
        self.after_dead_letter
    }

    /// When a failing endpoint is left alone; none where the schedule is kept to the letter.
    pub fn breaker(&self) -> Option<BreakerRule> {
        self.breaker
    }

    /// When an endpoint is switched off, and what becomes of its events then.
    pub fn health(&self) -> HealthPolicy {
        self.health
    }

    /// The calls of the platform's customers, if it has published some.
    pub fn api(&self) -> Option<&ManagementApi> {
        self.api.as_ref()
    }

    /// The methods that an endpoint may choose; the first is the default.
    pub fn methods(&self) -> &[DeliveryMethod] {
        &self.request.methods
    }

    /// The headers that the contract itself sets.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = &HeaderName> {
        let signed = self.signatures.iter().map(|rule| &rule.header);
        self.request.headers.iter().map(|(name, _)| name).chain(signed)
    }

    /// A header as the file writes it, such as `X-AIOKA-Signature`.
    pub(crate) fn written_header<'a>(&'a self, name: &'a HeaderName) -> &'a str {
        let signed = self.signatures.iter().map(|rule| &rule.written_header);
        let mut written = self.request.written_headers.iter().chain(signed);
        let found = written.find(|written| written.eq_ignore_ascii_case(name.as_str()));
        found.map_or(name.as_str(), |written| written)
    }
}
