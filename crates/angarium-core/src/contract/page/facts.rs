//! What JSON the facts of an answer are, and what they mean to a customer.

use crate::contract::api::{
    DeadLetterFact, EndpointFact, ErrorFact, Fact, ForwardFact, KeyFact, ReceivedFact, SourceFact,
    TestFact, VerdictFact,
};
use crate::contract::{Contract, TimeForm};

/// What JSON a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// A list of texts.
    Texts,
    /// True or false.
    Truth,
    /// A whole number.
    Number,
    /// A point in time.
    Time(TimeForm),
    /// Any value.
    Any,
}

impl Kind {
    /// For people.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Kind::Text => "string",
            Kind::Texts => "list of strings",
            Kind::Truth => "true or false",
            Kind::Number => "number",
            Kind::Time(TimeForm::UnixSeconds) => "number (seconds since 1970)",
            Kind::Time(TimeForm::UnixMillis) => "number (milliseconds since 1970)",
            Kind::Time(TimeForm::Millis | TimeForm::Seconds | TimeForm::Minutes) => {
                "string (time, RFC 3339)"
            }
            Kind::Any => "any",
        }
    }
}

/// What JSON a fact is.
pub(super) fn kind(contract: &Contract, fact: Fact) -> Kind {
    let time = contract.api().map(|api| api.time).unwrap_or_default();
    match fact {
        Fact::Secret
        | Fact::Endpoint(
            EndpointFact::Id
            | EndpointFact::Url
            | EndpointFact::Name
            | EndpointFact::Description
            | EndpointFact::Status
            | EndpointFact::LastFailureCause,
        )
        | Fact::DeadLetter(
            DeadLetterFact::EventId
            | DeadLetterFact::Type
            | DeadLetterFact::Key
            | DeadLetterFact::Subject
            | DeadLetterFact::EndpointId
            | DeadLetterFact::Cause,
        )
        | Fact::Key(KeyFact::Id | KeyFact::Secret | KeyFact::Status)
        | Fact::Source(
            SourceFact::Id
            | SourceFact::Name
            | SourceFact::Url
            | SourceFact::ReceiveUrl
            | SourceFact::Scheme
            | SourceFact::Description
            | SourceFact::Status,
        )
        | Fact::Received(
            ReceivedFact::EventId
            | ReceivedFact::SourceId
            | ReceivedFact::SourceName
            | ReceivedFact::Type,
        )
        | Fact::Forward(
            ForwardFact::Id | ForwardFact::EventId | ForwardFact::Status | ForwardFact::AnswerBody,
        )
        | Fact::Verdict(VerdictFact::Reason)
        | Fact::Error(ErrorFact::Code | ErrorFact::Message | ErrorFact::Field) => Kind::Text,
        Fact::Endpoint(EndpointFact::Types | EndpointFact::Subjects)
        | Fact::Source(SourceFact::Types)
        | Fact::Test(TestFact::Events) => Kind::Texts,
        Fact::Endpoint(EndpointFact::Active)
        | Fact::Source(SourceFact::Active)
        | Fact::Verdict(VerdictFact::Valid) => Kind::Truth,
        Fact::Received(ReceivedFact::Data) => Kind::Any,
        Fact::Endpoint(EndpointFact::ConsecutiveFailures | EndpointFact::LastFailureStatus)
        | Fact::DeadLetter(DeadLetterFact::Attempts | DeadLetterFact::Status)
        | Fact::Test(TestFact::Endpoints)
        | Fact::Source(SourceFact::Deliveries)
        | Fact::Forward(ForwardFact::Retries | ForwardFact::AnswerStatus)
        | Fact::Error(ErrorFact::Status) => Kind::Number,
        Fact::Endpoint(
            EndpointFact::CreatedAt
            | EndpointFact::UpdatedAt
            | EndpointFact::LastSuccessAt
            | EndpointFact::LastFailureAt,
        )
        | Fact::DeadLetter(DeadLetterFact::DiedAt)
        | Fact::Source(
            SourceFact::LastDeliveryAt | SourceFact::CreatedAt | SourceFact::UpdatedAt,
        )
        | Fact::Received(ReceivedFact::At)
        | Fact::Forward(ForwardFact::CreatedAt | ForwardFact::DeliveredAt)
        | Fact::Key(KeyFact::CreatedAt | KeyFact::RetiredAt) => Kind::Time(time),
    }
}

