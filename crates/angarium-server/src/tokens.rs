//! Access tokens of endpoints that have a token endpoint (`angarium_core::oauth2`).
//!
//! One attempt asks and the endpoint's others wait for it; then all of them use what came. Asking
//! goes out by the product's one way, under the policy of the endpoint's environment, on a
//! connection of its own. A token is in memory only: never in the store, in a log or in a record.

use crate::clock::Clock;
use crate::egress::{NO_ENDPOINT, Transport, Way};
use angarium_core::destination::Scheme;
use angarium_core::egress::EgressPolicy;
use angarium_core::endpoint::PlainHttp;
use angarium_core::id::EndpointNo;
use angarium_core::oauth2::{AccessToken, Granted, OAuth2Client, TokenCache, TokenFault, read};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// Longest wait for a token endpoint, beside the attempt's own time limit.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Endpoints that are known before it is looked which of them are not needed any more.
const FEW: usize = 64;

/// The tokens of all endpoints.
pub(crate) struct Tokens {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    plain_http: PlainHttp,
    slots: Mutex<Slots>,
}

/// One endpoint's; who holds the lock asks.
type Slot = Arc<tokio::sync::Mutex<TokenCache>>;

#[derive(Default)]
struct Slots {
    of: HashMap<EndpointNo, Slot>,
    /// At so many the spent ones are dropped.
    full: usize,
}

impl Tokens {
    /// Nothing is asked for yet.
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        plain_http: PlainHttp,
    ) -> Self {
        Self { transport, clock, plain_http, slots: Mutex::default() }
    }

    /// The token of an endpoint, asked for unless one is known that holds.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn of(
        &self,
        endpoint: EndpointNo,
        client: &Arc<OAuth2Client>,
        policy: &Arc<EgressPolicy>,
    ) -> Result<AccessToken, TokenFault> {
        let slot = self.slot(endpoint);
        // One asks at a time, and nobody waits for longer than one may take.
        let Ok(mut cache) = tokio::time::timeout(TIMEOUT, slot.lock()).await else {
            let reason = "its answer to another delivery is still waited for";
            return Err(TokenFault::Unanswered(reason.to_owned()));
        };
        let asked_at = self.clock.now();
        if let Some(found) = cache.known(client, asked_at) {
            return found;
        }
        let found = self.ask(client, policy).await;
        cache.keep(Arc::clone(client), found, asked_at, self.clock.now())
    }

    /// The endpoint's receiver refused a token.
    pub(crate) async fn refused(&self, endpoint: EndpointNo, token: &AccessToken) {
        self.slot(endpoint).lock().await.refuse(token, self.clock.now());
    }

    /// Asks for a token and keeps nothing.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn ask(
        &self,
        client: &OAuth2Client,
        policy: &Arc<EgressPolicy>,
    ) -> Result<Granted, TokenFault> {
        if client.destination.scheme == Scheme::Http && self.plain_http == PlainHttp::Refused {
            let reason = "this server sends to https only; --allow-http opens http";
            return Err(TokenFault::Unanswered(reason.to_owned()));
        }
        let way = Way { endpoint: NO_ENDPOINT, policy: Arc::clone(policy), tls: None };
        let exchange = self.transport.send(&way, client.request(), TIMEOUT).await;
        let body = Zeroizing::new(exchange.body.into_vec());
        read(&exchange.outcome, &body)
    }

    fn slot(&self, endpoint: EndpointNo) -> Slot {
        // Whatever panicked, each slot is whole.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if !slots.of.contains_key(&endpoint) && slots.of.len() >= slots.full.max(FEW) {
            slots.drop_spent(&*self.clock);
        }
        Arc::clone(slots.of.entry(endpoint).or_default())
    }
}

impl Slots {
    /// Drops what nobody uses: of endpoints that are deleted, or whose token ended.
    fn drop_spent(&mut self, clock: &dyn Clock) {
        let now = clock.now();
        self.of.retain(|_, slot| slot.try_lock().map_or(true, |cache| !cache.is_spent(now)));
        self.full = 2 * self.of.len();
    }
}

#[cfg(test)]
mod tests;
