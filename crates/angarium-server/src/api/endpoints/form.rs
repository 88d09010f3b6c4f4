//! What a caller says of an endpoint, turned into its configuration.

use crate::api::App;
use crate::api::auth::Caller;
use crate::api::json::{Pairs, Secret, present};
use crate::api::signing_keys::new_key;
use crate::api::tenants::check_metadata;
use crate::entropy::random;
use angarium_core::account::Tenant;
use angarium_core::contract::{KeyPresence, KeyScope};
use angarium_core::endpoint::{
    DeliveryMethod, DeliveryOverride, EndpointConfig, EndpointSecrets, EndpointStatus, StaticAuth,
};
use angarium_core::id::EndpointId;
use angarium_core::limits::Limits;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::secret::{SecretText, SigningKey};
use angarium_core::subscription::Subscription;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A new endpoint.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewEndpoint {
    /// Where deliveries go; without credentials and fragment.
    #[schema(max_length = 2048, example = "https://hooks.example.com/orders")]
    url: String,
    /// What it asks for: types, `a.b.*` for everything below `a.b`, or `*`.
    #[schema(min_items = 1, max_items = 256, example = json!(["order.*"]))]
    types: Vec<String>,
    /// Subjects, of which one must be the event's.
    #[schema(min_items = 1, max_items = 256)]
    subjects: Option<Vec<String>>,
    /// Attributes that the event must have.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    attributes: Pairs,
    /// The contract that it follows; the environment's first if absent.
    contract: Option<String>,
    /// `POST` or `GET`, where the contract leaves a choice.
    #[schema(value_type = Option<String>, pattern = "^(POST|GET)$")]
    method: Option<DeliveryMethod>,
    /// Headers that are added to every delivery; never shown again.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    headers: Pairs,
    /// Authentication at the receiver; never shown again.
    auth: Option<AuthBody>,
    /// The signing secret, where it was made elsewhere; else one is made.
    #[schema(value_type = Option<String>, format = Password)]
    secret: Option<Secret>,
    /// Its own delivery settings, over the contract's.
    #[schema(value_type = Option<DeliverySettings>)]
    delivery: Option<DeliveryOverride>,
    /// Most attempts in flight.
    #[schema(minimum = 1, maximum = 64)]
    concurrency: Option<u16>,
    /// For people.
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// The platform's own data.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({}))]
    metadata: Map<String, Value>,
    /// How it begins; `active` if absent.
    #[schema(value_type = Option<String>, pattern = "^(active|paused|disabled)$")]
    status: Option<EndpointStatus>,
}

/// A change of an endpoint; what is absent stays, null clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct EndpointChange {
    /// Where deliveries go.
    #[schema(max_length = 2048, example = "https://hooks.example.com/orders")]
    url: Option<String>,
    /// What it asks for.
    #[schema(min_items = 1, max_items = 256, example = json!(["order.*"]))]
    types: Option<Vec<String>>,
    /// Subjects, of which one must be the event's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 256)]
    subjects: Option<Option<Vec<String>>>,
    /// Attributes that the event must have.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    attributes: Option<Pairs>,
    /// `POST` or `GET`, where the contract leaves a choice.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, pattern = "^(POST|GET)$")]
    method: Option<Option<DeliveryMethod>>,
    /// Headers that are added to every delivery, all of them anew.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    headers: Option<Option<Pairs>>,
    /// Authentication at the receiver.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<AuthBody>)]
    auth: Option<Option<AuthBody>>,
    /// Its own delivery settings.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<DeliverySettings>)]
    delivery: Option<Option<DeliveryOverride>>,
    /// Most attempts in flight.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 64)]
    concurrency: Option<Option<u16>>,
    /// For people.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    description: Option<Option<String>>,
    /// The platform's own data, all of it anew.
    #[schema(value_type = Option<Object>, example = json!({}))]
    metadata: Option<Map<String, Value>>,
    /// Whether deliveries start.
    #[schema(value_type = Option<String>, pattern = "^(active|paused|disabled)$")]
    status: Option<EndpointStatus>,
}

/// Authentication that stands in every request.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = Auth)]
pub(in crate::api) enum AuthBody {
    /// `Authorization: Basic`.
    Basic {
        /// The user.
        username: String,
        /// The password.
        #[schema(value_type = String, format = Password)]
        password: Secret,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// The token.
        #[schema(value_type = String, format = Password)]
        token: Secret,
    },
    /// A header of the receiver's choice.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        #[schema(value_type = String, format = Password)]
        value: Secret,
    },
    /// A query parameter.
    Query {
        /// Its name.
        name: String,
        /// Its value.
        #[schema(value_type = String, format = Password)]
        value: Secret,
    },
}

/// Delivery settings of an endpoint.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the document's shape of core's DeliveryOverride")]
pub(in crate::api) struct DeliverySettings {
    /// Time limit of one attempt, from `1s` to `30s`.
    #[schema(pattern = "^[0-9]+(ms|s)$", example = "10s")]
    timeout: Option<String>,
    /// The retry schedule.
    retries: Option<Retries>,
}

