//! What the programs say of themselves: the same sentences in every language.

use super::algorithm::Algorithm;
use super::plan::{Key, Part, Plan, Raw};
use super::{Language, Parameter, TOLERANCE_SECONDS};
use crate::signature::{Encoding, PatternPart, Value};

/// Width of a printed line, with its indentation.
const WIDTH: usize = 84;

/// A text of the contract that can stand in a comment of any language.
pub(super) fn plain(text: &str) -> String {
    let kept = |c: char| !c.is_control() && !"*\"\\`<>#?{}".contains(c);
    text.chars().map(|c| if kept(c) { c } else { ' ' }).collect()
}

/// What the function promises: two paragraphs of lines that begin with `prefix`, each with an empty
/// line after it.
pub(super) fn intro(plan: &Plan<'_>, prefix: &str) -> String {
    let what = format!("Tells whether a delivery comes from {}.", plan.title);
    let mut how = vec![signature(plan)];
    how.extend(weaker(plan));
    how.push(key(plan));
    how.extend(freshness(plan));
    let empty = prefix.trim_end();
    let paragraph = |text: &str| lines(text, prefix, prefix) + empty + "\n";
    paragraph(&what) + &paragraph(&how.join(" "))
}

/// What an argument is, without a full stop.
pub(super) fn parameter(language: Language, parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::Headers => headers(language),
        Parameter::Method => "the method of the request, in capitals",
        Parameter::Body if language == Language::Php => {
            "the RAW body, as file_get_contents('php://input') has it; JSON that was parsed and \
             printed again has other bytes"
        }
        Parameter::Body => {
            "the RAW body, byte for byte as it arrived; JSON that was parsed and printed again has \
             other bytes"
        }
        Parameter::Query => "the RAW query string, as it was sent, without the question mark",
        Parameter::Payload => {
            "of a POST the RAW body, byte for byte as it arrived (JSON that was parsed and printed \
             again has other bytes); of a GET the RAW query string, without the question mark"
        }
        Parameter::Id => "the id of the event, which stands in the body",
        Parameter::Secrets => {
            "the secrets that are good now: the current one, and the prior one while it is being \
             replaced"
        }
        Parameter::Now => now(language),
    }
}

/// How a language finds a header, whatever the case of its name.
fn headers(language: Language) -> &'static str {
    match language {
        Language::Python => {
            "the headers of the request, found in any case, as Flask and Django have them; a plain \
             dict must have their names in lower case"
        }
        Language::JavaScript => {
            "the headers of the request, their names in lower case, as `request.headers` of Node \
             has them"
        }
        Language::Go => "the headers of the request",
        Language::Java => "finds a header in any case, or null, as `request::getHeader` does",
        Language::Ruby => {
            "the headers of the request, found in any case, as Rails has them; a Hash must have \
             their names in lower case"
        }
        Language::Php => "the headers of the request in any case, as getallheaders() has them",
        Language::CSharp => "finds a header in any case, or null: `name => Request.Headers[name]`",
        Language::Rust => {
            "finds a header in any case; with the crate `http`: `|name| \
             headers.get(name)?.to_str().ok()`"
        }
    }
}

fn now(language: Language) -> &'static str {
    match language {
        Language::Python | Language::Php => "the unix time, if it is not the clock's",
        Language::JavaScript => "the unix time in seconds, if it is not the clock's",
        Language::Ruby => "a Time, if it is not the clock's",
        Language::CSharp => "the time, if it is not the clock's",
        Language::Go | Language::Java => "the current time",
        Language::Rust => "such as `SystemTime::now()`",
    }
}

fn signature(plan: &Plan<'_>) -> String {
    let header = format!("The header `{}`", plan.written_header);
    let mac = mac(plan);
    let around = match (&*plan.candidate.before, &*plan.candidate.after) {
        ("", "") => String::new(),
        (before, "") => format!("`{before}` and "),
        (before, after) => format!("between `{before}` and `{after}` "),
    };
    match &plan.value {
        Value::Whole => format!("{header} must be {around}{mac}."),
        Value::List { .. } => format!("{header} is a list: one item must be {around}{mac}."),
        Value::Pattern(parts) => {
            format!("{header} has the form `{}`: the signature must be {mac}.", form(parts))
        }
    }
}

fn mac(plan: &Plan<'_>) -> String {
    let content = match plan.content[..] {
        [Part::Raw(Raw::Body)] => "the raw body".to_owned(),
        [Part::Raw(Raw::Query)] => "the raw query string".to_owned(),
        [Part::Raw(Raw::Payload)] => "the raw body or, of a GET, the raw query string".to_owned(),
        _ => format!("`{}`", plain_content(plan.written)),
    };
    let encoding = match plan.candidate.encoding {
        Encoding::Hex => "hex",
        Encoding::Base64 => "base64",
    };
    let algorithm = match plan.algorithm {
        Algorithm::HmacSha256 => "HMAC-SHA256",
        Algorithm::HmacSha512 => "HMAC-SHA512",
        Algorithm::Ed25519 => "Ed25519 signature",
    };
    format!("the {encoding} {algorithm} of {content}")
}

/// The content as the contract writes it, braces and all, fit for a comment.
fn plain_content(written: &str) -> String {
    let kept = |c: char| !c.is_control() && !"*\"\\`<>#?".contains(c);
    written.chars().map(|c| if kept(c) { c } else { ' ' }).collect()
}

fn form(parts: &[PatternPart]) -> String {
    let piece = |part: &PatternPart| match part {
        PatternPart::Literal(text) => plain(text),
        PatternPart::Timestamp => "{timestamp}".to_owned(),
        PatternPart::Signature => "{signature}".to_owned(),
        PatternPart::Other(_) => "{another}".to_owned(),
    };
    parts.iter().map(piece).collect()
}

fn weaker(plan: &Plan<'_>) -> Option<String> {
    let names: Vec<_> = plan.weaker.iter().map(|name| format!("`{}`", plain(name))).collect();
    let reason = match plan.signs_timestamp() {
        true => "which binds the timestamp too",
        false => "which binds the most",
    };
    let names = names.join(" and ");
    (!names.is_empty())
        .then(|| format!("This is the strongest signature, {reason}; {names} is passed over."))
}

fn key(plan: &Plan<'_>) -> String {
    match &plan.key {
        Key::Text => "The key is the text of the secret, as it is shown.".to_owned(),
        Key::Decoded { prefix, encoding } => {
            let encoding = match encoding {
                Encoding::Hex => "hex",
                Encoding::Base64 => "base64",
            };
            match &*plain(prefix) {
                "" => format!("The key is the secret, decoded from {encoding}."),
                prefix => {
                    format!(
                        "The key is what follows `{prefix}` in the secret, decoded from {encoding}."
                    )
                }
            }
        }
    }
}

fn freshness(plan: &Plan<'_>) -> Option<String> {
    plan.timestamp.as_ref()?;
    let unsigned =
        if plan.signs_timestamp() { "" } else { "; it is not signed, so this is no proof" };
    Some(format!("A timestamp more than {TOLERANCE_SECONDS} seconds off is refused{unsigned}."))
}

/// A paragraph as lines that begin with `prefix`; all but the first with `hang` instead.
pub(super) fn lines(text: &str, prefix: &str, hang: &str) -> String {
    let mut out = String::new();
    let mut line = prefix.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            hang.clone_into(&mut line);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out + line.trim_end() + "\n"
}
