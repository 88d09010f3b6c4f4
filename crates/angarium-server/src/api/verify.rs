//! `POST /v1/verify`: is a request genuine? By any scheme, or by a contract in use; nothing is
//! stored.

use super::App;
use super::auth::{Caller, Reader};
use super::json::{self, Pairs, Secret};
use super::problem::Problem;
use super::sources::Sources;
use crate::bodies::Sender;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::scheme::{Coverage, Incoming, Scheme, Verifier};
use angarium_core::secret::SecretText;
use angarium_core::time::Timestamp;
use axum::Json;
use axum::extract::{Request, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use utoipa::ToSchema;

/// The URL of a request whose URL is not told; few schemes sign it.
const NO_URL: &str = "https://localhost/";

/// A request as it arrived somewhere.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyBody {
    /// A built-in scheme's name, or a scheme as its file would say it.
    #[schema(value_type = Option<Object>, example = "github")]
    scheme: Option<Value>,
    /// A contract in use, whose deliveries are meant.
    #[schema(example = "standard")]
    contract: Option<String>,
    /// A source, whose scheme and secrets are meant.
    #[schema(example = "src_01kcq0a3f7e8vb6k2m4n5p6q7r")]
    source: Option<String>,
    /// The secret, or the public key; that of the source if absent.
    #[schema(value_type = Option<String>)]
    secret: Option<Secret>,
    /// The headers by name.
    #[schema(value_type = Object)]
    headers: Pairs,
    /// The body, byte for byte.
    body: Option<String>,
    /// The body in base64, where it is not text.
    body_base64: Option<String>,
    /// The method; POST if absent.
    #[schema(example = "POST")]
    method: Option<String>,
    /// The whole URL, where the scheme signs it.
    url: Option<String>,
    /// The time of the check; now if absent.
    #[schema(format = DateTime)]
    now: Option<String>,
}

/// What is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Verification {
    /// Whether it is genuine.
    valid: bool,
    /// Why not, for people.
    reason: Option<String>,
    /// Why not, for programs.
    #[schema(example = "wrong_signature")]
    cause: Option<&'static str>,
    /// The event's id in the third party's words.
    id: Option<String>,
    /// The event's type in the third party's words.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Whether the signature vouches for the body.
    covers_body: bool,
}

/// Verify a request
///
/// By a scheme or by a contract; the answer says what does not fit. Nothing is stored.
#[utoipa::path(post, path = "/v1/verify", tag = "sources", request_body = VerifyBody,
    responses((status = 200, description = "Whether it is genuine", body = Verification)))]
pub(super) async fn verify(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    request: Request,
) -> Result<Json<Verification>, Problem> {
    let (parts, body) = request.into_parts();
    let body = app.bodies.read(body, app.limits.body_bytes, Sender::Known).await?;
    json::check_content_type(&parts.headers, &body)?;
    let asked: VerifyBody = json::parse(&body, &app.limits)?;
    Ok(Json(asked.answer(&app, &caller)?))
}

impl VerifyBody {
    fn answer(&self, app: &Arc<App>, caller: &Caller) -> Result<Verification, Refusal> {
        let verifier = self.verifier(app, caller)?;
        let coverage = verifier.scheme().coverage();
        let (method, headers, body) = (self.method()?, self.headers()?, self.body()?);
        let url = self.url.as_deref().unwrap_or(NO_URL);
        let incoming = Incoming { method: &method, url, headers: &headers, body: &body };
        let verdict = verifier.verify(incoming, self.now(app)?);
        let (reason, cause) = match &verdict {
            Ok(_) => (None, None),
            Err(cause) => (Some(cause.to_string()), Some(cause.code())),
        };
        let verified = verdict.ok();
        Ok(Verification {
            valid: verified.is_some(),
            reason,
            cause,
            id: verified.as_ref().and_then(|verified| verified.id.clone()),
            kind: verified.and_then(|verified| verified.kind),
            covers_body: coverage == Coverage::Body,
        })
    }

