//! The rules by which what a caller says of an endpoint becomes its configuration.
//!
//! A contract's rules are held against what a call says, not against what was accepted before: an
//! endpoint that is older than a rule can still be paused, switched on and deleted.

use super::form::{EndpointChange, NewEndpoint};
use crate::api::App;
use crate::api::auth::Caller;
use crate::api::json::{Pairs, Secret};
use crate::api::signing_keys::new_key;
use crate::api::tenants::check_metadata;
use crate::entropy::random;
use angarium_core::account::Tenant;
use angarium_core::contract::{Contract, KeyPresence, KeyScope};
use angarium_core::endpoint::{
    EndpointAuth, EndpointConfig, EndpointSecrets, EndpointStatus, TlsSettings,
};
use angarium_core::id::{EndpointId, EnvironmentNo};
use angarium_core::limits::Limits;
use angarium_core::notice::{OPERATOR, OPERATOR_CONTRACT};
use angarium_core::refusal::{Code, Refusal};
use angarium_core::secret::{SecretText, SigningKey};
use angarium_core::subscription::Subscription;
use std::sync::Arc;

/// What a caller's words are held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    /// The contract that the endpoint follows.
    pub(super) contract: &'a Contract,
    /// The environment's event types beside the contract's.
    pub(super) own_types: &'a [String],
    /// The server's limits.
    pub(super) limits: &'a Limits,
}

/// The contract of this name.
///
/// # Errors
/// `unknown_contract`.
pub(super) fn contract<'a>(app: &'a App, name: &str) -> Result<&'a Arc<Contract>, Refusal> {
    app.contracts.get(name).ok_or_else(|| {
        let message = format!("there is no contract {name:?}");
        Refusal::field(Code::UnknownContract, "contract", message)
    })
}

/// The names of the event types that an environment has beside its contracts'.
pub(super) fn own_types(app: &App, environment: EnvironmentNo) -> Vec<String> {
    let types = app.directory.event_types(environment);
    types.iter().map(|entry| entry.config.name.clone()).collect()
}

/// The configuration of a new endpoint.
pub(super) fn new_config(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    new: &NewEndpoint,
) -> Result<EndpointConfig, Refusal> {
    let name = contract_of(caller, tenant, new.contract.as_deref())?;
    let contract = contract(app, &name)?;
    contract.check_plan(tenant.plan.as_deref())?;
    contract.rules().name.check("name", new.name.as_deref())?;
    contract.rules().description.check("description", new.description.as_deref())?;
    check_metadata(&new.metadata, &app.limits)?;
    let subscription = Subscription::try_new(
        &new.types,
        new.subjects.clone(),
        texts(&new.attributes),
        &app.limits,
    )?;
    contract.check_types(&subscription, &own_types(app, tenant.environment))?;
    let now = app.now();
    let mut config = EndpointConfig {
        method: new.method,
        ordering: new.ordering.clone(),
        delivery: new.delivery.clone(),
        concurrency: new.concurrency,
        rate: new.rate,
        name: new.name.clone(),
        description: new.description.clone(),
        metadata: new.metadata.clone(),
        made_by: Some(caller.key.id),
        secrets: EndpointSecrets {
            keys: first_key(app, contract, new.secret.as_ref())?.into_iter().collect(),
            auth: new.auth.as_ref().map(EndpointAuth::from),
            headers: secrets(&new.headers),
            tls: new.tls.as_ref().map(TlsSettings::from),
        },
        ..EndpointConfig::new(
            EndpointId::from_parts(now, random(&*app.entropy)),
            tenant.no,
            name,
            new.url.clone(),
            subscription,
            now,
        )
    };
    set_status(&mut config, new.status.unwrap_or(EndpointStatus::Active));
    Ok(config)
}

