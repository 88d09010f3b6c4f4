//! What the programs say of themselves: the same sentences in every language.

use super::plan::{Key, Part, PatternPart, Plan, Raw, Value};
use super::{Parameter, TOLERANCE_SECONDS};
use crate::contract::{Algorithm, Encoding};

/// Width of a printed line, with its indentation.
const WIDTH: usize = 84;

/// A text of the contract that can stand in a comment of any language.
pub(super) fn plain(text: &str) -> String {
    let kept = |c: char| !c.is_control() && !"*\"\\`<>#?{}".contains(c);
    text.chars().map(|c| if kept(c) { c } else { ' ' }).collect()
}

/// What the function promises, a paragraph each.
pub(super) fn promise(plan: &Plan<'_>) -> [String; 2] {
    let what = format!("Tells whether a delivery comes from {}.", plan.title);
    let mut how = vec![signature(plan)];
    how.extend(weaker(plan));
    how.push(key(plan));
    how.extend(freshness(plan));
    [what, how.join(" ")]
}

/// What an argument is; the languages say themselves what they take as headers and as time.
pub(super) fn parameter(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::Headers => "the headers of the request",
        Parameter::Method => "the method of the request, in capitals",
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
        Parameter::Now => "the current time",
    }
}

fn signature(plan: &Plan<'_>) -> String {
    let header = format!("The header `{}`", plan.header);
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
