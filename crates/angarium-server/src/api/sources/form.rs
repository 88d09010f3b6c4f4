//! What a caller says of a source. Native calls parse these from JSON; a contract's routes fill in
//! what their members name.

use crate::api::json::{Secret, present};
use angarium_core::event::check_text;
use angarium_core::limits::Limits;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::source::{SchemeChoice, SourceConfig, SourceReply, SourceStatus};
use angarium_core::subscription::TypePattern;
use angarium_core::time::parse_span;
use http::HeaderName;
use serde::Deserialize;
use std::time::Duration;
use utoipa::ToSchema;

/// A request is known for at least and at most so long when it comes again.
const DEDUPE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(90 * 24 * 3_600);
/// Headers that a source may keep beside those of its scheme.
const KEPT_HEADERS: usize = 32;
/// Headers that are never kept.
const PASSWORDS: &[&str] = &["authorization", "cookie", "proxy-authorization"];
/// Bytes of a reply.
const REPLY_BYTES: usize = 4 * 1024;

/// A new source.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSource {
    /// What people call it.
    #[schema(min_length = 1, max_length = 512, example = "GitHub")]
    pub(crate) name: String,
    /// How its third party signs: a built-in scheme's name, or a scheme as its file would say it.
    #[schema(value_type = Value, example = "github")]
    pub(crate) scheme: SchemeChoice,
    /// The secret, or the public key, where the third party made it; else one is made.
    #[schema(value_type = Option<String>, format = Password)]
    pub(crate) secret: Option<Secret>,
    /// The types that become events; what else is genuine is acknowledged and goes nowhere. All if
    /// absent.
    #[schema(max_items = 256, example = json!(["push", "issues.*"]))]
    pub(crate) types: Option<Vec<String>>,
    /// Where accepted requests are forwarded to, beside the tenant's endpoints.
    #[schema(max_length = 2048, example = "https://hooks.example.com/github")]
    pub(crate) forward_url: Option<String>,
    /// What an accepted request is answered; as the scheme says if absent.
    #[schema(value_type = Option<Reply>)]
    pub(crate) reply: Option<SourceReply>,
    /// Headers that are kept and forwarded beside those that the scheme reads.
    #[schema(max_items = 32, example = json!(["x-request-id"]))]
    pub(crate) headers: Option<Vec<String>>,
    /// For how long a request is known when it comes again; `7d` if absent.
    #[schema(example = "7d")]
    pub(crate) dedupe: Option<String>,
    /// For people.
    #[schema(max_length = 2000)]
    pub(crate) description: Option<String>,
    /// How it begins; `active` if absent.
    #[schema(value_type = Option<String>, pattern = "^(active|paused|disabled)$")]
    pub(crate) status: Option<SourceStatus>,
}

/// A change of a source; what is absent stays, null clears.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceChange {
    /// What people call it.
    #[schema(min_length = 1, max_length = 512)]
    pub(crate) name: Option<String>,
    /// How its third party signs.
    #[schema(value_type = Option<Value>, example = "github")]
    pub(crate) scheme: Option<SchemeChoice>,
    /// The secret, or the public key, of the third party.
    #[schema(value_type = Option<String>, format = Password)]
    pub(crate) secret: Option<Secret>,
    /// The types that become events; null for all.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>, max_items = 256)]
    pub(crate) types: Option<Option<Vec<String>>>,
    /// Where accepted requests are forwarded to.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 2048)]
    pub(crate) forward_url: Option<Option<String>>,
    /// What an accepted request is answered; null leaves it to the scheme.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Reply>)]
    pub(crate) reply: Option<Option<SourceReply>>,
    /// Headers that are kept beside those that the scheme reads, all of them anew.
    #[schema(max_items = 32, example = json!(["x-request-id"]))]
    pub(crate) headers: Option<Vec<String>>,
    /// For how long a request is known when it comes again.
    #[schema(example = "7d")]
    pub(crate) dedupe: Option<String>,
    /// For people.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub(crate) description: Option<Option<String>>,
    /// Whether it takes anything in.
    #[schema(value_type = Option<String>, pattern = "^(active|paused|disabled)$")]
    pub(crate) status: Option<SourceStatus>,
}

/// The answer to an accepted request.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the document's shape of core's SourceReply")]
pub(in crate::api) struct Reply {
    /// The status.
    #[schema(minimum = 200, maximum = 299, example = 200)]
    status: u16,
    /// The body.
    #[schema(max_length = 4096)]
    body: Option<String>,
}

