//! PHP, with its standard library.

use super::algorithm::Algorithm;
use super::origin::Origin;
use super::plan::{Key, Part, Plan, Run};
use super::quote::Quoting;
use super::{Language, Parameter, TOLERANCE_SECONDS, prose};
use crate::signature::{Encoding, Value};

/// Single quotes keep everything but themselves and the backslash.
const TEXT: Quoting = Quoting { mark: '\'', special: &[], control: |control| control.to_string() };

pub(super) fn print(plan: &Plan<'_>) -> String {
    let parameters: Vec<_> = plan.parameters(Language::Php).into_iter().map(declaration).collect();
    let tolerance =
        plan.when_timed(&format!("const TOLERANCE = {TOLERANCE_SECONDS}; // seconds\n\n"));
    format!(
        "<?php

declare(strict_types=1);

namespace Webhooks;

{tolerance}{doc}function verify({parameters}): bool
{{
    $headers = array_change_key_case($headers);
{received}{facts}{fresh}{content}{compare}}}

{sign}",
        doc = doc(plan),
        parameters = parameters.join(", "),
        received = received(plan),
        facts = facts(plan),
        fresh = plan.when_timed(FRESHNESS),
        content = content(plan),
        compare = compare(plan),
        sign = sign(plan),
    )
}

const FRESHNESS: &str = "    if (abs(($now ?? time()) - (int) $timestamp) > TOLERANCE) {
        return false;
    }
";

fn declaration(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::Headers => "array $headers",
        Parameter::Method => "string $method",
        Parameter::Body => "string $body",
        Parameter::Query => "string $query",
        Parameter::Payload => "string $payload",
        Parameter::Id => "string $id",
        Parameter::Secrets => "array $secrets",
        Parameter::Now => "?int $now = null",
    }
}

fn doc(plan: &Plan<'_>) -> String {
    let mut doc = "/**\n".to_owned() + &prose::intro(plan, " * ");
    for parameter in plan.parameters(Language::Php) {
        let text = prose::parameter(Language::Php, parameter);
        let declared = declaration(parameter);
        let declared = declared.trim_end_matches(" = null").replace("array $s", "string[] $s");
        doc += &prose::lines(&format!("@param {declared} {text}."), " * ", " *     ");
    }
    doc + " */\n"
}

fn header(name: &str) -> String {
    format!("$headers['{name}'] ?? ''")
}

fn received(plan: &Plan<'_>) -> String {
    let header = header(plan.header);
    match &plan.value {
        Value::Whole => format!("    $signature = {header};\n"),
        Value::List { separator, join, timestamp } => {
            let separator = TEXT.quote(separator);
            let value = match join {
                None => header,
                Some(join) => format!("str_replace({}, {separator}, {header})", TEXT.quote(join)),
            };
            let time = timestamp.as_ref().map_or_else(String::new, |name| {
                let (length, name) = (name.len(), TEXT.quote(name));
                format!(
                    "    $isTime = fn ($item) => str_starts_with($item, {name});
    $timestamp = substr(current(array_filter($items, $isTime)) ?: '', {length});
"
                )
            });
            format!("    ${} = explode({separator}, {value});\n{time}", plan.candidates().1)
        }
        Value::Pattern(parts) => {
            let regex = super::regex::regex(parts, plan.algorithm, plan.candidate.encoding);
            let regex = TEXT.quote(&format!("~^{}$~D", regex.replace('~', "\\~")));
            let groups = match plan.timestamp {
                Some(Origin::Value) => "$timestamp, $signature",
                Some(Origin::Header(_) | Origin::Member(_)) | None => "$signature",
            };
            format!(
                "    if (!preg_match({regex}, {header}, $match)) {{
        return false;
    }}
    [, {groups}] = $match;
"
            )
        }
    }
}

fn facts(plan: &Plan<'_>) -> String {
    let mut facts = String::new();
    match &plan.id {
        None | Some(Origin::Value) => {}
        Some(Origin::Header(name)) => facts += &format!("    $id = {};\n", header(name)),
        Some(Origin::Member(path)) => {
            let path: String = path.iter().map(|name| format!("['{name}']")).collect();
            facts += &format!("    $id = json_decode($body, true){path} ?? '';\n");
        }
    }
    if let Some(Origin::Header(name)) = plan.timestamp {
        facts += &format!("    $timestamp = {};\n", header(name));
    }
    facts
}

fn content(plan: &Plan<'_>) -> String {
    if let [Run::Raw(_)] = plan.runs()[..] {
        return String::new();
    }
    let part = |part: &Part<'_>| match part {
        Part::Literal(text) => TEXT.quote(text),
        Part::Id | Part::Timestamp | Part::Method | Part::Raw(_) => {
            format!("${}", Plan::text(&[*part], "", str::to_owned))
        }
    };
    let parts: Vec<_> = plan.content.iter().map(part).collect();
    format!("    $content = {};\n", parts.join(" . "))
}

fn compare(plan: &Plan<'_>) -> String {
    let content = match plan.runs()[..] {
        [Run::Raw(raw)] => raw.name(),
        _ => "content",
    };
    let (one, all) = plan.candidates();
    let same = |indent: &str| {
        format!(
            "{indent}if (hash_equals($expected, ${one})) {{
{indent}    return true;
{indent}}}
"
        )
    };
    let tries = match plan.is_list() {
        true => {
            format!(
                "        foreach (${all} as ${one}) {{
{}        }}
",
                same("            ")
            )
        }
        false => same("        "),
    };
    format!(
        "    foreach ($secrets as $secret) {{
        $expected = sign($secret, ${content});
{tries}    }}
    return false;
"
    )
}

fn sign(plan: &Plan<'_>) -> String {
    let (steps, key) = match &plan.key {
        Key::Text => (String::new(), "$secret"),
        Key::Decoded { prefix, encoding } => {
            let text = match *prefix {
                "" => "$secret".to_owned(),
                prefix => format!("substr($secret, strlen({}))", TEXT.quote(prefix)),
            };
            let decoded = match encoding {
                Encoding::Hex => format!("hex2bin({text})"),
                Encoding::Base64 => format!("base64_decode({text}, true)"),
            };
            (format!("    $key = {decoded};\n"), "$key")
        }
    };
    let binary = match plan.candidate.encoding {
        Encoding::Hex => "",
        Encoding::Base64 => ", true",
    };
    let hmac = |hash: &str| format!("hash_hmac('{hash}', $content, {key}{binary})");
    let (more, mac) = match plan.algorithm {
        Algorithm::HmacSha256 => (String::new(), hmac("sha256")),
        Algorithm::HmacSha512 => (String::new(), hmac("sha512")),
        Algorithm::Ed25519 => (
            format!("    $pair = sodium_crypto_sign_seed_keypair({key});\n"),
            "sodium_crypto_sign_detached($content, sodium_crypto_sign_secretkey($pair))".to_owned(),
        ),
    };
    let encoded = match (plan.candidate.encoding, plan.algorithm) {
        (Encoding::Hex, Algorithm::HmacSha256 | Algorithm::HmacSha512) => mac,
        (Encoding::Hex, Algorithm::Ed25519) => format!("bin2hex({mac})"),
        (Encoding::Base64, _) => format!("base64_encode({mac})"),
    };
    let text = plan.candidate.around(&encoded, " . ", |text| TEXT.quote(text));
    format!(
        "function sign(string $secret, string $content): string
{{
{steps}{more}    return {text};
}}
"
    )
}
