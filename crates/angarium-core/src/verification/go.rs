//! Go, with its standard library.

use super::algorithm::Algorithm;
use super::origin::Origin;
use super::plan::{Key, Part, Plan, Run};
use super::quote::{Quoting, four_digits};
use super::{Language, Parameter, TOLERANCE_SECONDS, prose};
use crate::signature::{Encoding, Value};

const TEXT: Quoting = Quoting { mark: '"', special: &[], control: four_digits };

pub(super) fn print(plan: &Plan<'_>) -> String {
    let parameters: Vec<_> = plan.parameters(Language::Go).into_iter().map(declaration).collect();
    let tolerance =
        plan.when_timed(&format!("const tolerance = {TOLERANCE_SECONDS} // seconds\n\n"));
    format!(
        "// Package webhooks verifies the webhooks of {title}.
package webhooks

import (
{imports})

{tolerance}{pattern}{doc}func Verify({parameters}) bool {{
{received}{facts}{fresh}{content}{compare}}}

{sign}",
        title = plan.title,
        imports = imports(plan),
        pattern = pattern(plan),
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

const FRESHNESS: &str = "\tsent, err := strconv.ParseInt(timestamp, 10, 64)
\tif err != nil || sent < now.Unix()-tolerance || sent > now.Unix()+tolerance {
\t\treturn false
\t}
";

fn declaration(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::Headers => "header http.Header",
        Parameter::Method => "method string",
        Parameter::Body => "body []byte",
        Parameter::Query => "query []byte",
        Parameter::Payload => "payload []byte",
        Parameter::Id => "id string",
        Parameter::Secrets => "secrets []string",
        Parameter::Now => "now time.Time",
    }
}

fn imports(plan: &Plan<'_>) -> String {
    let member = matches!(plan.id, Some(Origin::Member(_)));
    let prefix = matches!(plan.key, Key::Decoded { prefix, .. } if !prefix.is_empty());
    let composed = plan.runs().len() > 1;
    let timed = plan.timestamp.is_some();
    let packages = [
        ("crypto/ed25519", plan.algorithm == Algorithm::Ed25519),
        ("crypto/hmac", true),
        ("crypto/sha256", plan.algorithm == Algorithm::HmacSha256),
        ("crypto/sha512", plan.algorithm == Algorithm::HmacSha512),
        ("encoding/base64", plan.uses(Encoding::Base64)),
        ("encoding/hex", plan.uses(Encoding::Hex)),
        ("encoding/json", member),
        ("fmt", composed),
        ("net/http", true),
        ("regexp", matches!(plan.value, Value::Pattern(_))),
        ("strconv", timed),
        ("strings", plan.is_list() || prefix),
        ("time", timed),
    ];
    let used = packages.iter().filter(|(_, used)| *used);
    used.map(|(package, _)| format!("\t\"{package}\"\n")).collect()
}

fn doc(plan: &Plan<'_>) -> String {
    let intro = prose::intro(plan, "// ");
    let mut doc = intro.replacen("Tells", "Verify tells", 1);
    for parameter in plan.parameters(Language::Go) {
        if matches!(parameter, Parameter::Headers | Parameter::Now) {
            continue;
        }
        let name = declaration(parameter).split(' ').next().unwrap_or_default();
        let line = format!("  - {name}: {}.", prose::parameter(Language::Go, parameter));
        doc += &prose::lines(&line, "// ", "//     ");
    }
    doc
}

fn pattern(plan: &Plan<'_>) -> String {
    let Value::Pattern(parts) = &plan.value else {
        return String::new();
    };
    let regex = super::regex::regex(parts, plan.algorithm, plan.candidate.encoding);
    format!(
        "var pattern = regexp.MustCompile({})

",
        TEXT.quote(&format!("^{regex}$"))
    )
}

fn received(plan: &Plan<'_>) -> String {
    let header = format!("header.Get(\"{}\")", plan.header);
    match &plan.value {
        Value::Whole => format!("\tsignature := {header}\n"),
        Value::List { separator, join, timestamp } => {
            let separator = TEXT.quote(separator);
            let value = match join {
                None => header,
                Some(join) => {
                    format!("strings.ReplaceAll({header}, {}, {separator})", TEXT.quote(join))
                }
            };
            let all = plan.candidates().1;
            let time = timestamp.as_ref().map_or_else(String::new, |name| {
                let (length, name) = (name.len(), TEXT.quote(name));
                format!(
                    "\tvar timestamp string
\tfor _, item := range items {{
\t\tif strings.HasPrefix(item, {name}) {{
\t\t\ttimestamp = item[{length}:]
\t\t\tbreak
\t\t}}
\t}}
"
                )
            });
            format!("\t{all} := strings.Split({value}, {separator})\n{time}")
        }
        Value::Pattern(_) => {
            let groups = match plan.timestamp {
                Some(Origin::Value) => "timestamp, signature := match[1], match[2]",
                Some(Origin::Header(_) | Origin::Member(_)) | None => "signature := match[1]",
            };
            format!(
                "\tmatch := pattern.FindStringSubmatch({header})
\tif match == nil {{
\t\treturn false
\t}}
\t{groups}
"
            )
        }
    }
}

fn facts(plan: &Plan<'_>) -> String {
    let mut facts = String::new();
    match &plan.id {
        None | Some(Origin::Value) => {}
        Some(Origin::Header(name)) => facts += &format!("\tid := header.Get(\"{name}\")\n"),
        Some(Origin::Member(path)) => facts += &member(path),
    }
    if let Some(Origin::Header(name)) = plan.timestamp {
        facts += &format!("\ttimestamp := header.Get(\"{name}\")\n");
    }
    facts
}

/// A struct with nothing but the id.
fn member(path: &[String]) -> String {
    let mut field = "string".to_owned();
    for (depth, name) in path.iter().enumerate().rev() {
        let indent = "\t".repeat(depth + 1);
        field = format!(
            "struct {{
{indent}\tMember {field} `json:\"{name}\"`
{indent}}}"
        );
    }
    let members = ".Member".repeat(path.len());
    format!(
        "\tvar event {field}
\tif err := json.Unmarshal(body, &event); err != nil {{
\t\treturn false
\t}}
\tid := event{members}
"
    )
}

