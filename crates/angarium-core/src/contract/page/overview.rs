//! What the page begins with: what it is about, and how it works in a few steps.

use super::calls::Calls;
use super::delivery::method_name;
use super::markdown::{Markdown, code, plain};
use super::semantics;
use super::words::{failures, or, span};
use crate::contract::api::Operation;
use crate::contract::{Contract, KeyPresence};
use std::sync::Arc;

/// The start of a page of several contracts.
pub(super) fn several(page: &mut Markdown, contracts: &[Arc<Contract>]) {
    if contracts.is_empty() {
        return page.say("There is no contract here yet.");
    }
    page.say(&format!(
        "There are {} forms of webhooks here, side by side on the same events. Each webhook \
         follows the form by whose calls it was made.",
        contracts.len()
    ));
    page.list(contracts.iter().map(|contract| {
        let about = contract.description().and_then(|text| text.split("\n\n").next());
        match about {
            Some(about) => format!("**{}**: {}", plain(contract.title()), plain(about)),
            None => format!("**{}**", plain(contract.title())),
        }
    }));
}

/// The start of a contract's part.
pub(super) fn write(page: &mut Markdown, contract: &Contract, calls: &Calls<'_>, base_url: &str) {
    match contract.description() {
        Some(text) => text.split("\n\n").for_each(|paragraph| page.say(&plain(paragraph))),
        None => page.say(&format!(
            "{} calls your server the moment something happens, so that you need not poll.",
            plain(contract.title())
        )),
    }
    if !calls.routes().is_empty() {
        page.say(&format!("The address of all calls on this page is {}.", code(base_url)));
    }
    page.heading(2, "How it works");
    page.steps(steps(contract, calls));
}

fn steps(contract: &Contract, calls: &Calls<'_>) -> Vec<String> {
    let methods: Vec<_> = contract.methods().iter().map(|m| method_name(*m).to_owned()).collect();
    let registers = calls.call_of(Operation::EndpointCreate);
    let receives = calls.call_of(Operation::SourceCreate);
    let happens = match (&registers, &receives) {
        (None, Some(_)) => "Then",
        (Some(_), _) | (None, None) => "When one of them happens,",
    };
    let register = match (registers, receives) {
        (Some(call), _) => format!(
            "You register the URL of your server and the events that you want: {}.",
            code(&call)
        ),
        (None, Some(call)) => format!(
            "You create a webhook for a third party: {}. What the third party sends to its \
             receive URL is verified, stored once, and answered.",
            code(&call)
        ),
        (None, None) => "You name the URL of your server and the events that you want.".to_owned(),
    };
    let header =
        contract.signatures.first().map(|rule| code(contract.written_header(&rule.header)));
    let signed = match (header, contract.key_rule().map(|rule| rule.presence)) {
        (Some(header), Some(KeyPresence::Required)) => format!(", signed in the header {header}"),
        (Some(header), Some(KeyPresence::Optional)) => {
            format!(", signed in the header {header} if the webhook has a signing key")
        }
        _ => String::new(),
    };
    let verify = if contract.key_rule().is_some() { "verifies the signature, " } else { "" };
    let mut steps = vec![
        register,
        format!("{happens} your server gets a {} request{signed}.", or(&methods)),
        format!(
            "Your server {verify}answers with a 2xx within {} and does its work afterwards.",
            span(contract.timeout())
        ),
        semantics::retries(contract).replace("**Retries.** ", "").replace("**No retries.** ", ""),
    ];
    if let Some(after) = contract.health().disable_after {
        steps.push(format!("After {} the webhook is switched off.", failures(after)));
    }
    steps
}
