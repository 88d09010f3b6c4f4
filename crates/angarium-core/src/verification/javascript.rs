//! JavaScript, with Node's standard library.

use super::algorithm::Algorithm;
use super::origin::Origin;
use super::plan::{Key, Part, Plan, Run};
use super::quote::{Quoting, four_digits};
use super::{Language, Parameter, TOLERANCE_SECONDS, prose};
use crate::signature::{Encoding, Value};

const TEXT: Quoting = Quoting { mark: '"', special: &[], control: four_digits };
const TEMPLATE: Quoting = Quoting { mark: '`', special: &['$'], control: four_digits };

pub(super) fn print(plan: &Plan<'_>) -> String {
    let names = match plan.algorithm {
        Algorithm::HmacSha256 | Algorithm::HmacSha512 => "createHmac, timingSafeEqual",
        Algorithm::Ed25519 => "createPrivateKey, sign as signWith, timingSafeEqual",
    };
    let tolerance =
        plan.when_timed(&format!("const TOLERANCE = {TOLERANCE_SECONDS}; // seconds\n\n"));
    let parameters: Vec<_> = plan.parameters(Language::JavaScript).into_iter().map(name).collect();
    let facts = received(plan) + &facts(plan) + &plan.when_timed(FRESHNESS);
    format!(
        "import {{ {names} }} from \"node:crypto\";

{tolerance}{doc}export function verify({parameters}) {{
{facts}{compare}}}

{sign}
{SAME}",
        doc = doc(plan),
        parameters = parameters.join(", "),
        compare = compare(plan),
        sign = sign(plan),
    )
}

const SAME: &str = "function same(left, right) {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
";

fn name(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::Headers => "headers",
        Parameter::Method => "method",
        Parameter::Body => "body",
        Parameter::Query => "query",
        Parameter::Payload => "payload",
        Parameter::Id => "id",
        Parameter::Secrets => "secrets",
        Parameter::Now => "now = Date.now() / 1000",
    }
}

fn doc(plan: &Plan<'_>) -> String {
    let mut doc = "/**\n".to_owned() + &prose::intro(plan, " * ");
    for parameter in plan.parameters(Language::JavaScript) {
        let kind = match parameter {
            Parameter::Headers => "Object",
            Parameter::Body | Parameter::Query | Parameter::Payload => "Buffer|string",
            Parameter::Method | Parameter::Id => "string",
            Parameter::Secrets => "string[]",
            Parameter::Now => "number",
        };
        let text = prose::parameter(Language::JavaScript, parameter);
        let name = name(parameter).split(' ').next().unwrap_or_default();
        let line = format!("@param {{{kind}}} {name} {text}.");
        doc += &prose::lines(&line, " * ", " *   ");
    }
    doc + " */\n"
}

fn header(name: &str) -> String {
    format!("headers[\"{name}\"] ?? \"\"")
}

fn received(plan: &Plan<'_>) -> String {
    let header = header(plan.header);
    match &plan.value {
        Value::Whole => format!("  const signature = {header};\n"),
        Value::List { separator, join, timestamp } => {
            let separator = TEXT.quote(separator);
            let join = join.as_ref().map_or_else(String::new, |join| {
                format!(".replaceAll({}, {separator})", TEXT.quote(join))
            });
            let all = plan.candidates().1;
            let items = format!("  const {all} = ({header}){join}.split({separator});\n");
            let time = timestamp.as_ref().map_or_else(String::new, |name| {
                let (length, name) = (name.len(), TEXT.quote(name));
                format!(
                    "  const timestamp = items.find((item) => item.startsWith({name}))\
                     ?.slice({length});\n"
                )
            });
            items + &time
        }
        Value::Pattern(parts) => {
            let regex = super::regex::regex(parts, plan.algorithm, plan.candidate.encoding);
            let regex = TEXT.quote(&format!("^{regex}$"));
            let groups = match plan.timestamp {
                Some(Origin::Value) => "timestamp, signature",
                _ => "signature",
            };
            format!(
                "  const match = new RegExp({regex}).exec({header});
  if (!match) return false;
  const [, {groups}] = match;
"
            )
        }
    }
}

