//! `angarium contract docs`: the page for a platform's customers, as the server serves it.

use super::find;
use crate::output::line;
use angarium_core::contract::page::Page;
use angarium_core::limits::Limits;
use angarium_server::docs;
use anyhow::Context;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Which contracts, and how they are printed.
#[derive(Debug, Args)]
pub(crate) struct Docs {
    /// Built-in contracts by name, or files; several make one page, the first of them leads.
    #[arg(required = true, value_name = "NAME|FILE")]
    contracts: Vec<String>,
    /// The form of the page.
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    format: Format,
    /// The address that the commands on the page call; by default that of a local server's
    /// environment of the contract's name.
    #[arg(long, value_name = "URL", value_parser = base_url)]
    base_url: Option<String>,
    /// Writes the page to this file, not to standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The forms of the page.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Text for any other site.
    Markdown,
    /// One file for a browser, without anything from elsewhere.
    Html,
    /// The management calls, OpenAPI 3.1.
    Openapi,
}

/// Prints the page.
///
/// # Errors
/// There is no such contract, a file is wrong, or the output cannot be written.
pub(super) fn run(docs: &Docs, limits: &Limits) -> anyhow::Result<()> {
    let contracts = docs.contracts.iter().map(|name| find(name, limits));
    let contracts = contracts.collect::<anyhow::Result<Vec<_>>>()?;
    let name = contracts.first().map(|contract| contract.title()).unwrap_or_default();
    let slug = contracts.first().map(|contract| contract.name()).unwrap_or_default();
    let local = || format!("http://localhost:8080/e/{slug}");
    let base_url = docs.base_url.clone().unwrap_or_else(local);
    let page = Page::new(name, &contracts, &base_url, limits);
    let text = match docs.format {
        Format::Markdown => page.markdown(),
        Format::Html => docs::render(&page.markdown(), &page.title(), None).text,
        Format::Openapi => serde_json::to_string_pretty(&page.openapi())? + "\n",
    };
    match &docs.output {
        Some(file) => std::fs::write(file, text)
            .with_context(|| format!("{} cannot be written", file.display())),
        None => {
            line(text.trim_end());
            Ok(())
        }
    }
}

/// An address that can stand in a command without quotes.
fn base_url(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/[]".contains(&byte);
    let has_scheme =
        ["https://", "http://"].iter().any(|s| text.len() > s.len() && text.starts_with(s));
    match has_scheme && text.bytes().all(allowed) {
        true => Ok(text.trim_end_matches('/').to_owned()),
        false => Err("an address is http:// or https:// with host and path".to_owned()),
    }
}
