//! Who may do what, in memory: environments, tenants, keys and event types.
//!
//! The directory is the store's accounts as of the last commit. A publish costs a hash of its key
//! and two look-ups here; nothing is awaited and nothing is read from the store.

mod event_type;
mod tables;

pub use event_type::EventTypeEntry;

use crate::key_ring::KnownKey;
use angarium_core::account::{ApiKey, Environment, Tenant};
use angarium_core::egress::EgressPolicy;
use angarium_core::id::{ApiKeyId, EnvironmentNo, SourceId, TenantNo};
use angarium_core::notice::OPERATOR;
use angarium_core::secret::SigningKey;
use angarium_core::source::Source;
use angarium_core::time::Timestamp;
use angarium_store::{AccountChange, AccountChanged, Accounts};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tables::Tables;
use tokio::sync::Notify;

/// Sources that are looked at under one lock.
const AT_ONCE: usize = 256;

/// The accounts of a server.
#[derive(Debug, Default)]
pub struct Directory {
    tables: RwLock<Tables>,
    /// The server's own rule, which environments narrow.
    server: Arc<EgressPolicy>,
    /// Whether any environment has a host. Most servers have none, and pay one look at this a
    /// call.
    has_hosts: AtomicBool,
    /// Whether any key had a rate of its own since the start. Most servers have none, and pay one
    /// look at this a call.
    has_limited_keys: AtomicBool,
    /// Rings when a key was used and nobody has written it down.
    key_used: Notify,
}

impl Directory {
    /// From everything that the store has, under the server's own egress policy. An event type
    /// whose schema no longer compiles is kept without it, and logged.
    pub fn new(accounts: Accounts, server: EgressPolicy) -> Self {
        let mut tables = Tables::default();
        let server = Arc::new(server);
        for environment in accounts.environments {
            tables.put_environment(environment, &server);
        }
        for tenant in accounts.tenants {
            tables.put_tenant(tenant);
        }
        for key in accounts.keys {
            tables.keys.put(key);
        }
        for (environment, config) in accounts.event_types {
            tables.put_event_type(environment, config);
        }
        for (tenant, contract, keys) in accounts.tenant_keys {
            tables.signing_keys.entry(tenant).or_default().insert(contract, keys);
        }
        let has_hosts = AtomicBool::new(!tables.hosts.is_empty());
        let has_limited_keys = AtomicBool::new(tables.keys.any(|key| key.rate.is_some()));
        let (tables, key_used) = (RwLock::new(tables), Notify::new());
        Self { tables, server, has_hosts, has_limited_keys, key_used }
    }

    /// Follows a change that the store has committed.
    pub fn apply(&self, change: AccountChange, changed: AccountChanged) {
        let number = match changed {
            AccountChanged::Created(number) => Some(number),
            AccountChanged::Done => None,
            AccountChanged::NotFound
            | AccountChanged::Taken
            | AccountChanged::InUse
            | AccountChanged::TooMany => return,
        };
        if matches!(&change, AccountChange::CreateKey(key) if key.rate.is_some()) {
            self.has_limited_keys.store(true, Ordering::Release);
        }
        let mut tables = self.write();
        tables.apply(change, number, &self.server);
        self.has_hosts.store(!tables.hosts.is_empty(), Ordering::Release);
    }

    /// The key whose text has this hash, unless it has ended; it counts as used.
    pub fn open_with(&self, hash: &[u8; 32], now: Timestamp) -> Option<Arc<ApiKey>> {
        let (key, is_new_use) = self.read().keys.open(hash, now)?;
        if is_new_use {
            self.key_used.notify_one();
        }
        Some(key)
    }

    /// The key of this id.
    pub fn key_by_id(&self, id: ApiKeyId) -> Option<Arc<KnownKey>> {
        self.read().keys.get(id).cloned()
    }

    /// Keys, newest first, from below `before`, as far as `wanted` says.
    pub fn keys(
        &self,
        before: Option<ApiKeyId>,
        limit: usize,
        wanted: impl Fn(&ApiKey) -> bool,
    ) -> Vec<Arc<KnownKey>> {
        let tables = self.read();
        let below = before.unwrap_or(ApiKeyId::from_bytes([0xff; 16]));
        let keys = tables.keys.below(below).filter(|known| wanted(&known.key));
        keys.take(limit).cloned().collect()
    }

