//! Who may do what, whole: every call that the documents describe × every kind of key.
//!
//! Each cell sends a well-formed request to the real server. What is expected stands in a table of
//! the test's own, and a few rules over it.

mod contracts;
mod stage;
mod table;

use crate::support::figure;
use serde_json::Value;
use stage::{CANARY, Caller, Stage, filled, said};
use std::collections::BTreeSet;
use std::time::Instant;
use table::{Environment, ROWS, Row};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The calls of a document, as `METHOD /path`.
fn described(document: &Value) -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let methods = methods.as_object().expect("methods").keys();
        let methods = methods.filter(|method| METHODS.contains(&method.as_str()));
        calls.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    calls
}

/// What was tried, and what was not as it should be.
#[derive(Default)]
struct Tally {
    cells: usize,
    compared: usize,
    mismatches: Vec<String>,
}

impl Tally {
    fn judged(self, operations: usize, since: Instant) {
        figure(format_args!(
            "{operations} operations, {} cells, {} answers compared byte for byte, {} mismatches, \
             in {:.1} s",
            self.cells,
            self.compared,
            self.mismatches.len(),
            since.elapsed().as_secs_f64()
        ));
        assert!(self.mismatches.is_empty(), "{}", self.mismatches.join("\n"));
    }
}

#[test]
fn every_call_answers_every_kind_of_key_as_it_should() {
    let started = Instant::now();
    let stage = Stage::open();
    let document = stage.shop.api.without("authorization").get("/openapi.json").expect(200);
    let decided: BTreeSet<_> = ROWS.iter().map(|row| row.call.to_owned()).collect();
    assert_eq!(decided, described(&document), "decide who may make each call, in table.rs");
    let mut tally = Tally::default();
    for row in ROWS {
        let unused = stage.path(row.path(), row.object);
        for caller in &stage.callers {
            try_cell(&stage, row, caller, &unused, &mut tally);
        }
    }
    tally.judged(ROWS.len(), started);
}

/// One call by one key. `unused` is a path to what nobody has used up.
fn try_cell(stage: &Stage, row: &Row, caller: &Caller, unused: &str, tally: &mut Tally) {
    let expected = row.expected(caller);
    let path = match expected.0 {
        ..300 => stage.path(row.path(), row.object),
        _ => unused.to_owned(),
    };
    let answer = stage.call(&caller.api, row.method(), &path, row.body);
    // A batch answers for each of its events.
    let item = &answer.body["results"][0];
    let (status, code) = match item["status"].as_u64().and_then(|status| status.try_into().ok()) {
        Some(status) => (status, item["error"]["code"].as_str().unwrap_or_default()),
        None => (answer.status, answer.code()),
    };
    tally.cells += 1;
    let told = String::from_utf8_lossy(&answer.message.body);
    let mut wrong = |what: &str| {
        tally.mismatches.push(format!("{} by {}: {what}: {told}", row.call, caller.name));
    };
    if (status, code) != expected {
        wrong(&format!("{status} {code} instead of {expected:?}"));
    }
    // A key of the instance that names no environment is shown what is in all.
    let sees_all = row.environment == Environment::Optional && caller.environment.is_none();
    if !caller.sees_acme() && !sees_all && told.contains(CANARY) {
        wrong("shows what is another's");
    }
    if expected == (404, row.object.missing())
        && let Some(never) = row.object.never_made()
    {
        let body = row.body.map(|body| body.replace("\"acme\"", &format!("\"{never}\"")));
        let path = filled(row.path(), never);
        let nothing = stage.call(&caller.api, row.method(), &path, body.as_deref());
        if said(&nothing) != said(&answer) {
            wrong("what is another's is told from what is not there");
        }
        tally.compared += 1;
    }
}

#[test]
fn the_page_about_keys_says_what_each_call_needs() {
    let page = include_str!("../../../../../docs/keys.md");
    let said: BTreeSet<_> = page.lines().filter(|line| line.contains("/v1/")).collect();
    let rows = ROWS.iter().filter(|row| row.call.contains("/v1/"));
    let expected: Vec<_> = rows.map(Row::line).collect();
    let missing: Vec<_> =
        expected.iter().filter(|line| !said.contains(line.as_str())).cloned().collect();
    assert!(missing.is_empty(), "docs/keys.md lacks\n{}", missing.join("\n"));
    let lines = said.iter().filter(|line| line.starts_with("| `")).count();
    assert_eq!(lines, expected.len(), "and says nothing else");
}
