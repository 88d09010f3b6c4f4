//! What an answer is about, and what it says of each fact.

use super::ManagementApi;
use super::fact::{DeadLetterFact, EndpointFact, ErrorFact, Fact, KeyFact, TestFact};
use crate::contract::time_form::TimeForm;
use crate::endpoint::{EndpointConfig, EndpointHealth, EndpointStatus};
use crate::event::Event;
use crate::id::EndpointId;
use crate::outcome::Class;
use crate::secret::{SecretText, SigningKey};
use crate::time::Timestamp;
use serde_json::Value;

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

/// What is known of an error.
#[derive(Debug, Clone, Copy)]
pub(super) struct ErrorFacts<'a> {
    pub(super) status: u16,
    pub(super) code: &'a str,
    pub(super) message: &'a str,
    pub(super) field: Option<&'a str>,
}

/// What a template is filled from at one place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Object<'a> {
    /// The outcome of the call as a whole.
    Whole(Subject<'a>),
    /// One endpoint of several.
    Endpoint(EndpointFacts<'a>),
    /// One key of several.
    Key(&'a SigningKey),
    /// One dead letter of several.
    DeadLetter(&'a DeadLetter<'a>),
    /// A refusal.
    Error(ErrorFacts<'a>),
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
}

impl<'a> Subject<'a> {
    /// The objects that fill a repeated template.
    fn each(self, over: Over) -> Vec<Object<'a>> {
        let (endpoints, keys, dead): (&[EndpointFacts<'_>], &[SigningKey], &[DeadLetter<'_>]) =
            match self {
                Subject::Endpoints(endpoints) => (endpoints, &[], &[]),
                Subject::Keys { keys, .. } => (&[], keys, &[]),
                Subject::Diagnostics { endpoints, dead_letters } => (endpoints, &[], dead_letters),
                Subject::Nothing | Subject::Endpoint(_) | Subject::Test { .. } => (&[], &[], &[]),
            };
        match over {
            Over::Endpoints => endpoints.iter().copied().map(Object::Endpoint).collect(),
            Over::Keys => keys.iter().map(Object::Key).collect(),
            Over::DeadLetters => dead.iter().map(Object::DeadLetter).collect(),
        }
    }
}

impl<'a> Object<'a> {
    /// The objects that fill a repeated template; none of them repeats one itself.
    pub(super) fn each(self, over: Over) -> Vec<Object<'a>> {
        match self {
            Object::Whole(subject) => subject.each(over),
            Object::Endpoint(_) | Object::Key(_) | Object::DeadLetter(_) | Object::Error(_) => {
                Vec::new()
            }
        }
    }

    /// A fact; none where the object does not have it.
    pub(super) fn value(self, fact: Fact, api: &Forms<'_>) -> Option<Value> {
        match (fact, self) {
            (
                Fact::Endpoint(fact),
                Object::Endpoint(endpoint) | Object::Whole(Subject::Endpoint(endpoint)),
            ) => of_endpoint(&endpoint, fact, api),
            (Fact::Key(fact), Object::Key(key)) => of_key(key, fact, api.time),
            (Fact::DeadLetter(fact), Object::DeadLetter(letter)) => {
                of_dead_letter(letter, fact, api)
            }
            (Fact::Test(fact), Object::Whole(Subject::Test { events, endpoints })) => {
                Some(match fact {
                    TestFact::Events => events.to_vec().into(),
                    TestFact::Endpoints => endpoints.into(),
                })
            }
            (Fact::Error(fact), Object::Error(error)) => of_error(error, fact),
            (
                Fact::Secret,
                Object::Whole(
                    Subject::Endpoint(EndpointFacts { secret, .. }) | Subject::Keys { secret, .. },
                ),
            ) => Some(secret?.expose().into()),
            (
                Fact::Endpoint(_)
                | Fact::Key(_)
                | Fact::DeadLetter(_)
                | Fact::Test(_)
                | Fact::Error(_)
                | Fact::Secret,
                Object::Whole(_)
                | Object::Endpoint(_)
                | Object::Key(_)
                | Object::DeadLetter(_)
                | Object::Error(_),
            ) => None,
        }
    }
}

/// How ids and times are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forms<'a> {
    pub(super) id: &'a super::IdForm,
    pub(super) time: TimeForm,
}

impl<'a> From<&'a ManagementApi> for Forms<'a> {
    fn from(api: &'a ManagementApi) -> Self {
        Self { id: &api.id, time: api.time }
    }
}

fn of_endpoint(endpoint: &EndpointFacts<'_>, fact: EndpointFact, api: &Forms<'_>) -> Option<Value> {
    let (config, health) = (endpoint.config, &endpoint.health);
    let time = |time: Timestamp| api.time.value(time);
    Some(match fact {
        EndpointFact::Id => api.id.show(config.id).into(),
        EndpointFact::Url => config.url.as_str().into(),
        EndpointFact::Types => config.subscription.types.iter().map(|t| t.as_str()).collect(),
        EndpointFact::Subjects => config.subscription.subjects.clone()?.into(),
        EndpointFact::Name => config.name.as_deref()?.into(),
        EndpointFact::Description => config.description.as_deref()?.into(),
        EndpointFact::Status => config.status.as_str().into(),
        EndpointFact::Active => (config.status == EndpointStatus::Active).into(),
        EndpointFact::CreatedAt => time(config.created_at),
        EndpointFact::UpdatedAt => time(config.updated_at),
        EndpointFact::ConsecutiveFailures => health.consecutive_failures.into(),
        EndpointFact::LastSuccessAt => time(health.last_success_at?),
        EndpointFact::LastFailureAt => time(health.last_failure_at?),
        EndpointFact::LastFailureStatus => health.last_failure_status?.into(),
        EndpointFact::LastFailureCause => health.last_failure_class?.as_str().into(),
    })
}

fn of_dead_letter(letter: &DeadLetter<'_>, fact: DeadLetterFact, api: &Forms<'_>) -> Option<Value> {
    let body = &letter.event.body;
    Some(match fact {
        DeadLetterFact::EventId => letter.event.id().to_string().into(),
        DeadLetterFact::Type => body.kind.as_str().into(),
        DeadLetterFact::Key => body.ordering_key.as_deref()?.into(),
        DeadLetterFact::Subject => body.subject.as_deref()?.into(),
        DeadLetterFact::EndpointId => api.id.show(letter.endpoint).into(),
        DeadLetterFact::DiedAt => api.time.value(letter.died_at),
        DeadLetterFact::Attempts => letter.attempts.into(),
        DeadLetterFact::Status => letter.status?.into(),
        DeadLetterFact::Cause => letter.class?.as_str().into(),
    })
}

fn of_key(key: &SigningKey, fact: KeyFact, form: TimeForm) -> Option<Value> {
    Some(match fact {
        KeyFact::Id => key.id.to_string().into(),
        KeyFact::Secret => key.secret.expose().into(),
        KeyFact::Status => key.retired_at.map_or("active", |_| "retired").into(),
        KeyFact::CreatedAt => form.value(key.created_at),
        KeyFact::RetiredAt => form.value(key.retired_at?),
    })
}

fn of_error(error: ErrorFacts<'_>, fact: ErrorFact) -> Option<Value> {
    Some(match fact {
        ErrorFact::Status => error.status.into(),
        ErrorFact::Code => error.code.into(),
        ErrorFact::Message => error.message.into(),
        ErrorFact::Field => error.field?.into(),
    })
}
