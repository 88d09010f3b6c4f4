//! What an answer is about.

use super::object::Object;
use super::received::{ForwardDelivery, ReceivedEvent, RequestVerdict, SourceFacts};
use crate::endpoint::{EndpointConfig, EndpointHealth};
use crate::event::Event;
use crate::id::{EndpointId, EventId};
use crate::outcome::Class;
use crate::secret::{SecretText, SigningKey};
use crate::time::Timestamp;

/// What the answer of a call is about.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// Nothing.
    Nothing,
    /// One endpoint.
    Endpoint(EndpointFacts<'a>),
    /// Endpoints, in the order of the answer.
    Endpoints(&'a [EndpointFacts<'a>]),
    /// Signing keys, the current one first.
    Keys {
        /// The keys.
        keys: &'a [SigningKey],
        /// The new one's secret, after a rotation.
        secret: Option<&'a SecretText>,
    },
    /// Endpoints, and what could not be delivered to them.
    Diagnostics {
        /// The endpoints, in the order of the answer.
        endpoints: &'a [EndpointFacts<'a>],
        /// The dead letters, in the order of the answer.
        dead_letters: &'a [DeadLetter<'a>],
    },
    /// A test.
    Test {
        /// Ids of the events that were sent.
        events: &'a [String],
        /// How many endpoints they go to.
        endpoints: usize,
    },
    /// One source.
    Source(SourceFacts<'a>),
    /// Sources, in the order of the answer.
    Sources(&'a [SourceFacts<'a>]),
    /// What sources received, in the order of the answer.
    Received(&'a [ReceivedEvent<'a>]),
    /// How it was forwarded, in the order of the answer.
    Forwards(&'a [ForwardDelivery]),
    /// A request that was accepted just now: the id of its event, unless its type is not wanted.
    Accepted(Option<&'a EventId>),
    /// Whether a request is genuine.
    Verdict(RequestVerdict<'a>),
}

/// What is known of an endpoint.
#[derive(Debug, Clone, Copy)]
pub struct EndpointFacts<'a> {
    /// As it is configured.
    pub config: &'a EndpointConfig,
    /// What its recent attempts say.
    pub health: EndpointHealth,
    /// Its secret, in the one answer that shows it.
    pub secret: Option<&'a SecretText>,
}

/// What is known of a delivery that was given up.
#[derive(Debug, Clone, Copy)]
pub struct DeadLetter<'a> {
    /// The event.
    pub event: &'a Event,
    /// Where it was to go.
    pub endpoint: EndpointId,
    /// When it was given up.
    pub died_at: Timestamp,
    /// How often it was tried.
    pub attempts: u16,
    /// What the last attempt meant, if there was one.
    pub class: Option<Class>,
    /// The status of its answer, if there was one.
    pub status: Option<u16>,
}

/// What a list of one template is repeated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::contract) enum Over {
    /// Endpoints.
    Endpoints,
    /// Signing keys.
    Keys,
    /// Dead letters.
    DeadLetters,
    /// Sources.
    Sources,
    /// What they received.
    Received,
    /// How it was forwarded.
    Forwards,
}

impl<'a> Subject<'a> {
    /// The objects that fill a repeated template.
    pub(super) fn each(self, over: Over) -> Vec<Object<'a>> {
        match (over, self) {
            (
                Over::Endpoints,
                Subject::Endpoints(endpoints) | Subject::Diagnostics { endpoints, .. },
            ) => endpoints.iter().copied().map(Object::Endpoint).collect(),
            (Over::Keys, Subject::Keys { keys, .. }) => keys.iter().map(Object::Key).collect(),
            (Over::DeadLetters, Subject::Diagnostics { dead_letters, .. }) => {
                dead_letters.iter().map(Object::DeadLetter).collect()
            }
            (Over::Sources, Subject::Sources(sources)) => {
                sources.iter().copied().map(Object::Source).collect()
            }
            (Over::Received, Subject::Received(events)) => {
                events.iter().map(Object::Received).collect()
            }
            (Over::Forwards, Subject::Forwards(forwards)) => {
                forwards.iter().map(Object::Forward).collect()
            }
            (
                Over::Endpoints
                | Over::Keys
                | Over::DeadLetters
                | Over::Sources
                | Over::Received
                | Over::Forwards,
                Subject::Nothing
                | Subject::Endpoint(_)
                | Subject::Endpoints(_)
                | Subject::Keys { .. }
                | Subject::Diagnostics { .. }
                | Subject::Test { .. }
                | Subject::Source(_)
                | Subject::Sources(_)
                | Subject::Received(_)
                | Subject::Forwards(_)
                | Subject::Accepted(_)
                | Subject::Verdict(_),
            ) => Vec::new(),
        }
    }
}
