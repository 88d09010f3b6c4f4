//! Facts: what an answer can say, each under one name.

/// Something that an answer can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::contract) enum Fact {
    Endpoint(EndpointFact),
    Key(KeyFact),
    DeadLetter(DeadLetterFact),
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
    LastFailureStatus,
    LastFailureCause,
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
pub(in crate::contract) enum DeadLetterFact {
    EventId,
    Type,
    Key,
    Subject,
    EndpointId,
    DiedAt,
    Attempts,
    Status,
    Cause,
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
        ("endpoint.last_failure_status", Fact::Endpoint(EndpointFact::LastFailureStatus)),
        ("endpoint.last_failure_cause", Fact::Endpoint(EndpointFact::LastFailureCause)),
    ];
    pub(super) const OF_KEY: &[(&str, Fact)] = &[
        ("key.id", Fact::Key(KeyFact::Id)),
        ("key.secret", Fact::Key(KeyFact::Secret)),
        ("key.status", Fact::Key(KeyFact::Status)),
        ("key.created_at", Fact::Key(KeyFact::CreatedAt)),
        ("key.retired_at", Fact::Key(KeyFact::RetiredAt)),
    ];
    pub(super) const OF_DEAD_LETTER: &[(&str, Fact)] = &[
        ("dead_letter.event_id", Fact::DeadLetter(DeadLetterFact::EventId)),
        ("dead_letter.type", Fact::DeadLetter(DeadLetterFact::Type)),
        ("dead_letter.key", Fact::DeadLetter(DeadLetterFact::Key)),
        ("dead_letter.subject", Fact::DeadLetter(DeadLetterFact::Subject)),
        ("dead_letter.endpoint_id", Fact::DeadLetter(DeadLetterFact::EndpointId)),
        ("dead_letter.died_at", Fact::DeadLetter(DeadLetterFact::DiedAt)),
        ("dead_letter.attempts", Fact::DeadLetter(DeadLetterFact::Attempts)),
        ("dead_letter.status", Fact::DeadLetter(DeadLetterFact::Status)),
        ("dead_letter.cause", Fact::DeadLetter(DeadLetterFact::Cause)),
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
