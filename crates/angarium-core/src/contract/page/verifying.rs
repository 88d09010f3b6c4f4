//! How the signature is made, said so that it can be checked, and what to do with the result.

use super::markdown::{Markdown, code};
use super::members::{Member, of_headers};
use super::words::and;
use crate::contract::signature::SignatureRule;
use crate::contract::template::Placeholder;
use crate::contract::{Contract, KeyPresence, KeyRule, KeyScope};
use crate::signature::{Content, ContentPart, ValuePart};
use crate::signature::{Encoding, KeyForm, KeyUse};
use crate::verification::{self, Language};

pub(super) fn write(page: &mut Markdown, contract: &Contract) {
    let Some(keys) = contract.key_rule() else {
        return;
    };
    page.heading(2, "Verifying a delivery");
    page.say(&introduction(contract, keys));
    for rule in &contract.signatures {
        page.say(&sentence(contract, rule));
    }
    if let Some(join) = contract.signatures.first().and_then(|rule| rule.form.join.as_deref()) {
        page.say(&format!(
            "The header may hold several signatures{}: accept the delivery if any one of them is \
             right.",
            match join {
                " " => ", with a space between them".to_owned(),
                other => format!(", with {} between them", code(other)),
            }
        ));
    }
    page.list(advice(contract));
    let codes =
        Language::ALL.map(|language| Some((language, verification::code(contract, language)?)));
    let codes: Vec<_> = codes.into_iter().flatten().collect();
    if !codes.is_empty() {
        page.say("Code that does all of this:");
    }
    for (language, text) in codes {
        page.code(&format!("{} {}", language.slug(), language.name()), &text);
    }
}

fn introduction(contract: &Contract, keys: &KeyRule) -> String {
    let header = contract.signatures.first().map(|rule| contract.written_header(&rule.header));
    let header = code(header.unwrap_or_default());
    let key = match keys.scope {
        KeyScope::Endpoint => "the webhook's own secret",
        KeyScope::Tenant => "the signing key that all your webhooks share",
    };
    match keys.presence {
        KeyPresence::Required => {
            format!("Every delivery is signed with {key}; the header {header} says how.")
        }
        KeyPresence::Optional => format!(
            "A webhook that has a signing key gets its deliveries signed with it; the header \
             {header} says how. Without a key there is no such header."
        ),
    }
}

/// One signature in one sentence, and where the secret's bytes are.
fn sentence(contract: &Contract, rule: &SignatureRule) -> String {
    let names = Names::of(contract);
    let header = code(contract.written_header(&rule.header));
    let made: Vec<_> = rule
        .form
        .value
        .iter()
        .filter_map(|part| match part {
            ValuePart::Hex(number) => Some((*number, "lower-case hex")),
            ValuePart::Base64(number) => Some((*number, "base64")),
            ValuePart::Literal(_)
            | ValuePart::Timestamp
            | ValuePart::Enveloped(_)
            | ValuePart::Jwt
            | ValuePart::Secret => None,
        })
        .map(|(number, encoding)| made(&rule.form.contents[number], encoding, rule, &names))
        .collect();
    let shape = match &*rule.form.value {
        [ValuePart::Hex(_) | ValuePart::Base64(_)] => format!("{header} is"),
        [ValuePart::Literal(text), ValuePart::Hex(_) | ValuePart::Base64(_)] => {
            format!("{header} is {} and after it", code(text))
        }
        parts => {
            let pattern: String = parts.iter().map(|part| pattern(part, rule)).collect();
            let time = match parts.contains(&ValuePart::Timestamp) {
                true => "`<timestamp>` is when this attempt was made, in seconds since 1970; ",
                false => "",
            };
            format!("{header} is {}, where {time}", code(&pattern))
        }
    };
    let several = made.len() > 1 || shape.ends_with("; ") || shape.ends_with("where ");
    let made = match several {
        false => made.concat(),
        true => {
            let named = rule.form.contents.iter().zip(&made);
            let named = named.map(|(c, made)| format!("{} is {made}", code(&slot(&c.name))));
            and(&named.collect::<Vec<_>>())
        }
    };
    let key = match rule.form.algorithm.has_public_key() {
        false => key_sentence(&rule.form.key),
        true => pair_sentence(&rule.form.key),
    };
    format!("{} {made}. {key}", shape.trim_end())
}

/// The text between angle brackets that stands for a signature.
fn slot(content: &str) -> String {
    match content {
        "" => "<signature>".to_owned(),
        name => format!("<{name}>"),
    }
}

fn pattern(part: &ValuePart, rule: &SignatureRule) -> String {
    match part {
        ValuePart::Literal(text) => text.to_string(),
        ValuePart::Timestamp => "<timestamp>".to_owned(),
        ValuePart::Secret => "<secret>".to_owned(),
        ValuePart::Enveloped(_) | ValuePart::Jwt => "<token>".to_owned(),
        ValuePart::Hex(number) | ValuePart::Base64(number) => {
            slot(&rule.form.contents[*number].name)
        }
    }
}