/// A retry schedule.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the document's shape of core's RetrySpec")]
pub(in crate::api) enum Retries {
    /// The waits before the second, third … attempt.
    #[schema(example = json!(["5s", "25s"]))]
    List(Vec<String>),
    /// Growing waits with full jitter.
    Growing {
        /// The first wait.
        #[schema(example = "5s")]
        base: String,
        /// What each wait is multiplied by; 2 if absent.
        #[schema(minimum = 1, maximum = 10)]
        factor: Option<f64>,
        /// The longest wait.
        #[schema(example = "1h")]
        cap: String,
        /// How long after acceptance the last retry may be; 24 h if absent.
        #[schema(example = "24h")]
        window: Option<String>,
    },
}

impl From<&AuthBody> for StaticAuth {
    fn from(body: &AuthBody) -> Self {
        match body {
            AuthBody::Basic { username, password } => {
                StaticAuth::Basic { username: username.clone(), password: password.0.clone() }
            }
            AuthBody::Bearer { token } => StaticAuth::Bearer { token: token.0.clone() },
            AuthBody::Header { name, value } => {
                StaticAuth::Header { name: name.clone(), value: value.0.clone() }
            }
            AuthBody::Query { name, value } => {
                StaticAuth::Query { name: name.clone(), value: value.0.clone() }
            }
        }
    }
}

/// The configuration of a new endpoint.
pub(super) fn new_config(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    new: &NewEndpoint,
) -> Result<EndpointConfig, Refusal> {
    let contract = contract_of(caller, new.contract.as_deref())?;
    check_people(new.description.as_deref(), &new.metadata, &app.limits)?;
    let now = app.now();
    let mut config = EndpointConfig {
        id: EndpointId::from_parts(now, random(&*app.entropy)),
        tenant: tenant.no,
        url: new.url.clone(),
        subscription: Subscription::try_new(
            &new.types,
            new.subjects.clone(),
            texts(&new.attributes),
            &app.limits,
        )?,
        method: new.method,
        delivery: new.delivery.clone(),
        concurrency: new.concurrency,
        name: None,
        description: new.description.clone(),
        metadata: new.metadata.clone(),
        status: EndpointStatus::Active,
        disabled_reason: None,
        made_by: Some(caller.key.id),
        version: 0,
        created_at: now,
        updated_at: now,
        secrets: EndpointSecrets {
            keys: first_key(app, &contract, new.secret.as_ref())?.into_iter().collect(),
            auth: new.auth.as_ref().map(StaticAuth::from),
            headers: secrets(&new.headers),
        },
        contract,
    };
    set_status(&mut config, new.status.unwrap_or(EndpointStatus::Active));
    Ok(config)
}

/// Changes what a caller names.
pub(super) fn change(
    config: &mut EndpointConfig,
    change: &EndpointChange,
    limits: &Limits,
) -> Result<(), Refusal> {
    if let Some(url) = &change.url {
        config.url.clone_from(url);
    }
    change_subscription(config, change, limits)?;
    if let Some(method) = change.method {
        config.method = method;
    }
    if let Some(headers) = &change.headers {
        config.secrets.headers = headers.as_ref().map(secrets).unwrap_or_default();
    }
    if let Some(auth) = &change.auth {
        config.secrets.auth = auth.as_ref().map(StaticAuth::from);
    }
    if let Some(delivery) = &change.delivery {
        config.delivery.clone_from(delivery);
    }
    if let Some(concurrency) = change.concurrency {
        config.concurrency = concurrency;
    }
    if let Some(description) = &change.description {
        config.description.clone_from(description);
    }
    if let Some(metadata) = &change.metadata {
        config.metadata.clone_from(metadata);
    }
    if let Some(status) = change.status {
        set_status(config, status);
    }
    check_people(config.description.as_deref(), &config.metadata, limits)
}

fn change_subscription(
    config: &mut EndpointConfig,
    change: &EndpointChange,
    limits: &Limits,
) -> Result<(), Refusal> {
    let now = &config.subscription;
    let current = || now.types.iter().map(|pattern| pattern.as_str().to_owned()).collect();
    let types = change.types.clone().unwrap_or_else(current);
    let subjects = change.subjects.clone().unwrap_or_else(|| now.subjects.clone());
    let attributes = change.attributes.as_ref().map(texts);
    let attributes = attributes.unwrap_or_else(|| now.attributes.clone());
    config.subscription = Subscription::try_new(&types, subjects, attributes, limits)?;
    Ok(())
}

/// Sets the status and, for a disabled endpoint, why.
pub(super) fn set_status(config: &mut EndpointConfig, status: EndpointStatus) {
    config.disabled_reason = match status {
        EndpointStatus::Disabled => Some("by a call".to_owned()),
        EndpointStatus::Active | EndpointStatus::Paused => None,
    };
    config.status = status;
}

