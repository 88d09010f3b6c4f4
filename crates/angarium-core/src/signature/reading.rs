//! The template of a signature header's value, turned round: from how it is written to how it is
//! read.

use super::{Encoding, SignatureForm, ValuePart};

/// What an item may be parted by: nothing that hex, base64 or a number has.
const SEPARATORS: [char; 7] = [',', ';', ' ', '&', '|', ':', '.'];

/// Placeholders in the marked text; a literal has only visible ASCII.
const TIMESTAMP: char = '\u{0}';
const SIGNATURE: char = '\u{1}';
const OTHER_HEX: char = '\u{2}';
const OTHER_BASE64: char = '\u{3}';
const MARKS: [char; 4] = [TIMESTAMP, SIGNATURE, OTHER_HEX, OTHER_BASE64];

/// What stands around a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) before: String,
    pub(crate) after: String,
}

/// How the text that carries a signature is taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// It is the candidate.
    Whole,
    /// It is a list with candidates among its items.
    List {
        separator: String,
        /// What stands between the values of several keys, where that is something else.
        join: Option<String>,
        /// What the item with the timestamp begins with.
        timestamp: Option<String>,
    },
    /// It has this form; the candidate is a part of it.
    Pattern(Vec<PatternPart>),
}

/// A part of a value that is no list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PatternPart {
    Literal(String),
    Timestamp,
    Signature,
    /// A signature that is not looked at, of so many characters.
    Other(Encoding),
}

/// How one of the signatures is found in the value, and what stands around it.
///
/// # Errors
/// Why the value cannot be taken apart.
pub(crate) fn take_apart(
    form: &SignatureForm,
    is_chosen: impl Fn(&ValuePart) -> bool,
) -> Result<(Candidate, Value), String> {
    let marked = mark(&form.value, is_chosen);
    let candidate = |item: &str| {
        let (before, after) = item.split_once(SIGNATURE).unwrap_or((item, ""));
        Candidate { before: before.to_owned(), after: after.to_owned() }
    };
    let join = form.join.as_deref();
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

fn mark(value: &[ValuePart], is_chosen: impl Fn(&ValuePart) -> bool) -> String {
    let mut marked = String::new();
    for part in value {
        match part {
            ValuePart::Literal(text) => marked.push_str(text),
            ValuePart::Timestamp => marked.push(TIMESTAMP),
            chosen if is_chosen(chosen) => marked.push(SIGNATURE),
            ValuePart::Hex(_) => marked.push(OTHER_HEX),
            ValuePart::Base64(_) | ValuePart::Enveloped(_) | ValuePart::Jwt | ValuePart::Secret => {
                marked.push(OTHER_BASE64)
            }
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
