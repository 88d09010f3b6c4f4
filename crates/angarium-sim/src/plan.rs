//! What a seed draws before its run begins. Each run has some of the faults and some not, so that
//! none hides another.

use crate::random::Random;
use angarium_core::lane::Ordering;
use angarium_core::limits::Limits;
use std::time::Duration;

/// The contract of most endpoints.
pub(crate) const CONTRACT: &str = "sim";
/// The contract that switches an endpoint off when its deliveries fail.
pub(crate) const STRICT: &str = "sim-strict";

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) limits: Limits,
    pub(crate) tenants: usize,
    pub(crate) shards: Shards,
    pub(crate) endpoints: Vec<EndpointPlan>,
    /// What publishers and people do, until the faults end.
    pub(crate) steps: usize,
    /// The longest pause between two of these steps, in milliseconds.
    pub(crate) pace: u64,
    pub(crate) faults: Faults,
    pub(crate) wishes: Wishes,
}

/// Where the tenants live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shards {
    /// All in one shard.
    One,
    /// Each in its own.
    Several,
}

/// An endpoint as it is made.
#[derive(Debug, Clone)]
pub(crate) struct EndpointPlan {
    pub(crate) tenant: usize,
    pub(crate) contract: &'static str,
    pub(crate) ordering: Ordering,
    pub(crate) concurrency: u16,
    pub(crate) retries: Vec<&'static str>,
    pub(crate) timeout: Duration,
    pub(crate) mood: Mood,
}

/// How a receiver answers while there are faults.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mood {
    /// At once.
    Healthy,
    /// After up to so many milliseconds, which may be too late.
    Slow(u64),
    /// Not at all for the first part of the run.
    Down,
    /// With an error so many times in a thousand.
    Flaky(u64),
    /// With an error for one ordering key.
    RefusesKey(u64),
    /// Not at all so many times in a thousand; the request may have been taken.
    Hangs(u64),
    /// It takes the request and the answer is lost, so many times in a thousand.
    LosesAnswers(u64),
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

/// How often people want something else than to publish, in a thousand steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wishes {
    pub(crate) status: u64,
    pub(crate) cancel: u64,
    pub(crate) retry: u64,
    pub(crate) endpoints: u64,
    pub(crate) same_again: u64,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let random = &mut Random::new(seed, 1);
        let tenants = random.size(1, 3);
        let endpoints = random.size(1, 5);
        let limits = limits(random);
        let endpoint = |_| EndpointPlan::draw(random, tenants, &limits);
        Self {
            endpoints: (0..endpoints).map(endpoint).collect(),
            limits,
            tenants,
            shards: if random.chance(300) { Shards::One } else { Shards::Several },
            steps: random.size(20, 120),
            pace: random.pick(&[5, 40, 200, 800]).unwrap_or(40),
            faults: Faults::draw(random),
            wishes: Wishes::draw(random),
        }
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
    Limits { tenant_uncommitted: share * 2, tenant_commit_events: share, ..limits }
}

impl EndpointPlan {
    pub(crate) fn draw(random: &mut Random, tenants: usize, limits: &Limits) -> Self {
        let orderings =
            [Ordering::None, Ordering::Key, Ordering::Key, Ordering::Endpoint, Ordering::Endpoint];
        let schedules: [&[&str]; 5] = [
            &["0s", "0s", "0s"],
            &["200ms", "1s"],
            &["1s", "2s", "4s"],
            &["3s", "70s"],
            &["1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s"],
        ];
        Self {
            tenant: random.size(0, tenants - 1),
            contract: if random.chance(250) { STRICT } else { CONTRACT },
            ordering: random.pick(&orderings).unwrap_or(Ordering::None),
            concurrency: u16::try_from(random.size(1, limits.endpoint_window)).unwrap_or(1),
            retries: random.pick(&schedules).unwrap_or_default().to_vec(),
            timeout: Duration::from_secs(random.between(1, 4)),
            mood: Mood::draw(random),
        }
    }
}

impl Mood {
    fn draw(random: &mut Random) -> Self {
        match random.below(8) {
            0 | 1 => Mood::Healthy,
            2 => Mood::Slow(random.pick(&[50, 900, 6_000]).unwrap_or(50)),
            3 => Mood::Down,
            4 => Mood::Flaky(random.pick(&[50, 300, 800]).unwrap_or(300)),
            5 => Mood::RefusesKey(random.below(4)),
            6 => Mood::Hangs(random.pick(&[50, 500]).unwrap_or(50)),
            _ => Mood::LosesAnswers(random.pick(&[50, 500]).unwrap_or(50)),
        }
    }
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
            endpoints: some(15),
            same_again: some(60),
        }
    }
}
