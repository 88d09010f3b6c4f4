//! A source: where third parties send what they have to say to a tenant.
//!
//! What a source accepts becomes an event of its tenant: the bytes of the body, under the third
//! party's own type, with the source's id as its subject, so that endpoints subscribe to it like to
//! anything else. Where it forwards to is an ordinary endpoint that asks for this subject.

use crate::event::EventType;
use crate::id::{EndpointId, SourceId, TenantNo};
use crate::limits::Limits;
use crate::scheme::{Scheme, Verified, Verifier};
use crate::secret::SigningKey;
use crate::subscription::TypePattern;
use crate::time::Timestamp;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// For how long a request is known when it comes again, if the source does not say: third parties
/// send again for up to three days (features.md, section 1).
pub const DEDUPE_SECONDS: u64 = 7 * 24 * 3_600;
/// The type of what a third party gives no type.
const UNTYPED: &str = "received";

/// Whether a source takes anything in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceStatus {
    /// What is genuine is accepted.
    Active,
    /// Everything is rejected, for now.
    Paused,
    /// Everything is rejected.
    Disabled,
}

impl SourceStatus {
    /// The text in the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            SourceStatus::Active => "active",
            SourceStatus::Paused => "paused",
            SourceStatus::Disabled => "disabled",
        }
    }

    /// Whether anything is accepted.
    pub const fn takes_in(self) -> bool {
        match self {
            SourceStatus::Active => true,
            SourceStatus::Paused | SourceStatus::Disabled => false,
        }
    }
}

/// The scheme of a source: a built-in one by its name, or one of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SchemeChoice {
    /// A built-in scheme.
    Named(String),
    /// What a scheme's file would say, as JSON.
    Described(serde_json::Value),
}

/// What an accepted request is answered, where it is not what the scheme says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceReply {
    /// The status, 200 to 299.
    pub status: u16,
    /// The body.
    #[serde(default)]
    pub body: String,
}

/// Where a source forwards what it accepts: by an ordinary endpoint, which is made, changed and
/// deleted with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// The endpoint. Its id is chosen before there is a URL, so that whatever a crash leaves half
    /// done is found by it.
    pub endpoint: EndpointId,
    /// The URL; none where nothing is forwarded, and no endpoint is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A source as it was configured and is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceConfig {
    /// The public id; stored in a column of its own.
    #[serde(skip, default = "no_id")]
    pub id: SourceId,
    /// Whose it is; stored in a column of its own.
    #[serde(skip)]
    pub tenant: TenantNo,
    /// For people.
    pub name: String,
    /// How its third party signs.
    pub scheme: SchemeChoice,
    /// The types that become events; what else is genuine is acknowledged and goes nowhere. Empty
    /// means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<TypePattern>,
    /// The contract whose page describes it; none for one that was made natively.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
    /// Where accepted requests are forwarded to, beside the tenant's endpoints.
    pub forward: Forward,
    /// Headers that are kept of a request beside those that the scheme reads, in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// For so long a request is known when it comes again.
    pub dedupe_seconds: u64,
    /// The answer to an accepted request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<SourceReply>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it takes anything in.
    pub status: SourceStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// The secrets by which requests are verified, the newest first; stored encrypted.
    #[serde(skip)]
    pub keys: Vec<SigningKey>,
}

fn no_id() -> SourceId {
    SourceId::from_bytes([0; 16])
}

impl SourceConfig {
    /// Whether a type becomes an event.
    pub fn wants(&self, kind: &EventType) -> bool {
        self.types.is_empty() || self.types.iter().any(|pattern| pattern.matches(kind.as_str()))
    }

    /// The event's own id, by which the tenant's events know a request that comes again: `span` is
    /// how often [`SourceConfig::dedupe_seconds`] have passed since it came first.
    pub fn own_id(&self, verified: &Verified, span: u64) -> Box<str> {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.id.to_bytes());
        context.update(&verified.known_by);
        context.update(&span.to_be_bytes());
        format!("in-{}", URL_SAFE_NO_PAD.encode(context.finish())).into()
    }

    /// How often the time for which a request is known has passed since it came first.
    pub fn spans(&self, first: Timestamp, now: Timestamp) -> u64 {
        now.since(first).as_secs() / self.dedupe_seconds.max(1)
    }

    /// Whether a request that came at `first` is still known.
    pub fn still_knows(&self, first: Timestamp, now: Timestamp) -> bool {
        now.since(first).as_secs() < self.dedupe_seconds
    }
}

