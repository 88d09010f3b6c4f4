//! One rate for each of many: keys, tenants, addresses. Who is idle is forgotten, so that memory
//! follows those who come, and is bounded where strangers choose who that is.

use crate::rate::{Gcra, RateLimit};
use crate::time::Timestamp;
use std::collections::HashMap;
use std::hash::Hash;

/// Fewer are never looked through for idle ones.
const FEW: usize = 1_024;

/// See the module.
#[derive(Debug)]
pub struct Buckets<K> {
    known: HashMap<K, (Gcra, RateLimit)>,
    /// When so many are known, idle ones are forgotten.
    full_at: usize,
    most: usize,
}

impl<K: Hash + Eq + Copy> Buckets<K> {
    /// Of at most so many at a time; of more, those that come last are not held to their rate.
    pub fn new(most: usize) -> Self {
        Self { known: HashMap::new(), full_at: FEW.min(most), most }
    }

    /// What somebody has used of a rate.
    pub fn of(&self, key: K) -> Gcra {
        self.known.get(&key).map(|(gcra, _)| *gcra).unwrap_or_default()
    }

    /// Notes what somebody has used of a rate.
    pub fn put(&mut self, key: K, gcra: Gcra, limit: &RateLimit, now: Timestamp) {
        if self.known.len() >= self.full_at && !self.known.contains_key(&key) {
            self.known.retain(|_, (gcra, limit)| gcra.idle_at(limit, now) > now);
            if self.known.len() >= self.most {
                return;
            }
            self.full_at = (self.known.len() * 2).clamp(FEW.min(self.most), self.most);
        }
        self.known.insert(key, (gcra, *limit));
    }

    /// Admits one, or says when the next may come.
    ///
    /// # Errors
    /// When it may come; nothing was counted.
    pub fn admit(&mut self, key: K, limit: &RateLimit, now: Timestamp) -> Result<(), Timestamp> {
        let mut gcra = self.of(key);
        gcra.admit(limit, now)?;
        self.put(key, gcra, limit, now);
        Ok(())
    }

    /// Somebody is gone for good.
    pub fn forget(&mut self, key: K) {
        self.known.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate::RateSpec;
    use std::time::Duration;

    const T0: Timestamp = Timestamp::from_millis(1_776_686_400_000);

    fn limit() -> RateLimit {
        RateLimit::try_new(RateSpec { per_second: 1.0, burst: Some(2) }).expect("a limit")
    }

    #[test]
    fn each_has_a_rate_of_its_own() {
        let (mut buckets, limit) = (Buckets::new(9_999), limit());
        for key in 0..3 {
            assert_eq!(buckets.admit(key, &limit, T0), Ok(()));
            assert_eq!(buckets.admit(key, &limit, T0), Ok(()));
            assert_eq!(buckets.admit(key, &limit, T0), Err(T0 + Duration::from_secs(1)));
        }
        buckets.forget(1);
        assert_eq!(buckets.admit(1, &limit, T0), Ok(()));
    }

    #[test]
    fn who_is_idle_is_forgotten_and_memory_is_bounded() {
        let (mut buckets, limit, later) =
            (Buckets::new(2_000), limit(), T0 + Duration::from_secs(9));
        for key in 0..5_000 {
            assert_eq!(buckets.admit(key, &limit, T0), Ok(()), "one that is not known may come");
        }
        assert_eq!(buckets.known.len(), 2_000);
        for _ in 0..3 {
            assert_eq!(buckets.admit(9_999, &limit, T0), Ok(()));
        }
        assert_eq!(buckets.admit(9_999, &limit, later), Ok(()));
        assert_eq!(buckets.known.len(), 1);
    }
}
