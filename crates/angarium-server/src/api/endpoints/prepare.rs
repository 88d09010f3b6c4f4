//! Endpoints made ready, and what is judged of them when they are made and changed.

use super::configure;
use crate::api::App;
use angarium_core::endpoint::{Endpoint, EndpointAuth, EndpointConfig};
use angarium_core::oauth2::about_token_url;
use angarium_core::refusal::Refusal;
use std::sync::Arc;

/// Makes an endpoint ready: its URLs canonical, their ports and hosts such as may be dialled, its
/// certificate one that holds.
///
/// # Errors
/// What is wrong with it, by its member.
pub(crate) fn prepare(app: &App, config: EndpointConfig) -> Result<Endpoint, Refusal> {
    let endpoint = ready(app, config)?;
    judge(app, &endpoint)?;
    judge_token_url(app, &endpoint)?;
    check_dates(app, &endpoint)?;
    Ok(endpoint)
}

/// The same, in the place of one that is there. One whose URL was closed after it was made, or
/// whose certificate ended, can still be paused, and changed: only what is new is judged.
///
/// # Errors
/// Those of [`prepared`].
pub(crate) fn prepared_anew(
    app: &App,
    config: EndpointConfig,
    before: &EndpointConfig,
) -> Result<Endpoint, Refusal> {
    let endpoint = ready(app, config)?;
    let (secrets, secrets_before) = (&endpoint.config.secrets, &before.secrets);
    if endpoint.config.url != before.url {
        judge(app, &endpoint)?;
    }
    if secrets.auth != secrets_before.auth {
        judge_token_url(app, &endpoint)?;
    }
    if secrets.auth != secrets_before.auth || secrets.tls != secrets_before.tls {
        check_dates(app, &endpoint)?;
    }
    Ok(endpoint)
}

fn ready(app: &App, config: EndpointConfig) -> Result<Endpoint, Refusal> {
    let contract = Arc::clone(configure::contract(app, &config.contract)?);
    let mut endpoint = Endpoint::prepare(config, contract, &app.limits, app.plain_http)?;
    endpoint.config.url = endpoint.destination.text.to_string();
    if let Some(client) = &endpoint.oauth2 {
        endpoint.config.secrets.auth = Some(EndpointAuth::OAuth2(client.settings.clone()));
    }
    Ok(endpoint)
}

/// Judges what an endpoint's URL says by itself, by the policy of its tenant's environment.
fn judge(app: &App, endpoint: &Endpoint) -> Result<(), Refusal> {
    app.directory.egress_of(endpoint.config.tenant).judge(&endpoint.destination)
}

/// Judges the token endpoint's URL in the same way.
fn judge_token_url(app: &App, endpoint: &Endpoint) -> Result<(), Refusal> {
    let Some(client) = &endpoint.oauth2 else { return Ok(()) };
    let policy = app.directory.egress_of(endpoint.config.tenant);
    policy.judge(&client.destination).map_err(about_token_url)
}

fn check_dates(app: &App, endpoint: &Endpoint) -> Result<(), Refusal> {
    endpoint.tls.as_ref().map_or(Ok(()), |tls| tls.check_dates(app.clock.wall()))
}
