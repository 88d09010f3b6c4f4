//! Rules about Rust files: sizes, module comments, left-overs, files that no module names.
//!
//! The files are formatted (`cargo fmt --check` runs first), so that indentation tells where an
//! item ends and no parser is needed.

use super::{File, Finding};
use std::path::Path;

const COLUMNS_MAX: usize = 100;
const FUNCTION_LINES_MAX: usize = 70;
/// The runner is where concurrency is: what cannot be seen at once is not understood.
const RUNNER_FUNCTION_LINES_MAX: usize = 40;
const RUNNER: &str = "crates/angarium-server/src/runner";
const FILE_LINES_MAX: usize = 500;
const CORE_FILE_LINES_MAX: usize = 300;
const CORE: &str = "crates/angarium-core/src";
/// Written in two halves, so that this file does not break its own rule.
const LEFT_OVERS: [&str; 4] = [
    concat!("todo", "!("),
    concat!("dbg", "!("),
    concat!("unimplemented", "!("),
    concat!("FIX", "ME"),
];

/// Applies the rules to every Rust file.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let sources: Vec<(&Path, &str)> = files
        .iter()
        .filter(|file| file.path.extension().is_some_and(|ext| ext == "rs"))
        .filter_map(|file| Some((file.path.as_path(), file.text.as_deref()?)))
        .collect();
    let mut findings = Vec::new();
    for (path, text) in &sources {
        let lines: Vec<&str> = text.lines().collect();
        if !text.starts_with("//!") {
            findings.push(Finding::in_file(path, "begins without a `//!` comment"));
        }
        file_length(path, &lines, &mut findings);
        function_lengths(path, &lines, &mut findings);
        for (index, line) in lines.iter().enumerate() {
            one_line(path, index, line, &mut findings);
        }
    }
    findings.extend(unnamed_modules(&sources));
    findings
}

fn one_line(path: &Path, index: usize, line: &str, findings: &mut Vec<Finding>) {
    let columns = line.chars().count();
    if columns > COLUMNS_MAX {
        let what = format!("{columns} columns, at most {COLUMNS_MAX}");
        findings.push(Finding::at_line(path, index, what));
    }
    if let Some(word) = LEFT_OVERS.iter().find(|word| line.contains(**word)) {
        findings.push(Finding::at_line(path, index, format!("left over: `{word}`")));
    }
}

/// Lines before the tests at the end of the file; files of tests have no limit.
fn file_length(path: &Path, lines: &[&str], findings: &mut Vec<Finding>) {
    if is_test(path) {
        return;
    }
    let most = if path.starts_with(CORE) { CORE_FILE_LINES_MAX } else { FILE_LINES_MAX };
    let is_tests = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ");
    let length = lines.windows(2).position(is_tests).unwrap_or(lines.len());
    if length > most {
        let what = format!("{length} lines without tests, at most {most}");
        findings.push(Finding::in_file(path, what));
    }
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
        || path.file_name().is_some_and(|name| name == "tests.rs")
}

/// In tests a long function is mostly a table; clippy has its own limit there.
fn function_lengths(path: &Path, lines: &[&str], findings: &mut Vec<Finding>) {
    if is_test(path) {
        return;
    }
    let most =
        if path.starts_with(RUNNER) { RUNNER_FUNCTION_LINES_MAX } else { FUNCTION_LINES_MAX };
    for (start, name, length) in functions(lines) {
        if length > most {
            let what = format!("`{name}` has {length} lines, at most {most}");
            findings.push(Finding::at_line(path, start, what));
        }
    }
}

