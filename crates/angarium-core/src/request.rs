//! Builds the outgoing request of one attempt: method, URL, headers, body, signatures.
//!
//! Everything is made anew for each attempt, so a retry carries its own time and is signed by the
//! keys that sign then. The event's id, time and data are the same in all of them.

mod validation;

pub use validation::Validation;

use crate::contract::{Facts, KeyPresence, Signed, TenantSigner};
use crate::destination::Destination;
use crate::endpoint::{DeliveryMethod, Endpoint, is_reserved};
use crate::event::Event;
use crate::oauth2::AccessToken;
use crate::time::Timestamp;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use std::sync::Arc;

/// How the gateway names itself.
pub(crate) const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("Angarium/", env!("CARGO_PKG_VERSION")));
/// Answers are read raw and cut at a limit, so a compressed one would be of no use.
pub(crate) const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// One attempt's request, ready to be written.
///
/// `message` has an origin-form URI and every header but `host` and `content-length`. Header values
/// that must not be kept (static authentication, custom headers) are marked sensitive: the record
/// shows them masked.
#[derive(Debug)]
pub struct OutgoingRequest {
    /// Where to.
    pub destination: Arc<Destination>,
    /// What.
    pub message: http::Request<Bytes>,
    /// Path and query as the record may show them, where a secret stands in the query; else the
    /// message's own may be shown.
    pub masked_target: Option<Box<str>>,
}

impl OutgoingRequest {
    /// Adds what a token endpoint gave out.
    pub fn authorize(&mut self, token: &AccessToken) {
        self.message.headers_mut().insert(AUTHORIZATION, token.authorization());
    }

    /// Path and query without secrets, for the record.
    pub fn shown_target(&self) -> &str {
        let own = || self.message.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        self.masked_target.as_deref().unwrap_or_else(own)
    }
}

/// Why a request cannot be made: an attempt without an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotBuilt {
    /// The contract signs every delivery, and no key signs now.
    #[error("the contract signs every delivery and there is no key that signs now")]
    NoKey,
    /// The URL with the event's parameters is longer than 64 KiB.
    #[error("the URL with the event's parameters is too long")]
    TargetTooLong,
}

/// Builds the request of one attempt. `tenant` has the tenant's keys, where the contract signs with
/// them; `sequence` is the endpoint's number of this delivery.
///
/// # Errors
/// [`NotBuilt`], when the contract cannot be kept.
pub fn build(
    endpoint: &Endpoint,
    tenant: Option<&TenantSigner>,
    event: &Event,
    sequence: u64,
    now: Timestamp,
) -> Result<OutgoingRequest, NotBuilt> {
    let shape = &endpoint.contract.request;
    let facts = Facts::new(event, sequence, shape.time, now);
    let target = Target::of(endpoint, &facts)?;
    let (method, body) = match endpoint.method {
        DeliveryMethod::Get => (Method::GET, Bytes::new()),
        DeliveryMethod::Post => {
            let body = shape.body.as_ref().map(|body| body.fill(&facts));
            (Method::POST, body.unwrap_or_default())
        }
    };
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(USER_AGENT, AGENT);
    headers.insert(ACCEPT_ENCODING, IDENTITY);
    if endpoint.method == DeliveryMethod::Post {
        headers.insert(CONTENT_TYPE, content_type(endpoint, &facts));
    }
    if shape.received_headers {
        headers.extend(received(event));
    }
    for (name, template) in &shape.headers {
        let mut value = String::with_capacity(64);
        if template.fill(&facts, &mut value).is_some() {
            headers.insert(name, header_value(value));
        }
    }
    let signed = Signed {
        method: &method,
        query: target.sent.query().unwrap_or_default(),
        body: &body,
        id: facts.id(),
        seconds: &facts.seconds().to_string(),
    };
    sign(endpoint, tenant, &signed, now, &mut headers)?;
    for (name, value) in &endpoint.fixed_headers {
        headers.append(name, value.clone());
    }
    let mut message = http::Request::new(body);
    *message.method_mut() = method;
    *message.uri_mut() = Uri::from(target.sent);
    *message.headers_mut() = headers;
    Ok(OutgoingRequest {
        destination: Arc::clone(&endpoint.destination),
        message,
        masked_target: target.masked,
    })
}

