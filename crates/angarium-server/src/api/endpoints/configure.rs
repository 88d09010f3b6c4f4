//! The rules by which what a caller says of an endpoint becomes its configuration.

use super::form::{EndpointChange, NewEndpoint};
use crate::api::App;
use crate::api::auth::Caller;
use crate::api::json::{Pairs, Secret};
use crate::api::signing_keys::new_key;
use crate::api::tenants::check_metadata;
use crate::entropy::random;
use angarium_core::account::Tenant;
use angarium_core::contract::{KeyPresence, KeyScope};
use angarium_core::endpoint::{EndpointConfig, EndpointSecrets, EndpointStatus, StaticAuth};
use angarium_core::id::EndpointId;
use angarium_core::limits::Limits;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::secret::{SecretText, SigningKey};
use angarium_core::subscription::Subscription;
use serde_json::{Map, Value};

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
