//! The management calls, each with a command that runs as it is and the answer that it gets.

use super::answers::{AnswerMember, members};
use super::calls::{API_KEY, Calls};
use super::json::readable;
use super::markdown::{Markdown, code, plain};
use super::purposes::{default_title, place, purpose};
use super::{errors, json, requests, words};
use crate::contract::Contract;
use crate::contract::api::{Access, Call, ManagementApi, Route, Visibility};
use crate::limits::Limits;

pub(super) fn write(page: &mut Markdown, contract: &Contract, calls: &Calls<'_>, limits: &Limits) {
    let Some(api) = calls.api().filter(|api| !api.routes().is_empty()) else {
        return;
    };
    page.heading(2, "Registering and managing webhooks");
    let row = |route: &Route| {
        let called: Vec<_> = route.calls.iter().map(|call| code(&call.to_string())).collect();
        [title(route), called.join(" or ")]
    };
    page.table(["What you do", "Call"], in_order(api).into_iter().map(row));
    page.list(introduction(api, contract, limits));
    let mut told = Vec::new();
    for route in in_order(api) {
        call(page, contract, calls, api, route, limits, &mut told);
    }
    errors::write(page, contract, api);
}

/// Making comes first, whatever is first in the file.
fn in_order(api: &ManagementApi) -> Vec<&Route> {
    let mut routes: Vec<_> = api.routes().iter().collect();
    routes.sort_by_key(|route| place(route.operation));
    routes
}

/// What a call is called.
pub(super) fn title(route: &Route) -> String {
    let own = route.summary.as_deref().map(plain);
    own.unwrap_or_else(|| default_title(route.operation).to_owned())
}

fn introduction(api: &ManagementApi, contract: &Contract, limits: &Limits) -> Vec<String> {
    let header = code(&authorization(api));
    let sees = match api.auth.sees {
        Visibility::Key => "A key sees the webhooks that were made with it, and no others.",
        Visibility::Tenant => "Every key of your account sees all of its webhooks.",
    };
    let plan = contract
        .rules()
        .plan
        .as_deref()
        .map(|plan| format!(" Webhooks come with the plan {} and those above it.", code(plan)));
    let keyless = match api.has_sources() {
        true => " Only third parties, who sign what they send, need none.",
        false => "",
    };
    let plan = plan.unwrap_or_default();
    let mut items = vec![
        format!("Every call carries your API key: {header}.{keyless} {sees}{plan}"),
        "Bodies and answers are JSON; send `Content-Type: application/json`. A member that a call \
         does not know is refused, so that no typing mistake goes unnoticed."
            .to_owned(),
    ];
    if api.routes().iter().any(|route| route.operation.bounds().access == Access::Changes) {
        items.push(format!(
            "**Safe to repeat.** Give a call that changes something an `Idempotency-Key` of your \
             own, at most {} characters: for 24 hours the same key with the same body gets the \
             first answer again, and nothing is done twice.",
            words::grouped(limits.idempotency_key_chars)
        ));
    }
    if api.routes().iter().any(|route| route.operation.bounds().access == Access::Reads) {
        items.push(
            "Answers to GET have an `ETag`. Send it back in `If-None-Match`, and as long as \
             nothing has changed the answer is 304 without a body."
                .to_owned(),
        );
    }
    items
}

/// The header that carries the key, with a placeholder in its place.
fn authorization(api: &ManagementApi) -> String {
    let scheme = api.auth.scheme.as_deref().map(|scheme| format!("{scheme} ")).unwrap_or_default();
    format!("{}: {scheme}{API_KEY}", api.auth.written_header)
}

fn call(
    page: &mut Markdown,
    contract: &Contract,
    calls: &Calls<'_>,
    api: &ManagementApi,
    route: &Route,
    limits: &Limits,
    told: &mut Vec<AnswerMember>,
) {
    page.heading(3, &title(route));
    let called: Vec<_> = route.calls.iter().map(|call| code(&call.to_string())).collect();
    page.say(&format!("{}. {}", words::or(&called), purpose(contract, calls, route)));
    let bounds = route.operation.bounds();
    match bounds.access {
        Access::Reads | Access::Changes => {
            page.code("sh", &curl(calls, api, route, &route.calls[0]));
        }
        // Who calls it is a third party, whose signature no command here could make.
        Access::Receives => {}
    }
    let needed = bounds.needed;
    let rows = requests::rows(contract, route.request.members(), needed, "", limits);
    page.table(["Member", "Type", "Needed", "What it is"], rows);
    match calls.answer(route) {
        Some(answer) => {
            page.say(&format!("The answer, with the status {}:", route.status));
            page.code("json", &readable(&answer));
        }
        None => page.say(&format!("The answer has the status {} and no body.", route.status)),
    }
    // What one answer's members are need not be said again at the next one.
    let fresh = |member: &AnswerMember| {
        !told.iter().any(|known| known.name == member.name && known.meaning == member.meaning)
    };
    let new: Vec<_> = members(contract, route).into_iter().filter(fresh).collect();
    let row = |m: &AnswerMember| [code(&m.path), m.kind.clone(), m.meaning.clone()];
    page.table(["Member", "Type", "What it is"], new.iter().map(row));
    told.extend(new);
}

/// A command that makes the call as it is.
fn curl(calls: &Calls<'_>, api: &ManagementApi, route: &Route, call: &Call) -> String {
    let method = match call.reads() {
        true => String::new(),
        false => format!("-X {} ", call.method),
    };
    let header = shell(&authorization(api));
    let mut command = format!("curl {method}{} \\\n  -H {header}", calls.url(route, call));
    if let Some(body) = calls.body(route) {
        let body = json::print(&body, 2).replace('\'', "'\\''");
        command
            .push_str(&format!(" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{body}'"));
    }
    command
}

/// A word of a command, in double quotes as people write it where nothing in it is special there.
fn shell(word: &str) -> String {
    match word.contains(['"', '$', '`', '\\', '!']) {
        true => format!("'{}'", word.replace('\'', "'\\''")),
        false => format!("\"{word}\""),
    }
}
