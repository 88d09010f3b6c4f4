//! The part of the grammar that says when a delivery is made, and when an endpoint is switched off.

use super::values::{one_of, read_count, read_share, read_span, read_timeout};
use crate::contract::HealthPolicy;
use crate::contract::error::{Read, each, together};
use crate::contract::fault::Fault;
use crate::contract::source::{Item, Section};
use crate::gate::BreakerRule;
use crate::lane::Ordering;
use crate::limits::Limits;
use crate::retry::{self, GrowingSpec, RetryPolicy, RetrySpec};
use crate::time::print_span;
use std::time::Duration;

const ORDERINGS: &[(&str, Ordering)] =
    &[("none", Ordering::None), ("key", Ordering::Key), ("endpoint", Ordering::Endpoint)];

/// When it is tried again.
pub(super) struct Delivery {
    pub(super) timeout: Duration,
    pub(super) retry: RetryPolicy,
    pub(super) ordering: Option<Ordering>,
    pub(super) breaker: Option<BreakerRule>,
}

pub(super) fn read_delivery(mut section: Section<'_>, limits: &Limits) -> Read<Delivery> {
    let timeout = section.read("timeout", |item| read_timeout(&item));
    let spread =
        section.read_optional("jitter", |item| read_share(&item, &retry::SPREADS, "a share"));
    let retries = section.read("retries", |item| Ok((item.spot(), read_retries(item)?)));
    let retry = together((spread, retries)).and_then(|(spread, (spot, spec))| {
        let policy = RetryPolicy::try_new(&spec, spread.unwrap_or_default(), limits);
        policy.map_err(|refusal| {
            let field = refusal.field.unwrap_or_default();
            let fault = Fault::from(format!("`delivery.{field}`: {}", refusal.message));
            spot.error(fault.cured_by("write it like { base = \"5s\", cap = \"1h\" }"))
        })
    });
    let ordering = section.read_optional("ordering", read_ordering);
    let breaker = section.read_optional("breaker", |item| read_breaker(item.section()?));
    let (timeout, retry, ordering, breaker, ()) =
        together((timeout, retry, ordering, breaker, section.finish()))?;
    Ok(Delivery { timeout, retry, ordering, breaker })
}

fn read_ordering(item: Item<'_>) -> Read<Ordering> {
    if item.is_text() {
        return one_of(&item, ORDERINGS);
    }
    let spot = item.spot();
    let mut section = item.section()?;
    let pointer = section.read("pointer", Item::into_text);
    let (pointer, ()) = together((pointer, section.finish()))?;
    let ordering = Ordering::Pointer(pointer);
    ordering.check().map_err(|refusal| {
        let fault = Fault::from(refusal.message);
        spot.error(fault.cured_by("write it like { pointer = \"/order/id\" }"))
    })?;
    Ok(ordering)
}

fn read_breaker(mut section: Section<'_>) -> Read<BreakerRule> {
    let failures = section.read("failures", |item| {
        read_count(&item, &(1..=1_000), "a number of attempts between 1 and 1000")
    });
    let wait = section.read("wait", |item| read_alone(&item));
    let cap = section.read("cap", |item| Ok((item.spot(), read_alone(&item)?)));
    let (failures, wait, (spot, cap), ()) = together((failures, wait, cap, section.finish()))?;
    if cap < wait {
        let fault = Fault::from("the longest wait is at least the first one");
        return Err(spot.error(fault.cured_by(format!("write {:?}", print_span(wait)))));
    }
    Ok(BreakerRule { failures, wait, cap })
}

/// How long an endpoint may be left alone.
fn read_alone(item: &Item<'_>) -> Read<Duration> {
    let wait = read_span(item)?;
    if (Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&wait) {
        return Ok(wait);
    }
    let fault = Fault::from("an endpoint is left alone for 1s to 1h");
    Err(item.error(fault.cured_by("write one of them, such as \"5m\"")))
}

fn read_retries(item: Item<'_>) -> Read<RetrySpec> {
    if item.is_list() {
        return Ok(RetrySpec::List(each(item.list()?.into_iter().map(read_wait))?));
    }
    let mut section = item.section()?;
    let base = section.read("base", read_wait);
    let factor =
        section.read_optional("factor", |item| read_share(&item, &retry::FACTORS, "a number"));
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

pub(super) fn read_health(mut section: Section<'_>) -> Read<HealthPolicy> {
    let disable_after = section.read("disable_after", |item| read_disable_after(item.section()?));
    let (disable_after, ()) = together((disable_after, section.finish()))?;
    Ok(HealthPolicy { disable_after_failed_deliveries: Some(disable_after) })
}

fn read_disable_after(mut section: Section<'_>) -> Read<u32> {
    let failed = section.read("failed_deliveries", |item| {
        read_count(&item, &(1..=u32::MAX), "a number of deliveries, at least 1")
    });
    let (failed, ()) = together((failed, section.finish()))?;
    Ok(failed)
}
