//! A client for Angarium's own API: one connection, one call at a time, HTTP/1.1.
//!
//! This is what the commands speak; deliveries never go this way (they leave through the egress
//! module of the server).

mod lines;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::fmt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Where the server is and who calls.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Connection {
    /// Address of the server.
    #[arg(long, env = "ANGARIUM_URL", value_name = "URL", global = true)]
    #[arg(default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// API key.
    #[arg(long, env = "ANGARIUM_KEY", value_name = "KEY", global = true, hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// Environment that an admin key means.
    #[arg(long, env = "ANGARIUM_ENVIRONMENT", value_name = "SLUG", global = true)]
    pub(crate) environment: Option<String>,
}

impl Connection {
    /// The same, for calls that are about the instance.
    pub(crate) fn to_instance(&self) -> Self {
        Self { environment: None, ..self.clone() }
    }
}

/// A call that did not bring what was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The URL is not one of a server.
    #[error("`{url}` is not the address of a server, such as http://127.0.0.1:8080")]
    Url {
        /// As it was given.
        url: String,
    },
    /// No connection.
    #[error("no server answers at {url}; is `angarium serve` running there?")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        source: std::io::Error,
    },
    /// The connection ended within a call.
    #[error("the connection to {url} broke")]
    Broken {
        /// Where.
        url: String,
        /// Why.
        source: hyper::Error,
    },
    /// The answer is not JSON.
    #[error("{url} answered {status} with something that is not JSON; is it Angarium?")]
    Answer {
        /// Where.
        url: String,
        /// With which status.
        status: StatusCode,
    },
    /// The server refused.
    #[error("{0}")]
    Refused(Problem),
}

/// The server's reason for a refusal (RFC 9457).
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub(crate) status: u16,
    /// What programs match on.
    pub(crate) code: String,
    /// The member at fault.
    pub(crate) field: Option<String>,
    /// What is wrong, for people.
    pub(crate) detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        write!(f, "{} ({}, {})", self.detail, self.code, self.status)
    }
}

/// A client with its connection.
pub(crate) struct Client {
    connection: Connection,
    base: Uri,
    live: Option<Live>,
}

struct Live {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Client {
    /// A client that connects with its first call.
    ///
    /// # Errors
    /// The URL is not one of a server.
    pub(crate) fn new(connection: &Connection) -> Result<Self, ClientError> {
        let url = connection.url.trim_end_matches('/');
        let base: Option<Uri> = url.parse().ok();
        let base = base.filter(|uri| uri.scheme_str() == Some("http") && uri.host().is_some());
        Ok(Self {
            base: base.ok_or_else(|| ClientError::Url { url: connection.url.clone() })?,
            connection: connection.clone(),
            live: None,
        })
    }

    /// Asks for something.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) async fn get(&mut self, path: &str) -> Result<Value, ClientError> {
        self.call(Method::GET, path, None).await
    }

    /// Sends a document.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Result<Value, ClientError> {
        let body = Bytes::from(body.to_string());
        self.call(Method::POST, path, Some(body)).await
    }

    /// One call; the answer's JSON, null where it has no body.
    ///
    /// # Errors
    /// [`ClientError`]; statuses from 400 are [`ClientError::Refused`].
    pub(crate) async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Value, ClientError> {
        let request = self.request(method, path, body);
        let (status, body) = self.exchange(request).await?;
        if body.is_empty() && status.is_success() {
            return Ok(Value::Null);
        }
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| self.no_answer(status));
        }
        Err(self.refused(status, &body))
    }

    /// The server's reason, if that is what it sent.
    fn refused(&self, status: StatusCode, body: &[u8]) -> ClientError {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => ClientError::Refused(Problem { status: status.as_u16(), ..problem }),
            Err(_) => self.no_answer(status),
        }
    }

    fn no_answer(&self, status: StatusCode) -> ClientError {
        ClientError::Answer { url: self.connection.url.clone(), status }
    }

    fn broken(&self, source: hyper::Error) -> ClientError {
        ClientError::Broken { url: self.connection.url.clone(), source }
    }

    fn request(&self, method: Method, path: &str, body: Option<Bytes>) -> Request<Full<Bytes>> {
        let prefix = self.base.path().trim_end_matches('/');
        let mut request = Request::new(Full::new(body.clone().unwrap_or_default()));
        *request.method_mut() = method;
        *request.uri_mut() =
            format!("{prefix}{path}").parse().expect("segments and parameters are percent-encoded");
        let headers = request.headers_mut();
        let authority = self.base.authority().map_or("", |a| a.as_str());
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(HOST, authority);
        if let Some(key) = &self.connection.key {
            set(AUTHORIZATION, &format!("Bearer {key}"));
        }
        if let Some(slug) = &self.connection.environment {
            set(HeaderName::from_static("angarium-environment"), slug);
        }
        if body.is_some() {
            set(CONTENT_TYPE, "application/json");
        }
        request
    }

    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let response = self.send(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|source| self.broken(source))?;
        Ok((status, body.to_bytes()))
    }

    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ClientError> {
        let live = match self.live.take() {
            Some(live) if live.sender.is_ready() => live,
            Some(_) | None => self.connect().await?,
        };
        let live = self.live.insert(live);
        let sent = live.sender.send_request(request).await;
        sent.map_err(|source| self.broken(source))
    }

    async fn connect(&self) -> Result<Live, ClientError> {
        let url = || self.connection.url.clone();
        let host = self.base.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = self.base.port_u16().unwrap_or(80);
        #[expect(
            clippy::disallowed_methods,
            reason = "the command line calls its own server; deliveries leave through egress"
        )]
        let stream = TcpStream::connect((host, port))
            .await
            .map_err(|source| ClientError::Unreachable { url: url(), source })?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|source| self.broken(source))?;
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Live { sender, driver })
    }
}

/// A path with its parameters; those without a value are left out.
pub(crate) fn with_query(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut text = path.to_owned();
    for (name, value) in parameters {
        if let Some(value) = value {
            text.push(if text.contains('?') { '&' } else { '?' });
            text.push_str(name);
            text.push('=');
            text.push_str(&segment(value));
        }
    }
    text
}

/// Text as one segment of a path or one value of a query.
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_path_or_query_is_encoded() {
        let path = with_query("/v1/events", &[("tenant", Some("a b/ü")), ("type", None)]);
        assert_eq!(path, "/v1/events?tenant=a%20b%2F%C3%BC");
    }

    #[test]
    fn a_refusal_reads_as_field_reason_code_and_status() {
        let problem: Problem = serde_json::from_str(concat!(
            r#"{"type":"x","title":"t","status":422,"#,
            r#""detail":"no","code":"invalid_url","field":"url"}"#
        ))
        .expect("it is a problem");
        assert_eq!(problem.to_string(), "url: no (invalid_url, 422)");
    }
}
