//! What a token endpoint's answer means (RFC 6749, 5.1 and 5.2).
//!
//! The answer is a stranger's, and in it stands a secret: nothing of it is shown but its status and
//! the registered names of its errors.

use crate::outcome::Outcome;
use bytes::Bytes;
use http::HeaderValue;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::time::Duration;
use zeroize::Zeroizing;

/// For so long a token holds whose answer does not say.
const UNSAID: Duration = Duration::from_secs(300);
/// So long at most, whatever its answer says.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// Longest token, in bytes: it goes into a header of every request.
const TOKEN_BYTES: usize = 8 * 1024;
/// What may be told of an error: the names that are registered for it, and no others.
const ERRORS: &[&str] = &[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "server_error",
    "temporarily_unavailable",
];

/// A token as requests carry it: the value of `Authorization`, marked sensitive. Its bytes are
/// wiped when the last copy is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken(HeaderValue);

impl AccessToken {
    /// The value of `Authorization`.
    pub fn authorization(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// A token and how long it holds from when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The token.
    pub token: AccessToken,
    /// How long it holds, at most a day.
    pub lifetime: Duration,
}

/// Why there is no token, in words that its endpoint's owner can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// No answer came.
    #[error("{0}")]
    Unanswered(String),
    /// It answered something else than success.
    #[error("it answered {status}{}", in_brackets(*.error))]
    Refused {
        /// The status.
        status: u16,
        /// The error's registered name.
        error: Option<&'static str>,
    },
    /// It answered 2xx, and the answer is no token.
    #[error("its answer has no access_token (RFC 6749, 5.1)")]
    NoToken,
    /// Its token is for another use than in `Authorization: Bearer`.
    #[error("its token has another token_type than Bearer")]
    OtherType,
    /// Its token cannot stand in a header.
    #[error("its access_token is longer than 8 KiB or has characters that no header may have")]
    Unusable,
}

fn in_brackets(error: Option<&str>) -> String {
    error.map(|name| format!(" ({name})")).unwrap_or_default()
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    access_token: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    token_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    expires_in: Option<Seconds<'a>>,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
}

/// A number, or the text of one: some token endpoints quote it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds<'a> {
    Number(f64),
    Text(#[serde(borrow)] Cow<'a, str>),
    Nonsense(IgnoredAny),
}

/// Reads what came of asking for a token.
///
/// # Errors
/// Why there is none.
pub fn read(outcome: &Outcome, body: &[u8]) -> Result<Granted, TokenFault> {
    let answer = serde_json::from_slice::<Answer<'_>>(body).ok();
    let Outcome::Response { status, .. } = outcome else {
        return Err(TokenFault::Unanswered(outcome.detail().unwrap_or_default()));
    };
    if !(200..300).contains(status) {
        let said = answer.and_then(|answer| answer.error);
        let known = |name: &&str| said.as_deref() == Some(*name);
        let error = ERRORS.iter().copied().find(known);
        return Err(TokenFault::Refused { status: *status, error });
    }
    let answer = answer.ok_or(TokenFault::NoToken)?;
    let token = answer.access_token.as_deref().filter(|token| !token.is_empty());
    let token = token.ok_or(TokenFault::NoToken)?;
    let kind = answer.token_type.as_deref().unwrap_or("Bearer");
    if !kind.eq_ignore_ascii_case("Bearer") {
        return Err(TokenFault::OtherType);
    }
    let token = bearer(token).ok_or(TokenFault::Unusable)?;
    Ok(Granted { token, lifetime: lifetime(answer.expires_in.as_ref()) })
}

fn bearer(token: &str) -> Option<AccessToken> {
    if token.len() > TOKEN_BYTES || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let value = Zeroizing::new([b"Bearer ", token.as_bytes()].concat());
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(value)).ok()?;
    value.set_sensitive(true);
    Some(AccessToken(value))
}

fn lifetime(said: Option<&Seconds<'_>>) -> Duration {
    let seconds = match said {
        None | Some(Seconds::Nonsense(IgnoredAny)) => return UNSAID,
        Some(Seconds::Number(seconds)) => Some(*seconds),
        Some(Seconds::Text(text)) => text.trim().parse::<f64>().ok(),
    };
    match seconds {
        // Some say 0 or less and mean that it does not end.
        Some(seconds) if seconds.is_finite() && seconds > 0.0 => {
            Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64()))
        }
        Some(_) | None => UNSAID,
    }
}
