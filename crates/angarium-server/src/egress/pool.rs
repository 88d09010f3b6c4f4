//! Connections that wait for the next attempt, kept for each endpoint and origin (S3): two
//! endpoints never share one, so neither can learn from the other's.

use super::config::EgressLimits;
use super::exchange::Connection;
use super::http1::Http1;
use super::http2::Http2;
use angarium_core::destination::Destination;
use angarium_core::id::EndpointNo;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

pub(super) struct Pool {
    shelves: Mutex<HashMap<EndpointNo, Shelf>>,
    limits: EgressLimits,
}

/// The idle connections of one endpoint, all to one origin.
struct Shelf {
    origin: Box<str>,
    idle: Vec<Idle>,
    shared: Option<Shared>,
}

struct Idle {
    connection: Box<Http1>,
    since: Instant,
}

struct Shared {
    connection: Http2,
    used: Instant,
}

impl Pool {
    pub(super) fn new(limits: EgressLimits) -> Self {
        Self { shelves: Mutex::default(), limits }
    }

    /// A connection that can begin an exchange now; the one used last comes first.
    pub(super) fn take(
        &self,
        endpoint: EndpointNo,
        destination: &Destination,
        now: Instant,
    ) -> Option<Connection> {
        loop {
            let mut connection = self.take_any(endpoint, destination.origin(), now)?;
            if now < connection.opened() + self.limits.age && connection.is_ready() {
                return Some(connection);
            }
        }
    }

    fn take_any(&self, endpoint: EndpointNo, origin: &str, now: Instant) -> Option<Connection> {
        let mut shelves = self.lock();
        let shelf = shelves.get_mut(&endpoint)?;
        if *shelf.origin != *origin {
            shelves.remove(&endpoint);
            return None;
        }
        let is_usable = |shared: &Shared| {
            shared.connection.is_ready() && now < shared.connection.opened + self.limits.age
        };
        if shelf.shared.as_ref().is_some_and(|s| !is_usable(s)) {
            shelf.shared = None;
        }
        if let Some(shared) = &mut shelf.shared {
            shared.used = now;
            return Some(Connection::Http2(shared.connection.clone()));
        }
        let idle = shelf.idle.pop()?;
        Some(Connection::Http1(idle.connection))
    }

    /// Keeps a connection for the endpoint's next attempt, if there is room for it.
    pub(super) fn put(
        &self,
        endpoint: EndpointNo,
        destination: &Destination,
        connection: Connection,
        now: Instant,
    ) {
        let mut shelves = self.lock();
        let shelf = shelves.entry(endpoint).or_insert_with(|| Shelf {
            origin: destination.origin().into(),
            idle: Vec::new(),
            shared: None,
        });
        if *shelf.origin != *destination.origin() {
            return;
        }
        match connection {
            Connection::Http2(connection) if shelf.shared.is_none() => {
                let used = now;
                shelf.shared = Some(Shared { connection, used });
            }
            Connection::Http1(connection) if shelf.idle.len() < self.limits.idle_per_endpoint => {
                let since = now;
                shelf.idle.push(Idle { connection, since });
            }
            Connection::Http1(_) | Connection::Http2(_) => {}
        }
    }

    /// Lets go of a shared connection that can carry no other exchange; those under way on it go
    /// on.
    pub(super) fn forget_unusable(&self, endpoint: EndpointNo) {
        let mut shelves = self.lock();
        if let Some(shelf) = shelves.get_mut(&endpoint) {
            shelf.shared.take_if(|shared| !shared.connection.is_ready());
        }
    }

    /// Closes what was idle or open for too long, or was closed by the peer.
    pub(super) fn expire(&self, now: Instant) {
        let (idle, age) = (self.limits.idle, self.limits.age);
        self.lock().retain(|_, shelf| {
            shelf.idle.retain_mut(|kept| {
                let is_young = now < kept.since + idle && now < kept.connection.opened + age;
                is_young && kept.connection.is_ready()
            });
            shelf.shared.take_if(|shared| {
                now >= shared.used + idle
                    || now >= shared.connection.opened + age
                    || !shared.connection.is_ready()
            });
            !shelf.idle.is_empty() || shelf.shared.is_some()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EndpointNo, Shelf>> {
        // What a panic left behind is still a set of connections, each checked before use.
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
