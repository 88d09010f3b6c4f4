//! The call by which a URL proves that it is meant, where the contract asks for one (contracts.md,
//! N2): how it is made, and which answer passes.

use super::{AGENT, IDENTITY, NotBuilt, OutgoingRequest, Target};
use crate::contract::ValidationRule;
use crate::endpoint::{DeliveryMethod, Endpoint};
use crate::outcome::Outcome;
use crate::refusal::{Code, Refusal};
use crate::time::print_span;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Uri};
use std::sync::Arc;
use std::time::Duration;

/// One validation of one URL, with a key that nobody else can know.
#[derive(Debug)]
pub struct Validation<'a> {
    endpoint: &'a Endpoint,
    rule: &'a ValidationRule,
    key: HeaderValue,
}

impl<'a> Validation<'a> {
    /// The validation that the endpoint's contract asks for, if it asks for one.
    pub fn of(endpoint: &'a Endpoint, random: [u8; 32]) -> Option<Self> {
        let rule = endpoint.contract.rules().validation.as_ref()?;
        let key = HeaderValue::from_maybe_shared(Bytes::from(hex::encode(random)))
            .expect("hexadecimal digits stand in a header as they are");
        Some(Self { endpoint, rule, key })
    }

    /// How long the answer may take.
    pub fn timeout(&self) -> Duration {
        self.rule.timeout
    }

    /// The request: no body, no event, no signature. The endpoint's authentication and its own
    /// headers go along, so that a receiver that lets in only them can answer; a token is for the
    /// caller to add.
    ///
    /// # Errors
    /// [`NotBuilt::TargetTooLong`].
    pub fn request(&self) -> Result<OutgoingRequest, NotBuilt> {
        let target = Target::without_event(self.endpoint)?;
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(USER_AGENT, AGENT);
        headers.insert(ACCEPT_ENCODING, IDENTITY);
        headers.insert(&self.rule.header, self.key.clone());
        for (name, value) in &self.endpoint.fixed_headers {
            headers.append(name, value.clone());
        }
        let mut message = http::Request::new(Bytes::new());
        *message.method_mut() = match self.rule.method {
            DeliveryMethod::Post => Method::POST,
            DeliveryMethod::Get => Method::GET,
        };
        *message.uri_mut() = Uri::from(target.sent);
        *message.headers_mut() = headers;
        Ok(OutgoingRequest {
            destination: Arc::clone(&self.endpoint.destination),
            message,
            masked_target: target.masked,
        })
    }

    /// Whether the answer passes: exactly the rule's status, and the header with the same key. The
    /// key proves itself only where it stands alone.
    ///
    /// # Errors
    /// [`Code::ValidationFailed`] on `url`, saying what came back.
    pub fn judge(&self, outcome: &Outcome, answered: &HeaderMap) -> Result<(), Refusal> {
        let header = &self.rule.header;
        let wrong = match outcome {
            Outcome::Response { status, .. } if *status != self.rule.status => {
                format!("it answered {status}")
            }
            Outcome::Response { .. } if !answered.contains_key(header) => {
                format!("its answer has no header {header}")
            }
            Outcome::Response { .. } if answered.get_all(header).iter().ne([&self.key]) => {
                format!("the {header} of its answer is not the one that was sent")
            }
            Outcome::Response { .. } => return Ok(()),
            Outcome::TimedOut(_)
            | Outcome::NoAddress(_)
            | Outcome::NotConnected(_)
            | Outcome::ForbiddenAddress(_)
            | Outcome::TlsFailed(_)
            | Outcome::TlsUnsupported(_)
            | Outcome::Broken(_)
            | Outcome::Malformed(_)
            | Outcome::NoToken(_)
            | Outcome::NotBuilt(_) => outcome.detail().unwrap_or_default(),
        };
        let (status, timeout) = (self.rule.status, print_span(self.rule.timeout));
        let asked = format!("the URL must answer {status} with the same {header} within {timeout}");
        let message = format!("{asked}; {wrong}");
        Err(Refusal::field(Code::ValidationFailed, "url", message))
    }
}