/// Sets what a caller says, but for scheme, secret and forwarding. Its texts are held against the
/// limits by [`check`], after a contract's own, narrower rules.
///
/// # Errors
/// A member that cannot be read.
pub(super) fn apply(
    config: &mut SourceConfig,
    change: &SourceChange,
    limits: &Limits,
) -> Result<(), Refusal> {
    if let Some(name) = &change.name {
        config.name.clone_from(name);
    }
    if let Some(types) = &change.types {
        config.types = patterns(types.as_deref().unwrap_or_default(), limits)?;
    }
    if let Some(reply) = &change.reply {
        config.reply.clone_from(reply);
    }
    if let Some(headers) = &change.headers {
        config.headers = kept_headers(headers)?;
    }
    if let Some(dedupe) = &change.dedupe {
        config.dedupe_seconds = known_for(dedupe)?.as_secs();
    }
    if let Some(description) = &change.description {
        config.description.clone_from(description);
    }
    if let Some(status) = change.status {
        config.status = status;
    }
    Ok(())
}

/// Holds what people read, and the reply, against the limits.
///
/// # Errors
/// The first member that breaks a rule.
pub(super) fn check(config: &SourceConfig, limits: &Limits) -> Result<(), Refusal> {
    check_text("name", Some(&config.name), limits.text_chars)?;
    check_text("description", config.description.as_deref(), limits.description_chars)?;
    check_reply(config.reply.as_ref())
}

impl NewSource {
    /// As the change of a source that has nothing yet.
    pub(super) fn as_change(&self) -> SourceChange {
        SourceChange {
            name: Some(self.name.clone()),
            types: Some(self.types.clone()),
            reply: Some(self.reply.clone()),
            headers: self.headers.clone(),
            dedupe: self.dedupe.clone(),
            description: Some(self.description.clone()),
            status: self.status,
            ..SourceChange::default()
        }
    }
}

/// Reads a span.
///
/// # Errors
/// `invalid_field`, naming the member.
pub(super) fn span(field: &str, text: &str) -> Result<Duration, Refusal> {
    let message = "a whole number and one of s, m, h, d, such as 24h";
    parse_span(text).ok_or_else(|| Refusal::field(Code::InvalidField, field, message))
}

fn known_for(text: &str) -> Result<Duration, Refusal> {
    let known_for = span("dedupe", text)?;
    let message = "between 1m and 90d";
    match DEDUPE.contains(&known_for) {
        true => Ok(known_for),
        false => Err(Refusal::field(Code::InvalidField, "dedupe", message)),
    }
}

fn patterns(types: &[String], limits: &Limits) -> Result<Vec<TypePattern>, Refusal> {
    if types.len() > limits.subscription_types {
        let message = format!("at most {} types", limits.subscription_types);
        return Err(Refusal::field(Code::InvalidSubscription, "types", message));
    }
    let pattern = |(i, text): (usize, &String)| {
        TypePattern::try_new(text, limits).map_err(|refusal| refusal.below(&format!("types[{i}]")))
    };
    types.iter().enumerate().map(pattern).collect()
}

/// Names of headers; those that hold passwords are not kept, whoever asks.
fn kept_headers(names: &[String]) -> Result<Vec<String>, Refusal> {
    let wrong = |i: usize, message: &str| {
        Refusal::field(Code::InvalidHeader, format!("headers[{i}]"), message)
    };
    if names.len() > KEPT_HEADERS {
        let message = format!("at most {KEPT_HEADERS} headers");
        return Err(Refusal::field(Code::TooManyHeaders, "headers", message));
    }
    let name = |(i, name): (usize, &String)| {
        let name: HeaderName =
            name.parse().map_err(|_| wrong(i, "a header's name, such as x-request-id"))?;
        match PASSWORDS.contains(&name.as_str()) {
            true => Err(wrong(i, "it may hold a password, and what is kept can be seen")),
            false => Ok(name.to_string()),
        }
    };
    names.iter().enumerate().map(name).collect()
}

fn check_reply(reply: Option<&SourceReply>) -> Result<(), Refusal> {
    let Some(reply) = reply else { return Ok(()) };
    if !(200..=299).contains(&reply.status) {
        let message = "a status from 200 to 299: any other makes the third party send again";
        return Err(Refusal::field(Code::InvalidField, "reply.status", message));
    }
    if reply.body.len() > REPLY_BYTES {
        let message = format!("a reply has at most {REPLY_BYTES} bytes");
        return Err(Refusal::field(Code::InvalidField, "reply.body", message));
    }
    Ok(())
}
