//! Why an endpoint gets an event or not, and what a delivery waits for, told to people.
//!
//! What was matched when an event was accepted is stored with it and never judged anew. For
//! endpoints that it did not match, only today's rules can be told (design.md, rule 13).

use crate::delivery::DeliveryState;
use crate::endpoint::{EndpointConfig, EndpointStatus};
use crate::event::{Event, NewEvent};
use crate::gate::{Bar, GateView, Opening};
use crate::id::DeliveryKey;
use crate::subscription::{Mismatch, Subscription};
use crate::time::Timestamp;

/// Names that a sentence lists before it only counts.
const NAMED: usize = 8;

/// The rule by which an endpoint does not get an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A condition of its subscription.
    Subscription(Mismatch),
    /// Today's rules want the event; when it was accepted they did not, or were not asked.
    NotThen,
}

impl Rule {
    /// The text in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Rule::Subscription(Mismatch::Type) => "type",
            Rule::Subscription(Mismatch::Subject) => "subject",
            Rule::Subscription(Mismatch::Attribute) => "attribute",
            Rule::NotThen => "not_then",
        }
    }
}

/// Why an endpoint does not get an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// By which rule.
    pub rule: Rule,
    /// What it asks for and what came.
    pub text: String,
}

/// Why a subscription does not want an event; none if it does.
pub fn not_wanted(subscription: &Subscription, event: &NewEvent) -> Option<Reason> {
    let mismatch = subscription.check(event).err()?;
    let text = match mismatch {
        Mismatch::Type => {
            let asked = listed(subscription.types.iter().map(|pattern| pattern.as_str()));
            format!("it asks for {asked}; the event is {}", event.kind.as_str())
        }
        Mismatch::Subject => {
            let asked = subscription.subjects.iter().flatten().map(String::as_str);
            format!("it asks for the subject {}; {}", listed(asked), came(event.subject.as_deref()))
        }
        Mismatch::Attribute => {
            let differs =
                |(name, value): &&(String, String)| event.attribute(name) != Some(value.as_str());
            let (name, value) = subscription.attributes.iter().find(differs)?;
            format!("it asks for {name} = {value:?}; {}", came(event.attribute(name)))
        }
    };
    Some(Reason { rule: Rule::Subscription(mismatch), text })
}

/// Why an endpoint did not get an event that was accepted before, by today's rules.
pub fn not_matched(endpoint: &EndpointConfig, event: &Event) -> Reason {
    not_wanted(&endpoint.subscription, &event.body).unwrap_or_else(|| {
        let text = if endpoint.created_at > event.accepted_at {
            "it was made after the event was accepted; today it would match"
        } else if endpoint.updated_at > event.accepted_at {
            "it was changed after the event was accepted; today it would match"
        } else {
            "today it would match; the event was for named endpoints"
        };
        Reason { rule: Rule::NotThen, text: text.into() }
    })
}

fn came(value: Option<&str>) -> String {
    value
        .map_or_else(|| "the event has none".to_owned(), |value| format!("the event has {value:?}"))
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    let shown = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What a delivery that has not ended waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The receiver's answer: an attempt is under way.
    Answer,
    /// Somebody who resumes the endpoint.
    EndpointPaused,
    /// Somebody who enables the endpoint.
    EndpointDisabled,
    /// The end of an earlier delivery of its lane.
    Lane,
    /// Somebody who skips or redelivers the dead letter that holds its lane.
    Held,
    /// The time of its next attempt.
    Time,
    /// The end of one of the endpoint's attempts, of which as many are in flight as may be.
    Window,
    /// A probe that succeeds: the endpoint is down.
    Breaker,
    /// Its turn while the endpoint is being started slowly.
    Pace,
    /// Its turn under the endpoint's rate.
    Rate,
    /// Its turn, which comes at once unless the node is busy.
    Turn,
}

impl Wait {
    /// The text in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Wait::Answer => "answer",
            Wait::EndpointPaused => "endpoint_paused",
            Wait::EndpointDisabled => "endpoint_disabled",
            Wait::Lane => "lane",
            Wait::Held => "held",
            Wait::Time => "time",
            Wait::Window => "window",
            Wait::Breaker => "breaker",
            Wait::Pace => "pace",
            Wait::Rate => "rate",
            Wait::Turn => "turn",
        }
    }

    /// Whether the time of the next attempt says anything while it waits for this.
    pub const fn is_by_the_clock(self) -> bool {
        match self {
            Wait::Time | Wait::Window | Wait::Pace | Wait::Rate | Wait::Turn => true,
            Wait::Answer
            | Wait::EndpointPaused
            | Wait::EndpointDisabled
            | Wait::Lane
            | Wait::Held
            | Wait::Breaker => false,
        }
    }
}

/// An endpoint's admission as its shard sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Admission {
    /// Whether deliveries start.
    pub status: EndpointStatus,
    /// Attempts in flight.
    pub in_flight: usize,
    /// Whether the next one may start.
    pub opening: Opening,
    /// What has moved of its gate.
    pub gate: GateView,
}

/// What a delivery waits for; nothing once it has ended. `holder` is the dead letter that holds its
/// lane.
pub fn waits_for(
    state: DeliveryState,
    due: Option<Timestamp>,
    holder: Option<DeliveryKey>,
    admission: Admission,
    now: Timestamp,
) -> Option<Wait> {
    match (state, admission.status) {
        (
            DeliveryState::Delivered
            | DeliveryState::Dead
            | DeliveryState::Cancelled
            | DeliveryState::Suppressed,
            _,
        ) => None,
        (DeliveryState::InFlight, _) => Some(Wait::Answer),
        (_, EndpointStatus::Paused) => Some(Wait::EndpointPaused),
        (_, EndpointStatus::Disabled) => Some(Wait::EndpointDisabled),
        (DeliveryState::Queued, EndpointStatus::Active) => {
            Some(holder.map_or(Wait::Lane, |_| Wait::Held))
        }
        (DeliveryState::Pending, EndpointStatus::Active) => {
            if due.is_some_and(|due| due > now) {
                return Some(Wait::Time);
            }
            Some(match admission.opening {
                Opening::Now => Wait::Turn,
                Opening::At(_, bar) | Opening::AfterOutcome(bar) => match bar {
                    Bar::Breaker => Wait::Breaker,
                    Bar::Window => Wait::Window,
                    Bar::Pace => Wait::Pace,
                    Bar::Rate => Wait::Rate,
                },
            })
        }
    }
}

#[cfg(test)]
mod tests;
