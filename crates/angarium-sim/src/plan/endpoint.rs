//! Endpoints as a seed draws them, and the moods of their receivers.

use super::{FAULTS_END, HOUR};
use crate::random::Random;
use angarium_core::lane::Ordering;
use angarium_core::limits::Limits;
use angarium_core::rate::RateSpec;
use angarium_core::retry::{GrowingSpec, RetrySpec};
use std::time::Duration;

/// The contract of most endpoints.
pub(crate) const CONTRACT: &str = "sim";
/// The contract that switches an endpoint off when its deliveries fail.
pub(crate) const STRICT: &str = "sim-strict";
/// The contract that leaves a failing endpoint alone.
pub(crate) const GUARDED: &str = "sim-guarded";
/// The contract under which a dead letter holds its lane, a receiver that is gone is believed, and
/// events wait for an endpoint that is off.
pub(crate) const HOLDING: &str = "sim-holding";
/// After so many failures in a row …
pub(crate) const BREAKER_FAILURES: u32 = 4;
/// … and so long at first, in seconds.
pub(crate) const BREAKER_WAIT: u64 = 4;

/// The waits of every contract.
pub(crate) const CONTRACT_WAITS: [&str; 5] = ["1s", "10s", "1m", "10m", "2h"];

/// An endpoint as it is made.
#[derive(Debug, Clone)]
pub(crate) struct EndpointPlan {
    pub(crate) tenant: usize,
    pub(crate) contract: &'static str,
    pub(crate) ordering: Ordering,
    pub(crate) concurrency: u16,
    pub(crate) rate: Option<RateSpec>,
    pub(crate) schedule: Schedule,
    pub(crate) timeout: Duration,
    pub(crate) mood: Mood,
    pub(crate) outages: Vec<Outage>,
    pub(crate) again: Again,
}

/// When a failed delivery is tried again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Schedule {
    /// As its contract says: only then is its breaker in force.
    Contract,
    /// After these waits.
    Waits(&'static [&'static str]),
    /// After growing waits, for some hours.
    Growing,
}

/// How people deliver anew to an endpoint what has ended. A request does not say which delivery of
/// its pair it is of; either way there is one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Single deliveries, each once.
    Retried,
    /// By replays and recoveries.
    Recovered,
}

/// How a receiver answers while there are faults.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mood {
    /// At once.
    Healthy,
    /// After up to so many milliseconds, which may be too late.
    Slow(u64),
    /// With an error so many times in a thousand.
    Flaky(u64),
    /// With an error for one ordering key.
    RefusesKey(u64),
    /// Not at all so many times in a thousand; the request may have been taken.
    Hangs(u64),
    /// It takes the request and the answer is lost, so many times in a thousand.
    LosesAnswers(u64),
}

/// A time, from the beginning of the run, in which a receiver takes nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outage {
    from: Duration,
    to: Duration,
    kind: OutageKind,
}

/// What a receiver does meanwhile.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OutageKind {
    /// It is silent, or cannot be reached.
    Gone,
    /// It answers with errors.
    Broken,
    /// It asks for less, and often says when to come again.
    Busy,
    /// It says that it is no more.
    NoMore,
}

impl EndpointPlan {
    pub(crate) fn draw(
        random: &mut Random,
        tenants: usize,
        recovers_tenants: bool,
        limits: &Limits,
    ) -> Self {
        let orderings =
            [Ordering::None, Ordering::Key, Ordering::Key, Ordering::Endpoint, Ordering::Endpoint];
        let contracts = [CONTRACT, CONTRACT, STRICT, GUARDED, HOLDING, HOLDING];
        let outages = random.pick(&[0, 0, 1, 1, 2, 3]).unwrap_or(0);
        let contract = random.pick(&contracts).unwrap_or(CONTRACT);
        let drawn = Schedule::draw(random);
        Self {
            tenant: random.size(0, tenants - 1),
            contract,
            ordering: random.pick(&orderings).unwrap_or(Ordering::None),
            concurrency: u16::try_from(random.size(1, limits.endpoint_window)).unwrap_or(1),
            rate: rate(random),
            schedule: if contract == GUARDED { Schedule::Contract } else { drawn },
            timeout: Duration::from_secs(random.between(1, 4)),
            mood: Mood::draw(random),
            outages: (0..outages).map(|_| Outage::draw(random)).collect(),
            again: match recovers_tenants || random.chance(500) {
                true => Again::Recovered,
                false => Again::Retried,
            },
        }
    }

