//! Reads the journals and judges: lost, repeated, renamed, unrecorded, in which state.

use super::journal::Journal;
use super::{LANES, ORDERED, RECEIVERS, REPLAYED, Run};
use crate::support::client::Api;
use crate::support::lanes;
use crate::support::shop::text;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What the oracle found.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    acknowledged: usize,
    replayed: usize,
    requests: usize,
    /// Acknowledged, but without a successful request at some receiver.
    lost: Vec<String>,
    /// Received although the publisher never had an answer: allowed.
    unacknowledged: usize,
    /// Requests that came after one that was answered with success, by receiver and by the kill
    /// that followed that success: what it cut off before the record.
    repeats: BTreeMap<(u64, String), u64>,
    /// Such requests with no kill in between: there must be none.
    repeats_without_a_kill: usize,
    /// Facts that arrived under two event ids, or were acknowledged under another than arrived.
    renamed: Vec<String>,
    /// Requests without a recorded attempt.
    unrecorded: u64,
    /// Recorded attempts without a request.
    invented: u64,
    /// Pairs of an acknowledged event and an endpoint that are not `delivered` exactly once.
    not_delivered_once: Vec<String>,
    /// Sequence numbers that were given out twice.
    sequences_twice: usize,
    /// Requests of the ordered endpoint that came before their turn, or after it.
    out_of_order: Vec<String>,
}

/// What a receiver saw of one fact.
#[derive(Default)]
struct Seen {
    ids: BTreeSet<String>,
    requests: u64,
    succeeded: bool,
    /// How many kills there had been at the last answer, if that was a success. After a failure
    /// the next request is due, whatever came before.
    last_success: Option<u64>,
}

/// What was acknowledged, as ids by facts.
struct Acknowledged {
    published: BTreeMap<String, String>,
    replayed: BTreeMap<String, String>,
}

impl Acknowledged {
    /// What is to arrive at this receiver.
    fn at(&self, receiver: &str) -> &BTreeMap<String, String> {
        match receiver {
            REPLAYED => &self.replayed,
            _ => &self.published,
        }
    }
}

/// Compares what both sides saw with each other and with what the API lists.
pub(super) fn check(api: &Api, run: &Run, endpoints: &[String]) -> Verdict {
    let mut verdict = Verdict::default();
    let published = published(&run.published, &mut verdict);
    let replayed = run.replays.acknowledged.read().into_iter();
    let replayed = replayed.map(|fact| (fact[0].clone(), fact[1].clone())).collect();
    let acknowledged = Acknowledged { published, replayed };
    verdict.acknowledged = acknowledged.published.len();
    verdict.replayed = acknowledged.replayed.len();
    let seen = seen(&run.received, &mut verdict);
    for ((receiver, n), seen) in &seen {
        let acked_as = acknowledged.at(receiver).get(n);
        verdict.unacknowledged += usize::from(acked_as.is_none());
        let other_id = acked_as.is_some_and(|id| !seen.ids.contains(id));
        if seen.ids.len() != 1 || other_id {
            verdict.renamed.push(format!("{n} at {receiver}: {:?}, {acked_as:?}", seen.ids));
        }
    }
    for receiver in RECEIVERS {
        for n in acknowledged.at(receiver).keys() {
            let arrived = seen.get(&(receiver.to_owned(), n.clone()));
            if !arrived.is_some_and(|seen| seen.succeeded) {
                verdict.lost.push(format!("{n} at {receiver}"));
            }
        }
    }
    compare_with_api(api, endpoints, &acknowledged, &seen, &mut verdict);
    verdict.out_of_order = out_of_order(&run.published, &run.received);
    verdict
}

/// D7 at the ordered receiver.
fn out_of_order(published: &Journal, received: &Journal) -> Vec<String> {
    let number = |text: &String| text.parse::<u64>().expect("a number");
    let facts = published.read();
    let sequences = facts.iter().map(|fact| (number(&fact[0]), number(&fact[2]))).collect();
    let requests = received.read();
    let requests = requests.iter().filter(|fact| fact[0] == ORDERED);
    let requests = requests.map(|fact| (number(&fact[1]), fact[4] == "200"));
    lanes::out_of_order(LANES, &sequences, requests)
}

/// The id under which each fact was acknowledged.
fn published(published: &Journal, verdict: &mut Verdict) -> BTreeMap<String, String> {
    let (mut ids, mut sequences) = (BTreeMap::new(), BTreeSet::new());
    for fact in published.read() {
        let [n, id, sequence] = fact.as_slice() else { panic!("a damaged journal: {fact:?}") };
        ids.insert(n.clone(), id.clone());
        verdict.sequences_twice += usize::from(!sequences.insert(sequence.clone()));
    }
    ids
}

