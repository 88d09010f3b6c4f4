//! C#, with the standard library of .NET; which has no Ed25519.

use super::algorithm::Algorithm;
use super::origin::Origin;
use super::plan::{Key, Plan, Run};
use super::quote::{Quoting, four_digits};
use super::{Language, Parameter, TOLERANCE_SECONDS, prose};
use crate::signature::{Encoding, Value};

const TEXT: Quoting = Quoting { mark: '"', special: &[], control: four_digits };

/// Nothing where the standard library cannot verify.
pub(super) fn print(plan: &Plan<'_>) -> Option<String> {
    let hash = match plan.algorithm {
        Algorithm::HmacSha256 => "SHA256",
        Algorithm::HmacSha512 => "SHA512",
        Algorithm::Ed25519 => return None,
    };
    let parameters = plan.parameters(Language::CSharp).into_iter();
    let parameters: Vec<_> = parameters.map(declaration).collect();
    let tolerance = plan.when_timed(&format!(
        "    private const long Tolerance = {TOLERANCE_SECONDS}; // seconds\n\n"
    ));
    Some(format!(
        "{imports}
// Verifies the webhooks of {title}.
public static class Webhooks
{{
{tolerance}{doc}    public static bool Verify(
        {parameters})
    {{
{received}{facts}{fresh}{compare}    }}

{sign}
{SAME}}}
",
        imports = imports(plan),
        title = plan.title,
        doc = doc(plan),
        parameters = parameters.join(",\n        "),
        received = received(plan),
        facts = facts(plan),
        fresh = plan.when_timed(FRESHNESS),
        compare = compare(plan),
        sign = sign(plan, hash),
    ))
}

const FRESHNESS: &str = "        var clock = (now ?? DateTimeOffset.UtcNow).ToUnixTimeSeconds();
        if (!long.TryParse(timestamp, NumberStyles.None, CultureInfo.InvariantCulture, out var sent)
            || sent < clock - Tolerance || sent > clock + Tolerance)
        {
            return false;
        }
";

const SAME: &str = "    private static bool Same(string left, string right) =>
        CryptographicOperations.FixedTimeEquals(
            Encoding.UTF8.GetBytes(left), Encoding.UTF8.GetBytes(right));
";

fn declaration(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::Headers => "Func<string, string?> header",
        Parameter::Method => "string method",
        Parameter::Body => "byte[] body",
        Parameter::Query => "byte[] query",
        Parameter::Payload => "byte[] payload",
        Parameter::Id => "string id",
        Parameter::Secrets => "IEnumerable<string> secrets",
        Parameter::Now => "DateTimeOffset? now = null",
    }
}

fn imports(plan: &Plan<'_>) -> String {
    let names = [
        ("System", true),
        ("System.Collections.Generic", true),
        ("System.Globalization", plan.timestamp.is_some()),
        ("System.Linq", true),
        ("System.Security.Cryptography", true),
        ("System.Text", true),
        ("System.Text.Json", matches!(plan.id, Some(Origin::Member(_)))),
        ("System.Text.RegularExpressions", matches!(plan.value, Value::Pattern(_))),
    ];
    let used = names.iter().filter(|(_, used)| *used);
    used.map(|(name, _)| format!("using {name};\n")).collect()
}

fn doc(plan: &Plan<'_>) -> String {
    let mut doc = prose::intro(plan, "    // ");
    for parameter in plan.parameters(Language::CSharp) {
        let text = prose::parameter(Language::CSharp, parameter);
        let declared = declaration(parameter).trim_end_matches(" = null");
        let name = declared.rsplit(' ').next().unwrap_or_default();
        doc += &prose::lines(&format!("{name}: {text}."), "    // ", "    //     ");
    }
    doc
}

fn header(name: &str) -> String {
    format!("header(\"{name}\") ?? \"\"")
}

