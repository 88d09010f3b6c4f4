//! What the members of an answer are, and whether they may be absent.

use super::facts::{kind, meaning};
use super::markdown::code;
use crate::contract::api::{
    DeadLetterFact, EndpointFact, ErrorFact, Fact, ForwardFact, KeyFact, Operation, ReceivedFact,
    Route, SourceFact, Template, TestFact, VerdictFact,
};
use crate::contract::{Contract, KeyPresence, KeyScope, TextPresence, TextRule};
use serde_json::Value;

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
        Fact::Endpoint(EndpointFact::Name) => of_text(&contract.rules().name),
        Fact::Endpoint(EndpointFact::Description) => of_text(&contract.rules().description),
        Fact::Source(fact) => source_presence(contract, fact),
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
        | Fact::Forward(
            ForwardFact::AnswerStatus | ForwardFact::AnswerBody | ForwardFact::DeliveredAt,
        )
        | Fact::Verdict(VerdictFact::Reason)
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
        | Fact::Received(
            ReceivedFact::EventId
            | ReceivedFact::SourceId
            | ReceivedFact::SourceName
            | ReceivedFact::Type
            | ReceivedFact::Data
            | ReceivedFact::At,
        )
        | Fact::Forward(
            ForwardFact::Id
            | ForwardFact::EventId
            | ForwardFact::Status
            | ForwardFact::Retries
            | ForwardFact::CreatedAt,
        )
        | Fact::Verdict(VerdictFact::Valid)
        | Fact::Error(ErrorFact::Status | ErrorFact::Code | ErrorFact::Message) => Presence::Always,
    }
}

fn source_presence(contract: &Contract, fact: SourceFact) -> Presence {
    match fact {
        SourceFact::Description => of_text(&contract.sources().description),
        SourceFact::LastDeliveryAt => Presence::Maybe,
        SourceFact::Id
        | SourceFact::Name
        | SourceFact::Url
        | SourceFact::ReceiveUrl
        | SourceFact::Scheme
        | SourceFact::Types
        | SourceFact::Status
        | SourceFact::Active
        | SourceFact::Deliveries
        | SourceFact::CreatedAt
        | SourceFact::UpdatedAt => Presence::Always,
    }
}

fn of_text(rule: &TextRule) -> Presence {
    match rule.presence {
        TextPresence::Required => Presence::Always,
        TextPresence::Optional => Presence::Maybe,
    }
}

/// A secret is shown once: when it is made.
fn secret_presence(contract: &Contract, operation: Operation) -> Presence {
    let rule = contract.key_rule().map(|rule| (rule.scope, rule.presence));
    match (operation, rule) {
        (Operation::SourceCreate | Operation::SourceRotate, _)
        | (Operation::KeysRotate, Some(_))
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
            | Operation::KeysRotate
            | Operation::SourceList
            | Operation::SourceGet
            | Operation::SourceUpdate
            | Operation::SourceDelete
            | Operation::SourceEvents
            | Operation::SourceDeliveries
            | Operation::SourceRecent
            | Operation::SourceTest
            | Operation::SourceVerify
            | Operation::SourceReceive
            | Operation::SourceMatch,
            Some(_) | None,
        ) => Presence::Never,
    }
}
