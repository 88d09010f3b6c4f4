//! The form of an endpoint's secrets that is encrypted at rest: JSON that exists only between here
//! and the cipher.

use super::{EndpointAuth, EndpointSecrets, TlsSettings};
use crate::id::SigningKeyId;
use crate::oauth2::{ClientAuth, OAuth2Settings};
use crate::secret::{SecretText, SigningKey};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

#[derive(Serialize, Deserialize)]
struct Form<'a> {
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    keys: Vec<KeyForm<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    auth: Option<AuthForm<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(Text<'a>, Text<'a>)>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    tls: Option<TlsForm<'a>>,
}

/// Borrowed where the JSON has no escapes.
type Text<'a> = std::borrow::Cow<'a, str>;

#[derive(Serialize, Deserialize)]
struct KeyForm<'a> {
    id: [u8; 16],
    #[serde(borrow)]
    secret: Text<'a>,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retired_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signs_until: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum AuthForm<'a> {
    Basic {
        username: Text<'a>,
        password: Text<'a>,
    },
    Bearer {
        token: Text<'a>,
    },
    Header {
        name: Text<'a>,
        value: Text<'a>,
    },
    Query {
        name: Text<'a>,
        value: Text<'a>,
    },
    #[serde(rename = "oauth2")]
    OAuth2(OAuth2Form<'a>),
    Mtls {
        certificate: Text<'a>,
        private_key: Text<'a>,
    },
}

#[derive(Serialize, Deserialize)]
struct OAuth2Form<'a> {
    token_url: Text<'a>,
    client_id: Text<'a>,
    client_secret: Text<'a>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audience: Option<String>,
    #[serde(default)]
    client_auth: ClientAuth,
}

#[derive(Serialize, Deserialize)]
struct TlsForm<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_certificate: Option<String>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    private_key: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca: Option<String>,
}

impl SigningKey {
    fn form(&self) -> KeyForm<'_> {
        KeyForm {
            id: self.id.to_bytes(),
            secret: self.secret.expose().into(),
            created_at: self.created_at,
            retired_at: self.retired_at,
            signs_until: self.signs_until,
        }
    }

    fn from_form(form: KeyForm<'_>) -> Self {
        Self {
            id: SigningKeyId::from_bytes(form.id),
            secret: SecretText::new(form.secret),
            created_at: form.created_at,
            retired_at: form.retired_at,
            signs_until: form.signs_until,
        }
    }

    /// Keys in the form that is encrypted at rest.
    pub fn to_sealed_form(keys: &[SigningKey]) -> Zeroizing<Vec<u8>> {
        let forms: Vec<_> = keys.iter().map(SigningKey::form).collect();
        Zeroizing::new(serde_json::to_vec(&forms).unwrap_or_default())
    }

    /// Reads keys back.
    ///
    /// # Errors
    /// What is wrong with the stored form, without its content.
    pub fn from_sealed_form(form: &[u8]) -> Result<Vec<SigningKey>, String> {
        let forms: Vec<KeyForm<'_>> = serde_json::from_slice(form).map_err(|e| place(&e))?;
        Ok(forms.into_iter().map(SigningKey::from_form).collect())
    }
}

impl<'a> From<&'a EndpointAuth> for AuthForm<'a> {
    fn from(auth: &'a EndpointAuth) -> Self {
        match auth {
            EndpointAuth::Basic { username, password } => {
                AuthForm::Basic { username: username.into(), password: password.expose().into() }
            }
            EndpointAuth::Bearer { token } => AuthForm::Bearer { token: token.expose().into() },
            EndpointAuth::Header { name, value } => {
                AuthForm::Header { name: name.into(), value: value.expose().into() }
            }
            EndpointAuth::Query { name, value } => {
                AuthForm::Query { name: name.into(), value: value.expose().into() }
            }
            EndpointAuth::OAuth2(settings) => AuthForm::OAuth2(OAuth2Form {
                token_url: (&settings.token_url).into(),
                client_id: (&settings.client_id).into(),
                client_secret: settings.client_secret.expose().into(),
                scopes: settings.scopes.clone(),
                audience: settings.audience.clone(),
                client_auth: settings.client_auth,
            }),
            EndpointAuth::Mtls { certificate, private_key } => AuthForm::Mtls {
                certificate: certificate.into(),
                private_key: private_key.expose().into(),
            },
        }
    }
}

impl From<AuthForm<'_>> for EndpointAuth {
    fn from(form: AuthForm<'_>) -> Self {
        match form {
            AuthForm::Basic { username, password } => {
                EndpointAuth::Basic { username: username.into(), password: secret(password) }
            }
            AuthForm::Bearer { token } => EndpointAuth::Bearer { token: secret(token) },
            AuthForm::Header { name, value } => {
                EndpointAuth::Header { name: name.into(), value: secret(value) }
            }
            AuthForm::Query { name, value } => {
                EndpointAuth::Query { name: name.into(), value: secret(value) }
            }
            AuthForm::OAuth2(form) => EndpointAuth::OAuth2(OAuth2Settings {
                token_url: form.token_url.into(),
                client_id: form.client_id.into(),
                client_secret: secret(form.client_secret),
                scopes: form.scopes,
                audience: form.audience,
                client_auth: form.client_auth,
            }),
            AuthForm::Mtls { certificate, private_key } => EndpointAuth::Mtls {
                certificate: certificate.into(),
                private_key: secret(private_key),
            },
        }
    }
}

impl EndpointSecrets {
    /// The form that is encrypted at rest.
    pub fn to_sealed_form(&self) -> Zeroizing<Vec<u8>> {
        let form = Form {
            keys: self.keys.iter().map(SigningKey::form).collect(),
            auth: self.auth.as_ref().map(AuthForm::from),
            headers: self.headers.iter().map(|(n, v)| (n.into(), v.expose().into())).collect(),
            tls: self.tls.as_ref().map(|tls| TlsForm {
                client_certificate: tls.client_certificate.clone(),
                private_key: tls.private_key.as_ref().map(|key| key.expose().into()),
                ca: tls.ca.clone(),
            }),
        };
        Zeroizing::new(serde_json::to_vec(&form).unwrap_or_default())
    }

    /// Reads the secrets back.
    ///
    /// # Errors
    /// What is wrong with the stored form, without its content.
    pub fn from_sealed_form(form: &[u8]) -> Result<Self, String> {
        let form: Form<'_> = serde_json::from_slice(form).map_err(|e| place(&e))?;
        Ok(Self {
            keys: form.keys.into_iter().map(SigningKey::from_form).collect(),
            auth: form.auth.map(EndpointAuth::from),
            headers: form.headers.into_iter().map(|(n, v)| (n.into(), secret(v))).collect(),
            tls: form.tls.map(|tls| TlsSettings {
                client_certificate: tls.client_certificate,
                private_key: tls.private_key.map(secret),
                ca: tls.ca,
            }),
        })
    }
}

fn secret(text: Text<'_>) -> SecretText {
    SecretText::new(text)
}

/// Where JSON is broken, without quoting it.
fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}
