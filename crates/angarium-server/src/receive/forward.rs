//! Forwarding: the endpoint of a source, kept in step with it.
//!
//! The source says where to forward; the endpoint follows. Its id is chosen with the source, so
//! what a crash leaves between the two commits is found by it, and [`mended`] at the next start. An
//! id serves one endpoint: when that is gone, the source has another.

use crate::api::App;
use crate::api::endpoints::{prepared, prepared_anew};
use crate::api::problem::Problem;
use crate::api::signing_keys::new_key;
use crate::entropy::random;
use angarium_core::audit::{Action, Author, Deed, Place};
use angarium_core::batch::Trace;
use angarium_core::endpoint::{Endpoint, EndpointConfig};
use angarium_core::id::EndpointId;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::secret::{SecretText, SigningKey};
use angarium_core::source::SourceConfig;
use angarium_core::subscription::Subscription;
use angarium_store::AccountChange;
use angarium_store::read::EndpointRow;
use std::sync::Arc;

/// The contract by which a source forwards that was made natively.
const FORWARD: &str = "forward";
/// How often a change is begun anew when the shard made one meanwhile.
const TRIES: usize = 4;

/// Makes, changes or deletes the endpoint as the source says. Answers the new secret that its
/// deliveries are signed with, where one was made.
///
/// # Errors
/// What is wrong with the URL, `too_many_endpoints`, and the store's.
pub(crate) async fn keep_in_step(
    app: &Arc<App>,
    source: &SourceConfig,
    author: &Author,
) -> Result<Option<SecretText>, Problem> {
    let there = app.store.endpoint(source.forward.endpoint).await?;
    match (&source.forward.url, there) {
        (None, None) => Ok(None),
        (None, Some(row)) => delete(app, &row, author).await.map(|()| None),
        (Some(url), None) => create(app, source, url, author).await,
        (Some(url), Some(_)) => follow(app, source, url, author).await.map(|()| None),
    }
}

/// The source as it is when nothing of an earlier change is left half done: an endpoint that it
/// does not want is gone, and one that it wants and has lost will be another.
///
/// # Errors
/// The store's.
pub(crate) async fn mended(app: &Arc<App>, source: &SourceConfig) -> Result<SourceConfig, Problem> {
    let there = app.store.endpoint(source.forward.endpoint).await?;
    match (&source.forward.url, there) {
        (None, None) | (Some(_), Some(_)) => return Ok(source.clone()),
        (None, Some(row)) => delete(app, &row, &Author::SERVER).await?,
        (Some(_), None) => {}
    }
    let mut mended = source.clone();
    mended.forward.endpoint = new_endpoint(app);
    let place = Place::Tenant(mended.tenant);
    let deed = Deed::new(Author::SERVER, Action::SourceUpdate, place, &mended.id);
    app.change(AccountChange::ReplaceSource(mended.clone()), Trace::of(deed)).await?;
    Ok(mended)
}

/// Ends the forwarding of a source that ends.
///
/// # Errors
/// The store's.
pub(crate) async fn end(
    app: &Arc<App>,
    source: &SourceConfig,
    author: &Author,
) -> Result<(), Problem> {
    match app.store.endpoint(source.forward.endpoint).await? {
        Some(row) => delete(app, &row, author).await,
        None => Ok(()),
    }
}

/// What somebody does to the endpoint of a source.
fn does(author: &Author, action: Action, config: &EndpointConfig) -> Deed {
    Deed::new(author.clone(), action, Place::Tenant(config.tenant), &config.id)
}

async fn delete(app: &Arc<App>, row: &EndpointRow, author: &Author) -> Result<(), Problem> {
    let trace = Trace::of(does(author, Action::EndpointDelete, &row.config).removing(&row.config));
    match app.runner.delete_endpoint(row.config.tenant, row.no, trace).await {
        Ok(()) | Err(Refusal { code: Code::NotFound, .. }) => Ok(()),
        Err(refusal) => Err(refusal.into()),
    }
}