fn facts(plan: &Plan<'_>) -> String {
    let mut facts = String::new();
    match &plan.id {
        None | Some(Origin::Value) => {}
        Some(Origin::Header(name)) => facts += &format!("  const id = {};\n", header(name)),
        Some(Origin::Member(path)) => {
            let path: String = path.iter().map(|name| format!("?.[\"{name}\"]")).collect();
            facts += &format!(
                "  let id;
  try {{
    id = JSON.parse(body){path};
  }} catch {{
    return false; // not the JSON that was sent
  }}
"
            );
        }
    }
    if let Some(Origin::Header(name)) = plan.timestamp {
        facts += &format!("  const timestamp = {};\n", header(name));
    }
    facts
}

const FRESHNESS: &str = "  // A timestamp that is no number is as far off as can be.
  if (!(Math.abs(now - Number(timestamp)) <= TOLERANCE)) return false;
";

fn compare(plan: &Plan<'_>) -> String {
    let sign = format!("sign(secret, {})", content(plan).join(", "));
    if !plan.is_list() {
        return format!("  return secrets.some((secret) => same({sign}, signature));\n");
    }
    let (one, all) = plan.candidates();
    format!(
        "  return secrets.some((secret) => {{
    const expected = {sign};
    return {all}.some(({one}) => same(expected, {one}));
  }});
"
    )
}

/// The signed parts, texts put together.
fn content(plan: &Plan<'_>) -> Vec<String> {
    let text = |part: &Part<'_>| match part {
        Part::Literal(text) => TEMPLATE.inside(text),
        Part::Id => "${id}".to_owned(),
        Part::Timestamp => "${timestamp}".to_owned(),
        Part::Method => "${method}".to_owned(),
        Part::Raw(raw) => format!("${{{}}}", raw.name()),
    };
    let run = |run: Run<'_>| match run {
        Run::Raw(raw) => raw.name().to_owned(),
        Run::Text(parts) => format!("`{}`", parts.iter().map(text).collect::<String>()),
    };
    plan.runs().into_iter().map(run).collect()
}

fn sign(plan: &Plan<'_>) -> String {
    let key = match &plan.key {
        Key::Text => "secret".to_owned(),
        Key::Decoded { prefix, encoding } => {
            let text = match prefix.len() {
                0 => "secret".to_owned(),
                _ => format!("secret.slice({}.length)", TEXT.quote(prefix)),
            };
            format!("Buffer.from({text}, \"{}\")", encoding_name(*encoding))
        }
    };
    let encoding = encoding_name(plan.candidate.encoding);
    let (parts, steps, mac) = match plan.algorithm {
        Algorithm::HmacSha256 | Algorithm::HmacSha512 => {
            let hash = match plan.algorithm {
                Algorithm::HmacSha512 => "sha512",
                Algorithm::HmacSha256 | Algorithm::Ed25519 => "sha256",
            };
            let hmac = format!("createHmac(\"{hash}\", {key})");
            match plan.runs().len() {
                1 => ("content", String::new(), format!("{hmac}.update(content)")),
                _ => (
                    "...content",
                    format!(
                        "  const hmac = {hmac};
  for (const part of content) hmac.update(part);
"
                    ),
                    "hmac".to_owned(),
                ),
            }
        }
        Algorithm::Ed25519 => ("...content", ed25519(&key), "signature".to_owned()),
    };
    let digest = match plan.algorithm {
        Algorithm::HmacSha256 | Algorithm::HmacSha512 => format!("{mac}.digest(\"{encoding}\")"),
        Algorithm::Ed25519 => format!("{mac}.toString(\"{encoding}\")"),
    };
    let text = plan.candidate.around(&digest, " + ", |text| TEXT.quote(text));
    format!(
        "function sign(secret, {parts}) {{
{steps}  return {text};
}}
"
    )
}

/// The secret is the seed of the key, which PKCS #8 wraps in 16 bytes (RFC 8410).
fn ed25519(seed: &str) -> String {
    format!(
        "  const wrapped = Buffer.from(\"302e020100300506032b657004220420\", \"hex\");
  const der = Buffer.concat([wrapped, {seed}]);
  const key = createPrivateKey({{ key: der, format: \"der\", type: \"pkcs8\" }});
  const signature = signWith(null, Buffer.concat(content.map((part) => Buffer.from(part))), key);
"
    )
}

fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Hex => "hex",
        Encoding::Base64 => "base64",
    }
}
