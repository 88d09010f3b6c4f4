//! How fast each tenant publishes, and whether more events are within its rate.
//!
//! Asked before anything is stored or looked up for an event. Who has no limit costs nothing here;
//! the rest is in memory, so that a restart gives a tenant its burst anew and no more.

use crate::clock::Clock;
use angarium_core::account::Tenant;
use angarium_core::buckets::Buckets;
use angarium_core::id::{ApiKeyId, TenantNo};
use angarium_core::limits::Limits;
use angarium_core::rate::{Gcra, RateLimit, RateSpec};
use angarium_core::refusal::{Code, Refusal};
use angarium_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most that a rate may be.
const MOST: usize = 1_000_000;

/// What every limited tenant and key has published of late.
pub struct Rates {
    clock: Arc<dyn Clock>,
    of_tenant: Option<RateLimit>,
    of_key: Option<RateLimit>,
    published: Mutex<Buckets<Whose>>,
}

/// Whose events are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Whose {
    Key(ApiKeyId),
    Tenant(TenantNo),
}

/// Where somebody stands within a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many may come at once after a time without any.
    pub limit: u32,
    /// How long that time is after as many have come.
    pub window: Duration,
    /// How many may come at once now.
    pub remaining: u32,
    /// How long until all of them may.
    pub reset: Duration,
}

impl Quota {
    /// Where somebody stands who has used so much of a limit.
    pub(crate) fn of(gcra: Gcra, limit: &RateLimit, now: Timestamp) -> Self {
        Self {
            limit: limit.burst(),
            window: limit.window(),
            remaining: gcra.remaining(limit, now),
            reset: gcra.idle_at(limit, now).since(now),
        }
    }
}

/// A rate out of the table of limits, where 0 is none, and a burst of 0 what a second allows; a
/// value beyond what a rate may be reads as the nearest that may.
pub(crate) fn usual(rate: usize, burst: usize) -> Option<RateLimit> {
    let within = |value: usize| u32::try_from(value.min(MOST)).unwrap_or(u32::MAX);
    let burst = (burst > 0).then_some(within(burst));
    let spec = RateSpec { per_second: within(rate).into(), burst };
    (rate > 0).then(|| RateLimit::try_new(spec).ok()).flatten()
}