/// Every function with a body: where it starts, its name, the lines from its head to its last
/// brace.
fn functions<'a>(lines: &[&'a str]) -> Vec<(usize, &'a str, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let closes = |line: &&str| line.trim_end() == format!("{:indent$}}}", "");
        let declares = |line: &&str| line.trim_end().ends_with(';');
        let whole_line = line.trim_end().ends_with('}') || declares(line);
        if whole_line {
            continue;
        }
        let end = lines[start..].iter().position(closes);
        let head_ends =
            lines[start..].iter().position(|line| line.starts_with(&format!("{:indent$})", "")));
        let only_declared = head_ends
            .is_some_and(|head| declares(&lines[start + head]) && end.is_none_or(|end| head < end));
        if let (Some(end), false) = (end, only_declared) {
            found.push((start, name, end + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    const BEFORE: [&str; 7] = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe", "fn"];
    let mut words = line.split_whitespace();
    let last = words.by_ref().find(|word| *word == "fn" || !BEFORE.contains(word))?;
    let name = words.next().filter(|_| last == "fn")?;
    name.split(['(', '<']).next()
}

/// Source files that no `mod` line names: dead text that looks like code.
fn unnamed_modules(sources: &[(&Path, &str)]) -> Vec<Finding> {
    let unnamed = |(path, _): &&(&Path, &str)| {
        // Each fuzz target is a program, which its manifest names.
        if path.starts_with("fuzz") {
            return false;
        }
        let Some(module) = Module::of(path) else {
            return false;
        };
        let named = |(parent, text): &(&Path, &str)| {
            module.may_be_named_by(parent) && module.is_named_in(text)
        };
        !sources.iter().any(named)
    };
    sources
        .iter()
        .filter(unnamed)
        .map(|(path, _)| Finding::in_file(path, "no `mod` line names this file"))
        .collect()
}

/// A file that is a module of another: `name` in the folder `home`.
struct Module<'a> {
    home: &'a Path,
    name: &'a str,
}

impl<'a> Module<'a> {
    /// None for the roots of crates and of tests.
    fn of(path: &'a Path) -> Option<Self> {
        let stem = path.file_stem()?.to_str()?;
        let folder = path.parent()?;
        let folder_name = folder.file_name()?.to_str()?;
        let is_root = matches!(stem, "main" | "lib" | "build")
            || matches!(folder_name, "tests" | "examples" | "benches" | "bin");
        match stem {
            _ if is_root && !folder.ends_with("src/tests") => None,
            "mod" => Some(Self { home: folder.parent()?, name: folder_name }),
            _ => Some(Self { home: folder, name: stem }),
        }
    }

    /// Whether that file stands where the `mod` line may be: beside the folder or at its head. In
    /// `tests`, each file is the root of a test of its own and may name it.
    fn may_be_named_by(&self, parent: &Path) -> bool {
        let inside = ["mod.rs", "main.rs", "lib.rs"].map(|root| self.home.join(root));
        let is_test_root = self.home.ends_with("tests") && parent.parent() == Some(self.home);
        parent == self.home.with_extension("rs")
            || inside.iter().any(|root| root == parent)
            || is_test_root
    }

    fn is_named_in(&self, text: &str) -> bool {
        let name = self.name;
        text.lines().any(|line| {
            let line = line.trim_start_matches("pub ").trim_start_matches("pub(crate) ");
            line.trim() == format!("mod {name};") || line.contains(&format!("\"{name}.rs\""))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        let (path, bytes) = (path.into(), text.len() as u64);
        File { path, bytes, text: Some(text.to_owned()) }
    }

    fn findings(path: &str, text: &str) -> Vec<String> {
        let root = file("crates/angarium-core/src/lib.rs", "//! Map.\nmod a;\nmod b;\n");
        check(&[root, file(path, text)]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_rule_finds_what_breaks_it() {
        let long_function = format!("//! A.\nfn f() {{\n{}}}\n", "    work();\n".repeat(69));
        let long_file = format!("//! A.\n{}", "const A: u8 = 1;\n".repeat(300));
        let wide = format!("//! A.\n// {}\n", "x".repeat(98));
        let left_over = format!("//! A.\n// {} later\n", LEFT_OVERS[3]);
        let rows = [
            ("a.rs", long_function.as_str(), "a.rs:2: `f` has 71 lines"),
            ("a.rs", long_file.as_str(), "301 lines without tests"),
            ("a.rs", wide.as_str(), "a.rs:2: 101 columns"),
            ("a.rs", left_over.as_str(), "a.rs:2: left over"),
            ("a.rs", "fn f() {}\n", "begins without"),
            ("c.rs", "//! C.\n", "no `mod` line names this file"),
        ];
        for (name, text, expected) in rows {
            let found = findings(&format!("crates/angarium-core/src/{name}"), text);
            assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
        }
    }

    #[test]
    fn what_keeps_the_rules_is_let_through() {
        let text = format!(
            "//! A.\ntrait T {{\n    fn declared(\n        a: u8,\n    );\n    fn short();\n}}\n\
             fn f() {{\n{}}}\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            "    work();\n".repeat(68),
            "    // test\n".repeat(300),
        );
        assert_eq!(findings("crates/angarium-core/src/a.rs", &text), Vec::<String>::new());
        assert_eq!(findings("crates/angarium-core/src/b/mod.rs", "//! B.\n"), Vec::<String>::new());
    }
}
