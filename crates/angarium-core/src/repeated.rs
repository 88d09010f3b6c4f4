//! A member that stands twice in an object of JSON: readers differ about which of the two counts
//! (RFC 8259, section 4), so what one of them checked may not be what another acts on.

use std::borrow::Cow;
use std::collections::HashSet;

/// So many names are compared one by one; more are hashed.
const FEW: usize = 16;

/// The members of an object that were passed.
#[derive(Debug, Default)]
struct Names<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Names<'a> {
    /// Whether the name is new.
    fn add(&mut self, name: Cow<'a, str>) -> bool {
        if self.few.len() < FEW {
            let is_new = !self.few.contains(&name);
            self.few.push(name);
            return is_new;
        }
        !self.few.contains(&name) && self.many.insert(name)
    }
}

/// An object or an array that is open.
#[derive(Debug)]
enum Open<'a> {
    Object { names: Names<'a>, name: Cow<'a, str>, is_name_next: bool },
    Array { at: usize },
}

/// The path of the first member that stands twice in its object, such as `items[2].id`. Names are
/// compared as they read, not as they are written. Of what is not JSON it may say anything.
pub fn first_repeated(json: &[u8]) -> Option<String> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        at += 1;
        match (byte, open.last_mut()) {
            (b'{', _) => open.push(Open::Object {
                names: Names::default(),
                name: Cow::Borrowed(""),
                is_name_next: true,
            }),
            (b'[', _) => open.push(Open::Array { at: 0 }),
            (b'}' | b']', _) => {
                open.pop();
            }
            (b',', Some(Open::Object { is_name_next, .. })) => *is_name_next = true,
            (b',', Some(Open::Array { at })) => *at += 1,
            (b'"', inside) => {
                let end = end_of_text(json, at);
                if let Some(Open::Object { names, name, is_name_next }) = inside
                    && *is_name_next
                {
                    *is_name_next = false;
                    *name = text(json.get(at - 1..end).unwrap_or_default());
                    if !names.add(name.clone()) {
                        return Some(path(&open));
                    }
                }
                at = end;
            }
            _ => {}
        }
    }
    None
}

/// Behind the quote that ends the text.
fn end_of_text(json: &[u8], mut at: usize) -> usize {
    while let Some(byte) = json.get(at) {
        at += 1;
        match byte {
            b'"' => return at,
            b'\\' => at += 1,
            _ => {}
        }
    }
    at.min(json.len())
}

/// What a quoted text reads.
fn text(quoted: &[u8]) -> Cow<'_, str> {
    let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    match std::str::from_utf8(inside) {
        Ok(plain) if !inside.contains(&b'\\') => Cow::Borrowed(plain),
        Ok(_) | Err(_) => Cow::Owned(serde_json::from_slice(quoted).unwrap_or_default()),
    }
}

fn path(open: &[Open<'_>]) -> String {
    let mut path = String::new();
    for level in open {
        match level {
            Open::Object { name, .. } if path.is_empty() => path.push_str(name),
            Open::Object { name, .. } => {
                path.push('.');
                path.push_str(name);
            }
            Open::Array { at } => path.push_str(&format!("[{at}]")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_member_that_stands_twice_is_named_by_its_path() {
        let rows = [
            ("{}", None),
            ("[1,\"a\",\"a\"]", None),
            ("{\"a\":1,\"b\":\"a\",\"c\":{\"a\":{\"a\":1}}}", None),
            ("{\"a\":1,\"A\":1}", None),
            ("{\"a\":1,\"a\":1}", Some("a")),
            ("{\"a\":1, \"\\u0061\" :2}", Some("a")),
            ("{\"a\":[{\"b\":1},{\"c\":\"}\",\"b\":1,\"b\":2}]}", Some("a[1].b")),
            ("[[],{\"x\\\"\":1,\"x\\\"\":1}]", Some("[1].x\"")),
            ("{\"a\":{},\"b\":[],\"a\":1}", Some("a")),
        ];
        for (json, expected) in rows {
            assert_eq!(first_repeated(json.as_bytes()).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn many_members_are_told_apart_as_few_are_and_in_good_time() {
        let members = |names: &mut dyn Iterator<Item = usize>| {
            let members: Vec<_> = names.map(|n| format!("\"m{n}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        let many = 50_000;
        assert_eq!(first_repeated(members(&mut (0..many)).as_bytes()), None);
        for twice in [0, FEW - 1, FEW, many - 1] {
            let json = members(&mut (0..many).chain([twice]));
            assert_eq!(first_repeated(json.as_bytes()), Some(format!("m{twice}")));
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_it_panic(bytes in prop::collection::vec(
            prop::sample::select(b"{}[],:\"\\au0 \xff".to_vec()), 0..64)) {
            first_repeated(&bytes);
        }
    }
}