/// Changes what a caller names.
pub(super) fn change(
    config: &mut EndpointConfig,
    change: &EndpointChange,
    rules: Rules<'_>,
) -> Result<(), Refusal> {
    if let Some(url) = &change.url {
        config.url.clone_from(url);
    }
    change_subscription(config, change, rules)?;
    if let Some(method) = change.method {
        config.method = method;
    }
    if let Some(headers) = &change.headers {
        config.secrets.headers = headers.as_ref().map(secrets).unwrap_or_default();
    }
    if let Some(auth) = &change.auth {
        config.secrets.auth = auth.as_ref().map(EndpointAuth::from);
    }
    if let Some(tls) = &change.tls {
        config.secrets.tls = tls.as_ref().map(TlsSettings::from);
    }
    if let Some(delivery) = &change.delivery {
        config.delivery.clone_from(delivery);
    }
    if let Some(ordering) = &change.ordering {
        config.ordering.clone_from(ordering);
    }
    if let Some(concurrency) = change.concurrency {
        config.concurrency = concurrency;
    }
    if let Some(rate) = change.rate {
        config.rate = rate;
    }
    if let Some(name) = &change.name {
        rules.contract.rules().name.check("name", name.as_deref())?;
        config.name.clone_from(name);
    }
    if let Some(description) = &change.description {
        rules.contract.rules().description.check("description", description.as_deref())?;
        config.description.clone_from(description);
    }
    if let Some(metadata) = &change.metadata {
        config.metadata.clone_from(metadata);
    }
    if let Some(status) = change.status {
        set_status(config, status);
    }
    check_metadata(&config.metadata, rules.limits)
}

fn change_subscription(
    config: &mut EndpointConfig,
    change: &EndpointChange,
    rules: Rules<'_>,
) -> Result<(), Refusal> {
    let now = &config.subscription;
    let current = || now.types.iter().map(|pattern| pattern.as_str().to_owned()).collect();
    let types = change.types.clone().unwrap_or_else(current);
    let subjects = change.subjects.clone().unwrap_or_else(|| now.subjects.clone());
    let attributes = change.attributes.as_ref().map(texts);
    let attributes = attributes.unwrap_or_else(|| now.attributes.clone());
    config.subscription = Subscription::try_new(&types, subjects, attributes, rules.limits)?;
    match &change.types {
        Some(_) => rules.contract.check_types(&config.subscription, rules.own_types),
        None => Ok(()),
    }
}

/// Sets the status and, for a disabled endpoint, why.
pub(super) fn set_status(config: &mut EndpointConfig, status: EndpointStatus) {
    config.disabled_reason = match status {
        EndpointStatus::Disabled => Some("by a call".to_owned()),
        EndpointStatus::Active | EndpointStatus::Paused => None,
    };
    config.status = status;
}

fn contract_of(caller: &Caller, tenant: &Tenant, named: Option<&str>) -> Result<String, Refusal> {
    let operators = [OPERATOR_CONTRACT.to_owned()];
    let contracts = match tenant.id == OPERATOR {
        true => &operators[..],
        false => &caller.environment()?.contracts,
    };
    let found = match named {
        Some(named) => contracts.iter().find(|name| *name == named),
        None => contracts.first(),
    };
    found.cloned().ok_or_else(|| {
        let message = format!("one of the contracts {}", contracts.join(", "));
        Refusal::field(Code::UnknownContract, "contract", message)
    })
}

