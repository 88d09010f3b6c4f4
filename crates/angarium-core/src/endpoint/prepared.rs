//! An endpoint made ready to send: URL parsed, contract looked up, keys decoded. Immutable; a
//! change makes a new one.

use super::fixed::{self, QueryAuth};
use super::{DeliveryMethod, DeliveryOverride, EndpointAuth, EndpointConfig, EndpointTls};
use crate::contract::{Contract, KeyPresence, KeyScope, Signer, TIMEOUTS, WhileDisabled};
use crate::delivery::Rules;
use crate::destination::{Destination, Scheme};
use crate::gate::{BreakerRule, GateRules};
use crate::lane::Ordering;
use crate::limits::Limits;
use crate::oauth2::OAuth2Client;
use crate::rate::RateLimit;
use crate::refusal::{Code, Refusal};
use crate::retry::RetryPolicy;
use crate::time::parse_span;
use http::{HeaderName, HeaderValue};
use std::sync::Arc;
use std::time::Duration;

/// An endpoint made ready to send.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// As it was configured.
    pub config: EndpointConfig,
    /// The contract it follows.
    pub contract: Arc<Contract>,
    /// Its URL, parsed.
    pub destination: Arc<Destination>,
    /// The effective retry schedule: its own, or the contract's.
    pub retry: RetryPolicy,
    /// The effective time limit of one attempt.
    pub timeout: Duration,
    /// What its deliveries are ordered by: its own setting, or the contract's.
    pub ordering: Ordering,
    /// What its gate keeps to.
    pub gate: GateRules,
    /// The effective method.
    pub method: DeliveryMethod,
    /// Who asks for the tokens that its requests carry, where they carry some.
    pub oauth2: Option<Arc<OAuth2Client>>,
    /// TLS of its own.
    pub tls: Option<Arc<EndpointTls>>,
    /// Its own keys; `None` where the tenant's sign, or nothing is signed.
    pub(crate) signer: Option<Arc<Signer>>,
    /// Headers that are the same in every request, marked sensitive.
    pub(crate) fixed_headers: Vec<(HeaderName, HeaderValue)>,
    /// Authentication that stands in the query.
    pub(crate) query_auth: Option<Arc<QueryAuth>>,
}

/// Whether the server sends to plain http URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// Where the contract allows it (`--allow-http`).
    Allowed,
    /// Never.
    Refused,
}

impl Endpoint {
    /// Checks a configuration and makes it ready.
    ///
    /// # Errors
    /// The first setting that the server or the contract does not allow, with its field.
    pub fn prepare(
        config: EndpointConfig,
        contract: Arc<Contract>,
        limits: &Limits,
        plain_http: PlainHttp,
    ) -> Result<Self, Refusal> {
        let destination = Destination::parse(&config.url, limits)?;
        check_scheme(destination.scheme, &contract, plain_http)?;
        let method = effective_method(&config, &contract)?;
        let (timeout, retry) = effective_delivery(config.delivery.as_ref(), &contract, limits)?;
        let ordering = config.ordering.as_ref().or(contract.ordering()).cloned();
        let ordering = ordering.unwrap_or(Ordering::None);
        ordering.check()?;
        let gate = GateRules {
            window: effective_window(config.concurrency, limits)?,
            rate: config.rate.map(RateLimit::try_new).transpose()?,
            breaker: effective_breaker(config.delivery.as_ref(), &contract),
        };
        let signer = prepare_signer(&config, &contract)?.map(Arc::new);
        let fixed_headers = fixed::headers(&config.secrets, &contract, limits)?;
        let query_auth = QueryAuth::prepare(&config.secrets)?.map(Arc::new);
        let oauth2 = match &config.secrets.auth {
            Some(EndpointAuth::OAuth2(settings)) => {
                Some(Arc::new(OAuth2Client::prepare(settings, limits, plain_http)?))
            }
            Some(_) | None => None,
        };
        let tls = EndpointTls::prepare(&config.secrets, destination.scheme, limits)?;
        Ok(Self {
            config,
            contract,
            destination: Arc::new(destination),
            retry,
            timeout,
            ordering,
            gate,
            method,
            oauth2,
            tls: tls.map(Arc::new),
            signer,
            fixed_headers,
            query_auth,
        })
    }
}

impl Endpoint {
    /// Whether events that it asks for while it is disabled are not kept for it.
    pub fn suppresses_while_disabled(&self) -> bool {
        match self.contract.health().while_disabled.unwrap_or_default() {
            WhileDisabled::Suppress => true,
            WhileDisabled::Wait => false,
        }
    }

