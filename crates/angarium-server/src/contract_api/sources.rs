//! The calls about sources, by the functions that the native API calls.

use super::operate::{Operating, unless_silent};
use crate::api::idempotency::Idempotency;
use crate::api::json::{Answer, Secret};
use crate::api::problem::{Problem, not_found};
use crate::api::sources::{Made, NewSource, SourceChange, Sources};
use crate::receive::{TestEvent, make_test};
use angarium_core::contract::api::{Fields, Given, RequestVerdict, SourceFacts, Subject};
use angarium_core::endpoint::EndpointStatus;
use angarium_core::id::{EventId, SourceId};
use angarium_core::refusal::{Code, Refusal};
use angarium_core::scheme::Incoming;
use angarium_core::source::{SchemeChoice, Source, SourceConfig, SourceStatus, type_pattern};
use angarium_core::time::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::sync::Arc;
use std::time::Duration;

/// What is told of a source beside how it is configured.
#[derive(Debug, Clone, Default)]
struct Told {
    receive_url: String,
    deliveries: u64,
    last_delivery_at: Option<Timestamp>,
}

impl Told {
    fn facts<'a>(&'a self, config: &'a SourceConfig) -> SourceFacts<'a> {
        SourceFacts {
            config,
            receive_url: &self.receive_url,
            secret: None,
            deliveries: self.deliveries,
            last_delivery_at: self.last_delivery_at,
        }
    }
}

