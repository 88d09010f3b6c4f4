//! What the directory holds, and how it follows a change: each is one insert or removal at a time,
//! so that no table is ever half changed.

use super::EventTypeEntry;
use crate::key_ring::KeyRing;
use angarium_core::account::{Environment, EventTypeConfig, Tenant};
use angarium_core::egress::{EgressPolicy, EgressSettings};
use angarium_core::id::{EnvironmentNo, SourceId, TenantNo};
use angarium_core::secret::SigningKey;
use angarium_core::source::Source;
use angarium_store::AccountChange;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) environments: BTreeMap<EnvironmentNo, Arc<Environment>>,
    pub(super) hosts: HashMap<Box<str>, EnvironmentNo>,
    /// Of each environment that narrows the server's.
    pub(super) egress: HashMap<EnvironmentNo, Arc<EgressPolicy>>,
    pub(super) tenants: BTreeMap<TenantNo, Arc<Tenant>>,
    pub(super) tenant_ids: HashMap<EnvironmentNo, HashMap<Box<str>, Arc<Tenant>>>,
    pub(super) keys: KeyRing,
    pub(super) event_types: HashMap<EnvironmentNo, BTreeMap<String, Arc<EventTypeEntry>>>,
    pub(super) signing_keys: HashMap<TenantNo, BTreeMap<String, Vec<SigningKey>>>,
    pub(super) sources: BTreeMap<SourceId, Arc<Source>>,
}

impl Tables {
    /// Follows a change; `number` is what the store gave to what is new.
    pub(super) fn apply(
        &mut self,
        change: AccountChange,
        number: Option<i64>,
        server: &EgressPolicy,
    ) {
        match change {
            AccountChange::CreateEnvironment(mut environment) => {
                environment.no = number.map_or(environment.no, EnvironmentNo::new);
                self.put_environment(environment, server);
            }
            AccountChange::ReplaceEnvironment(environment) => {
                self.put_environment(environment, server);
            }
            AccountChange::DeleteEnvironment(no) => {
                self.environments.remove(&no);
                self.egress.remove(&no);
                self.hosts.retain(|_, of| *of != no);
                self.tenant_ids.remove(&no);
                self.event_types.remove(&no);
                self.keys.drop_those(|key| key.environment == Some(no));
            }
            AccountChange::PutTenant(mut tenant) => {
                let known =
                    self.tenant_ids.get(&tenant.environment).and_then(|t| t.get(&*tenant.id));
                let known = known.map(|tenant| tenant.no);
                tenant.no = number.map(TenantNo::new).or(known).unwrap_or(tenant.no);
                self.put_tenant(tenant);
            }
            AccountChange::DeleteTenant(no) => {
                let tenant = self.tenants.remove(&no);
                let ids = tenant.as_ref().and_then(|t| self.tenant_ids.get_mut(&t.environment));
                if let (Some(ids), Some(tenant)) = (ids, &tenant) {
                    ids.remove(&*tenant.id);
                }
                self.signing_keys.remove(&no);
                self.keys.drop_those(|key| key.tenant == Some(no));
            }
            AccountChange::CreateKey(key) => self.keys.put(key),
            AccountChange::RevokeKey(id) => self.keys.remove(id),
            AccountChange::PutEventType(environment, config) => {
                self.put_event_type(environment, config);
            }
            // Whoever makes the change puts the source itself, with its scheme.
            AccountChange::CreateSource(..) | AccountChange::ReplaceSource(_) => {}
            AccountChange::DeleteSource(id) => {
                self.sources.remove(&id);
            }
            AccountChange::PutTenantKeys(tenant, contract, keys) => {
                self.signing_keys.entry(tenant).or_default().insert(contract, keys);
            }
        }
    }

    pub(super) fn put_environment(&mut self, environment: Environment, server: &EgressPolicy) {
        match environment.egress == EgressSettings::default() {
            true => self.egress.remove(&environment.no),
            false => {
                let narrowed = Arc::new(server.narrowed(&environment.egress));
                self.egress.insert(environment.no, narrowed)
            }
        };
        self.hosts.retain(|_, of| *of != environment.no);
        let hosts = environment.hosts.iter().map(|host| (host.as_str().into(), environment.no));
        self.hosts.extend(hosts);
        self.environments.insert(environment.no, Arc::new(environment));
    }

    pub(super) fn put_tenant(&mut self, tenant: Tenant) {
        let tenant = Arc::new(tenant);
        let ids = self.tenant_ids.entry(tenant.environment).or_default();
        ids.insert(tenant.id.as_str().into(), Arc::clone(&tenant));
        self.tenants.insert(tenant.no, tenant);
    }

    pub(super) fn put_event_type(&mut self, environment: EnvironmentNo, config: EventTypeConfig) {
        let name = config.name.clone();
        let entry = EventTypeEntry::stored(config);
        self.event_types.entry(environment).or_default().insert(name, Arc::new(entry));
    }
}
