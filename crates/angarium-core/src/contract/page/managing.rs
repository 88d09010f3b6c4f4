//! The management calls, each with a command that runs as it is and the answer that it gets.

use super::answers::{AnswerMember, members};
use super::calls::{API_KEY, Calls};
use super::json::readable;
use super::markdown::{Markdown, code, plain};
use super::{errors, json, words};
use crate::contract::api::{
    Access, Call, Field, MOST_DEAD_LETTERS, ManagementApi, Operation, RequestMember, RequestValue,
    Route, Visibility,
};
use crate::contract::{Contract, TextPresence, TextRule, TypesRule};
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
    routes.sort_by_key(|route| match route.operation {
        Operation::EndpointCreate => 0,
        Operation::EndpointList => 1,
        Operation::EndpointGet => 2,
        Operation::EndpointUpdate => 3,
        Operation::EndpointDelete => 4,
        Operation::EndpointTest => 5,
        Operation::DiagnosticsShow => 6,
        Operation::KeysList => 7,
        Operation::KeysRotate => 8,
    });
    routes
}

/// What a call is called.
pub(super) fn title(route: &Route) -> String {
    let own = route.summary.as_deref().map(plain);
    own.unwrap_or_else(|| default_title(route.operation).to_owned())
}

fn default_title(operation: Operation) -> &'static str {
    match operation {
        Operation::EndpointCreate => "Register a webhook",
        Operation::EndpointList => "List webhooks",
        Operation::EndpointGet => "Show a webhook",
        Operation::EndpointUpdate => "Change a webhook",
        Operation::EndpointDelete => "Delete a webhook",
        Operation::EndpointTest => "Send a test event",
        Operation::DiagnosticsShow => "See what goes wrong",
        Operation::KeysList => "List signing keys",
        Operation::KeysRotate => "Rotate the signing key",
    }
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
    let mut items = vec![
        format!("Every call carries your API key: {header}. {sees}{}", plan.unwrap_or_default()),
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
    page.code("sh", &curl(calls, api, route, &route.calls[0]));
    let needed = route.operation.bounds().needed;
    let rows = request_rows(contract, route.request.members(), needed, "", limits);
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

fn purpose(contract: &Contract, calls: &Calls<'_>, route: &Route) -> String {
    match route.operation {
        Operation::EndpointCreate => {
            let secret = match calls.shows_secret() {
                true => " The answer shows the secret, this once: store it.",
                false => "",
            };
            let validated = match contract.rules().validation {
                Some(_) => {
                    " The URL is validated first, as described below, and refused if it \
                            does not pass."
                }
                None => "",
            };
            format!(
                "From the answer on, every new event that you asked for is sent.{secret}{validated}"
            )
        }
        Operation::EndpointList => "The newest comes first.".to_owned(),
        Operation::EndpointGet => "Shows one webhook as it is now.".to_owned(),
        Operation::EndpointUpdate => {
            let validated = match contract.rules().validation {
                Some(_) => " A new URL is validated first; if it does not pass, nothing changes.",
                None => "",
            };
            format!("Changes what you name and leaves the rest as it is.{validated}")
        }
        Operation::EndpointDelete => {
            "No delivery begins after the answer, and nothing that waits is sent.".to_owned()
        }
        Operation::EndpointTest => {
            "Sends a test event that is signed, delivered and retried as a real one.".to_owned()
        }
        Operation::DiagnosticsShow => format!(
            "Shows how your webhooks do, and the deliveries that were given up: at most {}, \
             those of the newest events first.",
            words::grouped(MOST_DEAD_LETTERS)
        ),
        Operation::KeysList => "Shows the keys that a verifier should trust now.".to_owned(),
        Operation::KeysRotate => "Makes a new key, which signs from then on.".to_owned(),
    }
}

/// A command that makes the call as it is.
fn curl(calls: &Calls<'_>, api: &ManagementApi, route: &Route, call: &Call) -> String {
    let method = match call.reads() {
        true => String::new(),
        false => format!("-X {} ", call.method),
    };
    let header = shell(&authorization(api));
    let mut command = format!("curl {method}{} \\\n  -H {header}", calls.url(call));
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

fn request_rows(
    contract: &Contract,
    members: &[RequestMember],
    needed: &[Field],
    below: &str,
    limits: &Limits,
) -> Vec<[String; 4]> {
    let row = |member: &RequestMember| {
        let dot = if below.is_empty() { "" } else { "." };
        let path = format!("{below}{dot}{}", member.name);
        match &member.value {
            RequestValue::Table(inner) => request_rows(contract, inner, needed, &path, limits),
            RequestValue::Field { field, absent } => {
                let absent = absent.as_ref().map(|word| {
                    format!(" {} says the same as leaving it out.", code(&word.to_string()))
                });
                let is_needed = needed.contains(field) || is_required(contract, *field, needed);
                vec![[
                    code(&path),
                    kind(*field).to_owned(),
                    if is_needed { "yes" } else { "no" }.to_owned(),
                    meaning(contract, *field, limits) + &absent.unwrap_or_default(),
                ]]
            }
        }
    };
    members.iter().flat_map(row).collect()
}

/// Whether the contract asks for a text that the operation itself does not need.
pub(super) fn is_required(contract: &Contract, field: Field, needed: &[Field]) -> bool {
    let rules = contract.rules();
    let texts = [(Field::Name, &rules.name), (Field::Description, &rules.description)];
    let asked = |(text, rule): &(Field, &TextRule)| {
        *text == field && rule.presence == TextPresence::Required
    };
    !needed.is_empty() && texts.iter().any(asked)
}

fn kind(field: Field) -> &'static str {
    use crate::contract::api::FieldKind;
    match field.kind() {
        FieldKind::Text => "string",
        FieldKind::Texts => "list of strings",
        FieldKind::Truth => "true or false",
        FieldKind::Any => "any",
    }
}

fn meaning(contract: &Contract, field: Field, limits: &Limits) -> String {
    let of = |rule: &TextRule| format!(" It has {}.", super::limits::length(rule));
    match field {
        Field::Url => {
            format!("Where deliveries go: {}.", super::limits::address(contract, limits))
        }
        Field::Types => {
            let only = match contract.rules().types {
                TypesRule::Any => "",
                TypesRule::Catalog => " One that does not exist is refused.",
            };
            format!("The events that you want, at least one; patterns may be among them.{only}")
        }
        Field::Subjects => "Only events about these objects. Without it, about all.".to_owned(),
        Field::Name => format!("Its name.{}", of(&contract.rules().name)),
        Field::Description => format!("What it is for.{}", of(&contract.rules().description)),
        Field::Active => "`true` switches it on, `false` off.".to_owned(),
        Field::Status => "`active`; `paused`: deliveries wait until it is active again; or \
                          `disabled`: it is switched off and gets nothing."
            .to_owned(),
        Field::Secret => "A secret that was made elsewhere, instead of a new one.".to_owned(),
        Field::EndpointId => "The webhook that gets it. Without it, all that your key sees.".into(),
        Field::EventType => {
            "The type of the event. Without it, for each webhook one that it gets.".to_owned()
        }
        Field::EventData => "The data of the event. Without it, the example above.".to_owned(),
    }
}
