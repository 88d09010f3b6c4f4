//! Java, with its standard library; which has no JSON, so an id in the body is an argument.

use super::algorithm::Algorithm;
use super::origin::Origin;
use super::plan::{Key, Plan, Run};
use super::quote::{Quoting, octal};
use super::{Language, Parameter, TOLERANCE_SECONDS, prose};
use crate::signature::{Encoding, Value};

const TEXT: Quoting = Quoting { mark: '"', special: &[], control: octal };

pub(super) fn print(plan: &Plan<'_>) -> String {
    let parameters: Vec<_> = plan.parameters(Language::Java).into_iter().map(declaration).collect();
    let tolerance = plan.when_timed(&format!(
        "    private static final long TOLERANCE = {TOLERANCE_SECONDS}; // seconds\n\n"
    ));
    format!(
        "{imports}
/** Verifies the webhooks of {title}. */
public final class Webhooks {{
{tolerance}    private Webhooks() {{}}

{doc}    public static boolean verify(
            {parameters}) {{
{received}{facts}{fresh}{compare}    }}

{sign}}}
",
        imports = imports(plan),
        title = plan.title,
        doc = doc(plan),
        parameters = parameters.join(", "),
        received = received(plan),
        facts = facts(plan),
        fresh = plan.when_timed(FRESHNESS),
        compare = compare(plan),
        sign = sign(plan),
    )
}

const FRESHNESS: &str = "        try {
            long sent = Long.parseLong(timestamp);
            long clock = now.getEpochSecond();
            if (sent < clock - TOLERANCE || sent > clock + TOLERANCE) {
                return false;
            }
        } catch (NumberFormatException noNumber) {
            return false;
        }
";

fn declaration(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::Headers => "UnaryOperator<String> header",
        Parameter::Method => "String method",
        Parameter::Body => "byte[] body",
        Parameter::Query => "byte[] query",
        Parameter::Payload => "byte[] payload",
        Parameter::Id => "String id",
        Parameter::Secrets => "List<String> secrets",
        Parameter::Now => "Instant now",
    }
}

fn imports(plan: &Plan<'_>) -> String {
    let hmac = plan.algorithm != Algorithm::Ed25519;
    let in_list = matches!(plan.value, Value::List { timestamp: Some(_), .. });
    let is_pattern = matches!(plan.value, Value::Pattern(_));
    let quotes = matches!(&plan.value, Value::List { separator, .. } if !is_plain(separator));
    let imports = [
        ("java.security.GeneralSecurityException", true),
        ("java.security.KeyFactory", !hmac),
        ("java.security.MessageDigest", true),
        ("java.security.Signature", !hmac),
        ("java.security.spec.EdECPrivateKeySpec", !hmac),
        ("java.security.spec.NamedParameterSpec", !hmac),
        ("java.time.Instant", plan.timestamp.is_some()),
        ("java.util.Arrays", in_list),
        ("java.util.Base64", plan.uses(Encoding::Base64)),
        ("java.util.HexFormat", plan.uses(Encoding::Hex)),
        ("java.util.List", true),
        ("java.util.function.UnaryOperator", true),
        ("java.util.regex.Matcher", is_pattern),
        ("java.util.regex.Pattern", is_pattern || quotes),
        ("javax.crypto.Mac", hmac),
        ("javax.crypto.spec.SecretKeySpec", hmac),
    ];
    let used = imports.iter().filter(|(_, used)| *used);
    let used: String = used.map(|(name, _)| format!("import {name};\n")).collect();
    format!("{STATIC_IMPORTS}\n{used}")
}

const STATIC_IMPORTS: &str = "import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNullElse;
";

fn doc(plan: &Plan<'_>) -> String {
    let intro = prose::intro(plan, "     * ").replace('@', "&#64;");
    let mut doc = "    /**\n".to_owned() + &intro.replacen("* The", "* <p>The", 1);
    for parameter in plan.parameters(Language::Java) {
        let text = prose::parameter(Language::Java, parameter);
        let name = declaration(parameter).rsplit(' ').next().unwrap_or_default();
        doc += &prose::lines(&format!("@param {name} {text}"), "     * ", "     *     ");
    }
    doc + "     */\n"
}

/// `String.split` takes a regular expression.
fn is_plain(separator: &str) -> bool {
    !separator.chars().any(|c| r"\.[]{}()*+-?^$|".contains(c))
}

fn header(name: &str) -> String {
    format!("requireNonNullElse(header.apply(\"{name}\"), \"\")")
}

