//! The form of an endpoint's secrets that is encrypted at rest: JSON that exists only between here
//! and the cipher.

use super::{EndpointSecrets, SigningKeyId, StaticAuth};
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
    Basic { username: Text<'a>, password: Text<'a> },
    Bearer { token: Text<'a> },
    Header { name: Text<'a>, value: Text<'a> },
    Query { name: Text<'a>, value: Text<'a> },
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

impl EndpointSecrets {
    /// The form that is encrypted at rest.
    pub fn to_sealed_form(&self) -> Zeroizing<Vec<u8>> {
        let auth = self.auth.as_ref().map(|auth| match auth {
            StaticAuth::Basic { username, password } => {
                AuthForm::Basic { username: username.into(), password: password.expose().into() }
            }
            StaticAuth::Bearer { token } => AuthForm::Bearer { token: token.expose().into() },
            StaticAuth::Header { name, value } => {
                AuthForm::Header { name: name.into(), value: value.expose().into() }
            }
            StaticAuth::Query { name, value } => {
                AuthForm::Query { name: name.into(), value: value.expose().into() }
            }
        });
        let headers = self.headers.iter().map(|(n, v)| (n.into(), v.expose().into())).collect();
        let keys = self.keys.iter().map(SigningKey::form).collect();
        Zeroizing::new(serde_json::to_vec(&Form { keys, auth, headers }).unwrap_or_default())
    }

    /// Reads the secrets back.
    ///
    /// # Errors
    /// What is wrong with the stored form, without its content.
    pub fn from_sealed_form(form: &[u8]) -> Result<Self, String> {
        let form: Form<'_> = serde_json::from_slice(form).map_err(|e| place(&e))?;
        let secret = |text: Text<'_>| SecretText::new(text);
        let auth = form.auth.map(|auth| match auth {
            AuthForm::Basic { username, password } => {
                StaticAuth::Basic { username: username.into(), password: secret(password) }
            }
            AuthForm::Bearer { token } => StaticAuth::Bearer { token: secret(token) },
            AuthForm::Header { name, value } => {
                StaticAuth::Header { name: name.into(), value: secret(value) }
            }
            AuthForm::Query { name, value } => {
                StaticAuth::Query { name: name.into(), value: secret(value) }
            }
        });
        Ok(Self {
            keys: form.keys.into_iter().map(SigningKey::from_form).collect(),
            auth,
            headers: form.headers.into_iter().map(|(n, v)| (n.into(), secret(v))).collect(),
        })
    }
}

/// Where JSON is broken, without quoting it.
fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}