fn received(plan: &Plan<'_>) -> String {
    let header = header(plan.header);
    match &plan.value {
        Value::Whole => format!("        var signature = {header};\n"),
        Value::List { separator, join, timestamp } => {
            let separator = TEXT.quote(separator);
            let join = join.as_ref().map_or_else(String::new, |join| {
                format!(".Replace({}, {separator})", TEXT.quote(join))
            });
            let time = timestamp.as_ref().map_or_else(String::new, |name| {
                let (length, name) = (name.len(), TEXT.quote(name));
                format!(
                    "        var timed = items.FirstOrDefault(
            item => item.StartsWith({name}, StringComparison.Ordinal));
        var timestamp = timed?[{length}..];
"
                )
            });
            let all = plan.candidates().1;
            format!("        var {all} = ({header}){join}.Split({separator});\n{time}")
        }
        Value::Pattern(parts) => {
            let regex = super::regex::regex(parts, plan.algorithm, plan.candidate.encoding);
            let regex = TEXT.quote(&format!("^{regex}\\z"));
            let (time, group) = match plan.timestamp {
                Some(Origin::Value) => ("        var timestamp = match.Groups[1].Value;\n", 2),
                Some(Origin::Header(_) | Origin::Member(_)) | None => ("", 1),
            };
            format!(
                "        var match = Regex.Match({header}, {regex});
{time}        var signature = match.Groups[{group}].Value;
"
            )
        }
    }
}

fn facts(plan: &Plan<'_>) -> String {
    let mut facts = String::new();
    match &plan.id {
        None | Some(Origin::Value) => {}
        Some(Origin::Header(name)) => facts += &format!("        var id = {};\n", header(name)),
        Some(Origin::Member(path)) => {
            let path: String =
                path.iter().map(|name| format!(".GetProperty(\"{name}\")")).collect();
            facts += &format!(
                "        string? id;
        try
        {{
            using var json = JsonDocument.Parse(body);
            id = json.RootElement{path}.GetString();
        }}
        catch (Exception) // not the JSON that was sent
        {{
            return false;
        }}
"
            );
        }
    }
    if let Some(Origin::Header(name)) = plan.timestamp {
        facts += &format!("        var timestamp = {};\n", header(name));
    }
    facts
}

fn compare(plan: &Plan<'_>) -> String {
    let argument = |run: Run<'_>| match run {
        Run::Raw(raw) => raw.name().to_owned(),
        Run::Text(parts) => {
            let text = Plan::text(&parts, " + ", |text| TEXT.quote(text));
            format!("Encoding.UTF8.GetBytes({text})")
        }
    };
    let arguments: Vec<_> = plan.runs().into_iter().map(argument).collect();
    let sign = format!("Sign(secret, {})", arguments.join(", "));
    let (one, all) = plan.candidates();
    if !plan.is_list() {
        return format!("        return secrets.Any(secret => Same({sign}, {one}));\n");
    }
    format!(
        "        return secrets.Any(secret =>
        {{
            var expected = {sign};
            return {all}.Any({one} => Same(expected, {one}));
        }});
"
    )
}

fn sign(plan: &Plan<'_>, hash: &str) -> String {
    let key = match &plan.key {
        Key::Text => "Encoding.UTF8.GetBytes(secret)".to_owned(),
        Key::Decoded { prefix, encoding } => {
            let text = match *prefix {
                "" => "secret".to_owned(),
                prefix => format!("secret[{}.Length..]", TEXT.quote(prefix)),
            };
            match encoding {
                Encoding::Hex => format!("Convert.FromHexString({text})"),
                Encoding::Base64 => format!("Convert.FromBase64String({text})"),
            }
        }
    };
    let mac = "mac.GetHashAndReset()";
    let encoded = match plan.candidate.encoding {
        Encoding::Hex => format!("Convert.ToHexString({mac}).ToLowerInvariant()"),
        Encoding::Base64 => format!("Convert.ToBase64String({mac})"),
    };
    let text = plan.candidate.around(&encoded, " + ", |text| TEXT.quote(text));
    format!(
        "    private static string Sign(string secret, params byte[][] content)
    {{
        var key = {key};
        using var mac = IncrementalHash.CreateHMAC(HashAlgorithmName.{hash}, key);
        foreach (var part in content)
        {{
            mac.AppendData(part);
        }}
        return {text};
    }}
"
    )
}