    /// The rules by which its attempts are judged.
    pub fn rules(&self) -> Rules<'_> {
        Rules {
            retry: &self.retry,
            retry_after: self.contract.retry_after(),
            gone: self.contract.gone().unwrap_or_default(),
        }
    }
}

fn check_scheme(scheme: Scheme, contract: &Contract, plain: PlainHttp) -> Result<(), Refusal> {
    let refused = |message| Err(Refusal::field(Code::SchemeNotAllowed, "url", message));
    if !contract.rules().schemes.contains(&scheme) {
        let schemes = contract.rules().schemes.iter().map(|allowed| match allowed {
            Scheme::Http => "http",
            Scheme::Https => "https",
        });
        let schemes = schemes.collect::<Vec<_>>().join(" and ");
        return refused(format!("the contract {} allows only {schemes}", contract.name()));
    }
    match (scheme, plain) {
        (Scheme::Http, PlainHttp::Refused) => {
            refused("this server sends only to https; --allow-http opens it".to_owned())
        }
        (Scheme::Http, PlainHttp::Allowed) | (Scheme::Https, _) => Ok(()),
    }
}

fn effective_method(
    config: &EndpointConfig,
    contract: &Contract,
) -> Result<DeliveryMethod, Refusal> {
    let method = config.method.unwrap_or(contract.methods()[0]);
    if !contract.methods().contains(&method) {
        let message = format!("the contract {} does not offer this method", contract.name());
        return Err(Refusal::field(Code::InvalidField, "method", message));
    }
    Ok(method)
}

fn effective_delivery(
    own: Option<&DeliveryOverride>,
    contract: &Contract,
    limits: &Limits,
) -> Result<(Duration, RetryPolicy), Refusal> {
    let timeout = match own.and_then(|own| own.timeout.as_deref()) {
        None => contract.timeout(),
        Some(text) => parse_span(text).filter(|span| TIMEOUTS.contains(span)).ok_or_else(|| {
            let message = "a timeout is a span between \"1s\" and \"30s\"";
            Refusal::field(Code::InvalidField, "delivery.timeout", message)
        })?,
    };
    let retry = match own.and_then(|own| own.retries.as_ref()) {
        None => contract.retry().clone(),
        Some(spec) => RetryPolicy::try_new(spec, 0.0, limits).map_err(|no| no.below("delivery"))?,
    };
    Ok((timeout, retry))
}

/// Who asks for a schedule of their own gets it to the letter, as those whose contract's page
/// prints one (contracts.md, G1).
fn effective_breaker(own: Option<&DeliveryOverride>, contract: &Contract) -> Option<BreakerRule> {
    let has_schedule = own.is_some_and(|own| own.retries.is_some());
    contract.breaker().filter(|_| !has_schedule)
}

fn effective_window(concurrency: Option<u16>, limits: &Limits) -> Result<usize, Refusal> {
    let window = concurrency.map_or(limits.endpoint_window, usize::from);
    if !(1..=limits.endpoint_window).contains(&window) {
        let message = format!("a number between 1 and {}", limits.endpoint_window);
        return Err(Refusal::field(Code::InvalidField, "concurrency", message));
    }
    Ok(window)
}

fn prepare_signer(config: &EndpointConfig, contract: &Contract) -> Result<Option<Signer>, Refusal> {
    let keys = &config.secrets.keys;
    let refused = |why: &str| {
        let message = format!("the contract {} {why}", contract.name());
        Err(Refusal::field(Code::InvalidSecret, "secret", message))
    };
    match contract.key_rule().map(|rule| (rule.scope, rule.presence)) {
        None if keys.is_empty() => Ok(None),
        None => refused("does not sign, so its endpoints have no secret"),
        Some((KeyScope::Tenant, _)) if keys.is_empty() => Ok(None),
        Some((KeyScope::Tenant, _)) => {
            refused("signs with the tenant's key, so its endpoints have no secret")
        }
        Some((KeyScope::Endpoint, KeyPresence::Optional)) if keys.is_empty() => Ok(None),
        Some((KeyScope::Endpoint, KeyPresence::Required))
            if !keys.iter().any(|key| key.retired_at.is_none()) =>
        {
            refused("signs every delivery, so its endpoints have a secret")
        }
        Some((KeyScope::Endpoint, _)) => Signer::prepare(contract, keys).map(Some),
    }
}
