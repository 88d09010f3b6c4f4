//! Rust, with the crates that the code names.

use super::algorithm::Algorithm;
use super::origin::Origin;
use super::plan::{Key, Part, Plan};
use super::quote::{Quoting, in_braces};
use super::regex::encoded_length;
use super::{Language, Parameter, TOLERANCE_SECONDS, prose};
use crate::signature::{Encoding, PatternPart, Value};

const TEXT: Quoting = Quoting { mark: '"', special: &[], control: in_braces };
const CHARACTER: Quoting = Quoting { mark: '\'', special: &[], control: in_braces };

/// Nothing for Ed25519, which would need one more crate.
pub(super) fn print(plan: &Plan<'_>) -> Option<String> {
    let hash = match plan.algorithm {
        Algorithm::HmacSha256 => "Sha256",
        Algorithm::HmacSha512 => "Sha512",
        Algorithm::Ed25519 => return None,
    };
    let parameters = plan.parameters(Language::Rust).into_iter();
    let parameters: String = parameters.map(|it| format!("    {},\n", declaration(it))).collect();
    let tolerance =
        plan.when_timed(&format!("const TOLERANCE: u64 = {TOLERANCE_SECONDS}; // seconds\n\n"));
    Some(format!(
        "{imports}
{tolerance}{doc}pub fn verify<'h>(
{parameters}) -> bool {{
{received}{facts}{fresh}{content}{compare}}}

{sign}{pattern}",
        imports = imports(plan, hash),
        doc = doc(plan),
        received = received(plan),
        facts = facts(plan),
        fresh = plan.when_timed(FRESHNESS),
        content = content(plan),
        compare = compare(plan),
        sign = sign(plan, hash),
        pattern = pattern(plan),
    ))
}

const FRESHNESS: &str =
    "    let clock = now.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
    if !timestamp.parse().is_ok_and(|sent| clock.abs_diff(sent) <= TOLERANCE) {
        return false;
    }
";

fn declaration(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::Headers => "header: impl Fn(&str) -> Option<&'h str>",
        Parameter::Method => "method: &str",
        Parameter::Body => "body: &[u8]",
        Parameter::Query => "query: &[u8]",
        Parameter::Payload => "payload: &[u8]",
        Parameter::Id => "id: &str",
        Parameter::Secrets => "secrets: &[&str]",
        Parameter::Now => "now: SystemTime",
    }
}

fn imports(plan: &Plan<'_>, hash: &str) -> String {
    let member = matches!(plan.id, Some(Origin::Member(_)));
    let (base64, hex) = (plan.uses(Encoding::Base64), plan.uses(Encoding::Hex));
    let crates = [
        ("base64 = \"0.22\"", base64),
        ("hex = \"0.4\"", hex),
        ("hmac = \"0.12\"", true),
        ("serde_json = \"1\"", member),
        ("sha2 = \"0.10\"", true),
        ("subtle = \"2\"", true),
    ];
    let uses = [
        ("base64::{engine::general_purpose::STANDARD, Engine}", base64),
        ("hmac::{Hmac, Mac}", true),
        (&*format!("sha2::{hash}"), true),
        ("std::time::{SystemTime, UNIX_EPOCH}", plan.timestamp.is_some()),
        ("subtle::ConstantTimeEq", true),
    ];
    let named = crates.iter().filter(|(_, used)| *used);
    let named: String = named.map(|(name, _)| format!("//     {name}\n")).collect();
    let used = uses.iter().filter(|(_, used)| *used);
    let used: String = used.map(|(name, _)| format!("use {name};\n")).collect();
    format!("// In Cargo.toml, below [dependencies]:\n{named}\n{used}")
}

fn doc(plan: &Plan<'_>) -> String {
    let mut doc = prose::intro(plan, "/// ");
    for parameter in plan.parameters(Language::Rust) {
        let text = prose::parameter(Language::Rust, parameter);
        let name = declaration(parameter).split(':').next().unwrap_or_default();
        doc += &prose::lines(&format!("* `{name}`: {text}."), "/// ", "///   ");
    }
    doc
}

fn header(name: &str) -> String {
    format!("header(\"{name}\").unwrap_or_default()")
}

fn received(plan: &Plan<'_>) -> String {
    let header = header(plan.header);
    match &plan.value {
        Value::Whole => format!("    let signature = {header};\n"),
        Value::List { separator, join, timestamp } => {
            let by = match separator.len() {
                1 => CHARACTER.quote(separator),
                _ => TEXT.quote(separator),
            };
            let separator = TEXT.quote(separator);
            let (all, join) = (plan.candidates().1, join.as_ref());
            let join = join.map_or_else(String::new, |join| {
                format!(".replace({}, {separator})", TEXT.quote(join))
            });
            let value = match join.is_empty() {
                true => format!("    let {all} = {header}.split({by});\n"),
                false => {
                    format!(
                        "    let value = {header}{join};
    let {all} = value.split({by});
"
                    )
                }
            };
            let time = timestamp.as_ref().map_or_else(String::new, |name| {
                let name = TEXT.quote(name);
                format!(
                    "    let timestamp = items.clone().find_map(|item| item.strip_prefix({name}));
    let timestamp = timestamp.unwrap_or_default();
"
                )
            });
            value + &time
        }
        Value::Pattern(_) => {
            let groups = match plan.timestamp {
                Some(Origin::Value) => "(timestamp, signature)",
                Some(Origin::Header(_) | Origin::Member(_)) | None => "signature",
            };
            format!(
                "    let Some({groups}) = take_apart({header}) else {{
        return false;
    }};
"
            )
        }
    }
}

