//! `angarium sign` and `angarium verify`: signatures of any scheme and contract, on files and
//! standard input, without a server.

use super::text_of;
use crate::output::Output;
use angarium_core::contract::{Contract, ContractLibrary};
use angarium_core::limits::Limits;
use angarium_core::scheme::{Coverage, Draft, Incoming, Scheme, SchemeLibrary, Verifier};
use angarium_core::secret::SecretText;
use angarium_core::time::Timestamp;
use angarium_server::clock::Clock;
use anyhow::{Context, anyhow, bail, ensure};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What both commands are told.
#[derive(Debug, clap::Args)]
pub(crate) struct Request {
    /// The scheme: its name, or its file (`./my.toml`).
    #[arg(long, value_name = "NAME|FILE", required_unless_present = "contract")]
    scheme: Option<String>,
    /// A contract instead, whose deliveries are meant: its name, or its file.
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "scheme")]
    contract: Option<String>,
    /// The secret, or the public key; `@FILE` reads a file. Several are tried in turn.
    #[arg(long, value_name = "TEXT|@FILE", required = true)]
    secret: Vec<String>,
    /// A header of the request, or `@FILE` with one on each line.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The request's method.
    #[arg(long, default_value = "POST")]
    method: Method,
    /// The URL as the third party knows it; some schemes sign it.
    #[arg(long, value_name = "URL", default_value = "https://localhost/")]
    url: String,
    /// The time of the check (RFC 3339), instead of now.
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// The file with the body, byte for byte; `-` is standard input.
    #[arg(value_name = "BODY", default_value = "-")]
    body: PathBuf,
}

/// Makes a request genuine.
#[derive(Debug, clap::Args)]
pub(crate) struct Sign {
    #[command(flatten)]
    request: Request,
    /// The event's id, where the scheme has one in a header.
    #[arg(long, default_value = "msg_1")]
    id: String,
    #[command(flatten)]
    output: Output,
}

/// Checks whether a request is genuine.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    request: Request,
    #[command(flatten)]
    output: Output,
}

/// Prints what makes the request genuine, a header on each line.
///
/// # Errors
/// It cannot be read, or nothing is signed with such a secret.
pub(crate) fn sign(action: &Sign) -> anyhow::Result<()> {
    let read = action.request.read()?;
    let draft = Draft {
        method: &action.request.method,
        url: &action.request.url,
        headers: &read.headers,
        body: &read.body,
        id: &action.id,
        now: read.now,
    };
    let secret = read.secrets.first().context("a secret is needed")?;
    let signed = read.scheme.sign(secret, draft).map_err(|reason| anyhow!(reason))?;
    let (mut headers, mut lines) = (serde_json::Map::new(), Vec::new());
    for part in signed {
        match part.header {
            Some(name) => {
                lines.push(format!("{name}: {}", part.text));
                headers.insert(name.to_string(), Value::String(part.text));
            }
            None => lines.push(format!("in {}: {}", part.place, part.text)),
        }
    }
    action.output.answer(&json!({ "headers": headers }), &lines.join("\n"));
    Ok(())
}

/// Says whether the request is genuine, and why not.
///
/// # Errors
/// It cannot be read, or it is not genuine.
pub(crate) fn verify(action: &Verify) -> anyhow::Result<()> {
    let request = &action.request;
    let read = request.read()?;
    let coverage = read.scheme.coverage();
    let verifier = Verifier::prepare(read.scheme, &read.secrets);
    let (method, url, headers) = (&request.method, &*request.url, &read.headers);
    let verdict = verifier.verify(Incoming { method, url, headers, body: &read.body }, read.now);
    match verdict {
        Ok(verified) => {
            let told = |what: &str, text: &Option<String>| {
                text.as_ref().map(|text| format!("\n{what}: {text}")).unwrap_or_default()
            };
            let unsigned = match coverage {
                Coverage::Body => "",
                Coverage::NotTheBody => "; the signature does not cover the body",
            };
            let text = format!(
                "valid{unsigned}{}{}",
                told("id", &verified.id),
                told("type", &verified.kind)
            );
            let covers_body = coverage == Coverage::Body;
            let json = json!({ "valid": true, "reason": null, "id": verified.id,
                "type": verified.kind, "covers_body": covers_body });
            action.output.answer(&json, &text);
            Ok(())
        }
        Err(cause) => {
            let json =
                json!({ "valid": false, "reason": cause.to_string(), "cause": cause.code() });
            action.output.answer(&json, "not valid");
            bail!("{cause}")
        }
    }
}

