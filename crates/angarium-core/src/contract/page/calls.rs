//! The management calls of a contract with a sample of each: what is sent and what comes back.

use super::sample::{NOW, Samples};
use crate::contract::api::{
    Call, DeadLetter, EndpointFact, EndpointFacts, Fact, Field, ManagementApi, Operation,
    RequestMember, RequestValue, Route, Subject, Template,
};
use crate::contract::{Contract, KeyPresence, KeyScope};
use crate::endpoint::{EndpointConfig, EndpointHealth};
use crate::event::Event;
use crate::id::{EventId, EventKey};
use crate::outcome::Class;
use crate::secret::SigningKey;
use serde_json::{Map, Value, json};

/// What stands for the caller's API key.
pub(super) const API_KEY: &str = "your_api_key";

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

/// The calls of a contract; none of them where it has published none.
#[derive(Debug)]
pub(super) struct Calls<'a> {
    contract: &'a Contract,
    base_url: &'a str,
    samples: &'a Samples<'a>,
    endpoint: EndpointConfig,
}

impl<'a> Calls<'a> {
    pub(super) fn of(contract: &'a Contract, base_url: &'a str, samples: &'a Samples<'a>) -> Self {
        let mut calls = Self { contract, base_url, samples, endpoint: samples.endpoint() };
        calls.endpoint.name = calls.takes(Field::Name).then(|| "Sample".to_owned());
        calls.endpoint.description = calls.takes(Field::Description).then(|| "A sample".to_owned());
        let subjects = calls.takes(Field::Subjects).then(|| vec![samples.subject()]);
        calls.endpoint.subscription.subjects = subjects;
        calls
    }

