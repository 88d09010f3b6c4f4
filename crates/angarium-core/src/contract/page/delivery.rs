//! The request that brings an event: its headers and members with their meaning, and one delivery
//! whole, byte for byte, with which a verifier can be tested.

use super::markdown::{Markdown, code};
use super::members::{self, Member};
use super::sample::Samples;
use super::verifying::has_timestamp;
use super::words::{and, or};
use crate::contract::{Contract, KeyPresence};
use crate::endpoint::DeliveryMethod;
use crate::request::OutgoingRequest;
use http::{HeaderMap, HeaderName, HeaderValue};

pub(super) fn write(page: &mut Markdown, contract: &Contract, samples: &Samples<'_>) {
    page.heading(2, "What arrives at your server");
    let methods: Vec<_> = contract.methods().iter().map(|m| method_name(*m).to_owned()).collect();
    page.say(&format!(
        "Each delivery is one {} request to your URL and carries one event.{}",
        or(&methods),
        match methods.len() {
            1 => "",
            _ => " Which of them it is, each webhook chooses for itself.",
        }
    ));
    for method in contract.methods() {
        if methods.len() > 1 {
            page.heading(3, &format!("By {}", method_name(*method)));
        }
        whole(page, contract, *method, samples);
        match method {
            DeliveryMethod::Post => body(page, contract),
            DeliveryMethod::Get => query(page, contract),
        }
    }
    if let Some(secret) = samples.secret() {
        page.say(&try_it(contract, secret.expose(), methods.len()));
    }
}

fn try_it(contract: &Contract, secret: &str, deliveries: usize) -> String {
    let (it, is) = if deliveries > 1 { ("They are", "them") } else { ("It is", "it") };
    let aged = match has_timestamp(contract) {
        true => ", but for the age of its timestamp,",
        false => "",
    };
    format!(
        "{it} signed with the secret {}, so you can try your code on {is}: it should accept what \
         stands here{aged} and refuse it as soon as a byte is changed.",
        code(secret)
    )
}

fn body(page: &mut Markdown, contract: &Contract) {
    let members = members::of_body(&contract.request);
    page.say(match members.is_empty() {
        true => "The body is the event's data as it was published, byte for byte.",
        false => "The body's members, in this order:",
    });
    page.table(["Member", "What it is"], members.iter().map(row));
}

/// The parameters of a GET. Where they are those of the body, this is all that is said.
fn query(page: &mut Markdown, contract: &Contract) {
    let (body, query) = (members::of_body(&contract.request), members::of_query(&contract.request));
    let is_in = |all: &[Member], wanted: &Member| all.iter().any(|m| m.name == wanted.name);
    let after = "after those that your URL has already";
    if query.iter().all(|parameter| is_in(&body, parameter)) {
        let missing = body.iter().filter(|member| !is_in(&query, member));
        let missing: Vec<_> = missing.map(|member| code(&member.name)).collect();
        let but = match missing.is_empty() {
            true => String::new(),
            false => format!(", but for {}", and(&missing)),
        };
        return page.say(&format!("The members of the body are its parameters, {after}{but}."));
    }
    page.say(&format!("Its parameters, {after}:"));
    page.table(["Parameter", "What it is"], query.iter().map(row));
}

fn row(member: &Member) -> [String; 2] {
    [code(&member.name), member.meaning()]
}

/// A delivery by one method: its headers as a table, then all of it.
fn whole(page: &mut Markdown, contract: &Contract, method: DeliveryMethod, samples: &Samples<'_>) {
    let first = contract.events().first();
    let Some(request) = first.and_then(|event| samples.request(event, method)) else {
        return;
    };
    page.code("http", &raw(contract, &request));
    page.table(["Header", "What it says"], headers(contract, request.message.headers()));
}

/// Every header of the request with its meaning: first those of the contract, then those that any
/// request has.
fn headers(contract: &Contract, sent: &HeaderMap) -> Vec<[String; 2]> {
    let own = members::of_headers(&contract.request);
    let meaning = |name: &HeaderName| match usual(name) {
        Some((_, meaning)) => meaning.to_owned(),
        None => match own.iter().find(|member| member.name.eq_ignore_ascii_case(name.as_str())) {
            Some(member) => member.meaning(),
            None => signature_meaning(contract),
        },
    };
    let mut names: Vec<_> = sent.keys().collect();
    names.sort_by_key(|name| usual(name).is_some());
    names.into_iter().map(|name| [code(spelled(contract, name)), meaning(name)]).collect()
}

/// A header that any request has: how people write it, and what it says.
fn usual(name: &HeaderName) -> Option<(&'static str, &'static str)> {
    match name.as_str() {
        "content-type" => Some(("Content-Type", "The type of the body.")),
        "user-agent" => Some(("User-Agent", "The gateway that sends it.")),
        "accept-encoding" => Some(("Accept-Encoding", "Your answer comes uncompressed.")),
        _ => None,
    }
}

/// A header as people write it; on the wire it has no case.
fn spelled<'a>(contract: &'a Contract, name: &'a HeaderName) -> &'a str {
    usual(name).map_or_else(|| contract.written_header(name), |(written, _)| written)
}

fn signature_meaning(contract: &Contract) -> String {
    let presence = contract.key_rule().map(|rule| rule.presence);
    match presence {
        Some(KeyPresence::Optional) => {
            "The signature, where the webhook has a signing key; see below.".to_owned()
        }
        Some(KeyPresence::Required) | None => "The signature; see below.".to_owned(),
    }
}

fn raw(contract: &Contract, request: &OutgoingRequest) -> String {
    let message = &request.message;
    let text_of = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut text = format!("{} {} HTTP/1.1\n", message.method(), request.shown_target());
    text.push_str(&format!("Host: {}\n", text_of(&request.destination.authority)));
    for (name, value) in message.headers() {
        text.push_str(&format!("{}: {}\n", spelled(contract, name), text_of(value)));
    }
    let body = message.body();
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\n\n", body.len()));
        text.push_str(&String::from_utf8_lossy(body));
    }
    text
}

pub(super) fn method_name(method: DeliveryMethod) -> &'static str {
    match method {
        DeliveryMethod::Post => "POST",
        DeliveryMethod::Get => "GET",
    }
}
