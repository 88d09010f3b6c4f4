//! What the members of an answer are: their types, their meaning, and whether they may be absent.

use super::markdown::code;
use crate::contract::api::{
    DeadLetterFact, EndpointFact, ErrorFact, Fact, KeyFact, Operation, Route, Template, TestFact,
};
use crate::contract::{Contract, KeyPresence, KeyScope, TextPresence, TimeForm};
use serde_json::Value;

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
        }
    }
}

/// A member of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AnswerMember {
    /// Its name, after those of the objects that it is in.
    pub(super) path: String,
    /// Its name in its own object, by which it is known in other answers.
    pub(super) name: String,
    /// What it is.
    pub(super) kind: String,
    /// What it means.
    pub(super) meaning: String,
}

/// The members of a route's answer, in its order.
pub(super) fn members(contract: &Contract, route: &Route) -> Vec<AnswerMember> {
    let mut members = Vec::new();
    if let Some(template) = &route.response {
        collect(contract, route.operation, template, "", &mut members);
    }
    members
}

fn collect(
    contract: &Contract,
    operation: Operation,
    template: &Template,
    path: &str,
    out: &mut Vec<AnswerMember>,
) {
    let told = |kind: &str, meaning: String| AnswerMember {
        path: path.to_owned(),
        name: path.rsplit(['.', ']']).next().unwrap_or_default().to_owned(),
        kind: kind.to_owned(),
        meaning,
    };
    match template {
        Template::Table(inner) => {
            for (name, template) in inner {
                let dot = if path.is_empty() { "" } else { "." };
                collect(contract, operation, template, &format!("{path}{dot}{name}"), out);
            }
        }
        Template::Each { item, .. } => {
            collect(contract, operation, item, &format!("{path}[]"), out);
        }
        Template::List(items) => {
            for (i, template) in items.iter().enumerate() {
                collect(contract, operation, template, &format!("{path}[{i}]"), out);
            }
        }
        Template::Whole { fact, absent } => {
            let presence = presence(contract, operation, *fact);
            if presence == Presence::Never && absent.is_none() {
                return;
            }
            let kind = kind(contract, *fact).describe();
            let absence = match (presence, absent) {
                (Presence::Always, _) => String::new(),
                (_, Some(word)) => format!(" {} where there is none.", code(&word.to_string())),
                (Presence::Maybe | Presence::Never, None) => {
                    " Absent where there is none.".to_owned()
                }
            };
            out.push(told(kind, format!("{}{absence}", meaning(*fact))));
        }
        Template::Text(parts) => {
            let facts = parts.iter().filter_map(|part| part.fact()).map(meaning);
            out.push(told("string", facts.collect::<Vec<_>>().join(" ")));
        }
        Template::Fixed(value) => {
            let kind = match value {
                Value::Null => "null",
                Value::Bool(_) => "true or false",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "list",
                Value::Object(_) => "object",
            };
            out.push(told(kind, format!("Always {}.", code(&value.to_string()))));
        }
    }
}

/// Whether an answer has a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Always,
    Maybe,
    Never,
}

/// Whether the answer of an operation has a fact.
pub(super) fn presence(contract: &Contract, operation: Operation, fact: Fact) -> Presence {
    match fact {
        Fact::Secret => secret_presence(contract, operation),
        Fact::Endpoint(EndpointFact::Name) => match contract.rules().name.presence {
            TextPresence::Required => Presence::Always,
            TextPresence::Optional => Presence::Maybe,
        },
        Fact::Endpoint(EndpointFact::Description) => match contract.rules().description.presence {
            TextPresence::Required => Presence::Always,
            TextPresence::Optional => Presence::Maybe,
        },
        Fact::Endpoint(
            EndpointFact::Subjects
            | EndpointFact::LastSuccessAt
            | EndpointFact::LastFailureAt
            | EndpointFact::LastFailureStatus
            | EndpointFact::LastFailureCause,
        )
        | Fact::Key(KeyFact::RetiredAt)
        | Fact::DeadLetter(
            DeadLetterFact::Key
            | DeadLetterFact::Subject
            | DeadLetterFact::Status
            | DeadLetterFact::Cause,
        )
        | Fact::Error(ErrorFact::Field) => Presence::Maybe,
        Fact::Endpoint(
            EndpointFact::Id
            | EndpointFact::Url
            | EndpointFact::Types
            | EndpointFact::Status
            | EndpointFact::Active
            | EndpointFact::CreatedAt
            | EndpointFact::UpdatedAt
            | EndpointFact::ConsecutiveFailures,
        )
        | Fact::Key(KeyFact::Id | KeyFact::Secret | KeyFact::Status | KeyFact::CreatedAt)
        | Fact::DeadLetter(
            DeadLetterFact::EventId
            | DeadLetterFact::Type
            | DeadLetterFact::EndpointId
            | DeadLetterFact::DiedAt
            | DeadLetterFact::Attempts,
        )
        | Fact::Test(TestFact::Events | TestFact::Endpoints)
        | Fact::Error(ErrorFact::Status | ErrorFact::Code | ErrorFact::Message) => Presence::Always,
    }
}

