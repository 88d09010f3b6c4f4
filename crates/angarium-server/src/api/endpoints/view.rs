//! Endpoints as they are shown. These types have no place for a secret, but the one that is given
//! out once.

use super::auth::{AuthView, MASK, TlsView};
use super::operations;
use crate::api::App;
use crate::api::json::{Pairs, Time};
use angarium_core::contract::api::EndpointFacts;
use angarium_core::endpoint::{DeliveryMethod, DeliveryOverride, EndpointConfig, EndpointHealth};
use angarium_core::lane::Ordering;
use angarium_core::outcome::Class;
use angarium_core::rate::RateSpec;
use angarium_core::secret::SecretText;
use angarium_store::read::EndpointRow;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// An endpoint.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Endpoint)]
pub(in crate::api) struct EndpointView {
    /// Its id.
    #[schema(example = "ep_01kcq0a3f7e8vb6k2m4n5p6q7r")]
    id: String,
    /// The tenant.
    tenant: String,
    /// Where deliveries go.
    url: String,
    /// What it asks for.
    types: Vec<String>,
    /// Subjects, of which one must be the event's.
    subjects: Option<Vec<String>>,
    /// Attributes that the event must have.
    #[schema(value_type = BTreeMap<String, String>)]
    attributes: Pairs,
    /// The contract that it follows.
    contract: String,
    /// The method, where it chose one.
    #[schema(value_type = Option<String>)]
    method: Option<DeliveryMethod>,
    /// The headers that are added, their values masked.
    #[schema(value_type = BTreeMap<String, String>)]
    headers: Pairs,
    /// Authentication at the receiver, masked.
    #[schema(inline)]
    auth: Option<AuthView>,
    /// TLS of its own, masked.
    #[schema(inline)]
    tls: Option<TlsView>,
    /// What its deliveries are ordered by, where it does not leave that to its contract.
    #[schema(value_type = Option<super::form::OrderingName>)]
    ordering: Option<Ordering>,
    /// Its own delivery settings.
    #[schema(value_type = Option<super::form::DeliverySettings>)]
    delivery: Option<DeliveryOverride>,
    /// Most attempts in flight.
    concurrency: Option<u16>,
    /// Most attempts a second, where somebody limits them.
    #[schema(value_type = Option<super::form::Rate>)]
    rate: Option<RateSpec>,
    /// What people call it.
    name: Option<String>,
    /// For people.
    description: Option<String>,
    /// The platform's own data.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// `active`, `paused` or `disabled`.
    #[schema(example = "active")]
    status: &'static str,
    /// What its recent attempts say.
    #[schema(inline)]
    health: HealthView,
    /// When it was made.
    created_at: Time,
    /// When it was changed last.
    updated_at: Time,
}

/// An endpoint with its new secret, shown for the only time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MadeEndpoint)]
pub(in crate::api) struct MadeEndpointView {
    /// The rest.
    #[serde(flatten)]
    shown: EndpointView,
    /// The signing secret; absent where the contract does not sign per endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// What recent attempts say.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = EndpointHealth)]
pub(in crate::api) struct HealthView {
    /// Failed attempts since the last success.
    consecutive_failures: u32,
    /// When an attempt last succeeded.
    last_success_at: Option<Time>,
    /// When an attempt last failed.
    last_failure_at: Option<Time>,
    /// What that attempt meant.
    #[schema(example = "timeout")]
    last_failure_class: Option<&'static str>,
    /// The status of its answer; null if there was none.
    last_failure_status: Option<u16>,
    /// Why it is disabled.
    disabled_reason: Option<String>,
}

/// An endpoint as the store has it, with the health that its shard knows.
pub(super) fn of_row(app: &App, row: &EndpointRow) -> EndpointView {
    of(app, &operations::facts(app, row))
}

/// An endpoint without its secret.
pub(super) fn of(app: &App, endpoint: &EndpointFacts<'_>) -> EndpointView {
    let tenant = app.directory.tenant_by_no(endpoint.config.tenant);
    let tenant = tenant.map(|tenant| tenant.id.clone()).unwrap_or_default();
    view(endpoint.config, tenant, &endpoint.health)
}

/// An endpoint with the secret that was just made.
pub(super) fn made(app: &App, endpoint: &EndpointFacts<'_>) -> MadeEndpointView {
    let secret = endpoint.secret.map(|secret| secret.expose().to_owned());
    MadeEndpointView { shown: of(app, endpoint), secret }
}

fn view(config: &EndpointConfig, tenant: String, health: &EndpointHealth) -> EndpointView {
    let subscription = &config.subscription;
    let pair = |(name, value): &(String, String)| (name.as_str().into(), value.as_str().into());
    let masked = |(name, _): &(String, SecretText)| (name.as_str().into(), MASK.into());
    EndpointView {
        id: config.id.to_string(),
        tenant,
        url: config.url.clone(),
        types: subscription.types.iter().map(|t| t.as_str().to_owned()).collect(),
        subjects: subscription.subjects.clone(),
        attributes: Pairs(subscription.attributes.iter().map(pair).collect()),
        contract: config.contract.clone(),
        method: config.method,
        headers: Pairs(config.secrets.headers.iter().map(masked).collect()),
        auth: config.secrets.auth.as_ref().map(AuthView::from),
        tls: config.secrets.tls.as_ref().map(TlsView::from),
        ordering: config.ordering.clone(),
        delivery: config.delivery.clone(),
        concurrency: config.concurrency,
        rate: config.rate,
        name: config.name.clone(),
        description: config.description.clone(),
        metadata: config.metadata.clone(),
        status: config.status.as_str(),
        health: HealthView {
            consecutive_failures: health.consecutive_failures,
            last_success_at: health.last_success_at.map(Time),
            last_failure_at: health.last_failure_at.map(Time),
            last_failure_class: health.last_failure_class.map(Class::as_str),
            last_failure_status: health.last_failure_status,
            disabled_reason: config.disabled_reason.clone(),
        },
        created_at: Time(config.created_at),
        updated_at: Time(config.updated_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::endpoints::configure::tests::config;
    use angarium_core::endpoint::{EndpointAuth, TlsSettings};

    #[test]
    fn an_endpoint_is_shown_without_any_secret() {
        let mut config = config();
        config.secrets.headers = vec![("X-Key".into(), SecretText::new("canary-1"))];
        config.secrets.auth = Some(EndpointAuth::Bearer { token: SecretText::new("canary-2") });
        config.secrets.tls = Some(TlsSettings {
            private_key: Some(SecretText::new("canary-3")),
            ..TlsSettings::default()
        });
        let shown = view(&config, "acme".into(), &EndpointHealth::default());
        let text = serde_json::to_string(&shown).expect("prints");
        assert!(!text.contains("canary"), "{text}");
        assert!(text.contains(r#""headers":{"X-Key":"***"}"#), "{text}");
        assert!(text.contains(r#""auth":{"type":"bearer","token":"***"}"#), "{text}");
        assert!(text.contains(r#""private_key":"***""#), "{text}");
    }
}