/// What a request is made of, read.
struct Given {
    scheme: Arc<Scheme>,
    secrets: Vec<SecretText>,
    headers: HeaderMap,
    body: Vec<u8>,
    now: Timestamp,
}

impl Request {
    fn read(&self) -> anyhow::Result<Given> {
        let secret = |text: &String| {
            let text = text_of(text)?;
            ensure!(!text.trim().is_empty(), "a secret that is empty proves nothing");
            // A file's last line has an end that is not the secret's.
            Ok(SecretText::new(text.trim_end_matches(['\r', '\n'])))
        };
        let now = match &self.now {
            Some(text) => Timestamp::parse(text)
                .with_context(|| format!("{text:?} is not a time such as 2026-01-31T12:00:00Z"))?,
            None => angarium_server::clock::SystemClock.now(),
        };
        Ok(Given {
            scheme: self.scheme()?,
            secrets: self.secret.iter().map(secret).collect::<anyhow::Result<_>>()?,
            headers: self.headers()?,
            body: body_of(&self.body)?,
            now,
        })
    }

    fn scheme(&self) -> anyhow::Result<Arc<Scheme>> {
        match (&self.scheme, &self.contract) {
            (Some(scheme), _) => scheme_of(scheme),
            (None, Some(contract)) => {
                let contract = contract_of(contract)?;
                let scheme = Scheme::of_contract(&contract).map_err(|reason| anyhow!(reason))?;
                let unsigned = || format!("the contract {} does not sign", contract.name());
                Ok(Arc::new(scheme.with_context(unsigned)?))
            }
            (None, None) => bail!("name a --scheme or a --contract"),
        }
    }

    fn headers(&self) -> anyhow::Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for argument in &self.headers {
            let text = match argument.starts_with('@') {
                true => text_of(argument)?,
                false => argument.clone(),
            };
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                let wrong = || format!("{line:?} is not a header such as \"X-Signature: abc\"");
                let (name, value) = line.split_once(':').with_context(wrong)?;
                let name: HeaderName = name.trim().parse().with_context(wrong)?;
                headers.append(name, HeaderValue::from_str(value.trim()).with_context(wrong)?);
            }
        }
        Ok(headers)
    }
}

fn is_file(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "toml")
}

fn scheme_of(name: &str) -> anyhow::Result<Arc<Scheme>> {
    let mut library = SchemeLibrary::built_in()?;
    if is_file(name) {
        let text =
            std::fs::read_to_string(name).with_context(|| format!("{name} cannot be read"))?;
        return Ok(library.add(name, &text)?);
    }
    let known = || {
        let names: Vec<_> = library.iter().map(|scheme| scheme.name()).collect();
        format!("there is no scheme {name:?}; there are {}", names.join(", "))
    };
    library.get(name).cloned().with_context(known)
}

fn contract_of(name: &str) -> anyhow::Result<Arc<Contract>> {
    let limits = Limits::default();
    let mut library = ContractLibrary::built_in(&limits)?;
    if is_file(name) {
        let text =
            std::fs::read_to_string(name).with_context(|| format!("{name} cannot be read"))?;
        return Ok(library.add(name, &text, &limits)?);
    }
    let known = || {
        let names: Vec<_> = library.iter().map(|contract| contract.name()).collect();
        format!("there is no contract {name:?}; there are {}", names.join(", "))
    };
    library.get(name).cloned().with_context(known)
}

fn body_of(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body).context("standard input cannot be read")?;
        return Ok(body);
    }
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}
