//! The file's grammar: which sections and keys there are, and what each may say.

mod api;
mod delivery;
mod health;
mod lines;
mod request;
mod rules;
mod signing;
mod sources;

use self::api::read_api;
use self::delivery::{Delivery, read_delivery};
use self::health::read_health;
use self::request::read_request;
use self::rules::{read_endpoint, read_plans};
use self::signing::read_keys;
use self::sources::read_sources;
use super::{Contract, EventDescription, SourceRules, TIMEOUTS};
use crate::declared::{Fault, Item, Mistakes, Read, Section, Source, each, read_span, together};
use crate::event::EventType;
use crate::limits::Limits;
use std::time::Duration;

impl Contract {
    /// Reads and compiles a contract. `file` names it in errors.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line, its reason and its cure.
    pub fn parse(file: &str, text: &str, limits: &Limits) -> Result<Self, Mistakes> {
        let top = Source::parse(&lines::CONTRACT, file, text)?;
        let mut contract = read_contract(top, limits).map_err(Mistakes::settled)?;
        (contract.file, contract.text) = (file.into(), text.into());
        Ok(contract)
    }
}

fn read_contract(mut top: Section<'_>, limits: &Limits) -> Read<Contract> {
    let name = top.read("contract", |item| read_name(&item));
    let title = top.read("title", Item::into_text);
    let description = top.read_optional("description", Item::into_text);
    let plans = top.read_optional("plans", read_plans);
    let events = top.read("events", |item| read_events(item.section()?, limits));
    let (request, signatures) = match top.read("request", Item::section) {
        Ok(section) => read_request(section),
        Err(mistakes) => (Err(mistakes), Ok(Vec::new())),
    };
    let keys = match (top.take("keys"), &signatures) {
        (Some(item), signatures) => read_keys(item, signatures.as_deref().ok()).map(Some),
        (None, Ok(signatures)) if !signatures.is_empty() => {
            let reason = "`keys` is missing: it says who has the key that signs";
            Err(top.missing_because("keys", reason.into()))
        }
        (None, _) => Ok(None),
    };
    let delivery = top.read("delivery", |item| read_delivery(item.section()?, limits));
    let health = top.read_optional("health", |item| read_health(item.section()?));
    let rules = top.read("endpoint", |item| {
        let plans = plans.as_ref().map(|plans| plans.as_deref().unwrap_or_default());
        read_endpoint(item.section()?, plans.ok(), limits)
    });
    let sources = top.read_optional("sources", |item| read_sources(item.section()?, limits));
    let api = top.read_optional("api", |item| read_api(item.section()?));
    let about = together((name, title, description, plans, events));
    let sent = together((request, signatures, keys, delivery));
    let (about, sent, health, rules, sources, api, ()) =
        together((about, sent, health, rules, sources, api, top.finish()))?;
    let (name, title, description, plans, events) = about;
    let plans = plans.unwrap_or_default();
    let (request, signatures, keys, delivery) = sent;
    let Delivery { timeout, retry, retry_after, gone, ordering, after_dead_letter, breaker } =
        delivery;
    let health = health.unwrap_or_default();
    Ok(Contract {
        file: Box::default(),
        text: Box::default(),
        name,
        title,
        description,
        plans,
        events,
        request,
        signatures,
        keys,
        timeout,
        retry,
        retry_after,
        gone,
        ordering,
        after_dead_letter,
        breaker,
        health,
        rules,
        sources: sources.unwrap_or_else(|| SourceRules::of_any(limits)),
        api,
    })
}

fn read_name(item: &Item<'_>) -> Read<String> {
    let name = item.text()?;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.len() > 63 || !name.bytes().all(allowed) {
        let fault = Fault::from("a contract's name has 1 to 63 characters of a-z 0-9 -");
        return Err(item.error(fault.cured_by("write it like \"my-platform\"")));
    }
    Ok(name.to_owned())
}

fn read_events(section: Section<'_>, limits: &Limits) -> Read<Vec<EventDescription>> {
    each(section.entries().map(|(name, item)| read_event(&name, item, limits)))
}

fn read_event(name: &str, item: Item<'_>, limits: &Limits) -> Read<EventDescription> {
    let spot = item.spot();
    let name = EventType::try_new(name, limits).map_err(|refusal| {
        let fault = Fault::from(refusal.message);
        spot.error(fault.cured_by("write it like [events.\"order.paid\"]"))
    });
    let event = item.section().and_then(|mut event| {
        let description = event.read("description", Item::into_text);
        let example = event.read("example", |item| Ok(item.json()?.to_string()));
        let schema = event.read_optional("schema", read_schema);
        together((description, example, schema, event.finish()))
    });
    let (name, (description, example, schema, ())) = together((name, event))?;
    Ok(EventDescription { name, description, example, schema })
}

fn read_schema(item: Item<'_>) -> Read<serde_json::Value> {
    let schema = item.json();
    item.section()?;
    schema
}

/// How long something that is called may take.
fn read_timeout(item: &Item<'_>) -> Read<Duration> {
    let timeout = read_span(item)?;
    if TIMEOUTS.contains(&timeout) {
        return Ok(timeout);
    }
    let fault = Fault::from("a timeout is between 1s and 30s");
    Err(item.error(fault.cured_by("write one of them, such as \"10s\"")))
}
