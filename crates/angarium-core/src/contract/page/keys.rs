//! Signing keys for their owners: where they come from, how they change.

use super::calls::Calls;
use super::markdown::{Markdown, code};
use super::words::span;
use crate::contract::api::Operation;
use crate::contract::{Contract, KeyPresence, KeyRule, KeyScope};

pub(super) fn write(page: &mut Markdown, contract: &Contract, calls: &Calls<'_>) {
    let Some(rule) = contract.key_rule() else {
        return;
    };
    let rotation = rotation(rule, calls);
    let heading = match (rule.scope, &rotation) {
        (KeyScope::Endpoint, None) => "Secrets",
        (KeyScope::Endpoint, Some(_)) => "Secrets and their rotation",
        (KeyScope::Tenant, None) => "Signing keys",
        (KeyScope::Tenant, Some(_)) => "Signing keys and their rotation",
    };
    page.heading(2, heading);
    page.list([Some(origin(rule, calls)), rotation, Some(keep(rule))].into_iter().flatten());
}

fn origin(rule: &KeyRule, calls: &Calls<'_>) -> String {
    let create = calls.call_of(Operation::EndpointCreate).map(|call| code(&call));
    match rule.scope {
        KeyScope::Tenant => match calls.call_of(Operation::KeysList) {
            Some(call) => format!(
                "All your webhooks share one signing key. {} answers the keys that you should \
                 trust: {}. Keep that answer as long as your verifier runs, and fetch it anew when \
                 a signature matches no key that you know.",
                code(&call),
                trusted(rule)
            ),
            None => "All your webhooks share one signing key.".to_owned(),
        },
        KeyScope::Endpoint => {
            let own = match rule.presence {
                KeyPresence::Required => "Each webhook has a secret of its own.",
                KeyPresence::Optional => "Each webhook may have a secret of its own.",
            };
            match (create, calls.shows_secret()) {
                (Some(call), true) => format!(
                    "{own} The answer to {call} shows it, once: it cannot be read again later. \
                     Store it securely."
                ),
                _ => own.to_owned(),
            }
        }
    }
}

/// Which keys a verifier should know.
fn trusted(rule: &KeyRule) -> String {
    match rule.priors {
        0 => "the active one".to_owned(),
        1 => "the active one and the one that was retired last".to_owned(),
        more => format!("the active one and the {more} that were retired last"),
    }
}

fn rotation(rule: &KeyRule, calls: &Calls<'_>) -> Option<String> {
    let by_call = calls
        .call_of(Operation::KeysRotate)
        .map(|call| format!("{} makes a new one, and its answer shows it.", code(&call)));
    let by_itself =
        rule.rotate_every.map(|age| format!("Keys rotate by themselves every {}.", span(age)));
    let effect = match (rule.overlap.is_zero(), rule.scope) {
        (false, _) => format!(
            "The old one signs beside the new one for {} more, so that you can change over without \
             losing a delivery.",
            span(rule.overlap)
        ),
        (true, KeyScope::Tenant) if rule.priors > 0 => format!(
            "From then on the new one signs alone. Trust {} as well, for deliveries that were on \
             their way.",
            match rule.priors {
                1 => "the one before".to_owned(),
                more => format!("the {more} before"),
            }
        ),
        (true, _) => "From then on the new one signs alone; the old one signs nothing more, not \
                      even retries."
            .to_owned(),
    };
    let how: Vec<_> = by_call.into_iter().chain(by_itself).collect();
    match (how.is_empty(), rule.overlap.is_zero()) {
        (true, true) => None,
        (true, false) => Some(format!("When a secret is changed, the change is smooth. {effect}")),
        (false, _) => Some(format!("{} {effect}", how.join(" "))),
    }
}

fn keep(rule: &KeyRule) -> String {
    let prefix = rule.forms.first().map(|form| &*form.prefix).unwrap_or_default();
    let what = match prefix.is_empty() {
        true => "it".to_owned(),
        false => code(&format!("{prefix}…")),
    };
    format!(
        "Treat {what} like a password: never log it, and never put it into code that others can \
         read. Whoever has it can sign."
    )
}