fn received(plan: &Plan<'_>) -> String {
    let header = header(plan.header);
    match &plan.value {
        Value::Whole => format!("        String signature = {header};\n"),
        Value::List { separator, join, timestamp } => {
            let join = join.as_ref().map_or_else(String::new, |join| {
                format!(".replace({}, {})", TEXT.quote(join), TEXT.quote(separator))
            });
            let by = match is_plain(separator) {
                true => TEXT.quote(separator),
                false => format!("Pattern.quote({})", TEXT.quote(separator)),
            };
            let all = plan.candidates().1;
            let time = timestamp.as_ref().map_or_else(String::new, |name| {
                let (length, name) = (name.len(), TEXT.quote(name));
                let of = "\n                ";
                format!(
                    "        String timestamp = Arrays.stream(items){of}\
                     .filter(item -> item.startsWith({name})){of}\
                     .map(item -> item.substring({length})){of}.findFirst().orElse(\"\");\n"
                )
            });
            format!(
                "        String received = {header}{join};
        String[] {all} = received.split({by});
{time}"
            )
        }
        Value::Pattern(parts) => {
            let regex = super::regex::regex(parts, plan.algorithm, plan.candidate.encoding);
            let regex = TEXT.quote(&regex);
            let (time, group) = match plan.timestamp {
                Some(Origin::Value) => ("        String timestamp = match.group(1);\n", 2),
                Some(Origin::Header(_) | Origin::Member(_)) | None => ("", 1),
            };
            format!(
                "        Matcher match =
                Pattern.compile({regex})
                        .matcher({header});
        if (!match.matches()) {{
            return false;
        }}
{time}        String signature = match.group({group});
"
            )
        }
    }
}

fn facts(plan: &Plan<'_>) -> String {
    let mut facts = String::new();
    if let Some(Origin::Header(name)) = plan.id {
        facts += &format!("        String id = {};\n", header(name));
    }
    if let Some(Origin::Header(name)) = plan.timestamp {
        facts += &format!("        String timestamp = {};\n", header(name));
    }
    facts
}

fn compare(plan: &Plan<'_>) -> String {
    let argument = |run: Run<'_>| match run {
        Run::Raw(raw) => raw.name().to_owned(),
        Run::Text(parts) => {
            let text = Plan::text(&parts, " + ", |text| TEXT.quote(text));
            let text = if parts.len() > 1 { format!("({text})") } else { text };
            format!("{text}.getBytes(UTF_8)")
        }
    };
    let arguments: Vec<_> = plan.runs().into_iter().map(argument).collect();
    let (one, all) = plan.candidates();
    let same = |indent: &str| {
        format!(
            "{indent}if (MessageDigest.isEqual(expected, {one}.getBytes(UTF_8))) {{
{indent}    return true;
{indent}}}
"
        )
    };
    let tries = match plan.is_list() {
        true => {
            let indent = "            ";
            format!(
                "{indent}for (String {one} : {all}) {{
{}{indent}}}
",
                same("                ")
            )
        }
        false => same("            "),
    };
    format!(
        "        for (String secret : secrets) {{
            byte[] expected = sign(secret, {});
{tries}        }}
        return false;
",
        arguments.join(", ")
    )
}

fn sign(plan: &Plan<'_>) -> String {
    let key = match &plan.key {
        Key::Text => "secret.getBytes(UTF_8)".to_owned(),
        Key::Decoded { prefix, encoding } => {
            let text = match *prefix {
                "" => "secret".to_owned(),
                prefix => format!("secret.substring({}.length())", TEXT.quote(prefix)),
            };
            match encoding {
                Encoding::Hex => format!("HexFormat.of().parseHex({text})"),
                Encoding::Base64 => format!("Base64.getDecoder().decode({text})"),
            }
        }
    };
    let hmac = |name: &str| {
        format!(
            "            Mac mac = Mac.getInstance(\"{name}\");
            mac.init(new SecretKeySpec(key, \"{name}\"));
            for (byte[] part : content) {{
                mac.update(part);
            }}
"
        )
    };
    let (steps, bytes) = match plan.algorithm {
        Algorithm::HmacSha256 => (hmac("HmacSHA256"), "mac.doFinal()"),
        Algorithm::HmacSha512 => (hmac("HmacSHA512"), "mac.doFinal()"),
        Algorithm::Ed25519 => (ED25519.to_owned(), "signature.sign()"),
    };
    let encoded = match plan.candidate.encoding {
        Encoding::Hex => format!("HexFormat.of().formatHex({bytes})"),
        Encoding::Base64 => format!("Base64.getEncoder().encodeToString({bytes})"),
    };
    let text = plan.candidate.around(&encoded, " + ", |text| TEXT.quote(text));
    let text = if text == encoded { text } else { format!("({text})") };
    format!(
        "    private static byte[] sign(String secret, byte[]... content) {{
        byte[] key = {key};
        try {{
{steps}            return {text}.getBytes(UTF_8);
        }} catch (GeneralSecurityException missing) {{
            throw new IllegalStateException(missing); // every Java has it
        }}
    }}
"
    )
}

const ED25519: &str = "            EdECPrivateKeySpec seed =
                    new EdECPrivateKeySpec(NamedParameterSpec.ED25519, key);
            Signature signature = Signature.getInstance(\"Ed25519\");
            signature.initSign(KeyFactory.getInstance(\"Ed25519\").generatePrivate(seed));
            for (byte[] part : content) {
                signature.update(part);
            }
";
