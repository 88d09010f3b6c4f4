//! Runs the fuzz targets, which want a nightly compiler and cargo-fuzz and are no part of a check.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// How to fuzz.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// For how long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Only these; all if none is named
    targets: Vec<String>,
}

/// Runs each target for a while.
///
/// # Errors
/// When a target crashes, or cargo-fuzz cannot run.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    for target in targets(root)? {
        if !options.targets.is_empty() && !options.targets.contains(&target) {
            continue;
        }
        eprintln!("== fuzzing {target} for {} s", options.seconds);
        let limit = format!("-max_total_time={}", options.seconds);
        let found = format!("fuzz/corpus/{target}");
        std::fs::create_dir_all(root.join(&found)).context(found.clone())?;
        let mut command = Command::new("cargo");
        command.args(["+nightly", "fuzz", "run", &target, &found]).args(seeds(&target));
        command.args(["--", &limit, "-max_len=16384"]);
        let status = command.current_dir(root).status().context("cannot start cargo")?;
        if !status.success() {
            bail!(
                "{target} crashed, or could not run; `cargo install --locked cargo-fuzz` and \
                 `rustup toolchain install nightly` are needed"
            );
        }
    }
    Ok(())
}

/// What is read already begins with what is good.
fn seeds(target: &str) -> Option<&'static str> {
    match target {
        "scheme" | "certificate" | "secret" => Some("schemes"),
        "contract" => Some("contracts"),
        _ => None,
    }
}

/// The programs in `fuzz/fuzz_targets`, by name.
fn targets(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("fuzz/fuzz_targets");
    let files = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}
