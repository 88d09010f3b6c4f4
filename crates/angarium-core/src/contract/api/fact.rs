//! Facts: what an answer can say, each under one name.

use super::ManagementApi;
use crate::contract::time_form::TimeForm;
use crate::endpoint::{EndpointConfig, EndpointHealth, EndpointStatus};
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

/// What is known of an error.
#[derive(Debug, Clone, Copy)]
pub(super) struct ErrorFacts<'a> {
    pub(super) status: u16,
    pub(super) code: &'a str,
    pub(super) message: &'a str,
    pub(super) field: Option<&'a str>,
}

/// Something that an answer can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::contract) enum Fact {
    Endpoint(EndpointFact),
    Key(KeyFact),
    Test(TestFact),
    Error(ErrorFact),
    /// A secret that is shown once.
    Secret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::contract) enum EndpointFact {
    Id,
    Url,
    Types,
    Subjects,
    Name,
    Description,
    Status,
    Active,
    CreatedAt,
    UpdatedAt,
    ConsecutiveFailures,
    LastSuccessAt,
    LastFailureAt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::contract) enum KeyFact {
    Id,
    Secret,
    Status,
    CreatedAt,
    RetiredAt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::contract) enum TestFact {
    Events,
    Endpoints,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::contract) enum ErrorFact {
    Status,
    Code,
    Message,
    Field,
}

impl Fact {
    pub(super) const OF_ENDPOINT: &[(&str, Fact)] = &[
        ("endpoint.id", Fact::Endpoint(EndpointFact::Id)),
        ("endpoint.url", Fact::Endpoint(EndpointFact::Url)),
        ("endpoint.types", Fact::Endpoint(EndpointFact::Types)),
        ("endpoint.subjects", Fact::Endpoint(EndpointFact::Subjects)),
        ("endpoint.name", Fact::Endpoint(EndpointFact::Name)),
        ("endpoint.description", Fact::Endpoint(EndpointFact::Description)),
        ("endpoint.status", Fact::Endpoint(EndpointFact::Status)),
        ("endpoint.active", Fact::Endpoint(EndpointFact::Active)),
        ("endpoint.created_at", Fact::Endpoint(EndpointFact::CreatedAt)),
        ("endpoint.updated_at", Fact::Endpoint(EndpointFact::UpdatedAt)),
        ("endpoint.consecutive_failures", Fact::Endpoint(EndpointFact::ConsecutiveFailures)),
        ("endpoint.last_success_at", Fact::Endpoint(EndpointFact::LastSuccessAt)),
        ("endpoint.last_failure_at", Fact::Endpoint(EndpointFact::LastFailureAt)),
    ];
    pub(super) const OF_KEY: &[(&str, Fact)] = &[
        ("key.id", Fact::Key(KeyFact::Id)),
        ("key.secret", Fact::Key(KeyFact::Secret)),
        ("key.status", Fact::Key(KeyFact::Status)),
        ("key.created_at", Fact::Key(KeyFact::CreatedAt)),
        ("key.retired_at", Fact::Key(KeyFact::RetiredAt)),
    ];
    pub(super) const OF_TEST: &[(&str, Fact)] = &[
        ("test.events", Fact::Test(TestFact::Events)),
        ("test.endpoints", Fact::Test(TestFact::Endpoints)),
    ];
    pub(super) const OF_ERROR: &[(&str, Fact)] = &[
        ("error.status", Fact::Error(ErrorFact::Status)),
        ("error.code", Fact::Error(ErrorFact::Code)),
        ("error.message", Fact::Error(ErrorFact::Message)),
        ("error.field", Fact::Error(ErrorFact::Field)),
    ];
    pub(super) const SHOWN_ONCE: &[(&str, Fact)] = &[("secret", Fact::Secret)];
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
    /// A refusal.
    Error(ErrorFacts<'a>),
}

impl<'a> Object<'a> {
    /// The objects that fill a repeated template.
    pub(super) fn each(self) -> Vec<Object<'a>> {
        match self {
            Object::Whole(Subject::Endpoints(all)) => {
                all.iter().copied().map(Object::Endpoint).collect()
            }
            Object::Whole(Subject::Keys { keys, .. }) => keys.iter().map(Object::Key).collect(),
            Object::Whole(Subject::Nothing | Subject::Endpoint(_) | Subject::Test { .. })
            | Object::Endpoint(_)
            | Object::Key(_)
            | Object::Error(_) => vec![self],
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
                Fact::Endpoint(_) | Fact::Key(_) | Fact::Test(_) | Fact::Error(_) | Fact::Secret,
                Object::Whole(_) | Object::Endpoint(_) | Object::Key(_) | Object::Error(_),
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
