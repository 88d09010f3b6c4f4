//! What can be done with endpoints, whoever asks: the native API and the contracts' routes call the
//! same functions with the same plain structs, and differ only in how the answer is printed.
//!
//! Changes go through the shard: an answer means committed and applied (design.md, rule 6). The
//! answer is printed before the commit, because its idempotency record is committed with the
//! change.

use super::configure::{self, Rules};
use super::form::{EndpointChange, NewEndpoint};
use super::prepare::{prepare, prepared_anew};
use crate::api::App;
use crate::api::auth::Caller;
use crate::api::idempotency::Idempotency;
use crate::api::json::{Answer, Secret};
use crate::api::problem::{Problem, not_found};
use crate::api::signing_keys::{ensure_tenant_key, new_key};
use angarium_core::account::Tenant;
use angarium_core::audit::{Action, Deed, Place};
use angarium_core::contract::api::EndpointFacts;
use angarium_core::contract::{KeyRule, KeyScope};
use angarium_core::endpoint::{EndpointConfig, EndpointHealth, EndpointStatus};
use angarium_core::id::{ApiKeyId, EndpointId, EnvironmentNo, TenantNo};
use angarium_core::refusal::{Code, Refusal};
use angarium_store::read::EndpointRow;
use std::sync::Arc;

