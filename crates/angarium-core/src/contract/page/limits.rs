//! What is limited, as a table.

use super::calls::Calls;
use super::markdown::{Markdown, code};
use super::words::{and, count, failures, grouped, span};
use crate::contract::api::Field;
use crate::contract::{Contract, TextPresence, TextRule, TypesRule};
use crate::destination::Scheme;
use crate::limits::Limits;
use crate::retry::RetryPolicy;
use std::time::Duration;

pub(super) fn write(page: &mut Markdown, contract: &Contract, calls: &Calls<'_>, limits: &Limits) {
    page.heading(2, "Limits");
    page.table(["What", "Limit"], rows(contract, calls, limits));
}

fn rows(contract: &Contract, calls: &Calls<'_>, limits: &Limits) -> Vec<[String; 2]> {
    let rules = contract.rules();
    let mut rows: Vec<(&str, String)> = Vec::new();
    if let Some(most) = rules.max_per_key {
        rows.push(("Webhooks of one API key", format!("at most {}", grouped(most))));
    }
    rows.push(("URL", address(contract, limits)));
    if let Some(plan) = &rules.plan {
        rows.push(("Plan", format!("{} and those above it", code(plan))));
    }
    let types = match rules.types {
        TypesRule::Any => "",
        TypesRule::Catalog => ", only types that there are",
    };
    let most = count(limits.subscription_types, "pattern");
    rows.push(("Events of one webhook", format!("at most {most}{types}")));
    if calls.takes(Field::Name) {
        rows.push(("Name", length(&rules.name)));
    }
    if calls.takes(Field::Description) {
        rows.push(("Description", length(&rules.description)));
    }
    rows.push(("Time to answer a delivery", span(contract.timeout())));
    rows.push(("Retries of a failed delivery", retries(contract)));
    if let Some(bounds) = contract.retry_after() {
        let text = format!("{} to {}", span(bounds.floor), span(bounds.cap));
        rows.push(("Time that `Retry-After` can ask for", text));
    }
    if let Some(after) = contract.health().disable_after {
        rows.push(("Switching a webhook off", format!("after {}", failures(after))));
    }
    rows.push(("Size of an event's data", format!("at most {}", size(limits.body_bytes))));
    rows.into_iter().map(|(what, limit)| [what.to_owned(), limit]).collect()
}

/// What a URL may be.
pub(super) fn address(contract: &Contract, limits: &Limits) -> String {
    let schemes = contract.rules().schemes.iter().map(|scheme| match scheme {
        Scheme::Http => "HTTP".to_owned(),
        Scheme::Https => "HTTPS".to_owned(),
    });
    let schemes: Vec<_> = schemes.collect();
    let only = if schemes.len() == 1 { " only" } else { "" };
    let most = count(limits.url_bytes, "character");
    format!("{}{only}, to a public address; at most {most}", and(&schemes))
}

/// How long a text may be.
pub(super) fn length(rule: &TextRule) -> String {
    let (least, most) = (rule.chars.start(), rule.chars.end());
    let needed = match rule.presence {
        TextPresence::Required => ", and there must be one",
        TextPresence::Optional => "",
    };
    match least {
        0 => format!("at most {}{needed}", count(*most, "character")),
        least => format!("{least} to {}{needed}", count(*most, "character")),
    }
}

fn retries(contract: &Contract) -> String {
    match contract.retry() {
        RetryPolicy::List { waits, .. } if waits.is_empty() => "none".to_owned(),
        RetryPolicy::List { waits, .. } if waits.iter().all(Duration::is_zero) => {
            format!("{}, immediately", waits.len())
        }
        RetryPolicy::List { waits, .. } => {
            let waits: Vec<_> = waits.iter().map(|wait| crate::time::print_span(*wait)).collect();
            format!("{} ({})", waits.len(), waits.join(" → "))
        }
        RetryPolicy::Growing { window, .. } => format!("for up to {}", span(*window)),
    }
}

fn size(bytes: usize) -> String {
    match bytes.is_multiple_of(1024) {
        true => format!("{} KiB", grouped(bytes / 1024)),
        false => format!("{} bytes", grouped(bytes)),
    }
}