fn content(plan: &Plan<'_>) -> String {
    if let [Run::Raw(_)] = plan.runs()[..] {
        return String::new();
    }
    let (mut format, mut values) = (String::new(), Vec::new());
    for part in &plan.content {
        match part {
            Part::Literal(text) => {
                format += &TEXT.inside(text).replace('%', "%%");
                continue;
            }
            Part::Id => values.push("id"),
            Part::Timestamp => values.push("timestamp"),
            Part::Method => values.push("method"),
            Part::Raw(raw) => values.push(raw.name()),
        }
        format += "%s";
    }
    format!("\tcontent := fmt.Appendf(nil, \"{format}\", {})\n", values.join(", "))
}

fn compare(plan: &Plan<'_>) -> String {
    let content = match plan.runs()[..] {
        [Run::Raw(raw)] => raw.name(),
        _ => "content",
    };
    let (one, all) = plan.candidates();
    let expected = match plan.key {
        Key::Text => format!("\t\texpected := sign(secret, {content})\n"),
        Key::Decoded { .. } => format!(
            "\t\texpected, err := sign(secret, {content})
\t\tif err != nil {{
\t\t\tcontinue // not a secret of this form
\t\t}}
"
        ),
    };
    let same = |indent: &str| {
        format!(
            "{indent}if hmac.Equal(expected, []byte({one})) {{
{indent}\treturn true
{indent}}}
"
        )
    };
    let tries = match plan.is_list() {
        true => format!(
            "\t\tfor _, {one} := range {all} {{
{}\t\t}}
",
            same("\t\t\t")
        ),
        false => same("\t\t"),
    };
    format!(
        "\tfor _, secret := range secrets {{
{expected}{tries}\t}}
\treturn false
"
    )
}

fn sign(plan: &Plan<'_>) -> String {
    let (answer, decode, key) = match &plan.key {
        Key::Text => ("[]byte", String::new(), "[]byte(secret)"),
        Key::Decoded { prefix, encoding } => {
            let text = match *prefix {
                "" => "secret".to_owned(),
                prefix => format!("strings.TrimPrefix(secret, {})", TEXT.quote(prefix)),
            };
            let decode = format!(
                "\tkey, err := {}.DecodeString({text})
\tif err != nil {{
\t\treturn nil, err
\t}}
",
                package(*encoding)
            );
            ("([]byte, error)", decode, "key")
        }
    };
    let hmac = |hash: &str| {
        let new = format!("\tmac := hmac.New({hash}, {key})\n\tmac.Write(content)\n");
        (new, "mac.Sum(nil)".to_owned())
    };
    let (steps, mac) = match plan.algorithm {
        Algorithm::HmacSha256 => hmac("sha256.New"),
        Algorithm::HmacSha512 => hmac("sha512.New"),
        Algorithm::Ed25519 => {
            (String::new(), format!("ed25519.Sign(ed25519.NewKeyFromSeed({key}), content)"))
        }
    };
    let encoded = format!("{}.EncodeToString({mac})", package(plan.candidate.encoding));
    let text = plan.candidate.around(&encoded, " + ", |text| TEXT.quote(text));
    let nil = if answer == "[]byte" { "" } else { ", nil" };
    format!(
        "func sign(secret string, content []byte) {answer} {{
{decode}{steps}\treturn []byte({text}){nil}
}}
"
    )
}

fn package(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Hex => "hex",
        Encoding::Base64 => "base64.StdEncoding",
    }
}
