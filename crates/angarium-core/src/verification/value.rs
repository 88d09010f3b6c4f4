//! The template of a signature header's value, turned round: from how it is written to how it is
//! read.

use super::plan::{Candidate, PatternPart, Value};
use crate::contract::{Algorithm, Encoding, SignatureRule, ValuePart};

/// What an item may be parted by: nothing that hex, base64 or a number has.
const SEPARATORS: [char; 7] = [',', ';', ' ', '&', '|', ':', '.'];

/// Placeholders in the marked text; a literal has only visible ASCII.
const TIMESTAMP: char = '\u{0}';
const SIGNATURE: char = '\u{1}';
const OTHER_HEX: char = '\u{2}';
const OTHER_BASE64: char = '\u{3}';
const MARKS: [char; 4] = [TIMESTAMP, SIGNATURE, OTHER_HEX, OTHER_BASE64];

/// How the signature of content number `chosen` is found in the value, and how it is written.
///
/// # Errors
/// Why the value cannot be taken apart.
pub(super) fn take_apart(
    rule: &SignatureRule,
    chosen: usize,
    encoding: Encoding,
) -> Result<(Candidate, Value), String> {
    let marked = mark(&rule.value, chosen, encoding);
    let candidate = |item: &str| {
        let (before, after) = item.split_once(SIGNATURE).unwrap_or((item, ""));
        Candidate { before: before.to_owned(), encoding, after: after.to_owned() }
    };
    let join = rule.join.as_deref();
    if let Some(join) = join {
        check_join(join, &marked)?;
    }
    let placeholders = marked.matches(MARKS).count();
    match join {
        None if placeholders == 1 => return Ok((candidate(&marked), Value::Whole)),
        Some(join) if placeholders == 1 => {
            let value = Value::List { separator: join.to_owned(), join: None, timestamp: None };
            return Ok((candidate(&marked), value));
        }
        None | Some(_) => {}
    }
    let lists = SEPARATORS.iter().filter_map(|separator| as_list(&marked, *separator));
    if let Some((separator, item, timestamp)) = lists.into_iter().next() {
        let join = join.filter(|join| *join != separator).map(str::to_owned);
        if let Some(join) = join.as_deref().filter(|join| marked.contains(*join)) {
            return Err(ambiguous(join));
        }
        return Ok((candidate(&item), Value::List { separator, join, timestamp }));
    }
    match join {
        None => Ok((candidate(""), Value::Pattern(as_pattern(&marked)?))),
        Some(_) => Err("the values of several keys can be told apart only where a value is one \
                        signature, or items such as `t={timestamp},v1={hex}`"
            .to_owned()),
    }
}

fn mark(value: &[ValuePart], chosen: usize, encoding: Encoding) -> String {
    let mut marked = String::new();
    for part in value {
        match part {
            ValuePart::Literal(text) => marked.push_str(text),
            ValuePart::Timestamp => marked.push(TIMESTAMP),
            ValuePart::Hex(content) if *content == chosen && encoding == Encoding::Hex => {
                marked.push(SIGNATURE);
            }
            ValuePart::Base64(content) if *content == chosen && encoding == Encoding::Base64 => {
                marked.push(SIGNATURE);
            }
            ValuePart::Hex(_) => marked.push(OTHER_HEX),
            ValuePart::Base64(_) => marked.push(OTHER_BASE64),
        }
    }
    marked
}

fn check_join(join: &str, marked: &str) -> Result<(), String> {
    let encoded = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    let items = marked.matches(MARKS).count() > 1 && marked.contains(join) && join.len() == 1;
    if join.bytes().all(encoded) || (marked.contains(join) && !items) {
        return Err(ambiguous(join));
    }
    Ok(())
}

fn ambiguous(join: &str) -> String {
    format!("`join` is {join:?}, which can stand in a value itself: nobody can tell where one ends")
}

/// The separator, the item with the signature, and what the item with the timestamp begins with; if
/// every placeholder is in an item of its own that can be told from the others.
fn as_list(marked: &str, separator: char) -> Option<(String, String, Option<String>)> {
    let items: Vec<&str> = marked.split(separator).collect();
    let alone = items.iter().all(|item| item.matches(MARKS).count() <= 1);
    let signature = items.iter().find(|item| item.contains(SIGNATURE))?;
    if !alone {
        return None;
    }
    let timestamp = match items.iter().find(|item| item.contains(TIMESTAMP)) {
        None => None,
        Some(item) => {
            let name = item.strip_suffix(TIMESTAMP).filter(|name| !name.is_empty())?;
            let first = items.iter().find(|other| other.starts_with(name));
            Some(first.filter(|first| *first == item).map(|_| name.to_owned())?)
        }
    };
    Some((separator.to_string(), (*signature).to_owned(), timestamp))
}

fn as_pattern(marked: &str) -> Result<Vec<PatternPart>, String> {
    let after_timestamp = marked.split(TIMESTAMP).skip(1).filter_map(|rest| rest.chars().next());
    let runs_on = |next: char| next.is_ascii_digit() || MARKS.contains(&next);
    if marked.matches(TIMESTAMP).count() > 1 || after_timestamp.into_iter().any(runs_on) {
        return Err("nobody can tell where `{timestamp}` ends in the signature's `value`".into());
    }
    if marked.matches(SIGNATURE).count() > 1 {
        return Err("one signature stands twice in the signature's `value`".into());
    }
    let mut parts = Vec::new();
    let mut rest = marked;
    while let Some((at, mark)) = rest.char_indices().find(|(_, c)| MARKS.contains(c)) {
        parts.push(PatternPart::Literal(rest[..at].to_owned()));
        parts.push(match mark {
            TIMESTAMP => PatternPart::Timestamp,
            SIGNATURE => PatternPart::Signature,
            OTHER_HEX => PatternPart::Other(Encoding::Hex),
            _other_base64 => PatternPart::Other(Encoding::Base64),
        });
        rest = &rest[at + mark.len_utf8()..];
    }
    parts.push(PatternPart::Literal(rest.to_owned()));
    parts.retain(|part| !matches!(part, PatternPart::Literal(text) if text.is_empty()));
    Ok(parts)
}

/// Characters of an encoded signature.
pub(super) fn encoded_length(algorithm: Algorithm, encoding: Encoding) -> usize {
    let bytes = match algorithm {
        Algorithm::HmacSha256 => 32,
        Algorithm::HmacSha512 | Algorithm::Ed25519 => 64,
    };
    match encoding {
        Encoding::Hex => bytes * 2,
        Encoding::Base64 => bytes.div_ceil(3) * 4,
    }
}

/// A pattern as a regular expression that every language reads alike, without anchors. Its groups
/// are the timestamp, where there is one, and the signature.
pub(super) fn regex(parts: &[PatternPart], algorithm: Algorithm, encoding: Encoding) -> String {
    let one = |encoding: Encoding| {
        let length = encoded_length(algorithm, encoding);
        match encoding {
            Encoding::Hex => format!("[0-9a-f]{{{length}}}"),
            Encoding::Base64 => format!("[A-Za-z0-9+/=]{{{length}}}"),
        }
    };
    let piece = |part: &PatternPart| match part {
        PatternPart::Literal(text) => escape(text),
        PatternPart::Timestamp => "([0-9]+)".to_owned(),
        PatternPart::Signature => format!("({})", one(encoding)),
        PatternPart::Other(encoding) => one(*encoding),
    };
    parts.iter().map(piece).collect()
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
