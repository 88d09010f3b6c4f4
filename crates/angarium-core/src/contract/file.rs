//! The file's grammar: which sections and keys there are, and what each may say.

mod request;
mod signing;

use self::request::read_request;
use self::signing::read_keys;
use super::error::{ContractMistakes, Read, each, together};
use super::fault::Fault;
use super::signature::known;
use super::source::{Item, Section, Source};
use super::{Contract, EventDescription};
use crate::destination::Scheme;
use crate::event::EventType;
use crate::limits::Limits;
use crate::retry::{self, GrowingSpec, RetryPolicy, RetrySpec};
use crate::time::parse_span;
use std::ops::RangeInclusive;
use std::time::Duration;

const SCHEMES: &[(&str, Scheme)] = &[("https", Scheme::Https), ("http", Scheme::Http)];

impl Contract {
    /// Reads and compiles a contract. `file` names it in errors.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line, its reason and its cure.
    pub fn parse(file: &str, text: &str, limits: &Limits) -> Result<Self, ContractMistakes> {
        let top = Source::parse(file, text)?;
        read_contract(top, limits).map_err(ContractMistakes::settled)
    }
}

fn read_contract(mut top: Section<'_>, limits: &Limits) -> Read<Contract> {
    let name = top.read("contract", |item| read_name(&item));
    let title = top.read("title", Item::into_text);
    let events = top.read("events", |item| read_events(item.section()?, limits));
    let (shape, signatures) = match top.read("request", Item::section) {
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
    let schemes = top.read("endpoint", |item| read_endpoint(item.section()?));
    let read = (name, title, events, shape, signatures, keys, delivery, schemes, top.finish());
    let (name, title, events, request, signatures, keys, (timeout, retry), schemes, ()) =
        together(read)?;
    Ok(Contract { name, title, events, request, signatures, keys, timeout, retry, schemes })
}

fn one_of<T: Clone>(item: &Item<'_>, table: &[(&str, T)]) -> Read<T> {
    known(table, item.text()?).map_err(|fault| item.error(fault))
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

fn read_choices<T: Copy + PartialEq>(item: Item<'_>, table: &[(&str, T)]) -> Read<Vec<T>> {
    let spot = item.spot();
    let mut seen: Vec<T> = Vec::new();
    let choices = item.list()?.into_iter().map(|item| {
        let choice = one_of(&item, table)?;
        if seen.contains(&choice) {
            return Err(item.error(Fault::from("it stands here twice").cured_by("take one out")));
        }
        seen.push(choice);
        Ok(choice)
    });
    let choices = each(choices)?;
    if choices.is_empty() {
        let first = table.first().map_or("", |(name, _)| name);
        let fault = Fault::from("at least one is needed");
        return Err(spot.error(fault.cured_by(format!("write [\"{first}\"]"))));
    }
    Ok(choices)
}

fn read_span(item: &Item<'_>) -> Read<Duration> {
    let text = item.text()?;
    parse_span(text).ok_or_else(|| {
        let reason = format!("{text:?} is not a span such as \"250ms\", \"5s\", \"30m\", \"2h\"");
        item.error(Fault::from(reason).cured_by("write a number and ms, s, m, h or d"))
    })
}

fn read_delivery(mut section: Section<'_>, limits: &Limits) -> Read<(Duration, RetryPolicy)> {
    let timeout = section.read("timeout", |item| {
        let timeout = read_span(&item)?;
        if super::TIMEOUTS.contains(&timeout) {
            return Ok(timeout);
        }
        let fault = Fault::from("a timeout is between 1s and 30s");
        Err(item.error(fault.cured_by("write one of them, such as \"10s\"")))
    });
    let spread =
        section.read_optional("jitter", |item| read_share(&item, retry::SPREADS, "a share"));
    let retries = section.read("retries", |item| Ok((item.spot(), read_retries(item)?)));
    let policy = together((spread, retries)).and_then(|(spread, (spot, spec))| {
        let policy = RetryPolicy::try_new(&spec, spread.unwrap_or_default(), limits);
        policy.map_err(|refusal| {
            let field = refusal.field.unwrap_or_default();
            let fault = Fault::from(format!("`delivery.{field}`: {}", refusal.message));
            spot.error(fault.cured_by("write it like { base = \"5s\", cap = \"1h\" }"))
        })
    });
    let (timeout, policy, ()) = together((timeout, policy, section.finish()))?;
    Ok((timeout, policy))
}

fn read_share(item: &Item<'_>, allowed: RangeInclusive<f64>, what: &str) -> Read<f64> {
    let number = item.number()?;
    if allowed.contains(&number) {
        return Ok(number);
    }
    let (least, most) = allowed.into_inner();
    let fault = Fault::from(format!("{what} between {least} and {most}"));
    Err(item.error(fault.cured_by(format!("write {}", if number < least { least } else { most }))))
}

fn read_retries(item: Item<'_>) -> Read<RetrySpec> {
    if item.is_list() {
        return Ok(RetrySpec::List(each(item.list()?.into_iter().map(read_wait))?));
    }
    let mut section = item.section()?;
    let base = section.read("base", read_wait);
    let factor =
        section.read_optional("factor", |item| read_share(&item, retry::FACTORS, "a number"));
    let cap = section.read("cap", read_wait);
    let window = section.read_optional("window", read_wait);
    let (base, factor, cap, window, ()) = together((base, factor, cap, window, section.finish()))?;
    Ok(RetrySpec::Growing(GrowingSpec { base, factor, cap, window }))
}

fn read_wait(item: Item<'_>) -> Read<String> {
    if read_span(&item)? > retry::LONGEST {
        let fault = Fault::from("a schedule's spans are at most \"7d\"");
        return Err(item.error(fault.cured_by("write a shorter one, such as \"24h\"")));
    }
    item.into_text()
}

fn read_endpoint(mut section: Section<'_>) -> Read<Vec<Scheme>> {
    let schemes = section.read("schemes", |item| read_choices(item, SCHEMES));
    let (schemes, ()) = together((schemes, section.finish()))?;
    Ok(schemes)
}
