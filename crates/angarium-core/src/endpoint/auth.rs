//! Everything of an endpoint that is secret or stands beside a secret: keys, authentication, custom
//! headers, TLS.

use crate::oauth2::OAuth2Settings;
use crate::secret::{SecretText, SigningKey};

/// How an endpoint's requests prove who sends them; encrypted at rest, secrets never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointAuth {
    /// `Authorization: Basic`.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: SecretText,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// The token.
        token: SecretText,
    },
    /// A header of the receiver's choice.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: SecretText,
    },
    /// A query parameter.
    Query {
        /// Its name.
        name: String,
        /// Its value.
        value: SecretText,
    },
    /// `Authorization: Bearer` with a token that a token endpoint gives out.
    OAuth2(OAuth2Settings),
    /// A client certificate, and nothing in the request itself.
    Mtls {
        /// The chain as PEM, the client's own certificate first.
        certificate: String,
        /// Its private key as PEM.
        private_key: SecretText,
    },
}

impl EndpointAuth {
    /// The `type` in the API.
    pub const fn kind(&self) -> &'static str {
        match self {
            EndpointAuth::Basic { .. } => "basic",
            EndpointAuth::Bearer { .. } => "bearer",
            EndpointAuth::Header { .. } => "header",
            EndpointAuth::Query { .. } => "query",
            EndpointAuth::OAuth2(_) => "oauth2",
            EndpointAuth::Mtls { .. } => "mtls",
        }
    }
}

/// How an endpoint's connections are secured, where that is not left to the server. It stands
/// beside every kind of [`EndpointAuth`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsSettings {
    /// The chain that is shown to the receiver, as PEM, the client's own certificate first.
    pub client_certificate: Option<String>,
    /// Its private key as PEM.
    pub private_key: Option<SecretText>,
    /// The authorities that alone vouch for the receiver, as PEM.
    pub ca: Option<String>,
}

/// Everything of an endpoint that is secret; stored encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointSecrets {
    /// Signing keys, the current one first. Empty where the contract signs per tenant or not at
    /// all.
    pub keys: Vec<SigningKey>,
    /// Authentication at the receiver.
    pub auth: Option<EndpointAuth>,
    /// Custom headers, in the caller's order.
    pub headers: Vec<(String, SecretText)>,
    /// TLS of its own.
    pub tls: Option<TlsSettings>,
}