    pub(super) fn api(&self) -> Option<&'a ManagementApi> {
        self.contract.api()
    }

    pub(super) fn routes(&self) -> &'a [Route] {
        self.api().map(ManagementApi::routes).unwrap_or_default()
    }

    fn route_of(&self, operation: Operation) -> Option<&'a Route> {
        self.routes().iter().find(|route| route.operation == operation)
    }

    /// The call that does this, as `POST /v1/webhooks`.
    pub(super) fn call_of(&self, operation: Operation) -> Option<String> {
        self.route_of(operation).map(|route| route.calls[0].to_string())
    }

    /// Whether any call sets this.
    pub(super) fn takes(&self, field: Field) -> bool {
        let sets = |route: &Route| route.request.fields().iter().any(|(_, known)| *known == field);
        self.routes().iter().any(sets)
    }

    /// Whether the answer that makes a webhook shows its secret.
    pub(super) fn shows_secret(&self) -> bool {
        let made = self.route_of(Operation::EndpointCreate);
        made.and_then(|route| path_of(route.response.as_ref()?, Fact::Secret)).is_some()
    }

    /// What an answer says of a webhook that is switched off: `"is_active": false`.
    pub(super) fn says_disabled(&self) -> Option<String> {
        let shown = |fact, value: &str| {
            let in_route = |route: &Route| path_of(route.response.as_ref()?, Fact::Endpoint(fact));
            let path = self.routes().iter().find_map(in_route)?;
            Some(format!("\"{}\": {value}", path.rsplit(['.', ']']).next().unwrap_or_default()))
        };
        shown(EndpointFact::Active, "false").or_else(|| shown(EndpointFact::Status, "\"disabled\""))
    }

    /// The call that switches a webhook on, and the member that does it.
    pub(super) fn switches_on(&self) -> Option<(String, String)> {
        let route = self.route_of(Operation::EndpointUpdate)?;
        let member = |wanted: Field, value: &str| {
            let fields = route.request.fields();
            let (path, _) = fields.iter().find(|(_, field)| *field == wanted)?;
            Some(format!("\"{path}\": {value}"))
        };
        let member = member(Field::Active, "true").or_else(|| member(Field::Status, "\"active\""));
        Some((route.calls[0].to_string(), member?))
    }

    /// The sample webhook's id, as the contract shows it.
    pub(super) fn id(&self) -> String {
        self.api().map(|api| api.id.show(self.endpoint.id)).unwrap_or_default()
    }

    /// The address of a call, its id a sample's.
    pub(super) fn url(&self, call: &Call) -> String {
        format!("{}{}", self.base_url, call.path.to_string().replace("{id}", &self.id()))
    }

    /// The body that a sample call sends; none where the call takes none.
    pub(super) fn body(&self, route: &Route) -> Option<Value> {
        let members = self.sample_members(route.operation, route.request.members());
        (!route.request.members().is_empty()).then(|| Value::Object(members))
    }

    fn sample_members(
        &self,
        operation: Operation,
        members: &[RequestMember],
    ) -> Map<String, Value> {
        let member = |member: &RequestMember| {
            let value = match &member.value {
                RequestValue::Field { field, .. } => self.value(operation, *field)?,
                RequestValue::Table(inner) => Value::Object(self.sample_members(operation, inner)),
            };
            Some((member.name.clone(), value))
        };
        members.iter().filter_map(member).collect()
    }

    /// What a sample call says of a field; nothing where it may as well be silent.
    fn value(&self, operation: Operation, field: Field) -> Option<Value> {
        let is_update = operation == Operation::EndpointUpdate;
        let switches = self.takes(Field::Active) || self.takes(Field::Status);
        match field {
            Field::Active => is_update.then(|| json!(true)),
            Field::Status => (is_update && !self.takes(Field::Active)).then(|| json!("active")),
            Field::Types => Some(json!(self.samples.types())),
            // To switch on again is what a change is for most often; it leaves the URL alone.
            Field::Url if is_update && switches => None,
            Field::Subjects | Field::Name | Field::Description if is_update => None,
            Field::Url => Some(json!(self.endpoint.url)),
            Field::Subjects => Some(json!(self.endpoint.subscription.subjects)),
            Field::Name => Some(json!(self.endpoint.name)),
            Field::Description | Field::Secret | Field::EndpointId | Field::EventData => None,
            Field::EventType => self.samples.types().first().map(|name| json!(name)),
        }
    }

    /// The answer to a sample call, as the server prints it.
    pub(super) fn answer(&self, route: &Route) -> Option<Vec<u8>> {
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
        let events = [EventId::Made(EventKey::first_at(NOW)).to_string()];
        let subject = match route.operation {
            Operation::EndpointCreate => Subject::Endpoint(made[0]),
            Operation::EndpointGet | Operation::EndpointUpdate => Subject::Endpoint(known[0]),
            Operation::EndpointList => Subject::Endpoints(&known),
            Operation::EndpointDelete => Subject::Nothing,
            Operation::DiagnosticsShow => {
                Subject::Diagnostics { endpoints: &failing, dead_letters: &dead_letters }
            }
            Operation::EndpointTest => Subject::Test { events: &events, endpoints: 1 },
            Operation::KeysList => Subject::Keys { keys: &keys, secret: None },
            Operation::KeysRotate => Subject::Keys { keys: &keys, secret },
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

/// The first member of an answer that is this fact alone.
fn path_of(template: &Template, fact: Fact) -> Option<String> {
    let below = |name: &str, path: String| match path.is_empty() || path.starts_with('[') {
        true => format!("{name}{path}"),
        false => format!("{name}.{path}"),
    };
    match template {
        Template::Whole { fact: known, .. } if *known == fact => Some(String::new()),
        Template::Table(members) => members
            .iter()
            .find_map(|(name, inner)| path_of(inner, fact).map(|path| below(name, path))),
        Template::Each { item, .. } => path_of(item, fact).map(|path| below("[]", path)),
        Template::List(items) => items.iter().find_map(|item| path_of(item, fact)),
        Template::Whole { .. } | Template::Fixed(_) | Template::Text(_) => None,
    }
}
