//! A delivery as it will arrive: a sample event through the same code that builds real requests,
//! signed with a sample key.

use super::members::{self, Member};
use crate::contract::template::Placeholder;
use crate::contract::{Contract, EventDescription, KeyScope, Signer};
use crate::destination::Scheme;
use crate::endpoint::{DeliveryMethod, Endpoint, EndpointConfig, EndpointSecrets, PlainHttp};
use crate::event::{DataKind, Event, NewEvent};
use crate::id::{EndpointId, EventKey, SigningKeyId, SourceId, TenantNo};
use crate::limits::Limits;
use crate::request::{self, OutgoingRequest};
use crate::secret::{SecretText, SigningKey};
use crate::source::{DEDUPE_SECONDS, Forward, SchemeChoice, SourceConfig, SourceStatus};
use crate::subscription::{Subscription, TypePattern};
use crate::time::Timestamp;
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// When the samples happen: 2026-04-20T14:32:00Z.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_776_695_520_000);
/// Stands for what a contract's examples do not name.
const STAND_IN: &str = "1042";
/// The number of the sample's delivery.
const SEQUENCE: u64 = 42;

/// Samples of a contract.
#[derive(Debug)]
pub(super) struct Samples<'a> {
    contract: &'a Arc<Contract>,
    /// What carries facts of an event, in the body and in the query.
    members: Vec<Member>,
    /// The catalog's examples.
    examples: Vec<Value>,
    key: Option<SigningKey>,
}

impl<'a> Samples<'a> {
    pub(super) fn of(contract: &'a Arc<Contract>) -> Self {
        let key = contract.key_rule().map(|rule| SigningKey {
            id: SigningKeyId::from_bytes(digits(0x6b)),
            secret: rule.generate_key(&digits(0x57)),
            created_at: NOW,
            retired_at: None,
            signs_until: None,
        });
        let mut members = members::of_body(&contract.request);
        members.extend(members::of_query(&contract.request));
        let examples = contract.events().iter().map(example).collect();
        Self { contract, members, examples, key }
    }

    /// The key that signs the samples.
    pub(super) fn secret(&self) -> Option<&SecretText> {
        self.key.as_ref().map(|key| &key.secret)
    }

    /// The sample's signing key.
    pub(super) fn key(&self) -> Option<&SigningKey> {
        self.key.as_ref()
    }

    /// The key that the sample's took the place of.
    pub(super) fn retired_key(&self) -> Option<SigningKey> {
        let rule = self.contract.key_rule()?;
        Some(SigningKey {
            id: SigningKeyId::from_bytes(digits(0x72)),
            secret: rule.generate_key(&digits(0x4f)),
            created_at: NOW - Duration::from_hours(24 * 90),
            retired_at: Some(NOW),
            signs_until: None,
        })
    }

    /// What a sample is about.
    pub(super) fn subject(&self) -> String {
        let mut subjects = self.examples.iter();
        let named = subjects.find_map(|example| self.fact(&Placeholder::Subject, example));
        named.map_or_else(|| STAND_IN.to_owned(), Into::into)
    }

    /// An endpoint, as the management calls show it.
    pub(super) fn endpoint(&self) -> EndpointConfig {
        let scheme = match self.contract.rules().schemes.contains(&Scheme::Https) {
            true => "https",
            false => "http",
        };
        let limits = Limits::default();
        let types = self.types();
        let types = types.iter().filter_map(|name| TypePattern::try_new(name, &limits).ok());
        let scope = self.contract.key_rule().map(|rule| rule.scope);
        let own = self.key.iter().filter(|_| scope == Some(KeyScope::Endpoint));
        EndpointConfig {
            secrets: EndpointSecrets { keys: own.cloned().collect(), ..EndpointSecrets::default() },
            ..EndpointConfig::new(
                EndpointId::from_bytes(digits(0x65)),
                TenantNo::new(1),
                self.contract.name().to_owned(),
                format!("{scheme}://example.com/webhooks"),
                Subscription { types: types.collect(), ..Subscription::default() },
                NOW,
            )
        }
    }