impl Operating<'_> {
    pub(super) async fn list_sources(&self) -> Result<Answer, Problem> {
        let sources = self.all_sources()?;
        let mut told = Vec::with_capacity(sources.len());
        for source in &sources {
            told.push(self.told(&source.config).await?);
        }
        let facts = sources.iter().zip(&told).map(|(source, told)| told.facts(&source.config));
        Ok(self.print(&Subject::Sources(&facts.collect::<Vec<_>>())))
    }

    pub(super) async fn show_source(&self) -> Result<Answer, Problem> {
        let source = self.sources()?.find(self.id())?;
        let told = self.told(&source.config).await?;
        Ok(self.print(&Subject::Source(told.facts(&source.config))))
    }

    pub(super) async fn create_source(
        &self,
        fields: Fields,
        idempotency: &Idempotency,
    ) -> Result<Answer, Problem> {
        let new = NewSource {
            name: fields.name.value().unwrap_or_default(),
            scheme: self.scheme(fields.scheme.value()),
            secret: fields.secret.value().map(Secret),
            types: fields.types.value().map(patterns),
            forward_url: fields.url.value(),
            reply: None,
            headers: None,
            dedupe: None,
            description: fields.description.value().filter(|text| !text.is_empty()),
            status: fields.status.value().map(status),
        };
        // What is new has forwarded nothing.
        let print = |made: &Made<'_>| self.print_made(&Told::default(), made);
        self.sources()?.create(self.tenant()?, &new, idempotency, print).await
    }

    pub(super) async fn change_source(
        &self,
        fields: Fields,
        idempotency: &Idempotency,
    ) -> Result<Answer, Problem> {
        let sources = self.sources()?;
        let source = sources.find(self.id())?;
        let told = self.told(&source.config).await?;
        // Whoever sends back what it was shown does not ask for a loop.
        let forward_url = fields.url.change();
        let forward_url = forward_url.map(|url| url.filter(|url| *url != told.receive_url));
        let description = fields.description.change();
        let change = SourceChange {
            name: unless_silent(fields.name),
            scheme: fields.scheme.change().map(|named| self.scheme(named)),
            secret: fields.secret.value().map(Secret),
            types: fields.types.change().map(|types| types.map(patterns)),
            forward_url,
            reply: None,
            headers: None,
            dedupe: None,
            description: description.map(|text| text.filter(|text| !text.is_empty())),
            status: fields.status.value().map(status),
        };
        let print = |made: &Made<'_>| self.print_made(&told, made);
        sources.change(self.id(), &change, idempotency, print).await
    }

    /// Gives a source a new secret; for how long the old one is believed, the contract says.
    pub(super) async fn rotate_source(
        &self,
        fields: Fields,
        idempotency: &Idempotency,
    ) -> Result<Answer, Problem> {
        let sources = self.sources()?;
        let told = self.told(&sources.find(self.id())?.config).await?;
        let given = fields.secret.value().map(Secret);
        let overlap = self.call.contract.key_rule().map_or(Duration::ZERO, |rule| rule.overlap);
        let print = |made: &Made<'_>| self.print_made(&told, made);
        sources.rotate(self.id(), given.as_ref(), overlap, idempotency, print).await
    }

    pub(super) async fn test_source(
        &self,
        fields: Fields,
        idempotency: &Idempotency,
    ) -> Result<Answer, Problem> {
        let source = self.named(fields.source_id)?;
        let data = fields.event_data.value().map(|data| data.to_string().into());
        let wanted = TestEvent { kind: fields.event_type.value(), data };
        let print = |id: &EventId| self.print(&Subject::Accepted(Some(id)));
        make_test(self.app, &source, wanted, idempotency, print).await
    }

    /// Whether a source would accept a request. A signature alone stands where its scheme has it.
    pub(super) fn verify_request(&self, fields: Fields) -> Result<Answer, Refusal> {
        let source = self.named(fields.source_id)?;
        let mut headers = header_map(&fields.received_headers.value().unwrap_or_default())?;
        if let Some(signature) = fields.received_signature.value() {
            let value = HeaderValue::from_str(&signature).map_err(|_| {
                Refusal::field(Code::InvalidField, "signature", "this cannot stand in a header")
            })?;
            for name in source.scheme.signature_headers() {
                headers.entry(name).or_insert_with(|| value.clone());
            }
        }
        let body = fields.received_body.value().unwrap_or_default();
        let incoming = Incoming {
            method: &Method::POST,
            url: &self.receive_url(source.config.id),
            headers: &headers,
            body: body.as_bytes(),
        };
        let verifier = source.verifier(self.app.now());
        let verdict = verifier.verify(incoming, self.app.clock.wall());
        let reason = verdict.map_err(|cause| cause.to_string());
        Ok(self.print(&Subject::Verdict(match &reason {
            Ok(_) => RequestVerdict::Genuine,
            Err(reason) => RequestVerdict::Rejected(reason),
        })))
    }

    /// The sources that this call may know of.
    pub(super) fn sources(&self) -> Result<Sources<'_>, Refusal> {
        Ok(Sources::of(self.app, self.caller)?.following(self.call.contract.name()))
    }

    /// All of them, newest first; a tenant has not more than the limit.
    pub(super) fn all_sources(&self) -> Result<Vec<Arc<Source>>, Refusal> {
        Ok(self.sources()?.page(None, None, self.app.limits.sources_per_tenant))
    }

    /// The source that the request names.
    fn named(&self, id: Given<String>) -> Result<Arc<Source>, Refusal> {
        let id = id.value().ok_or_else(|| not_found("source"))?;
        self.sources()?.find(&id)
    }

    fn scheme(&self, named: Option<String>) -> SchemeChoice {
        let default = || self.call.contract.sources().default.as_deref().map(str::to_owned);
        SchemeChoice::Named(named.or_else(default).unwrap_or_default())
    }

    fn receive_url(&self, id: SourceId) -> String {
        format!("{}{}", self.base_url, self.call.api.receive_path(id).unwrap_or_default())
    }

    async fn told(&self, config: &SourceConfig) -> Result<Told, Problem> {
        let told = Told { receive_url: self.receive_url(config.id), ..Told::default() };
        if config.forward.url.is_none() {
            return Ok(told);
        }
        let Some(row) = self.app.store.endpoint(config.forward.endpoint).await? else {
            return Ok(told);
        };
        let runner = &self.app.runner;
        let deliveries = runner.deliveries_of(config.tenant, row.no);
        let health = runner.health(config.tenant, row.no).unwrap_or(row.counters.health);
        Ok(Told {
            deliveries: deliveries.unwrap_or(row.counters.sequence),
            last_delivery_at: health.last_success_at.max(health.last_failure_at),
            ..told
        })
    }

    fn print_made(&self, told: &Told, made: &Made<'_>) -> Answer {
        let config = &made.source.config;
        let told = Told { receive_url: self.receive_url(config.id), ..told.clone() };
        let facts = SourceFacts { secret: made.secret, ..told.facts(config) };
        self.print(&Subject::Source(facts))
    }
}

/// Types in the third party's words, as those of its events are written.
fn patterns(types: Vec<String>) -> Vec<String> {
    types.iter().map(|text| type_pattern(text)).collect()
}

fn status(status: EndpointStatus) -> SourceStatus {
    match status {
        EndpointStatus::Active => SourceStatus::Active,
        EndpointStatus::Paused => SourceStatus::Paused,
        EndpointStatus::Disabled => SourceStatus::Disabled,
    }
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, Refusal> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let header = name.parse::<HeaderName>().ok().zip(HeaderValue::from_str(value).ok());
        let (name, value) = header.ok_or_else(|| {
            let message = format!("{name:?} with its value is not a header");
            Refusal::field(Code::InvalidField, "headers", message)
        })?;
        map.append(name, value);
    }
    Ok(map)
}