/// What a fact means to a customer.
pub(super) fn meaning(fact: Fact) -> &'static str {
    match fact {
        Fact::Secret => "The webhook's secret, which signs. It is shown this once.",
        Fact::Endpoint(fact) => match fact {
            EndpointFact::Id => "The webhook's id.",
            EndpointFact::Url => "Where its deliveries go.",
            EndpointFact::Types => "The events that it gets.",
            EndpointFact::Subjects => "The objects whose events it gets.",
            EndpointFact::Name => "Its name.",
            EndpointFact::Description => "What it is for.",
            EndpointFact::Status => {
                "`active`; `paused`: its deliveries wait; or `disabled`: it is switched off."
            }
            EndpointFact::Active => "Whether it is switched on.",
            EndpointFact::CreatedAt => "When it was made.",
            EndpointFact::UpdatedAt => "When it was changed last.",
            EndpointFact::ConsecutiveFailures => "Attempts that failed since the last success.",
            EndpointFact::LastSuccessAt => "When an attempt last succeeded.",
            EndpointFact::LastFailureAt => "When an attempt last failed.",
            EndpointFact::LastFailureStatus => "The status that your server then answered.",
            EndpointFact::LastFailureCause => "Why it failed, such as `timeout` or `server_error`.",
        },
        Fact::DeadLetter(fact) => of_dead_letter(fact),
        Fact::Key(fact) => match fact {
            KeyFact::Id => "The key's id.",
            KeyFact::Secret => "The secret itself.",
            KeyFact::Status => "`active`: it signs now; or `retired`.",
            KeyFact::CreatedAt => "When the key was made.",
            KeyFact::RetiredAt => "When a newer one took its place.",
        },
        Fact::Test(TestFact::Events) => "The ids of the test events that were sent.",
        Fact::Test(TestFact::Endpoints) => "How many webhooks they go to.",
        Fact::Source(fact) => of_source(fact),
        Fact::Received(fact) => match fact {
            ReceivedFact::EventId => "The event's id.",
            ReceivedFact::SourceId => "The webhook that received it.",
            ReceivedFact::SourceName => "The webhook's name.",
            ReceivedFact::Type => "The event's type.",
            ReceivedFact::Data => "What was received: JSON as it is, everything else as text.",
            ReceivedFact::At => "When it was received.",
        },
        Fact::Forward(fact) => match fact {
            ForwardFact::Id => "The delivery's id.",
            ForwardFact::EventId => "The event that was forwarded.",
            ForwardFact::Status => "`pending`, `delivered`, or `dead`: it was given up.",
            ForwardFact::Retries => "How often it was tried again.",
            ForwardFact::AnswerStatus => "The status that your server answered last.",
            ForwardFact::AnswerBody => "The beginning of its last answer.",
            ForwardFact::CreatedAt => "When the event was received.",
            ForwardFact::DeliveredAt => "When it arrived.",
        },
        Fact::Verdict(VerdictFact::Valid) => "Whether the request is genuine.",
        Fact::Verdict(VerdictFact::Reason) => "Why it is not.",
        Fact::Error(ErrorFact::Status) => "The HTTP status.",
        Fact::Error(ErrorFact::Code) => "The code, for programs.",
        Fact::Error(ErrorFact::Message) => "What is wrong and what is allowed, for people.",
        Fact::Error(ErrorFact::Field) => "The member at fault.",
    }
}

fn of_source(fact: SourceFact) -> &'static str {
    match fact {
        SourceFact::Id => "The webhook's id.",
        SourceFact::Name => "Its name.",
        SourceFact::Url => {
            "Where it forwards what it received; where it receives, if it does not forward."
        }
        SourceFact::ReceiveUrl => "Where third parties send to it.",
        SourceFact::Scheme => "How its third party signs.",
        SourceFact::Description => "What it is for.",
        SourceFact::Types => "The events that it takes in; none means all.",
        SourceFact::Status => "`active`; or `paused` or `disabled`: it takes nothing in.",
        SourceFact::Active => "Whether it takes anything in.",
        SourceFact::Deliveries => "How many events were forwarded.",
        SourceFact::LastDeliveryAt => "When the last one was.",
        SourceFact::CreatedAt => "When it was made.",
        SourceFact::UpdatedAt => "When it was changed last.",
    }
}

fn of_dead_letter(fact: DeadLetterFact) -> &'static str {
    match fact {
        DeadLetterFact::EventId => "The event's id.",
        DeadLetterFact::Type => "The event's type.",
        DeadLetterFact::Key => "What the event stands in order with.",
        DeadLetterFact::Subject => "The object that the event is about.",
        DeadLetterFact::EndpointId => "The webhook that it was to reach.",
        DeadLetterFact::DiedAt => "When it was given up.",
        DeadLetterFact::Attempts => "How often it was tried.",
        DeadLetterFact::Status => "The status that your server answered last.",
        DeadLetterFact::Cause => {
            "Why the last attempt failed, such as `timeout` or `server_error`."
        }
    }
}
