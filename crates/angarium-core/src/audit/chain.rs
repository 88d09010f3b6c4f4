//! The chain: every entry names the hash of the one before it.
//!
//! An entry is a line of JSON whose last member is `hash`: the SHA-256 of the same line without
//! that member. `previous`, which stands before it, is the hash of the entry before. So whoever
//! has the lines can follow them with any SHA-256, and whoever noted an entry's hash elsewhere can
//! tell whether anything up to it is another.

use super::{Actor, Change, Deed};
use crate::time::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An entry's number: from 1, without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryNo(i64);

impl EntryNo {
    /// From a number.
    pub const fn new(no: i64) -> Self {
        Self(no)
    }

    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for EntryNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where a chain stands: an entry by its number and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Link {
    /// The number; 0 before the first entry.
    pub no: EntryNo,
    /// The hash; zeros before the first entry.
    pub hash: [u8; 32],
}

/// What the places of an entry are called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// The environment's slug.
    pub environment: Option<String>,
    /// The tenant's id.
    pub tenant: Option<String>,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where the chain stands with it.
    pub link: Link,
    /// Its JSON without `hash`.
    pub text: String,
}

#[derive(Serialize)]
struct Text<'a> {
    no: EntryNo,
    at: String,
    environment: Option<&'a str>,
    tenant: Option<&'a str>,
    actor: ActorText<'a>,
    action: &'static str,
    object: ObjectText<'a>,
    changes: &'a [Change],
    address: Option<String>,
    request: Option<&'a str>,
    previous: String,
}

#[derive(Serialize)]
struct ActorText<'a> {
    id: String,
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct ObjectText<'a> {
    kind: &'static str,
    id: &'a str,
}

impl Entry {
    /// The entry of a deed that is committed `at` this time, behind the last one.
    pub fn new(last: &Link, deed: &Deed, names: &Names, at: Timestamp) -> Self {
        let no = last.no.next();
        let actor = match &deed.author.actor {
            Actor::Key { id, name } => ActorText { id: id.to_string(), name: Some(name) },
            Actor::Server => ActorText { id: "server".into(), name: None },
        };
        let text = Text {
            no,
            at: at.to_string(),
            environment: names.environment.as_deref(),
            tenant: names.tenant.as_deref(),
            actor,
            action: deed.action.as_str(),
            object: ObjectText { kind: deed.action.object_kind(), id: &deed.object },
            changes: &deed.changes,
            address: deed.author.address.map(|address| address.to_string()),
            request: deed.author.request.as_deref(),
            previous: hex::encode(last.hash),
        };
        let text = serde_json::to_string(&text).unwrap_or_default();
        Self { link: Link { no, hash: hash(&text) }, text }
    }

    /// The whole line, with its hash.
    pub fn line(&self) -> String {
        let open = self.text.strip_suffix('}').unwrap_or(&self.text);
        format!("{open}{HASH}{}{END}", hex::encode(self.link.hash))
    }
}

const HASH: &str = r#","hash":""#;
const END: &str = r#""}"#;

fn hash(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

/// Where a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// A line is not an entry.
    #[error("line {0} is not an entry of the log")]
    NotAnEntry(usize),
    /// An entry's hash is not that of its text.
    #[error("entry {0} was altered: its hash is not that of its text")]
    Altered(EntryNo),
    /// An entry has not the number that comes next.
    #[error("entry {expected} is missing: {found} stands in its place")]
    Missing {
        /// The number that comes next.
        expected: EntryNo,
        /// The number that stands there.
        found: EntryNo,
    },
    /// An entry follows another one than it says.
    #[error("entry {0} does not follow the one before it: that was altered, or put in its place")]
    Unlinked(EntryNo),
    /// The chain ends before an entry that is known to be there.
    #[error("the end is missing: the log has entry {known}, and what was read ends with {last}")]
    CutOff {
        /// The entry that is known to be there.
        known: EntryNo,
        /// The last one that was read.
        last: EntryNo,
    },
    /// An entry has another hash than was noted.
    #[error("entry {0} is another than the one whose hash was noted")]
    Another(EntryNo),
}

