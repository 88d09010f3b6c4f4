//! `/v1/event-types`: the contracts' catalogs, and what an environment adds to them.

use super::auth::Reader;
use super::idempotency::Command;
use super::json::{Answer, Time};
use super::page::{self, ListName, Listed, Query};
use super::problem::Problem;
use super::{App, Named};
use crate::directory::EventTypeEntry;
use angarium_core::account::{Environment, EventTypeConfig, Validation};
use angarium_core::audit::{Action, Place};
use angarium_core::event::EventType;
use angarium_core::refusal::{Code, Refusal};
use angarium_store::AccountChange;
use angarium_store::read::Page;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// How the schema is applied to published data.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Validation)]
pub(super) enum ValidationName {
    /// Not at all.
    #[default]
    Off,
    /// Accepted, and the answer says what is wrong.
    Warn,
    /// Refused.
    Reject,
}

impl From<ValidationName> for Validation {
    fn from(name: ValidationName) -> Self {
        match name {
            ValidationName::Off => Validation::Off,
            ValidationName::Warn => Validation::Warn,
            ValidationName::Reject => Validation::Reject,
        }
    }
}

impl From<Validation> for ValidationName {
    fn from(validation: Validation) -> Self {
        match validation {
            Validation::Off => ValidationName::Off,
            Validation::Warn => ValidationName::Warn,
            Validation::Reject => ValidationName::Reject,
        }
    }
}

/// What an event type is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventTypeBody {
    /// When it happens, for people.
    #[schema(max_length = 2000, example = "An order was paid")]
    description: String,
    /// JSON Schema of the data; it may not refer to other documents.
    #[schema(value_type = Option<Object>, example = json!({"type": "object"}))]
    schema: Option<Value>,
    /// An example of the data.
    #[schema(value_type = Option<Object>, example = json!({"order": 17}))]
    example: Option<Value>,
    /// How the schema is applied.
    #[serde(default)]
    validate: ValidationName,
}

/// An event type.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventType)]
pub(super) struct EventTypeView {
    /// The type.
    #[serde(rename = "type")]
    #[schema(example = "order.paid")]
    kind: String,
    /// When it happens, for people.
    description: String,
    /// JSON Schema of the data.
    #[schema(value_type = Value)]
    schema: Option<Value>,
    /// An example of the data.
    #[schema(value_type = Value)]
    example: Option<Value>,
    /// How the schema is applied.
    validate: ValidationName,
    /// The contract whose catalog has it; null for the environment's own.
    contract: Option<String>,
    /// When it was put; null for a contract's.
    updated_at: Option<Time>,
}

impl From<&EventTypeConfig> for EventTypeView {
    fn from(config: &EventTypeConfig) -> Self {
        Self {
            kind: config.name.clone(),
            description: config.description.clone(),
            schema: config.schema.clone(),
            example: config.example.clone(),
            validate: config.validate.into(),
            contract: None,
            updated_at: Some(Time(config.updated_at)),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventTypesQuery {
    /// Items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// The page before gave it as `next`.
    cursor: Option<String>,
}

/// List event types
///
/// By name: those of the environment's contracts and its own. One that was put takes the place of a
/// contract's.
#[utoipa::path(get, path = "/v1/event-types", tag = "event types", params(EventTypesQuery),
    responses((status = 200, description = "A page", body = Listed<EventTypeView>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(query): Query<EventTypesQuery>,
) -> Result<Json<Listed<EventTypeView>>, Problem> {
    let environment = caller.environment()?;
    let name = ListName(format!("event-types/{}", environment.no));
    let limit = page::limit(query.limit.as_deref(), &app.limits)?;
    let after: Option<String> = name.parse(query.cursor.as_deref())?;
    let mut catalog = catalog(&app, environment);
    let rest = after.map(|after| catalog.split_off(&format!("{after}\0")));
    let mut items: Vec<_> = rest.unwrap_or(catalog).into_values().take(limit + 1).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| last.kind.clone());
    Ok(Json(name.page(Page { items, next }, |view| view)))
}

/// Put an event type
///
/// Beside those of the contract, or in the place of one of them.
#[utoipa::path(put, path = "/v1/event-types/{type}", tag = "event types",
    params(("type" = String, Path, description = "The type",
        pattern = "^[A-Za-z0-9_.:-]{1,128}$")),
    request_body = EventTypeBody,
    responses((status = 200, description = "Put", body = EventTypeView)))]
pub(super) async fn put(
    State(app): State<Arc<App>>,
    Named(kind): Named,
    call: Command<EventTypeBody>,
) -> Result<Answer, Problem> {
    let environment = call.caller.environment()?.no;
    EventType::try_new(&kind, &app.limits)?;
    let body = &call.body;
    if body.description.chars().count() > app.limits.description_chars {
        let message = format!("at most {} characters", app.limits.description_chars);
        return Err(Refusal::field(Code::InvalidField, "description", message).into());
    }
    let config = EventTypeConfig {
        name: kind,
        description: body.description.clone(),
        schema: body.schema.clone(),
        example: body.example.clone(),
        validate: body.validate.into(),
        updated_at: app.now(),
    };
    EventTypeEntry::try_new(config.clone())?;
    let answer = Answer::ok(&EventTypeView::from(&config));
    let _turn = app.turns.turn(&("event type", environment, &config.name)).await;
    let put = call.caller.does(Action::EventTypePut, Place::Environment(environment), &config.name);
    let put = match app.directory.event_type(environment, &config.name) {
        Some(before) => put.changing(&before.config, &config),
        None => put.making(&config),
    };
    app.change(AccountChange::PutEventType(environment, config), call.trace(&answer, put)).await?;
    Ok(answer)
}

/// Every event type of an environment, by name.
fn catalog(app: &App, environment: &Environment) -> BTreeMap<String, EventTypeView> {
    let mut catalog = BTreeMap::new();
    for contract in environment.contracts.iter().filter_map(|name| app.contracts.get(name)) {
        for event in contract.events() {
            let view = EventTypeView {
                kind: event.name.to_string(),
                description: event.description.clone(),
                schema: event.schema.clone(),
                example: serde_json::from_str(&event.example).ok(),
                validate: ValidationName::Off,
                contract: Some(contract.name().to_owned()),
                updated_at: None,
            };
            catalog.entry(view.kind.clone()).or_insert(view);
        }
    }
    for entry in app.directory.event_types(environment.no) {
        catalog.insert(entry.config.name.clone(), EventTypeView::from(&entry.config));
    }
    catalog
}
