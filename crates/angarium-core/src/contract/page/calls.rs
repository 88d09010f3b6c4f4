//! The management calls of a contract with a sample of each: what is sent and what comes back.

mod answering;

use super::sample::{NOW, Samples};
use crate::contract::Contract;
use crate::contract::api::{
    Call, EndpointFact, Fact, Field, ManagementApi, Operation, RequestMember, RequestValue, Route,
    Template,
};
use crate::endpoint::EndpointConfig;
use crate::source::SourceConfig;
use serde_json::{Map, Value, json};

/// What stands for the caller's API key.
pub(super) const API_KEY: &str = "your_api_key";

/// The calls of a contract; none of them where it has published none.
#[derive(Debug)]
pub(super) struct Calls<'a> {
    contract: &'a Contract,
    base_url: &'a str,
    samples: &'a Samples<'a>,
    endpoint: EndpointConfig,
    source: SourceConfig,
}

impl<'a> Calls<'a> {
    pub(super) fn of(contract: &'a Contract, base_url: &'a str, samples: &'a Samples<'a>) -> Self {
        let endpoint = samples.endpoint();
        let source = samples.source(&endpoint);
        let mut calls = Self { contract, base_url, samples, endpoint, source };
        calls.endpoint.name = calls.takes(Field::Name).then(|| "Sample".to_owned());
        calls.endpoint.description = calls.takes(Field::Description).then(|| "A sample".to_owned());
        let subjects = calls.takes(Field::Subjects).then(|| vec![samples.subject()]);
        calls.endpoint.subscription.subjects = subjects;
        let described = calls.takes(Field::SourceDescription);
        calls.source.description = described.then(|| "A sample".to_owned());
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
    pub(super) fn id(&self, route: &Route) -> String {
        let Some(api) = self.api() else { return String::new() };
        match route.operation.is_of_source() {
            true => api.id.show(self.source.id),
            false => api.id.show(self.endpoint.id),
        }
    }

    /// The address of a call, its id a sample's.
    pub(super) fn url(&self, route: &Route, call: &Call) -> String {
        format!("{}{}", self.base_url, call.path.to_string().replace("{id}", &self.id(route)))
    }

    /// Where third parties send to the sample.
    fn receive_url(&self) -> String {
        let path = self.api().and_then(|api| api.receive_path(self.source.id));
        format!("{}{}", self.base_url, path.unwrap_or_default())
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
        let is_update = matches!(operation, Operation::EndpointUpdate | Operation::SourceUpdate);
        let switches = self.takes(Field::Active) || self.takes(Field::Status);
        match field {
            Field::Active | Field::SourceActive => is_update.then(|| json!(true)),
            Field::Status => (is_update && !self.takes(Field::Active)).then(|| json!("active")),
            Field::SourceStatus => {
                (is_update && !self.takes(Field::SourceActive)).then(|| json!("active"))
            }
            Field::SourceUrl
            | Field::SourceTypes
            | Field::SourceName
            | Field::SourceScheme
            | Field::SourceDescription
                if is_update =>
            {
                None
            }
            Field::SourceUrl => Some(json!(self.endpoint.url)),
            Field::SourceName => Some(json!(self.source.name)),
            Field::SourceId => self.api().map(|api| json!(api.id.show(self.source.id))),
            Field::ReceivedBody => self
                .samples
                .first_event()
                .map(|event| json!(String::from_utf8_lossy(&event.body.data))),
            Field::ReceivedSignature => Some(json!("the_signature")),
            Field::SourceScheme | Field::SourceDescription | Field::ReceivedHeaders => None,
            Field::Types | Field::SourceTypes => Some(json!(self.samples.types())),
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