    fn verifier(&self, app: &Arc<App>, caller: &Caller) -> Result<Arc<Verifier>, Refusal> {
        let secret = self.secret.as_ref().map(|secret| secret.0.clone());
        let secret = secret.filter(|secret: &SecretText| !secret.expose().is_empty());
        let source = match &self.source {
            Some(id) => Some(Sources::of(app, caller)?.find(id)?),
            None => None,
        };
        let scheme = match &source {
            Some(source) if self.scheme.is_none() && self.contract.is_none() => {
                Arc::clone(&source.scheme)
            }
            Some(_) => return Err(one_is_needed()),
            None => self.scheme(app)?,
        };
        match (secret, source) {
            (Some(secret), _) => Ok(Arc::new(Verifier::prepare(scheme, &[secret]))),
            (None, Some(source)) => Ok(source.verifier(app.now())),
            (None, None) => {
                let message = "a secret or a public key is needed";
                Err(Refusal::field(Code::MissingField, "secret", message))
            }
        }
    }

    fn scheme(&self, app: &App) -> Result<Arc<Scheme>, Refusal> {
        match (&self.scheme, &self.contract) {
            (Some(Value::String(name)), None) => app.scheme(name),
            (Some(described), None) => {
                let scheme = Scheme::from_json(described);
                let wrong = |reason| Refusal::field(Code::InvalidField, "scheme", reason);
                scheme.map(Arc::new).map_err(wrong)
            }
            (None, Some(name)) => {
                let wrong = |reason: String| Refusal::field(Code::InvalidField, "contract", reason);
                let contract = app.contracts.get(name);
                let contract =
                    contract.ok_or_else(|| wrong(format!("there is no contract {name:?}")))?;
                let scheme = Scheme::of_contract(contract).map_err(wrong)?;
                let scheme = scheme.ok_or_else(|| wrong(format!("{name} does not sign")))?;
                Ok(Arc::new(scheme))
            }
            (None, None) | (Some(_), Some(_)) => Err(one_is_needed()),
        }
    }

    fn method(&self) -> Result<Method, Refusal> {
        let method = self.method.as_deref().unwrap_or("POST");
        method.parse().map_err(|_| {
            Refusal::field(Code::InvalidField, "method", format!("{method:?} is not a method"))
        })
    }

    fn headers(&self) -> Result<HeaderMap, Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers.0 {
            let wrong = || {
                let message = format!("{name:?} with its value is not a header");
                Refusal::field(Code::InvalidField, "headers", message)
            };
            let header: HeaderName = name.parse().map_err(|_| wrong())?;
            headers.append(header, HeaderValue::from_str(value).map_err(|_| wrong())?);
        }
        Ok(headers)
    }

    fn body(&self) -> Result<Vec<u8>, Refusal> {
        match (&self.body, &self.body_base64) {
            (Some(text), None) => Ok(text.clone().into_bytes()),
            (None, Some(text)) => STANDARD.decode(text).map_err(|_| {
                Refusal::field(Code::InvalidField, "body_base64", "this is not base64")
            }),
            (None, None) => Ok(Vec::new()),
            (Some(_), Some(_)) => {
                let message = "one of `body` and `body_base64` is enough";
                Err(Refusal::field(Code::InvalidField, "body_base64", message))
            }
        }
    }

    fn now(&self, app: &App) -> Result<Timestamp, Refusal> {
        let Some(text) = &self.now else { return Ok(app.clock.wall()) };
        Timestamp::parse(text).ok_or_else(|| {
            let message = "a time is RFC 3339, such as 2026-01-31T12:00:00Z";
            Refusal::field(Code::InvalidField, "now", message)
        })
    }
}

fn one_is_needed() -> Refusal {
    let message = "exactly one of `source`, `scheme` and `contract` is needed";
    Refusal::field(Code::MissingField, "scheme", message)
}