/// `the lower-case hex of an HMAC-SHA256 of the raw body`.
fn made(content: &Content, encoding: &str, rule: &SignatureRule, names: &Names) -> String {
    let algorithm = rule.form.algorithm.described();
    format!("the {encoding} of {algorithm} of {}", said(content, names))
}

/// What is signed. One part is said in words; several are shown as they stand together.
fn said(content: &Content, names: &Names) -> String {
    if let [part] = &*content.parts {
        return match part {
            ContentPart::Body => "the raw request body".to_owned(),
            ContentPart::Query => "the query string as it was sent".to_owned(),
            ContentPart::Payload => {
                "the raw request body (of a GET: of the query string as it was sent)".to_owned()
            }
            ContentPart::Id => "the event's id".to_owned(),
            ContentPart::Timestamp => "the timestamp".to_owned(),
            ContentPart::Literal(text) => code(text),
            other => other.described(),
        };
    }
    let part = |part: &ContentPart| match part {
        ContentPart::Literal(text) => text.to_string(),
        ContentPart::Body => "<raw body>".to_owned(),
        ContentPart::Query => "<query string>".to_owned(),
        ContentPart::Payload => "<raw body, or query string of a GET>".to_owned(),
        ContentPart::Id => format!("<{}>", names.id),
        ContentPart::Timestamp => format!("<{}>", names.timestamp),
        other => format!("<{}>", other.described()),
    };
    let shown: String = content.parts.iter().map(part).collect();
    format!("the text {}", code(&shown))
}

/// What a receiver calls the id and the timestamp that are signed.
struct Names {
    id: String,
    timestamp: String,
}

impl Names {
    fn of(contract: &Contract) -> Self {
        let headers = of_headers(&contract.request);
        let header = |fact: Placeholder| {
            let alone = |member: &&Member| member.facts == [fact.clone()];
            headers.iter().find(alone).map(|member| member.name.clone())
        };
        Self {
            id: header(Placeholder::Id).unwrap_or_else(|| "event id".to_owned()),
            timestamp: header(Placeholder::Timestamp).unwrap_or_else(|| "timestamp".to_owned()),
        }
    }
}

fn key_sentence(key: &KeyForm) -> String {
    let prefix = code(&key.prefix);
    let encoding = match key.encoding {
        Encoding::Hex => "hex",
        Encoding::Base64 => "base64",
    };
    match (key.usage, key.prefix.is_empty()) {
        (KeyUse::Pem, _) => "The key is a public key in PEM form.".to_owned(),
        (KeyUse::Jwk, _) => "The key is a public key as a JWK.".to_owned(),
        (KeyUse::Text, true) => "The key is the secret's whole text as it was shown.".to_owned(),
        (KeyUse::Text, false) => {
            format!("The key is the secret's whole text as it was shown, {prefix} included.")
        }
        (KeyUse::Bytes, true) => format!("The key is the bytes that the secret has in {encoding}."),
        (KeyUse::Bytes, false) => {
            format!("The key is the bytes that the secret has in {encoding} after {prefix}.")
        }
    }
}

/// A secret that is the seed of a pair of keys.
fn pair_sentence(key: &KeyForm) -> String {
    let encoding = match key.encoding {
        Encoding::Hex => "hex",
        Encoding::Base64 => "base64",
    };
    let after = match key.prefix.is_empty() {
        true => String::new(),
        false => format!(" after {}", code(&key.prefix)),
    };
    format!(
        "It is verified with the public key of the pair whose seed the secret has in \
         {encoding}{after}; who has only the public key can verify and not sign."
    )
}

fn advice(contract: &Contract) -> Vec<String> {
    let mut advice = vec![
        "Verify the bytes as they came, before anything parses or reformats them.".to_owned(),
        "Compare in constant time, so that nobody can guess a signature byte by byte.".to_owned(),
    ];
    if has_timestamp(contract) {
        advice.push(
            "Refuse a timestamp that is more than five minutes off: somebody may have recorded \
             the delivery and sent it again. Retries are signed anew, so theirs is fresh."
                .to_owned(),
        );
    }
    advice.push(
        "Answer 401 where the signature is not right, and do nothing else with the request."
            .to_owned(),
    );
    advice
}

/// Whether a receiver can tell when an attempt was made, and be sure of it.
pub(super) fn has_timestamp(contract: &Contract) -> bool {
    let in_value = |rule: &SignatureRule| rule.form.value.contains(&ValuePart::Timestamp);
    let signed = |rule: &SignatureRule| {
        rule.form.contents.iter().any(|content| content.parts.contains(&ContentPart::Timestamp))
    };
    contract.signatures.iter().any(|rule| in_value(rule) || signed(rule))
}
