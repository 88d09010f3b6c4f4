//! What outlives the simulated process: the store, the receivers, the people, and the books of
//! what happened.

use crate::ledger::Ledger;
use crate::people::People;
use crate::plan::Plan;
use crate::random::Random;
use crate::trace::Trace;
use angarium_core::contract::ContractLibrary;
use angarium_core::delivery::DeliveryState;
use angarium_core::id::DeliveryKey;
use angarium_core::time::{Jitter, Timestamp};
use angarium_server::clock::Clock;
use angarium_server::entropy::Entropy;
use angarium_store::Store as _;
use angarium_store::sqlite::SqliteStore;
use async_trait::async_trait;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// When every run begins.
pub(crate) const BEGIN: Timestamp = Timestamp::from_millis(1_776_686_400_000);
/// Steps of one run, beyond which something turns in circles.
const MOST_STEPS: u64 = 200_000;

/// Everything, shared by the parts of the process that are replaced.
pub(crate) struct Sim {
    world: Mutex<World>,
    pub(crate) store: SqliteStore,
    pub(crate) contracts: Arc<ContractLibrary>,
}

/// See the module.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) trace: Trace,
    pub(crate) ledger: Ledger,
    pub(crate) people: People,
    /// Decides what fails, and how long things take.
    pub(crate) chance: Random,
    jitter: Random,
    /// No more faults: everything must come to rest.
    pub(crate) calm: bool,
    life: Life,
    /// How far the system's clock is ahead of the time, in milliseconds; behind if negative.
    wall_skew: i64,
    /// The same of the process's own clock, which begins with the system's and is not set.
    skew: i64,
    steps: u64,
    pub(crate) kills: u64,
}

/// The time, and what the process's clock makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// It only goes on.
    pub(crate) time: Timestamp,
    /// It goes on too while a process lives, and begins with the system's, which may be set.
    pub(crate) clock: Timestamp,
}

/// One process, from its start to its end.
struct Life {
    began: Timestamp,
    origin: Option<Instant>,
    /// Steps until it is killed.
    fuse: Option<u64>,
    state: Alive,
    killed: Arc<Notify>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Alive {
    Yes,
    No,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").finish_non_exhaustive()
    }
}

impl Sim {
    pub(crate) fn new(
        seed: u64,
        plan: Plan,
        store: SqliteStore,
        contracts: Arc<ContractLibrary>,
        lines: usize,
    ) -> Self {
        let life = Life {
            began: BEGIN,
            origin: None,
            fuse: None,
            state: Alive::No,
            killed: Arc::default(),
        };
        let world = World {
            people: People::new(seed, &plan),
            ledger: Ledger::new(&plan.limits, plan.ages),
            plan,
            trace: Trace::new(lines),
            chance: Random::new(seed, 2),
            jitter: Random::new(seed, 3),
            calm: false,
            life,
            wall_skew: 0,
            skew: 0,
            steps: 0,
            kills: 0,
        };
        Self { world: Mutex::new(world), store, contracts }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a delivery stands, by what is committed.
    pub(crate) fn state(&self, key: DeliveryKey) -> Option<DeliveryState> {
        let found = crate::ready(self.store.delivery(key));
        found.ok().flatten().map(|found| found.row.state)
    }

    pub(crate) fn into_world(self) -> World {
        self.world.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process begins, inside its runtime. Completes when it is to be killed.
    pub(crate) fn begin_life(&self) -> Arc<Notify> {
        let mut world = self.world();
        let within = world.plan.faults.killed_within.filter(|_| !world.calm && world.kills < 8);
        let fuse = within.map(|within| world.chance.between(1, within));
        let killed = Arc::new(Notify::new());
        let began = world.life.began;
        world.life = Life {
            began,
            origin: Some(Instant::now()),
            fuse,
            state: Alive::Yes,
            killed: Arc::clone(&killed),
        };
        world.note("a process begins");
        world.begin_clock();
        killed
    }

    /// The process has ended, one way or the other; inside its runtime.
    pub(crate) fn end_life(&self) {
        let mut world = self.world();
        let now = world.time();
        world.life.began = now + Duration::from_millis(world.chance.between(1, 2_000));
        world.life.origin = None;
        world.life.state = Alive::No;
        world.ledger.interrupt_all(now);
    }

    /// A place where the process may be killed: nothing that comes after it takes place then.
    pub(crate) async fn point(&self) {
        let state = self.world().step();
        if state == Alive::No {
            std::future::pending::<()>().await;
        }
    }

    /// Time passes, if only for the other tasks.
    pub(crate) async fn pass(&self, millis: u64) {
        match millis {
            0 => tokio::task::yield_now().await,
            _ => tokio::time::sleep(Duration::from_millis(millis)).await,
        }
        self.point().await;
    }

    /// Time passes until so long after the beginning.
    pub(crate) async fn pass_until(&self, since_begin: Duration) {
        let wait = (BEGIN + since_begin).since(self.world().time());
        self.pass(u64::try_from(wait.as_millis()).unwrap_or_default()).await;
    }
}

impl World {
    /// The time, whatever the system's clock says.
    pub(crate) fn time(&self) -> Timestamp {
        self.life.began + self.life.origin.map_or(Duration::ZERO, |origin| origin.elapsed())
    }

    /// The same with the system's clock.
    pub(crate) fn now(&self) -> Moment {
        let time = self.time();
        Moment { time, clock: Timestamp::from_millis(time.as_millis() + self.skew) }
    }

    /// What the system's clock says.
    pub(crate) fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.time().as_millis() + self.wall_skew)
    }

