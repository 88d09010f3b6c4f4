//! The operations that a route may name, by the functions that the native API calls.

use super::call::ContractCall;
use crate::api::App;
use crate::api::auth::Caller;
use crate::api::endpoints::{
    EndpointChange, Endpoints, NewEndpoint, TestEvent, Tested, facts, send_tests,
};
use crate::api::idempotency::Idempotency;
use crate::api::json::{Answer, Secret};
use crate::api::problem::{Problem, internal};
use crate::api::signing_keys::{ensure_tenant_key, known_keys, rotate_tenant_key};
use angarium_core::account::Tenant;
use angarium_core::contract::api::{EndpointFacts, Fields, Given, Operation, Subject, Visibility};
use angarium_core::refusal::Refusal;
use angarium_core::secret::{SecretText, SigningKey};
use http::StatusCode;
use serde_json::value::to_raw_value;
use std::sync::Arc;

/// A call whose caller may make it.
#[derive(Debug)]
pub(super) struct Operating<'a> {
    pub(super) app: &'a Arc<App>,
    pub(super) call: &'a ContractCall<'a>,
    pub(super) caller: &'a Caller,
    /// The address below which the contract's calls are; empty where nothing names it.
    pub(super) base_url: String,
}

impl Operating<'_> {
    /// Answers what only reads.
    ///
    /// # Errors
    /// `not_found`, and the store's.
    pub(super) async fn read(&self) -> Result<Answer, Problem> {
        match self.call.route.operation {
            Operation::EndpointList => {
                let rows = self.endpoints()?.list().await?;
                let facts: Vec<_> = rows.iter().map(|row| facts(self.app, row)).collect();
                Ok(self.print(&Subject::Endpoints(&facts)))
            }
            Operation::EndpointGet => {
                let row = self.endpoints()?.find(self.id()).await?;
                Ok(self.print(&Subject::Endpoint(facts(self.app, &row))))
            }
            Operation::DiagnosticsShow => self.diagnostics().await,
            Operation::KeysList => self.list_keys().await,
            Operation::SourceList => self.list_sources().await,
            Operation::SourceGet => self.show_source().await,
            Operation::SourceEvents => self.list_received().await,
            Operation::SourceRecent => self.list_recent().await,
            Operation::SourceDeliveries => self.list_forwards().await,
            Operation::EndpointCreate
            | Operation::EndpointUpdate
            | Operation::EndpointDelete
            | Operation::EndpointTest
            | Operation::KeysRotate
            | Operation::SourceCreate
            | Operation::SourceUpdate
            | Operation::SourceDelete
            | Operation::SourceRotate
            | Operation::SourceTest
            | Operation::SourceVerify
            | Operation::SourceReceive
            | Operation::SourceMatch => Err(internal().into()),
        }
    }

    /// Does what changes something.
    ///
    /// # Errors
    /// What the operation refuses, by the members of the native API.
    pub(super) async fn change(
        &self,
        fields: Fields,
        idempotency: &Idempotency,
    ) -> Result<Answer, Problem> {
        let (endpoints, id) = (self.endpoints()?, self.id());
        let print = |endpoint: &EndpointFacts<'_>| self.print(&Subject::Endpoint(*endpoint));
        match self.call.route.operation {
            Operation::EndpointCreate => {
                let new = self.new_endpoint(fields);
                endpoints.create(self.tenant()?, &new, idempotency, print).await
            }
            Operation::EndpointUpdate => {
                endpoints.change(id, &changed(fields), idempotency, print).await
            }
            Operation::EndpointDelete => {
                endpoints.delete(id, idempotency, self.print(&Subject::Nothing)).await
            }
            Operation::EndpointTest => self.test(fields, idempotency).await,
            Operation::KeysRotate => self.rotate(fields, idempotency).await,
            Operation::SourceCreate => self.create_source(fields, idempotency).await,
            Operation::SourceUpdate => self.change_source(fields, idempotency).await,
            Operation::SourceDelete => {
                let answer = self.print(&Subject::Nothing);
                self.sources()?.delete(id, idempotency, answer).await
            }
            Operation::SourceRotate => self.rotate_source(fields, idempotency).await,
            Operation::SourceTest => self.test_source(fields, idempotency).await,
            Operation::SourceVerify => Ok(self.verify_request(fields)?),
            Operation::EndpointList
            | Operation::EndpointGet
            | Operation::DiagnosticsShow
            | Operation::KeysList
            | Operation::SourceList
            | Operation::SourceGet
            | Operation::SourceEvents
            | Operation::SourceDeliveries
            | Operation::SourceRecent
            | Operation::SourceReceive
            | Operation::SourceMatch => Err(internal().into()),
        }
    }

    /// The signing keys of the endpoint in the path, else of the tenant.
    async fn list_keys(&self) -> Result<Answer, Problem> {
        let keys = match self.call.id {
            Some(id) => {
                let row = self.endpoints()?.find(id).await?;
                self.known(&row.config.secrets.keys).to_vec()
            }
            None => {
                let (tenant, contract) = (self.tenant()?, self.call.contract.name());
                ensure_tenant_key(self.app, tenant, contract).await?;
                known_keys(self.app, tenant, contract)
            }
        };
        Ok(self.print_keys(&keys, None))
    }

    async fn rotate(&self, fields: Fields, idempotency: &Idempotency) -> Result<Answer, Problem> {
        let given = fields.secret.value().map(Secret);
        let Some(id) = self.call.id else {
            let print = |keys: &[SigningKey]| self.print_keys(keys, None);
            let (tenant, contract) = (self.tenant()?, self.call.contract.name());
            let given = given.as_ref();
            let of = (tenant, contract);
            return rotate_tenant_key(self.app, self.caller, of, given, idempotency, print).await;
        };
        let print = |rotated: &EndpointFacts<'_>| {
            self.print_keys(self.known(&rotated.config.secrets.keys), rotated.secret)
        };
        self.endpoints()?.rotate(id, given.as_ref(), idempotency, print).await
    }

    /// Tests the endpoint that is named, else all that the caller sees.
    async fn test(&self, fields: Fields, idempotency: &Idempotency) -> Result<Answer, Problem> {
        let endpoints = self.endpoints()?;
        let named = fields.endpoint_id.value();
        let rows = match self.call.id.or(named.as_deref()) {
            Some(id) => vec![endpoints.find(id).await?],
            None => endpoints.list().await?,
        };
        let data = fields.event_data.value().map(|data| to_raw_value(&data)).transpose();
        let data = data.map_err(|_| internal())?;
        let wanted = TestEvent { kind: fields.event_type.value(), data };
        let print = |tested: &Tested| {
            self.print(&Subject::Test { events: &tested.events, endpoints: tested.endpoints })
        };
        send_tests(self.app, self.tenant()?, &rows, &wanted, idempotency, print).await
    }

    /// The endpoints that this call may know of.
    pub(super) fn endpoints(&self) -> Result<Endpoints<'_>, Refusal> {
        let own = Endpoints::of(self.app, self.caller)?.following(self.call.contract.name());
        Ok(match self.call.api.auth.sees {
            Visibility::Tenant => own,
            Visibility::Key => own.made_by_caller(),
        })
    }

    pub(super) fn tenant(&self) -> Result<&Tenant, Refusal> {
        // A contract's caller is a tenant's key: nobody else gets this far.
        self.caller.own_tenant().map(AsRef::as_ref).ok_or_else(internal)
    }

    /// The id in the path; a path without one names nothing.
    pub(super) fn id(&self) -> &str {
        self.call.id.unwrap_or_default()
    }

    fn new_endpoint(&self, fields: Fields) -> NewEndpoint {
        NewEndpoint {
            url: fields.url.value().unwrap_or_default(),
            types: fields.types.value().unwrap_or_default(),
            subjects: fields.subjects.value(),
            contract: Some(self.call.contract.name().to_owned()),
            secret: fields.secret.value().map(Secret),
            name: fields.name.value(),
            description: fields.description.value(),
            status: fields.status.value(),
            ..NewEndpoint::default()
        }
    }

    /// Of the keys of an endpoint, those that may be known.
    fn known<'k>(&self, keys: &'k [SigningKey]) -> &'k [SigningKey] {
        self.call.contract.key_rule().map(|rule| rule.known(keys)).unwrap_or_default()
    }

    fn print_keys(&self, keys: &[SigningKey], secret: Option<&SecretText>) -> Answer {
        self.print(&Subject::Keys { keys, secret })
    }

    pub(super) fn print(&self, subject: &Subject<'_>) -> Answer {
        let route = self.call.route;
        let status = StatusCode::from_u16(route.status).unwrap_or(StatusCode::OK);
        Answer { status, body: self.call.api.print(route, subject).unwrap_or_default() }
    }
}

/// What a call says of an endpoint that is there: what it is silent about stays.
fn changed(fields: Fields) -> EndpointChange {
    EndpointChange {
        url: unless_silent(fields.url),
        types: unless_silent(fields.types),
        subjects: fields.subjects.change(),
        name: fields.name.change(),
        description: fields.description.change(),
        status: fields.status.value(),
        ..EndpointChange::default()
    }
}

/// What cannot be absent is refused where it is cleared, as an empty value is.
pub(super) fn unless_silent<T: Default>(given: Given<T>) -> Option<T> {
    given.change().map(Option::unwrap_or_default)
}
