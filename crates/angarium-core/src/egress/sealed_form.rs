//! The form in which settings are encrypted at rest, whole: a proxy has a password, and no bit of
//! the rest may change unseen.

use super::{EgressSettings, WrittenProxy, WrittenSettings};
use crate::secret::SecretText;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use zeroize::Zeroizing;

#[derive(Serialize, Deserialize)]
struct Form<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ports: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    allow_cidrs: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deny_cidrs: Vec<String>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    proxy: Option<ProxyForm<'a>>,
}

#[derive(Serialize, Deserialize)]
struct ProxyForm<'a> {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// Borrowed where the JSON has no escapes.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    password: Option<Cow<'a, str>>,
    resolve: String,
}

impl EgressSettings {
    /// The form that is encrypted at rest.
    pub fn to_sealed_form(&self) -> Zeroizing<Vec<u8>> {
        let proxy = self.proxy.as_ref().map(|proxy| ProxyForm {
            url: proxy.url(),
            username: proxy.credentials.as_ref().map(|own| own.username.clone()),
            password: proxy.credentials.as_ref().map(|own| own.password.expose().into()),
            resolve: proxy.resolved_by.as_str().to_owned(),
        });
        let form = Form {
            ports: self.ports.as_deref().map(texts),
            allow_cidrs: self.allow_cidrs.as_deref().map(texts),
            deny_cidrs: texts(&self.deny_cidrs),
            proxy,
        };
        Zeroizing::new(serde_json::to_vec(&form).unwrap_or_default())
    }

    /// Reads the settings back.
    ///
    /// # Errors
    /// What is wrong with the stored form, without its content.
    pub fn from_sealed_form(form: &[u8]) -> Result<Self, String> {
        let form: Form<'_> = serde_json::from_slice(form)
            .map_err(|e| format!("line {}, column {}", e.line(), e.column()))?;
        let proxy = form.proxy.map(|proxy| WrittenProxy {
            url: proxy.url,
            username: proxy.username,
            password: proxy.password.map(SecretText::new),
            resolve: Some(proxy.resolve),
        });
        let written = WrittenSettings {
            ports: form.ports,
            allow_cidrs: form.allow_cidrs,
            deny_cidrs: form.deny_cidrs,
            proxy,
        };
        Self::try_new(written).map_err(|refusal| refusal.to_string())
    }
}

fn texts(items: &[impl ToString]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}