/// The first key of an endpoint: the one that is given, or a new one where there must be one.
fn first_key(
    app: &App,
    contract: &Contract,
    given: Option<&Secret>,
) -> Result<Option<SigningKey>, Refusal> {
    let refused = |why: &str| Err(Refusal::field(Code::InvalidSecret, "secret", why));
    let Some(rule) = contract.key_rule() else {
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
    use angarium_core::contract::ContractLibrary;
    use angarium_core::id::TenantNo;
    use angarium_core::time::Timestamp;

    pub(in crate::api::endpoints) fn config() -> EndpointConfig {
        let types = ["a.*".to_owned()];
        let limits = Limits::default();
        EndpointConfig {
            concurrency: Some(3),
            description: Some("old".into()),
            ..EndpointConfig::new(
                EndpointId::from_bytes([1; 16]),
                TenantNo::new(1),
                "standard".into(),
                "https://a.example/h".into(),
                Subscription::try_new(&types, None, vec![], &limits).expect("types"),
                Timestamp::from_millis(0),
            )
        }
    }

    fn changed(text: &str) -> Result<EndpointConfig, Refusal> {
        changed_under("standard", text)
    }

    fn changed_under(contract: &str, text: &str) -> Result<EndpointConfig, Refusal> {
        let limits = Limits::default();
        let mut config = config();
        let body = crate::api::json::parse(text.as_bytes(), &limits)?;
        let library = ContractLibrary::built_in(&limits).expect("built-in contracts");
        let contract = library.get(contract).expect("a contract");
        let own_types = ["own.type".to_owned()];
        let rules = Rules { contract, own_types: &own_types, limits: &limits };
        change(&mut config, &body, rules).map(|()| config)
    }

    #[test]
    fn a_contract_s_rules_are_held_against_what_a_change_names_and_nothing_older() {
        let rows = [
            ("alumia", r#"{"status":"paused"}"#.to_owned(), None),
            ("alumia", r#"{"name":null}"#.to_owned(), Some("name")),
            ("alumia", format!(r#"{{"name":"{}"}}"#, "ä".repeat(120)), None),
            ("alumia", format!(r#"{{"name":"{}"}}"#, "ä".repeat(121)), Some("name")),
            ("alumia", format!(r#"{{"description":"{}"}}"#, "ä".repeat(2_000)), None),
            (
                "alumia",
                format!(r#"{{"description":"{}"}}"#, "ä".repeat(2_001)),
                Some("description"),
            ),
            ("aioka", r#"{"subjects":["s"]}"#.to_owned(), None),
            ("aioka", r#"{"types":["verdict.*","own.type"]}"#.to_owned(), None),
            ("aioka", r#"{"types":["verdict.new","verdict.old"]}"#.to_owned(), Some("types[1]")),
        ];
        for (contract, text, refused) in rows {
            let field = changed_under(contract, &text).err().and_then(|refusal| refusal.field);
            assert_eq!(field.as_deref(), refused, "{contract} {text}");
        }
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
        let text = r#"{"where":"true"}"#;
        assert_eq!(changed(text).map_err(|r| r.code), Err(Code::UnknownField));
    }

    #[test]
    fn authentication_is_one_of_six_forms_and_hides_when_printed() {
        let text = r#"{"auth":{"type":"basic","username":"u","password":"hunter2"}}"#;
        let config = changed(text).expect("a change");
        assert!(matches!(config.secrets.auth, Some(EndpointAuth::Basic { .. })));
        assert!(!format!("{config:?}").contains("hunter2"));
        let refusal = changed(r#"{"auth":{"type":"basic","username":"u"}}"#).expect_err("half");
        assert_eq!(refusal.field.as_deref(), Some("auth.password"));
        let refusal = changed(r#"{"auth":{"type":"mtls","certificate":""}}"#).expect_err("half");
        assert_eq!(refusal.field.as_deref(), Some("auth.private_key"));
        let text = r#"{"auth":{"type":"oauth2","token_url":"https://a.example/","client_id":"c",
            "client_secret":"hunter2","client_auth":"body"},"tls":{"private_key":"hunter2"}}"#;
        let config = changed(text).expect("a change");
        assert!(matches!(&config.secrets.auth, Some(EndpointAuth::OAuth2(_))));
        assert!(!format!("{config:?}").contains("hunter2"));
        let refusal = changed(r#"{"auth":{"type":"digest"}}"#).expect_err("unknown");
        assert_eq!(refusal.code, Code::InvalidField);
    }

    #[test]
    fn a_bad_pattern_is_refused_by_its_place() {
        let refusal = changed(r#"{"types":["a","b c"]}"#).expect_err("a bad pattern");
        assert_eq!(refusal.code, Code::InvalidSubscription);
        assert_eq!(refusal.field.as_deref(), Some("types[1]"));
    }
}