/// The URL as it is dialled.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn canonical(app: &App, source: &SourceConfig, url: &str) -> Result<String, Refusal> {
    let (endpoint, _) = endpoint(app, source, url)?;
    Ok(endpoint.config.url)
}

async fn create(
    app: &Arc<App>,
    source: &SourceConfig,
    url: &str,
    author: &Author,
) -> Result<Option<SecretText>, Problem> {
    let (endpoint, made) = endpoint(app, source, url)?;
    let config = &endpoint.config;
    let trace = Trace::of(does(author, Action::EndpointCreate, config).making(config));
    app.runner.create_endpoint(Arc::new(endpoint), None, trace).await?;
    Ok(made)
}

fn endpoint(
    app: &App,
    source: &SourceConfig,
    url: &str,
) -> Result<(Endpoint, Option<SecretText>), Refusal> {
    let (keys, made) = keys(app, source)?;
    let everything = ["*".to_owned()];
    let subjects = vec![source.id.to_string()];
    let mut config = EndpointConfig::new(
        source.forward.endpoint,
        source.tenant,
        contract(source).to_owned(),
        url.to_owned(),
        Subscription::try_new(&everything, Some(subjects), Vec::new(), &app.limits)?,
        app.now(),
    );
    config.name = Some(source.name.clone());
    config.secrets.keys = keys;
    Ok((prepared(app, config).map_err(about_forwarding)?, made))
}

/// Changes the endpoint to what the source says; anew if somebody changed it meanwhile. It takes no
/// turn: its caller has the source's, and turns are shared by chance, so it might wait for itself.
async fn follow(
    app: &Arc<App>,
    source: &SourceConfig,
    url: &str,
    author: &Author,
) -> Result<(), Problem> {
    for _ in 0..TRIES {
        let Some(row) = app.store.endpoint(source.forward.endpoint).await? else {
            return Err(Refusal::whole(Code::Conflict, "its endpoint was just deleted").into());
        };
        let mut wanted = row.config.clone();
        wanted.name = Some(source.name.clone());
        url.clone_into(&mut wanted.url);
        if source.contract.is_some() {
            wanted.secrets.keys.clone_from(&source.keys);
        }
        if wanted == row.config {
            return Ok(());
        }
        wanted.version += 1;
        wanted.updated_at = app.now();
        let endpoint = prepared_anew(app, wanted, &row.config).map_err(about_forwarding)?;
        let changed = does(author, Action::EndpointUpdate, &row.config);
        let trace = Trace::of(changed.changing(&row.config, &endpoint.config));
        match app.runner.replace_endpoint(row.no, Arc::new(endpoint), trace).await {
            Err(Refusal { code: Code::Conflict, .. }) => {}
            done => return done.map_err(Problem),
        }
    }
    Err(Refusal::whole(Code::Conflict, "others change its endpoint all the time").into())
}

/// The contract by which a source forwards: its page's, or Angarium's own.
pub(crate) fn contract(source: &SourceConfig) -> &str {
    source.contract.as_deref().unwrap_or(FORWARD)
}

/// By a contract's page a source forwards with its own secret; else with one that is made for it.
fn keys(
    app: &App,
    source: &SourceConfig,
) -> Result<(Vec<SigningKey>, Option<SecretText>), Refusal> {
    if source.contract.is_some() {
        return Ok((source.keys.clone(), None));
    }
    let rule = app.contracts.get(FORWARD).and_then(|contract| contract.key_rule());
    let Some(rule) = rule else {
        return Ok((Vec::new(), None));
    };
    let key = new_key(rule, None, app.now(), &*app.entropy)?;
    let secret = key.secret.clone();
    Ok((vec![key], Some(secret)))
}

/// A new id for the endpoint of a source that has none.
pub(crate) fn new_endpoint(app: &App) -> EndpointId {
    EndpointId::from_parts(app.now(), random(&*app.entropy))
}

/// The endpoint's URL is the source's `forward_url`.
fn about_forwarding(refusal: Refusal) -> Refusal {
    match refusal.field.as_deref() {
        Some("url") => Refusal { field: Some("forward_url".into()), ..refusal },
        Some(_) | None => refusal,
    }
}
