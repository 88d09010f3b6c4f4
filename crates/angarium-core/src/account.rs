//! Who uses the gateway: environments, tenants, API keys, and event types beside those of the
//! contracts.

use crate::egress::EgressSettings;
use crate::id::{ApiKeyId, EnvironmentNo, TenantNo};
use crate::limits::Limits;
use crate::permission::Level;
use crate::rate::RateLimit;
use crate::refusal::{Code, Refusal};
use crate::retention::Retention;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One platform product: its contracts and hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The store's number; 0 before it has one.
    pub no: EnvironmentNo,
    /// The name in URLs: `[a-z0-9-]`, 1 to 63 characters.
    pub slug: String,
    /// For people.
    pub title: String,
    /// Contracts in use; the first is the default.
    pub contracts: Vec<String>,
    /// Hosts whose root serves the contracts' routes; lower case, without port.
    pub hosts: Vec<String>,
    /// Where requests may go on its behalf, and by which way.
    pub egress: EgressSettings,
    /// How long what it accepted is kept.
    pub retention: Retention,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One customer of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The store's number; 0 before it has one.
    pub no: TenantNo,
    /// Its environment.
    pub environment: EnvironmentNo,
    /// The platform's own id.
    pub id: String,
    /// For people.
    pub name: Option<String>,
    /// The plan, one of the contract's (contracts.md, G6).
    pub plan: Option<String>,
    /// The platform's own data.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// How many events it may publish; the server's default if none.
    pub rate: Option<RateLimit>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Checks a tenant's id: `[A-Za-z0-9_.:@-]`, 1 to 64 characters.
///
/// # Errors
/// [`Code::InvalidTenantId`], naming what is allowed.
pub fn check_tenant_id(id: &str, limits: &Limits) -> Result<(), Refusal> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.:@-".contains(&b);
    if id.is_empty() || id.len() > limits.id_chars || !id.bytes().all(allowed) {
        let message =
            format!("a tenant id has 1 to {} characters of A-Z a-z 0-9 _ . : @ -", limits.id_chars);
        return Err(Refusal::field(Code::InvalidTenantId, "tenant", message));
    }
    Ok(())
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Publish events.
    Publish,
    /// Change endpoints, tenants, keys and deliveries.
    Manage,
    /// Read everything but secrets.
    Read,
    /// What a tenant's own customer does in a portal; one tenant, for a short time.
    Portal,
}

impl Scope {
    /// All scopes.
    pub const ALL: &[Scope] = &[Scope::Publish, Scope::Manage, Scope::Read, Scope::Portal];

    /// The text in the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::Publish => "publish",
            Scope::Manage => "manage",
            Scope::Read => "read",
            Scope::Portal => "portal",
        }
    }

    /// From the text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.as_str() == text)
    }
}

/// An API key; its text is shown once and stored as SHA-256 only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The public id.
    pub id: ApiKeyId,
    /// SHA-256 of the key's text.
    pub hash: [u8; 32],
    /// For people.
    pub name: String,
    /// The environment it is bound to; none for the instance's admin keys.
    pub environment: Option<EnvironmentNo>,
    /// The tenant it is bound to; none for keys of the environment or the instance.
    pub tenant: Option<TenantNo>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// How many calls may be made with it; the server's default if none.
    pub rate: Option<RateLimit>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, as far as the store knows.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// How long a key that has ended by itself is still listed, so that people see why a call is
    /// refused.
    pub const LISTED_AFTER_END: Duration = Duration::from_secs(30 * 24 * 3_600);
    /// The same of a portal key, of which there is one for each visit.
    pub const PORTAL_LISTED_AFTER_END: Duration = Duration::from_secs(24 * 3_600);

    /// How far it reaches.
    pub fn level(&self) -> Level {
        match (self.tenant, self.environment) {
            (Some(_), _) => Level::Tenant,
            (None, Some(_)) => Level::Environment,
            (None, None) => Level::Instance,
        }
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// When nothing of it is kept any more; none for one that does not end by itself.
    pub fn forget_at(&self) -> Option<Timestamp> {
        let listed = match self.scopes.contains(&Scope::Portal) {
            true => Self::PORTAL_LISTED_AFTER_END,
            false => Self::LISTED_AFTER_END,
        };
        self.expires_at.map(|end| end + listed)
    }

    /// Whether it ended so long ago that nothing of it is kept.
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        self.forget_at().is_some_and(|at| at <= now)
    }
}

/// How an event type's schema is applied to published data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validation {
    /// Not at all.
    #[default]
    Off,
    /// Accepted, and the answer says what is wrong.
    Warn,
    /// Refused.
    Reject,
}

/// An event type beside those of the contracts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventTypeConfig {
    /// The type.
    pub name: String,
    /// For people.
    pub description: String,
    /// JSON Schema of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<serde_json::Value>,
    /// An example of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<serde_json::Value>,
    /// How the schema is applied.
    #[serde(default)]
    pub validate: Validation,
    /// When it was changed last.
    pub updated_at: Timestamp,
}
