//! The management API of a contract: the calls that a platform has published for its customers.
//!
//! A route names one of a closed set of operations and maps names, both ways: members of the
//! request to the fields that they set, facts to the members of the answer. It holds no rule of its
//! own; what may be done is decided where the native API decides it.

mod error_shape;
mod fact;
mod form;
mod object;
mod operation;
mod path;
mod received;
mod request_map;
mod subject;
mod template;

pub use error_shape::{ErrorAnswer, ErrorKind, ErrorShape, ErrorWords};
pub(super) use fact::{
    DeadLetterFact, EndpointFact, ErrorFact, Fact, ForwardFact, KeyFact, ReceivedFact, SourceFact,
    TestFact, VerdictFact,
};
pub use form::{ApiKeyForm, IdForm};
pub use operation::{Access, Bounds, IdInPath, MOST_DEAD_LETTERS, MOST_RECEIVED, Operation};
pub use path::{Call, RoutePath};
pub use received::{ForwardDelivery, ReceivedEvent, RequestVerdict, SourceFacts};
pub use request_map::{Field, FieldKind, Fields, Given, RequestMap, RequestMember, RequestValue};

pub use subject::{DeadLetter, EndpointFacts, Subject};
pub(super) use template::{Names, Shapes, Template};

use super::time_form::TimeForm;
use crate::id::SourceId;
use http::{HeaderName, Method};
use object::{Forms, Object};

/// What a contract says of its management API.
#[derive(Debug)]
pub struct ManagementApi {
    /// How a caller shows its key.
    pub auth: Authentication,
    /// How ids of endpoints and sources are shown.
    pub id: IdForm,
    /// How times are shown.
    pub time: TimeForm,
    /// How errors are shown; without one they are RFC 9457.
    pub error: Option<ErrorShape>,
    /// The calls, those without `{id}` first, else in the order of the file.
    routes: Vec<Route>,
}

/// How a caller shows its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    /// The header that carries it.
    pub header: HeaderName,
    /// The header as the file writes it.
    pub written_header: Box<str>,
    /// The word before the key, such as `Bearer`.
    pub scheme: Option<Box<str>>,
    /// What a key sees.
    pub sees: Visibility,
    /// What a new key looks like; the gateway's own form where nothing is said.
    pub key: Option<ApiKeyForm>,
}

/// What a customer's key sees of the tenant's endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// All of them.
    Tenant,
    /// Those that were made with it (contracts.md, K9).
    Key,
}

/// One route: what is called, what it does, and how names are mapped.
#[derive(Debug)]
pub struct Route {
    /// The calls, in the order of the file; at least one.
    pub calls: Vec<Call>,
    /// What it does.
    pub operation: Operation,
    /// Whose third party's requests it takes in, where they name no source.
    pub scheme: Option<Box<str>>,
    /// What the request's members set.
    pub request: RequestMap,
    /// The status of a good answer.
    pub status: u16,
    /// What it is for, for people.
    pub summary: Option<Box<str>>,
    pub(super) response: Option<Template>,
}

/// What is found at a path.
#[derive(Debug)]
pub enum Found<'a> {
    /// A route, and the id in its path.
    Route(&'a Route, &'a Call, Option<&'a str>),
    /// The path is there, the method is not; these are.
    WrongMethod(Vec<&'a Method>),
    /// Nothing.
    Nothing,
}

impl ManagementApi {
    pub(super) fn new(
        auth: Authentication,
        id: IdForm,
        time: TimeForm,
        error: Option<ErrorShape>,
        mut routes: Vec<Route>,
    ) -> Self {
        // `/webhooks/test` must be found before `/webhooks/{id}`.
        routes.sort_by_key(|route| route.calls.iter().any(|call| call.path.has_id()));
        Self { auth, id, time, error, routes }
    }

    /// The routes; those without `{id}` come first.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Whether third parties send to it.
    pub fn has_sources(&self) -> bool {
        self.routes.iter().any(|route| route.operation.bounds().access == Access::Receives)
    }

    /// The path at which third parties send to a source; none where they cannot.
    pub fn receive_path(&self, source: SourceId) -> Option<String> {
        let mut receiving = self.routes.iter();
        let route = receiving.find(|route| route.operation == Operation::SourceReceive)?;
        let path = route.calls.first()?.path.to_string();
        Some(path.replace("{id}", &self.id.show(source)))
    }

    /// What is called by a method at a path.
    pub fn find<'a>(&'a self, method: &Method, path: &'a str) -> Found<'a> {
        let mut methods = Vec::new();
        for route in &self.routes {
            for call in &route.calls {
                match call.path.matches(path) {
                    Some(id) if call.method == method => return Found::Route(route, call, id),
                    Some(_) if !methods.contains(&&call.method) => methods.push(&call.method),
                    Some(_) | None => {}
                }
            }
        }
        if methods.is_empty() { Found::Nothing } else { Found::WrongMethod(methods) }
    }

    /// The body of a good answer; none where the route has no response.
    pub fn print(&self, route: &Route, subject: &Subject<'_>) -> Option<Vec<u8>> {
        let template = route.response.as_ref()?;
        let value = template.fill(Object::Whole(*subject), &Forms::from(self));
        Some(value.unwrap_or_default().to_string().into_bytes())
    }
}

/// A call that a server could not tell from one of the other API.
pub fn collision<'a>(one: &'a ManagementApi, other: &ManagementApi) -> Option<&'a Call> {
    one.routes.iter().find_map(|route| colliding_call(&other.routes, route))
}

/// A call of the route that one of the others has too.
pub(super) fn colliding_call<'a>(others: &[Route], route: &'a Route) -> Option<&'a Call> {
    let known = |call: &&Call| others.iter().flat_map(|other| &other.calls).any(|c| c == *call);
    route.calls.iter().find(known)
}

#[cfg(test)]
mod tests;