fn contract_of(caller: &Caller, named: Option<&str>) -> Result<String, Refusal> {
    let contracts = &caller.environment()?.contracts;
    let found = match named {
        Some(named) => contracts.iter().find(|name| *name == named),
        None => contracts.first(),
    };
    found.cloned().ok_or_else(|| {
        let message = format!("one of the environment's contracts: {}", contracts.join(", "));
        Refusal::field(Code::UnknownContract, "contract", message)
    })
}

/// The first key of an endpoint: the one that is given, or a new one where there must be one.
fn first_key(
    app: &App,
    contract: &str,
    given: Option<&Secret>,
) -> Result<Option<SigningKey>, Refusal> {
    let rule = app.contracts.get(contract).and_then(|contract| contract.key_rule());
    let refused = |why: &str| Err(Refusal::field(Code::InvalidSecret, "secret", why));
    let Some(rule) = rule else {
        return match given {
            Some(_) => refused("this contract does not sign, so its endpoints have no secret"),
            None => Ok(None),
        };
    };
    match (rule.scope, rule.presence, given) {
        (KeyScope::Tenant, _, Some(_)) => refused("this contract signs with the tenant's key"),
        (KeyScope::Tenant, _, None) | (KeyScope::Endpoint, KeyPresence::Optional, None) => Ok(None),
        (KeyScope::Endpoint, _, given) => new_key(rule, given, app.now(), &*app.entropy).map(Some),
    }
}

fn check_people(
    description: Option<&str>,
    metadata: &Map<String, Value>,
    limits: &Limits,
) -> Result<(), Refusal> {
    if description.is_some_and(|text| text.chars().count() > limits.description_chars) {
        let message = format!("at most {} characters", limits.description_chars);
        return Err(Refusal::field(Code::InvalidField, "description", message));
    }
    check_metadata(metadata, limits)
}

fn texts(pairs: &Pairs) -> Vec<(String, String)> {
    pairs.0.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn secrets(pairs: &Pairs) -> Vec<(String, SecretText)> {
    let secret =
        |(name, value): &(Box<str>, Box<str>)| (name.to_string(), SecretText::new(&**value));
    pairs.0.iter().map(secret).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use angarium_core::id::TenantNo;
    use angarium_core::time::Timestamp;

    pub(in crate::api::endpoints) fn config() -> EndpointConfig {
        let types = ["a.*".to_owned()];
        let limits = Limits::default();
        EndpointConfig {
            id: EndpointId::from_bytes([1; 16]),
            tenant: TenantNo::new(1),
            contract: "standard".into(),
            url: "https://a.example/h".into(),
            subscription: Subscription::try_new(&types, None, vec![], &limits).expect("types"),
            method: None,
            delivery: None,
            concurrency: Some(3),
            name: None,
            description: Some("old".into()),
            metadata: Map::new(),
            status: EndpointStatus::Active,
            disabled_reason: None,
            made_by: None,
            version: 0,
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
            secrets: EndpointSecrets::default(),
        }
    }

    fn changed(text: &str) -> Result<EndpointConfig, Refusal> {
        let limits = Limits::default();
        let mut config = config();
        let body = crate::api::json::parse(text.as_bytes(), &limits)?;
        change(&mut config, &body, &limits).map(|()| config)
    }

    #[test]
    fn what_is_absent_stays_and_null_clears() {
        assert_eq!(changed("{}"), Ok(config()));
        let cleared = changed(r#"{"concurrency":null,"description":null}"#).expect("a change");
        assert_eq!((cleared.concurrency, cleared.description), (None, None));
        let disabled = changed(r#"{"status":"disabled"}"#).expect("a change");
        assert_eq!(disabled.disabled_reason.as_deref(), Some("by a call"));
    }

    #[test]
    fn what_is_not_built_yet_is_refused_as_unknown() {
        for text in [r#"{"ordering":"key"}"#, r#"{"rate":{}}"#, r#"{"where":"true"}"#] {
            assert_eq!(changed(text).map_err(|r| r.code), Err(Code::UnknownField), "{text}");
        }
    }

    #[test]
    fn authentication_is_one_of_four_forms_and_hides_when_printed() {
        let text = r#"{"auth":{"type":"basic","username":"u","password":"hunter2"}}"#;
        let config = changed(text).expect("a change");
        assert!(matches!(config.secrets.auth, Some(StaticAuth::Basic { .. })));
        assert!(!format!("{config:?}").contains("hunter2"));
        let refusal = changed(r#"{"auth":{"type":"basic","username":"u"}}"#).expect_err("half");
        assert_eq!(refusal.field.as_deref(), Some("auth.password"));
        let refusal = changed(r#"{"auth":{"type":"mtls"}}"#).expect_err("unknown");
        assert_eq!(refusal.code, Code::InvalidField);
    }

    #[test]
    fn a_bad_pattern_is_refused_by_its_place() {
        let refusal = changed(r#"{"types":["a","b c"]}"#).expect_err("a bad pattern");
        assert_eq!(refusal.code, Code::InvalidSubscription);
        assert_eq!(refusal.field.as_deref(), Some("types[1]"));
    }
}
