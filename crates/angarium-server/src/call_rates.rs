//! How often keys and tenants call, and addresses without a valid key.
//!
//! Asked as soon as it is known whose key it is, before its body is read. Where nobody has a limit
//! it costs one look at a flag.

use crate::clock::Clock;
use crate::rates::{Quota, usual};
use angarium_core::account::ApiKey;
use angarium_core::buckets::Buckets;
use angarium_core::id::{ApiKeyId, TenantNo};
use angarium_core::limits::Limits;
use angarium_core::rate::RateLimit;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::time::Timestamp;
use angarium_core::visitor::Visitor;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Most addresses without a valid key that are told apart; strangers choose how many there are.
const ADDRESSES: usize = 65_536;

/// See the module.
pub struct CallRates {
    clock: Arc<dyn Clock>,
    key: Option<RateLimit>,
    tenant: Option<RateLimit>,
    wrong_key: Option<RateLimit>,
    calls: Mutex<Calls>,
    wrong_keys: Mutex<Buckets<Visitor>>,
}

struct Calls {
    keys: Buckets<ApiKeyId>,
    tenants: Buckets<TenantNo>,
}

impl CallRates {
    /// With the server's default limits, as far as it has some.
    pub fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        let (keys, tenants) = (Buckets::new(usize::MAX), Buckets::new(usize::MAX));
        Self {
            clock,
            key: usual(limits.key_rate, limits.key_burst),
            tenant: usual(limits.tenant_call_rate, limits.tenant_call_burst),
            wrong_key: usual(limits.wrong_key_rate, limits.wrong_key_burst),
            calls: Mutex::new(Calls { keys, tenants }),
            wrong_keys: Mutex::new(Buckets::new(ADDRESSES)),
        }
    }

    /// Whether keys without a rate of their own may be limited.
    pub fn limits_everybody(&self) -> bool {
        self.key.is_some() || self.tenant.is_some()
    }

    /// Counts a call, unless its key or its tenant is over its rate; says where the one stands that
    /// has less left.
    ///
    /// # Errors
    /// `rate_limited`, with the time until the next may come; nothing was counted.
    pub fn admit(&self, key: &ApiKey) -> (Option<Quota>, Result<(), Refusal>) {
        let own = key.rate.or(self.key);
        let tenants = key.tenant.zip(self.tenant);
        if own.is_none() && tenants.is_none() {
            return (None, Ok(()));
        }
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        // Read within the lock, so that no two callers see it go back.
        let now = self.clock.now();
        let mut of_key = own.map(|limit| (calls.keys.of(key.id), limit));
        let mut of_tenant = tenants.map(|(tenant, limit)| (calls.tenants.of(tenant), limit));
        let mut admitted = Ok(());
        for (whose, used) in [("key", &mut of_key), ("tenant", &mut of_tenant)] {
            if let (Ok(()), Some((gcra, limit))) = (&admitted, used) {
                let over = |when| refusal(whose, limit, when, now);
                admitted = gcra.admit(limit, now).map_err(over);
            }
        }
        let quotas = [of_key, of_tenant];
        if admitted.is_ok() {
            if let Some((gcra, limit)) = of_key {
                calls.keys.put(key.id, gcra, &limit, now);
            }
            if let (Some((gcra, limit)), Some(tenant)) = (of_tenant, key.tenant) {
                calls.tenants.put(tenant, gcra, &limit, now);
            }
        }
        let quotas = quotas.iter().flatten().map(|(gcra, limit)| Quota::of(*gcra, limit, now));
        (quotas.min_by_key(|quota| quota.remaining), admitted)
    }

    /// A call came without a valid key.
    ///
    /// # Errors
    /// `rate_limited`, when too many came from that address; otherwise it is told what is wrong.
    pub fn admit_wrong_key(&self, address: Option<IpAddr>) -> Result<(), Refusal> {
        let (Some(limit), Some(address)) = (self.wrong_key, address) else {
            return Ok(());
        };
        let mut wrong_keys = self.wrong_keys.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        wrong_keys.admit(Visitor::from(address), &limit, now).map_err(|when| {
            let message = "too many calls without a valid key come from this address";
            Refusal::whole(Code::RateLimited, message).after(when.since(now))
        })
    }
}

