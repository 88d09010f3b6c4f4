//! Facts: what an answer can say, each under one name.

/// Something that an answer can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::contract) enum Fact {
    Endpoint(EndpointFact),
    Key(KeyFact),
    DeadLetter(DeadLetterFact),
    Test(TestFact),
    Source(SourceFact),
    Received(ReceivedFact),
    Forward(ForwardFact),
    Verdict(VerdictFact),
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
pub(in crate::contract) enum SourceFact {
    Id,
    Name,
    /// Where it forwards to, else where it receives.
    Url,
    ReceiveUrl,
    Scheme,
    Description,
    Types,
    Status,
    Active,
    Deliveries,
    LastDeliveryAt,
    CreatedAt,
    UpdatedAt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::contract) enum ReceivedFact {
    EventId,
    SourceId,
    SourceName,
    Type,
    Data,
    At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::contract) enum ForwardFact {
    Id,
    EventId,
    Status,
    Retries,
    AnswerStatus,
    AnswerBody,
    CreatedAt,
    DeliveredAt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::contract) enum VerdictFact {
    Valid,
    Reason,
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
    pub(super) const OF_SOURCE: &[(&str, Fact)] = &[
        ("source.id", Fact::Source(SourceFact::Id)),
        ("source.name", Fact::Source(SourceFact::Name)),
        ("source.url", Fact::Source(SourceFact::Url)),
        ("source.receive_url", Fact::Source(SourceFact::ReceiveUrl)),
        ("source.scheme", Fact::Source(SourceFact::Scheme)),
        ("source.description", Fact::Source(SourceFact::Description)),
        ("source.types", Fact::Source(SourceFact::Types)),
        ("source.status", Fact::Source(SourceFact::Status)),
        ("source.active", Fact::Source(SourceFact::Active)),
        ("source.deliveries", Fact::Source(SourceFact::Deliveries)),
        ("source.last_delivery_at", Fact::Source(SourceFact::LastDeliveryAt)),
        ("source.created_at", Fact::Source(SourceFact::CreatedAt)),
        ("source.updated_at", Fact::Source(SourceFact::UpdatedAt)),
    ];
    pub(super) const OF_RECEIVED: &[(&str, Fact)] = &[
        ("received.event_id", Fact::Received(ReceivedFact::EventId)),
        ("received.source_id", Fact::Received(ReceivedFact::SourceId)),
        ("received.source_name", Fact::Received(ReceivedFact::SourceName)),
        ("received.type", Fact::Received(ReceivedFact::Type)),
        ("received.data", Fact::Received(ReceivedFact::Data)),
        ("received.at", Fact::Received(ReceivedFact::At)),
    ];
    /// Of what was just taken in, its id: what it becomes is not told to a third party.
    pub(super) const OF_ACCEPTED: &[(&str, Fact)] =
        &[("received.event_id", Fact::Received(ReceivedFact::EventId))];
    pub(super) const OF_FORWARD: &[(&str, Fact)] = &[
        ("delivery.id", Fact::Forward(ForwardFact::Id)),
        ("delivery.event_id", Fact::Forward(ForwardFact::EventId)),
        ("delivery.status", Fact::Forward(ForwardFact::Status)),
        ("delivery.retries", Fact::Forward(ForwardFact::Retries)),
        ("delivery.answer_status", Fact::Forward(ForwardFact::AnswerStatus)),
        ("delivery.answer_body", Fact::Forward(ForwardFact::AnswerBody)),
        ("delivery.created_at", Fact::Forward(ForwardFact::CreatedAt)),
        ("delivery.delivered_at", Fact::Forward(ForwardFact::DeliveredAt)),
    ];
    pub(super) const OF_VERDICT: &[(&str, Fact)] = &[
        ("verdict.valid", Fact::Verdict(VerdictFact::Valid)),
        ("verdict.reason", Fact::Verdict(VerdictFact::Reason)),
    ];
    pub(super) const OF_ERROR: &[(&str, Fact)] = &[
        ("error.status", Fact::Error(ErrorFact::Status)),
        ("error.code", Fact::Error(ErrorFact::Code)),
        ("error.message", Fact::Error(ErrorFact::Message)),
        ("error.field", Fact::Error(ErrorFact::Field)),
    ];
    pub(super) const SHOWN_ONCE: &[(&str, Fact)] = &[("secret", Fact::Secret)];
}
