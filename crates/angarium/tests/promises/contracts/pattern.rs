//! Texts of a case in which `<name>` stands for what is not known when the case is written.
//!
//! Where a text is sent, `<name>` is what this name was bound to. Where a text is expected, a name
//! that is bound must stand there again, one that is not is bound to what stands there, and
//! `<name: whsec_ hex*64>` says what it must look like: text and classes of characters, in order.
//! `<_>` is anything, once. What is no name in angle brackets is text.

use std::collections::BTreeMap;

/// Names and what they stand for.
pub(super) type Bindings = BTreeMap<String, String>;

/// A text with every name replaced.
///
/// # Panics
/// A name is not bound.
#[track_caller]
pub(super) fn fill(text: &str, bindings: &Bindings) -> String {
    let piece = |piece: Piece<'_>| match piece {
        Piece::Text(text) => text.to_owned(),
        Piece::Hole { name, .. } => {
            let bound = bindings.get(name);
            bound.unwrap_or_else(|| panic!("nothing is called <{name}> here")).clone()
        }
    };
    pieces(text).into_iter().map(piece).collect()
}

/// Compares a text with what is expected, and binds what was met for the first time.
///
/// # Errors
/// Both texts, where they differ.
pub(super) fn meet(expected: &str, found: &str, bindings: &mut Bindings) -> Result<(), String> {
    let mut met = bindings.clone();
    if !meets(&pieces(expected), found, &mut met) {
        let known = |(name, value): (&String, &String)| format!("\n       <{name}> = {value}");
        let named = bindings.iter().filter(|(name, _)| expected.contains(&format!("<{name}")));
        let known: String = named.map(known).collect();
        return Err(format!("expected {expected}\n   found {found}{known}"));
    }
    met.remove("_");
    *bindings = met;
    Ok(())
}

#[derive(Debug, Clone)]
enum Piece<'a> {
    Text(&'a str),
    Hole { name: &'a str, shape: Vec<Part<'a>> },
}

#[derive(Debug, Clone, Copy)]
enum Part<'a> {
    Text(&'a str),
    Class { holds: fn(char) -> bool, count: Option<usize> },
}

fn pieces(mut text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    while let Some((before, hole, after)) = next_hole(text) {
        pieces.extend([Piece::Text(before), hole]);
        text = after;
    }
    pieces.push(Piece::Text(text));
    pieces
}

/// The first hole of a text, with what stands before and after it.
fn next_hole(text: &str) -> Option<(&str, Piece<'_>, &str)> {
    let is_name = |name: &str| {
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        !name.is_empty() && name.chars().all(letter)
    };
    text.match_indices('<').find_map(|(start, _)| {
        let (inside, after) = text[start + 1..].split_once('>')?;
        let (name, shape) = inside.split_once(':').unwrap_or((inside, ""));
        is_name(name).then(|| {
            let shape = shape.split_whitespace().map(part).collect();
            (&text[..start], Piece::Hole { name, shape }, after)
        })
    })
}

fn part(word: &str) -> Part<'_> {
    let (name, count) = match word.split_once('*') {
        Some((name, count)) => (name, count.parse().ok()),
        None => (word, None),
    };
    let holds: fn(char) -> bool = match name {
        "hex" => |c| matches!(c, '0'..='9' | 'a'..='f'),
        "base32" => |c| matches!(c, '0'..='9' | 'a'..='z') && !"ilou".contains(c),
        "base64" => |c| c.is_ascii_alphanumeric() || "+/=".contains(c),
        "digit" => |c| c.is_ascii_digit(),
        "uuid" => {
            return Part::Class { holds: |c| c == '-' || c.is_ascii_hexdigit(), count: Some(36) };
        }
        _ => return Part::Text(word),
    };
    Part::Class { holds, count }
}

fn meets(expected: &[Piece<'_>], found: &str, bindings: &mut Bindings) -> bool {
    let Some((first, rest)) = expected.split_first() else {
        return found.is_empty();
    };
    match first {
        Piece::Text(text) => {
            found.strip_prefix(text).is_some_and(|found| meets(rest, found, bindings))
        }
        Piece::Hole { name, shape } => {
            if let Some(bound) = bindings.get(*name).cloned() {
                let rest_of = found.strip_prefix(&*bound);
                return rest_of.is_some_and(|found| meets(rest, found, bindings));
            }
            let ends = found.char_indices().map(|(end, _)| end).chain([found.len()]);
            ends.into_iter().any(|end| {
                let (value, after) = found.split_at(end);
                if !shape.is_empty() && !fits(shape, value) {
                    return false;
                }
                let mut tried = bindings.clone();
                if *name != "_" {
                    tried.insert((*name).to_owned(), value.to_owned());
                }
                let met = meets(rest, after, &mut tried);
                if met {
                    *bindings = tried;
                }
                met
            })
        }
    }
}

/// Whether a value has this shape to its end.
fn fits(shape: &[Part<'_>], value: &str) -> bool {
    let Some((first, rest)) = shape.split_first() else {
        return value.is_empty();
    };
    match *first {
        Part::Text(text) => value.strip_prefix(text).is_some_and(|value| fits(rest, value)),
        Part::Class { holds, count } => {
            let run = value.chars().take_while(|c| holds(*c)).count();
            let counts = match count {
                Some(count) => count..=count,
                None => 1..=run,
            };
            // A class is one of ASCII characters: so many characters are so many bytes.
            counts.rev().any(|count| count <= run && fits(rest, &value[count..]))
        }
    }
}

#[test]
fn a_name_is_bound_where_it_is_met_first_and_must_stand_there_again() {
    let mut bindings = Bindings::new();
    let expected = r#"{"id":"<id: wh_ base32*4>","at":"<at>","same":"<id>","x":"<_>"}"#;
    let found = r#"{"id":"wh_01ab","at":"noon","same":"wh_01ab","x":"a"}"#;
    assert_eq!(meet(expected, found, &mut bindings), Ok(()));
    assert_eq!(fill("/hooks/<id>?at=<at>&a<b", &bindings), "/hooks/wh_01ab?at=noon&a<b");
    for (expected, found) in [
        ("<id>", "wh_01ac"),
        ("<new: hex*4>", "01ag"),
        ("<new: hex*4>", "01abc"),
        ("<new: v1, base64>", "v1,"),
        ("<at> ", "noon"),
    ] {
        assert!(meet(expected, found, &mut bindings).is_err(), "{expected} {found}");
    }
    assert!(!bindings.contains_key("new"), "what failed binds nothing");
}