/// Follows a chain, line by line.
#[derive(Debug, Default)]
pub struct Chain {
    first: Option<EntryNo>,
    last: Option<Link>,
    lines: usize,
    noted: Vec<Link>,
}

#[derive(Deserialize)]
struct Place {
    no: EntryNo,
    previous: String,
}

impl Chain {
    /// A whole log, from the first entry of all. It must hold the entries that were noted.
    pub fn of_whole(noted: Vec<Link>) -> Self {
        Self::of_rest(Link::default(), noted)
    }

    /// What is left of a log whose oldest entries were removed: it follows the last of those. It
    /// must hold the entries that were noted, but for the removed ones.
    pub fn of_rest(base: Link, mut noted: Vec<Link>) -> Self {
        noted.retain(|link| link.no > base.no);
        Self { last: Some(base), ..Self::of_part(noted) }
    }

    /// A part of a log, from any entry on: what was before it is not judged. It must hold the
    /// entries that were noted.
    pub fn of_part(mut noted: Vec<Link>) -> Self {
        // Where the log was empty there is nothing to hold it to.
        noted.retain(|link| *link != Link::default());
        Self { noted, ..Self::default() }
    }

    /// The first entry that was read.
    pub fn first(&self) -> Option<EntryNo> {
        self.first
    }

    /// Takes the next line.
    ///
    /// # Errors
    /// Where the chain is broken.
    pub fn follow(&mut self, line: &str) -> Result<Link, Break> {
        self.lines += 1;
        let (text, told) = split(line).ok_or(Break::NotAnEntry(self.lines))?;
        let place: Place =
            serde_json::from_str(&text).map_err(|_| Break::NotAnEntry(self.lines))?;
        let found = place.no;
        // What calls itself the first of all follows nothing, wherever it is read.
        let first_of_all = || (found == EntryNo::new(1)).then(Link::default);
        let before = self.last.or_else(first_of_all);
        let expected = before.map(|before| before.no.next());
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(Break::Missing { expected, found });
        }
        if hash(&text) != told {
            return Err(Break::Altered(found));
        }
        if before.is_some_and(|before| place.previous != hex::encode(before.hash)) {
            return Err(Break::Unlinked(found));
        }
        let first = *self.first.get_or_insert(found);
        if let Some(noted) = self.noted.iter().find(|noted| noted.no < first) {
            return Err(Break::Missing { expected: noted.no, found });
        }
        if self.noted.iter().any(|noted| noted.no == found && noted.hash != told) {
            return Err(Break::Another(found));
        }
        let link = Link { no: found, hash: told };
        self.last = Some(link);
        Ok(link)
    }

    /// There are no more lines: answers the last entry.
    ///
    /// # Errors
    /// [`Break::CutOff`] if the entry that is known to be there has not come.
    pub fn end(&self) -> Result<Link, Break> {
        let last = self.last.unwrap_or_default();
        match self.noted.iter().map(|noted| noted.no).max() {
            Some(known) if known > last.no => Err(Break::CutOff { known, last: last.no }),
            Some(_) | None => Ok(last),
        }
    }
}

/// A line's text without `hash`, and the hash.
fn split(line: &str) -> Option<(String, [u8; 32])> {
    let (open, hash) = line.strip_suffix(END)?.rsplit_once(HASH)?;
    let hash = hex::decode(hash).ok()?.try_into().ok()?;
    Some((format!("{open}}}"), hash))
}

#[cfg(test)]
mod tests {
    use super::super::{Action, Author, Place};
    use super::*;

    fn lines(count: usize) -> Vec<String> {
        let (mut last, mut lines) = (Link::default(), Vec::new());
        for n in 0..count {
            let object = format!("order \"{n}\"");
            let deed = Deed::new(Author::SERVER, Action::EventTypePut, Place::Instance, &object);
            let entry = Entry::new(&last, &deed, &Names::default(), Timestamp::from_millis(5));
            last = entry.link;
            lines.push(entry.line());
        }
        lines
    }

