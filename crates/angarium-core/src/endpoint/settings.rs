//! The settings in force for an endpoint, each with the level that it comes from (design.md
//! section 3).

use super::{CertificateFacts, DeliveryMethod, Endpoint};
use crate::contract::{DisableAfter, HealthPolicy, WhileDisabled};
use crate::delivery::{DeadLetterPolicy, GonePolicy};
use crate::gate::BreakerRule;
use crate::lane::Ordering;
use crate::rate::RateLimit;
use crate::retry::{RetryAfterBounds, RetryPolicy};
use std::time::Duration;

/// The level that decides a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nobody says anything: the server's own.
    System,
    /// The contract.
    Contract,
    /// The endpoint itself.
    Endpoint,
}

impl Origin {
    /// The text in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Origin::System => "system",
            Origin::Contract => "contract",
            Origin::Endpoint => "endpoint",
        }
    }
}

/// A value and the level that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting<T> {
    /// What is in force.
    pub value: T,
    /// Who says so.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// A value that `level` may decide, and `otherwise` if it says nothing.
    fn of<S>(value: T, said: Option<S>, level: Origin, otherwise: Origin) -> Self {
        Self { value, origin: said.map_or(otherwise, |_| level) }
    }

    /// The same setting with its value in another form.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Setting<U> {
        Setting { value: form(self.value), origin: self.origin }
    }
}

/// How requests prove who sends them, without anything secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthInForce<'a> {
    /// The `type` in the API.
    pub kind: &'static str,
    /// Where its tokens come from, if it has some.
    pub token_url: Option<&'a str>,
}

/// How an endpoint's connections are secured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInForce {
    /// The certificate that is shown to the receiver.
    pub client_certificate: Option<CertificateFacts>,
    /// The authorities that alone vouch for the receiver; none for those whom the server trusts.
    pub ca: Option<Vec<CertificateFacts>>,
}

/// The settings in force for an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings<'a> {
    /// Time limit of one attempt.
    pub timeout: Setting<Duration>,
    /// The retry schedule.
    pub retries: Setting<&'a RetryPolicy>,
    /// Within which bounds `Retry-After` defers a retry; none if it never does.
    pub retry_after: Setting<Option<RetryAfterBounds>>,
    /// What an answer 410 means.
    pub gone: Setting<GonePolicy>,
    /// The method.
    pub method: Setting<DeliveryMethod>,
    /// How requests prove who sends them; none if they do not.
    pub auth: Setting<Option<AuthInForce<'a>>>,
    /// How connections are secured; none if that is left to the server.
    pub tls: Setting<Option<TlsInForce>>,
    /// Most attempts in flight.
    pub concurrency: Setting<usize>,
    /// Most attempts a second; none if nobody limits them.
    pub rate: Setting<Option<RateLimit>>,
    /// When it is left alone; none if its schedule is kept to the letter.
    pub breaker: Setting<Option<BreakerRule>>,
    /// What its deliveries are ordered by.
    pub ordering: Setting<&'a Ordering>,
    /// What follows in its lanes after a dead letter.
    pub after_dead_letter: Setting<DeadLetterPolicy>,
    /// How it fails when it is switched off; none if it never is.
    pub disable_after: Setting<Option<DisableAfter>>,
    /// What becomes of its events while it is off.
    pub while_disabled: Setting<WhileDisabled>,
}

impl Endpoint {
    /// What is in force, and who says so.
    pub fn settings(&self) -> Settings<'_> {
        use Origin::{Contract, Endpoint, System};
        let (config, contract) = (&self.config, &self.contract);
        let own = config.delivery.as_ref();
        let timeout = own.and_then(|own| own.timeout.as_ref());
        let retries = own.and_then(|own| own.retries.as_ref());
        let ordering = match (&config.ordering, contract.ordering()) {
            (Some(_), _) => Endpoint,
            (None, Some(_)) => Contract,
            (None, None) => System,
        };
        let (retry_after, gone) = (contract.retry_after(), contract.gone());
        let HealthPolicy { disable_after, while_disabled } = contract.health();
        let after_dead_letter = contract.after_dead_letter();
        let breaker = match (self.gate.breaker, contract.breaker()) {
            (Some(_), _) => Contract,
            // Its own schedule does without.
            (None, Some(_)) => Endpoint,
            (None, None) => System,
        };
        Settings {
            timeout: Setting::of(self.timeout, timeout, Endpoint, Contract),
            retries: Setting::of(&self.retry, retries, Endpoint, Contract),
            retry_after: Setting::of(retry_after, retry_after, Contract, System),
            gone: by_contract(gone),
            method: Setting::of(self.method, config.method, Endpoint, Contract),
            auth: Setting::of(self.auth(), config.secrets.auth.as_ref(), Endpoint, System),
            tls: Setting::of(self.tls(), self.tls.as_ref(), Endpoint, System),
            concurrency: Setting::of(self.gate.window, config.concurrency, Endpoint, System),
            rate: Setting::of(self.gate.rate, config.rate, Endpoint, System),
            breaker: Setting { value: self.gate.breaker, origin: breaker },
            ordering: Setting { value: &self.ordering, origin: ordering },
            after_dead_letter: by_contract(after_dead_letter),
            disable_after: Setting::of(disable_after, disable_after, Contract, System),
            while_disabled: by_contract(while_disabled),
        }
    }
}

impl Endpoint {
    fn auth(&self) -> Option<AuthInForce<'_>> {
        let token_url = self.oauth2.as_ref().map(|client| &*client.settings.token_url);
        self.config.secrets.auth.as_ref().map(|auth| AuthInForce { kind: auth.kind(), token_url })
    }

    fn tls(&self) -> Option<TlsInForce> {
        self.tls.as_ref().map(|tls| TlsInForce {
            client_certificate: tls.client.as_ref().map(|client| client.facts().clone()),
            ca: tls
                .authorities
                .as_ref()
                .map(|all| all.iter().filter_map(|one| CertificateFacts::of(one)).collect()),
        })
    }
}

/// A setting that a contract may decide.
fn by_contract<T: Default>(said: Option<T>) -> Setting<T> {
    let origin = said.as_ref().map_or(Origin::System, |_| Origin::Contract);
    Setting { value: said.unwrap_or_default(), origin }
}
