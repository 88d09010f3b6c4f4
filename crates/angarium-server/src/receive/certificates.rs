//! What third parties' requests name and a scheme lets be fetched: the certificates that sign them,
//! and the URLs that confirm a subscription.
//!
//! Anybody can send a request that names a document, so none costs more than a look at a short
//! list: a document is kept for a day, a failure for a minute, of one document there is one fetch
//! at a time, and in all there is a number of them each minute. Everything goes out by the
//! product's one way out, which judges addresses, proves hosts and follows no redirect; and under
//! the policy of the source's environment, so that none knows what another may not fetch.

use crate::clock::Clock;
use crate::egress::{Exchange, NO_ENDPOINT, Transport, Way};
use angarium_core::destination::{Destination, Scheme};
use angarium_core::egress::EgressPolicy;
use angarium_core::limits::Limits;
use angarium_core::request::OutgoingRequest;
use angarium_core::scheme::{Cause, Document, Evidence};
use angarium_core::time::Timestamp;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, USER_AGENT};
use http::{HeaderValue, Request, StatusCode};
use rustls::pki_types::TrustAnchor;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longest fetch.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest document, in bytes; what the egress keeps of an answer is a limit too.
const MOST_BYTES: usize = 32 * 1024;
/// Documents that are kept.
const MOST_KEPT: usize = 100;
/// For so long a document is kept.
const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// For so long nothing is fetched that could not be.
const FAILED: Duration = Duration::from_secs(60);
/// Fetches that may begin each minute.
const EACH_MINUTE: u32 = 60;
/// Fetches at one time.
const AT_ONE_TIME: usize = 8;
/// How the gateway names itself.
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("Angarium/", env!("CARGO_PKG_VERSION")));

/// The documents of third parties.
pub struct Certificates {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    roots: Arc<[TrustAnchor<'static>]>,
    shelf: Mutex<Shelf>,
    /// Whose turn it is to fetch: one document always waits for the same one.
    turns: [tokio::sync::Mutex<()>; AT_ONE_TIME],
    spread: RandomState,
}

/// What was fetched, and what may be.
#[derive(Debug, Default)]
struct Shelf {
    kept: Vec<Kept>,
    minute: Timestamp,
    begun: u32,
}

#[derive(Debug)]
struct Kept {
    document: Document,
    policy: Arc<EgressPolicy>,
    found: Found,
    until: Timestamp,
}

/// The document, or why there is none.
type Found = Result<Bytes, String>;

/// The roots by which the world knows its certificates; those that an operator adds to the egress
/// are for his own hosts, and vouch for no third party.
pub fn public_roots() -> Arc<[TrustAnchor<'static>]> {
    webpki_roots::TLS_SERVER_ROOTS.into()
}

impl Certificates {
    /// Nothing is fetched yet.
    pub fn new(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        roots: Arc<[TrustAnchor<'static>]>,
    ) -> Self {
        let (shelf, turns, spread) = (Mutex::default(), Default::default(), RandomState::new());
        Self { transport, clock, roots, shelf, turns, spread }
    }

    /// The document that a verifier needs, fetched unless it is known.
    ///
    /// # Errors
    /// [`Cause::Unfetched`].
    pub async fn fetch(
        &self,
        document: Document,
        policy: Arc<EgressPolicy>,
    ) -> Result<Evidence, Cause> {
        match self.found(&document, policy).await {
            Ok(text) => Ok(Evidence { document, text, roots: Arc::clone(&self.roots) }),
            Err(reason) => Err(Cause::Unfetched { url: document.url().into(), reason }),
        }
    }

    /// Fetches what a third party wants to be fetched, once a day.
    ///
    /// # Errors
    /// [`Cause::Unfetched`].
    pub async fn visit(&self, document: Document, policy: Arc<EgressPolicy>) -> Result<(), Cause> {
        self.fetch(document, policy).await.map(drop)
    }

    async fn found(&self, document: &Document, policy: Arc<EgressPolicy>) -> Found {
        if let Some(found) = self.shelf().known(document, &policy, self.clock.now()) {
            return found;
        }
        let turn = self.spread.hash_one(document.url()) % AT_ONE_TIME as u64;
        let turn = usize::try_from(turn).unwrap_or_default();
        let _turn = self.turns[turn].lock().await;
        let now = self.clock.now();
        {
            // Somebody may have been first.
            let mut shelf = self.shelf();
            if let Some(found) = shelf.known(document, &policy, now) {
                return found;
            }
            shelf.begin(now)?;
        }
        let way = Way { endpoint: NO_ENDPOINT, policy, tls: None };
        let found = self.get(document, &way).await;
        let (document, policy) = (document.clone(), way.policy);
        let until = self.clock.now() + if found.is_ok() { KEPT } else { FAILED };
        let kept = Kept { document, policy, found: found.clone(), until };
        self.shelf().keep(kept, self.clock.now());
        found
    }

    async fn get(&self, document: &Document, way: &Way) -> Found {
        let destination = Destination::parse(document.url(), &Limits::default());
        let destination = destination.map_err(|refusal| refusal.message.to_string())?;
        if destination.scheme != Scheme::Https {
            return Err("it is not https".to_owned());
        }
        let message = Request::get(destination.path_and_query.as_str())
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, HeaderValue::from_static("*/*"))
            .body(Bytes::new())
            .map_err(|error| error.to_string())?;
        let request =
            OutgoingRequest { destination: Arc::new(destination), message, masked_target: None };
        judge(self.transport.send(way, request, TIMEOUT).await)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Whatever panicked, what is on the shelf is whole.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn known(&self, document: &Document, policy: &EgressPolicy, now: Timestamp) -> Option<Found> {
        let known = |kept: &&Kept| kept.is_of(document, policy) && now < kept.until;
        self.kept.iter().find(known).map(|kept| kept.found.clone())
    }

    /// Counts a fetch.
    fn begin(&mut self, now: Timestamp) -> Result<(), String> {
        if now.since(self.minute) >= FAILED {
            (self.minute, self.begun) = (now, 0);
        }
        if self.begun == EACH_MINUTE {
            return Err("too much was fetched in this minute".to_owned());
        }
        self.begun += 1;
        Ok(())
    }

    /// What failed makes room for what did not, and never the other way round.
    fn keep(&mut self, new: Kept, now: Timestamp) {
        self.kept.retain(|kept| !kept.is_of(&new.document, &new.policy) && now < kept.until);
        if self.kept.len() >= MOST_KEPT {
            let places = self.kept.iter().enumerate();
            let worst = places.min_by_key(|(_, kept)| (kept.found.is_ok(), kept.until));
            match worst {
                Some((_, kept)) if kept.found.is_ok() && new.found.is_err() => return,
                Some((place, _)) => drop(self.kept.swap_remove(place)),
                None => {}
            }
        }
        self.kept.push(new);
    }
}

impl Kept {
    fn is_of(&self, document: &Document, policy: &EgressPolicy) -> bool {
        self.document == *document && *self.policy == *policy
    }
}

/// Whether an answer is the document, whole.
fn judge(exchange: Exchange) -> Found {
    let status = exchange.outcome.status();
    if status != Some(StatusCode::OK.as_u16()) {
        let detail = exchange.outcome.detail().or_else(|| Some(format!("it answered {}", status?)));
        return Err(detail.unwrap_or_default());
    }
    let length = exchange.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length = length.and_then(|text| text.parse::<usize>().ok());
    if exchange.body.len() > MOST_BYTES || length.is_some_and(|said| said > exchange.body.len()) {
        return Err("it is too long".to_owned());
    }
    Ok(exchange.body.into())
}

#[cfg(test)]
mod tests;
