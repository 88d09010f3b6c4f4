//! OAuth 2.0 client credentials (RFC 6749, 4.4): how a token is asked for, what an answer means,
//! and for how long a token is used. Who asks is elsewhere; nothing here is sent.

mod answer;
mod cache;

pub use answer::{AccessToken, Granted, TokenFault, read};
pub use cache::TokenCache;

use crate::destination::{Destination, Scheme};
use crate::endpoint::PlainHttp;
use crate::limits::Limits;
use crate::refusal::{Code, Refusal};
use crate::request::{AGENT, IDENTITY, OutgoingRequest};
use crate::secret::SecretText;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use url::form_urlencoded::{Serializer, byte_serialize};
use zeroize::Zeroizing;

/// Most scopes of one client.
const MOST_SCOPES: usize = 32;

/// Where the client says who it is (RFC 6749, 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// In `Authorization: Basic`, which every token endpoint has to understand.
    #[default]
    Basic,
    /// In the body.
    Body,
}

impl ClientAuth {
    /// The text in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            ClientAuth::Basic => "basic",
            ClientAuth::Body => "body",
        }
    }
}

/// A client of a token endpoint, as it was configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth2Settings {
    /// The token endpoint; canonical once it is prepared.
    pub token_url: String,
    /// The client's name there.
    pub client_id: String,
    /// What it proves that with.
    pub client_secret: SecretText,
    /// What the token is to allow; empty for what the token endpoint gives by itself.
    pub scopes: Vec<String>,
    /// For whom the token is, where the token endpoint wants to know.
    pub audience: Option<String>,
    /// How the client proves itself.
    pub client_auth: ClientAuth,
}

/// A client of a token endpoint, ready to ask.
#[derive(Debug)]
pub struct OAuth2Client {
    /// As it was configured.
    pub settings: OAuth2Settings,
    /// Its token endpoint, parsed.
    pub destination: Arc<Destination>,
}

impl OAuth2Client {
    /// Checks a configuration and makes it ready.
    ///
    /// # Errors
    /// What is wrong, at its member below `auth`.
    pub fn prepare(
        settings: &OAuth2Settings,
        limits: &Limits,
        plain_http: PlainHttp,
    ) -> Result<Self, Refusal> {
        let destination = Destination::parse(&settings.token_url, limits);
        let destination = destination.map_err(about_token_url)?;
        if destination.scheme == Scheme::Http && plain_http == PlainHttp::Refused {
            let message = "a token endpoint is asked by https; --allow-http opens http";
            return Err(Refusal::field(Code::SchemeNotAllowed, "auth.token_url", message));
        }
        check_text("auth.client_id", &settings.client_id, limits)?;
        check_text("auth.client_secret", settings.client_secret.expose(), limits)?;
        if let Some(audience) = &settings.audience {
            check_text("auth.audience", audience, limits)?;
        }
        check_scopes(&settings.scopes, limits)?;
        let settings =
            OAuth2Settings { token_url: destination.text.to_string(), ..settings.clone() };
        Ok(Self { settings, destination: Arc::new(destination) })
    }

    /// The request for a token (RFC 6749, 4.4.2). Nothing in it is ever recorded.
    pub fn request(&self) -> OutgoingRequest {
        let OAuth2Settings { client_id, client_secret, scopes, audience, client_auth, .. } =
            &self.settings;
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if !scopes.is_empty() {
            form.append_pair("scope", &scopes.join(" "));
        }
        if let Some(audience) = audience {
            form.append_pair("audience", audience);
        }
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(USER_AGENT, AGENT);
        headers.insert(ACCEPT_ENCODING, IDENTITY);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, kind);
        match client_auth {
            ClientAuth::Basic => {
                headers.insert(AUTHORIZATION, basic(client_id, client_secret));
            }
            ClientAuth::Body => {
                form.append_pair("client_id", client_id);
                form.append_pair("client_secret", client_secret.expose());
            }
        }
        let form = Zeroizing::new(form.finish().into_bytes());
        let mut message = http::Request::new(Bytes::from_owner(form));
        *message.method_mut() = Method::POST;
        *message.uri_mut() = Uri::from(self.destination.path_and_query.clone());
        *message.headers_mut() = headers;
        let destination = Arc::clone(&self.destination);
        OutgoingRequest { destination, message, masked_target: None }
    }
}

/// Both parts are form-encoded before they are joined, so that a colon in the name is none between
/// the two (RFC 6749, 2.3.1).
fn basic(client_id: &str, client_secret: &SecretText) -> HeaderValue {
    let mut pair = Zeroizing::new(String::with_capacity(256));
    pair.extend(byte_serialize(client_id.as_bytes()));
    pair.push(':');
    pair.extend(byte_serialize(client_secret.expose().as_bytes()));
    let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())).into_bytes());
    let value = HeaderValue::from_maybe_shared(Bytes::from_owner(value));
    let mut value = value.expect("base64 stands in a header as it is");
    value.set_sensitive(true);
    value
}

/// A refusal of the token endpoint's URL, at its member.
pub fn about_token_url(refusal: Refusal) -> Refusal {
    Refusal { field: Some("auth.token_url".to_owned()), ..refusal }
}

fn check_text(field: &str, text: &str, limits: &Limits) -> Result<(), Refusal> {
    let chars = text.chars().count();
    if (1..=limits.url_bytes).contains(&chars) && !text.contains(char::is_control) {
        return Ok(());
    }
    let message = format!("1 to {} characters, none of them a control character", limits.url_bytes);
    Err(Refusal::field(Code::InvalidField, field, message))
}

/// Scopes are visible ASCII but for `"` and `\` (RFC 6749, 3.3).
fn check_scopes(scopes: &[String], limits: &Limits) -> Result<(), Refusal> {
    if scopes.len() > MOST_SCOPES {
        let message = format!("at most {MOST_SCOPES} scopes");
        return Err(Refusal::field(Code::InvalidField, "auth.scopes", message));
    }
    let may_stand = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let is_scope = |text: &String| {
        (1..=limits.text_chars).contains(&text.len()) && text.bytes().all(may_stand)
    };
    match scopes.iter().position(|scope| !is_scope(scope)) {
        None => Ok(()),
        Some(place) => {
            let message = format!(
                "a scope is 1 to {} visible ASCII characters but \" and \\, without spaces",
                limits.text_chars
            );
            let field = format!("auth.scopes[{place}]");
            Err(Refusal::field(Code::InvalidField, field, message))
        }
    }
}

#[cfg(test)]
mod tests;
