//! `angarium contract check`: every mistake and every weak choice of contract files.

use super::text_of;
use crate::output::Output;
use angarium_core::contract::{Contract, ContractWarning};
use angarium_core::declared::Mistake;
use angarium_core::limits::Limits;
use angarium_server::schema;
use anyhow::Context;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is checked, and how strictly.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The files; `-` is standard input.
    #[arg(value_name = "FILE", required_unless_present = "contracts")]
    files: Vec<PathBuf>,
    /// Checks the `*.toml` files of a directory as well, as a server loads them.
    #[arg(long, value_name = "DIR")]
    contracts: Option<PathBuf>,
    /// Fails on warnings, too.
    #[arg(long)]
    deny_warnings: bool,
    #[command(flatten)]
    output: Output,
}

/// Checks every file, and says what it found in all of them.
///
/// # Errors
/// There is a mistake, or with `--deny-warnings` a warning; or the directory cannot be read.
pub(super) fn run(action: &Check, limits: &Limits) -> anyhow::Result<()> {
    let mut files = action.files.clone();
    if let Some(directory) = &action.contracts {
        files.extend(toml_files(directory)?);
    }
    let mut checked: Vec<Checked> = files.iter().map(|file| Checked::read(file, limits)).collect();
    refuse_shared_names(&mut checked);
    let json = checked.iter().map(Checked::to_json).collect::<Value>();
    let text: Vec<_> = checked.iter().map(Checked::to_text).collect();
    action.output.answer(&json, &text.join("\n"));
    let count = |found: fn(&Checked) -> bool| checked.iter().filter(|file| found(file)).count();
    let (wrong, weak) = (count(Checked::is_wrong), count(Checked::is_weak));
    let all = checked.len();
    anyhow::ensure!(wrong == 0, "{wrong} of {all} contracts cannot be used");
    anyhow::ensure!(!action.deny_warnings || weak == 0, "{weak} of {all} contracts have warnings");
    Ok(())
}

/// What was found in a contract that has just been written.
pub(super) fn report(file: &Path, limits: &Limits) -> String {
    Checked::read(file, limits).to_text()
}

fn toml_files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || format!("{} cannot be read", directory.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(unreadable)? {
        files.push(entry.with_context(unreadable)?.path());
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    Ok(files)
}

/// A file, and what is wrong and weak in it.
struct Checked {
    file: String,
    contract: Option<Contract>,
    /// Why the file cannot be read at all.
    unreadable: Option<String>,
    mistakes: Vec<Mistake>,
    warnings: Vec<ContractWarning>,
}

/// A line of the report.
struct Finding {
    place: String,
    kind: &'static str,
    reason: String,
    cure: String,
}

impl Checked {
    fn read(file: &Path, limits: &Limits) -> Self {
        let name = file.display().to_string();
        let mut checked = Self {
            file: name.clone(),
            contract: None,
            unreadable: None,
            mistakes: Vec::new(),
            warnings: Vec::new(),
        };
        match text_of(file).map(|text| Contract::parse(&name, &text, limits)) {
            Err(error) => {
                checked.unreadable = Some(format!("cannot be read: {}", error.root_cause()))
            }
            Ok(Err(mistakes)) => checked.mistakes = mistakes.iter().cloned().collect(),
            Ok(Ok(contract)) => {
                checked.warnings = contract.warnings();
                checked.warnings.extend(schema::warnings(&contract));
                checked.warnings.sort_by_key(|warning| (warning.line, warning.column));
                checked.contract = Some(contract);
            }
        }
        checked
    }

    fn is_wrong(&self) -> bool {
        self.unreadable.is_some() || !self.mistakes.is_empty()
    }

    fn is_weak(&self) -> bool {
        !self.warnings.is_empty()
    }

    fn findings(&self) -> Vec<Finding> {
        let place = |line: usize, column: usize| format!("{}:{line}:{column}", self.file);
        let mistake = |mistake: &Mistake| Finding {
            place: place(mistake.line, mistake.column),
            kind: "error",
            reason: mistake.reason.clone(),
            cure: mistake.cure.clone().unwrap_or_default(),
        };
        let warning = |warning: &ContractWarning| Finding {
            place: place(warning.line, warning.column),
            kind: "warning",
            reason: warning.reason.clone(),
            cure: format!("{} ({})", warning.weakness.advice(), warning.weakness.as_str()),
        };
        let mistakes = self.mistakes.iter().map(mistake);
        mistakes.chain(self.warnings.iter().map(warning)).collect()
    }

    /// A line of its own for each finding and for its cure, aligned; and at the end the sum.
    fn to_text(&self) -> String {
        let findings = self.findings();
        let width = findings.iter().map(|finding| finding.place.len()).max().unwrap_or_default();
        let mut text = String::new();
        for Finding { place, kind, reason, cure } in &findings {
            text += &format!("{place:width$}  {kind:7}  {reason}\n");
            if !cure.is_empty() {
                text += &format!("{:width$}  {:7}  {cure}\n", "", "");
            }
        }
        let sum = match (&self.unreadable, &self.contract) {
            (Some(reason), _) => reason.clone(),
            (None, Some(contract)) => {
                format!("{}, {}: ", contract.name(), counted(contract.events().len(), "event"))
                    + &self.sum()
            }
            (None, None) => self.sum(),
        };
        text + &format!("{}: {sum}", self.file)
    }

    fn sum(&self) -> String {
        match (self.mistakes.len(), self.warnings.len()) {
            (0, 0) => "ok".to_owned(),
            (0, weak) => format!("ok, {}", counted(weak, "warning")),
            (wrong, 0) => counted(wrong, "mistake"),
            (wrong, weak) => format!("{}, {}", counted(wrong, "mistake"), counted(weak, "warning")),
        }
    }

    fn to_json(&self) -> Value {
        let mistake = |mistake: &Mistake| {
            let Mistake { line, column, reason, cure, .. } = mistake;
            json!({"line": line, "column": column, "reason": reason, "cure": cure})
        };
        let warning = |warning: &ContractWarning| {
            let ContractWarning { weakness, line, column, reason, .. } = warning;
            let (name, cure) = (weakness.as_str(), weakness.advice());
            json!({"name": name, "line": line, "column": column, "reason": reason, "cure": cure})
        };
        json!({
            "file": self.file,
            "contract": self.contract.as_ref().map(Contract::name),
            "unreadable": self.unreadable,
            "mistakes": self.mistakes.iter().map(mistake).collect::<Value>(),
            "warnings": self.warnings.iter().map(warning).collect::<Value>(),
        })
    }
}

/// A server knows contracts by their names: of two files with one name the second would take the
/// place of the first.
fn refuse_shared_names(checked: &mut [Checked]) {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for checked in checked {
        let Some(contract) = &checked.contract else { continue };
        let name = contract.name();
        match files.get(name) {
            None => drop(files.insert(name.to_owned(), checked.file.clone())),
            Some(first) => {
                let reason = format!("`{name}` is the name of {first} already");
                let cure = "give each contract a name of its own";
                checked.mistakes.push(contract.mistake(&["contract"], reason, cure));
            }
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
