//! An endpoint: where a tenant's deliveries go, and how.

use crate::id::{ApiKeyId, EndpointId, EndpointNo, TenantNo};
use crate::lane::Ordering;
use crate::outcome::Class;
use crate::rate::RateSpec;
use crate::retry::RetrySpec;
use crate::subscription::Subscription;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Whether deliveries start (design.md, rule 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointStatus {
    /// Deliveries start as they are due.
    Active,
    /// Everything waits.
    Paused,
    /// What waits stays parked; new events are suppressed.
    Disabled,
}

impl EndpointStatus {
    /// The text in the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            EndpointStatus::Active => "active",
            EndpointStatus::Paused => "paused",
            EndpointStatus::Disabled => "disabled",
        }
    }

    /// From the text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Paused, Self::Disabled].into_iter().find(|s| s.as_str() == text)
    }
}

/// The HTTP method of deliveries, where the contract leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DeliveryMethod {
    /// The body carries the event.
    Post,
    /// The query carries the event (contracts.md, Q3).
    Get,
}

/// An endpoint's own delivery settings, over the contract's (contracts.md, G8).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryOverride {
    /// Time limit of one attempt (`"10s"`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// The retry schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<RetrySpec>,
}

/// An endpoint as it was configured and is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointConfig {
    /// The public id, set by [`EndpointConfig::id`]; stored in a column of its own.
    #[serde(skip, default = "no_id")]
    pub id: EndpointId,
    /// Whose it is; stored in a column of its own.
    #[serde(skip)]
    pub tenant: TenantNo,
    /// The contract it follows.
    pub contract: String,
    /// The canonical URL.
    pub url: String,
    /// What it asks for.
    pub subscription: Subscription,
    /// The method, where the contract leaves a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<DeliveryMethod>,
    /// What its deliveries are ordered by; absent means the contract's order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering: Option<Ordering>,
    /// Its own delivery settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryOverride>,
    /// Most attempts in flight; absent means the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u16>,
    /// Most attempts a second; absent means no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateSpec>,
    /// Its name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The platform's own data, as given.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// Whether deliveries start.
    pub status: EndpointStatus,
    /// Why it is disabled, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// Since when it is disabled; none if it was before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// The key that made it, where one did (contracts.md, K9).
    #[serde(skip)]
    pub made_by: Option<ApiKeyId>,
    /// Counts the changes, so that two changes at once cannot overwrite each other.
    #[serde(default)]
    pub version: u64,
    /// When it was made; stored in a column of its own.
    #[serde(skip)]
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// What is secret; stored encrypted.
    #[serde(skip)]
    pub secrets: EndpointSecrets,
}

impl EndpointConfig {
    /// One whose maker leaves everything else to its contract: active, made just now.
    pub fn new(
        id: EndpointId,
        tenant: TenantNo,
        contract: String,
        url: String,
        subscription: Subscription,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            tenant,
            contract,
            url,
            subscription,
            method: None,
            ordering: None,
            delivery: None,
            concurrency: None,
            rate: None,
            name: None,
            description: None,
            metadata: serde_json::Map::new(),
            status: EndpointStatus::Active,
            disabled_reason: None,
            disabled_at: None,
            made_by: None,
            version: 0,
            created_at,
            updated_at: created_at,
            secrets: EndpointSecrets::default(),
        }
    }
}

fn no_id() -> EndpointId {
    EndpointId::from_bytes([0; 16])
}

/// What an endpoint's recent attempts say, kept by its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndpointHealth {
    /// Failed attempts since the last success.
    pub consecutive_failures: u32,
    /// Deliveries that were given up since the last success, or since it was switched on.
    pub dead_in_a_row: u32,
    /// Since when every attempt has failed; it begins anew with a success, and when the endpoint
    /// is switched on again.
    pub failing_since: Option<Timestamp>,
    /// When an attempt last succeeded.
    pub last_success_at: Option<Timestamp>,
    /// When an attempt last failed.
    pub last_failure_at: Option<Timestamp>,
    /// What that attempt meant; none if it was recorded before this was kept.
    pub last_failure_class: Option<Class>,
    /// The status of its answer, if there was one.
    pub last_failure_status: Option<u16>,
    /// When the newest incident began that people were told of.
    pub incident: Option<Timestamp>,
}

/// What the checkpoint keeps of an endpoint: counters that live in memory between checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointCounters {
    /// Whose.
    pub endpoint: EndpointNo,
    /// The last sequence number that was given to a delivery (rule 8).
    pub sequence: u64,
    /// Its health.
    pub health: EndpointHealth,
}

mod auth;
mod certificate;
mod fixed;
mod prepared;
mod sealed_form;
mod settings;
mod tls;

pub use auth::{EndpointAuth, EndpointSecrets, TlsSettings};
pub use certificate::CertificateFacts;
pub(crate) use fixed::is_reserved;
pub use prepared::{Endpoint, PlainHttp};
pub use settings::{AuthInForce, Origin, Setting, Settings, TlsInForce};
pub use tls::{ClientIdentity, EndpointTls};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SigningKeyId;
    use crate::oauth2::{ClientAuth, OAuth2Settings};
    use crate::secret::{SecretText, SigningKey};

    #[test]
    fn secrets_read_back_from_the_form_that_is_encrypted() {
        let key = SigningKey {
            id: SigningKeyId::from_bytes([3; 16]),
            secret: SecretText::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            created_at: Timestamp::from_millis(5),
            retired_at: Some(Timestamp::from_millis(6)),
            signs_until: None,
        };
        let auths = [
            EndpointAuth::Basic { username: "u".into(), password: SecretText::new("p") },
            EndpointAuth::Bearer { token: SecretText::new("t") },
            EndpointAuth::Header { name: "x-key".into(), value: SecretText::new("v") },
            EndpointAuth::Query { name: "key".into(), value: SecretText::new("v") },
            EndpointAuth::OAuth2(OAuth2Settings {
                token_url: "https://login.example/token".into(),
                client_id: "c".into(),
                client_secret: SecretText::new("s\"\\s"),
                scopes: vec!["a".into(), "b".into()],
                audience: Some("x".into()),
                client_auth: ClientAuth::Body,
            }),
            EndpointAuth::Mtls {
                certificate: "-----BEGIN\n".into(),
                private_key: SecretText::new("-----BEGIN\n"),
            },
        ];
        for auth in auths {
            let secrets = EndpointSecrets {
                keys: vec![key.clone()],
                auth: Some(auth),
                headers: vec![
                    ("x-a".into(), SecretText::new("1")),
                    ("x-a".into(), SecretText::new("2")),
                ],
                tls: Some(TlsSettings {
                    client_certificate: Some("-----BEGIN\n".into()),
                    private_key: Some(SecretText::new("k")),
                    ca: None,
                }),
            };
            assert_eq!(EndpointSecrets::from_sealed_form(&secrets.to_sealed_form()), Ok(secrets));
        }
        assert!(EndpointSecrets::from_sealed_form(b"{").is_err());
    }
}