    /// Waits until a key was used, and its use is not written down.
    pub(crate) async fn key_used(&self) {
        self.key_used.notified().await;
    }

    /// Has uses written that could not be written.
    pub(crate) fn try_uses_again(&self) {
        self.key_used.notify_one();
    }

    /// The uses of keys that are not written down.
    pub(crate) fn unwritten_key_uses(&self) -> Vec<(ApiKeyId, Timestamp)> {
        self.read().keys.unwritten_uses()
    }

    /// Follows uses of keys that the store has.
    pub(crate) fn key_uses_written(&self, uses: &[(ApiKeyId, Timestamp)]) {
        self.read().keys.written(uses);
    }

    /// Forgets keys that ended long ago, as the store does by itself.
    pub(crate) fn forget_keys(&self, now: Timestamp) {
        let any = self.read().keys.any(|key| key.is_forgotten(now));
        if any {
            self.write().keys.drop_those(|key| key.is_forgotten(now));
        }
    }

    /// The environment of this number.
    pub fn environment(&self, no: EnvironmentNo) -> Option<Arc<Environment>> {
        self.read().environments.get(&no).cloned()
    }

    /// The environment of this slug; there are few.
    pub fn environment_by_slug(&self, slug: &str) -> Option<Arc<Environment>> {
        let tables = self.read();
        tables.environments.values().find(|e| e.slug == slug).cloned()
    }

    /// Whether any key had a rate of its own since the start.
    pub fn has_limited_keys(&self) -> bool {
        self.has_limited_keys.load(Ordering::Acquire)
    }

    /// How many of a tenant's keys open something.
    pub fn open_keys(&self, tenant: TenantNo, now: Timestamp) -> usize {
        self.read().keys.count(|key| key.tenant == Some(tenant) && !key.has_ended(now))
    }

    /// How many sources a tenant has.
    pub fn sources_of(&self, tenant: TenantNo) -> usize {
        let tables = self.read();
        tables.sources.values().filter(|source| source.config.tenant == tenant).count()
    }

    /// Whether any environment has a host.
    pub fn has_hosts(&self) -> bool {
        self.has_hosts.load(Ordering::Acquire)
    }

    /// The environment that has this host, written in lower case and without port.
    pub fn environment_by_host(&self, host: &str) -> Option<Arc<Environment>> {
        let tables = self.read();
        tables.environments.get(tables.hosts.get(host)?).cloned()
    }

    /// All environments, newest first.
    pub fn environments(&self) -> Vec<Arc<Environment>> {
        self.read().environments.values().rev().cloned().collect()
    }

    /// The server's own egress policy, which environments narrow.
    pub fn server_egress(&self) -> &EgressPolicy {
        &self.server
    }

    /// Where requests may go on behalf of a tenant: as its environment says.
    pub fn egress_of(&self, tenant: TenantNo) -> Arc<EgressPolicy> {
        let tables = self.read();
        let tenant = tables.tenants.get(&tenant);
        let narrowed = tenant.and_then(|tenant| tables.egress.get(&tenant.environment));
        Arc::clone(narrowed.unwrap_or(&self.server))
    }

    /// A tenant by the platform's own id.
    pub fn tenant(&self, environment: EnvironmentNo, id: &str) -> Option<Arc<Tenant>> {
        self.read().tenant_ids.get(&environment)?.get(id).cloned()
    }

    /// A tenant by its number.
    pub fn tenant_by_no(&self, no: TenantNo) -> Option<Arc<Tenant>> {
        self.read().tenants.get(&no).cloned()
    }

    /// Tenants of an environment but the operator, newest first, from below `before`.
    pub fn tenants(
        &self,
        environment: EnvironmentNo,
        before: Option<TenantNo>,
        limit: usize,
    ) -> Vec<Arc<Tenant>> {
        let tables = self.read();
        let below = before.unwrap_or(TenantNo::new(i64::MAX));
        let tenants = tables.tenants.range(..below).rev().map(|(_, tenant)| tenant);
        let is_customer = |t: &&Arc<Tenant>| t.environment == environment && t.id != OPERATOR;
        tenants.filter(is_customer).take(limit).cloned().collect()
    }