/// Path and query of one attempt.
struct Target {
    sent: PathAndQuery,
    masked: Option<Box<str>>,
}

impl Target {
    /// The URL's own query first, then the event's parameters, then authentication.
    fn of(endpoint: &Endpoint, facts: &Facts<'_>) -> Result<Self, NotBuilt> {
        if endpoint.method == DeliveryMethod::Post {
            return Self::without_event(endpoint);
        }
        let own = endpoint.destination.path_and_query.as_str();
        let mut text = String::with_capacity(own.len() + 512);
        text.push_str(own);
        for (name, template) in &endpoint.contract.request.query {
            let start = text.len();
            text.push(separator(&text));
            text.push_str(name);
            text.push('=');
            if template.fill(facts, &mut text).is_none() {
                text.truncate(start);
            }
        }
        Self::with_auth(endpoint, text)
    }

    fn without_event(endpoint: &Endpoint) -> Result<Self, NotBuilt> {
        let own = &endpoint.destination.path_and_query;
        match endpoint.query_auth {
            None => Ok(Self { sent: own.clone(), masked: None }),
            Some(_) => Self::with_auth(endpoint, own.as_str().to_owned()),
        }
    }

    fn with_auth(endpoint: &Endpoint, mut text: String) -> Result<Self, NotBuilt> {
        let masked = endpoint.query_auth.as_ref().map(|auth| {
            text.push(separator(&text));
            let masked = format!("{text}{}", auth.shown).into();
            text.push_str(auth.sent.expose());
            masked
        });
        let sent = PathAndQuery::from_maybe_shared(Bytes::from(text));
        Ok(Self { sent: sent.map_err(|_| NotBuilt::TargetTooLong)?, masked })
    }
}

fn separator(target: &str) -> char {
    if target.contains('?') { '&' } else { '?' }
}

fn content_type(endpoint: &Endpoint, facts: &Facts<'_>) -> HeaderValue {
    let shape = &endpoint.contract.request;
    let mut named = String::new();
    match (&shape.content_type, &shape.body) {
        (Some(template), _) if template.fill(facts, &mut named).is_some() => header_value(named),
        (_, Some(body)) => {
            HeaderValue::from_static(body.content_type(facts.event().body.data_kind))
        }
        (_, None) => HeaderValue::from_static("application/json"),
    }
}

/// The headers that a source kept of what it received, but for those that are the connection's or
/// ours.
fn received(event: &Event) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    event.body.received_headers().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = HeaderValue::from_str(value).ok()?;
        (!is_reserved(&name)).then_some((name, value))
    })
}

fn sign(
    endpoint: &Endpoint,
    tenant: Option<&TenantSigner>,
    signed: &Signed<'_>,
    now: Timestamp,
    headers: &mut HeaderMap,
) -> Result<(), NotBuilt> {
    let Some(rule) = endpoint.contract.key_rule() else {
        return Ok(());
    };
    let signer = endpoint.signer.as_deref().or(tenant).filter(|signer| signer.signs(now));
    match (signer, rule.presence) {
        (Some(signer), _) => signer.sign(&endpoint.contract, signed, now, |name, value| {
            headers.insert(name, header_value(value));
        }),
        (None, KeyPresence::Optional) => {}
        (None, KeyPresence::Required) => return Err(NotBuilt::NoKey),
    }
    Ok(())
}

/// A header's value from text that templates have escaped to visible ASCII.
fn header_value(text: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(text)).expect("templates give only visible ASCII")
}

#[cfg(test)]
mod tests;
