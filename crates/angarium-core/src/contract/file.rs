//! The file's grammar: which sections and keys there are, and what each may say.

mod api;
mod rules;
mod signing;

use self::api::read_api;
use self::rules::{read_endpoint, read_plans};
use self::signing::{read_keys, read_signatures};
use super::body::Body;
use super::signature::{SignatureRule, known};
use super::source::{Item, Section, Source};
use super::template::{Place, TextTemplate};
use super::time_form::TimeForm;
use super::{
    AfterDeadLetter, Contract, ContractError, EventDescription, HealthPolicy, Order, OrderedBy,
    RequestShape,
};
use crate::endpoint::DeliveryMethod;
use crate::event::EventType;
use crate::limits::Limits;
use crate::retry::{GrowingSpec, RetryPolicy, RetrySpec};
use crate::time::parse_span;
use http::HeaderName;
use std::time::Duration;

type Read<T> = Result<T, ContractError>;

const METHODS: &[(&str, DeliveryMethod)] =
    &[("POST", DeliveryMethod::Post), ("GET", DeliveryMethod::Get)];
const LINES: &[(&str, OrderedBy)] =
    &[("none", OrderedBy::Nothing), ("key", OrderedBy::Key), ("endpoint", OrderedBy::Endpoint)];
const AFTER_DEAD_LETTER: &[(&str, AfterDeadLetter)] =
    &[("continue", AfterDeadLetter::Continue), ("hold", AfterDeadLetter::Hold)];

impl Contract {
    /// Reads and compiles a contract. `file` names it in errors.
    ///
    /// # Errors
    /// The first mistake, with its line, its reason and what is allowed.
    pub fn parse(file: &str, text: &str, limits: &Limits) -> Read<Self> {
        let mut top = Source::parse(file, text)?;
        let name = read_name(&top.require("contract")?)?;
        let title = top.require("title")?.text()?.to_owned();
        let description = top.take("description").map(|item| item.text().map(str::to_owned));
        let description = description.transpose()?;
        let plans = top.take("plans").map(read_plans).transpose()?.unwrap_or_default();
        let events = read_events(top.require("events")?.section()?, limits)?;
        let (request, signatures) = read_request(top.require("request")?.section()?)?;
        let keys = top.take("keys").map(|item| read_keys(item, &signatures)).transpose()?;
        if keys.is_none() && !signatures.is_empty() {
            return Err(top.error("`keys` is missing: it says who has the key that signs"));
        }
        let (timeout, retry, order) = read_delivery(top.require("delivery")?.section()?, limits)?;
        let health = top.take("health").map(read_health).transpose()?.unwrap_or_default();
        let rules = read_endpoint(top.require("endpoint")?.section()?, &plans, limits)?;
        let api = top.take("api").map(read_api).transpose()?;
        top.finish()?;
        Ok(Self {
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
            order,
            health,
            rules,
            api,
        })
    }
}

fn one_of<T: Clone>(item: &Item<'_>, table: &[(&str, T)]) -> Read<T> {
    known(table, item.text()?).map_err(|reason| item.error(reason))
}

fn read_name(item: &Item<'_>) -> Read<String> {
    let name = item.text()?;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.len() > 63 || !name.bytes().all(allowed) {
        return Err(item.error("a contract's name has 1 to 63 characters of a-z 0-9 -"));
    }
    Ok(name.to_owned())
}

fn read_events(section: Section<'_>, limits: &Limits) -> Read<Vec<EventDescription>> {
    let mut events = Vec::new();
    for (name, item) in section.entries() {
        let name = EventType::try_new(&name, limits).map_err(|no| item.error(no.message))?;
        let mut event = item.section()?;
        let description = event.require("description")?.text()?.to_owned();
        let example = event.require("example")?.json()?.to_string();
        let schema = event.take("schema").map(read_schema).transpose()?;
        event.finish()?;
        events.push(EventDescription { name, description, example, schema });
    }
    Ok(events)
}

fn read_schema(item: Item<'_>) -> Read<serde_json::Value> {
    let schema = item.json()?;
    item.section()?;
    Ok(schema)
}

fn read_request(mut section: Section<'_>) -> Read<(RequestShape, Vec<SignatureRule>)> {
    let methods = match section.take("methods") {
        None => vec![DeliveryMethod::Post],
        Some(item) => read_choices(item, METHODS)?,
    };
    let body = section
        .take("body")
        .map(|item| Body::parse(&item.json()?).map_err(|reason| item.error(reason)));
    let body = body.transpose()?;
    if methods.contains(&DeliveryMethod::Post) != body.is_some() {
        return Err(section.error("`request.body` goes with the method POST"));
    }
    let query = section.take("query").map(read_query).transpose()?;
    if methods.contains(&DeliveryMethod::Get) != query.is_some() {
        return Err(section.error("`request.query` goes with the method GET"));
    }
    let content_type = section.take("content_type");
    let content_type = content_type.map(|item| template(&item, Place::Header)).transpose()?;
    let headers = section.take("headers").map(read_headers).transpose()?;
    let (headers, written_headers) = headers.unwrap_or_default();
    let signatures = match section.take("signature") {
        None => Vec::new(),
        Some(item) => read_signatures(item)?,
    };
    let time = section.take("time").map(|item| one_of(&item, TimeForm::TEXTS)).transpose()?;
    section.finish()?;
    let (query, time) = (query.unwrap_or_default(), time.unwrap_or_default());
    let shape = RequestShape { methods, body, query, headers, written_headers, content_type, time };
    Ok((shape, signatures))
}

