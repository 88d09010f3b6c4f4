//! What can be done with sources, whoever asks: the native API and the contracts' routes call the
//! same functions, and differ only in how the answer is printed.
//!
//! The source is the truth; the endpoint that forwards for it follows. So an endpoint is made
//! before its source is, and is gone before its source is gone.

use super::form::{self, NewSource, SourceChange};
use crate::api::App;
use crate::api::auth::Caller;
use crate::api::idempotency::Idempotency;
use crate::api::json::{Answer, Secret};
use crate::api::problem::{Problem, not_found};
use crate::entropy::random;
use crate::receive::{canonical_forward, end_forward, keep_in_step, mended, new_endpoint};
use angarium_core::account::Tenant;
use angarium_core::audit::{Action, Author, Deed, Place};
use angarium_core::batch::Trace;
use angarium_core::contract::Contract;
use angarium_core::id::{EnvironmentNo, SigningKeyId, SourceId, TenantNo};
use angarium_core::refusal::{Code, Refusal};
use angarium_core::scheme::Scheme;
use angarium_core::secret::{SecretText, SigningKey};
use angarium_core::source::{
    DEDUPE_SECONDS, Forward, SchemeChoice, Source, SourceConfig, SourceStatus,
};
use angarium_store::AccountChange;
use std::sync::Arc;
use std::time::Duration;

/// Keys that are believed beside the current one, at most.
const RETIRED: usize = 4;

/// The sources that a caller may see. Any other does not exist: it is answered as one that was
/// never made.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    app: &'a Arc<App>,
    caller: &'a Caller,
    environment: EnvironmentNo,
    tenant: Option<TenantNo>,
    contract: Option<&'a str>,
}

/// A source as it is now, with the secrets that are shown for the only time.
#[derive(Debug)]
pub(crate) struct Made<'a> {
    /// The source.
    pub(crate) source: &'a Source,
    /// By which its requests are verified.
    pub(crate) secret: Option<&'a SecretText>,
    /// By which what it forwards is signed.
    pub(crate) forward_secret: Option<&'a SecretText>,
}

impl<'a> Sources<'a> {
    /// Those of the caller's environment and, if the key is bound to one, tenant.
    ///
    /// # Errors
    /// `environment_required`, `environment_not_found`.
    pub(crate) fn of(app: &'a Arc<App>, caller: &'a Caller) -> Result<Self, Refusal> {
        let environment = caller.environment()?.no;
        let tenant = caller.own_tenant().map(|tenant| tenant.no);
        Ok(Self { app, caller, environment, tenant, contract: None })
    }

    /// Of these, those of one contract's page; new ones are of it.
    pub(crate) fn following(self, contract: &'a str) -> Self {
        Self { contract: Some(contract), ..self }
    }

    /// Whose they are.
    pub(crate) fn environment(&self) -> EnvironmentNo {
        self.environment
    }

    /// The source of this id: a TypeID, or the form in which its contract shows it.
    ///
    /// # Errors
    /// `not_found`.
    pub(crate) fn find(&self, id: &str) -> Result<Arc<Source>, Refusal> {
        let mut sources = self.ids(id).into_iter().filter_map(|id| self.app.directory.source(id));
        sources.find(|source| self.sees(source)).ok_or_else(|| not_found("source"))
    }

    /// What a text may mean: a TypeID, or the form of the contracts that are in question.
    fn ids(&self, text: &str) -> Vec<SourceId> {
        let environment = self.app.directory.environment(self.environment);
        let contracts = environment.iter().flat_map(|environment| &environment.contracts);
        let forms = contracts
            .filter(|name| self.contract.is_none_or(|only| only == *name))
            .filter_map(|name| self.app.contracts.get(name)?.api());
        let own = forms.filter_map(|api| api.id.parse(text));
        text.parse().ok().into_iter().chain(own).collect()
    }

    /// Some of them, newest first.
    pub(crate) fn page(
        &self,
        tenant: Option<TenantNo>,
        before: Option<SourceId>,
        limit: usize,
    ) -> Vec<Arc<Source>> {
        let wanted = |source: &Source| {
            self.sees(source) && tenant.is_none_or(|no| no == source.config.tenant)
        };
        self.app.directory.sources(before, limit, wanted)
    }

