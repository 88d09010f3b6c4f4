//! Which promise holds, by which test, and with which figures.
//!
//! What the published pages promise stands in `crates/angarium/tests/contracts/promises.toml`: a
//! test shows the row with which its name begins (`contracts::aioka::k1_…` shows K1). What Angarium
//! promises of deliveries (docs/delivery.md) stands in
//! `crates/angarium/tests/promises/promises.toml`: a row names its tests. The tests are run, and
//! the table is written to `assurance.md` in the target folder, with every line that a test printed
//! as `figure: …`. A row that is due and has no test, or one that failed, is an error; one that is
//! not due yet says why.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROMISES: [&str; 2] = [
    "crates/angarium/tests/contracts/promises.toml",
    "crates/angarium/tests/promises/promises.toml",
];

/// The smallest build that has the tests.
pub(crate) const ALONE: &[&str] =
    &["-p", "angarium", "-p", "angarium-core", "--test", "promises", "--lib"];

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
    /// Its tests; absent where their names begin with the row.
    shown_by: Option<Vec<String>>,
    /// Why it is not due yet.
    later: Option<String>,
}

/// A test that ran.
struct Shown {
    name: String,
    outcome: Outcome,
    figures: Vec<String>,
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
/// A test fails, or a promise that is due is not shown.
pub(crate) fn run(root: &Path, build: &[&str]) -> Result<()> {
    let mut rows = Vec::new();
    for path in PROMISES {
        let text = std::fs::read_to_string(root.join(path)).context(path)?;
        let promises: Promises = toml::from_str(&text).context(path)?;
        rows.extend(promises.row);
    }
    let (passed, printed) = tests(root, build)?;
    let shown = read(&printed);
    let path = target(root).join("assurance.md");
    std::fs::write(&path, table(&rows, &shown)).context("the table cannot be written")?;
    let broken = |row: &&Row| matches!(standing(row, &shown), Standing::Fails | Standing::NoTest);
    let broken: Vec<&str> = rows.iter().filter(broken).map(|row| row.id.as_str()).collect();
    let due = rows.iter().filter(|row| row.later.is_none()).count();
    let holding = due - broken.len();
    eprintln!("{holding} of {due} due promises hold; the table is {}", path.display());
    if !broken.is_empty() {
        bail!("not shown: {}", broken.join(", "));
    }
    if !passed {
        bail!("a test failed");
    }
    Ok(())
}

/// Whether all tests pass, and what they print, which is shown as it comes.
fn tests(root: &Path, build: &[&str]) -> Result<(bool, String)> {
    let mut run = Command::new("cargo")
        .arg("test")
        .args(build)
        .args(["--no-fail-fast", "--", "--show-output"])
        .current_dir(root)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let mut printed = String::new();
    for line in BufReader::new(run.stdout.take().context("its output is piped")?).lines() {
        let line = line.context("the tests print text")?;
        println!("{line}");
        printed.push_str(&line);
        printed.push('\n');
    }
    let passed = run.wait().context("cannot wait for cargo")?.success();
    Ok((passed, printed))
}

fn target(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    target.map_or_else(|| root.join("target"), PathBuf::from)
}

/// The tests of the test runner's lines (`test contracts::aioka::k1_… ... ok`), and what they
/// measured (`figure: …` below `---- contracts::aioka::k1_… stdout ----`).
fn read(printed: &str) -> Vec<Shown> {
    let mut shown: BTreeMap<&str, Shown> = BTreeMap::new();
    let mut speaker = None;
    for line in printed.lines() {
        if let Some((name, outcome)) =
            line.strip_prefix("test ").and_then(|line| line.split_once(" ... "))
        {
            let outcome = match outcome.trim() {
                "ok" => Outcome::Holds,
                _ => Outcome::Fails,
            };
            shown.insert(name, Shown { name: name.to_owned(), outcome, figures: Vec::new() });
        } else if let Some(name) =
            line.strip_prefix("---- ").and_then(|line| line.strip_suffix(" stdout ----"))
        {
            speaker = Some(name);
        } else if let Some(figure) = line.strip_prefix("figure: ")
            && let Some(shown) = speaker.and_then(|name| shown.get_mut(name))
        {
            shown.figures.push(figure.to_owned());
        }
    }
    shown.into_values().collect()
}

fn shows(test: &Shown, row: &Row) -> bool {
    if let Some(names) = &row.shown_by {
        return names.contains(&test.name);
    }
    let name = test.name.rsplit("::").next().unwrap_or_default();
    name.split('_').next().is_some_and(|first| first.eq_ignore_ascii_case(&row.id))
}

fn standing<'a>(row: &'a Row, shown: &[Shown]) -> Standing<'a> {
    if let Some(why) = &row.later {
        return Standing::Later(why);
    }
    let tests: Vec<&Shown> = shown.iter().filter(|test| shows(test, row)).collect();
    let wanted = row.shown_by.as_ref().map_or(1, Vec::len).max(1);
    if tests.len() < wanted {
        return Standing::NoTest;
    }
    match tests.iter().all(|test| test.outcome == Outcome::Holds) {
        true => Standing::Holds,
        false => Standing::Fails,
    }
}