    /// How many attempts a delivery has that is given up; unknown where chance or the receiver
    /// decides.
    pub(crate) fn attempts(&self) -> Option<usize> {
        self.schedule.attempts().filter(|_| self.contract != HOLDING)
    }

    /// What the receiver does instead of what it usually does, so long after the beginning.
    pub(crate) fn outage(&self, since: Duration) -> Option<OutageKind> {
        let now = self.outages.iter().find(|outage| (outage.from..outage.to).contains(&since));
        now.map(|outage| outage.kind)
    }
}

fn rate(random: &mut Random) -> Option<RateSpec> {
    let rates = [None, None, None, Some(0.05), Some(0.5), Some(5.0)];
    let per_second = random.pick(&rates).flatten()?;
    Some(RateSpec { per_second, burst: random.pick(&[None, Some(1), Some(3)]).flatten() })
}

impl Schedule {
    fn draw(random: &mut Random) -> Self {
        let schedules = [
            Schedule::Waits(&["0s", "0s", "0s"]),
            Schedule::Waits(&["200ms", "1s"]),
            Schedule::Waits(&["1s", "2s", "4s"]),
            Schedule::Waits(&["3s", "70s", "10m"]),
            Schedule::Waits(&["1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s"]),
            Schedule::Waits(&["5s", "5m", "30m", "2h"]),
            Schedule::Waits(&["1m", "1h", "3h"]),
            Schedule::Growing,
        ];
        random.pick(&schedules).unwrap_or(Schedule::Growing)
    }

    /// As an endpoint's own; none where the contract's is kept.
    pub(crate) fn spec(self) -> Option<RetrySpec> {
        Some(match self {
            Schedule::Contract => return None,
            Schedule::Waits(waits) => {
                RetrySpec::List(waits.iter().map(|wait| (*wait).to_owned()).collect())
            }
            Schedule::Growing => RetrySpec::Growing(GrowingSpec {
                base: "30s".into(),
                factor: Some(3.0),
                cap: "1h".into(),
                window: Some("5h".into()),
            }),
        })
    }

    fn attempts(self) -> Option<usize> {
        match self {
            Schedule::Contract => Some(CONTRACT_WAITS.len() + 1),
            Schedule::Waits(waits) => Some(waits.len() + 1),
            Schedule::Growing => None,
        }
    }
}

impl Mood {
    fn draw(random: &mut Random) -> Self {
        match random.below(7) {
            0 | 1 => Mood::Healthy,
            2 => Mood::Slow(random.pick(&[50, 900, 6_000]).unwrap_or(50)),
            3 => Mood::Flaky(random.pick(&[50, 300, 800]).unwrap_or(300)),
            4 => Mood::RefusesKey(random.below(4)),
            5 => Mood::Hangs(random.pick(&[50, 500]).unwrap_or(50)),
            _ => Mood::LosesAnswers(random.pick(&[50, 500]).unwrap_or(50)),
        }
    }
}

impl Outage {
    fn draw(random: &mut Random) -> Self {
        let longest = random.pick(&[180, 1_800, 2 * HOUR, 8 * HOUR]).unwrap_or(180);
        // Some begin before the first event.
        let from = match random.chance(300) {
            true => Duration::ZERO,
            false => Duration::from_secs(random.below(FAULTS_END.as_secs())),
        };
        let to = from + Duration::from_secs(random.between(1, longest));
        let kinds = [OutageKind::Gone, OutageKind::Broken, OutageKind::Busy, OutageKind::NoMore];
        Self { from, to, kind: random.pick(&kinds).unwrap_or(OutageKind::Gone) }
    }
}
