//! Finding signatures: where they stand in a request, and what stands around them.

use super::incoming::Facts;
use super::origin::Origin;
use super::token::Token;
use super::{Place, SchemeSignature, json};
use crate::signature::{Encoding, PatternPart, Value, ValuePart};
use http::HeaderMap;
use std::borrow::Cow;
use std::fmt;

/// Items of one signature header that are looked at; an attacker chooses how many there are.
const MOST_ITEMS: usize = 32;

impl Place {
    /// The texts that may have the signature.
    pub(super) fn texts(&self, facts: &Facts<'_>) -> Vec<String> {
        match self {
            // Several headers of one name are several signatures.
            Place::One(Origin::Header(name)) => {
                let values = facts.incoming.headers.get_all(name).iter();
                let values = values.filter_map(|value| value.to_str().ok().map(str::to_owned));
                values.take(MOST_ITEMS).collect()
            }
            Place::One(origin) => facts.text(origin).map(Cow::into_owned).into_iter().collect(),
            Place::HeadersLike(begin) => like(facts.incoming.headers, begin.as_str()),
        }
    }
}

fn like(headers: &HeaderMap, begin: &str) -> Vec<String> {
    let is_like =
        |name: &str| name.strip_prefix(begin).is_some_and(|rest| rest.parse::<u8>().is_ok());
    let named = headers.iter().filter(|(name, _)| is_like(name.as_str()));
    let values = named.filter_map(|(_, value)| value.to_str().ok().map(str::to_owned));
    values.take(MOST_ITEMS).collect()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::One(origin) => origin.fmt(f),
            Place::HeadersLike(begin) => write!(f, "the headers {begin}1 and so on"),
        }
    }
}

/// What a text with signatures says.
pub(super) struct ReadValue {
    pub(super) timestamp: Option<String>,
    pub(super) signatures: Vec<Vec<u8>>,
    /// The JWT that is the signature.
    pub(super) token: Option<Token>,
}

impl ReadValue {
    /// Which key is said to have signed.
    pub(super) fn key(&self) -> Option<&str> {
        self.token.as_ref()?.key.as_deref()
    }
}

impl SchemeSignature {
    /// Takes the text apart; none where no signature is in it.
    pub(super) fn read(&self, text: &str) -> Option<ReadValue> {
        let (timestamp, candidates) = match &self.value {
            Value::Whole => (None, vec![self.stripped(text)?]),
            Value::List { separator, join, timestamp } => {
                self.read_list(text, separator, join.as_deref(), timestamp.as_deref())?
            }
            Value::Pattern(parts) => read_pattern(parts, text)?,
        };
        if self.form.is_jwt() {
            let [candidate] = *candidates else { return None };
            let token = Token::read(candidate, self.form.algorithm)?;
            let signatures = vec![token.signature.clone()];
            return Some(ReadValue { timestamp: None, signatures, token: Some(token) });
        }
        let signatures: Vec<_> =
            candidates.into_iter().filter_map(|candidate| self.decoded(candidate)).collect();
        let timestamp = timestamp.map(str::to_owned);
        (!signatures.is_empty()).then_some(ReadValue { timestamp, signatures, token: None })
    }

    fn stripped<'t>(&self, item: &'t str) -> Option<&'t str> {
        item.strip_prefix(&*self.candidate.before)?.strip_suffix(&*self.candidate.after)
    }

    fn read_list<'t>(
        &self,
        text: &'t str,
        separator: &str,
        join: Option<&str>,
        timestamp: Option<&str>,
    ) -> Option<(Option<&'t str>, Vec<&'t str>)> {
        let groups = text.split(join.unwrap_or(separator));
        let items = groups.flat_map(|group| group.split(separator)).map(str::trim);
        let items: Vec<_> = items.take(MOST_ITEMS).collect();
        let times = || {
            let begin = timestamp?;
            Some(items.iter().filter_map(|item| item.strip_prefix(begin)).collect::<Vec<_>>())
        };
        let time = match times().as_deref() {
            None => None,
            Some([time]) => Some(*time),
            // Two times may be two requests.
            Some(_) => return None,
        };
        Some((time, items.iter().filter_map(|item| self.stripped(item)).collect()))
    }

    fn decoded(&self, candidate: &str) -> Option<Vec<u8>> {
        let decoded = |encoding: Encoding, text| encoding.decode(text).map(|bytes| bytes.to_vec());
        match &self.writing {
            ValuePart::Hex(_) => decoded(Encoding::Hex, candidate),
            ValuePart::Base64(_) => decoded(Encoding::Base64, candidate),
            ValuePart::Enveloped(pointer) => {
                let envelope = json::read(&Encoding::Base64.decode(candidate)?)?;
                decoded(Encoding::Base64, envelope.pointer(pointer)?.as_str()?)
            }
            ValuePart::Secret => Some(candidate.as_bytes().to_vec()),
            ValuePart::Literal(_) | ValuePart::Timestamp | ValuePart::Jwt => None,
        }
        .filter(|bytes| !bytes.is_empty())
    }
}

fn read_pattern<'t>(
    parts: &[PatternPart],
    text: &'t str,
) -> Option<(Option<&'t str>, Vec<&'t str>)> {
    let (mut timestamp, mut signatures, mut rest) = (None, Vec::new(), text);
    let mut parts = parts.iter().peekable();
    while let Some(part) = parts.next() {
        if let PatternPart::Literal(literal) = part {
            rest = rest.strip_prefix(&**literal)?;
            continue;
        }
        let end = match parts.peek() {
            Some(PatternPart::Literal(next)) => rest.find(&**next)?,
            Some(_) | None => rest.len(),
        };
        let (found, after) = rest.split_at(end);
        rest = after;
        match part {
            PatternPart::Timestamp => timestamp = Some(found),
            PatternPart::Signature => signatures.push(found),
            PatternPart::Other(_) | PatternPart::Literal(_) => {}
        }
    }
    rest.is_empty().then_some((timestamp, signatures))
}
