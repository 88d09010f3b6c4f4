//! The part of the grammar that says when a delivery is made, and what its answers mean.

use super::read_timeout;
use crate::declared::{
    Fault, Item, Read, Section, Spot, each, one_of, read_count, read_share, read_span, together,
};
use crate::delivery::{DeadLetterPolicy, GonePolicy};
use crate::gate::BreakerRule;
use crate::lane::Ordering;
use crate::limits::Limits;
use crate::retry::{self, GrowingSpec, RetryAfterBounds, RetryPolicy, RetrySpec};
use crate::time::print_span;
use std::time::Duration;

const ORDERINGS: &[(&str, Ordering)] =
    &[("none", Ordering::None), ("key", Ordering::Key), ("endpoint", Ordering::Endpoint)];

/// When it is tried again.
pub(super) struct Delivery {
    pub(super) timeout: Duration,
    pub(super) retry: RetryPolicy,
    pub(super) retry_after: Option<RetryAfterBounds>,
    pub(super) gone: Option<GonePolicy>,
    pub(super) ordering: Option<Ordering>,
    pub(super) after_dead_letter: Option<DeadLetterPolicy>,
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
    let retry_after = section.read_optional("retry_after", read_retry_after);
    let gone = section.read_optional("gone", |item| one_of(&item, GonePolicy::NAMES));
    let ordering = section.read_optional("ordering", read_ordering);
    let after_dead_letter = section.read_optional("after_dead_letter", |item| {
        Ok((item.spot(), one_of(&item, DeadLetterPolicy::NAMES)?))
    });
    let lanes = together((ordering, after_dead_letter)).and_then(read_lanes);
    let breaker = section.read_optional("breaker", |item| read_breaker(item.section()?));
    let (timeout, retry, retry_after, gone, lanes, breaker, ()) =
        together((timeout, retry, retry_after, gone, lanes, breaker, section.finish()))?;
    let (ordering, after_dead_letter) = lanes;
    Ok(Delivery { timeout, retry, retry_after, gone, ordering, after_dead_letter, breaker })
}

/// What deliveries are ordered by, and what follows their dead letters: without an order there is
/// nothing that could be held.
fn read_lanes(
    (ordering, after): (Option<Ordering>, Option<(Spot<'_>, DeadLetterPolicy)>),
) -> Read<(Option<Ordering>, Option<DeadLetterPolicy>)> {
    let has_lanes = ordering.as_ref().is_some_and(|ordering| *ordering != Ordering::None);
    match after {
        Some((spot, DeadLetterPolicy::Hold)) if !has_lanes => {
            let fault = Fault::from("only a lane can hold: without `ordering` there is none");
            Err(spot.error(fault.cured_by("add `ordering = \"key\"`, or write \"continue\"")))
        }
        after => Ok((ordering, after.map(|(_, policy)| policy))),
    }
}

fn read_retry_after(item: Item<'_>) -> Read<RetryAfterBounds> {
    let spot = item.spot();
    let mut section = item.section()?;
    let floor = section.read("floor", |item| read_bound(&item));
    let cap = section.read("cap", |item| read_bound(&item));
    let (floor, cap, ()) = together((floor, cap, section.finish()))?;
    if floor > cap {
        let fault = Fault::from("the floor is at most the cap");
        return Err(spot.error(fault.cured_by("write it like { floor = \"1s\", cap = \"1h\" }")));
    }
    Ok(RetryAfterBounds { floor, cap })
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
    read_bound(&item)?;
    item.into_text()
}

fn read_bound(item: &Item<'_>) -> Read<Duration> {
    let span = read_span(item)?;
    if span > retry::LONGEST {
        let fault = Fault::from("a schedule's spans are at most \"7d\"");
        return Err(item.error(fault.cured_by("write a shorter one, such as \"24h\"")));
    }
    Ok(span)
}
