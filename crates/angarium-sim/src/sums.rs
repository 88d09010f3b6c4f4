//! What many seeds showed together.

use angarium_sim::Report;
use std::time::Duration;

/// Sums over reports.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    seeds: u64,
    counts: Vec<(&'static str, u64)>,
    violations: usize,
    simulated: Duration,
    /// Seeds that break a promise.
    pub(crate) broken: Vec<u64>,
}

impl Sums {
    /// Counts a report in.
    pub(crate) fn add(&mut self, report: &Report) {
        let counts = [
            ("events", report.events),
            ("requests", report.requests),
            ("repeated requests", report.repeated),
            ("dead letters", report.dead),
            ("replayed deliveries", report.replayed),
            ("recovery jobs", report.jobs),
            ("breakers opened", report.openings),
            ("kills", report.kills),
            ("interruptions", report.interruptions),
            ("starts after the clock was set", report.clocks_set),
            ("payloads of age", report.gone[0]),
            ("events of age", report.gone[1]),
            ("expired deliveries", report.expired),
        ];
        let broken = if report.violations.is_empty() { Vec::new() } else { vec![report.seed] };
        let one = Sums {
            seeds: 1,
            counts: counts.to_vec(),
            violations: report.violations.len(),
            simulated: report.simulated,
            broken,
        };
        *self = std::mem::take(self).with(one);
    }

    /// Both together.
    #[must_use]
    pub(crate) fn with(mut self, other: Self) -> Self {
        if self.counts.is_empty() {
            self.counts = other.counts;
        } else {
            let others = other.counts.iter().map(|(_, count)| count);
            self.counts.iter_mut().zip(others).for_each(|((_, sum), count)| *sum += count);
        }
        self.seeds += other.seeds;
        self.violations += other.violations;
        self.simulated += other.simulated;
        self.broken.extend(other.broken);
        self
    }

    /// For people.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(crate) fn told(&self, took: Duration) -> String {
        let rate = self.seeds as f64 / took.as_secs_f64().max(0.001);
        let days = self.simulated.as_secs_f64() / 86_400.0;
        let counts: Vec<_> =
            self.counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
        format!(
            "{} seeds in {:.1} s ({rate:.1} a second), {days:.1} simulated days: {}; {} violations",
            self.seeds,
            took.as_secs_f64(),
            counts.join(", "),
            self.violations,
        )
    }
}
