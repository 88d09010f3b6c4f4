//! What becomes different: members with their values, and secrets by their names alone.

use crate::account::{ApiKey, Environment, EventTypeConfig, Tenant};
use crate::egress::{EgressSettings, Proxy};
use crate::endpoint::{EndpointConfig, EndpointSecrets, TlsSettings};
use crate::job::Job;
use crate::retention::{Retention, WrittenAge};
use crate::secret::{SecretText, SigningKey};
use crate::source::SourceConfig;
use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The longest value that an entry holds, in bytes as JSON; of a longer one it has the length and
/// the SHA-256.
const LONGEST: usize = 1_024;

/// A member that is different afterwards.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Change {
    /// One that may be read.
    Value {
        /// Its name in the API.
        member: String,
        /// What it was; null if it was absent.
        old: Value,
        /// What it is; null if it is absent.
        new: Value,
    },
    /// One that may not: nothing is said of its values.
    Secret {
        /// Its name.
        member: String,
    },
}

/// What an object consists of: values that may be read, and secrets that may not.
#[derive(Default)]
pub struct Members {
    values: Map<String, Value>,
    /// Their SHA-256, by which a change is noticed; it is never told.
    secrets: BTreeMap<String, [u8; 32]>,
}

impl Members {
    /// Of what the store keeps in clear, all but `left_out`.
    fn of(object: &impl Serialize, left_out: &[&str]) -> Self {
        let mut values = match serde_json::to_value(object) {
            Ok(Value::Object(values)) => values,
            Ok(_) | Err(_) => Map::new(),
        };
        values.retain(|name, _| !left_out.contains(&name.as_str()));
        Self { values, secrets: BTreeMap::new() }
    }

    /// Lists what becomes different on the way to `after`.
    pub fn changes(&self, after: &Self) -> Vec<Change> {
        let new = after.values.iter().filter(|(name, _)| !self.values.contains_key(*name));
        let names = self.values.iter().chain(new).map(|(name, _)| name);
        let value = |values: &Map<String, Value>, name| values.get(name).cloned();
        let values = names.filter_map(|name| {
            let old = value(&self.values, name).unwrap_or_default();
            let new = value(&after.values, name).unwrap_or_default();
            let (member, old, new) = (name.clone(), shortened(old), shortened(new));
            (old != new).then_some(Change::Value { member, old, new })
        });
        let new = after.secrets.iter().filter(|(name, _)| !self.secrets.contains_key(*name));
        let names = self.secrets.iter().chain(new).map(|(name, _)| name);
        let secrets = names
            .filter(|name| self.secrets.get(*name) != after.secrets.get(*name))
            .map(|name| Change::Secret { member: name.clone() });
        values.chain(secrets).collect()
    }

    pub(super) fn note(mut self, name: &str, value: impl Serialize) -> Self {
        self.values.insert(name.to_owned(), serde_json::to_value(value).unwrap_or_default());
        self
    }

    fn hide(self, name: &str, secrets: &EndpointSecrets) -> Self {
        match *secrets == EndpointSecrets::default() {
            true => self,
            false => self.hide_bytes(name, &secrets.to_sealed_form()),
        }
    }

    fn hide_bytes(mut self, name: &str, secret: &[u8]) -> Self {
        self.secrets.insert(name.to_owned(), sha256(secret));
        self
    }

    fn note_egress(self, egress: &EgressSettings) -> Self {
        fn texts<T: ToString>(values: &[T]) -> Vec<String> {
            values.iter().map(ToString::to_string).collect()
        }
        let credentials = egress.proxy.as_ref().and_then(|proxy| proxy.credentials.as_ref());
        let noted = self
            .note("egress.ports", egress.ports.as_deref().map(texts))
            .note("egress.allow_cidrs", egress.allow_cidrs.as_deref().map(texts))
            .note("egress.deny_cidrs", Some(texts(&egress.deny_cidrs)).filter(|t| !t.is_empty()))
            .note("egress.proxy.url", egress.proxy.as_ref().map(Proxy::url))
            .note("egress.proxy.username", credentials.map(|own| &own.username))
            .note("egress.proxy.resolve", egress.proxy.as_ref().map(|p| p.resolved_by.as_str()));
        match credentials {
            Some(own) => {
                noted.hide_bytes("egress.proxy.password", own.password.expose().as_bytes())
            }
            None => noted,
        }
    }

