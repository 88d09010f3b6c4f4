//! The file that answers make: complete, commented, and as strong as the answers allow.

use super::answers::{Answers, Api, Keys, Retries, Signature};
use std::fmt::Display;

/// The contract's text.
pub(super) fn text(answers: &Answers) -> String {
    let mut parts = vec![head(answers)];
    parts.extend(answers.events().into_iter().map(event));
    parts.push(request(answers));
    parts.extend(signature(answers));
    parts.push(delivery(answers));
    parts.push(endpoint(answers));
    parts.extend(api(answers));
    parts.join("\n")
}

/// A text as TOML writes it.
fn quoted(text: impl Display) -> String {
    toml::Value::String(text.to_string()).to_string()
}

fn head(answers: &Answers) -> String {
    format!(
        "# What {title} says about its webhooks. `angarium contract check FILE` finds mistakes and\n\
         # weak choices; the contract language has a page of its own in the documentation.\n\
         contract = {name}\n\
         title = {quoted}\n\
         \n\
         # The catalog: what may happen, with an example of the data and what the data may be.\n",
        title = answers.title(),
        name = quoted(answers.name()),
        quoted = quoted(answers.title()),
    )
}

fn event(name: &str) -> String {
    format!(
        "[events.{}]\n\
         description = {}\n\
         example = {{ id = \"1\" }}\n\
         schema = {{ type = \"object\", required = [\"id\"], properties = {{ id = {{ type = \"string\" }} }} }}\n",
        quoted(name),
        quoted(format!("When {name} happens.")),
    )
}

fn request(answers: &Answers) -> String {
    let headers = match answers.signature {
        Signature::Standard => "\n# The sequence lets a receiver see that it missed nothing.\n\
             [request.headers]\n\
             webhook-id = \"{event.id}\"\n\
             webhook-timestamp = \"{timestamp}\"\n\
             webhook-sequence = \"{sequence}\"\n"
            .to_owned(),
        Signature::HmacHex => format!(
            "\n# The time of the attempt, so that a receiver can refuse what is old.\n\
             [request.headers]\n\
             {} = \"{{timestamp}}\"\n",
            answers.time_header()
        ),
        Signature::None => String::new(),
    };
    format!(
        "# What a delivery is. Its id is the same on every retry: receivers find duplicates by it.\n\
         [request]\n\
         body = {{ id = \"{{event.id}}\", type = \"{{event.type}}\", timestamp = \"{{event.time}}\", \
         data = \"{{event.data}}\" }}\n\
         {headers}"
    )
}

fn signature(answers: &Answers) -> Option<String> {
    let rule = match answers.signature {
        Signature::None => return None,
        Signature::Standard => "header = \"webhook-signature\"\n\
             algorithm = \"hmac-sha256\"\n\
             content = \"{id}.{timestamp}.{body}\"\n\
             value = \"v1,{base64}\"\n\
             join = \" \"\n\
             key = { prefix = \"whsec_\", encoding = \"base64\", use = \"bytes\", bytes = 32, \
             accepts = [24, 64] }\n"
            .to_owned(),
        Signature::HmacHex => format!(
            "header = {}\n\
             algorithm = \"hmac-sha256\"\n\
             content = {}\n\
             value = \"{{hex}}\"\n\
             join = \" \"\n\
             key = {{ prefix = \"whsec_\", encoding = \"hex\", use = \"text\", bytes = 32 }}\n",
            quoted(answers.header()),
            quoted(answers.content()),
        ),
    };
    let (scope, whose) = match answers.keys {
        Keys::Endpoint => ("endpoint", "Each endpoint has its own key"),
        Keys::Tenant => ("tenant", "A tenant's endpoints share one key"),
    };
    Some(format!(
        "# How it is signed; while keys change, the header has the values of both.\n\
         [[request.signature]]\n\
         {rule}\n\
         # {whose}; after a rotation the old one signs for another day.\n\
         [keys]\n\
         scope = \"{scope}\"\n\
         overlap = \"24h\"\n"
    ))
}

fn delivery(answers: &Answers) -> String {
    let retries = match &answers.retries {
        Retries::Growing => {
            "retries = { base = \"5s\", factor = 2, cap = \"1h\", window = \"24h\" }\n".to_owned()
        }
        Retries::Waits(waits) if waits.is_empty() => "retries = []\n".to_owned(),
        Retries::Waits(waits) => {
            let waits: Vec<_> = waits.iter().map(quoted).collect();
            format!("retries = [{}]\njitter = 0.2\n", waits.join(", "))
        }
    };
    format!(
        "# A 2xx within the timeout is success; anything else is tried again.\n\
         [delivery]\n\
         timeout = \"10s\"\n\
         {retries}"
    )
}

fn endpoint(answers: &Answers) -> String {
    let most = match answers.api {
        Api::None => "",
        Api::Bearer | Api::ApiKey => "max_per_key = 20\n",
    };
    format!("[endpoint]\nschemes = [\"https\"]\n{most}")
}

fn api(answers: &Answers) -> Option<String> {
    let auth = match answers.api {
        Api::None => return None,
        Api::Bearer => "{ header = \"Authorization\", scheme = \"Bearer\" }",
        Api::ApiKey => "{ header = \"X-API-Key\" }",
    };
    let secret = match answers.signature {
        Signature::None => "",
        Signature::Standard | Signature::HmacHex => ", secret = \"{secret}\"",
    };
    Some(format!(
        "# The calls of the platform's customers.\n\
         [api]\n\
         auth = {auth}\n\
         id = \"wh_{{base32}}\"\n\
         \n\
         # The secret is shown once, when it is made.\n\
         [api.shapes]\n\
         webhook = {{ id = \"{{endpoint.id}}\", url = \"{{endpoint.url}}\", \
         events = \"{{endpoint.types}}\", active = \"{{endpoint.active}}\"{secret}, \
         created_at = \"{{endpoint.created_at}}\" }}\n\
         {ROUTES}"
    ))
}

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
