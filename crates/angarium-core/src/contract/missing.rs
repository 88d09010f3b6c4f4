//! What to write where a key is missing: a line that the grammar accepts.

/// Where a key stands, its name, and a line that may be written for it. A place is the beginning of
/// a section's path; the longest that fits is taken.
const LINES: &[(&str, &str, &str)] = &[
    ("", "contract", r#"contract = "my-platform""#),
    ("", "title", r#"title = "My Platform""#),
    ("", "events", r#"events."order.paid" = { description = "An order was paid.", example = {} }"#),
    ("", "request", r#"request.body = "{event.data}""#),
    ("", "keys", r#"keys.scope = "endpoint""#),
    ("", "delivery", r#"delivery = { timeout = "10s", retries = ["5s", "5m", "1h"] }"#),
    ("", "endpoint", r#"endpoint.schemes = ["https"]"#),
    ("events.", "description", r#"description = "An order was paid.""#),
    ("events.", "example", r#"example = { order = "o_1" }"#),
    ("request", "body", r#"body = "{event.data}""#),
    ("request", "query", r#"query = { type = "{event.type}" }"#),
    ("request.signature", "header", r#"header = "X-Signature""#),
    ("request.signature", "algorithm", r#"algorithm = "hmac-sha256""#),
    ("request.signature", "content", r#"content = "{timestamp}.{body}""#),
    ("request.signature", "value", r#"value = "{hex}""#),
    ("request.signature", "key", r#"key = { encoding = "hex", use = "text", bytes = 32 }"#),
    ("request.signature", "encoding", r#"encoding = "hex""#),
    ("request.signature", "use", r#"use = "text""#),
    ("request.signature", "bytes", "bytes = 32"),
    ("keys", "scope", r#"scope = "endpoint""#),
    ("delivery", "timeout", r#"timeout = "10s""#),
    ("delivery", "retries", r#"retries = ["5s", "5m", "1h"]"#),
    ("delivery.breaker", "failures", "failures = 10"),
    ("delivery.breaker", "wait", r#"wait = "5s""#),
    ("delivery.breaker", "cap", r#"cap = "5m""#),
    ("delivery.retries", "base", r#"base = "5s""#),
    ("delivery.retries", "cap", r#"cap = "1h""#),
    ("delivery.retry_after", "floor", r#"floor = "1s""#),
    ("delivery.retry_after", "cap", r#"cap = "1h""#),
    ("health", "disable_after", "disable_after = { failed_deliveries = 10 }"),
    ("health.disable_after", "failed_deliveries", "failed_deliveries = 10"),
    ("health.disable_after", "deliveries", "deliveries = 20"),
    ("endpoint", "schemes", r#"schemes = ["https"]"#),
    ("endpoint.validation", "method", r#"method = "GET""#),
    ("endpoint.validation", "header", r#"header = "X-Validation-Key""#),
    ("endpoint.validation", "status", "status = 200"),
    ("endpoint.validation", "timeout", r#"timeout = "10s""#),
    ("api", "auth", r#"auth = { header = "Authorization", scheme = "Bearer" }"#),
    ("api.auth", "header", r#"header = "X-API-Key""#),
    ("api.auth.key", "prefix", r#"prefix = "key_""#),
    ("api.auth.key", "encoding", r#"encoding = "hex""#),
    ("api.auth.key", "bytes", "bytes = 32"),
    ("api.error", "body", r#"body = { error = "{error.code}", message = "{error.message}" }"#),
    ("api.route", "call", r#"call = "GET /v1/webhooks""#),
    ("api.route", "does", r#"does = "endpoint.list""#),
];

/// The line for a key of a section.
pub(super) fn line(section: &str, key: &str) -> Option<&'static str> {
    let fits = |(place, name, _): &&(&str, &str, &str)| {
        *name == key && section.starts_with(place) && (place.is_empty() == section.is_empty())
    };
    let lines = LINES.iter().filter(fits);
    lines.max_by_key(|(place, ..)| place.len()).map(|(.., line)| *line)
}