    fn verdict(lines: &[String], noted: Option<Link>) -> Result<Link, Break> {
        let mut chain = Chain::of_part(noted.into_iter().collect());
        lines.iter().try_for_each(|line| chain.follow(line).map(drop))?;
        chain.end()
    }

    fn no(no: i64) -> EntryNo {
        EntryNo::new(no)
    }

    #[test]
    fn an_entry_is_a_line_of_json_whose_hash_covers_all_that_stands_before_it() {
        let line = lines(1).remove(0);
        let (text, hash) = line.split_once(r#","hash":""#).expect("a hash");
        let expected = hex::encode(digest(&SHA256, format!("{text}}}").as_bytes()));
        assert_eq!(hash, format!("{expected}\"}}"));
        assert_eq!(
            text,
            concat!(
                r#"{"no":1,"at":"1970-01-01T00:00:00.005Z","environment":null,"tenant":null,"#,
                r#""actor":{"id":"server","name":null},"action":"event_type.put","#,
                r#""object":{"kind":"event_type","id":"order \"0\""},"changes":[],"#,
                r#""address":null,"request":null,"#,
                r#""previous":"0000000000000000000000000000000000000000000000000000000000000000""#,
            ),
        );
    }

    #[test]
    fn a_chain_that_nobody_touched_holds_from_wherever_it_is_read() {
        let lines = lines(5);
        let last = verdict(&lines, None).expect("sound");
        assert_eq!(last.no, no(5));
        assert_eq!(verdict(&lines[2..], Some(last)), Ok(last));
        assert_eq!(verdict(&[], None), Ok(Link::default()));
        let mut whole = Chain::of_whole(Vec::new());
        let missing = Break::Missing { expected: no(1), found: no(3) };
        assert_eq!(whole.follow(&lines[2]), Err(missing));
        let noted = Link { no: no(2), ..last };
        let missing = Break::Missing { expected: no(2), found: no(3) };
        assert_eq!(verdict(&lines[2..], Some(noted)), Err(missing));
    }

    #[test]
    fn whatever_is_done_to_a_chain_the_first_broken_entry_is_named() {
        let whole = lines(5);
        let last = verdict(&whole, None).expect("sound");
        let broken = |change: &dyn Fn(&mut Vec<String>)| {
            let mut lines = whole.clone();
            change(&mut lines);
            verdict(&lines, Some(last)).expect_err("broken")
        };
        let altered = broken(&|lines| lines[2] = lines[2].replace("order", "0rder"));
        assert_eq!(altered, Break::Altered(no(3)));
        let missing = Break::Missing { expected: no(3), found: no(4) };
        assert_eq!(broken(&|lines| drop(lines.remove(2))), missing);
        assert_eq!(broken(&|lines| lines.swap(2, 3)), missing);
        let cut = Break::CutOff { known: no(5), last: no(4) };
        assert_eq!(broken(&|lines| drop(lines.pop())), cut);
        assert_eq!(broken(&|lines| lines.clear()), Break::CutOff { known: no(5), last: no(0) });
        assert_eq!(broken(&|lines| lines[1] = "{}".into()), Break::NotAnEntry(2));
    }

    #[test]
    fn an_entry_that_was_written_anew_with_its_hash_does_not_fit_the_next_nor_the_noted() {
        let whole = lines(5);
        let last = verdict(&whole, None).expect("sound");
        let forged = |line: &str| {
            let (text, _) = split(&line.replace("order", "0rder")).expect("an entry");
            let link = Link { no: no(0), hash: hash(&text) };
            Entry { link, text }.line()
        };
        let mut inside = whole.clone();
        inside[2] = forged(&inside[2]);
        assert_eq!(verdict(&inside, None), Err(Break::Unlinked(no(4))));
        let mut at_the_end = whole.clone();
        at_the_end[4] = forged(&at_the_end[4]);
        assert_eq!(verdict(&at_the_end, Some(last)), Err(Break::Another(no(5))));
        let mut first = whole;
        first[0] = first[0].replace(&"0".repeat(64), &"1".repeat(64));
        first[0] = forged(&first[0]);
        assert_eq!(verdict(&first[..1], None), Err(Break::Unlinked(no(1))));
    }
}