    /// An event type that the environment has beside its contracts'.
    pub fn event_type(
        &self,
        environment: EnvironmentNo,
        name: &str,
    ) -> Option<Arc<EventTypeEntry>> {
        self.read().event_types.get(&environment)?.get(name).cloned()
    }

    /// The environment's own event types, by name.
    pub fn event_types(&self, environment: EnvironmentNo) -> Vec<Arc<EventTypeEntry>> {
        let tables = self.read();
        let types = tables.event_types.get(&environment);
        types.into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    /// The source of this id.
    pub fn source(&self, id: SourceId) -> Option<Arc<Source>> {
        self.read().sources.get(&id).cloned()
    }

    /// Sources, newest first, from below `before`, as far as `wanted` says. It is asked while
    /// nothing is locked, so it may look at the directory, and take its time.
    pub fn sources(
        &self,
        before: Option<SourceId>,
        limit: usize,
        wanted: impl Fn(&Source) -> bool,
    ) -> Vec<Arc<Source>> {
        let mut found = Vec::new();
        let mut below = before.unwrap_or(SourceId::from_bytes([0xff; 16]));
        while found.len() < limit {
            let some = self.sources_below(below);
            let Some(last) = some.last() else { break };
            below = last.config.id;
            let left = limit - found.len();
            found.extend(some.into_iter().filter(|source| wanted(source)).take(left));
        }
        found
    }

    fn sources_below(&self, id: SourceId) -> Vec<Arc<Source>> {
        let tables = self.read();
        tables.sources.range(..id).rev().take(AT_ONCE).map(|(_, source)| source.clone()).collect()
    }

    /// Follows a source that the store has: its scheme was made ready by the caller.
    pub fn put_source(&self, source: Source) {
        self.write().sources.insert(source.config.id, Arc::new(source));
    }

    /// A tenant's signing keys, by contract, the current key of each first.
    pub fn signing_keys(&self, tenant: TenantNo) -> Vec<(String, Vec<SigningKey>)> {
        let tables = self.read();
        let keys = tables.signing_keys.get(&tenant).into_iter().flatten();
        keys.map(|(contract, keys)| (contract.clone(), keys.clone())).collect()
    }

    /// Looks at all signing keys of tenants, by tenant and contract, the current key of each first.
    pub fn look_at_signing_keys(&self, mut look: impl FnMut(TenantNo, &str, &[SigningKey])) {
        for (tenant, contracts) in &self.read().signing_keys {
            for (contract, keys) in contracts {
                look(*tenant, contract, keys);
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        // A panic while the lock is held leaves no table half changed: each change is one insert.
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use angarium_core::egress::EgressSettings;
    use angarium_core::id::EndpointId;
    use angarium_core::scheme::SchemeLibrary;
    use angarium_core::source::{Forward, SchemeChoice, SourceConfig, SourceStatus};
    use angarium_core::time::Timestamp;

    const NOW: Timestamp = Timestamp::from_millis(1_776_686_400_000);

    fn tenant(id: &str) -> Tenant {
        Tenant {
            no: TenantNo::new(0),
            environment: EnvironmentNo::new(1),
            id: id.into(),
            name: None,
            plan: None,
            metadata: serde_json::Map::new(),
            rate: None,
            created_at: NOW,
        }
    }

    fn key(byte: u8, tenant: Option<TenantNo>) -> ApiKey {
        ApiKey {
            id: ApiKeyId::from_bytes([byte; 16]),
            hash: [byte; 32],
            name: "k".into(),
            environment: Some(EnvironmentNo::new(1)),
            tenant,
            scopes: vec![],
            rate: None,
            created_at: NOW,
            expires_at: None,
            last_used_at: None,
        }
    }

    #[test]
    fn a_tenant_keeps_its_number_when_it_is_replaced_and_takes_its_keys_along_when_deleted() {
        let directory = Directory::default();
        let env = EnvironmentNo::new(1);
        directory.apply(AccountChange::PutTenant(tenant("acme")), AccountChanged::Created(7));
        directory.apply(AccountChange::PutTenant(tenant("acme")), AccountChanged::Done);
        let found = directory.tenant(env, "acme").expect("the tenant");
        assert_eq!(found.no, TenantNo::new(7));
        assert!(directory.tenant(EnvironmentNo::new(2), "acme").is_none());

        let bound = key(1, Some(found.no));
        directory.apply(AccountChange::CreateKey(bound), AccountChanged::Created(0));
        assert!(directory.open_with(&[1; 32], NOW).is_some());
        directory.apply(AccountChange::DeleteTenant(found.no), AccountChanged::Done);
        assert!(
            directory.tenant(env, "acme").is_none() && directory.open_with(&[1; 32], NOW).is_none()
        );
    }

    #[test]
    fn a_host_leads_to_its_environment_for_as_long_as_that_has_it() {
        let directory = Directory::default();
        let environment = |hosts: &[&str]| Environment {
            no: EnvironmentNo::new(1),
            slug: "aioka".into(),
            title: "AIOKA".into(),
            contracts: vec![],
            hosts: hosts.iter().map(ToString::to_string).collect(),
            egress: EgressSettings::default(),
            retention: Default::default(),
            created_at: NOW,
        };
        let leads = |host: &str| directory.environment_by_host(host).is_some();
        assert!(!directory.has_hosts());
        let made = AccountChange::CreateEnvironment(environment(&["a.io", "b.io"]));
        directory.apply(made, AccountChanged::Created(1));
        assert!(directory.has_hosts() && leads("a.io") && leads("b.io") && !leads("c.io"));
        let moved = AccountChange::ReplaceEnvironment(environment(&["c.io"]));
        directory.apply(moved, AccountChanged::Done);
        assert!(leads("c.io") && !leads("a.io"));
        let deleted = AccountChange::DeleteEnvironment(EnvironmentNo::new(1));
        directory.apply(deleted, AccountChanged::Done);
        assert!(!directory.has_hosts() && !leads("c.io"));
    }

    fn source(byte: u8) -> Source {
        let schemes = SchemeLibrary::built_in().expect("the built-in schemes");
        let scheme = schemes.get("github").expect("a scheme").clone();
        let config = SourceConfig {
            id: SourceId::from_bytes([byte; 16]),
            tenant: TenantNo::new(1),
            name: "n".into(),
            contract: None,
            scheme: SchemeChoice::Named("github".into()),
            types: Vec::new(),
            forward: Forward { endpoint: EndpointId::from_bytes([byte; 16]), url: None },
            headers: Vec::new(),
            dedupe_seconds: 60,
            reply: None,
            description: None,
            status: SourceStatus::Active,
            created_at: NOW,
            updated_at: NOW,
            keys: Vec::new(),
        };
        Source::new(config, scheme, NOW)
    }

    #[test]
    fn sources_are_listed_newest_first_and_nothing_is_locked_while_each_is_looked_at() {
        let directory = Arc::new(Directory::default());
        (1..=9).for_each(|byte| directory.put_source(source(byte)));
        let (done, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let wanted = |found: &Source| {
                directory.apply(AccountChange::PutTenant(tenant("a")), AccountChanged::Created(1));
                found.config.id.to_bytes()[0] % 2 == 1
            };
            let listed = directory.sources(Some(SourceId::from_bytes([8; 16])), 2, wanted);
            done.send(listed.iter().map(|s| s.config.id.to_bytes()[0]).collect::<Vec<_>>())
        });
        let listed = ended.recv_timeout(std::time::Duration::from_secs(10));
        assert_eq!(listed.expect("it waits for nobody"), [7, 5]);
    }

    #[test]
    fn a_change_that_the_store_refused_changes_nothing() {
        let directory = Directory::default();
        for refused in [AccountChanged::NotFound, AccountChanged::Taken, AccountChanged::InUse] {
            directory.apply(AccountChange::CreateKey(key(1, None)), refused);
        }
        assert!(directory.open_with(&[1; 32], NOW).is_none());
    }

    #[test]
    fn keys_are_listed_newest_first_and_a_revoked_one_is_gone_at_once() {
        let directory = Directory::default();
        for byte in 1..=3 {
            let created = AccountChanged::Created(0);
            directory.apply(AccountChange::CreateKey(key(byte, None)), created);
        }
        let revoked = ApiKeyId::from_bytes([2; 16]);
        directory.apply(AccountChange::RevokeKey(revoked), AccountChanged::Done);
        let listed: Vec<_> =
            directory.keys(None, 9, |_| true).iter().map(|k| k.key.hash[0]).collect();
        assert_eq!(listed, [3, 1]);
        assert!(directory.open_with(&[2; 32], NOW).is_none());
    }
}
