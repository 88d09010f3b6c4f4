//! The part of the grammar that describes signatures.

use super::{read_conditions, read_timestamp};
use crate::declared::{Fault, Item, Read, Section, each, one_of, parsed, together};
use crate::scheme::origin::Origin;
use crate::scheme::{Place, SchemeSignature};
use crate::signature::{
    Algorithm, Content, ContentPart, Direction, Encoding, KeyForm, KeyUse, SignatureForm, ValuePart,
};

const ENCODINGS: &[(&str, Encoding)] = &[("hex", Encoding::Hex), ("base64", Encoding::Base64)];
const USES: &[(&str, KeyUse)] =
    &[("text", KeyUse::Text), ("bytes", KeyUse::Bytes), ("pem", KeyUse::Pem), ("jwk", KeyUse::Jwk)];
/// Bytes of a new secret.
const NEW: usize = 32;

pub(super) fn read_signatures(item: Item<'_>) -> Read<Vec<SchemeSignature>> {
    let spot = item.spot();
    let signatures = each(item.list()?.into_iter().map(|item| read_signature(item.section()?)))?;
    if signatures.is_empty() {
        let fault = Fault::from("a scheme has a signature");
        return Err(spot.error(fault.cured_by("add a [[signature]]")));
    }
    Ok(signatures)
}

fn read_signature(mut section: Section<'_>) -> Read<SchemeSignature> {
    let place = section.read("from", |item| parsed(&item, Place::parse));
    let algorithm = section.read("algorithm", |item| one_of(&item, Algorithm::OF_SCHEMES));
    let value = section.require("value");
    let content = read_content(&mut section, algorithm.as_ref().ok(), value.as_ref().ok());
    let contents = content.map(|content| vec![content]);
    let value = match (&contents, value) {
        (Ok(contents), Ok(item)) => {
            let spot = item.spot();
            parsed(&item, |text| ValuePart::parse_all(text, contents, Direction::Received))
                .map(|value| (spot, value))
        }
        (Err(_), Ok(item)) => item.text().map(|_| (item.spot(), Box::default())),
        (_, Err(missing)) => Err(missing),
    };
    let join = section.read_optional("join", Item::into_text);
    let key = section.read_optional("key", |item| read_key(item.section()?));
    let conditions = section.read_optional("when", read_conditions);
    let timestamp = section.read_optional("timestamp", |item| read_timestamp(item.section()?));
    let list = section.read_optional("each", |item| parsed(&item, read_list));
    let how = together((algorithm, contents, value, join, key));
    let (place, how, conditions, timestamp, list, ()) =
        together((place, how, conditions, timestamp, list, section.finish()))?;
    let (algorithm, contents, (spot, value), join, key) = how;
    let key = key.unwrap_or_else(|| key_form(KeyUse::Text, Encoding::Hex, Box::default()));
    let form = SignatureForm { algorithm, contents, value, join, key };
    let writing = read_writing(&form).map_err(|fault| spot.error(fault))?;
    let signature = SchemeSignature::new(place, form, writing).map_err(|reason| {
        spot.error(Fault::from(reason).cured_by("write it like \"t={timestamp},v1={hex}\""))
    })?;
    let conditions = conditions.unwrap_or_default();
    Ok(SchemeSignature { conditions, timestamp, each: list, ..signature })
}

/// What is signed: where the secret itself is sent nothing is, and of a JWT it is a part.
fn read_content(
    section: &mut Section<'_>,
    algorithm: Option<&Algorithm>,
    value: Option<&Item<'_>>,
) -> Read<Content> {
    let without = |parts: Box<[_]>| Content { name: "".into(), parts, written: "".into() };
    if algorithm == Some(&Algorithm::Secret) {
        return Ok(without(Box::default()));
    }
    if value.and_then(|item| item.text().ok()).is_some_and(|text| text.contains("{jwt}")) {
        return Ok(without([ContentPart::Jws].into()));
    }
    section
        .read("content", |item| parsed(&item, |text| Content::parse("", text, Direction::Received)))
}

/// Which part of the value is the signature.
fn read_writing(form: &SignatureForm) -> Result<ValuePart, Fault> {
    let is_signature = |part: &&ValuePart| match part {
        ValuePart::Hex(_)
        | ValuePart::Base64(_)
        | ValuePart::Enveloped(_)
        | ValuePart::Jwt
        | ValuePart::Secret => true,
        ValuePart::Literal(_) | ValuePart::Timestamp => false,
    };
    let writing = form.value.iter().find(is_signature).cloned();
    let writing = writing.ok_or_else(|| {
        let fault = Fault::from("`value` has no signature");
        fault.cured_by("write \"{hex}\", \"{base64}\", \"{jwt}\" or \"{secret}\"")
    })?;
    if writing == ValuePart::Jwt && form.algorithm.jose_name().is_none() {
        let fault = format!("no JWT is signed with `{}`", form.algorithm.name());
        return Err(Fault::from(fault).cured_by("write `algorithm = \"ecdsa-p256-sha256\"`"));
    }
    Ok(writing)
}

fn read_list(text: &str) -> Result<Box<str>, Fault> {
    match Origin::parse(text)? {
        Origin::Member(pointer) => Ok(pointer),
        Origin::Value | Origin::Header(_) | Origin::Parameter(_) | Origin::Claim(_) => {
            Err(Fault::from("the items are a list in the body").cured_by("write \"json:/items\""))
        }
    }
}

fn read_key(mut section: Section<'_>) -> Read<KeyForm> {
    let usage = section.read_optional("use", |item| one_of(&item, USES));
    let encoding = section.read_optional("encoding", |item| one_of(&item, ENCODINGS));
    let prefix = section.read_optional("prefix", Item::into_text);
    let (usage, encoding, prefix, ()) = together((usage, encoding, prefix, section.finish()))?;
    let usage = usage.unwrap_or(KeyUse::Text);
    Ok(key_form(usage, encoding.unwrap_or(Encoding::Hex), prefix.unwrap_or_default()))
}

/// What third parties hand out as secrets has any length; what is empty proves nothing.
fn key_form(usage: KeyUse, encoding: Encoding, prefix: Box<str>) -> KeyForm {
    KeyForm { prefix, encoding, usage, bytes: NEW, accepts: 1..=4_096, chars: 1..=4_096 }
}

impl Place {
    fn parse(text: &str) -> Result<Self, Fault> {
        let Some(begin) = text.strip_suffix('*') else {
            return Origin::parse(text).map(Place::One);
        };
        match Origin::parse(begin)? {
            Origin::Header(begin) => Ok(Place::HeadersLike(begin)),
            Origin::Value | Origin::Parameter(_) | Origin::Member(_) | Origin::Claim(_) => {
                let fault = Fault::from("only headers may be several");
                Err(fault.cured_by("write it like \"header.X-Signature-*\""))
            }
        }
    }
}
