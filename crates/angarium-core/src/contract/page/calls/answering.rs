//! The answers to sample calls, as the server would print them.

use super::{Calls, NOW};
use crate::contract::api::{
    DeadLetter, EndpointFacts, ForwardDelivery, Operation, ReceivedEvent, RequestVerdict, Route,
    SourceFacts, Subject,
};
use crate::contract::{KeyPresence, KeyScope};
use crate::delivery::DeliveryState;
use crate::endpoint::EndpointHealth;
use crate::event::Event;
use crate::id::{DeliveryKey, EndpointNo, EventId, EventKey};
use crate::outcome::Class;
use crate::secret::SigningKey;
use bytes::Bytes;

/// A webhook that fails.
const FAILING: EndpointHealth = EndpointHealth {
    consecutive_failures: 5,
    dead_in_a_row: 1,
    last_success_at: None,
    last_failure_at: Some(NOW),
    last_failure_class: Some(Class::ServerError),
    last_failure_status: Some(500),
    failing_since: Some(NOW),
    incident: None,
};

impl Calls<'_> {
    /// The answer to a sample call, as the server prints it.
    pub(in super::super) fn answer(&self, route: &Route) -> Option<Vec<u8>> {
        let secret = self.samples.key().map(|key| &key.secret);
        let rule = self.contract.key_rule();
        let own = rule.is_some_and(|rule| {
            (rule.scope, rule.presence) == (KeyScope::Endpoint, KeyPresence::Required)
        });
        let facts = |secret| EndpointFacts {
            config: &self.endpoint,
            health: EndpointHealth { last_success_at: Some(NOW), ..EndpointHealth::default() },
            secret,
        };
        let (made, known) = ([facts(secret.filter(|_| own))], [facts(None)]);
        let keys = self.keys();
        let event = self.samples.first_event();
        let dead_letters: Vec<_> = event.iter().map(|event| self.dead_letter(event)).collect();
        let failing = [EndpointFacts { health: FAILING, ..facts(None) }];
        let events = [EventId::Made(EventKey::first_at(NOW))];
        let ids = [events[0].to_string()];
        let subject = match route.operation {
            Operation::EndpointCreate => Subject::Endpoint(made[0]),
            Operation::EndpointGet | Operation::EndpointUpdate => Subject::Endpoint(known[0]),
            Operation::EndpointList => Subject::Endpoints(&known),
            Operation::EndpointDelete | Operation::SourceDelete => Subject::Nothing,
            Operation::DiagnosticsShow => {
                Subject::Diagnostics { endpoints: &failing, dead_letters: &dead_letters }
            }
            Operation::EndpointTest => Subject::Test { events: &ids, endpoints: 1 },
            Operation::KeysList => Subject::Keys { keys: &keys, secret: None },
            Operation::KeysRotate => Subject::Keys { keys: &keys, secret },
            Operation::SourceCreate
            | Operation::SourceList
            | Operation::SourceGet
            | Operation::SourceUpdate
            | Operation::SourceRotate
            | Operation::SourceEvents
            | Operation::SourceDeliveries
            | Operation::SourceRecent
            | Operation::SourceTest
            | Operation::SourceVerify
            | Operation::SourceReceive
            | Operation::SourceMatch => return self.answer_of_source(route),
        };
        self.api()?.print(route, &subject)
    }

    /// The answer to a sample call that is about sources.
    fn answer_of_source(&self, route: &Route) -> Option<Vec<u8>> {
        let receive_url = self.receive_url();
        let facts = SourceFacts {
            config: &self.source,
            receive_url: &receive_url,
            secret: None,
            deliveries: 1,
            last_delivery_at: Some(NOW),
        };
        let secret = self.samples.key().map(|key| &key.secret);
        let (rotated, known) = (SourceFacts { secret, ..facts }, [facts]);
        let made = SourceFacts { deliveries: 0, last_delivery_at: None, ..rotated };
        let id = EventId::Made(EventKey::first_at(NOW));
        let event = self.samples.first_event();
        let received = |event| ReceivedEvent {
            event,
            source: self.source.id,
            source_name: &self.source.name,
            is_gone: false,
        };
        let received: Vec<_> = event.iter().map(received).collect();
        let forwards = [forward(&id)];
        let subject = match route.operation {
            Operation::SourceCreate => Subject::Source(made),
            Operation::SourceRotate => Subject::Source(rotated),
            Operation::SourceList => Subject::Sources(&known),
            Operation::SourceEvents | Operation::SourceRecent => Subject::Received(&received),
            Operation::SourceDeliveries => Subject::Forwards(&forwards),
            Operation::SourceVerify => Subject::Verdict(RequestVerdict::Genuine),
            Operation::SourceTest | Operation::SourceReceive | Operation::SourceMatch => {
                Subject::Accepted(Some(&id))
            }
            Operation::SourceGet
            | Operation::SourceUpdate
            | Operation::SourceDelete
            | Operation::EndpointCreate
            | Operation::EndpointList
            | Operation::EndpointGet
            | Operation::EndpointUpdate
            | Operation::EndpointDelete
            | Operation::EndpointTest
            | Operation::DiagnosticsShow
            | Operation::KeysList
            | Operation::KeysRotate => Subject::Source(known[0]),
        };
        self.api()?.print(route, &subject)
    }

    fn dead_letter<'e>(&self, event: &'e Event) -> DeadLetter<'e> {
        DeadLetter {
            event,
            endpoint: self.endpoint.id,
            died_at: NOW,
            attempts: 5,
            class: FAILING.last_failure_class,
            status: FAILING.last_failure_status,
        }
    }

    /// The keys that a sample answer lists: the current one and those before it.
    fn keys(&self) -> Vec<SigningKey> {
        let priors = self.contract.key_rule().map_or(0, |rule| rule.priors.min(1));
        let current = self.samples.key().into_iter().cloned();
        current.chain(self.samples.retired_key().filter(|_| priors > 0)).collect()
    }
}

/// An event that was forwarded and arrived.
fn forward(event: &EventId) -> ForwardDelivery {
    ForwardDelivery {
        key: DeliveryKey::first(EventKey::first_at(NOW), EndpointNo::new(1)),
        event: event.clone(),
        state: DeliveryState::Delivered,
        attempts: 1,
        answer_status: Some(200),
        answer_body: Some(Bytes::from_static(b"ok")),
        created_at: NOW,
        delivered_at: Some(NOW),
    }
}