/// An endpoint's secret is shown once: when it is made.
fn secret_presence(contract: &Contract, operation: Operation) -> Presence {
    let rule = contract.key_rule().map(|rule| (rule.scope, rule.presence));
    match (operation, rule) {
        (Operation::KeysRotate, Some(_))
        | (Operation::EndpointCreate, Some((KeyScope::Endpoint, KeyPresence::Required))) => {
            Presence::Always
        }
        (Operation::EndpointCreate, Some((KeyScope::Endpoint, KeyPresence::Optional))) => {
            Presence::Maybe
        }
        (
            Operation::EndpointCreate
            | Operation::EndpointList
            | Operation::EndpointGet
            | Operation::EndpointUpdate
            | Operation::EndpointDelete
            | Operation::EndpointTest
            | Operation::DiagnosticsShow
            | Operation::KeysList
            | Operation::KeysRotate,
            Some(_) | None,
        ) => Presence::Never,
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
        | Fact::Error(ErrorFact::Code | ErrorFact::Message | ErrorFact::Field) => Kind::Text,
        Fact::Endpoint(EndpointFact::Types | EndpointFact::Subjects)
        | Fact::Test(TestFact::Events) => Kind::Texts,
        Fact::Endpoint(EndpointFact::Active) => Kind::Truth,
        Fact::Endpoint(EndpointFact::ConsecutiveFailures | EndpointFact::LastFailureStatus)
        | Fact::DeadLetter(DeadLetterFact::Attempts | DeadLetterFact::Status)
        | Fact::Test(TestFact::Endpoints)
        | Fact::Error(ErrorFact::Status) => Kind::Number,
        Fact::Endpoint(
            EndpointFact::CreatedAt
            | EndpointFact::UpdatedAt
            | EndpointFact::LastSuccessAt
            | EndpointFact::LastFailureAt,
        )
        | Fact::DeadLetter(DeadLetterFact::DiedAt)
        | Fact::Key(KeyFact::CreatedAt | KeyFact::RetiredAt) => Kind::Time(time),
    }
}

/// What a fact means to a customer.
pub(super) fn meaning(fact: Fact) -> &'static str {
    match fact {
        Fact::Secret => "The secret that signs this webhook's deliveries. It is shown this once.",
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
        Fact::DeadLetter(fact) => match fact {
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
        },
        Fact::Key(fact) => match fact {
            KeyFact::Id => "The key's id.",
            KeyFact::Secret => "The secret itself.",
            KeyFact::Status => "`active`: it signs now; or `retired`.",
            KeyFact::CreatedAt => "When the key was made.",
            KeyFact::RetiredAt => "When a newer one took its place.",
        },
        Fact::Test(TestFact::Events) => "The ids of the test events that were sent.",
        Fact::Test(TestFact::Endpoints) => "How many webhooks they go to.",
        Fact::Error(ErrorFact::Status) => "The HTTP status.",
        Fact::Error(ErrorFact::Code) => "The code, for programs.",
        Fact::Error(ErrorFact::Message) => "What is wrong and what is allowed, for people.",
        Fact::Error(ErrorFact::Field) => "The member at fault.",
    }
}
