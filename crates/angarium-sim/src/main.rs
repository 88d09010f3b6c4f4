//! `cargo xtask sim`: runs seeds and says what they showed.

use anyhow::{Context, Result, bail};
use clap::Parser;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Simulates crashes, store faults and bad receivers, and checks the promises of delivery.
#[derive(Parser)]
struct Options {
    /// Only this seed, with the last steps of its run
    #[arg(long)]
    seed: Option<u64>,
    /// So many seeds, after those that failed before
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Lines of a failing run that are shown, the last ones
    #[arg(long, default_value_t = 60)]
    lines: usize,
}

/// Seeds that failed once, one a line; what follows a `#` says why.
const REGRESSIONS: &str = "regressions.txt";

fn main() -> ExitCode {
    match simulate(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(options: &Options) -> Result<()> {
    let seeds = match options.seed {
        Some(seed) => vec![seed],
        None => {
            let mut seeds = regressions()?;
            seeds.extend(options.from..options.from + options.seeds);
            seeds
        }
    };
    let started = Instant::now();
    let mut sums = Sums::default();
    let mut broken = Vec::new();
    for seed in seeds {
        let report = angarium_sim::run_twice(seed, options.lines)?;
        sums.add(&report);
        let is_broken = !report.violations.is_empty();
        if is_broken || options.seed.is_some() {
            show(&report);
        }
        if is_broken {
            keep(seed, &report.violations[0])?;
            broken.push(seed);
        }
    }
    sums.show(started.elapsed());
    match broken.first() {
        None => Ok(()),
        Some(first) => {
            bail!(
                "seeds {broken:?} break a promise: `cargo xtask sim --seed {first}` shows the first"
            )
        }
    }
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

fn show(report: &angarium_sim::Report) {
    for line in &report.last {
        println!("{line}");
    }
    for violation in &report.violations {
        println!("seed {}: BROKEN: {violation}", report.seed);
    }
    println!("seed {}: trace {:016x}, {} steps", report.seed, report.trace, report.steps);
}

#[derive(Default)]
struct Sums {
    seeds: u64,
    events: u64,
    requests: u64,
    repeated: u64,
    kills: u64,
    interruptions: u64,
    violations: usize,
    simulated: Duration,
}

impl Sums {
    fn add(&mut self, report: &angarium_sim::Report) {
        self.seeds += 1;
        self.events += report.events;
        self.requests += report.requests;
        self.repeated += report.repeated;
        self.kills += report.kills;
        self.interruptions += report.interruptions;
        self.violations += report.violations.len();
        self.simulated += report.simulated;
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn show(&self, took: Duration) {
        let each_second = self.seeds as f64 / took.as_secs_f64().max(0.001);
        let hours = self.simulated.as_secs_f64() / 3_600.0;
        println!(
            "{} seeds, each run twice, in {:.1} s ({each_second:.1} a second): {} events, {} \
             requests, {} of them repeated, {} kills, {} interruptions, {hours:.1} simulated \
             hours, {} violations",
            self.seeds,
            took.as_secs_f64(),
            self.events,
            self.requests,
            self.repeated,
            self.kills,
            self.interruptions,
            self.violations,
        );
    }
}
