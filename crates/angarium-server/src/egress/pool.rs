//! Connections that wait for the next attempt, kept for each endpoint, origin, egress policy and
//! TLS identity (S3): two endpoints never share one, so neither can learn from the other's, and
//! what a changed policy forbids, or a changed certificate opened, is not used again.
//!
//! An idle connection costs a descriptor and some 20 KiB. So all endpoints together keep a bounded
//! number, or ten thousand of them would leave no descriptor for the next attempt: for one more,
//! the one that has been idle longest is closed.

use super::Way;
use super::config::EgressLimits;
use super::exchange::Connection;
use super::http1::Http1;
use super::http2::Http2;
use angarium_core::destination::Destination;
use angarium_core::egress::EgressPolicy;
use angarium_core::endpoint::EndpointTls;
use angarium_core::id::EndpointNo;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

pub(super) struct Pool {
    shelves: Mutex<Shelves>,
    limits: EgressLimits,
}

#[derive(Default)]
struct Shelves {
    of: HashMap<EndpointNo, Shelf>,
    /// Where the idle connections are, the one that has been idle longest first.
    idle: BTreeMap<IdleNo, EndpointNo>,
    last: IdleNo,
}

/// Idle connections, numbered in the order in which they became so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct IdleNo(u64);

/// The idle connections of one endpoint, all to one origin under one policy and identity.
struct Shelf {
    origin: Box<str>,
    policy: Arc<EgressPolicy>,
    tls: Option<Arc<EndpointTls>>,
    idle: Vec<Idle>,
    shared: Option<Shared>,
}

struct Idle {
    no: IdleNo,
    connection: Box<Http1>,
    since: Instant,
}

struct Shared {
    connection: Http2,
    used: Instant,
}

impl Shelf {
    fn is_for(&self, way: &Way, destination: &Destination) -> bool {
        *self.origin == *destination.origin() && self.policy == way.policy && self.tls == way.tls
    }
}

impl Shelves {
    /// Removes an endpoint's shelf with all that is on it.
    fn remove(&mut self, endpoint: EndpointNo) {
        for idle in self.of.remove(&endpoint).into_iter().flat_map(|shelf| shelf.idle) {
            self.idle.remove(&idle.no);
        }
    }

    /// Keeps within the bound.
    fn close_longest_idle(&mut self) {
        let longest = self.idle.pop_first();
        if let Some((no, endpoint)) = longest
            && let Some(shelf) = self.of.get_mut(&endpoint)
        {
            shelf.idle.retain(|idle| idle.no != no);
        }
    }
}

impl Pool {
    pub(super) fn new(limits: EgressLimits) -> Self {
        Self { shelves: Mutex::default(), limits }
    }

    /// A connection that can begin an exchange now; the one used last comes first.
    pub(super) fn take(
        &self,
        way: &Way,
        destination: &Destination,
        now: Instant,
    ) -> Option<Connection> {
        loop {
            let mut connection = self.take_any(way, destination, now)?;
            if now < connection.opened() + self.limits.age && connection.is_ready() {
                return Some(connection);
            }
        }
    }

    fn take_any(&self, way: &Way, destination: &Destination, now: Instant) -> Option<Connection> {
        let mut shelves = self.lock();
        let shelf = shelves.of.get_mut(&way.endpoint)?;
        if !shelf.is_for(way, destination) {
            shelves.remove(way.endpoint);
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
        shelves.idle.remove(&idle.no);
        Some(Connection::Http1(idle.connection))
    }

    /// Keeps a connection for the endpoint's next attempt, if there is room for it.
    pub(super) fn put(
        &self,
        way: &Way,
        destination: &Destination,
        connection: Connection,
        now: Instant,
    ) {
        let mut guard = self.lock();
        let shelves = &mut *guard;
        let shelf = shelves.of.entry(way.endpoint).or_insert_with(|| Shelf {
            origin: destination.origin().into(),
            policy: Arc::clone(&way.policy),
            tls: way.tls.clone(),
            idle: Vec::new(),
            shared: None,
        });
        if !shelf.is_for(way, destination) {
            return;
        }
        match connection {
            Connection::Http2(connection) if shelf.shared.is_none() => {
                let used = now;
                shelf.shared = Some(Shared { connection, used });
            }
            Connection::Http1(connection) if shelf.idle.len() < self.limits.idle_per_endpoint => {
                let no = IdleNo(shelves.last.0 + 1);
                shelf.idle.push(Idle { no, connection, since: now });
                shelves.last = no;
                shelves.idle.insert(no, way.endpoint);
                if shelves.idle.len() > self.limits.idle_in_all {
                    shelves.close_longest_idle();
                }
            }
            Connection::Http1(_) | Connection::Http2(_) => {}
        }
    }

    /// Lets go of a shared connection that can carry no other exchange; those under way on it go
    /// on.
    pub(super) fn forget_unusable(&self, endpoint: EndpointNo) {
        let mut shelves = self.lock();
        if let Some(shelf) = shelves.of.get_mut(&endpoint) {
            shelf.shared.take_if(|shared| !shared.connection.is_ready());
        }
    }

    /// Closes what was idle or open for too long, or was closed by the peer.
    pub(super) fn expire(&self, now: Instant) {
        let (idle, age) = (self.limits.idle, self.limits.age);
        let mut shelves = self.lock();
        let Shelves { of, idle: order, .. } = &mut *shelves;
        of.retain(|_, shelf| {
            shelf.idle.retain_mut(|kept| {
                let is_young = now < kept.since + idle && now < kept.connection.opened + age;
                let stays = is_young && kept.connection.is_ready();
                if !stays {
                    order.remove(&kept.no);
                }
                stays
            });
            shelf.shared.take_if(|shared| {
                now >= shared.used + idle
                    || now >= shared.connection.opened + age
                    || !shared.connection.is_ready()
            });
            !shelf.idle.is_empty() || shelf.shared.is_some()
        });
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        // What a panic left behind is still a set of connections, each checked before use.
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
