//! The part of the grammar that describes signatures and their keys.

use super::request::read_header;
use crate::contract::key::{KeyPresence, KeyRule, KeyScope};
use crate::contract::signature::SignatureRule;
use crate::declared::{
    Fault, Item, Read, Section, each, one_of, parsed, read_count, read_range, read_span, together,
};
use crate::signature::{
    Algorithm, Content, Direction, Encoding, KeyForm, KeyUse, SignatureForm, ValuePart,
};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Length of an imported key whose text signs: long enough not to be guessed.
const TEXT_CHARS: RangeInclusive<usize> = 16..=256;

const SCOPES: &[(&str, KeyScope)] =
    &[("endpoint", KeyScope::Endpoint), ("tenant", KeyScope::Tenant)];
pub(super) const ENCODINGS: &[(&str, Encoding)] =
    &[("hex", Encoding::Hex), ("base64", Encoding::Base64)];
const USES: &[(&str, KeyUse)] = &[("text", KeyUse::Text), ("bytes", KeyUse::Bytes)];

pub(super) fn read_signatures(item: Item<'_>) -> Read<Vec<SignatureRule>> {
    let rules = item.list()?.into_iter().map(|item| {
        let spot = item.spot();
        read_signature(item.section()?).map(|rule| (spot, rule))
    });
    let rules = each(rules)?;
    let differs = |rule: &SignatureRule| {
        rules.first().is_some_and(|(_, first)| {
            first.header != rule.header || first.form.join != rule.form.join
        })
    };
    each(rules.iter().filter(|(_, rule)| differs(rule)).map(|(spot, _)| {
        let fault = Fault::from("all signatures share one `header` and one `join`");
        Err::<(), _>(spot.error(fault.cured_by("write both as the first signature has them")))
    }))?;
    Ok(rules.into_iter().map(|(_, rule)| rule).collect())
}

fn read_signature(mut section: Section<'_>) -> Read<SignatureRule> {
    let header = section.read("header", read_header);
    let algorithm = section.read("algorithm", |item| one_of(&item, Algorithm::OF_CONTRACTS));
    let contents = section.read("content", read_contents);
    let value = section.require("value");
    let value = match (&contents, value) {
        (Ok(contents), Ok(item)) => ValuePart::parse_all(item.text()?, contents, Direction::Sent)
            .map_err(|fault| item.error(fault)),
        (Err(_), Ok(item)) => item.text().map(|_| Box::default()),
        (_, Err(missing)) => Err(missing),
    };
    let join = section.read_optional("join", Item::into_text);
    let key = section.read("key", |item| read_key_form(item, algorithm.as_ref().ok()));
    let read = (header, algorithm, contents, value, join, key, section.finish());
    let ((header, written_header), algorithm, contents, value, join, key, ()) = together(read)?;
    let form = SignatureForm { algorithm, contents, value, join, key };
    Ok(SignatureRule { header, written_header, form })
}

fn read_contents(item: Item<'_>) -> Read<Vec<Content>> {
    let content = |name: &str, item: &Item<'_>| {
        parsed(item, |text| Content::parse(name, text, Direction::Sent))
    };
    if item.is_text() {
        return Ok(vec![content("", &item)?]);
    }
    each(item.section()?.entries().map(|(name, item)| content(&name, &item)))
}

fn read_key_form(item: Item<'_>, algorithm: Option<&Algorithm>) -> Read<KeyForm> {
    let mut section = item.section()?;
    let prefix = section.read_optional("prefix", Item::into_text);
    let encoding = section.read("encoding", |item| one_of(&item, ENCODINGS));
    let usage = section.read("use", |item| one_of(&item, USES));
    let bytes = section.read("bytes", |item| {
        let bytes = item.count()?;
        if (16..=64).contains(&bytes) && (algorithm != Some(&Algorithm::Ed25519) || bytes == 32) {
            return Ok(bytes);
        }
        let fault = Fault::from("a key has 16 to 64 bytes, an Ed25519 key 32");
        Err(item.error(fault.cured_by("write 32")))
    });
    let accepts = section.read_optional("accepts", |item| read_accepts(item, &bytes));
    let read = (prefix, encoding, usage, bytes, accepts, section.finish());
    let (prefix, encoding, usage, bytes, accepts, ()) = together(read)?;
    let accepts = accepts.unwrap_or(bytes..=bytes);
    let prefix = prefix.unwrap_or_default();
    Ok(KeyForm { prefix, encoding, usage, bytes, accepts, chars: TEXT_CHARS })
}

