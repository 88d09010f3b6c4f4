//! The part of the grammar that describes signatures and their keys.

use super::{Read, one_of, read_header_name, read_span};
use crate::contract::key::{Encoding, KeyForm, KeyPresence, KeyRule, KeyScope, KeyUse};
use crate::contract::signature::{Algorithm, Content, SignatureRule, ValuePart};
use crate::contract::source::{Item, Section};
use std::time::Duration;

const SCOPES: &[(&str, KeyScope)] =
    &[("endpoint", KeyScope::Endpoint), ("tenant", KeyScope::Tenant)];
pub(super) const ENCODINGS: &[(&str, Encoding)] =
    &[("hex", Encoding::Hex), ("base64", Encoding::Base64)];
const USES: &[(&str, KeyUse)] = &[("text", KeyUse::Text), ("bytes", KeyUse::Bytes)];

pub(super) fn read_signatures(item: Item<'_>) -> Read<Vec<SignatureRule>> {
    let mut rules: Vec<SignatureRule> = Vec::new();
    for item in item.list()? {
        let mut section = item.section()?;
        let rule = read_signature(&mut section)?;
        let same = |first: &SignatureRule| first.header == rule.header && first.join == rule.join;
        if rules.first().is_some_and(|first| !same(first)) {
            return Err(section.error("all signatures share one `header` and one `join`"));
        }
        section.finish()?;
        rules.push(rule);
    }
    Ok(rules)
}

fn read_signature(section: &mut Section<'_>) -> Read<SignatureRule> {
    let header = section.require("header")?;
    let written_header = header.text()?.into();
    let header = read_header_name(header.text()?, &header)?;
    let algorithm = one_of(&section.require("algorithm")?, Algorithm::NAMES)?;
    let content = section.require("content")?;
    let contents = if content.is_text() {
        vec![read_content("", &content)?]
    } else {
        let named = content.section()?.entries();
        named.map(|(name, item)| read_content(&name, &item)).collect::<Read<_>>()?
    };
    let value = section.require("value")?;
    let parts = ValuePart::parse_all(value.text()?, &contents);
    let value = parts.map_err(|reason| value.error(reason))?;
    let join = section.take("join").map(|item| item.text().map(Into::into)).transpose()?;
    let key = read_key_form(section.require("key")?, algorithm)?;
    Ok(SignatureRule { header, written_header, algorithm, contents, value, join, key })
}

fn read_content(name: &str, item: &Item<'_>) -> Read<Content> {
    Content::parse(name, item.text()?).map_err(|reason| item.error(reason))
}

fn read_key_form(item: Item<'_>, algorithm: Algorithm) -> Read<KeyForm> {
    let mut section = item.section()?;
    let prefix = section.take("prefix");
    let prefix = prefix.map(|item| item.text().map(Into::into)).transpose()?.unwrap_or_default();
    let encoding = one_of(&section.require("encoding")?, ENCODINGS)?;
    let usage = one_of(&section.require("use")?, USES)?;
    let bytes = section.require("bytes")?;
    let (at, bytes) = (&bytes, bytes.count()?);
    if !(16..=64).contains(&bytes) || (algorithm == Algorithm::Ed25519 && bytes != 32) {
        return Err(at.error("a key has 16 to 64 bytes, an Ed25519 key 32"));
    }
    let accepts = match section.take("accepts") {
        None => bytes..=bytes,
        Some(item) => {
            let wrong = item.error("`accepts` is the least and the most bytes, such as [24, 64]");
            let ends = item.list()?.iter().map(Item::count).collect::<Read<Vec<_>>>()?;
            match ends[..] {
                [least, most] if least <= bytes && bytes <= most => least..=most,
                _ => return Err(wrong),
            }
        }
    };
    section.finish()?;
    Ok(KeyForm { prefix, encoding, usage, bytes, accepts })
}

pub(super) fn read_keys(item: Item<'_>, signatures: &[SignatureRule]) -> Read<KeyRule> {
    let mut section = item.section()?;
    if signatures.is_empty() {
        return Err(section.error("`keys` needs a `request.signature` that they sign"));
    }
    let scope = one_of(&section.require("scope")?, SCOPES)?;
    let optional = section.take("optional").map(|item| item.truth()).transpose()?;
    let presence = match optional {
        Some(true) => KeyPresence::Optional,
        Some(false) | None => KeyPresence::Required,
    };
    let overlap = match section.take("overlap") {
        None => Duration::ZERO,
        Some(item) => {
            let overlap = read_span(&item)?;
            if !overlap.is_zero() && signatures.iter().any(|rule| rule.join.is_none()) {
                return Err(item.error("an overlap needs signatures with `join`"));
            }
            overlap
        }
    };
    let priors = section.take("priors").map(|item| read_priors(&item)).transpose()?.unwrap_or(1);
    let rotate_every = section.take("rotate_every");
    let rotate_every = rotate_every.map(|item| read_rotation(&item, scope)).transpose()?;
    section.finish()?;
    Ok(KeyRule {
        scope,
        presence,
        overlap,
        priors,
        rotate_every,
        forms: signatures.iter().map(|rule| rule.key.clone()).collect(),
    })
}

fn read_priors(item: &Item<'_>) -> Read<usize> {
    match item.count()? {
        priors @ 0..=10 => Ok(priors),
        _ => Err(item.error("`priors` is a number from 0 to 10")),
    }
}

/// A key that changes by itself must be readable by those who verify: an endpoint's own is shown
/// once, to the caller who rotates it.
fn read_rotation(item: &Item<'_>, scope: KeyScope) -> Read<Duration> {
    let every = read_span(item)?;
    match scope {
        KeyScope::Tenant if every >= Duration::from_secs(1) => Ok(every),
        KeyScope::Tenant => Err(item.error("a key gets at least 1s old")),
        KeyScope::Endpoint => Err(item.error("`rotate_every` needs the scope `tenant`")),
    }
}
