//! Rules about what stands beside the code: documents name only what exists, decisions are in their
//! index, nothing is of one machine, nothing is huge, and core repeats the root's limits.

use super::{File, Finding};
use anyhow::{Context, Result};
use std::path::Path;

const FILE_BYTES_MAX: u64 = 1024 * 1024;
const DECISIONS: &str = "docs/adr";
/// Documents whose paths must exist.
const MAPS: [&str; 3] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"];
/// Folders at the root that documents may point into.
const TOP: [&str; 6] = ["crates/", "docs/", "contracts/", "xtask/", ".ci/", ".cargo/"];
/// How a path of one machine begins; in halves, so that this file does not break its own rule.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Applies the rules.
pub(super) fn check(root: &Path, files: &[File]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in files {
        if file.bytes > FILE_BYTES_MAX && file.path != Path::new("Cargo.lock") {
            findings.push(Finding::in_file(&file.path, "larger than 1 MiB"));
        }
        if let Some(text) = &file.text {
            findings.extend(machine_paths(&file.path, text));
        }
    }
    for map in MAPS {
        match files.iter().find(|file| file.path == Path::new(map)) {
            Some(File { text: Some(text), .. }) => findings.extend(missing(root, map, text)),
            _ => findings.push(Finding::in_file(Path::new(map), "is not there")),
        }
    }
    findings.extend(decisions(files));
    findings.extend(clippy_limits(root)?);
    Ok(findings)
}

fn machine_paths(path: &Path, text: &str) -> Vec<Finding> {
    let has_one = |line: &str| MACHINE_PATHS.iter().any(|start| line.contains(start));
    text.lines()
        .enumerate()
        .filter(|(_, line)| has_one(line))
        .map(|(index, _)| Finding::at_line(path, index, "a path of one machine"))
        .collect()
}

/// Paths in backticks or in links that do not exist. A path with a placeholder is not one.
fn missing(root: &Path, map: &str, text: &str) -> Vec<Finding> {
    let is_path = |word: &&str| {
        TOP.iter().any(|top| word.starts_with(top)) && !word.contains(['*', '<', '…', '{'])
    };
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let words = line.split(['`', '(', ')', ' ', ',', '|']).filter(is_path);
        for word in words.filter(|word| !root.join(word.trim_end_matches('.')).exists()) {
            let what = format!("names `{word}`, which does not exist");
            findings.push(Finding::at_line(Path::new(map), index, what));
        }
    }
    findings
}

/// Every decision is named in the index of its folder.
fn decisions(files: &[File]) -> Vec<Finding> {
    let index = Path::new(DECISIONS).join("README.md");
    let text = files
        .iter()
        .find(|file| file.path == index)
        .and_then(|file| file.text.as_deref())
        .unwrap_or_default();
    files
        .iter()
        .filter(|file| file.path.starts_with(DECISIONS) && file.path != index)
        .filter(|file| {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            !text.contains(&*name)
        })
        .map(|file| Finding::in_file(&file.path, format!("is not in {}", index.display())))
        .collect()
}

/// A crate's `clippy.toml` replaces the root's, so it must repeat the root's limits.
fn clippy_limits(root: &Path) -> Result<Vec<Finding>> {
    let read = |path: &str| {
        std::fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))
    };
    let core_path = "crates/angarium-core/clippy.toml";
    let (common, core) = (read("clippy.toml")?, read(core_path)?);
    let limits = common.lines().filter(|line| line.contains("-threshold"));
    let absent = limits.filter(|limit| !core.lines().any(|line| line == *limit));
    let finding = |limit: &str| {
        Finding::in_file(Path::new(core_path), format!("does not repeat the root's `{limit}`"))
    };
    Ok(absent.map(finding).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_may_name_only_paths_that_exist() {
        let text = "See `crates/here.rs` and [it](docs/gone.md), `crates/*/src`, `other/x`.";
        let folder = std::env::temp_dir().join(format!("tidy-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("crates")).expect("a folder");
        std::fs::write(folder.join("crates/here.rs"), "").expect("a file");
        let found = missing(&folder, "ARCHITECTURE.md", text);
        std::fs::remove_dir_all(&folder).expect("removed");
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("docs/gone.md"));
    }

    #[test]
    fn a_decision_outside_the_index_and_a_path_of_one_machine_are_found() {
        let file = |path: &str, text: &str| File {
            path: path.into(),
            bytes: 1,
            text: Some(text.to_owned()),
        };
        let files = [
            file("docs/adr/README.md", "- 0001-a.md"),
            file("docs/adr/0001-a.md", ""),
            file("docs/adr/0002-b.md", ""),
        ];
        assert_eq!(decisions(&files).len(), 1);
        let text = format!("first\nopen {}me/file\n", MACHINE_PATHS[0]);
        let found = machine_paths(Path::new("a.md"), &text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "a.md:2");
    }
}
