//! The part of the grammar that says when an endpoint is switched off.

use crate::contract::{DisableAfter, HealthPolicy, WhileDisabled};
use crate::declared::{Fault, Item, Read, Section, one_of, read_count, read_span, together};
use std::ops::RangeInclusive;
use std::time::Duration;

/// How long an endpoint may fail before it is switched off.
const FAILING: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(90 * 24 * 3600);

pub(super) fn read_health(mut section: Section<'_>) -> Read<HealthPolicy> {
    let after = section.read_optional("disable_after", |item| read_after(item.section()?));
    let meanwhile =
        section.read_optional("while_disabled", |item| one_of(&item, WhileDisabled::NAMES));
    let says_something = match (&after, &meanwhile) {
        (Ok(None), Ok(None)) => Err(section.missing("disable_after")),
        _ => Ok(()),
    };
    let (disable_after, while_disabled, (), ()) =
        together((after, meanwhile, says_something, section.finish()))?;
    Ok(HealthPolicy { disable_after, while_disabled })
}

fn read_after(mut section: Section<'_>) -> Read<DisableAfter> {
    match section.take("failing_for") {
        Some(span) => {
            let span = read_failing(&span);
            let deliveries = section.read("deliveries", |item| read_deliveries(&item));
            let (span, deliveries, ()) = together((span, deliveries, section.finish()))?;
            Ok(DisableAfter::FailingFor { span, deliveries })
        }
        None => {
            let failed = section.read("failed_deliveries", |item| read_deliveries(&item));
            let (failed, ()) = together((failed, section.finish()))?;
            Ok(DisableAfter::FailedDeliveries(failed))
        }
    }
}

fn read_failing(item: &Item<'_>) -> Read<Duration> {
    let span = read_span(item)?;
    if FAILING.contains(&span) {
        return Ok(span);
    }
    let fault = Fault::from("a time of failures is between 1s and 90d");
    Err(item.error(fault.cured_by("write one of them, such as \"5d\"")))
}

fn read_deliveries(item: &Item<'_>) -> Read<u32> {
    read_count(item, &(1..=u32::MAX), "a number of deliveries, at least 1")
}
