//! The file that answers make: complete, commented, and as strong as the answers allow.

use super::answers::{Answers, Api, Keys, Retries, Signature};
use std::fmt::Display;

/// The contract's text.
pub(super) fn text(answers: &Answers) -> String {
    let mut parts = vec![head(answers), events(answers), request(answers)];
    parts.extend(signature(answers));
    parts.push(delivery(answers));
    parts.push(endpoint(answers));
    parts.extend(api(answers));
    parts.concat()
}

/// A text as TOML writes it.
fn quoted(text: impl Display) -> String {
    toml::Value::String(text.to_string()).to_string()
}

fn head(answers: &Answers) -> String {
    let (name, title) = (quoted(answers.name()), quoted(answers.title()));
    format!("{HEAD}contract = {name}\ntitle = {title}\n")
}

const HEAD: &str = "\
# What the platform says about its webhooks. `angarium contract check FILE` finds mistakes and weak
# choices, `angarium contract docs FILE` prints the page for the platform's customers.
";

fn events(answers: &Answers) -> String {
    let events: Vec<_> = answers.events().into_iter().map(event).collect();
    format!("{CATALOG}{}", events.join("\n"))
}

const CATALOG: &str = "
# The catalog: what may happen, with an example of the data and what the data may be.
";

fn event(name: &str) -> String {
    let (key, description) = (quoted(name), quoted(format!("When {name} happens.")));
    format!("[events.{key}]\ndescription = {description}\n{DATA}")
}

const DATA: &str = r#"example = { id = "1" }
schema.type = "object"
schema.required = ["id"]
schema.properties.id.type = "string"
"#;

fn request(answers: &Answers) -> String {
    let headers = match answers.signature {
        Signature::None => String::new(),
        Signature::Standard => STANDARD_HEADERS.to_owned(),
        Signature::HmacHex => {
            format!("{TIME_HEADER}{} = \"{{timestamp}}\"\n", answers.time_header())
        }
    };
    format!("{REQUEST}{headers}")
}

const REQUEST: &str = r#"
# What a delivery is. Its id is the same on every retry, so receivers find duplicates by it.
[request.body]
id = "{event.id}"
type = "{event.type}"
timestamp = "{event.time}"
data = "{event.data}"
"#;

const STANDARD_HEADERS: &str = r#"
# The sequence lets a receiver see that it missed nothing.
[request.headers]
webhook-id = "{event.id}"
webhook-timestamp = "{timestamp}"
webhook-sequence = "{sequence}"
"#;

const TIME_HEADER: &str = "
# The time of the attempt, so that a receiver can refuse what is old.
[request.headers]
";

fn signature(answers: &Answers) -> Option<String> {
    let rule = match answers.signature {
        Signature::None => return None,
        Signature::Standard => STANDARD_RULE.to_owned(),
        Signature::HmacHex => {
            let (header, content) = (quoted(answers.header()), quoted(answers.content()));
            format!("header = {header}\ncontent = {content}\n{HMAC_RULE}")
        }
    };
    let keys = match answers.keys {
        Keys::Endpoint => ENDPOINT_KEYS,
        Keys::Tenant => TENANT_KEYS,
    };
    Some(format!("{SIGNATURE}{rule}{keys}"))
}

const SIGNATURE: &str = "
# How it is signed; while keys change, the header has the values of both.
[[request.signature]]
";

const STANDARD_RULE: &str = r#"header = "webhook-signature"
algorithm = "hmac-sha256"
content = "{id}.{timestamp}.{body}"
value = "v1,{base64}"
join = " "
key = { prefix = "whsec_", encoding = "base64", use = "bytes", bytes = 32, accepts = [24, 64] }
"#;

const HMAC_RULE: &str = r#"algorithm = "hmac-sha256"
value = "{hex}"
join = " "
key = { prefix = "whsec_", encoding = "hex", use = "text", bytes = 32 }
"#;

const ENDPOINT_KEYS: &str = r#"
# Each endpoint has its own key; after a rotation the old one signs for another day.
[keys]
scope = "endpoint"
overlap = "24h"
"#;

const TENANT_KEYS: &str = r#"
# A tenant's endpoints share one key; after a rotation the old one signs for another day.
[keys]
scope = "tenant"
overlap = "24h"
"#;

