//! `cargo xtask sim`: runs seeds and says what they showed.

mod sums;

use angarium_sim::Report;
use anyhow::{Context, Result, anyhow, bail};
use clap::Parser;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;
use sums::Sums;

/// Simulates crashes, store faults and bad receivers, and checks the promises of delivery.
#[derive(Parser)]
struct Options {
    /// Only this seed, with every step of its run
    #[arg(long)]
    seed: Option<u64>,
    /// So many seeds, after those that failed before
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Each seed once: twice as many, and nobody notices one that runs in two ways
    #[arg(long)]
    once: bool,
    /// Threads; all cores if absent
    #[arg(long)]
    threads: Option<usize>,
    /// Lines of a failing run that are shown, the last ones; of a single seed all
    #[arg(long)]
    lines: Option<usize>,
}

/// Seeds that failed once, one a line; what follows a `#` says why.
const REGRESSIONS: &str = "regressions.txt";
/// Lines of a failing run that are shown where nothing else is asked for.
const LINES: usize = 60;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.seed {
        Some(seed) => show_one(seed, &options),
        None => simulate(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one seed and shows its trace.
fn show_one(seed: u64, options: &Options) -> Result<()> {
    let report = angarium_sim::run_twice(seed, options.lines.unwrap_or(usize::MAX))?;
    show(&report);
    match report.violations.is_empty() {
        true => Ok(()),
        false => bail!("seed {seed} breaks a promise"),
    }
}

/// Runs many seeds on all cores.
fn simulate(options: &Options) -> Result<()> {
    let mut seeds = regressions()?;
    seeds.extend(options.from..options.from + options.seeds);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = options.threads.unwrap_or(cores).max(1);
    let started = Instant::now();
    let waiting = Mutex::new(seeds.into_iter());
    let sums = thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| work(&waiting, options))).collect();
        let ended = workers.into_iter().map(|worker| worker.join());
        let sums = ended.map(|ended| ended.map_err(|_| anyhow!("a run panicked"))?);
        sums.collect::<Result<Vec<Sums>>>()
    })?;
    let sums = sums.into_iter().fold(Sums::default(), Sums::with);
    println!("{}", sums.told(started.elapsed()));
    match sums.broken.first() {
        None => Ok(()),
        Some(first) => {
            let broken = &sums.broken;
            bail!("seeds {broken:?} break a promise: `cargo xtask sim --seed {first}` shows one")
        }
    }
}

/// Runs seeds until none waits.
fn work(waiting: &Mutex<impl Iterator<Item = u64>>, options: &Options) -> Result<Sums> {
    let mut sums = Sums::default();
    let next = || waiting.lock().ok().and_then(|mut seeds| seeds.next());
    while let Some(seed) = next() {
        let report = match options.once {
            true => angarium_sim::run(seed, 0)?,
            false => angarium_sim::run_twice(seed, 0)?,
        };
        sums.add(&report);
        if let Some(why) = report.violations.first() {
            show(&angarium_sim::run_twice(seed, options.lines.unwrap_or(LINES))?);
            keep(seed, why)?;
        }
    }
    Ok(sums)
}

/// Keeps a seed that failed, so that it runs first from now on.
fn keep(seed: u64, why: &str) -> Result<()> {
    if regressions()?.contains(&seed) {
        return Ok(());
    }
    let file = regressions_file();
    let mut kept = std::fs::OpenOptions::new().append(true).open(&file)?;
    writeln!(kept, "{seed} # {why}").with_context(|| shown(&file))
}

fn regressions_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(REGRESSIONS)
}

fn regressions() -> Result<Vec<u64>> {
    let file = regressions_file();
    let text = std::fs::read_to_string(&file).with_context(|| shown(&file))?;
    let numbers = text.lines().filter_map(|line| line.split('#').next());
    let numbers = numbers.map(str::trim).filter(|number| !number.is_empty());
    numbers.map(|number| number.parse().with_context(|| shown(&file))).collect()
}

fn shown(file: &Path) -> String {
    format!("cannot read or write {}", file.display())
}

fn show(report: &Report) {
    for line in &report.last {
        println!("{line}");
    }
    for violation in &report.violations {
        println!("seed {}: BROKEN: {violation}", report.seed);
    }
    println!("seed {}: trace {:016x}, {} steps", report.seed, report.trace, report.steps);
}
