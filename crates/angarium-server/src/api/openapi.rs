//! The OpenAPI document and its page: made from the handlers, then completed with what all calls
//! share, so that no answer is undocumented.

use super::problem::{PROBLEM_JSON, ProblemBody};
use super::{access, idempotency};
use angarium_core::account::Scope;
use angarium_core::permission::Level;
use angarium_core::refusal::Code;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use std::collections::BTreeMap;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Content, ContentBuilder, InfoBuilder, OpenApi, PathItem, Ref, RefOr, Required, ResponseBuilder,
    Schema,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The page may run its own scripts and styles, and fetch from here; nothing else.
const PAGE_POLICY: &str = concat!(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; ",
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; ",
    "frame-ancestors 'none'",
);

/// Statuses that every call under `/v1` may answer.
const ALWAYS: &[u16] = &[400, 401, 403, 404, 429, 500, 503];
/// Statuses that calls with a body may answer too.
const WITH_BODY: &[u16] = &[409, 413, 415, 422];

/// The document of the whole API.
pub fn document() -> OpenApi {
    complete(super::described().into_openapi())
}

/// Adds what all calls share.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("Angarium")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "A webhook gateway whose contract is a file. Publish an event once; it is delivered, \
             signed, to every endpoint that asked for it.",
        ))
        .build();
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A key of the instance, of an environment or of a tenant; each call names the scopes, \
             any one of which is enough",
        ))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let problem = (ProblemBody::name().into_owned(), ProblemBody::schema());
    components.schemas.insert(problem.0, problem.1);
    let optional = bodies_without_required_members(&components.schemas);
    for (path, item) in &mut document.paths.paths {
        if path.starts_with("/v1/") {
            complete_item(path, item, &optional);
        }
    }
    document
}

/// Schemas of bodies that may be absent: a body without content reads as `{}`.
fn bodies_without_required_members(schemas: &BTreeMap<String, RefOr<Schema>>) -> Vec<String> {
    let has_none = |schema: &RefOr<Schema>| match schema {
        RefOr::T(Schema::Object(object)) => object.required.is_empty(),
        _ => false,
    };
    let names = schemas.iter().filter(|(_, schema)| has_none(schema));
    names.map(|(name, _)| format!("#/components/schemas/{name}")).collect()
}

fn free_body(operation: &mut Operation, optional: &[String]) {
    let Some(RefOr::T(body)) = &mut operation.request_body else {
        return;
    };
    let is_optional = |content: &RefOr<Content>| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. }) => {
            optional.contains(&schema.ref_location)
        }
        _ => false,
    };
    if body.content.values().any(is_optional) {
        body.required = Some(Required::False);
    }
}

fn complete_item(path: &str, item: &mut PathItem, optional: &[String]) {
    if let Some(operation) = &mut item.get {
        complete_operation(operation, ALWAYS.to_vec());
        say_who_may(operation, &Method::GET, path);
    }
    let changing = [
        (&mut item.post, Method::POST),
        (&mut item.put, Method::PUT),
        (&mut item.patch, Method::PATCH),
        (&mut item.delete, Method::DELETE),
    ];
    for (operation, method) in changing {
        let Some(operation) = operation else { continue };
        complete_operation(operation, [ALWAYS, WITH_BODY].concat());
        say_who_may(operation, &method, path);
        free_body(operation, optional);
        let most = angarium_core::limits::Limits::default().idempotency_key_chars;
        let key = text().min_length(Some(1)).max_length(Some(most));
        let description = "The same key and body replays the first answer for 24 h";
        push(operation, header_parameter(idempotency::HEADER, description, key));
    }
}

fn complete_operation(operation: &mut Operation, statuses: Vec<u16>) {
    let description = "The environment's slug; needed with a key of the instance";
    let slug = text().pattern(Some("^[a-z0-9-]{1,63}$"));
    push(operation, header_parameter("Angarium-Environment", description, slug));
    for status in statuses {
        let response = problem_response(status);
        let answers = &mut operation.responses.responses;
        answers.entry(status.to_string()).or_insert(RefOr::T(response));
    }
}

/// Names the scopes, any one of which is enough, and says from which level upwards.
fn say_who_may(operation: &mut Operation, method: &Method, path: &str) {
    let Ok(need) = access::need(method, path) else { return };
    let with = |scope: &Scope| SecurityRequirement::new("bearer", [scope.as_str()]);
    operation.security = Some(need.scopes.iter().map(with).collect());
    let of_whom = match need.level {
        Level::Tenant => "",
        Level::Environment => " of the environment or the instance",
        Level::Instance => " of the instance",
    };
    let who = format!("Needs a key{of_whom} with the scope {}.", need.scope_names());
    let said = operation.description.take().filter(|said| !said.is_empty());
    operation.description = Some(match said {
        Some(said) => format!("{said}\n\n{who}"),
        None => who,
    });
}

fn problem_response(status: u16) -> utoipa::openapi::Response {
    let codes = Code::ALL.iter().filter(|code| code.status() == status);
    let codes: Vec<_> = codes.map(|code| format!("`{}`", code.as_str())).collect();
    let schema = Ref::from_schema_name(ProblemBody::name());
    ResponseBuilder::new()
        .description(format!("Refused: {}", codes.join(", ")))
        .content(PROBLEM_JSON, ContentBuilder::new().schema(Some(schema)).build())
        .build()
}

fn header_parameter(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn push(operation: &mut Operation, parameter: Parameter) {
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
}

/// Serves the document at `/openapi.json` and its page at `/docs/api`, offline.
pub(super) fn page<S: Clone + Send + Sync + 'static>(document: OpenApi) -> Router<S> {
    const PLACE: &str = "/openapi.json";
    // Printed once: whoever asks for it again and again costs a copy each time.
    let text = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
    let json = HeaderValue::from_static("application/json");
    let answer = async move || ([(header::CONTENT_TYPE, json)], text);
    let page = SwaggerUi::new("/docs/api").config(Config::from(PLACE));
    Router::from(page).route(PLACE, get(answer)).layer(middleware::from_fn(confine))
}

async fn confine(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_says_who_may_make_it_and_how_it_refuses() {
        let document = serde_json::to_value(document()).expect("a document");
        assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
        let paths = document["paths"].as_object().expect("paths");
        assert!(paths.len() >= 20);
        for (path, item) in paths {
            for (method, call) in item.as_object().expect("calls") {
                assert!(call["summary"].is_string(), "{method} {path}");
                if path.starts_with("/v1/") {
                    let refused = &call["responses"]["401"]["content"];
                    assert!(refused[PROBLEM_JSON].is_object(), "{method} {path}");
                    let scope = &call["security"][0]["bearer"][0];
                    assert!(scope.is_string(), "{method} {path}");
                    let said = call["description"].as_str().unwrap_or_default();
                    assert!(said.contains("Needs a key"), "{method} {path}");
                }
            }
        }
    }
}