    /// Somebody sets the system's clock: from now on it is so far ahead of the time.
    pub(crate) fn set_wall(&mut self, skew: i64) {
        let before = self.wall();
        self.wall_skew = skew;
        self.note(&format!("the system's clock is set from {before} to {}", self.wall()));
    }

    /// A process takes the system's clock for its own.
    fn begin_clock(&mut self) {
        if self.skew != self.wall_skew {
            let before = self.now();
            self.skew = self.wall_skew;
            self.ledger.clock_set(before);
            let (before, now) = (before.clock, self.now().clock);
            self.note(&format!("the process's clock says {now} instead of {before}"));
        }
    }

    pub(crate) fn note(&mut self, what: &str) {
        let now = self.time();
        self.trace.note(now, what);
    }

    fn step(&mut self) -> Alive {
        if self.life.state == Alive::No {
            return Alive::No;
        }
        self.steps += 1;
        if self.steps == MOST_STEPS {
            self.ledger.violated(format!("no rest after {MOST_STEPS} steps: it turns in circles"));
        }
        let is_out = self.life.fuse.as_mut().is_some_and(|fuse| {
            *fuse -= 1;
            *fuse == 0
        });
        if is_out || self.steps >= MOST_STEPS {
            self.kills += 1;
            self.life.state = Alive::No;
            self.life.killed.notify_one();
            self.note("killed");
        }
        self.life.state
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    pub(crate) fn turns_in_circles(&self) -> bool {
        self.steps >= MOST_STEPS
    }

    /// How long the store or the network takes, in milliseconds.
    pub(crate) fn delay(&mut self) -> u64 {
        if self.calm {
            return 0;
        }
        let slow = self.plan.faults.slow;
        match self.chance.below(1_000) {
            drawn if drawn < slow => self.chance.between(20, 1_500),
            drawn if drawn < 700 => 0,
            _ => self.chance.between(1, 5),
        }
    }

    /// Whether something fails that does so many times in a thousand.
    pub(crate) fn fails(&mut self, per_mille: u64) -> bool {
        !self.calm && self.chance.chance(per_mille)
    }
}

/// Tells the simulated time.
#[derive(Debug)]
pub(crate) struct SimClock(pub(crate) Arc<Sim>);

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.0.world().now().clock
    }

    fn wall(&self) -> Timestamp {
        self.0.world().wall()
    }

    /// Goes straight to the time.
    async fn sleep_until(&self, at: Timestamp) {
        self.sleep(at.since(self.now())).await;
    }
}

/// Draws jitter from the seed.
#[derive(Debug)]
pub(crate) struct SimEntropy(pub(crate) Arc<Sim>);

impl Entropy for SimEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut world = self.0.world();
        bytes.fill_with(|| world.jitter.next().to_le_bytes()[0]);
    }

    fn jitter(&self) -> Jitter {
        let bits = self.0.world().jitter.next() >> 32;
        Jitter::from_bits(u32::try_from(bits).unwrap_or_default())
    }
}
