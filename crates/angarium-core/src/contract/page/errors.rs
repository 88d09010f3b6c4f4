//! How the management calls say no.

use super::json::readable;
use super::markdown::{Markdown, code};
use super::words::or;
use crate::contract::Contract;
use crate::contract::api::{Access, ErrorKind, Field, ManagementApi, Operation, Route};
use crate::refusal::{Code, Refusal};

pub(super) fn write(page: &mut Markdown, contract: &Contract, api: &ManagementApi) {
    page.heading(3, "Errors");
    page.say("A call that is refused changes nothing. Its answer says why:");
    page.code("json", &readable(&sample(api)));
    let mut rows: Vec<(u16, Vec<String>, Vec<&str>)> = Vec::new();
    let routes: Vec<_> = api.routes().iter().collect();
    for (refusal, when) in possible(contract, &routes) {
        let (status, name) = shown(api, refusal);
        match rows.iter_mut().find(|(known, names, _)| *known == status && names[0] == name) {
            Some((_, _, reasons)) => reasons.push(when),
            None => rows.push((status, vec![name], vec![when])),
        }
    }
    rows.sort_by_key(|(status, ..)| *status);
    let row = |(status, names, reasons): (u16, Vec<String>, Vec<&str>)| {
        let names: Vec<_> = names.iter().map(|name| code(name)).collect();
        [status.to_string(), or(&names), reasons.join(" ")]
    };
    page.table(["Status", "Code", "When"], rows.into_iter().map(row));
}

/// A refusal as the contract prints it; RFC 9457 where it has no form of its own.
fn sample(api: &ManagementApi) -> Vec<u8> {
    let refusal = Refusal::whole(Code::Unauthorized, "there is no such key");
    match api.print_error(&refusal) {
        Some(answer) => answer.body,
        None => {
            let code = refusal.code.as_str();
            let problem = serde_json::json!({
                "type": format!("urn:angarium:problem:{code}"),
                "title": "Unauthorized",
                "status": refusal.code.status(),
                "code": code,
                "detail": refusal.message,
            });
            problem.to_string().into_bytes()
        }
    }
}

/// The status and the code by which the contract says a code of the gateway's.
pub(super) fn shown(api: &ManagementApi, refused: Code) -> (u16, String) {
    let kind = ErrorKind::of_status(refused.status());
    let words = api.error.as_ref().and_then(|shape| {
        shape.kinds.iter().find(|(known, _)| *known == kind).map(|(_, words)| words)
    });
    let status = words.and_then(|words| words.status).unwrap_or(refused.status());
    let code = words.and_then(|words| words.code.as_deref()).unwrap_or(refused.as_str());
    (status, code.to_owned())
}

/// What these calls can be refused for.
pub(super) fn possible(contract: &Contract, routes: &[&Route]) -> Vec<(Code, &'static str)> {
    let has_id = routes.iter().any(|route| route.calls.iter().any(|call| call.path.has_id()));
    let takes = |field: Field| {
        routes.iter().any(|route| route.request.fields().iter().any(|(_, known)| *known == field))
    };
    let has = |access: Access| routes.iter().any(|r| r.operation.bounds().access == access);
    let does = |operation: Operation| routes.iter().any(|r| r.operation == operation);
    let (changes, receives) = (has(Access::Changes), has(Access::Receives));
    let calls = changes || has(Access::Reads);
    let makes = does(Operation::EndpointCreate);
    let publishes = receives || does(Operation::EndpointTest) || does(Operation::SourceTest);
    let needs = routes.iter().any(|route| !route.operation.bounds().needed.is_empty());
    let url = takes(Field::Url) || takes(Field::SourceUrl);
    let rules = contract.rules();
    let all = [
        (changes, Code::InvalidJson, "The body is not JSON."),
        (changes, Code::InvalidIdempotencyKey, "The `Idempotency-Key` is empty or too long."),
        (calls, Code::Unauthorized, "There is no API key, or not a good one."),
        (receives, Code::Unauthorized, "There is no signature, or not the right one."),
        (calls, Code::Forbidden, "The key may not do this."),
        (receives, Code::Forbidden, "The webhook takes nothing in."),
        (rules.plan.is_some() && makes, Code::PlanRequired, "Your plan has no webhooks."),
        (
            has_id || takes(Field::EndpointId) || takes(Field::SourceId),
            Code::NotFound,
            "There is no such webhook, or not one of yours.",
        ),
        (true, Code::MethodNotAllowed, "The path has not that method."),
        (changes, Code::Conflict, "Others change the same webhook at the same time."),
        (makes, Code::TooManyEndpoints, "You have as many webhooks as you may have."),
        (
            changes,
            Code::IdempotencyInFlight,
            "A call with this `Idempotency-Key` is still under way.",
        ),
        (changes || receives, Code::BodyTooLarge, "The body is too long."),
        (changes, Code::UnsupportedMediaType, "The `Content-Type` is not `application/json`."),
        (changes, Code::InvalidField, "A member has a value that is not allowed."),
        (needs, Code::MissingField, "A member that is needed is not there."),
        (changes, Code::UnknownField, "There is a member that the call does not know."),
        (takes(Field::Types), Code::InvalidSubscription, "There is no such event."),
        (takes(Field::SourceTypes), Code::InvalidSubscription, "An event has no possible name."),
        (url, Code::InvalidUrl, "The URL is not one that deliveries can go to."),
        (url, Code::SchemeNotAllowed, "The URL begins with the wrong scheme."),
        (url, Code::ForbiddenAddress, "The URL does not lead to a public address."),
        (
            rules.validation.is_some() && takes(Field::Url),
            Code::ValidationFailed,
            "The URL did not pass its validation.",
        ),
        (takes(Field::Secret), Code::InvalidSecret, "The secret is not of the right form."),
        (changes, Code::IdempotencyMismatch, "The `Idempotency-Key` was used with another body."),
        (
            publishes,
            Code::RateLimited,
            "More events a second than agreed; `Retry-After` says when.",
        ),
        (true, Code::Overloaded, "Too much at once; come back in a moment."),
        (true, Code::Internal, "Something failed on our side."),
        (true, Code::NodeOverloaded, "Too much at once, not by you; come back in a moment."),
        (true, Code::Unavailable, "Not now; send it again in a moment."),
    ];
    all.into_iter().filter(|(can, ..)| *can).map(|(_, code, when)| (code, when)).collect()
}
