//! Python, with its standard library.

use super::algorithm::Algorithm;
use super::origin::Origin;
use super::plan::{Key, Part, Plan, Run};
use super::quote::{Quoting, octal};
use super::{Language, Parameter, TOLERANCE_SECONDS, prose};
use crate::signature::{Encoding, Value};

const TEXT: Quoting = Quoting { mark: '"', special: &[], control: octal };

/// Nothing where the standard library cannot verify.
pub(super) fn print(plan: &Plan<'_>) -> Option<String> {
    let hash = match plan.algorithm {
        Algorithm::HmacSha256 => "sha256",
        Algorithm::HmacSha512 => "sha512",
        Algorithm::Ed25519 => return None,
    };
    let (imports, doc, content) = (imports(plan), doc(plan), content(plan));
    let parameters: Vec<_> = plan.parameters(Language::Python).into_iter().map(name).collect();
    let parameters = parameters.join(", ");
    let tolerance = match plan.timestamp {
        Some(_) => format!(
            "TOLERANCE = {TOLERANCE_SECONDS}  # seconds


"
        ),
        None => "\n".to_owned(),
    };
    let facts = received(plan) + &facts(plan) + &plan.when_timed(FRESHNESS);
    let compare = compare(plan);
    let sign = sign(plan, hash);
    Some(format!(
        "{imports}
{tolerance}def verify({parameters}):
{doc}{facts}{content}{compare}

{sign}"
    ))
}

fn name(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::Headers => "headers",
        Parameter::Method => "method",
        Parameter::Body => "body",
        Parameter::Query => "query",
        Parameter::Payload => "payload",
        Parameter::Id => "event_id",
        Parameter::Secrets => "secrets",
        Parameter::Now => "now=None",
    }
}

fn imports(plan: &Plan<'_>) -> String {
    let mut modules = Vec::new();
    modules.extend(plan.uses(Encoding::Base64).then_some("base64"));
    modules.push("hmac");
    modules.extend(matches!(plan.id, Some(Origin::Member(_))).then_some("json"));
    modules.extend(matches!(plan.value, Value::Pattern(_)).then_some("re"));
    modules.extend(plan.timestamp.as_ref().map(|_| "time"));
    modules.iter().map(|module| format!("import {module}\n")).collect()
}

fn doc(plan: &Plan<'_>) -> String {
    let intro = prose::intro(plan, "    ");
    let mut doc = intro.replacen("Tells", "\"\"\"Tells", 1);
    for parameter in plan.parameters(Language::Python) {
        let text = prose::parameter(Language::Python, parameter);
        let bytes = match parameter {
            Parameter::Body | Parameter::Query | Parameter::Payload => " (bytes)",
            Parameter::Headers
            | Parameter::Method
            | Parameter::Id
            | Parameter::Secrets
            | Parameter::Now => "",
        };
        let name = name(parameter).trim_end_matches("=None");
        doc += &prose::lines(&format!("{name}{bytes}: {text}."), "    ", "        ");
    }
    doc + "    \"\"\"\n"
}

fn header(name: &str) -> String {
    format!("headers.get(\"{name}\", \"\").encode(errors=\"replace\")")
}

/// The header's value, taken apart.
fn received(plan: &Plan<'_>) -> String {
    let header = header(plan.header);
    match &plan.value {
        Value::Whole => format!("    signature = {header}\n"),
        Value::List { separator, join, timestamp } => {
            let join = join.as_ref().map_or_else(String::new, |join| {
                format!(".replace({}, {})", bytes(join), bytes(separator))
            });
            let split = format!("{join}.split({})", bytes(separator));
            let items = format!("    {} = {header}{split}\n", plan.candidates().1);
            let time = timestamp.as_ref().map_or_else(String::new, |name| {
                let (length, name) = (name.len(), bytes(name));
                format!(
                    "    timestamp = next((item[{length}:] for item in items if \
                     item.startswith({name})), b\"\")\n"
                )
            });
            items + &time
        }
        Value::Pattern(parts) => {
            let regex = super::regex::regex(parts, plan.algorithm, plan.candidate.encoding);
            let regex = match regex.contains('"') {
                true => format!("b{}", TEXT.quote(&regex)),
                false => format!("rb\"{regex}\""),
            };
            let groups = match plan.timestamp {
                Some(Origin::Value) => "timestamp, signature",
                _ => "(signature,)",
            };
            format!(
                "    match = re.fullmatch({regex}, {header})
    if not match:
        return False
    {groups} = match.groups()
"
            )
        }
    }
}

