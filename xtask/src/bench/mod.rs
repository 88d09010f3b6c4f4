//! Cost and speed of the release binary beside the relay floor (accept, sign, forward, store
//! nothing), measured by the neutral harness that lives in a folder beside the repository.
//!
//! Machines are noisy: the two systems alternate, each scenario runs several times, and only
//! medians are compared. Without the harness there is nothing to run, and that is said.

mod processes;

use anyhow::{Context, Result, bail};
use processes::{Harness, Product};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Runs of each system in each scenario
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only these scenarios (S1, S2, S3, S4)
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The harness's folder
    #[arg(long, default_value = "../shared/bench")]
    harness: PathBuf,
}

/// How messages are offered and what the receiver does with them.
struct Scenario {
    name: &'static str,
    what: &'static str,
    messages: u32,
    /// Messages per second; as fast as answers come if none.
    rate: Option<u32>,
    fanout: usize,
    /// Query of the receiver's URL.
    receiver: &'static str,
    /// Whether the relay can do it: it does not retry.
    floor: Floor,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Floor {
    Relay,
    None,
}

const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "S1",
        what: "64 connections, closed loop",
        messages: 20_000,
        rate: None,
        fanout: 1,
        receiver: "",
        floor: Floor::Relay,
    },
    Scenario {
        name: "S2",
        what: "300/s offered",
        messages: 3_000,
        rate: Some(300),
        fanout: 1,
        receiver: "",
        floor: Floor::Relay,
    },
    Scenario {
        name: "S3",
        what: "fan-out 10",
        messages: 3_000,
        rate: None,
        fanout: 10,
        receiver: "",
        floor: Floor::Relay,
    },
    Scenario {
        name: "S4",
        what: "20 % of attempts fail, retry after 1 s",
        messages: 10_000,
        rate: None,
        fanout: 1,
        receiver: "?fail=0.2",
        floor: Floor::None,
    },
];

/// What one run showed.
#[derive(Clone, Copy)]
struct Figures {
    cpu_us: f64,
    per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    lost: u64,
    duplicates: u64,
    attempts_each: f64,
    noise_s: f64,
}

/// Runs the scenarios and prints a table.
///
/// # Errors
/// When something cannot be built or started, or the harness reports nothing.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let folder = root.join(&options.harness);
    if !folder.join("Cargo.toml").exists() {
        bail!("no harness in {}: name its folder with --harness", folder.display());
    }
    let product = Product::build(root)?;
    let harness = Harness::build(&folder)?;
    println!(
        "{:<4}{:<41}{:>10}{:>10}{:>7}{:>10}{:>9}{:>9}{:>6}{:>6}{:>8}",
        "",
        "",
        "CPU µs",
        "floor µs",
        "ratio",
        "per s",
        "p50 ms",
        "p99 ms",
        "lost",
        "twice",
        "noise s"
    );
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|o| o == name);
    for scenario in SCENARIOS.iter().filter(|scenario| wanted(scenario.name)) {
        let (mut floors, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..options.runs {
            if scenario.floor == Floor::Relay {
                floors.push(read(&harness.relay(scenario)?)?);
            }
            ours.push(read(&product.run(&harness, scenario)?)?);
        }
        print(scenario, &floors, &ours);
    }
    Ok(())
}

fn print(scenario: &Scenario, floors: &[Figures], ours: &[Figures]) {
    let median_of = |all: &[Figures], of: fn(&Figures) -> f64| median(all.iter().map(of).collect());
    let cpu = median_of(ours, |run| run.cpu_us);
    let floor = median_of(floors, |run| run.cpu_us);
    let (floor, ratio) = match scenario.floor {
        Floor::Relay => (format!("{floor:.1}"), format!("{:.2}", cpu / floor)),
        Floor::None => ("-".to_owned(), "-".to_owned()),
    };
    println!(
        "{:<4}{:<41}{cpu:>10.1}{floor:>10}{ratio:>7}{:>10.0}{:>9.2}{:>9.2}{:>6}{:>6}{:>8.1}",
        scenario.name,
        scenario.what,
        median_of(ours, |run| run.per_s),
        median_of(ours, |run| run.p50_ms),
        median_of(ours, |run| run.p99_ms),
        ours.iter().map(|run| run.lost).sum::<u64>(),
        ours.iter().map(|run| run.duplicates).sum::<u64>(),
        ours.iter().map(|run| run.noise_s).fold(0.0, f64::max),
    );
    if scenario.floor == Floor::None {
        let attempts = median_of(ours, |run| run.attempts_each);
        println!("    CPU µs per attempt: {:.1}", cpu / attempts);
    }
}

fn read(report: &Value) -> Result<Figures> {
    let number = |path: &str| {
        let value = report.pointer(path).and_then(Value::as_f64);
        value.with_context(|| format!("the harness's report has no {path}: {report}"))
    };
    let count = |path: &str| report.pointer(path).and_then(Value::as_u64).unwrap_or_default();
    if !count("/ingest/unknown").eq(&0) || report["ingest"]["refused"] != serde_json::json!({}) {
        eprintln!("not all were accepted: {}", report["ingest"]);
    }
    Ok(Figures {
        cpu_us: number("/cpu_us_per_delivery")?,
        per_s: number("/delivery/per_s")?,
        p50_ms: number("/delivery/latency/p50_ms")?,
        p99_ms: number("/delivery/latency/p99_ms")?,
        lost: count("/delivery/audit/lost"),
        duplicates: count("/delivery/audit/duplicates"),
        attempts_each: number("/delivery/attempts")? / number("/delivery/unique")?.max(1.0),
        noise_s: number("/machine/unnamed_s")?,
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
