//! What a seed draws before its run begins. Each run has some of the faults and some not, so that
//! none hides another.
//!
//! A run is a day. For fifteen hours things happen in bursts with lulls of minutes to hours, and
//! fail; the rest is time for the longest waits to end.

mod endpoint;

pub(crate) use endpoint::{
    Again, BREAKER_FAILURES, BREAKER_WAIT, CONTRACT, CONTRACT_WAITS, EndpointPlan, GUARDED,
    HOLDING, Mood, OutageKind, STRICT,
};

use crate::random::Random;
use angarium_core::limits::Limits;
use angarium_core::retention::{Age, Ages};
use std::time::Duration;

/// A run.
pub(crate) const DAY: Duration = Duration::from_secs(24 * HOUR);
/// When nothing fails any more.
pub(crate) const FAULTS_END: Duration = Duration::from_secs(15 * HOUR);
pub(super) const HOUR: u64 = 3_600;
/// Steps of a burst, at most.
const BURST: u64 = 24;

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) limits: Limits,
    pub(crate) tenants: usize,
    pub(crate) shards: Shards,
    /// Whether whole tenants are recovered; no single delivery is retried after its end then.
    pub(crate) recovers_tenants: bool,
    pub(crate) endpoints: Vec<EndpointPlan>,
    /// What publishers and people do, until the faults end.
    pub(crate) steps: usize,
    /// The longest pause between two of these steps within a burst, in milliseconds.
    pub(crate) pace: u64,
    /// The longest lull between two bursts, in milliseconds.
    pub(crate) lull: u64,
    pub(crate) faults: Faults,
    pub(crate) wishes: Wishes,
    /// How long what is accepted is kept, if that is shorter than a run.
    pub(crate) ages: Option<Ages>,
}

/// Where the tenants live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shards {
    /// All in one shard.
    One,
    /// Each in its own.
    Several,
}

/// How often the world fails, in a thousand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults {
    /// A commit fails and nothing is written.
    pub(crate) not_committed: u64,
    /// Nobody knows whether a commit took place: it did not.
    pub(crate) lost: u64,
    /// Nobody knows whether a commit took place: it did.
    pub(crate) answer_lost: u64,
    /// A read fails.
    pub(crate) unreadable: u64,
    /// The store takes long.
    pub(crate) slow: u64,
    /// Steps of the process until it is killed, at most; none if it never is.
    pub(crate) killed_within: Option<u64>,
    /// Whether what is left comes to rest in the process that had the faults, or in a new one.
    pub(crate) rests_after_restart: bool,
}

/// How often something else happens than a publish, in a thousand steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wishes {
    pub(crate) status: u64,
    pub(crate) cancel: u64,
    pub(crate) retry: u64,
    pub(crate) replay: u64,
    pub(crate) recover: u64,
    pub(crate) skip: u64,
    pub(crate) endpoints: u64,
    pub(crate) same_again: u64,
    /// The system's clock is set.
    pub(crate) clock: u64,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let random = &mut Random::new(seed, 1);
        let tenants = random.size(1, 3);
        let endpoints = random.size(1, 5);
        let limits = limits(random);
        let recovers_tenants = random.chance(300);
        let endpoint = |_| EndpointPlan::draw(random, tenants, recovers_tenants, &limits);
        let endpoints = (0..endpoints).map(endpoint).collect();
        let steps = random.size(20, 120);
        let bursts = (steps as u64 * 2 / BURST).max(1);
        Self {
            endpoints,
            limits,
            tenants,
            recovers_tenants,
            shards: if random.chance(300) { Shards::One } else { Shards::Several },
            steps,
            pace: random.pick(&[5, 40, 200, 800]).unwrap_or(40),
            lull: 2 * FAULTS_END.as_secs() * 1_000 / bursts,
            faults: Faults::draw(random),
            wishes: Wishes::draw(random),
            // Drawn last, so that the rest of a seed stays what it was.
            ages: ages(random),
        }
    }

    /// How many steps the next burst has.
    pub(crate) fn burst(random: &mut Random) -> u64 {
        random.between(1, BURST)
    }
}

/// Small, so that what happens at a limit happens often.
fn limits(random: &mut Random) -> Limits {
    let limits = Limits {
        endpoint_window: random.size(1, 4),
        node_window: random.size(2, 16),
        endpoint_ready: random.pick(&[1, 2, 4, 8, 64, 2_048]).unwrap_or(8),
        shard_ready_bytes: random.pick(&[300, 1_000, 4_000, 1_000_000]).unwrap_or(4_000),
        node_uncommitted: random.pick(&[2, 8, 8_192]).unwrap_or(8_192),
        ..Limits::default()
    };
    let share = limits.node_uncommitted / 2;
    let commit_deliveries = random.pick(&[1, 2, 8, 256]).unwrap_or(256);
    let start_endpoints = random.pick(&[1, 2, 32]).unwrap_or(32);
    let commit_counters = random.pick(&[1, 4, 64]).unwrap_or(64);
    let limits = Limits { commit_deliveries, commit_counters, start_endpoints, ..limits };
    Limits { tenant_uncommitted: share * 2, tenant_commit_events: share, ..limits }
}

/// Hours, within a run; of some runs nothing comes of age.
fn ages(random: &mut Random) -> Option<Ages> {
    let hours = |hours: u64| Age::Of(Duration::from_secs(hours * HOUR));
    let payload = random.pick(&[None, None, Some(1), Some(4)]).flatten()?;
    let attempts = random.pick(&[1, 4, 8]).unwrap_or(4);
    let metadata = payload.max(attempts) + random.pick(&[0, 3, 40]).unwrap_or(3);
    let (payload, attempts, metadata) = (hours(payload), hours(attempts), hours(metadata));
    Some(Ages { payload, attempts, metadata, audit: Age::ForEver })
}

impl Faults {
    fn draw(random: &mut Random) -> Self {
        let mut some = |rates: [u64; 2]| random.pick(&[0, 0, rates[0], rates[1]]).unwrap_or(0);
        Self {
            not_committed: some([10, 80]),
            lost: some([10, 80]),
            answer_lost: some([10, 80]),
            unreadable: some([20, 200]),
            slow: some([20, 200]),
            killed_within: random.pick(&[None, Some(60), Some(400), Some(2_000)]).flatten(),
            rests_after_restart: random.chance(300),
        }
    }
}

impl Wishes {
    fn draw(random: &mut Random) -> Self {
        let mut some = |rate: u64| random.pick(&[0, rate, 2 * rate]).unwrap_or(0);
        Self {
            status: some(60),
            cancel: some(40),
            retry: some(40),
            replay: some(30),
            recover: some(20),
            skip: some(20),
            endpoints: some(15),
            same_again: some(60),
            clock: some(25),
        }
    }
}
