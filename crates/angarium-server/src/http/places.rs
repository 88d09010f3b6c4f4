//! Places for connections: so many in all, and so many of one address.

use super::ConnectionLimits;
use angarium_core::visitor::Visitor;
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All places of a listener.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    of_one: usize,
    /// They come for many callers.
    proxies: Vec<IpNet>,
    taken: Arc<Mutex<HashMap<Visitor, usize>>>,
}

/// A connection's place, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _of_all: OwnedSemaphorePermit,
    visitor: Option<Visitor>,
    taken: Arc<Mutex<HashMap<Visitor, usize>>>,
}

impl Places {
    pub(super) fn new(limits: &ConnectionLimits, proxies: Vec<IpNet>) -> Self {
        let most = limits.connections.clamp(1, Semaphore::MAX_PERMITS);
        let all = Arc::new(Semaphore::new(most));
        Self { all, of_one: limits.of_one_address, proxies, taken: Arc::default() }
    }

    /// Waits until there is a place for anybody.
    pub(super) async fn free(&self) -> OwnedSemaphorePermit {
        let permit = Arc::clone(&self.all).acquire_owned().await;
        permit.expect("nobody closes the semaphore")
    }

    /// Gives the free place to an address, unless that has all of its own.
    pub(super) fn take(&self, free: OwnedSemaphorePermit, address: IpAddr) -> Option<Place> {
        let is_proxy = self.proxies.iter().any(|range| range.contains(&address));
        let visitor = (!is_proxy).then(|| Visitor::from(address));
        if let Some(visitor) = visitor {
            let mut taken = lock(&self.taken);
            let count = taken.entry(visitor).or_default();
            if *count >= self.of_one {
                return None;
            }
            *count += 1;
        }
        Some(Place { _of_all: free, visitor, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(visitor) = self.visitor else { return };
        let mut taken = lock(&self.taken);
        if let Some(count) = taken.get_mut(&visitor) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&visitor);
            }
        }
    }
}

fn lock(taken: &Mutex<HashMap<Visitor, usize>>) -> MutexGuard<'_, HashMap<Visitor, usize>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_has_its_places_and_no_more_and_a_proxy_any_number() {
        let limits = ConnectionLimits { of_one_address: 2, ..ConnectionLimits::default() };
        let places = Places::new(&limits, vec!["10.0.0.0/8".parse().expect("a range")]);
        let take =
            async |text: &str| places.take(places.free().await, text.parse().expect("an address"));
        let one = [take("192.0.2.1").await, take("192.0.2.1").await];
        assert!(one.iter().all(Option::is_some));
        assert!(take("192.0.2.1").await.is_none(), "one past the limit");
        assert!(take("192.0.2.2").await.is_some(), "another address");
        drop(one);
        assert!(take("192.0.2.1").await.is_some(), "they are free again");
        assert!(lock(&places.taken).is_empty(), "who has gone is forgotten");
        let many = [take("10.0.0.1").await, take("10.0.0.1").await, take("10.0.0.1").await];
        assert!(many.iter().all(Option::is_some));
    }
}
