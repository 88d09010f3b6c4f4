//! What can be done with endpoints, whoever asks: the native API and the contracts' routes call the
//! same functions with the same plain structs, and differ only in how the answer is printed.
//!
//! Changes go through the shard: an answer means committed and applied (design.md, rule 6). The
//! answer is printed before the commit, because its idempotency record is committed with the
//! change.

use super::configure;
use super::form::{EndpointChange, NewEndpoint};
use crate::api::App;
use crate::api::auth::Caller;
use crate::api::idempotency::Idempotency;
use crate::api::json::{Answer, Secret};
use crate::api::problem::{Problem, not_found};
use crate::api::signing_keys::{ensure_tenant_key, new_key, succeed};
use angarium_core::account::Tenant;
use angarium_core::contract::{KeyRule, KeyScope};
use angarium_core::endpoint::{Endpoint, EndpointConfig, EndpointHealth};
use angarium_core::id::{ApiKeyId, EndpointId, EnvironmentNo, TenantNo};
use angarium_core::refusal::{Code, Refusal};
use angarium_core::secret::SecretText;
use angarium_store::read::EndpointRow;
use std::sync::Arc;

/// How often a change is begun anew when the shard made one meanwhile.
const TRIES: usize = 4;

/// An endpoint as an operation found or left it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndpointFacts<'a> {
    /// Its configuration.
    pub(crate) config: &'a EndpointConfig,
    /// What its recent attempts say.
    pub(crate) health: EndpointHealth,
    /// Its secret, where the operation made one; it is shown for the only time.
    pub(crate) secret: Option<&'a SecretText>,
}

/// The endpoints that a caller may see. Any other does not exist: it is answered as one that was
/// never made.
#[derive(Debug)]
pub(crate) struct Endpoints<'a> {
    app: &'a Arc<App>,
    caller: &'a Caller,
    environment: EnvironmentNo,
    tenant: Option<TenantNo>,
    contract: Option<&'a str>,
    made_by: Option<ApiKeyId>,
}

impl<'a> Endpoints<'a> {
    /// Those of the caller's environment and, if the key is bound to one, tenant.
    ///
    /// # Errors
    /// `environment_required`, `environment_not_found`.
    pub(crate) fn of(app: &'a Arc<App>, caller: &'a Caller) -> Result<Self, Refusal> {
        let environment = caller.environment()?.no;
        let tenant = caller.own_tenant().map(|tenant| tenant.no);
        Ok(Self { app, caller, environment, tenant, contract: None, made_by: None })
    }

    /// Of these, those that follow one contract.
    pub(crate) fn following(self, contract: &'a str) -> Self {
        Self { contract: Some(contract), ..self }
    }

    /// Of these, those that the caller's key made (contracts.md, K9).
    pub(crate) fn made_by_caller(self) -> Self {
        Self { made_by: Some(self.caller.key.id), ..self }
    }

    /// The endpoint of this id.
    ///
    /// # Errors
    /// `not_found`, and the store's.
    pub(crate) async fn find(&self, id: &str) -> Result<EndpointRow, Problem> {
        let unknown = || not_found("endpoint");
        let id: EndpointId = id.parse().map_err(|_| unknown())?;
        let row = self.app.store.endpoint(id).await?;
        Ok(row.filter(|row| self.sees(&row.config)).ok_or_else(unknown)?)
    }

