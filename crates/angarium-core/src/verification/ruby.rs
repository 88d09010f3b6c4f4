//! Ruby, with its standard library.

use super::algorithm::Algorithm;
use super::origin::Origin;
use super::plan::{Key, Part, Plan};
use super::quote::{Quoting, in_braces};
use super::{Language, Parameter, TOLERANCE_SECONDS, prose};
use crate::signature::{Encoding, Value};

const TEXT: Quoting = Quoting { mark: '"', special: &['#'], control: in_braces };

pub(super) fn print(plan: &Plan<'_>) -> String {
    let parameters: Vec<_> = plan.parameters(Language::Ruby).into_iter().map(name).collect();
    let json = matches!(plan.id, Some(Origin::Member(_))).then_some("require \"json\"\n");
    let tolerance = plan.when_timed(&format!("  TOLERANCE = {TOLERANCE_SECONDS} # seconds\n\n"));
    format!(
        "# frozen_string_literal: true

{json}require \"openssl\"

# Verifies the webhooks of {title}.
module Webhooks
{tolerance}  module_function

{doc}  def verify({parameters})
{received}{facts}{fresh}{compare}  end

{sign}end
",
        json = json.unwrap_or_default(),
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

const FRESHNESS: &str = "    return false if (now.to_i - timestamp.to_i).abs > TOLERANCE

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
        Parameter::Now => "now = Time.now",
    }
}

fn doc(plan: &Plan<'_>) -> String {
    let mut doc = prose::intro(plan, "  # ");
    for parameter in plan.parameters(Language::Ruby) {
        let text = prose::parameter(Language::Ruby, parameter);
        let name = name(parameter).split(' ').next().unwrap_or_default();
        doc += &prose::lines(&format!("{name}:: {text}."), "  # ", "  #   ");
    }
    doc
}

fn header(name: &str) -> String {
    format!("headers[\"{name}\"].to_s")
}

fn received(plan: &Plan<'_>) -> String {
    // As bytes, for what is not UTF-8 cannot be split as text.
    let header = format!("{}.b", header(plan.header));
    match &plan.value {
        Value::Whole => format!("    signature = {header}\n"),
        Value::List { separator, join, timestamp } => {
            let separator = TEXT.quote(separator);
            let join = join.as_ref().map_or_else(String::new, |join| {
                format!(".gsub({}, {separator})", TEXT.quote(join))
            });
            let time = timestamp.as_ref().map_or_else(String::new, |name| {
                let name = TEXT.quote(name);
                format!(
                    "    timestamp = items.find {{ |item| item.start_with?({name}) }}.to_s\
                     .delete_prefix({name})\n"
                )
            });
            format!("    {} = {header}{join}.split({separator})\n{time}", plan.candidates().1)
        }
        Value::Pattern(parts) => {
            let regex = super::regex::regex(parts, plan.algorithm, plan.candidate.encoding);
            let regex = TEXT.quote(&format!("\\A{regex}\\z"));
            let groups = match plan.timestamp {
                Some(Origin::Value) => "timestamp, signature",
                Some(Origin::Header(_) | Origin::Member(_)) | None => "signature,",
            };
            format!(
                "    match = Regexp.new({regex}).match({header})
    return false unless match

    {groups} = match.captures
"
            )
        }
    }
}

fn facts(plan: &Plan<'_>) -> String {
    let mut facts = String::new();
    match &plan.id {
        None | Some(Origin::Value) => {}
        Some(Origin::Header(name)) => facts += &format!("    id = {}\n", header(name)),
        Some(Origin::Member(path)) => {
            let path: Vec<_> = path.iter().map(|name| TEXT.quote(name)).collect();
            facts += &format!(
                "    begin
      id = JSON.parse(body).dig({}).to_s
    rescue StandardError # not the JSON that was sent
      return false
    end
",
                path.join(", ")
            );
        }
    }
    if let Some(Origin::Header(name)) = plan.timestamp {
        facts += &format!("    timestamp = {}\n", header(name));
    }
    facts
}

fn compare(plan: &Plan<'_>) -> String {
    let part = |part: &Part<'_>| Plan::text(&[*part], "", |text| TEXT.quote(text));
    let content: Vec<_> = plan.content.iter().map(part).collect();
    let sign = format!("sign(secret, {})", content.join(", "));
    let (one, all) = plan.candidates();
    if !plan.is_list() {
        return format!("    secrets.any? {{ |secret| OpenSSL.secure_compare({sign}, {one}) }}\n");
    }
    format!(
        "    secrets.any? do |secret|
      expected = {sign}
      {all}.any? {{ |{one}| OpenSSL.secure_compare(expected, {one}) }}
    end
"
    )
}

fn sign(plan: &Plan<'_>) -> String {
    let key = match &plan.key {
        Key::Text => "secret".to_owned(),
        Key::Decoded { prefix, encoding } => {
            let text = match *prefix {
                "" => "secret".to_owned(),
                prefix => format!("secret.delete_prefix({})", TEXT.quote(prefix)),
            };
            match encoding {
                Encoding::Hex => format!("[{text}].pack(\"H*\")"),
                Encoding::Base64 => format!("{text}.unpack1(\"m0\")"),
            }
        }
    };
    let hmac = |hash: &str| {
        format!(
            "    mac = OpenSSL::HMAC.new({key}, \"{hash}\")
    content.each {{ |part| mac << part }}
"
        )
    };
    let (steps, bytes) = match plan.algorithm {
        Algorithm::HmacSha256 => (hmac("SHA256"), "mac.digest"),
        Algorithm::HmacSha512 => (hmac("SHA512"), "mac.digest"),
        Algorithm::Ed25519 => (ed25519(&key), "key.sign(nil, content.map(&:b).join)"),
    };
    let encoded = match (plan.candidate.encoding, plan.algorithm) {
        (Encoding::Base64, _) => format!("[{bytes}].pack(\"m0\")"),
        (Encoding::Hex, Algorithm::Ed25519) => format!("{bytes}.unpack1(\"H*\")"),
        (Encoding::Hex, Algorithm::HmacSha256 | Algorithm::HmacSha512) => {
            "mac.hexdigest".to_owned()
        }
    };
    let text = plan.candidate.around(&encoded, " + ", |text| TEXT.quote(text));
    format!(
        "  def sign(secret, *content)
{steps}    {text}
  end
"
    )
}

/// The secret is the seed of the key, which PKCS #8 wraps in 16 bytes (RFC 8410).
fn ed25519(seed: &str) -> String {
    format!(
        "    wrapped = [\"302e020100300506032b657004220420\"].pack(\"H*\")
    key = OpenSSL::PKey.read(wrapped + {seed})
"
    )
}
