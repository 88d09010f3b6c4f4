//! How an endpoint's requests prove who sends them. Secrets come from files and from standard
//! input, not from the command line, which every process of the machine can read.

use crate::commands::{document, text_of};
use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// OAuth 2.0 client credentials, and TLS of the endpoint's own.
#[derive(Debug, Args)]
pub(super) struct Credentials {
    /// Token endpoint whose tokens its requests carry (OAuth 2.0 client credentials).
    #[arg(long, value_name = "URL", requires_all = ["oauth2_client_id", "oauth2_client_secret"])]
    oauth2_token_url: Option<String>,
    /// The client's name at the token endpoint.
    #[arg(long, value_name = "ID", requires = "oauth2_token_url")]
    oauth2_client_id: Option<String>,
    /// The client's secret: `@FILE`, or `-` for standard input.
    #[arg(long, value_name = "@FILE|-", requires = "oauth2_token_url")]
    oauth2_client_secret: Option<String>,
    /// What the token is to allow, separated by commas.
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', requires = "oauth2_token_url")]
    oauth2_scope: Vec<String>,
    /// For whom the token is, where the token endpoint wants to know.
    #[arg(long, value_name = "TEXT", requires = "oauth2_token_url")]
    oauth2_audience: Option<String>,
    /// Where the client says who it is: in a header (`basic`) or in the `body`.
    #[arg(long, value_name = "WHERE", value_parser = ["basic", "body"])]
    #[arg(requires = "oauth2_token_url")]
    oauth2_client_auth: Option<String>,
    /// PEM file with the client certificate that is shown to the receiver, then its issuers.
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// PEM file with its private key; `-` for standard input.
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// PEM file with the certificates that vouch for the receiver instead of the public roots.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Credentials {
    /// The members of the API that are said here.
    pub(super) fn members(self) -> anyhow::Result<Map<String, Value>> {
        let secret = self.oauth2_client_secret.as_deref();
        if secret == Some("-") && self.client_key.as_deref() == Some(Path::new("-")) {
            bail!("only one of --oauth2-client-secret and --client-key can be standard input");
        }
        let tls = document([
            ("client_certificate", self.client_cert.as_deref().map(pem).transpose()?),
            ("private_key", self.client_key.as_deref().map(pem).transpose()?),
            ("ca", self.ca.as_deref().map(pem).transpose()?),
        ]);
        let auth = document([
            ("token_url", self.oauth2_token_url.map(Value::String)),
            ("client_id", self.oauth2_client_id.map(Value::String)),
            ("client_secret", secret.map(secret_of).transpose()?),
            ("scopes", (!self.oauth2_scope.is_empty()).then(|| json!(self.oauth2_scope))),
            ("audience", self.oauth2_audience.map(Value::String)),
            ("client_auth", self.oauth2_client_auth.map(Value::String)),
        ]);
        let auth = (!auth.is_empty()).then(|| {
            let mut typed = document([("type", Some(json!("oauth2")))]);
            typed.extend(auth);
            Value::Object(typed)
        });
        let tls = (!tls.is_empty()).then_some(Value::Object(tls));
        Ok(document([("auth", auth), ("tls", tls)]))
    }
}

fn secret_of(argument: &str) -> anyhow::Result<Value> {
    if argument != "-" && !argument.starts_with('@') {
        bail!("--oauth2-client-secret is read from a file (@FILE) or from standard input (-)");
    }
    Ok(json!(text_of(argument)?.trim_end()))
}

fn pem(path: &Path) -> anyhow::Result<Value> {
    if path == Path::new("-") {
        return Ok(Value::String(text_of("-")?));
    }
    let text = std::fs::read_to_string(path);
    Ok(Value::String(text.with_context(|| format!("{} cannot be read", path.display()))?))
}