/// A function that reads a value that is no list: there is no regular expression in `std`.
fn pattern(plan: &Plan<'_>) -> String {
    let Value::Pattern(parts) = &plan.value else {
        return String::new();
    };
    let length = |encoding| encoded_length(plan.algorithm, encoding);
    let step = |part: &PatternPart| match part {
        PatternPart::Literal(text) => {
            format!("    let rest = rest.strip_prefix({})?;\n", TEXT.quote(text))
        }
        PatternPart::Timestamp => {
            "    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (timestamp, rest) = rest.split_at(end);
"
            .to_owned()
        }
        PatternPart::Signature => {
            let length = length(plan.candidate.encoding);
            format!("    let (signature, rest) = (rest.get(..{length})?, &rest[{length}..]);\n")
        }
        PatternPart::Other(encoding) => {
            format!("    let rest = rest.get({}..)?;\n", length(*encoding))
        }
    };
    let (answer, groups) = match plan.timestamp {
        Some(Origin::Value) => ("(&str, &str)", "(timestamp, signature)"),
        Some(Origin::Header(_) | Origin::Member(_)) | None => ("&str", "signature"),
    };
    format!(
        "
fn take_apart(rest: &str) -> Option<{answer}> {{
{}    rest.is_empty().then_some({groups})
}}
",
        parts.iter().map(step).collect::<String>()
    )
}

fn facts(plan: &Plan<'_>) -> String {
    let mut facts = String::new();
    match &plan.id {
        None | Some(Origin::Value) => {}
        Some(Origin::Header(name)) => facts += &format!("    let id = {};\n", header(name)),
        Some(Origin::Member(path)) => {
            let pointer = TEXT.quote(&format!("/{}", path.join("/")));
            facts += &format!(
                "    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let id = json.pointer({pointer}).and_then(|id| id.as_str()).unwrap_or_default();
"
            );
        }
    }
    if let Some(Origin::Header(name)) = plan.timestamp {
        facts += &format!("    let timestamp = {};\n", header(name));
    }
    facts
}

fn content(plan: &Plan<'_>) -> String {
    if let [Part::Raw(_)] = plan.content[..] {
        return String::new();
    }
    let part = |part: &Part<'_>| match part {
        Part::Literal(text) if is_plain(text) => format!("b{}", TEXT.quote(text)),
        Part::Literal(text) => format!("{}.as_bytes()", TEXT.quote(text)),
        Part::Id => "id.as_bytes()".to_owned(),
        Part::Timestamp => "timestamp.as_bytes()".to_owned(),
        Part::Method => "method.as_bytes()".to_owned(),
        Part::Raw(raw) => raw.name().to_owned(),
    };
    let mut parts: Vec<_> = plan.content.iter().map(part).collect();
    // The first one says that they are slices, not arrays of some length.
    if parts[0].starts_with('b') && matches!(plan.content[0], Part::Literal(_)) {
        parts[0] += ".as_slice()";
    }
    format!("    let content = [{}].concat();\n", parts.join(", "))
}

/// A byte string takes neither other characters nor `\u`.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte))
}

fn compare(plan: &Plan<'_>) -> String {
    let content = match plan.content[..] {
        [Part::Raw(raw)] => raw.name(),
        _ => "&content",
    };
    let (one, all) = plan.candidates();
    let each = format!(
        "secrets
        .iter()
        .filter_map(|secret| sign(secret, {content}))"
    );
    match plan.is_list() {
        true => format!(
            "    {each}
        .any(|expected| {{
            let expected = expected.as_bytes();
            {all}.clone().any(|{one}| expected.ct_eq({one}.as_bytes()).into())
        }})
"
        ),
        false => format!(
            "    {each}
        .any(|expected| expected.as_bytes().ct_eq({one}.as_bytes()).into())
"
        ),
    }
}

fn sign(plan: &Plan<'_>, hash: &str) -> String {
    let (steps, key) = match &plan.key {
        Key::Text => (String::new(), "secret.as_bytes()"),
        Key::Decoded { prefix, encoding } => {
            let text = match *prefix {
                "" => "secret".to_owned(),
                prefix => format!("secret.strip_prefix({})?", TEXT.quote(prefix)),
            };
            let decode = match encoding {
                Encoding::Hex => "hex::decode",
                Encoding::Base64 => "STANDARD.decode",
            };
            (format!("    let key = {decode}({text}).ok()?;\n"), "&key")
        }
    };
    let mac = "mac.finalize().into_bytes()";
    let encoded = match plan.candidate.encoding {
        Encoding::Hex => format!("hex::encode({mac})"),
        Encoding::Base64 => format!("STANDARD.encode({mac})"),
    };
    let braces = |text: &str| TEXT.inside(text).replace('{', "{{").replace('}', "}}");
    let text = match (&*plan.candidate.before, &*plan.candidate.after) {
        ("", "") => encoded,
        (before, after) => {
            format!("format!(\"{}{{}}{}\", {encoded})", braces(before), braces(after))
        }
    };
    format!(
        "fn sign(secret: &str, content: &[u8]) -> Option<String> {{
{steps}    let mut mac = Hmac::<{hash}>::new_from_slice({key}).ok()?;
    mac.update(content);
    Some({text})
}}
"
    )
}