    /// A source that forwards to where an endpoint would deliver.
    pub(super) fn source(&self, endpoint: &EndpointConfig) -> SourceConfig {
        let default = self.contract.sources().default.as_deref().unwrap_or("standard");
        SourceConfig {
            id: SourceId::from_bytes(digits(0x73)),
            tenant: TenantNo::new(1),
            name: "Sample".to_owned(),
            scheme: SchemeChoice::Named(default.to_owned()),
            types: endpoint.subscription.types.clone(),
            contract: Some(self.contract.name().to_owned()),
            forward: Forward { endpoint: endpoint.id, url: Some(endpoint.url.clone()) },
            headers: Vec::new(),
            dedupe_seconds: DEDUPE_SECONDS,
            reply: None,
            description: None,
            status: SourceStatus::Active,
            created_at: NOW,
            updated_at: NOW,
            keys: Vec::new(),
        }
    }

    /// What a sample subscribes to: the first two types.
    pub(super) fn types(&self) -> Vec<&'a str> {
        self.contract.events().iter().take(2).map(|event| event.name.as_str()).collect()
    }

    /// The request that carries an event of the catalog; none where the contract cannot make one.
    pub(super) fn request(
        &self,
        event: &EventDescription,
        method: DeliveryMethod,
    ) -> Option<OutgoingRequest> {
        let contract = Arc::clone(self.contract);
        let config = EndpointConfig { method: Some(method), ..self.endpoint() };
        let endpoint =
            Endpoint::prepare(config, contract, &Limits::default(), PlainHttp::Allowed).ok()?;
        let tenant = self.key.as_ref().filter(|_| endpoint.config.secrets.keys.is_empty());
        let tenant = tenant.map(|key| Signer::prepare(self.contract, std::slice::from_ref(key)));
        let tenant = tenant.transpose().ok()?;
        request::build(&endpoint, tenant.as_ref(), &self.event(event), SEQUENCE, NOW).ok()
    }

    /// An event of the catalog's first type.
    pub(super) fn first_event(&self) -> Option<Event> {
        self.contract.events().first().map(|event| self.event(event))
    }

    fn event(&self, event: &EventDescription) -> Event {
        let example = example(event);
        let facts = self.members.iter().flat_map(|member| &member.facts);
        let attributes = facts.filter_map(|fact| {
            let Placeholder::Attribute(name) = fact else { return None };
            Some((name.clone(), self.fact(fact, &example)?))
        });
        Event {
            key: EventKey::first_at(NOW),
            tenant: TenantNo::new(1),
            sequence: SEQUENCE,
            accepted_at: NOW,
            body: Arc::new(NewEvent {
                own_id: None,
                kind: event.name.clone(),
                time: None,
                subject: self.fact(&Placeholder::Subject, &example),
                ordering_key: self.fact(&Placeholder::Key, &example),
                attributes: attributes.collect(),
                data: Bytes::from(event.example.clone()),
                data_kind: DataKind::Json,
            }),
        }
    }

    /// What the sample says where the delivery shows a fact. Where the examples have a member of
    /// that name, the sample says what this one has there, or nothing.
    fn fact(&self, fact: &Placeholder, example: &Value) -> Option<Box<str>> {
        let member = self.members.iter().find(|member| member.facts.contains(fact))?;
        let named = |example: &Value| {
            let members = example.as_object()?;
            let named = members.iter().find(|(name, _)| name.starts_with(&member.name));
            named.and_then(|(_, value)| value.as_str()).map(Into::into)
        };
        match self.examples.iter().any(|example| named(example).is_some()) {
            true => named(example),
            false => Some(STAND_IN.into()),
        }
    }
}

fn example(event: &EventDescription) -> Value {
    serde_json::from_str(&event.example).unwrap_or_default()
}

/// Bytes that are plainly made up, yet none like the next.
fn digits<const N: usize>(seed: u8) -> [u8; N] {
    let mut state = seed;
    std::array::from_fn(|_| {
        state = state.wrapping_mul(181).wrapping_add(97);
        state
    })
}
