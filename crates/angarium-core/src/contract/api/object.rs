//! What a template is filled from, and what it says of each fact.

use super::ManagementApi;
use super::fact::{DeadLetterFact, EndpointFact, ErrorFact, Fact, KeyFact, ReceivedFact, TestFact};
use super::received::{
    ForwardDelivery, ReceivedEvent, SourceFacts, of_forward, of_received, of_source, of_verdict,
};
use super::subject::{DeadLetter, EndpointFacts, Over, Subject};
use crate::contract::time_form::TimeForm;
use crate::endpoint::EndpointStatus;
use crate::secret::SigningKey;
use crate::time::Timestamp;
use serde_json::Value;

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
    /// One source of several.
    Source(SourceFacts<'a>),
    /// One received event of several.
    Received(&'a ReceivedEvent<'a>),
    /// One delivery of several.
    Forward(&'a ForwardDelivery),
    /// A refusal.
    Error(ErrorFacts<'a>),
}

impl<'a> Object<'a> {
    /// The objects that fill a repeated template; none of them repeats one itself.
    pub(super) fn each(self, over: Over) -> Vec<Object<'a>> {
        match self {
            Object::Whole(subject) => subject.each(over),
            Object::Endpoint(_)
            | Object::Key(_)
            | Object::DeadLetter(_)
            | Object::Source(_)
            | Object::Received(_)
            | Object::Forward(_)
            | Object::Error(_) => Vec::new(),
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
            (
                Fact::Source(fact),
                Object::Source(source) | Object::Whole(Subject::Source(source)),
            ) => of_source(&source, fact, api),
            (Fact::Received(fact), Object::Received(event)) => Some(of_received(event, fact, api)),
            (Fact::Received(ReceivedFact::EventId), Object::Whole(Subject::Accepted(event))) => {
                Some(event?.to_string().into())
            }
            (Fact::Forward(fact), Object::Forward(forward)) => of_forward(forward, fact, api),
            (Fact::Verdict(fact), Object::Whole(Subject::Verdict(verdict))) => {
                of_verdict(verdict, fact)
            }
            (Fact::Error(fact), Object::Error(error)) => of_error(error, fact),
            (
                Fact::Secret,
                Object::Whole(
                    Subject::Endpoint(EndpointFacts { secret, .. })
                    | Subject::Source(SourceFacts { secret, .. })
                    | Subject::Keys { secret, .. },
                ),
            ) => Some(secret?.expose().into()),
            (
                Fact::Endpoint(_)
                | Fact::Key(_)
                | Fact::DeadLetter(_)
                | Fact::Test(_)
                | Fact::Source(_)
                | Fact::Received(_)
                | Fact::Forward(_)
                | Fact::Verdict(_)
                | Fact::Error(_)
                | Fact::Secret,
                Object::Whole(_)
                | Object::Endpoint(_)
                | Object::Key(_)
                | Object::DeadLetter(_)
                | Object::Source(_)
                | Object::Received(_)
                | Object::Forward(_)
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