fn table(rows: &[Row], shown: &[Shown]) -> String {
    let mut table = String::from(
        "# Which promise holds, by which test\n\nWritten by `cargo xtask assurance`.\n\n\
         | row | promise | shown by | figures | result |\n|---|---|---|---|---|\n",
    );
    let cell = |text: &str| text.replace('|', "\\|");
    for row in rows {
        let tests: Vec<&Shown> = shown.iter().filter(|test| shows(test, row)).collect();
        let names: Vec<String> = tests.iter().map(|test| format!("`{}`", test.name)).collect();
        let figures: Vec<String> =
            tests.iter().flat_map(|test| &test.figures).map(|figure| cell(figure)).collect();
        let result = match standing(row, shown) {
            Standing::Holds => "holds".to_owned(),
            Standing::Fails => "**fails**".to_owned(),
            Standing::NoTest => "**no test**".to_owned(),
            Standing::Later(why) => format!("not due: {why}"),
        };
        let (promise, names, figures) =
            (cell(&row.promise), names.join("<br>"), figures.join("<br>"));
        let _ = writeln!(table, "| {} | {promise} | {names} | {figures} | {result} |", row.id);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
        running 4 tests\n\
        test contracts::aioka::k1_x ... ok\n\
        test contracts::samples::k1_y ... FAILED\n\
        test contracts::aioka::k10_z ... ok\n\
        test crash::a_kill ... ok\n\
        \n\
        ---- crash::a_kill stdout ----\n\
        seed 7\n\
        figure: 30 kills | 0 lost\n";

    fn row(id: &str) -> Row {
        Row { id: id.to_owned(), promise: "a | b".to_owned(), shown_by: None, later: None }
    }

    fn shown_by(id: &str, tests: &[&str]) -> Row {
        let tests = tests.iter().map(|name| (*name).to_owned()).collect();
        Row { shown_by: Some(tests), ..row(id) }
    }

    #[test]
    fn a_row_holds_when_every_test_that_shows_it_passed() {
        let shown = read(PRINTED);
        let stands = |row: &Row| match standing(row, &shown) {
            Standing::Holds => "holds",
            Standing::Fails => "fails",
            Standing::NoTest => "no test",
            Standing::Later(_) => "later",
        };
        let rows = [
            (row("K1"), "fails"),
            (row("K10"), "holds"),
            (row("K2"), "no test"),
            (Row { later: Some("soon".to_owned()), ..row("K3") }, "later"),
            (shown_by("D1", &["crash::a_kill"]), "holds"),
            (shown_by("D2", &["crash::a_kill", "crash::renamed"]), "no test"),
            (shown_by("D3", &["crash::a_kill", "contracts::samples::k1_y"]), "fails"),
        ];
        for (row, standing) in &rows {
            assert_eq!(stands(row), *standing, "{}", row.id);
        }
    }

    #[test]
    fn the_table_names_tests_and_figures() {
        let rows = [row("K1"), shown_by("D1", &["crash::a_kill"])];
        let table = table(&rows, &read(PRINTED));
        let both = "`contracts::aioka::k1_x`<br>`contracts::samples::k1_y`";
        assert!(table.contains(&format!("| K1 | a \\| b | {both} |  | **fails** |")), "{table}");
        let figures = "`crash::a_kill` | 30 kills \\| 0 lost | holds |";
        assert!(table.contains(figures), "{table}");
    }
}