fn refusal(whose: &str, limit: &RateLimit, when: Timestamp, now: Timestamp) -> Refusal {
    let (per_second, burst) = (limit.per_second(), limit.burst());
    let message = format!(
        "this {whose} may make {per_second} calls a second, {burst} at once; nothing was done"
    );
    Refusal::whole(Code::RateLimited, message).after(when.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use angarium_core::account::Scope;
    use angarium_core::id::EnvironmentNo;
    use angarium_core::rate::RateSpec;

    #[derive(Debug)]
    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(0)
        }
    }

    fn rates(limits: Limits) -> CallRates {
        CallRates::new(&limits, Arc::new(Stopped))
    }

    fn key(byte: u8, tenant: Option<i64>, burst: Option<u32>) -> ApiKey {
        let spec = RateSpec { per_second: 0.5, burst };
        ApiKey {
            id: ApiKeyId::from_bytes([byte; 16]),
            hash: [byte; 32],
            name: "k".into(),
            environment: Some(EnvironmentNo::new(1)),
            tenant: tenant.map(TenantNo::new),
            scopes: vec![Scope::Read],
            rate: burst.map(|_| RateLimit::try_new(spec).expect("a rate")),
            created_at: Timestamp::default(),
            expires_at: None,
            last_used_at: None,
        }
    }

    fn admitted(rates: &CallRates, key: &ApiKey) -> usize {
        (0..20).filter(|_| rates.admit(key).1.is_ok()).count()
    }

    #[test]
    fn a_key_has_its_own_rate_or_the_server_s_and_the_next_key_another() {
        let free = rates(Limits::default());
        assert_eq!((admitted(&free, &key(1, None, None)), free.limits_everybody()), (20, false));
        assert_eq!(admitted(&free, &key(2, None, Some(3))), 3);
        let usual = rates(Limits { key_rate: 2, key_burst: 5, ..Limits::default() });
        assert_eq!(admitted(&usual, &key(1, None, None)), 5);
        assert_eq!(admitted(&usual, &key(2, None, Some(3))), 3);
        let (quota, over) = usual.admit(&key(2, None, Some(3)));
        assert_eq!(quota.map(|quota| (quota.limit, quota.remaining)), Some((3, 0)));
        let refusal = over.expect_err("over the rate");
        assert_eq!((refusal.code, refusal.seconds_to_wait()), (Code::RateLimited, Some(2)));
        assert!(refusal.message.starts_with("this key may make 0.5 calls a second, 3 at once"));
    }

    #[test]
    fn all_keys_of_a_tenant_share_its_rate_and_a_refused_call_takes_nothing_of_it() {
        let rates =
            rates(Limits { tenant_call_rate: 1, tenant_call_burst: 6, ..Limits::default() });
        assert_eq!(admitted(&rates, &key(1, Some(1), Some(4))), 4);
        let (quota, _) = rates.admit(&key(2, Some(1), None));
        assert_eq!(quota.map(|quota| (quota.limit, quota.remaining)), Some((6, 1)));
        assert_eq!(admitted(&rates, &key(3, Some(1), None)), 1);
        assert_eq!(admitted(&rates, &key(4, Some(2), None)), 6, "another tenant");
        assert_eq!(admitted(&rates, &key(5, None, None)), 20, "no tenant's");
    }

    #[test]
    fn an_address_that_tries_many_keys_is_told_to_wait_and_another_is_not() {
        let rates = rates(Limits { wrong_key_rate: 1, wrong_key_burst: 3, ..Limits::default() });
        let tried = |text: &str| {
            let address = text.parse().ok();
            (0..9).filter(|_| rates.admit_wrong_key(address).is_ok()).count()
        };
        assert_eq!(tried("192.0.2.1"), 3);
        assert_eq!(tried("192.0.2.2"), 3);
        assert_eq!(tried("2001:db8::1"), 3);
        assert_eq!(tried("2001:db8::2"), 0, "it is of the same network");
    }
}
