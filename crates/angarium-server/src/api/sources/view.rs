//! Sources as they are shown. These types have no place for a secret, but those that are given out
//! once.

use super::operations::Made;
use crate::api::App;
use crate::api::json::Time;
use crate::origin::Origin;
use angarium_core::scheme::Coverage;
use angarium_core::source::{SchemeChoice, Source, SourceReply, SourceStatus};
use angarium_core::subscription::TypePattern;
use angarium_core::time::print_span;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// A source.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Source)]
pub(in crate::api) struct SourceView {
    /// Its id.
    #[schema(example = "src_01kcq0a3f7e8vb6k2m4n5p6q7r")]
    id: String,
    /// The tenant.
    tenant: String,
    /// What people call it.
    name: String,
    /// Where its third party sends.
    #[schema(example = "https://hooks.example.com/in/src_01kcq0a3f7e8vb6k2m4n5p6q7r")]
    receive_url: String,
    /// How its third party signs.
    #[schema(value_type = Value, example = "github")]
    scheme: SchemeChoice,
    /// Whether the signature vouches for the body; if not, anybody on the way may have changed it.
    covers_body: bool,
    /// The types that become events; all if empty.
    types: Vec<String>,
    /// Where accepted requests are forwarded to.
    forward_url: Option<String>,
    /// The endpoint that forwards; its deliveries show what became of each.
    forward_endpoint: Option<String>,
    /// What an accepted request is answered, where that is not the scheme's.
    #[schema(value_type = Option<super::form::Reply>)]
    reply: Option<SourceReply>,
    /// Headers that are kept beside those that the scheme reads.
    headers: Vec<String>,
    /// For how long a request is known when it comes again.
    #[schema(example = "7d")]
    dedupe: String,
    /// For people.
    description: Option<String>,
    /// `active`, `paused` or `disabled`.
    #[schema(value_type = String, example = "active")]
    status: SourceStatus,
    /// The contract on whose page it is described.
    contract: Option<String>,
    /// When it was made.
    created_at: Time,
    /// When it was changed last.
    updated_at: Time,
}

/// A source with its new secrets, shown for the only time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MadeSource)]
pub(in crate::api) struct MadeSourceView {
    /// The rest.
    #[serde(flatten)]
    shown: SourceView,
    /// By which requests are verified; tell it to the third party, unless it told you.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// By which what is forwarded is signed (Standard Webhooks).
    #[serde(skip_serializing_if = "Option::is_none")]
    forward_secret: Option<String>,
}

/// A source for whoever may see it.
pub(super) fn of(app: &App, origin: &Origin, source: &Source) -> SourceView {
    let config = &source.config;
    let tenant = app.directory.tenant_by_no(config.tenant);
    let forwards = config.forward.url.is_some();
    SourceView {
        id: config.id.to_string(),
        tenant: tenant.map(|tenant| tenant.id.clone()).unwrap_or_default(),
        name: config.name.clone(),
        receive_url: format!("{origin}/in/{}", config.id),
        scheme: config.scheme.clone(),
        covers_body: source.scheme.coverage() == Coverage::Body,
        types: config.types.iter().map(TypePattern::as_str).map(str::to_owned).collect(),
        forward_url: config.forward.url.clone(),
        forward_endpoint: forwards.then(|| config.forward.endpoint.to_string()),
        reply: config.reply.clone(),
        headers: config.headers.clone(),
        dedupe: print_span(Duration::from_secs(config.dedupe_seconds)),
        description: config.description.clone(),
        status: config.status,
        contract: config.contract.clone(),
        created_at: Time(config.created_at),
        updated_at: Time(config.updated_at),
    }
}

/// A source with the secrets that were just made.
pub(super) fn made(app: &App, origin: &Origin, made: &Made<'_>) -> MadeSourceView {
    MadeSourceView {
        shown: of(app, origin, made.source),
        secret: made.secret.map(|secret| secret.expose().to_owned()),
        forward_secret: made.forward_secret.map(|secret| secret.expose().to_owned()),
    }
}