/// A request that a source rejected. It is kept for a while, for those who own the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Which source.
    pub source: SourceId,
    /// When it came.
    pub at: Timestamp,
    /// Why, a word for programs.
    pub cause: String,
    /// Why, for people.
    pub reason: String,
    /// The method.
    pub method: String,
    /// Path and query, cut.
    pub target: String,
    /// Headers that hold no secret.
    pub headers: Vec<(String, String)>,
    /// The first bytes of the body.
    pub body: Bytes,
    /// How many bytes the body had.
    pub body_bytes: u64,
}

/// The type of an event from the third party's words: a slash or a space becomes a dot, what else a
/// type may not have an underscore, and what is too long is cut.
pub fn event_type(kind: Option<&str>, limits: &Limits) -> EventType {
    let text = kind.unwrap_or_default().chars().take(limits.event_type_chars);
    let text: String = text.map(type_character).collect();
    let kind = if text.is_empty() { UNTYPED } else { &text };
    EventType::try_new(kind, limits).unwrap_or_else(|_| EventType::from_stored(UNTYPED))
}

/// A pattern of types in the third party's words, as its types become those of events.
pub fn type_pattern(text: &str) -> String {
    let keep_star = |character| if character == '*' { '*' } else { type_character(character) };
    text.chars().map(keep_star).collect()
}

fn type_character(character: char) -> char {
    match character {
        '/' | ' ' => '.',
        kept if kept.is_ascii_alphanumeric() || "_.:-".contains(kept) => kept,
        _ => '_',
    }
}

/// A source with its scheme, made ready.
#[derive(Debug, Clone)]
pub struct Source {
    /// As it was configured.
    pub config: Arc<SourceConfig>,
    /// How its third party signs.
    pub scheme: Arc<Scheme>,
    /// Judges its requests, until a retired key ends.
    verifier: Arc<Verifier>,
    until: Option<Timestamp>,
}

impl Source {
    /// Makes a source ready with the keys that hold now.
    pub fn new(config: SourceConfig, scheme: Arc<Scheme>, now: Timestamp) -> Self {
        let ends = |key: &SigningKey| key.signs_until.filter(|until| now < *until);
        Self {
            verifier: Arc::new(verifier(&config, &scheme, now)),
            until: config.keys.iter().filter_map(ends).min(),
            config: Arc::new(config),
            scheme,
        }
    }

    /// What judges a request that comes now.
    pub fn verifier(&self, now: Timestamp) -> Arc<Verifier> {
        match self.until {
            Some(until) if until <= now => Arc::new(verifier(&self.config, &self.scheme, now)),
            Some(_) | None => Arc::clone(&self.verifier),
        }
    }
}

fn verifier(config: &SourceConfig, scheme: &Arc<Scheme>, now: Timestamp) -> Verifier {
    let keys: Vec<_> =
        config.keys.iter().filter(|key| key.signs(now)).map(|key| key.secret.clone()).collect();
    Verifier::prepare(Arc::clone(scheme), &keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_party_s_type_becomes_one_that_endpoints_can_ask_for() {
        let limits = Limits::default();
        let long = "x".repeat(200);
        for (kind, wanted) in [
            (Some("payment_intent.succeeded"), "payment_intent.succeeded"),
            (Some("orders/create"), "orders.create"),
            (Some("Push Hook"), "Push.Hook"),
            (Some("größer"), "gr__er"),
            (Some(&*long), &*"x".repeat(128)),
            (Some(""), "received"),
            (None, "received"),
        ] {
            assert_eq!(event_type(kind, &limits).as_str(), wanted);
        }
    }

    #[test]
    fn a_request_that_comes_again_has_the_same_id_and_every_other_one_another() {
        let source = |n: u8| SourceConfig {
            id: SourceId::from_bytes([n; 16]),
            tenant: TenantNo::new(1),
            name: "n".into(),
            scheme: SchemeChoice::Named("github".into()),
            types: Vec::new(),
            contract: None,
            forward: Forward { endpoint: EndpointId::from_bytes([n; 16]), url: None },
            headers: Vec::new(),
            dedupe_seconds: DEDUPE_SECONDS,
            reply: None,
            description: None,
            status: SourceStatus::Active,
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
            keys: Vec::new(),
        };
        let known_by = |n: u8| Verified { id: None, kind: None, known_by: [n; 32] };
        let id = source(1).own_id(&known_by(1), 0);
        assert_eq!(id, source(1).own_id(&known_by(1), 0));
        assert_ne!(id, source(2).own_id(&known_by(1), 0));
        assert_ne!(id, source(1).own_id(&known_by(2), 0));
        assert_ne!(id, source(1).own_id(&known_by(1), 1));
        assert!(id.len() <= 64 && id.starts_with("in-"), "{id}");
    }
}
