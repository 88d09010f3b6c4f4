//! Whether a receiver was asked in the order of acceptance (D7).

use std::collections::{BTreeMap, BTreeSet};

/// A lane as its receiver saw it: of the acknowledged events, in the order of their acceptance, how
/// many from the first on have arrived, and which was asked for last.
#[derive(Default)]
struct Line {
    accepted: Vec<u64>,
    arrived: BTreeSet<u64>,
    newest: u64,
}

/// A request comes when every event of its key that was accepted before it has arrived, and never
/// after one that was accepted later. Event `n` has the key `n % lanes`; `sequences` has the
/// sequence number of each that was acknowledged, `requests` each event with whether it was
/// answered with success.
pub(crate) fn out_of_order(
    lanes: u64,
    sequences: &BTreeMap<u64, u64>,
    requests: impl IntoIterator<Item = (u64, bool)>,
) -> Vec<String> {
    let mut lines: BTreeMap<u64, Line> = BTreeMap::new();
    for (n, sequence) in sequences {
        lines.entry(n % lanes).or_default().accepted.push(*sequence);
    }
    lines.values_mut().for_each(|line| line.accepted.sort_unstable());
    let mut wrong = Vec::new();
    for (n, succeeded) in requests {
        // An event whose publisher had no answer has no place that is known here.
        let Some(sequence) = sequences.get(&n) else { continue };
        let line = lines.entry(n % lanes).or_default();
        let before = line.accepted.partition_point(|accepted| accepted < sequence);
        let waited_for = line.arrived.range(..sequence).count();
        if waited_for < before || *sequence < line.newest {
            wrong.push(format!("{n} ({sequence}) after {waited_for} of {before}"));
        }
        line.newest = line.newest.max(*sequence);
        if succeeded {
            line.arrived.insert(*sequence);
        }
    }
    wrong
}
