//! Authentication at the receiver and TLS, as a caller says them and as they are shown: with what
//! is public of a certificate, and with no secret.

use crate::api::json::{Secret, Time};
use angarium_core::endpoint::{CertificateFacts, EndpointAuth, TlsSettings};
use angarium_core::oauth2::{ClientAuth, OAuth2Settings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What stands in the place of a secret.
pub(super) const MASK: &str = "***";

/// How requests prove who sends them.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = Auth)]
pub(crate) enum AuthBody {
    /// `Authorization: Basic`.
    Basic {
        /// The user.
        username: String,
        /// The password.
        #[schema(value_type = String, format = Password)]
        password: Secret,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// The token.
        #[schema(value_type = String, format = Password)]
        token: Secret,
    },
    /// A header of the receiver's choice.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        #[schema(value_type = String, format = Password)]
        value: Secret,
    },
    /// A query parameter.
    Query {
        /// Its name.
        name: String,
        /// Its value.
        #[schema(value_type = String, format = Password)]
        value: Secret,
    },
    /// `Authorization: Bearer` with a token of a token endpoint: the client credentials of OAuth
    /// 2.0 (RFC 6749, 4.4).
    #[serde(rename = "oauth2")]
    OAuth2 {
        /// The token endpoint.
        #[schema(max_length = 2048, example = "https://login.example.com/oauth/token")]
        token_url: String,
        /// The client's name there.
        #[schema(min_length = 1, max_length = 2048)]
        client_id: String,
        /// Its secret.
        #[schema(value_type = String, format = Password)]
        client_secret: Secret,
        /// What the token is to allow.
        #[serde(default)]
        #[schema(max_items = 32, example = json!(["hooks.write"]))]
        scopes: Vec<String>,
        /// For whom the token is, where the token endpoint wants to know.
        #[schema(min_length = 1, max_length = 2048)]
        audience: Option<String>,
        /// Where the client says who it is: in a header (`basic`) or in the `body`.
        #[serde(default)]
        #[schema(value_type = String, pattern = "^(basic|body)$", default = "basic")]
        client_auth: ClientAuth,
    },
    /// A client certificate; short for `tls` with `client_certificate` and `private_key`.
    Mtls {
        /// The chain in PEM form, the client's own certificate first.
        #[schema(max_length = 32768)]
        certificate: String,
        /// Its private key in PEM form.
        #[schema(value_type = String, format = Password)]
        private_key: Secret,
    },
}

/// How connections are secured, where that is not left to the server; set whole.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Tls)]
pub(crate) struct TlsBody {
    /// The chain that is shown to the receiver, in PEM form, the client's own certificate first.
    #[schema(max_length = 32768)]
    client_certificate: Option<String>,
    /// Its private key in PEM form.
    #[schema(value_type = Option<String>, format = Password)]
    private_key: Option<Secret>,
    /// The certificates, in PEM form, that vouch for the receiver instead of the public roots.
    #[schema(max_length = 32768)]
    ca: Option<String>,
}

impl From<&AuthBody> for EndpointAuth {
    fn from(body: &AuthBody) -> Self {
        match body.clone() {
            AuthBody::Basic { username, password } => {
                EndpointAuth::Basic { username, password: password.0 }
            }
            AuthBody::Bearer { token } => EndpointAuth::Bearer { token: token.0 },
            AuthBody::Header { name, value } => EndpointAuth::Header { name, value: value.0 },
            AuthBody::Query { name, value } => EndpointAuth::Query { name, value: value.0 },
            AuthBody::OAuth2 {
                token_url,
                client_id,
                client_secret: Secret(client_secret),
                scopes,
                audience,
                client_auth,
            } => EndpointAuth::OAuth2(OAuth2Settings {
                token_url,
                client_id,
                client_secret,
                scopes,
                audience,
                client_auth,
            }),
            AuthBody::Mtls { certificate, private_key } => {
                EndpointAuth::Mtls { certificate, private_key: private_key.0 }
            }
        }
    }
}