fn read_accepts(item: Item<'_>, bytes: &Read<usize>) -> Read<RangeInclusive<usize>> {
    let around = bytes.as_ref().map_or(32, |bytes| *bytes);
    let wrong = Fault::from("`accepts` is the least and the most bytes, such as [24, 64]");
    let wrong = wrong.cured_by(format!("name two numbers around {around}, the `bytes`"));
    let fits = |range: &RangeInclusive<usize>| bytes.as_ref().is_ok_and(|b| range.contains(b));
    read_range(item, |range| bytes.is_err() || fits(range), wrong)
}

/// Reads who has the key. Where the signatures are wrong themselves, nothing is held against them.
pub(super) fn read_keys(item: Item<'_>, signatures: Option<&[SignatureRule]>) -> Read<KeyRule> {
    let mut section = item.section()?;
    if signatures.is_some_and(<[_]>::is_empty) {
        let fault = Fault::from("`keys` needs a `request.signature` that they sign");
        return Err(
            section.error(fault.cured_by("add a [[request.signature]], or take `keys` out"))
        );
    }
    let signatures = signatures.unwrap_or_default();
    let scope = section.read("scope", |item| one_of(&item, SCOPES));
    let optional = section.read_optional("optional", |item| item.truth());
    let overlap = section.read_optional("overlap", |item| read_overlap(&item, signatures));
    let priors = section.read_optional("priors", |item| {
        read_count(&item, &(0..=10), "`priors` is a number from 0 to 10")
    });
    let rotate_every =
        section.read_optional("rotate_every", |item| read_rotation(&item, scope.as_ref().ok()));
    let read = (scope, optional, overlap, priors, rotate_every, section.finish());
    let (scope, optional, overlap, priors, rotate_every, ()) = together(read)?;
    Ok(KeyRule {
        scope,
        presence: match optional {
            Some(true) => KeyPresence::Optional,
            Some(false) | None => KeyPresence::Required,
        },
        overlap: overlap.unwrap_or_default(),
        priors: priors.unwrap_or(1),
        rotate_every,
        forms: signatures.iter().map(|rule| rule.form.key.clone()).collect(),
    })
}

fn read_overlap(item: &Item<'_>, signatures: &[SignatureRule]) -> Read<Duration> {
    let overlap = read_span(item)?;
    if !overlap.is_zero() && signatures.iter().any(|rule| rule.form.join.is_none()) {
        let fault = Fault::from("an overlap needs signatures with `join`");
        return Err(item.error(fault.cured_by("add `join = \" \"` to each [[request.signature]]")));
    }
    Ok(overlap)
}

/// A key that changes by itself must be readable by those who verify: an endpoint's own is shown
/// once, to the caller who rotates it.
fn read_rotation(item: &Item<'_>, scope: Option<&KeyScope>) -> Read<Duration> {
    let every = read_span(item)?;
    if scope == Some(&KeyScope::Endpoint) {
        let fault = Fault::from("`rotate_every` needs the scope `tenant`");
        return Err(item.error(fault.cured_by("take it out, or write `scope = \"tenant\"`")));
    }
    if every < Duration::from_secs(1) {
        let fault = Fault::from("a key gets at least 1s old");
        return Err(item.error(fault.cured_by("write a longer span, such as \"30d\"")));
    }
    Ok(every)
}