fn read_choices<T: Copy + PartialEq>(item: Item<'_>, table: &[(&str, T)]) -> Read<Vec<T>> {
    let empty = item.error("at least one is needed");
    let mut choices = Vec::new();
    for item in item.list()? {
        let choice = one_of(&item, table)?;
        if choices.contains(&choice) {
            return Err(item.error("it stands here twice"));
        }
        choices.push(choice);
    }
    if choices.is_empty() { Err(empty) } else { Ok(choices) }
}

fn template(item: &Item<'_>, place: Place) -> Read<TextTemplate> {
    TextTemplate::parse(item.text()?, place).map_err(|reason| item.error(reason))
}

fn read_query(item: Item<'_>) -> Read<Vec<(Box<str>, TextTemplate)>> {
    let parameter = |(name, item): (std::borrow::Cow<'_, str>, Item<'_>)| {
        let mut escaped = String::new();
        Place::Query.push(&name, &mut escaped);
        Ok((escaped.into(), template(&item, Place::Query)?))
    };
    item.section()?.entries().map(parameter).collect()
}

fn read_header_name(name: &str, item: &Item<'_>) -> Read<HeaderName> {
    let parsed = HeaderName::try_from(name).ok();
    let ours = ["host", "content-length", "content-type", "user-agent", "accept-encoding"];
    parsed
        .filter(|name| !ours.contains(&name.as_str()))
        .ok_or_else(|| item.error(format!("{name:?} is not a header that a contract may set")))
}

/// Headers, and apart from them their names as the file writes them.
type Headers = (Vec<(HeaderName, TextTemplate)>, Vec<Box<str>>);

fn read_headers(item: Item<'_>) -> Read<Headers> {
    let header = |(name, item): (std::borrow::Cow<'_, str>, Item<'_>)| {
        let header = (read_header_name(&name, &item)?, template(&item, Place::Header)?);
        Ok((header, name.into()))
    };
    item.section()?.entries().map(header).collect()
}

fn read_span(item: &Item<'_>) -> Read<Duration> {
    let text = item.text()?;
    parse_span(text).ok_or_else(|| {
        item.error(format!("{text:?} is not a span such as \"250ms\", \"5s\", \"30m\", \"2h\""))
    })
}

fn read_timeout(item: &Item<'_>) -> Read<Duration> {
    let timeout = read_span(item)?;
    match super::TIMEOUTS.contains(&timeout) {
        true => Ok(timeout),
        false => Err(item.error("a timeout is between 1s and 30s")),
    }
}

fn read_delivery(
    mut section: Section<'_>,
    limits: &Limits,
) -> Read<(Duration, RetryPolicy, Order)> {
    let timeout = read_timeout(&section.require("timeout")?)?;
    let spread = section.take("jitter").map(|item| item.number()).transpose()?.unwrap_or(0.0);
    let item = section.require("retries")?;
    let wrong = item.error("");
    let policy = RetryPolicy::try_new(&read_retries(item)?, spread, limits);
    let policy = policy.map_err(|refusal| ContractError {
        reason: format!("`delivery.{}`: {}", refusal.field.unwrap_or_default(), refusal.message),
        ..wrong
    })?;
    let line = section.take("ordering").map(|item| one_of(&item, LINES)).transpose()?;
    let after = section.take("after_dead_letter");
    let after = after.map(|item| one_of(&item, AFTER_DEAD_LETTER)).transpose()?;
    section.finish()?;
    let (line, after_dead_letter) = (line.unwrap_or_default(), after.unwrap_or_default());
    Ok((timeout, policy, Order { line, after_dead_letter }))
}

fn read_health(item: Item<'_>) -> Read<HealthPolicy> {
    let mut section = item.section()?;
    let mut disable_after = section.require("disable_after")?.section()?;
    let failed = disable_after.require("failed_deliveries")?;
    let count = u32::try_from(failed.count()?).ok().filter(|count| *count > 0);
    let count = count.ok_or_else(|| failed.error("a number of deliveries, at least 1"))?;
    disable_after.finish()?;
    section.finish()?;
    Ok(HealthPolicy { disable_after_failed_deliveries: Some(count) })
}

fn read_retries(item: Item<'_>) -> Read<RetrySpec> {
    if item.json()?.is_array() {
        let waits = item.list()?;
        let waits = waits.iter().map(|item| item.text().map(str::to_owned));
        return Ok(RetrySpec::List(waits.collect::<Read<_>>()?));
    }
    let mut section = item.section()?;
    let text = |item: Item<'_>| item.text().map(str::to_owned);
    let spec = GrowingSpec {
        base: text(section.require("base")?)?,
        factor: section.take("factor").map(|item| item.number()).transpose()?,
        cap: text(section.require("cap")?)?,
        window: section.take("window").map(text).transpose()?,
    };
    section.finish()?;
    Ok(RetrySpec::Growing(spec))
}