    fn note_retention(self, retention: &Retention) -> Self {
        let written = retention.written();
        let said = |age: WrittenAge| age.map(|age| age.unwrap_or_else(|| "for ever".into()));
        self.note("retention.payload", said(written.payload))
            .note("retention.attempts", said(written.attempts))
            .note("retention.metadata", said(written.metadata))
            .note("retention.audit", said(written.audit))
    }

    fn hide_tls(mut self, tls: Option<&TlsSettings>) -> Self {
        let Some(TlsSettings { client_certificate, private_key, ca }) = tls else { return self };
        let parts = [
            ("tls.client_certificate", client_certificate.as_deref()),
            ("tls.private_key", private_key.as_ref().map(SecretText::expose)),
            ("tls.ca", ca.as_deref()),
        ];
        for (name, text) in parts {
            if let Some(text) = text {
                self = self.hide_bytes(name, text.as_bytes());
            }
        }
        self
    }

    fn hide_keys(self, keys: &[SigningKey]) -> Self {
        self.hide("secret", &EndpointSecrets { keys: keys.to_vec(), ..EndpointSecrets::default() })
    }
}

/// A value that is not too long for an entry.
fn shortened(value: Value) -> Value {
    let text = value.to_string();
    match text.len() {
        0..=LONGEST => value,
        bytes => json!({"bytes": bytes, "sha256": hex::encode(sha256(text.as_bytes()))}),
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// What the audit log can tell of.
pub trait Audited {
    /// Its members, but for those that the server keeps for itself.
    fn members(&self) -> Members;
}

impl Audited for Environment {
    fn members(&self) -> Members {
        Members::default()
            .note("title", &self.title)
            .note("contracts", &self.contracts)
            .note("hosts", &self.hosts)
            .note_egress(&self.egress)
            .note_retention(&self.retention)
    }
}

impl Audited for Tenant {
    fn members(&self) -> Members {
        Members::default()
            .note("name", &self.name)
            .note("plan", &self.plan)
            .note("metadata", &self.metadata)
            .note("rate", self.rate)
    }
}

impl Audited for ApiKey {
    fn members(&self) -> Members {
        Members::default()
            .note("name", &self.name)
            .note("scopes", &self.scopes)
            .note("expires_at", self.expires_at.map(|end| end.to_string()))
            .note("rate", self.rate)
    }
}

impl Audited for EventTypeConfig {
    fn members(&self) -> Members {
        Members::of(self, &["name", "updated_at"])
    }
}

impl Audited for EndpointConfig {
    fn members(&self) -> Members {
        let mut members = Members::of(self, &["version", "updated_at", "disabled_at"]);
        // In the API its members stand beside the others.
        if let Some(Value::Object(subscription)) = members.values.remove("subscription") {
            members.values.extend(subscription);
        }
        let EndpointSecrets { keys, auth, headers, tls } = &self.secrets;
        members = members.hide_keys(keys);
        let auth = EndpointSecrets { auth: auth.clone(), ..EndpointSecrets::default() };
        members = members.hide("auth", &auth).hide_tls(tls.as_ref());
        headers.iter().fold(members, |members, (name, _)| {
            let of_name = headers.iter().filter(|(other, _)| other == name);
            let headers = of_name.cloned().collect();
            let alone = EndpointSecrets { headers, ..EndpointSecrets::default() };
            members.hide(&format!("headers.{name}"), &alone)
        })
    }
}

impl Audited for SourceConfig {
    fn members(&self) -> Members {
        let left_out = ["forward", "contract", "created_at", "updated_at"];
        Members::of(self, &left_out).note("forward_url", &self.forward.url).hide_keys(&self.keys)
    }
}

impl Audited for [SigningKey] {
    fn members(&self) -> Members {
        Members::default().hide_keys(self)
    }
}

impl Audited for Job {
    fn members(&self) -> Members {
        let recovery = &self.recovery;
        let states: Vec<_> = recovery.states.iter().map(|state| state.as_str()).collect();
        Members::default()
            .note("job", self.id.to_string())
            .note("since", recovery.since.to_string())
            .note("until", recovery.until.to_string())
            .note("states", states)
            .note("types", &recovery.types)
            .note("rate", self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::EndpointAuth;
    use crate::id::{EndpointId, SigningKeyId, TenantNo};
    use crate::limits::Limits;
    use crate::subscription::Subscription;
    use crate::time::Timestamp;

    fn endpoint() -> EndpointConfig {
        let types = ["order.*".to_owned()];
        let subscription = Subscription::try_new(&types, None, Vec::new(), &Limits::default());
        EndpointConfig::new(
            EndpointId::from_bytes([1; 16]),
            TenantNo::new(1),
            "standard".into(),
            "https://a.example/in".into(),
            subscription.expect("types"),
            Timestamp::from_millis(5),
        )
    }

    fn told(before: &EndpointConfig, after: &EndpointConfig) -> String {
        serde_json::to_string(&before.members().changes(&after.members())).expect("prints")
    }

    #[test]
    fn a_change_names_the_member_with_what_it_was_and_is() {
        let mut after = endpoint();
        after.version += 1;
        after.updated_at = Timestamp::from_millis(6);
        assert_eq!(told(&endpoint(), &after), "[]", "what the server counts is not told");
        after.url = "https://b.example/in".into();
        after.description = Some("new".into());
        after.subscription.subjects = Some(vec!["s".into()]);
        assert_eq!(
            told(&endpoint(), &after),
            concat!(
                r#"[{"member":"url","old":"https://a.example/in","new":"https://b.example/in"},"#,
                r#"{"member":"description","old":null,"new":"new"},"#,
                r#"{"member":"subjects","old":null,"new":["s"]}]"#,
            ),
        );
    }

    #[test]
    fn of_a_secret_the_name_alone_is_told() {
        let mut after = endpoint();
        after.secrets.auth = Some(EndpointAuth::Bearer { token: SecretText::new("canary") });
        after.secrets.headers = vec![("X-Key".into(), SecretText::new("canary"))];
        after.secrets.keys = vec![SigningKey {
            id: SigningKeyId::from_bytes([3; 16]),
            secret: SecretText::new("canary"),
            created_at: Timestamp::from_millis(5),
            retired_at: None,
            signs_until: None,
        }];
        after.secrets.tls = Some(TlsSettings {
            ca: Some("canary".into()),
            private_key: Some(SecretText::new("canary")),
            client_certificate: None,
        });
        let names = concat!(
            r#"[{"member":"auth"},{"member":"headers.X-Key"},{"member":"secret"},"#,
            r#"{"member":"tls.ca"},{"member":"tls.private_key"}]"#,
        );
        assert_eq!(told(&endpoint(), &after), names);
        assert_eq!(told(&after, &endpoint()), names);
        let mut other = after.clone();
        other.secrets.headers[0].1 = SecretText::new("another");
        assert_eq!(told(&after, &other), r#"[{"member":"headers.X-Key"}]"#);
    }

    #[test]
    fn a_value_too_long_for_an_entry_is_told_by_its_length_and_digest() {
        let described = |chars: usize| {
            let mut config = endpoint();
            config.description = Some("x".repeat(chars));
            told(&endpoint(), &config)
        };
        assert!(described(LONGEST - 2).contains("xxx"));
        let longer = described(LONGEST - 1);
        assert!(longer.contains(r#""new":{"bytes":1025,"sha256":""#), "{longer}");
    }
}
