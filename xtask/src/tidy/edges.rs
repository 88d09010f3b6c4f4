//! Rules about dependencies: which crate may reach which, and what nobody may use.
//!
//! A crate of ours exists only to keep one of these rules (ARCHITECTURE.md, "Crates"). What counts
//! is what is linked, so `cargo tree` is asked; `cargo metadata` also names optional crates that no
//! feature turns on. What tests and build scripts use is free.

use super::Finding;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// How far a rule looks.
#[derive(Clone, Copy)]
enum Reach {
    /// The crate's own manifest.
    Direct,
    /// Everything that is linked into it.
    Whole,
}

/// What a crate must not depend on, and why.
struct Rule {
    krate: &'static str,
    forbidden: &'static [&'static str],
    reach: Reach,
    why: &'static str,
}

const RULES: [Rule; 4] = [
    Rule {
        krate: "angarium-core",
        forbidden: &["tokio", "hyper", "axum", "rusqlite", "rustls", "hickory-resolver", "tracing"],
        reach: Reach::Whole,
        why: "core is pure: no I/O, async, clock or randomness",
    },
    Rule {
        krate: "angarium-store",
        forbidden: &["axum", "hyper", "rustls"],
        reach: Reach::Whole,
        why: "the store knows nothing of HTTP",
    },
    Rule {
        krate: "angarium-server",
        forbidden: &["rusqlite"],
        reach: Reach::Direct,
        why: "the server knows the store by its trait",
    },
    Rule {
        krate: "angarium",
        forbidden: &[
            "angarium-sim",
            "reqwest",
            "ureq",
            "openssl-sys",
            "native-tls",
            "ring",
            "chrono",
            "figment",
            "rustls-pemfile",
        ],
        reach: Reach::Whole,
        why: "never shipped, or banned: deny.toml says what stands in its place",
    },
];

/// Applies the rules to what cargo resolves.
pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for rule in RULES {
        findings.extend(judge(&rule, &tree(root, &rule)?));
    }
    Ok(findings)
}

/// One dependency a line, as `depth name`.
fn tree(root: &Path, rule: &Rule) -> Result<String> {
    let mut command = Command::new("cargo");
    command.args(["tree", "--locked", "--all-features", "--edges", "normal"]);
    command.args(["--prefix", "depth", "--format", " {p}", "--package", rule.krate]);
    if let Reach::Direct = rule.reach {
        command.args(["--depth", "1"]);
    }
    let output = command.current_dir(root).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).context("cargo tree is not UTF-8")
}

fn judge(rule: &Rule, tree: &str) -> Vec<Finding> {
    let reached: Vec<&str> =
        tree.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let broken = rule.forbidden.iter().filter(|name| reached.contains(name));
    let finding = |name| Finding {
        place: rule.krate.to_owned(),
        what: format!("depends on {name}: {}", rule.why),
    };
    broken.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_dependency_is_found_by_its_whole_name_only() {
        let tree = "0 angarium-core v0.1.0\n1 url v2.5.8\n2 tokio v1.54.0\n2 hyper-util v0.1.0\n";
        let found = judge(&RULES[0], tree);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("tokio"));
    }
}
