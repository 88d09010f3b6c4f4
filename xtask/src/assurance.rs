//! Which promise holds, by which test.
//!
//! The promises stand in `crates/angarium/tests/contracts/promises.toml`. A test shows the row with
//! which its name begins: `contracts::aioka::k1_…` shows K1. The tests are run, and the table is
//! written to `assurance.md` in the target folder. A row that is due and has no test, or one that
//! failed, is an error; one that is not due yet says why.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROMISES: &str = "crates/angarium/tests/contracts/promises.toml";

/// The smallest build that has the tests.
pub(crate) const ALONE: &[&str] = &["-p", "angarium"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Promises {
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    promise: String,
    /// Why it is not due yet.
    later: Option<String>,
}

/// A test that ran.
struct Shown {
    name: String,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Holds,
    Fails,
}

/// What the tests say of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing<'a> {
    Holds,
    Fails,
    NoTest,
    Later(&'a str),
}

/// Runs the tests of this build (`cargo test`'s arguments) and writes the table.
///
/// # Errors
/// A due promise does not hold, or no test shows it.
pub(crate) fn run(root: &Path, build: &[&str]) -> Result<()> {
    let text = std::fs::read_to_string(root.join(PROMISES)).context(PROMISES)?;
    let promises: Promises = toml::from_str(&text).context(PROMISES)?;
    let shown = read(&tests(root, build)?);
    if shown.is_empty() {
        bail!("no test ran");
    }
    let path = target(root).join("assurance.md");
    std::fs::write(&path, table(&promises.row, &shown)).context("the table cannot be written")?;
    let broken = |row: &&Row| matches!(standing(row, &shown), Standing::Fails | Standing::NoTest);
    let broken: Vec<&str> = promises.row.iter().filter(broken).map(|row| row.id.as_str()).collect();
    let due = promises.row.iter().filter(|row| row.later.is_none()).count();
    let holding = due - broken.len();
    eprintln!("{holding} of {due} due promises hold; the table is {}", path.display());
    if !broken.is_empty() {
        bail!("not shown: {}", broken.join(", "));
    }
    Ok(())
}

/// What the tests print. That some fail is no error here: the table says it.
fn tests(root: &Path, build: &[&str]) -> Result<String> {
    let run = Command::new("cargo")
        .arg("test")
        .args(build)
        .args(["--test", "promises", "contracts::"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    let printed = String::from_utf8_lossy(&run.stdout).into_owned();
    if !run.status.success() {
        eprintln!("{printed}");
    }
    Ok(printed)
}

fn target(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    target.map_or_else(|| root.join("target"), PathBuf::from)
}

/// The tests of the test runner's lines: `test contracts::aioka::k1_… ... ok`.
fn read(printed: &str) -> Vec<Shown> {
    let shown = |line: &str| {
        let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
        let outcome = match outcome.trim() {
            "ok" => Outcome::Holds,
            _ => Outcome::Fails,
        };
        Some(Shown { name: name.to_owned(), outcome })
    };
    printed.lines().filter_map(shown).collect()
}

fn shows(test: &Shown, row: &Row) -> bool {
    let name = test.name.rsplit("::").next().unwrap_or_default();
    name.split('_').next().is_some_and(|first| first.eq_ignore_ascii_case(&row.id))
}

fn standing<'a>(row: &'a Row, shown: &[Shown]) -> Standing<'a> {
    let tests: Vec<&Shown> = shown.iter().filter(|test| shows(test, row)).collect();
    match &row.later {
        Some(why) => Standing::Later(why),
        None if tests.is_empty() => Standing::NoTest,
        None if tests.iter().all(|test| test.outcome == Outcome::Holds) => Standing::Holds,
        None => Standing::Fails,
    }
}

fn table(rows: &[Row], shown: &[Shown]) -> String {
    let mut table = String::from(
        "# Which promise holds, by which test\n\nWritten by `cargo xtask assurance`.\n\n\
         | row | promise | shown by | result |\n|---|---|---|---|\n",
    );
    for row in rows {
        let tests = shown.iter().filter(|test| shows(test, row));
        let tests: Vec<String> = tests.map(|test| format!("`{}`", test.name)).collect();
        let result = match standing(row, shown) {
            Standing::Holds => "holds".to_owned(),
            Standing::Fails => "**fails**".to_owned(),
            Standing::NoTest => "**no test**".to_owned(),
            Standing::Later(why) => format!("not due: {why}"),
        };
        let promise = row.promise.replace('|', "\\|");
        let tests = tests.join("<br>");
        let _ = writeln!(table, "| {} | {promise} | {tests} | {result} |", row.id);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_when_every_test_that_begins_with_it_passed() {
        let printed = "running 3 tests\ntest contracts::aioka::k1_x ... ok\n\
                       test contracts::samples::k1_y ... FAILED\n\
                       test contracts::aioka::k10_z ... ok\n";
        let shown = read(printed);
        let row = |id: &str, later: Option<&str>| Row {
            id: id.to_owned(),
            promise: "a | b".to_owned(),
            later: later.map(str::to_owned),
        };
        let stands = |row: &Row| match standing(row, &shown) {
            Standing::Holds => "holds",
            Standing::Fails => "fails",
            Standing::NoTest => "no test",
            Standing::Later(_) => "later",
        };
        let rows = [row("K1", None), row("K10", None), row("K2", None), row("K3", Some("soon"))];
        assert_eq!(rows.each_ref().map(stands), ["fails", "holds", "no test", "later"]);
        let table = table(&rows, &shown);
        let first =
            "| K1 | a \\| b | `contracts::aioka::k1_x`<br>`contracts::samples::k1_y` | **fails** |";
        assert!(table.contains(first), "{table}");
        assert!(table.contains("| K3 | a \\| b |  | not due: soon |"), "{table}");
    }
}