fn seen(received: &Journal, verdict: &mut Verdict) -> BTreeMap<(String, String), Seen> {
    let mut all: BTreeMap<(String, String), Seen> = BTreeMap::new();
    for fact in received.read() {
        let [receiver, n, id, kills, status] = fact.as_slice() else {
            panic!("a damaged journal: {fact:?}")
        };
        verdict.requests += 1;
        let seen = all.entry((receiver.clone(), n.clone())).or_default();
        seen.ids.insert(id.clone());
        seen.requests += 1;
        let kills = kills.parse().expect("a number");
        match seen.last_success {
            Some(earlier) if earlier == kills => verdict.repeats_without_a_kill += 1,
            Some(earlier) => {
                let cause = (earlier + 1, receiver.clone());
                *verdict.repeats.entry(cause).or_default() += 1;
            }
            None => {}
        }
        seen.succeeded |= status == "200";
        seen.last_success = (status == "200").then_some(kills);
    }
    all
}

/// Recorded attempts against requests, and exactly one final state for each pair.
fn compare_with_api(
    api: &Api,
    endpoints: &[String],
    acknowledged: &Acknowledged,
    seen: &BTreeMap<(String, String), Seen>,
    verdict: &mut Verdict,
) {
    let requests: BTreeMap<(&str, &str), u64> = seen
        .iter()
        .flat_map(|((receiver, _), seen)| {
            seen.ids.iter().map(|id| ((receiver.as_str(), id.as_str()), seen.requests))
        })
        .collect();
    let mut delivered: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for (receiver, endpoint) in RECEIVERS.into_iter().zip(endpoints) {
        for row in api.list(&format!("/v1/deliveries?tenant=acme&endpoint={endpoint}")) {
            let id = text(&row["event"], "id").to_owned();
            let sent = requests.get(&(receiver, id.as_str())).copied().unwrap_or_default();
            let recorded = row["attempts"].as_u64().unwrap_or_default();
            verdict.unrecorded += sent.saturating_sub(recorded);
            verdict.invented += recorded.saturating_sub(sent);
            if row["state"] == "delivered" {
                *delivered.entry((receiver, id)).or_default() += 1;
            }
        }
    }
    for receiver in RECEIVERS {
        for id in acknowledged.at(receiver).values() {
            let times = delivered.get(&(receiver, id.clone())).copied().unwrap_or_default();
            if times != 1 {
                verdict.not_delivered_once.push(format!("{id} at {receiver}: {times} times"));
            }
        }
    }
}

impl Verdict {
    /// The promises of D1, D3, D5 and D6.
    pub(super) fn assert_promises(&self, kills: u64, window: u64) {
        let receivers = RECEIVERS.len() as u64;
        let some = |all: &[String]| all[..all.len().min(5)].join(", ");
        assert!(self.lost.is_empty(), "lost: {}", some(&self.lost));
        assert!(self.renamed.is_empty(), "other ids: {}", some(&self.renamed));
        let states = &self.not_delivered_once;
        assert!(states.is_empty(), "{} final states: {}", states.len(), some(states));
        assert_eq!(self.sequences_twice, 0);
        assert_eq!(self.repeats_without_a_kill, 0, "repeats without a kill");
        for ((kill, receiver), repeats) in &self.repeats {
            assert!(*repeats <= window, "{repeats} repeats at {receiver} by kill {kill}");
        }
        assert!(self.unrecorded <= kills * receivers * window, "{} unrecorded", self.unrecorded);
        assert_eq!(self.invented, 0, "attempts that no receiver saw");
        let order = &self.out_of_order;
        assert!(order.is_empty(), "{} out of order: {}", order.len(), some(order));
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repeats: u64 = self.repeats.values().sum();
        let most = self.repeats.values().max().copied().unwrap_or_default();
        write!(
            f,
            "{} acknowledged and {} replayed, {} requests, lost {}, repeats {repeats} (most by one \
             kill at one receiver {most}), without a kill {}, other ids {}, unrecorded requests \
             {}, delivered without an answer to the publisher {}, final states other than one {}, \
             out of order {}",
            self.acknowledged,
            self.replayed,
            self.requests,
            self.lost.len(),
            self.repeats_without_a_kill,
            self.renamed.len(),
            self.unrecorded,
            self.unacknowledged,
            self.not_delivered_once.len(),
            self.out_of_order.len(),
        )
    }
}
