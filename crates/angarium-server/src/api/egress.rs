//! The `egress` of an environment: where requests may go on its behalf, and by which way.

use super::App;
use super::json::Secret;
use angarium_core::egress::{EgressSettings, WrittenProxy, WrittenSettings};
use angarium_core::refusal::Refusal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where requests may go on behalf of an environment. It narrows what the server was started with,
/// and never widens it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EgressForm {
    /// The only ports; any that a URL may name if absent.
    #[schema(min_items = 1, max_items = 64, example = json!([443, 8443, "1024-65535"]))]
    ports: Option<Vec<PortForm>>,
    /// The only ranges that stay open of those that the server allows (`--allow-cidr`), each
    /// within one of them; all of them if absent.
    #[schema(max_items = 256, example = json!([]))]
    allow_cidrs: Option<Vec<String>>,
    /// Ranges that are closed, whatever else is said.
    #[serde(default)]
    #[schema(max_items = 256, example = json!(["203.0.113.0/24"]))]
    deny_cidrs: Vec<String>,
    /// What every connection goes through.
    proxy: Option<ProxyForm>,
}

/// A port, or a range of them such as `1024-65535`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a port such as 443, or a range such as \"1024-65535\"")]
pub(super) enum PortForm {
    /// One port.
    One(u16),
    /// All from one to another.
    Range(String),
}

/// A proxy. A request goes through it or not at all.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProxyForm {
    /// `http://HOST:PORT` for one that is asked by CONNECT, or `socks5://HOST:PORT`. It may be
    /// private.
    #[schema(example = "http://proxy.example.com:3128")]
    url: String,
    /// The name that the proxy knows us by.
    #[schema(min_length = 1, max_length = 255)]
    username: Option<String>,
    /// The password that goes with the name. It is never shown, so it is sent with every change.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255, write_only)]
    password: Option<Secret>,
    /// Who looks names up: `here` (the default), so that addresses are judged before the proxy
    /// gets one, or `proxy`, which then guards what the names lead to.
    #[schema(value_type = Option<ResolveName>)]
    resolve: Option<String>,
}

/// Who looks names up.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "the names in the document; core reads the text")]
enum ResolveName {
    Here,
    Proxy,
}

/// Where requests may go on behalf of an environment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Egress)]
pub(super) struct EgressView {
    /// The only ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    ports: Option<Vec<PortForm>>,
    /// The only ranges that stay open of those that the server allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_cidrs: Option<Vec<String>>,
    /// Ranges that are closed.
    deny_cidrs: Vec<String>,
    /// What every connection goes through.
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<ProxyView>,
}

/// A proxy, without its password.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Proxy)]
pub(super) struct ProxyView {
    /// How and where it is asked.
    url: String,
    /// The name that it knows us by.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// Who looks names up.
    #[schema(value_type = ResolveName)]
    resolve: &'static str,
}

impl EgressForm {
    /// The settings; those of the server if there is no form.
    ///
    /// # Errors
    /// What is wrong with it, by its member below `egress`.
    pub(super) fn settings(form: Option<&Self>, app: &App) -> Result<EgressSettings, Refusal> {
        let Some(form) = form else { return Ok(EgressSettings::default()) };
        let settings = EgressSettings::try_new(form.written()).and_then(|settings| {
            settings.check_within(&app.directory.server_egress().addresses).map(|()| settings)
        });
        settings.map_err(|refusal| refusal.below("egress"))
    }

    fn written(&self) -> WrittenSettings {
        let proxy = self.proxy.as_ref().map(|proxy| WrittenProxy {
            url: proxy.url.clone(),
            username: proxy.username.clone(),
            password: proxy.password.as_ref().map(|password| password.0.clone()),
            resolve: proxy.resolve.clone(),
        });
        WrittenSettings {
            ports: self.ports.as_ref().map(|ports| ports.iter().map(PortForm::text).collect()),
            allow_cidrs: self.allow_cidrs.clone(),
            deny_cidrs: self.deny_cidrs.clone(),
            proxy,
        }
    }
}

impl PortForm {
    fn text(&self) -> String {
        match self {
            PortForm::One(port) => port.to_string(),
            PortForm::Range(range) => range.clone(),
        }
    }

    fn of(text: String) -> Self {
        text.parse().map_or(PortForm::Range(text), PortForm::One)
    }
}

impl EgressView {
    /// What an environment sets; none if nothing.
    pub(super) fn of(settings: &EgressSettings) -> Option<Self> {
        let is_set = *settings != EgressSettings::default();
        is_set.then(|| Self {
            ports: settings.ports.as_deref().map(|ports| texts(ports).map(PortForm::of).collect()),
            allow_cidrs: settings.allow_cidrs.as_deref().map(|all| texts(all).collect()),
            deny_cidrs: texts(&settings.deny_cidrs).collect(),
            proxy: settings.proxy.as_ref().map(|proxy| ProxyView {
                url: proxy.url(),
                username: proxy.credentials.as_ref().map(|own| own.username.clone()),
                resolve: proxy.resolved_by.as_str(),
            }),
        })
    }
}

fn texts(items: &[impl ToString]) -> impl Iterator<Item = String> {
    items.iter().map(ToString::to_string)
}
