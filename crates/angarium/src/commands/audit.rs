//! `angarium audit`: who changed what, and whether the log of it is whole.

use crate::client::{Client, Connection, with_query};
use crate::commands::PageArgs;
use crate::output::{Column, Output, line};
use angarium_core::audit::{Chain, EntryNo, Link};
use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::str::FromStr;

const COLUMNS: &[Column] = &[
    ("NO", "/no"),
    ("AT", "/at"),
    ("TENANT", "/tenant"),
    ("ACTION", "/action"),
    ("OBJECT", "/object/id"),
    ("BY", "/actor/id"),
    ("NAME", "/actor/name"),
    ("FROM", "/address"),
];

/// What is done with the audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Lists who changed what, newest first.
    List {
        /// About this tenant only.
        #[arg(long)]
        tenant: Option<String>,
        /// By this key only, or `server`.
        #[arg(long, value_name = "KEY-ID")]
        actor: Option<String>,
        /// Of this kind only (`endpoint.update` …).
        #[arg(long)]
        action: Option<String>,
        /// About the object of this id only.
        #[arg(long, value_name = "ID")]
        object: Option<String>,
        /// Committed at or after this time.
        #[arg(long, value_name = "TIME")]
        after: Option<String>,
        /// Committed before this time.
        #[arg(long, value_name = "TIME")]
        before: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Prints all entries as JSON, one a line, oldest first.
    Export {
        /// The number of the first entry.
        #[arg(long, value_name = "NUMBER")]
        from: Option<String>,
    },
    /// Follows the chain of the server's log, or of an export, and names the first broken entry.
    Verify {
        /// An export; the server's log if absent.
        file: Option<PathBuf>,
        /// An entry that was noted elsewhere, as an earlier verification printed it.
        #[arg(long, value_name = "NUMBER:HASH")]
        head: Option<Noted>,
    },
}

/// An entry that somebody noted: `17:` and 64 hexadecimal digits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noted(Link);

impl FromStr for Noted {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a number, a colon and 64 hexadecimal digits";
        let (no, hash) = text.split_once(':').ok_or(FORM)?;
        let no = no.parse().map_err(|_| FORM)?;
        let hash = hex::decode(hash).ok().and_then(|hash| hash.try_into().ok()).ok_or(FORM)?;
        Ok(Self(Link { no: EntryNo::new(no), hash }))
    }
}

/// Runs the command.
///
/// # Errors
/// The call's, and where the chain is broken.
pub(crate) async fn run(
    connection: Connection,
    output: Output,
    action: Action,
) -> anyhow::Result<()> {
    match action {
        Action::List { tenant, actor, action, object, after, before, page } => {
            let [limit, cursor] = page.parameters();
            let filters = [
                ("tenant", tenant.as_deref()),
                ("actor", actor.as_deref()),
                ("action", action.as_deref()),
                ("object", object.as_deref()),
                ("after", after.as_deref()),
                ("before", before.as_deref()),
                limit,
                cursor,
            ];
            let path = with_query("/v1/audit", &filters);
            output.list(&Client::new(&connection)?.get(&path).await?, COLUMNS);
        }
        Action::Export { from } => {
            let path = with_query("/v1/audit/export", &[("from", from.as_deref())]);
            let print = |text: &str| {
                line(text);
                Ok(())
            };
            // A part of it has gaps, and looks as if entries were missing.
            Client::new(&connection.to_instance())?.lines(&path, print).await?;
        }
        Action::Verify { file: Some(file), head } => tell(output, verify_file(&file, head)?),
        Action::Verify { file: None, head } => {
            tell(output, verify_server(&connection, head).await?);
        }
    }
    Ok(())
}

/// A chain that holds.
struct Sound {
    first: Option<EntryNo>,
    last: Link,
}

impl Sound {
    fn of(chain: &Chain) -> anyhow::Result<Self> {
        Ok(Self { first: chain.first(), last: chain.end()? })
    }
}

fn verify_file(file: &Path, noted: Option<Noted>) -> anyhow::Result<Sound> {
    let unreadable = || format!("{} cannot be read", file.display());
    let lines = BufReader::new(File::open(file).with_context(unreadable)?).lines();
    let mut chain = Chain::of_part(noted.map(|Noted(link)| link).into_iter().collect());
    for text in lines {
        chain.follow(&text.with_context(unreadable)?)?;
    }
    Sound::of(&chain)
}

/// The server's log must reach to where the server says that it ends.
async fn verify_server(connection: &Connection, noted: Option<Noted>) -> anyhow::Result<Sound> {
    let mut client = Client::new(&connection.to_instance())?;
    let page = client.get("/v1/audit?limit=1").await?;
    let Some(head) = page.get("head").filter(|head| !head.is_null()) else {
        bail!("this key sees a part of the log; a key of the instance sees whether it is whole");
    };
    let Noted(head) = told(head)?;
    // A server from before entries were removed has all of them.
    let base = page.get("base").map(told).transpose()?.map_or(Link::default(), |Noted(base)| base);
    let noted = noted.map(|Noted(link)| link);
    if let Some(link) = noted.filter(|link| *link != base && link.no <= base.no) {
        bail!(
            "entry {} was removed for its age, with all up to {}: note the head again",
            link.no,
            base.no
        );
    }
    let known = [Some(head), noted].into_iter().flatten();
    let mut chain = Chain::of_rest(base, known.collect());
    client.lines("/v1/audit/export", |line| Ok(chain.follow(line).map(drop)?)).await?;
    Sound::of(&chain)
}

/// A place of the chain as the server tells it.
fn told(place: &Value) -> anyhow::Result<Noted> {
    let text = |name: &str| place.get(name).map(|value| value.to_string().replace('"', ""));
    let text = format!("{}:{}", text("no").unwrap_or_default(), text("hash").unwrap_or_default());
    text.parse().map_err(|_| anyhow::anyhow!("the server told no head"))
}

fn tell(output: Output, Sound { first, last }: Sound) {
    let hash = hex::encode(last.hash);
    let answer: Value = json!({"first": first, "last": last.no, "hash": hash});
    let text = match first {
        None => "there is no entry".to_owned(),
        Some(first) => {
            let before = match first.get() {
                1 => String::new(),
                _ => format!("; what stood before {first} is not judged"),
            };
            format!("entries {first} to {} hold{before}\nhead {}:{hash}", last.no, last.no)
        }
    };
    output.answer(&answer, &text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noted_entry_is_a_number_and_a_hash() {
        let hash = "ab".repeat(32);
        let Noted(link) = format!("17:{hash}").parse().expect("noted");
        assert_eq!((link.no, hex::encode(link.hash)), (EntryNo::new(17), hash.clone()));
        for bad in ["17", &hash, "17:ab", &format!("x:{hash}"), &format!("1:{hash}0")] {
            assert!(bad.parse::<Noted>().is_err(), "{bad}");
        }
    }
}
