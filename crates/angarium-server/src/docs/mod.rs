//! The pages for a platform's customers: everything that its contracts say, made from them.
//!
//! `/docs/{environment}` is the page, with `.md` its text, and `/docs/{environment}/openapi.json`
//! the management calls for programs. Anybody may read them. They say the address under which they
//! were asked for, so every command on them runs as it is.

mod html;

pub use html::{HtmlPage, Links, render};

use crate::api::problem::{Problem, not_found};
use crate::api::{App, Named};
use crate::contract_api::{knows, tag};
use crate::origin::Origin;
use angarium_core::account::Environment;
use angarium_core::contract::page::Page;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::sync::Arc;

/// The one environment name that cannot have a page: `/docs/api` is the native API's own.
pub const TAKEN_SLUG: &str = "api";

/// What a page is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Html,
    /// For people and for other programs' pages.
    Markdown,
    /// The management calls, for programs.
    OpenApi,
}

/// The pages of all environments.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/docs/{environment}", get(page))
        .route("/docs/{environment}/openapi.json", get(openapi))
}

async fn page(
    State(app): State<Arc<App>>,
    Named(name): Named,
    head: Parts,
) -> Result<Response, Problem> {
    match name.strip_suffix(".md") {
        Some(slug) => found(&app, slug, Form::Markdown, &head),
        None => found(&app, &name, Form::Html, &head),
    }
}

async fn openapi(
    State(app): State<Arc<App>>,
    Named(slug): Named,
    head: Parts,
) -> Result<Response, Problem> {
    found(&app, &slug, Form::OpenApi, &head)
}

fn found(app: &App, slug: &str, form: Form, head: &Parts) -> Result<Response, Problem> {
    let environment =
        app.directory.environment_by_slug(slug).ok_or_else(|| not_found("environment"))?;
    answer(app, &environment, form, head)
}

/// The page of one environment, or that the caller has it already.
///
/// # Errors
/// `bad_request` where the request names no host that could stand on the page.
pub fn answer(
    app: &App,
    environment: &Environment,
    form: Form,
    head: &Parts,
) -> Result<Response, Problem> {
    let is_public = |authority: &str| environment.hosts.iter().any(|host| host == authority);
    let origin = Origin::of(&app.outside, head, is_public)?;
    let contracts = environment.contracts.iter().filter_map(|name| app.contracts.get(name));
    let contracts: Vec<_> = contracts.cloned().collect();
    let base_url = origin.base_url(environment);
    let own = app.directory.event_types(environment.no);
    let own: Vec<_> = own.iter().map(|entry| (&entry.config).into()).collect();
    let page = Page::new(&environment.title, &contracts, &base_url, &app.limits).with_events(&own);
    let (content_type, policy, text) = match form {
        Form::Html => {
            let HtmlPage { text, policy } =
                render(&page.markdown(), &page.title(), Some(&Links::of(&environment.slug)));
            ("text/html; charset=utf-8", policy, text)
        }
        Form::Markdown => ("text/markdown; charset=utf-8", String::new(), page.markdown()),
        Form::OpenApi => ("application/json", String::new(), page.openapi().to_string()),
    };
    Ok(with_tag(text, content_type, &policy, &head.headers))
}

/// An answer with an `ETag`; 304 where the caller's is the same.
fn with_tag(text: String, content_type: &'static str, policy: &str, asked: &HeaderMap) -> Response {
    let tag = tag(text.as_bytes());
    let mut response = match knows(asked, &tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => text.into_response(),
    };
    let own = |text: &str| HeaderValue::from_str(text).expect("it is visible ASCII");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::ETAG, own(&tag));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let policy = if policy.is_empty() { "default-src 'none'" } else { policy };
    let policy = format!("{policy}; frame-ancestors 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, own(&policy));
    response
}
