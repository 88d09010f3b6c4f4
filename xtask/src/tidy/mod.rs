//! The rules of the house that neither the compiler nor clippy keeps (CONTRIBUTING.md, "Style").
//!
//! A rule looks at the repository and answers with findings; it changes nothing. Only files that
//! git tracks, or would track, are looked at.

mod edges;
mod papers;
mod source;

use anyhow::{Context, Result, bail};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A place that breaks a rule.
struct Finding {
    place: String,
    what: String,
}

impl Finding {
    fn in_file(path: &Path, what: impl Into<String>) -> Self {
        let (place, what) = (path.display().to_string(), what.into());
        Self { place, what }
    }

    fn at_line(path: &Path, index: usize, what: impl Into<String>) -> Self {
        let (place, what) = (format!("{}:{}", path.display(), index + 1), what.into());
        Self { place, what }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// A file of the repository: its path below the root and, if it is text, its text.
struct File {
    path: PathBuf,
    bytes: u64,
    text: Option<String>,
}

/// Applies every rule and prints what it finds.
///
/// # Errors
/// When there is any finding, or the repository cannot be read.
pub(crate) fn run(root: &Path) -> Result<()> {
    let files = files(root)?;
    let mut findings = source::check(&files);
    findings.extend(papers::check(root, &files)?);
    findings.extend(edges::check(root)?);
    for finding in &findings {
        eprintln!("tidy: {finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => bail!("{count} findings"),
    }
}

/// Tracked files and new ones that are not ignored.
fn files(root: &Path) -> Result<Vec<File>> {
    let list = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("cannot list the repository's files: is git installed?")?;
    if !list.status.success() {
        bail!("git ls-files failed: {}", String::from_utf8_lossy(&list.stderr));
    }
    let names = String::from_utf8(list.stdout).context("a file name is not UTF-8")?;
    let paths = names.split('\0').filter(|name| !name.is_empty());
    let read = |name: &str| {
        let (path, full) = (PathBuf::from(name), root.join(name));
        let Ok(bytes) = std::fs::metadata(&full).map(|meta| meta.len()) else {
            return None; // deleted in the working tree
        };
        let text = std::fs::read_to_string(&full).ok();
        Some(File { path, bytes, text })
    };
    Ok(paths.filter_map(read).collect())
}