impl From<&TlsBody> for TlsSettings {
    fn from(body: &TlsBody) -> Self {
        let TlsBody { client_certificate, private_key, ca } = body.clone();
        Self { client_certificate, private_key: private_key.map(|key| key.0), ca }
    }
}

/// Authentication, masked.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::api) enum AuthView {
    /// `Authorization: Basic`.
    Basic {
        /// The user.
        username: String,
        /// Masked.
        password: &'static str,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// Masked.
        token: &'static str,
    },
    /// A header.
    Header {
        /// Its name.
        name: String,
        /// Masked.
        value: &'static str,
    },
    /// A query parameter.
    Query {
        /// Its name.
        name: String,
        /// Masked.
        value: &'static str,
    },
    /// `Authorization: Bearer` with a token of a token endpoint.
    #[serde(rename = "oauth2")]
    OAuth2 {
        /// The token endpoint.
        token_url: String,
        /// The client's name there.
        client_id: String,
        /// Masked.
        client_secret: &'static str,
        /// What the token is to allow.
        scopes: Vec<String>,
        /// For whom the token is.
        audience: Option<String>,
        /// `basic` or `body`.
        #[schema(example = "basic")]
        client_auth: &'static str,
    },
    /// A client certificate.
    Mtls {
        /// The chain, the client's own certificate first.
        #[schema(inline)]
        certificate: Vec<CertificateView>,
        /// Masked.
        private_key: &'static str,
    },
}

/// TLS of an endpoint's own, masked.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = TlsShown)]
pub(in crate::api) struct TlsView {
    /// The chain that is shown to the receiver, the client's own certificate first.
    client_certificate: Option<Vec<CertificateView>>,
    /// Masked.
    private_key: Option<&'static str>,
    /// The certificates that vouch for the receiver instead of the public roots.
    ca: Option<Vec<CertificateView>>,
}

/// What is public of a certificate.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Certificate)]
pub(in crate::api) struct CertificateView {
    /// To whom it is made out.
    #[schema(example = "CN=hooks.example.com")]
    subject: String,
    /// By whom.
    #[schema(example = "CN=Example Issuing CA")]
    issuer: String,
    /// Until when it holds.
    expires_at: Time,
    /// SHA-256 of it, in hexadecimal.
    #[schema(example = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    sha256: String,
}

impl From<&EndpointAuth> for AuthView {
    fn from(auth: &EndpointAuth) -> Self {
        match auth {
            EndpointAuth::Basic { username, .. } => {
                AuthView::Basic { username: username.clone(), password: MASK }
            }
            EndpointAuth::Bearer { .. } => AuthView::Bearer { token: MASK },
            EndpointAuth::Header { name, .. } => {
                AuthView::Header { name: name.clone(), value: MASK }
            }
            EndpointAuth::Query { name, .. } => AuthView::Query { name: name.clone(), value: MASK },
            EndpointAuth::OAuth2(settings) => AuthView::OAuth2 {
                token_url: settings.token_url.clone(),
                client_id: settings.client_id.clone(),
                client_secret: MASK,
                scopes: settings.scopes.clone(),
                audience: settings.audience.clone(),
                client_auth: settings.client_auth.as_str(),
            },
            EndpointAuth::Mtls { certificate, .. } => {
                AuthView::Mtls { certificate: shown(certificate), private_key: MASK }
            }
        }
    }
}

impl From<&TlsSettings> for TlsView {
    fn from(tls: &TlsSettings) -> Self {
        Self {
            client_certificate: tls.client_certificate.as_deref().map(shown),
            private_key: tls.private_key.as_ref().map(|_| MASK),
            ca: tls.ca.as_deref().map(shown),
        }
    }
}

impl From<CertificateFacts> for CertificateView {
    fn from(facts: CertificateFacts) -> Self {
        Self {
            subject: facts.subject,
            issuer: facts.issuer,
            expires_at: Time(facts.not_after),
            sha256: hex::encode(facts.sha256),
        }
    }
}

fn shown(pem: &str) -> Vec<CertificateView> {
    CertificateFacts::of_pem(pem).into_iter().map(CertificateView::from).collect()
}
