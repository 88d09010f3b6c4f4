//! What stands in every request of an endpoint: authentication that is always the same, and custom
//! headers
//! (reliability-security.md, S11). Values are secret: marked sensitive, never shown whole.

use super::{EndpointAuth, EndpointSecrets};
use crate::contract::{Contract, Place};
use crate::limits::Limits;
use crate::refusal::{Code, Refusal};
use crate::secret::SecretText;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use zeroize::Zeroizing;

/// Headers of the connection and of the message's framing, and ours.
const RESERVED: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];
const RESERVED_PREFIXES: &[&str] = &["proxy-", "webhook-", "angarium-"];

/// Whether a header is the connection's, the framing's or ours.
pub(crate) fn is_reserved(name: &HeaderName) -> bool {
    RESERVED.contains(&name.as_str())
        || RESERVED_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
}

/// The headers of authentication and the custom ones.
pub(super) fn headers(
    secrets: &EndpointSecrets,
    contract: &Contract,
    limits: &Limits,
) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    let bytes: usize = secrets.headers.iter().map(|(n, v)| n.len() + v.expose().len()).sum();
    if secrets.headers.len() > limits.endpoint_headers || bytes > limits.endpoint_header_bytes {
        let message = format!(
            "at most {} headers of {} bytes together",
            limits.endpoint_headers, limits.endpoint_header_bytes
        );
        return Err(Refusal::field(Code::TooManyHeaders, "headers", message));
    }
    let auth = auth_header(secrets.auth.as_ref(), contract)?;
    let taken = match (&auth, &secrets.auth) {
        // It comes with each attempt.
        (None, Some(EndpointAuth::OAuth2(_))) => Some(AUTHORIZATION),
        (auth, _) => auth.as_ref().map(|(name, _)| name.clone()),
    };
    let mut made: Vec<_> = auth.into_iter().collect();
    for (name, value) in &secrets.headers {
        let field = format!("headers.{name}");
        let name = check_name(name, &field, contract)?;
        if taken.as_ref() == Some(&name) {
            let message = "`auth` sets this header already";
            return Err(Refusal::field(Code::InvalidHeader, field, message));
        }
        made.push((name, sensitive(value.expose(), &field)?));
    }
    Ok(made)
}

fn auth_header(
    auth: Option<&EndpointAuth>,
    contract: &Contract,
) -> Result<Option<(HeaderName, HeaderValue)>, Refusal> {
    use EndpointAuth::{Mtls, OAuth2, Query};
    Ok(match auth {
        None | Some(Query { .. } | OAuth2(_) | Mtls { .. }) => None,
        Some(EndpointAuth::Basic { username, password }) => {
            if username.contains(':') {
                let message = "a user name has no colon";
                return Err(Refusal::field(Code::InvalidField, "auth.username", message));
            }
            let pair = Zeroizing::new(format!("{username}:{}", password.expose()));
            let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
            Some((AUTHORIZATION, sensitive(&value, "auth")?))
        }
        Some(EndpointAuth::Bearer { token }) => {
            let value = Zeroizing::new(format!("Bearer {}", token.expose()));
            Some((AUTHORIZATION, sensitive(&value, "auth.token")?))
        }
        Some(EndpointAuth::Header { name, value }) => {
            let name = check_name(name, "auth.name", contract)?;
            Some((name, sensitive(value.expose(), "auth.value")?))
        }
    })
}

fn check_name(name: &str, field: &str, contract: &Contract) -> Result<HeaderName, Refusal> {
    let refused = |message: &str| Refusal::field(Code::InvalidHeader, field, message);
    let name = HeaderName::try_from(name)
        .map_err(|_| refused("a header name is a token: letters, digits and !#$%&'*+-.^_`|~"))?;
    let reserved = is_reserved(&name);
    if reserved || contract.header_names().any(|own| *own == name) {
        return Err(refused("this header is set by the gateway or by the contract"));
    }
    Ok(name)
}

fn sensitive(text: &str, field: &str) -> Result<HeaderValue, Refusal> {
    let visible = |b: u8| b == b'\t' || (b' '..=b'~').contains(&b);
    let value = HeaderValue::from_str(text).ok();
    let value = value.filter(|_| text.bytes().all(visible));
    let mut value = value.ok_or_else(|| {
        let message = "a header value is visible ASCII, spaces and tabs";
        Refusal::field(Code::InvalidHeader, field, message)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Static authentication that stands in the query, escaped.
#[derive(Debug)]
pub(crate) struct QueryAuth {
    /// `name=value`.
    pub(crate) sent: SecretText,
    /// `name=***`, for the record.
    pub(crate) shown: Box<str>,
}

impl QueryAuth {
    pub(super) fn prepare(secrets: &EndpointSecrets) -> Result<Option<Self>, Refusal> {
        let Some(EndpointAuth::Query { name, value }) = &secrets.auth else {
            return Ok(None);
        };
        if name.is_empty() {
            let message = "the name of a query parameter";
            return Err(Refusal::field(Code::InvalidField, "auth.name", message));
        }
        let mut sent = String::new();
        Place::Query.push(name, &mut sent);
        let shown = format!("{sent}=***").into();
        sent.push('=');
        Place::Query.push(value.expose(), &mut sent);
        Ok(Some(Self { sent: SecretText::new(sent), shown }))
    }
}
