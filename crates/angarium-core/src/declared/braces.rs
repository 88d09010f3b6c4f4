//! Text with placeholders in braces, cut into pieces.

use super::fault::{Fault, nearest, quoted};
use std::borrow::Cow;

/// What stands between two braces, or between two placeholders.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Text that stays as it is.
    Literal(Cow<'a, str>),
    /// The name of a placeholder.
    Name(&'a str),
}

/// Cuts a template into pieces. `{{` and `}}` are braces that stay.
pub(crate) fn split(text: &str) -> Result<Vec<Piece<'_>>, Fault> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            literal.push_str(brace);
            rest = after;
            continue;
        }
        let name = after.split_once('}').filter(|_| brace == "{");
        let Some((name, after)) = name else {
            let fault = Fault::from(format!("{text:?} has a brace without its other half"));
            return Err(fault.cured_by("close it, or write `{{` or `}}` for a brace itself"));
        };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
        }
        pieces.push(Piece::Name(name));
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal.into()));
    }
    Ok(pieces)
}

/// A placeholder that is none of those that may stand there.
pub(crate) fn unknown_placeholder(name: &str, known: &[&str]) -> Fault {
    let there = if known.is_empty() { "none here".to_owned() } else { quoted(known) };
    let fault = Fault::from(format!("unknown placeholder `{{{name}}}`; there are {there}"));
    match nearest(name, known.iter().copied()) {
        Some(meant) => fault.cured_by(format!("did you mean `{{{meant}}}`?")),
        None if known.is_empty() => fault.cured_by("take it out"),
        None => fault.cured_by("take one of them, or write `{{` and `}}` for braces"),
    }
}

/// Cuts `name|word` into the name and the value that stands where there is none.
pub(crate) fn split_word(name: &str) -> (&str, Option<serde_json::Value>) {
    match name.split_once('|') {
        None => (name, None),
        Some((name, "null")) => (name, Some(serde_json::Value::Null)),
        Some((name, word)) => (name, Some(word.into())),
    }
}