    /// All of them, newest first; a tenant has not more than the limit.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn list(&self) -> Result<Vec<EndpointRow>, Problem> {
        let (mut rows, mut before) = (Vec::new(), None);
        loop {
            let (store, most) = (&self.app.store, self.app.limits.page);
            let page = store.endpoints(self.environment, self.tenant, None, before, most).await?;
            rows.extend(page.items.into_iter().filter(|row| self.sees(&row.config)));
            before = match page.next {
                Some(next) => Some(next),
                None => return Ok(rows),
            };
        }
    }

    /// Makes an endpoint; it gets every event that is published after the answer.
    ///
    /// # Errors
    /// What is wrong with `new`, by its member; `too_many_endpoints`; and the store's.
    pub(crate) async fn create(
        &self,
        tenant: &Tenant,
        new: &NewEndpoint,
        idempotency: &Idempotency,
        print: impl FnOnce(&EndpointFacts<'_>) -> Answer,
    ) -> Result<Answer, Problem> {
        let config = configure::new_config(self.app, self.caller, tenant, new)?;
        let endpoint = prepare(self.app, config)?;
        ensure_tenant_key(self.app, tenant, &endpoint.config.contract).await?;
        let answer = print(&EndpointFacts {
            config: &endpoint.config,
            health: EndpointHealth::default(),
            secret: endpoint.config.secrets.keys.first().map(|key| &key.secret),
        });
        let guard = idempotency.keep(&answer);
        let most = self.caller.own_tenant().and(endpoint.contract.rules().max_per_key);
        self.app.runner.create_endpoint(Arc::new(endpoint), most, guard).await?;
        Ok(answer)
    }

    /// Changes what is named; what is absent stays.
    ///
    /// # Errors
    /// What is wrong with `change`, by its member; `not_found`; `conflict`; and the store's.
    pub(crate) async fn change(
        &self,
        id: &str,
        change: &EndpointChange,
        idempotency: &Idempotency,
        print: impl Fn(&EndpointFacts<'_>) -> Answer,
    ) -> Result<Answer, Problem> {
        let apply =
            |config: &mut EndpointConfig| configure::change(config, change, &self.app.limits);
        self.amend(id, idempotency, apply, print).await
    }

    /// Deletes an endpoint: no attempt starts after the answer, what waits is cancelled.
    ///
    /// # Errors
    /// `not_found`, and the store's.
    pub(crate) async fn delete(
        &self,
        id: &str,
        idempotency: &Idempotency,
        answer: Answer,
    ) -> Result<Answer, Problem> {
        let row = self.find(id).await?;
        let guard = idempotency.keep(&answer);
        self.app.runner.delete_endpoint(row.config.tenant, row.no, guard).await?;
        Ok(answer)
    }

    /// Gives an endpoint a new secret: `given`, or one that is made. Deliveries are signed with it
    /// at once; the contract says for how long the old one signs beside it.
    ///
    /// # Errors
    /// `invalid_state` where endpoints have no secrets, `invalid_secret`, and those of
    /// [`Self::change`].
    pub(crate) async fn rotate(
        &self,
        id: &str,
        given: Option<&Secret>,
        idempotency: &Idempotency,
        print: impl Fn(&EndpointFacts<'_>) -> Answer,
    ) -> Result<Answer, Problem> {
        let row = self.find(id).await?;
        let rule = endpoint_rule(self.app, &row.config.contract)?;
        let now = self.app.now();
        let new = new_key(&rule, given, now, &*self.app.entropy)?;
        let secret = new.secret.clone();
        let rotate = |config: &mut EndpointConfig| {
            config.secrets.keys = succeed(&config.secrets.keys, new.clone(), rule.overlap, now);
            Ok(())
        };
        let print = |rotated: &EndpointFacts<'_>| {
            print(&EndpointFacts { secret: Some(&secret), ..*rotated })
        };
        self.amend(id, idempotency, rotate, print).await
    }

    /// Reads an endpoint, changes it, and puts it in its place; anew if the shard changed it
    /// meanwhile.
    ///
    /// # Errors
    /// What `apply` refuses, `not_found`, `conflict`, and the store's.
    pub(crate) async fn amend(
        &self,
        id: &str,
        idempotency: &Idempotency,
        apply: impl Fn(&mut EndpointConfig) -> Result<(), Refusal>,
        print: impl Fn(&EndpointFacts<'_>) -> Answer,
    ) -> Result<Answer, Problem> {
        let app = self.app;
        let _turn = app.turns.turn(&self.find(id).await?.config.id).await;
        for _ in 0..TRIES {
            let mut row = self.find(id).await?;
            row.config.version += 1;
            row.config.updated_at = app.now();
            apply(&mut row.config)?;
            let endpoint = prepare(app, row.config.clone())?;
            row.config = endpoint.config.clone();
            let answer = print(&facts(app, &row));
            let guard = idempotency.keep(&answer);
            match app.runner.replace_endpoint(row.no, Arc::new(endpoint), guard).await {
                Err(Refusal { code: Code::Conflict, .. }) => {}
                done => return done.map(|()| answer).map_err(Problem),
            }
        }
        let message = "others change this endpoint all the time; send it again";
        Err(Refusal::whole(Code::Conflict, message).into())
    }

    fn sees(&self, config: &EndpointConfig) -> bool {
        let tenant = self.app.directory.tenant_by_no(config.tenant);
        tenant.is_some_and(|tenant| tenant.environment == self.environment)
            && self.tenant.is_none_or(|own| own == config.tenant)
            && self.contract.is_none_or(|contract| contract == config.contract)
            && self.made_by.is_none_or(|key| config.made_by == Some(key))
    }
}

/// An endpoint as the store has it, with the health that its shard knows.
pub(crate) fn facts<'a>(app: &App, row: &'a EndpointRow) -> EndpointFacts<'a> {
    let known = app.runner.health(row.config.tenant, row.no);
    let health = known.unwrap_or(row.counters.health);
    EndpointFacts { config: &row.config, health, secret: None }
}

/// Makes an endpoint ready: its URL canonical, its host one that may be dialled.
fn prepare(app: &App, config: EndpointConfig) -> Result<Endpoint, Refusal> {
    let contract = app.contracts.get(&config.contract).ok_or_else(|| {
        let message = format!("there is no contract {:?}", config.contract);
        Refusal::field(Code::UnknownContract, "contract", message)
    })?;
    let contract = Arc::clone(contract);
    let mut endpoint = Endpoint::prepare(config, contract, &app.limits, app.plain_http)?;
    app.addresses.judge_host(&endpoint.destination.host)?;
    endpoint.config.url = endpoint.destination.text.to_string();
    Ok(endpoint)
}

fn endpoint_rule(app: &App, contract: &str) -> Result<KeyRule, Refusal> {
    let rule = app.contracts.get(contract).and_then(|contract| contract.key_rule());
    let message = match rule {
        Some(rule) => match rule.scope {
            KeyScope::Endpoint => return Ok(rule.clone()),
            KeyScope::Tenant => "it is signed with the tenant's key; rotate that",
        },
        None => "its contract does not sign",
    };
    Err(Refusal::whole(Code::InvalidState, message))
}
