//! The file's grammar: which sections and keys there are, and what each may say.

mod certificate;
mod challenge;
mod signing;

use self::certificate::read_certificate;
use self::challenge::read_challenge;
use self::signing::read_signatures;
use super::certificate::CertificateRule;
use super::condition::Condition;
use super::origin::Origin;
use super::{Answer, Coverage, Scheme, SchemeSignature, TimeUnit, TimestampRule};
use crate::declared::{
    Fault, Item, Kind, Mistake, Mistakes, Read, Section, Source, each, one_of, parsed, read_count,
    read_span, together,
};
use crate::signature::ValuePart;
use std::time::Duration;

/// A scheme's file.
const SCHEME: Kind = Kind {
    name: "a scheme",
    lines: &[
        ("", "scheme", r#"scheme = "my-platform""#),
        ("", "title", r#"title = "My Platform""#),
        (
            "",
            "signature",
            concat!(
                r#"signature = [{ from = "header.X-Signature", algorithm = "hmac-sha256", "#,
                r#"content = "{body}", value = "{hex}" }]"#
            ),
        ),
        ("signature", "from", r#"from = "header.X-Signature""#),
        ("signature", "algorithm", r#"algorithm = "hmac-sha256""#),
        ("signature", "content", r#"content = "{body}""#),
        ("signature", "value", r#"value = "{hex}""#),
        ("certificate", "from", r#"from = "header.X-Certificate-Url""#),
        ("certificate", "urls", r#"urls = ["https://{word}.example.com/{any}"]"#),
        ("certificate", "names", r#"names = ["hooks.example.com"]"#),
        ("timestamp", "from", r#"from = "header.X-Timestamp""#),
        ("challenge", "body", r#"body = "{json:/challenge}""#),
    ],
};
/// How far a time may be off if the file does not say.
const TOLERANCE: Duration = Duration::from_secs(300);
const UNITS: &[(&str, TimeUnit)] = &[
    ("seconds", TimeUnit::Seconds),
    ("milliseconds", TimeUnit::Milliseconds),
    ("rfc3339", TimeUnit::Rfc3339),
];
const COVERAGES: &[(&str, Coverage)] =
    &[("body", Coverage::Body), ("not-the-body", Coverage::NotTheBody)];

impl Scheme {
    /// Reads and compiles a scheme. `file` names it in errors.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line, its reason and its cure.
    pub fn parse(file: &str, text: &str) -> Result<Self, Mistakes> {
        let top = Source::parse(&SCHEME, file, text)?;
        read_scheme(top).map_err(Mistakes::settled)
    }
}

impl Scheme {
    /// Reads a scheme that stands in another file under its name.
    pub(crate) fn read_named(name: &str, item: Item<'_>) -> Read<Self> {
        let named = check_name(name).map_err(|fault| item.error(fault));
        let (name, scheme) = together((named, item.section().and_then(read_unnamed)))?;
        Ok(Self { title: name.clone(), name, ..scheme })
    }

    /// Reads a scheme that stands in a call, an object as its file would be; `scheme` and `title`
    /// may be absent.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence.
    pub fn from_json(described: &serde_json::Value) -> Result<Self, String> {
        let Some(members) = described.as_object() else {
            return Err("a scheme is a name, or an object as a scheme's file would be".to_owned());
        };
        let mut members = members.clone();
        members.entry("scheme").or_insert_with(|| "inline".into());
        members.entry("title").or_insert_with(|| "Inline".into());
        let text = toml::to_string(&members).map_err(|error| error.to_string())?;
        let scheme = Self::parse("scheme", &text);
        scheme.map_err(|mistakes| {
            let told = |mistake: &Mistake| match &mistake.cure {
                Some(cure) => format!("{}; {cure}", mistake.reason),
                None => mistake.reason.clone(),
            };
            mistakes.iter().map(told).collect::<Vec<_>>().join(". ")
        })
    }
}

fn read_scheme(mut top: Section<'_>) -> Read<Scheme> {
    let name = top.read("scheme", |item| read_name(&item));
    let title = top.read("title", Item::into_text);
    let (name, title, scheme) = together((name, title, read_unnamed(top)))?;
    Ok(Scheme { name, title, ..scheme })
}

/// Reads what a scheme says of requests; its name stands elsewhere.
fn read_unnamed(mut top: Section<'_>) -> Read<Scheme> {
    let coverage = top.read_optional("covers", |item| one_of(&item, COVERAGES));
    let signatures = top.read("signature", read_signatures);
    let timestamp = top.read_optional("timestamp", |item| read_timestamp(item.section()?));
    let certificate = top.read_optional("certificate", |item| read_certificate(item.section()?));
    let ids = top.read_optional("id", read_origins);
    let types = top.read_optional("type", read_origins);
    let challenges = top.read_optional("challenge", |item| {
        each(item.list()?.into_iter().map(|item| read_challenge(item.section()?)))
    });
    let accepted = top.read_optional("accepted", |item| read_answer(item.section()?));
    // The vectors are the tests', and the documents that they need.
    drop(top.take("vector"));
    drop(top.take("document"));
    let covered = match (&signatures, &coverage) {
        (Ok(signatures), Ok(said)) => covered(&top, signatures, said.as_ref()),
        _ => Ok(Coverage::Body),
    };
    let certificate = match &signatures {
        Ok(signatures) => certificate.and_then(|rule| for_its_owner(&top, signatures, rule)),
        Err(_) => certificate,
    };
    let said = together((coverage, signatures, timestamp, ids, types, challenges));
    let rest = together((accepted, certificate));
    let (said, rest, coverage, ()) = together((said, rest, covered, top.finish()))?;
    let (_, signatures, timestamp, ids, types, challenges) = said;
    let (accepted, certificate) = rest;
    let signs_time =
        |signature: &SchemeSignature| signature.form.value.contains(&ValuePart::Timestamp);
    let of_value =
        || TimestampRule { from: Origin::Value, unit: TimeUnit::Seconds, tolerance: TOLERANCE };
    let timestamp = timestamp.or_else(|| signatures.iter().any(signs_time).then(of_value));
    Ok(Scheme {
        name: String::new(),
        title: String::new(),
        signatures,
        timestamp,
        certificate,
        ids: ids.unwrap_or_default(),
        types: types.unwrap_or_default(),
        challenges: challenges.unwrap_or_default(),
        accepted: accepted.unwrap_or(Answer::OK),
        coverage,
    })
}

/// How much the signatures vouch for; where it is less than the body, the file says so.
fn covered(
    top: &Section<'_>,
    signatures: &[SchemeSignature],
    said: Option<&Coverage>,
) -> Read<Coverage> {
    match (signatures.iter().all(SchemeSignature::covers_body), said) {
        (true, None | Some(Coverage::Body)) => Ok(Coverage::Body),
        (false, Some(Coverage::NotTheBody)) => Ok(Coverage::NotTheBody),
        (true, Some(Coverage::NotTheBody)) => {
            let fault = Fault::from("the signatures vouch for the body");
            Err(top.error(fault.cured_by("take `covers` out")))
        }
        (false, _) => {
            let fault = Fault::from("a signature does not vouch for the body");
            Err(top.error(fault.cured_by("sign `{body}`, or write `covers = \"not-the-body\"`")))
        }
    }
}

/// A third party signs for all its customers by one certificate: something has to be the source's.
fn for_its_owner(
    top: &Section<'_>,
    signatures: &[SchemeSignature],
    certificate: Option<CertificateRule>,
) -> Read<Option<CertificateRule>> {
    if certificate.is_none() || signatures.iter().all(SchemeSignature::has_secret) {
        return Ok(certificate);
    }
    let fault = Fault::from("who has the certificate signs for others too");
    Err(top.error(fault.cured_by("sign `{secret}`, or want it with `when`")))
}

fn read_name(item: &Item<'_>) -> Read<String> {
    parsed(item, check_name)
}

fn check_name(name: &str) -> Result<String, Fault> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.len() > 63 || !name.bytes().all(allowed) {
        let fault = Fault::from("a scheme's name has 1 to 63 characters of a-z 0-9 -");
        return Err(fault.cured_by("write it like \"my-platform\""));
    }
    Ok(name.to_owned())
}

/// One place, or several of which the first counts that is there.
fn read_origins(item: Item<'_>) -> Read<Vec<Origin>> {
    if item.is_text() {
        return Ok(vec![parsed(&item, Origin::parse)?]);
    }
    each(item.list()?.iter().map(|item| parsed(item, Origin::parse)))
}

/// What stands at places of the request.
fn read_conditions(item: Item<'_>) -> Read<Vec<Condition>> {
    each(
        item.section()?
            .entries()
            .map(|(origin, item)| parsed(&item, |wanted| Condition::parse(&origin, wanted))),
    )
}

pub(super) fn read_timestamp(mut section: Section<'_>) -> Read<TimestampRule> {
    let from = section.read_optional("from", |item| parsed(&item, Origin::parse));
    let unit = section.read_optional("unit", |item| one_of(&item, UNITS));
    let tolerance = section.read_optional("tolerance", |item| read_span(&item));
    let (from, unit, tolerance, ()) = together((from, unit, tolerance, section.finish()))?;
    Ok(TimestampRule {
        from: from.unwrap_or(Origin::Value),
        unit: unit.unwrap_or(TimeUnit::Seconds),
        tolerance: tolerance.unwrap_or(TOLERANCE),
    })
}

fn read_status(item: &Item<'_>) -> Read<u16> {
    read_count(item, &(200..=599), "a status is a number from 200 to 599")
}

/// An answer that is always the same.
fn read_answer(mut section: Section<'_>) -> Read<Answer> {
    let status = section.read_optional("status", |item| read_status(&item));
    let body = section.read_optional("body", Item::into_text::<String>);
    let (status, body, ()) = together((status, body, section.finish()))?;
    Ok(Answer {
        status: status.unwrap_or(Answer::OK.status),
        headers: Vec::new(),
        body: body.unwrap_or_default().into_bytes(),
    })
}
