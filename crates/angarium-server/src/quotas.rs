//! What a tenant may take of the store: asked with each event before it is accepted, beside what
//! others of the tenant's events under way will take.

use angarium_core::account::Tenant;
use angarium_core::id::TenantNo;
use angarium_core::limits::Limits;
use angarium_core::refusal::{Code, Refusal};
use angarium_store::Store;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Waiting deliveries end one by one.
const DELIVERIES_END: Duration = Duration::from_secs(5);
/// Stored payload goes by its age.
const PAYLOAD_GOES: Duration = Duration::from_secs(60);

/// What may be taken, and what is on its way.
#[derive(Debug)]
pub struct Quotas {
    pending: u64,
    bytes: u64,
    under_way: Mutex<HashMap<TenantNo, UnderWay>>,
}

/// Events between their admission and their commit.
#[derive(Debug, Default, Clone, Copy)]
struct UnderWay {
    events: u64,
    bytes: u64,
}

/// An event's part of its tenant's quotas, until it is committed and counted by the store.
#[derive(Debug)]
pub struct Reserved<'a> {
    quotas: &'a Quotas,
    tenant: TenantNo,
    bytes: u64,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let mut under_way = self.quotas.lock();
        if let Some(of_tenant) = under_way.get_mut(&self.tenant) {
            of_tenant.events -= 1;
            of_tenant.bytes -= self.bytes;
            if of_tenant.events == 0 {
                under_way.remove(&self.tenant);
            }
        }
    }
}

impl Quotas {
    /// Those of the table of limits, where 0 is none.
    pub fn new(limits: &Limits) -> Self {
        let most = |limit: usize| if limit == 0 { u64::MAX } else { limit as u64 };
        Self {
            pending: most(limits.pending_per_tenant),
            bytes: most(limits.stored_bytes_per_tenant),
            under_way: Mutex::default(),
        }
    }

    /// Keeps a tenant's room for an event with so much payload. An event under way counts as one
    /// delivery, whatever it will match.
    ///
    /// # Errors
    /// `too_many_pending`, `too_many_bytes`, with a time after which it is worth coming again.
    pub fn reserve(
        &self,
        store: &dyn Store,
        tenant: &Tenant,
        payload: usize,
    ) -> Result<Reserved<'_>, Refusal> {
        let bytes = payload as u64;
        let mut under_way = self.lock();
        let beside = under_way.get(&tenant.no).copied().unwrap_or_default();
        // Asked within the lock: what was just committed is counted at least once.
        let used = store.usage(tenant.no);
        let id = &tenant.id;
        if used.pending + beside.events >= self.pending {
            let most = self.pending;
            let message = format!(
                "{} deliveries of tenant {id} wait, at most {most} may; nothing was accepted",
                used.pending
            );
            return Err(Refusal::whole(Code::TooManyPending, message).after(DELIVERIES_END));
        }
        if used.bytes + beside.bytes + bytes > self.bytes {
            let most = self.bytes;
            let message = format!(
                "{} bytes of payload of tenant {id} are stored, at most {most} may be; nothing \
                 was accepted",
                used.bytes
            );
            return Err(Refusal::whole(Code::TooManyBytes, message).after(PAYLOAD_GOES));
        }
        let of_tenant = under_way.entry(tenant.no).or_default();
        of_tenant.events += 1;
        of_tenant.bytes += bytes;
        Ok(Reserved { quotas: self, tenant: tenant.no, bytes })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantNo, UnderWay>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