fn facts(plan: &Plan<'_>) -> String {
    let mut facts = String::new();
    match &plan.id {
        None | Some(Origin::Value) => {}
        Some(Origin::Header(name)) => facts += &format!("    event_id = {}\n", header(name)),
        Some(Origin::Member(path)) => {
            let path: String = path.iter().map(|name| format!("[\"{name}\"]")).collect();
            facts += &format!(
                "    try:
        event_id = json.loads(body){path}.encode()
    except Exception:  # not the JSON that was sent
        return False
"
            );
        }
    }
    if let Some(Origin::Header(name)) = plan.timestamp {
        facts += &format!("    timestamp = {}\n", header(name));
    }
    facts
}

const FRESHNESS: &str = "    try:
        age = int(time.time() if now is None else now) - int(timestamp)
    except ValueError:
        return False
    if abs(age) > TOLERANCE:
        return False
";

/// The line that puts the signed bytes together; none where they are the body itself.
fn content(plan: &Plan<'_>) -> String {
    if plan.runs().len() == 1 {
        return String::new();
    }
    let (mut format, mut values) = (String::new(), Vec::new());
    for part in &plan.content {
        match part {
            Part::Literal(text) => {
                format += &bytes_inside(text).replace('%', "%%");
                continue;
            }
            Part::Id => values.push("event_id"),
            Part::Timestamp => values.push("timestamp"),
            Part::Method => values.push("method.encode()"),
            Part::Raw(raw) => values.push(raw.name()),
        }
        format += "%b";
    }
    let values = match &values[..] {
        [one] => format!("{one},"),
        several => several.join(", "),
    };
    format!("    content = b\"{format}\" % ({values})\n")
}

fn compare(plan: &Plan<'_>) -> String {
    let content = match plan.runs()[..] {
        [Run::Raw(raw)] => raw.name(),
        _ => "content",
    };
    let (one, all) = plan.candidates();
    let same = format!("hmac.compare_digest(sign(secret, {content}), {one})");
    if !plan.is_list() {
        return format!("    return any({same} for secret in secrets)\n");
    }
    format!(
        "    return any(
        {same}
        for secret in secrets
        for {one} in {all}
    )
"
    )
}

fn sign(plan: &Plan<'_>, hash: &str) -> String {
    let (steps, key) = match &plan.key {
        Key::Text => (String::new(), "secret.encode()"),
        Key::Decoded { prefix, encoding } => {
            let decode = match encoding {
                Encoding::Hex => "bytes.fromhex",
                Encoding::Base64 => "base64.b64decode",
            };
            let text = match *prefix {
                "" => "secret".to_owned(),
                prefix => format!("secret.removeprefix({})", TEXT.quote(prefix)),
            };
            (format!("    key = {decode}({text})\n"), "key")
        }
    };
    let mac = format!("hmac.digest({key}, content, \"{hash}\")");
    let text = match plan.candidate.encoding {
        Encoding::Hex => format!("{mac}.hex().encode()"),
        Encoding::Base64 => format!("base64.b64encode({mac})"),
    };
    let text = plan.candidate.around(&text, " + ", bytes);
    format!(
        "def sign(secret, content):
{steps}    return {text}
"
    )
}

fn bytes(text: &str) -> String {
    format!("b\"{}\"", bytes_inside(text))
}

/// A bytes literal has only ASCII.
fn bytes_inside(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b'\n' => "\\n".to_owned(),
        b' '..=b'~' => char::from(byte).to_string(),
        other => format!("\\x{other:02x}"),
    };
    text.bytes().map(byte).collect()
}
