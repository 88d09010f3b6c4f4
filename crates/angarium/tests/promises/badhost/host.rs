//! The bad host as a process of its own, and what it tells of its callers.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

/// A case, as the list says it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) stage: String,
    pub(crate) url: String,
    /// Classes that are right.
    pub(crate) classes: Vec<String>,
    /// Which of a sender's limits ends it; `none` where none has to.
    pub(crate) limit: String,
}

/// What one caller did.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) case: String,
    pub(crate) requests: u64,
    pub(crate) written: u64,
    pub(crate) held_ms: u64,
    pub(crate) end: String,
}

/// A running bad host; it is killed when this is dropped.
pub(crate) struct BadHost {
    child: Child,
    pub(crate) cases: Vec<Case>,
    pub(crate) http: String,
    pub(crate) https: String,
    pub(crate) name_server: String,
    visits: Arc<Mutex<Vec<Visit>>>,
}

impl BadHost {
    /// Starts it on free ports; its root certificate goes into a file.
    pub(crate) fn start(authority: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_angarium"))
            .args(["badhost", "--listen", "127.0.0.1:0", "--json", "--authority"])
            .arg(authority)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the executable starts");
        let mut output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut first = String::new();
        output.read_line(&mut first).expect("the list of cases");
        let list: Value = serde_json::from_str(&first).expect("the list is JSON");
        let visits = Arc::<Mutex<Vec<Visit>>>::default();
        let record = Arc::clone(&visits);
        std::thread::spawn(move || listen(output, &record));
        Self {
            child,
            cases: list["cases"].as_array().expect("cases").iter().map(case).collect(),
            http: text(&list["http"]),
            https: text(&list["https"]),
            name_server: text(&list["name_server"]),
            visits,
        }
    }

    /// Everyone who has come and gone.
    pub(crate) fn visits(&self) -> Vec<Visit> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for BadHost {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(output: BufReader<ChildStdout>, visits: &Mutex<Vec<Visit>>) {
    for line in output.lines().map_while(Result::ok) {
        let row: Value = serde_json::from_str(&line).expect("a visit is JSON");
        let visit = Visit {
            case: text(&row["case"]),
            requests: row["requests"].as_u64().expect("requests"),
            written: row["written_bytes"].as_u64().expect("bytes"),
            held_ms: row["held_ms"].as_u64().expect("a time"),
            end: text(&row["end"]),
        };
        visits.lock().unwrap_or_else(PoisonError::into_inner).push(visit);
    }
}

fn case(row: &Value) -> Case {
    let classes = row["classes"].as_array().expect("classes");
    Case {
        name: text(&row["name"]),
        stage: text(&row["stage"]),
        url: text(&row["url"]),
        classes: classes.iter().map(text).collect(),
        limit: text(&row["limit"]),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