fn delivery(answers: &Answers) -> String {
    let retries = match &answers.retries {
        Retries::Growing => GROWING.to_owned(),
        Retries::Waits(waits) if waits.is_empty() => "retries = []\n".to_owned(),
        Retries::Waits(waits) => {
            let waits: Vec<_> = waits.iter().map(quoted).collect();
            format!("retries = [{}]\njitter = 0.2\n", waits.join(", "))
        }
    };
    format!("{DELIVERY}{retries}")
}

const DELIVERY: &str = r#"
# A 2xx within the timeout is success; anything else is tried again.
[delivery]
timeout = "10s"
"#;

const GROWING: &str = r#"retries = { base = "5s", factor = 2, cap = "1h", window = "24h" }
"#;

fn endpoint(answers: &Answers) -> String {
    let most = match answers.api {
        Api::None => "",
        Api::Bearer | Api::OwnHeader => "max_per_key = 20\n",
    };
    format!("\n[endpoint]\nschemes = [\"https\"]\n{most}")
}

fn api(answers: &Answers) -> Option<String> {
    let auth = match answers.api {
        Api::None => return None,
        Api::Bearer => "auth = { header = \"Authorization\", scheme = \"Bearer\" }\n",
        Api::OwnHeader => "auth = { header = \"X-API-Key\" }\n",
    };
    let secret = match answers.signature {
        Signature::None => "",
        Signature::Standard | Signature::HmacHex => SECRET,
    };
    Some(format!("{API}{auth}{WEBHOOK}{secret}{ROUTES}"))
}

const API: &str = "
# The calls of the platform's customers.
[api]
";

const WEBHOOK: &str = r#"id = "wh_{base32}"

[api.shapes.webhook]
id = "{endpoint.id}"
url = "{endpoint.url}"
events = "{endpoint.types}"
active = "{endpoint.active}"
created_at = "{endpoint.created_at}"
"#;

const SECRET: &str = r#"# It is shown once, when it is made.
secret = "{secret}"
"#;

const ROUTES: &str = r#"
[[api.route]]
call = "POST /v1/webhooks"
does = "endpoint.create"
request = { url = "{endpoint.url}", events = "{endpoint.types}" }
status = 201
response = "{webhook}"

[[api.route]]
call = "GET /v1/webhooks"
does = "endpoint.list"
response = { webhooks = ["{webhook}"] }

[[api.route]]
call = "GET /v1/webhooks/{id}"
does = "endpoint.get"
response = "{webhook}"

[[api.route]]
call = "PATCH /v1/webhooks/{id}"
does = "endpoint.update"
request = { url = "{endpoint.url}", events = "{endpoint.types}", active = "{endpoint.active}" }
response = "{webhook}"

[[api.route]]
call = "DELETE /v1/webhooks/{id}"
does = "endpoint.delete"

[[api.route]]
call = "POST /v1/webhooks/{id}/test"
does = "endpoint.test"
status = 202
response = { events = "{test.events}" }
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use angarium_core::contract::{Contract, Weakness};
    use angarium_core::limits::Limits;
    use angarium_server::schema;

    #[test]
    fn every_combination_of_answers_makes_a_contract_as_strong_as_they_allow() {
        for (signature, _) in Signature::NAMES.iter().map(|(name, value)| (value, name)) {
            for (_, keys) in Keys::NAMES {
                for (_, api) in Api::NAMES {
                    let (signature, keys, api) = (*signature, *keys, *api);
                    let answers = Answers { signature, keys, api, ..Answers::default() };
                    let contract = Contract::parse("x.toml", &text(&answers), &Limits::default());
                    let contract = contract.unwrap_or_else(|mistakes| panic!("{mistakes}"));
                    let weak: Vec<_> = contract.warnings().iter().map(|w| w.weakness).collect();
                    match signature {
                        Signature::None => assert_eq!(weak, [Weakness::NotSigned]),
                        Signature::Standard | Signature::HmacHex => assert_eq!(weak, []),
                    }
                    assert_eq!(schema::warnings(&contract), []);
                    assert_eq!(contract.api().is_some(), api != Api::None);
                }
            }
        }
    }
}
