//! Runs the fuzz targets on the same compiler as everything else: libFuzzer is linked in, and the
//! compiler's own coverage pass tells it where an input led. Nothing in the workspace is `unsafe`,
//! so no sanitizer is wanted and no nightly compiler.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// How to fuzz.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// For how long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// How many run at the same time
    #[arg(long, default_value_t = 2)]
    at_once: usize,
    /// Keep what reaches new code in fuzz/corpus, as few inputs as do
    #[arg(long)]
    keep: bool,
    /// Only these; all if none is named
    targets: Vec<String>,
}

/// What libFuzzer wants to know: which branches were taken, and what was compared with what.
const COVERAGE: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
];
/// Longest input, in bytes.
const LONGEST: &str = "-max_len=16384";

impl Options {
    /// What a check runs: a minute of every target, from what was kept.
    pub(crate) fn of_a_check() -> Self {
        Self { seconds: 60, at_once: 2, keep: false, targets: vec![] }
    }
}

/// Runs each target for a while, some at the same time.
///
/// # Errors
/// When a target does not build, or finds an input at which it fails; all others have run then.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let place = Place::of(root)?;
    place.build()?;
    let mut waiting = targets(root)?;
    waiting.retain(|name| options.targets.is_empty() || options.targets.contains(name));
    ensure!(
        !waiting.is_empty(),
        "there is no such target; they are the files in fuzz/fuzz_targets"
    );
    let mut failed = Vec::new();
    for names in waiting.chunks(options.at_once.max(1)) {
        let runs: Vec<_> = names
            .iter()
            .map(|name| Ok((name, place.start(name, options.seconds)?)))
            .collect::<Result<_>>()?;
        for (name, mut run) in runs {
            let is_well = run.wait().with_context(|| name.clone())?.success();
            place.tell(name, is_well)?;
            if !is_well {
                failed.push(name.as_str());
            } else if options.keep {
                place.keep(name)?;
            }
        }
    }
    ensure!(failed.is_empty(), "{} failed; the inputs are in {}", failed.join(", "), place.shown());
    Ok(())
}

/// Where targets are built and run.
struct Place {
    root: PathBuf,
    /// Below the target directory: programs, corpora, outputs, and inputs that made one fail.
    folder: PathBuf,
    /// What is built for, named so that build scripts and macros are not instrumented.
    host: String,
}

impl Place {
    fn of(root: &Path) -> Result<Self> {
        let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        let host = output.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("rustc does not tell its host")?.to_owned();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
        let folder = root.join(target).join("fuzz");
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(Self { root: root.to_owned(), folder, host })
    }

    fn shown(&self) -> std::path::Display<'_> {
        self.folder.display()
    }

    fn build(&self) -> Result<()> {
        let status = Command::new("cargo")
            .args(["build", "--release", "--locked", "--target", &self.host])
            .arg("--manifest-path")
            .arg(self.root.join("fuzz/Cargo.toml"))
            .arg("--target-dir")
            .arg(&self.folder)
            .env("RUSTFLAGS", COVERAGE.join(" "))
            .status()
            .context("cannot start cargo")?;
        ensure!(status.success(), "the fuzz targets do not build; they need a C++ compiler too");
        Ok(())
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder.join(&self.host).join("release").join(name)
    }

    fn output(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.txt"))
    }

    /// What was found so far, which begins with what was kept.
    fn corpus(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join("corpus").join(name);
        let kept = self.kept(name);
        if !folder.exists() {
            std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
            if kept.exists() {
                succeed(Command::new("tar").arg("-xzf").arg(kept).arg("-C").arg(&folder))?;
            }
        }
        Ok(folder)
    }

    fn kept(&self, name: &str) -> PathBuf {
        self.root.join("fuzz/corpus").join(format!("{name}.tar.gz"))
    }

    fn start(&self, name: &str, seconds: u32) -> Result<Child> {
        eprintln!("== fuzzing {name} for {seconds} s");
        let output = self.output(name);
        let output =
            std::fs::File::create(&output).with_context(|| output.display().to_string())?;
        let mut command = Command::new(self.program(name));
        command.arg(self.corpus(name)?).args(seeds(name).map(|seeds| self.root.join(seeds)));
        command.args([LONGEST, "-print_final_stats=1", "-timeout=10", "-rss_limit_mb=4096"]);
        command.arg(format!("-max_total_time={seconds}"));
        command.arg(format!("-artifact_prefix={}/{name}-", self.shown()));
        let words = self.root.join(format!("fuzz/{name}.dict"));
        if words.exists() {
            command.arg(format!("-dict={}", words.display()));
        }
        let command = command.stdout(output.try_clone()?).stderr(output);
        command.spawn().with_context(|| name.to_owned())
    }

    /// Prints how much was tried, or what was said of the input at which a target failed.
    fn tell(&self, name: &str, is_well: bool) -> Result<()> {
        let output = std::fs::read(self.output(name)).context("what a target printed")?;
        let output = String::from_utf8_lossy(&output);
        if !is_well {
            let lines: Vec<_> = output.lines().collect();
            eprintln!("{}", lines[lines.len().saturating_sub(60)..].join("\n"));
            return Ok(());
        }
        let executed = output
            .lines()
            .find_map(|line| line.strip_prefix("stat::number_of_executed_units:").map(str::trim));
        let reached = output.lines().rev().find_map(|line| line.split_once("cov: "));
        let reached = reached.map_or("?", |(_, rest)| rest.split(' ').next().unwrap_or(rest));
        let inputs = std::fs::read_dir(self.corpus(name)?)?.count();
        let executed = executed.unwrap_or("?");
        println!("figure: {name}: {executed} inputs tried, {reached} edges, corpus of {inputs}");
        Ok(())
    }

    /// Puts the fewest inputs that reach as much into the repository.
    fn keep(&self, name: &str) -> Result<()> {
        let fewest = self.folder.join("fewest").join(name);
        if fewest.exists() {
            std::fs::remove_dir_all(&fewest)?;
        }
        std::fs::create_dir_all(&fewest)?;
        let mut merge = Command::new(self.program(name));
        merge.args(["-merge=1", LONGEST]).arg(&fewest).arg(self.corpus(name)?);
        succeed(merge.stderr(std::process::Stdio::null()))?;
        let kept = self.kept(name);
        std::fs::create_dir_all(self.root.join("fuzz/corpus"))?;
        // The same inputs make the same file.
        let plain = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
        succeed(
            Command::new("tar").args(plain).arg("-czf").arg(kept).arg("-C").arg(&fewest).arg("."),
        )
    }
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
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