impl Rates {
    /// With the server's default limits, as far as it has some.
    pub fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            of_tenant: usual(limits.tenant_rate, limits.tenant_burst),
            of_key: usual(limits.key_event_rate, limits.key_event_burst),
            published: Mutex::new(Buckets::new(usize::MAX)),
        }
    }

    /// Admits the events of one call, given by their tenants: all of them or none.
    ///
    /// # Errors
    /// `rate_limited`, with the time until as many may come; `batch_too_large` where they never
    /// may.
    pub fn admit<'a>(&self, events: impl IntoIterator<Item = &'a Tenant>) -> Result<(), Refusal> {
        self.admit_by(None, events)
    }

    /// As [`Self::admit`], of a call with a key, which has a rate of its own.
    ///
    /// # Errors
    /// Those of [`Self::admit`].
    pub fn admit_by<'a>(
        &self,
        key: Option<ApiKeyId>,
        events: impl IntoIterator<Item = &'a Tenant>,
    ) -> Result<(), Refusal> {
        let mut counts: BTreeMap<Whose, (Option<&Tenant>, RateLimit, u32)> = BTreeMap::new();
        let of_key = key.zip(self.of_key);
        for tenant in events {
            if let Some((key, limit)) = of_key {
                counts.entry(Whose::Key(key)).or_insert((None, limit, 0)).2 += 1;
            }
            if let Some(limit) = self.limit(tenant) {
                counts.entry(Whose::Tenant(tenant.no)).or_insert((Some(tenant), limit, 0)).2 += 1;
            }
        }
        if counts.is_empty() {
            return Ok(());
        }
        let mut published = self.lock();
        // Read within the lock, so that no two callers see it go back.
        let now = self.clock.now();
        let mut admitted = Vec::with_capacity(counts.len());
        for (whose, (tenant, limit, count)) in counts {
            let mut gcra = published.of(whose);
            gcra.admit_all(count, &limit, now)
                .map_err(|when| refusal(tenant, &limit, count, when, now))?;
            admitted.push((whose, gcra, limit));
        }
        for (whose, gcra, limit) in admitted {
            published.put(whose, gcra, &limit, now);
        }
        Ok(())
    }

    /// Where a key and a tenant stand, as far as they have limits: the one that has less left.
    pub fn quota(&self, key: Option<ApiKeyId>, tenant: Option<&Tenant>) -> Option<Quota> {
        let of_key = key.zip(self.of_key).map(|(key, limit)| (Whose::Key(key), limit));
        let of_tenant =
            tenant.and_then(|tenant| Some((Whose::Tenant(tenant.no), self.limit(tenant)?)));
        if of_key.is_none() && of_tenant.is_none() {
            return None;
        }
        let published = self.lock();
        let now = self.clock.now();
        let limits = [of_key, of_tenant].into_iter().flatten();
        let quotas = limits.map(|(whose, limit)| Quota::of(published.of(whose), &limit, now));
        quotas.min_by_key(|quota| quota.remaining)
    }

    /// A tenant is deleted.
    pub fn forget(&self, tenant: TenantNo) {
        self.lock().forget(Whose::Tenant(tenant));
    }

    fn limit(&self, tenant: &Tenant) -> Option<RateLimit> {
        tenant.rate.or(self.of_tenant)
    }

    fn lock(&self) -> MutexGuard<'_, Buckets<Whose>> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(
    tenant: Option<&Tenant>,
    limit: &RateLimit,
    count: u32,
    when: Timestamp,
    now: Timestamp,
) -> Refusal {
    let whose = tenant.map_or("this key".to_owned(), |tenant| format!("tenant {}", tenant.id));
    let burst = limit.burst();
    if count > burst {
        let message = format!(
            "{count} events of {whose}, whose rate never allows more than {burst} at once: send \
             them in smaller batches"
        );
        return Refusal::field(Code::BatchTooLarge, "events", message);
    }
    let message = format!(
        "{whose} may publish {} events a second, {burst} at once; nothing was accepted",
        limit.per_second(),
    );
    Refusal::whole(Code::RateLimited, message).after(when.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use angarium_core::id::EnvironmentNo;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[derive(Debug, Default)]
    struct Hands(AtomicI64);

    impl Clock for Hands {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    fn rates(limits: &Limits) -> (Rates, Arc<Hands>) {
        let clock = Arc::new(Hands::default());
        (Rates::new(limits, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    fn tenant(no: i64, rate: Option<(f64, u32)>) -> Tenant {
        let limit = |(per_second, burst)| RateSpec { per_second, burst: Some(burst) };
        Tenant {
            no: TenantNo::new(no),
            environment: EnvironmentNo::new(1),
            id: format!("t{no}"),
            name: None,
            plan: None,
            metadata: serde_json::Map::new(),
            rate: rate.map(|rate| RateLimit::try_new(limit(rate)).expect("a limit")),
            created_at: Timestamp::default(),
        }
    }

    #[test]
    fn a_tenant_over_its_rate_is_told_when_to_come_and_another_is_not_touched() {
        let (rates, clock) = rates(&Limits::default());
        let (slow, free) = (tenant(1, Some((0.5, 2))), tenant(2, None));
        assert!((0..2).all(|_| rates.admit([&slow]).is_ok()));
        let refusal = rates.admit([&slow]).expect_err("over the rate");
        assert_eq!((refusal.code, refusal.seconds_to_wait()), (Code::RateLimited, Some(2)));
        assert!((0..9).all(|_| rates.admit([&free]).is_ok()));
        assert_eq!(rates.quota(None, Some(&free)), None);
        let (window, reset) = (Duration::from_secs(4), Duration::from_secs(4));
        assert_eq!(
            rates.quota(None, Some(&slow)),
            Some(Quota { limit: 2, window, remaining: 0, reset })
        );
        clock.0.store(2_000, Ordering::Relaxed);
        assert!(rates.admit([&slow]).is_ok() && rates.admit([&slow]).is_err());
        rates.forget(slow.no);
        assert!(rates.admit([&slow]).is_ok(), "one of the same number is another");
    }

    #[test]
    fn the_server_s_default_holds_for_who_has_no_rate_of_its_own() {
        let limits = Limits { tenant_rate: 3, ..Limits::default() };
        let (rates, _) = self::rates(&limits);
        let admitted = |tenant: &Tenant| (0..9).filter(|_| rates.admit([tenant]).is_ok()).count();
        assert_eq!(admitted(&tenant(1, None)), 3);
        assert_eq!(admitted(&tenant(2, Some((1.0, 2)))), 2);
        let (rates, _) = self::rates(&Limits { tenant_burst: 5, ..limits });
        assert_eq!(rates.quota(None, Some(&tenant(1, None))).map(|quota| quota.remaining), Some(5));
    }

    #[test]
    fn a_key_publishes_no_more_than_its_rate_whoever_the_events_are_of() {
        let limits = Limits { key_event_rate: 4, ..Limits::default() };
        let (rates, _) = self::rates(&limits);
        let [one, other] = [1, 2].map(|n| Some(ApiKeyId::from_bytes([n; 16])));
        let (a, b) = (tenant(1, Some((1.0, 3))), tenant(2, None));
        rates.admit_by(one, [&a, &b, &b]).expect("within both");
        assert_eq!(rates.quota(one, Some(&a)).map(|quota| quota.remaining), Some(1));
        let refusal = rates.admit_by(one, [&b, &b]).expect_err("the key is over its rate");
        assert_eq!((refusal.code, refusal.seconds_to_wait()), (Code::RateLimited, Some(1)));
        assert!(refusal.message.starts_with("this key"), "{refusal}");
        rates.admit_by(other, [&b; 4]).expect("another key has a rate of its own");
        rates.admit([&b; 9]).expect("what comes without a key has none");
        assert_eq!(rates.quota(other, None).map(|quota| quota.remaining), Some(0));
    }

    #[test]
    fn a_batch_is_admitted_whole_or_not_at_all_whoever_its_events_are_of() {
        let (rates, _) = rates(&Limits::default());
        let (slow, slower) = (tenant(1, Some((1.0, 5))), tenant(2, Some((1.0, 2))));
        let remaining =
            || [&slow, &slower].map(|tenant| rates.quota(None, Some(tenant)).map(|q| q.remaining));
        rates.admit([&slow, &slower, &slow]).expect("within both");
        assert_eq!(remaining(), [Some(3), Some(1)]);
        let refusal = rates.admit([&slow, &slower, &slower]).expect_err("one is over its rate");
        assert_eq!((refusal.code, refusal.seconds_to_wait()), (Code::RateLimited, Some(1)));
        assert!(refusal.message.contains("t2"), "{refusal}");
        assert_eq!(remaining(), [Some(3), Some(1)], "nothing was counted");
    }

    #[test]
    fn a_batch_that_no_wait_would_make_possible_is_told_so() {
        let (rates, _) = rates(&Limits::default());
        let slow = tenant(1, Some((1.0, 5)));
        assert!(rates.admit([&slow; 5]).is_ok());
        let refusal = rates.admit([&slow; 6]).expect_err("more than the burst");
        assert_eq!((refusal.code, refusal.seconds_to_wait()), (Code::BatchTooLarge, None));
        assert_eq!(refusal.field.as_deref(), Some("events"));
    }
}