    /// Makes a source; it takes requests in as soon as this is answered.
    ///
    /// # Errors
    /// What is wrong with `new`, by its member; `too_many_sources`; `too_many_endpoints`; and the
    /// store's.
    pub(crate) async fn create(
        &self,
        tenant: &Tenant,
        new: &NewSource,
        idempotency: &Idempotency,
        print: impl Fn(&Made<'_>) -> Answer,
    ) -> Result<Answer, Problem> {
        let (app, most) = (self.app, self.app.limits.sources_per_tenant);
        let mut config = self.blank(tenant, new.scheme.clone());
        form::apply(&mut config, &new.as_change(), &app.limits)?;
        check_texts(app, &config)?;
        let scheme = scheme(app, &config)?;
        let key = new_key(app, &config, &scheme, new.secret.as_ref())?;
        let secret = key.as_ref().map(|key| key.secret.clone());
        config.keys = key.into_iter().collect();
        config.forward.url = self.checked_url(&config, new.forward_url.as_deref())?;
        let of_tenant = |source: &Source| source.config.tenant == tenant.no;
        if app.directory.sources(None, most, of_tenant).len() >= most {
            return Err(too_many(most).into());
        }
        let author = &self.caller.author();
        let forward_secret = keep_in_step(app, &config, author).await?;
        let source = Source::new(config.clone(), scheme, app.now());
        let answer = print(&Made {
            source: &source,
            secret: secret.as_ref(),
            forward_secret: forward_secret.as_ref(),
        });
        let create = AccountChange::CreateSource(config.clone(), most);
        let made = self.does(Action::SourceCreate, &config).making(&config);
        match app.change(create, idempotency.trace(&answer, made)).await {
            Ok(_) => Ok(answer),
            Err(problem) => {
                end_forward(app, &config, author).await?;
                Err(problem)
            }
        }
    }

    /// Changes what is named; what is absent stays.
    ///
    /// # Errors
    /// What is wrong with `change`, by its member; `not_found`; and the store's.
    pub(crate) async fn change(
        &self,
        id: &str,
        change: &SourceChange,
        idempotency: &Idempotency,
        print: impl Fn(&Made<'_>) -> Answer,
    ) -> Result<Answer, Problem> {
        let app = self.app;
        let _turn = app.turns.turn(&self.find(id)?.config.id).await;
        let before = mended(app, &self.find(id)?.config).await?;
        let mut config = before.clone();
        form::apply(&mut config, change, &app.limits)?;
        if let Some(scheme) = &change.scheme {
            config.scheme.clone_from(scheme);
        }
        check_texts(app, &config)?;
        let scheme = scheme(app, &config)?;
        if let Some(given) = &change.secret {
            config.keys = new_key(app, &config, &scheme, Some(given))?.into_iter().collect();
        }
        for key in &config.keys {
            scheme.check_secret(&key.secret)?;
        }
        if let Some(url) = &change.forward_url {
            config.forward.url = self.checked_url(&config, url.as_deref())?;
        }
        let changed = self.does(Action::SourceUpdate, &config).changing(&before, &config);
        self.put(config, scheme, idempotency, changed, |source, forward_secret| {
            print(&Made { source, secret: None, forward_secret })
        })
        .await
    }

    /// Gives a source a new secret: `given`, or one that is made. What is signed with the old one
    /// is believed for `overlap` more.
    ///
    /// # Errors
    /// `invalid_secret`, and those of [`Self::change`].
    pub(crate) async fn rotate(
        &self,
        id: &str,
        given: Option<&Secret>,
        overlap: Duration,
        idempotency: &Idempotency,
        print: impl Fn(&Made<'_>) -> Answer,
    ) -> Result<Answer, Problem> {
        let app = self.app;
        let _turn = app.turns.turn(&self.find(id)?.config.id).await;
        let source = self.find(id)?;
        let before = mended(app, &source.config).await?;
        let mut config = before.clone();
        let Some(new) = new_key(app, &config, &source.scheme, given)? else {
            return Err(secret_needed(&source.scheme).into());
        };
        let (now, secret) = (app.now(), new.secret.clone());
        let retired = config.keys.into_iter().map(|mut key| {
            if key.retired_at.is_none() {
                key.retired_at = Some(now);
                key.signs_until = (!overlap.is_zero()).then(|| now + overlap);
            }
            key
        });
        let retired = retired.filter(|key| key.signs(now)).take(RETIRED);
        config.keys = std::iter::once(new).chain(retired).collect();
        let scheme = Arc::clone(&source.scheme);
        let rotated = self.does(Action::SourceRotate, &config).changing(&before, &config);
        self.put(config, scheme, idempotency, rotated, |source, forward_secret| {
            print(&Made { source, secret: Some(&secret), forward_secret })
        })
        .await
    }

    /// Deletes a source: nothing is received after the answer.
    ///
    /// # Errors
    /// `not_found`, and the store's.
    pub(crate) async fn delete(
        &self,
        id: &str,
        idempotency: &Idempotency,
        answer: Answer,
    ) -> Result<Answer, Problem> {
        let _turn = self.app.turns.turn(&self.find(id)?.config.id).await;
        let source = self.find(id)?;
        end_forward(self.app, &source.config, &self.caller.author()).await?;
        let delete = AccountChange::DeleteSource(source.config.id);
        let gone = self.does(Action::SourceDelete, &source.config).removing(&*source.config);
        self.app.change(delete, idempotency.trace(&answer, gone)).await?;
        Ok(answer)
    }

    /// Puts a changed source in its place, and its endpoint in step. Where forwarding ends, the
    /// endpoint goes first; another one that is made later has another id.
    async fn put(
        &self,
        mut config: SourceConfig,
        scheme: Arc<Scheme>,
        idempotency: &Idempotency,
        deed: Deed,
        print: impl Fn(&Source, Option<&SecretText>) -> Answer,
    ) -> Result<Answer, Problem> {
        let app = self.app;
        config.updated_at = app.now();
        let forward_secret = keep_in_step(app, &config, &self.caller.author()).await?;
        if config.forward.url.is_none() {
            config.forward.endpoint = new_endpoint(app);
        }
        let source = Source::new(config.clone(), scheme, app.now());
        let answer = print(&source, forward_secret.as_ref());
        let trace = idempotency.trace(&answer, deed);
        app.change(AccountChange::ReplaceSource(config), trace).await?;
        Ok(answer)
    }

    fn does(&self, action: Action, config: &SourceConfig) -> Deed {
        self.caller.does(action, Place::Tenant(config.tenant), &config.id)
    }

    fn blank(&self, tenant: &Tenant, scheme: SchemeChoice) -> SourceConfig {
        let (app, now) = (self.app, self.app.now());
        SourceConfig {
            id: SourceId::from_parts(now, random(&*app.entropy)),
            tenant: tenant.no,
            name: String::new(),
            contract: self.contract.map(str::to_owned),
            scheme,
            types: Vec::new(),
            forward: Forward { endpoint: new_endpoint(app), url: None },
            headers: Vec::new(),
            dedupe_seconds: DEDUPE_SECONDS,
            reply: None,
            description: None,
            status: SourceStatus::Active,
            created_at: now,
            updated_at: now,
            keys: Vec::new(),
        }
    }

    fn checked_url(
        &self,
        config: &SourceConfig,
        url: Option<&str>,
    ) -> Result<Option<String>, Refusal> {
        url.map(|url| canonical_forward(self.app, config, url)).transpose()
    }

    fn sees(&self, source: &Source) -> bool {
        let tenant = self.app.directory.tenant_by_no(source.config.tenant);
        tenant.is_some_and(|tenant| tenant.environment == self.environment)
            && self.tenant.is_none_or(|own| own == source.config.tenant)
            && self.contract.is_none_or(|own| source.config.contract.as_deref() == Some(own))
    }
}

/// Takes the secret that a third party hands over to a source that has none.
///
/// # Errors
/// `conflict` where it has one, `not_found`, and the store's.
pub(crate) async fn take_over_secret(
    app: &Arc<App>,
    id: SourceId,
    secret: SecretText,
) -> Result<(), Problem> {
    let _turn = app.turns.turn(&id).await;
    let source = app.directory.source(id).ok_or_else(|| not_found("source"))?;
    if !source.config.keys.is_empty() {
        return Err(Refusal::whole(Code::Conflict, "the source has a secret").into());
    }
    let mut config = (*source.config).clone();
    config.keys = vec![key_of(app, secret)];
    config.updated_at = app.now();
    let place = Place::Tenant(config.tenant);
    let taken = Deed::new(Author::SERVER, Action::SourceUpdate, place, &id);
    let trace = Trace::of(taken.changing(&*source.config, &config));
    app.change(AccountChange::ReplaceSource(config), trace).await.map(drop)
}

/// A source that is stored, with its scheme.
///
/// # Errors
/// `invalid_field` where there is no such scheme.
pub(crate) fn ready(app: &App, config: SourceConfig) -> Result<Source, Refusal> {
    let scheme = scheme(app, &config)?;
    Ok(Source::new(config, scheme, app.now()))
}

/// The contract on whose page a source is described.
fn contract<'a>(app: &'a App, config: &SourceConfig) -> Option<&'a Contract> {
    app.contracts.get(config.contract.as_deref()?).map(AsRef::as_ref)
}

/// What the contract of a source says of its texts, and what holds for all.
fn check_texts(app: &App, config: &SourceConfig) -> Result<(), Refusal> {
    if let Some(rules) = contract(app, config).map(Contract::sources) {
        rules.name.check("name", Some(&config.name))?;
        rules.description.check("description", config.description.as_deref())?;
        if let SchemeChoice::Named(name) = &config.scheme {
            rules.scheme.check("scheme", Some(name))?;
        }
    }
    form::check(config, &app.limits)
}

fn scheme(app: &App, config: &SourceConfig) -> Result<Arc<Scheme>, Refusal> {
    match &config.scheme {
        SchemeChoice::Named(name) => match contract(app, config) {
            Some(contract) => contract.sources().meant(name, &app.schemes).ok_or_else(|| {
                let message = format!("there is no scheme {name:?} here");
                Refusal::field(Code::InvalidField, "scheme", message)
            }),
            None => app.scheme(name),
        },
        SchemeChoice::Described(described) => {
            let scheme = Scheme::from_json(described);
            let wrong = |reason| Refusal::field(Code::InvalidField, "scheme", reason);
            scheme.map(Arc::new).map_err(wrong)
        }
    }
}

impl App {
    /// A built-in scheme.
    ///
    /// # Errors
    /// `invalid_field`, with the names that there are.
    pub(in crate::api) fn scheme(&self, name: &str) -> Result<Arc<Scheme>, Refusal> {
        self.schemes.get(name).cloned().ok_or_else(|| {
            let names: Vec<_> = self.schemes.iter().map(|scheme| scheme.name()).collect();
            let message = format!("there is no scheme {name:?}; there are {}", names.join(", "));
            Refusal::field(Code::InvalidField, "scheme", message)
        })
    }
}

/// A key of a source: the given one, or a new one where the third party lets us choose, in the form
/// of the contract's keys if the scheme takes that; none where the third party will hand one over.
fn new_key(
    app: &App,
    config: &SourceConfig,
    scheme: &Arc<Scheme>,
    given: Option<&Secret>,
) -> Result<Option<SigningKey>, Refusal> {
    let secret = match given {
        Some(Secret(secret)) => {
            scheme.check_secret(secret)?;
            secret.clone()
        }
        None if scheme.hands_over_its_secret() => return Ok(None),
        None => {
            let random = random(&*app.entropy);
            let rule = contract(app, config).and_then(Contract::key_rule);
            let own = rule.map(|rule| rule.generate_key(&random));
            let own = own.filter(|secret| scheme.check_secret(secret).is_ok());
            let made = own.or_else(|| scheme.new_secret(&random));
            made.ok_or_else(|| secret_needed(scheme))?
        }
    };
    Ok(Some(key_of(app, secret)))
}

fn key_of(app: &App, secret: SecretText) -> SigningKey {
    let now = app.now();
    SigningKey {
        id: SigningKeyId::from_parts(now, random(&*app.entropy)),
        secret,
        created_at: now,
        retired_at: None,
        signs_until: None,
    }
}

fn secret_needed(scheme: &Scheme) -> Refusal {
    let message = format!("{} does not let us choose: give what it has", scheme.title());
    Refusal::field(Code::MissingField, "secret", message)
}

fn too_many(most: usize) -> Refusal {
    let message = format!("a tenant has at most {most} sources");
    Refusal::whole(Code::TooManySources, message)
}
