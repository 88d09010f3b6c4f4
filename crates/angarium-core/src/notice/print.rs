//! A notice as an event: its id, its data, and a sentence for whoever is woken by it.

use super::{About, DeadLetter, EndpointNow, Fact, KeyRotation, Kind, Notice};
use crate::endpoint::EndpointHealth;
use crate::event::{DataKind, EventType, NewEvent};
use crate::outcome::Class;
use crate::time::Timestamp;
use serde_json::{Map, Value, json};

impl Notice {
    /// The event that tells it. `tenant` is the platform's own id of whom it concerns, `waiting`
    /// how many deliveries wait, where that is told.
    pub fn event(&self, tenant: Option<&str>, waiting: Option<u64>) -> NewEvent {
        let data = Value::Object(self.data(tenant, waiting));
        let endpoint = self.endpoint().map(|endpoint| endpoint.id.to_string().into());
        let attribute = |tenant: &str| ("tenant".into(), tenant.into());
        NewEvent {
            own_id: Some(self.id().into()),
            kind: EventType::from_stored(Kind::of(self).as_str()),
            time: Some(self.at.to_string().into()),
            subject: endpoint,
            ordering_key: tenant.map(Into::into),
            attributes: tenant.map(attribute).into_iter().collect(),
            data: data.to_string().into(),
            data_kind: DataKind::Json,
        }
    }

    /// The event's id: the same for what is the same.
    fn id(&self) -> String {
        let whom = self.endpoint().map_or("node".to_owned(), |endpoint| endpoint.id.to_string());
        let of = |name: &str, since: &Timestamp| format!("ntc_{name}_{whom}_{}", since.as_millis());
        match &self.fact {
            Fact::Disabled { since, .. } => of("disabled", since),
            Fact::Failing { since } => of("failing", since),
            Fact::Recovered { since } => of("recovered", since),
            Fact::BacklogGrowing { oldest_due } => of("backlog", oldest_due),
            Fact::DeadLetter(letter) => format!("ntc_{}", letter.delivery),
            Fact::KeyRotated(rotation) => format!("ntc_{}", rotation.key),
        }
    }

    fn data(&self, tenant: Option<&str>, waiting: Option<u64>) -> Map<String, Value> {
        let whose = tenant.unwrap_or_default();
        let mut data = Map::new();
        data.insert("message".into(), self.message(whose).into());
        data.insert("at".into(), self.at.to_string().into());
        match &self.about {
            About::Endpoint(endpoint) => {
                data.insert("tenant".into(), whose.into());
                data.insert("contract".into(), (&*endpoint.contract).into());
                data.insert("endpoint".into(), endpoint_value(endpoint));
            }
            About::Tenant { contract, .. } => {
                data.insert("tenant".into(), whose.into());
                data.insert("contract".into(), (&**contract).into());
            }
            About::Node => {}
        }
        if let Value::Object(members) = self.members() {
            data.extend(members);
        }
        data.extend(waiting.map(|waiting| ("waiting".into(), waiting.into())));
        data
    }

    /// What this kind of notice tells beside whom it concerns.
    fn members(&self) -> Value {
        match &self.fact {
            Fact::Disabled { reason, since } => {
                json!({"reason": reason, "since": since.to_string()})
            }
            Fact::Failing { since } | Fact::Recovered { since } => {
                json!({"since": since.to_string()})
            }
            Fact::DeadLetter(letter) => letter_value(letter),
            Fact::KeyRotated(KeyRotation { key, retired, signs_until, .. }) => json!({
                "key": key.to_string(),
                "retired_key": retired.to_string(),
                "retired_key_signs_until": text(*signs_until),
            }),
            Fact::BacklogGrowing { oldest_due } => json!({
                "oldest_due_at": oldest_due.to_string(),
                "waited_seconds": self.at.since(*oldest_due).as_secs(),
            }),
        }
    }

    /// A sentence for people.
    fn message(&self, tenant: &str) -> String {
        let whom = match &self.about {
            About::Endpoint(endpoint) => format!("{} of {tenant} ({})", endpoint.id, endpoint.host),
            About::Tenant { contract, .. } => format!("{tenant} under {contract}"),
            About::Node => "this node".into(),
        };
        let health = self.endpoint().map(|endpoint| endpoint.health).unwrap_or_default();
        let last = last_failure(&health);
        match &self.fact {
            Fact::Disabled { reason, .. } => format!("{whom} is disabled: {reason}{last}"),
            Fact::Failing { since } => {
                let failures = health.consecutive_failures;
                format!("{whom} is failing: {failures} attempts in a row since {since}{last}")
            }
            Fact::Recovered { since } => format!("{whom} works again, after trouble since {since}"),
            Fact::DeadLetter(letter) => letter_message(letter, &whom),
            Fact::KeyRotated(_) => format!("the signing key of {whom} was rotated"),
            Fact::BacklogGrowing { oldest_due } => {
                let waited = self.at.since(*oldest_due).as_secs();
                format!("{whom} falls behind: the oldest due delivery has waited {waited} s")
            }
        }
    }
}

fn letter_message(letter: &DeadLetter, whom: &str) -> String {
    let DeadLetter { event, event_type, attempts, last, left_out, .. } = letter;
    let others = match left_out {
        0 => String::new(),
        others => format!("; so were {others} others since the notice before"),
    };
    let last = last.map_or(String::new(), |last| answered(last.class, last.status));
    format!(
        "{event} ({event_type}) was given up for {whom} after {attempts} attempts{last}{others}"
    )
}

fn endpoint_value(endpoint: &EndpointNow) -> Value {
    let health = &endpoint.health;
    json!({
        "id": endpoint.id.to_string(),
        "name": endpoint.name,
        "host": endpoint.host,
        "status": endpoint.status.as_str(),
        "consecutive_failures": health.consecutive_failures,
        "last_success_at": text(health.last_success_at),
        "last_failure_at": text(health.last_failure_at),
        "last_failure_class": health.last_failure_class.map(Class::as_str),
        "last_failure_status": health.last_failure_status,
    })
}

fn letter_value(letter: &DeadLetter) -> Value {
    json!({
        "delivery": letter.delivery.to_string(),
        "event": {"id": letter.event.to_string(), "type": letter.event_type},
        "reason": letter.reason,
        "attempts": letter.attempts,
        "last": letter.last.map(|last| json!({
            "at": last.at.to_string(),
            "class": last.class.as_str(),
            "status": last.status,
        })),
        "left_out": letter.left_out,
    })
}

fn text(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}

/// How the last attempt ended, if it failed, as the end of a sentence.
fn last_failure(health: &EndpointHealth) -> String {
    let class = health.last_failure_class.filter(|_| health.consecutive_failures > 0);
    class.map_or(String::new(), |class| answered(class, health.last_failure_status))
}

fn answered(class: Class, status: Option<u16>) -> String {
    match status {
        Some(status) => format!("; the last was answered {status}"),
        None => format!("; the last ended with {}", class.as_str()),
    }
}