/// How often a change is begun anew when the shard made one meanwhile.
const TRIES: usize = 4;

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

    /// The endpoint of this id: a TypeID, or the form in which its contract shows it (contracts.md,
    /// G3).
    ///
    /// # Errors
    /// `not_found`, and the store's.
    pub(crate) async fn find(&self, id: &str) -> Result<EndpointRow, Problem> {
        for id in self.ids(id)? {
            let row = self.app.store.endpoint(id).await?;
            if let Some(row) = row.filter(|row| self.sees(&row.config)) {
                return Ok(row);
            }
        }
        Err(not_found("endpoint").into())
    }

    /// What a text may mean under the contracts that are in question.
    fn ids(&self, text: &str) -> Result<Vec<EndpointId>, Refusal> {
        let contracts = self.caller.environment()?.contracts.iter().map(String::as_str);
        let forms = contracts
            .filter(|name| self.contract.is_none_or(|only| only == *name))
            .filter_map(|name| self.app.contracts.get(name)?.api());
        let mut ids: Vec<_> = text.parse().into_iter().collect();
        for id in forms.filter_map(|api| api.id.parse(text)) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
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
    /// What is wrong with `new`, by its member; `plan_required`; `validation_failed`;
    /// `too_many_endpoints`; and the store's.
    pub(crate) async fn create(
        &self,
        tenant: &Tenant,
        new: &NewEndpoint,
        idempotency: &Idempotency,
        print: impl FnOnce(&EndpointFacts<'_>) -> Answer,
    ) -> Result<Answer, Problem> {
        let config = configure::new_config(self.app, self.caller, tenant, new)?;
        let endpoint = prepare(self.app, config)?;
        self.app.runner.validate(&endpoint).await?;
        ensure_tenant_key(self.app, tenant, &endpoint.config.contract).await?;
        let answer = print(&EndpointFacts {
            config: &endpoint.config,
            health: EndpointHealth::default(),
            secret: endpoint.config.secrets.keys.first().map(|key| &key.secret),
        });
        let config = &endpoint.config;
        let made = self.does(Action::EndpointCreate, config).making(config);
        let trace = idempotency.trace(&answer, made);
        let most = self.caller.own_tenant().and(endpoint.contract.rules().max_per_key);
        self.app.runner.create_endpoint(Arc::new(endpoint), most, trace).await?;
        Ok(answer)
    }

    /// Changes what is named; what is absent stays. A new URL proves itself first.
    ///
    /// # Errors
    /// What is wrong with `change`, by its member; `validation_failed`; `not_found`; `conflict`;
    /// and the store's.
    pub(crate) async fn change(
        &self,
        id: &str,
        change: &EndpointChange,
        idempotency: &Idempotency,
        print: impl Fn(&EndpointFacts<'_>) -> Answer,
    ) -> Result<Answer, Problem> {
        if change.moves() {
            self.find(id).await.and_then(|row| Ok(self.check_is_nobodys(&row.config)?))?;
        }
        let own_types = configure::own_types(self.app, self.environment);
        let apply = |config: &mut EndpointConfig| {
            let contract = configure::contract(self.app, &config.contract)?;
            let rules = Rules { contract, own_types: &own_types, limits: &self.app.limits };
            configure::change(config, change, rules)
        };
        if change.url.is_some() {
            self.validate_changed(id, apply).await?;
        }
        self.amend(id, Action::EndpointUpdate, idempotency, apply, print).await
    }

    /// Validates the URL that a change leads to, if it is another one. No turn is held meanwhile:
    /// a receiver may take its time, and only this call waits for it.
    async fn validate_changed(
        &self,
        id: &str,
        apply: impl Fn(&mut EndpointConfig) -> Result<(), Refusal>,
    ) -> Result<(), Problem> {
        let mut config = self.find(id).await?.config;
        let before = config.url.clone();
        apply(&mut config)?;
        let endpoint = prepare(self.app, config)?;
        if endpoint.config.url != before {
            self.app.runner.validate(&endpoint).await?;
        }
        Ok(())
    }

    /// Deletes an endpoint: no attempt starts after the answer, what waits is cancelled.
    ///
    /// # Errors
    /// `not_found`, `invalid_state` for one that forwards for a source, and the store's.
    pub(crate) async fn delete(
        &self,
        id: &str,
        idempotency: &Idempotency,
        answer: Answer,
    ) -> Result<Answer, Problem> {
        let row = self.find(id).await?;
        self.check_is_nobodys(&row.config)?;
        let deleted = self.does(Action::EndpointDelete, &row.config).removing(&row.config);
        let trace = idempotency.trace(&answer, deleted);
        self.app.runner.delete_endpoint(row.config.tenant, row.no, trace).await?;
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
            config.secrets.keys = rule.succeed(&config.secrets.keys, new.clone(), now);
            Ok(())
        };
        let print = |rotated: &EndpointFacts<'_>| {
            print(&EndpointFacts { secret: Some(&secret), ..*rotated })
        };
        self.amend(id, Action::EndpointRotate, idempotency, rotate, print).await
    }

    /// Reads an endpoint, changes it, and puts it in its place; anew if the shard changed it
    /// meanwhile.
    ///
    /// # Errors
    /// What `apply` refuses, `not_found`, `conflict`, and the store's.
    pub(crate) async fn amend(
        &self,
        id: &str,
        action: Action,
        idempotency: &Idempotency,
        apply: impl Fn(&mut EndpointConfig) -> Result<(), Refusal>,
        print: impl Fn(&EndpointFacts<'_>) -> Answer,
    ) -> Result<Answer, Problem> {
        let app = self.app;
        let _turn = app.turns.turn(&self.find(id).await?.config.id).await;
        for _ in 0..TRIES {
            let mut row = self.find(id).await?;
            let before = row.config.clone();
            row.config.version += 1;
            row.config.updated_at = app.now();
            apply(&mut row.config)?;
            row.config.disabled_at = match row.config.status {
                EndpointStatus::Disabled => row.config.disabled_at.or(Some(app.now())),
                EndpointStatus::Active | EndpointStatus::Paused => None,
            };
            let endpoint = prepared_anew(app, row.config.clone(), &before)?;
            row.config = endpoint.config.clone();
            let answer = print(&facts(app, &row));
            let changed = self.does(action, &before).changing(&before, &row.config);
            let trace = idempotency.trace(&answer, changed);
            match app.runner.replace_endpoint(row.no, Arc::new(endpoint), trace).await {
                Err(Refusal { code: Code::Conflict, .. }) => {}
                done => return done.map(|()| answer).map_err(Problem),
            }
        }
        let message = "others change this endpoint all the time; send it again";
        Err(Refusal::whole(Code::Conflict, message).into())
    }

    fn does(&self, action: Action, config: &EndpointConfig) -> Deed {
        self.caller.does(action, Place::Tenant(config.tenant), &config.id)
    }

    /// An endpoint that forwards for a source follows that alone.
    fn check_is_nobodys(&self, config: &EndpointConfig) -> Result<(), Refusal> {
        let subjects = config.subscription.subjects.iter().flatten();
        let mut sources =
            subjects.filter_map(|subject| self.app.directory.source(subject.parse().ok()?));
        match sources.find(|source| source.config.forward.endpoint == config.id) {
            None => Ok(()),
            Some(source) => {
                let message = format!("it forwards for {}; change that", source.config.id);
                Err(Refusal::whole(Code::InvalidState, message))
            }
        }
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
