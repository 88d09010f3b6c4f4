//! Removes what is of age, and what deleted tenants had: in bounded steps, in the background,
//! through restarts.
//!
//! Where it stands is stored with what it removed. Between two steps it rests longer than the step
//! took, so that whoever publishes meanwhile hardly waits. A clock that has jumped is not believed
//! ([`Looked`]): what is removed does not come back.

mod watch;

pub use watch::look_before;

use crate::api::App;
use crate::clock::Clock;
use crate::in_order::in_order;
use crate::metrics::Metrics;
use crate::runner::Runner;
use angarium_core::audit::{Action, Author, Deed, Place};
use angarium_core::batch::Trace;
use angarium_core::delivery::EndReason;
use angarium_core::id::{DeliveryKey, EnvironmentNo};
use angarium_core::notice::{DeadLetter, LastAttempt};
use angarium_core::retention::{Age, Ages, Looked, Part, audit_age};
use angarium_core::shard::Expiry;
use angarium_core::time::Timestamp;
use angarium_store::read::DeliveryRow;
use angarium_store::removal::{ExpiringQuery, Purged, SweepNext, SweepOrder};
use angarium_store::{SharedStore, StoreError, StoreResult};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use watch::Watch;

/// So often is looked for what has come of age.
const LOOK_EVERY: Duration = Duration::from_secs(300);
/// So soon again where something could not go yet, or the store failed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The shortest rest after a step.
const BREATH: Duration = Duration::from_millis(5);
/// A rest is so many times as long as its step took.
const REST: u32 = 3;
/// Deliveries that are given up at once.
const EXPIRED_AT_ONCE: usize = 64;
/// So often is looked for attempts that were made after those of their event had gone.
const AGAIN_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// After so many steps of one part, what deleted tenants had has its turn.
const STEPS_IN_A_ROW: u32 = 50;
/// What sweeps.
pub struct Sweeper {
    /// Where everything is kept.
    pub store: SharedStore,
    /// What gives waiting deliveries up.
    pub runner: Arc<Runner>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// The ages in force, of all environments.
    pub ages: Box<dyn Fn() -> Vec<(EnvironmentNo, Ages)> + Send + Sync>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// There is something to remove at once.
    pub bell: Arc<Notify>,
    /// What was known of the clock before this process wrote anything.
    pub before: Looked,
}

impl Sweeper {
    /// With what calls are answered with.
    pub fn of(app: &App, before: Looked) -> Self {
        let directory = Arc::clone(&app.directory);
        let ages = move || {
            let all = directory.environments().into_iter();
            all.map(|environment| (environment.no, environment.retention.ages())).collect()
        };
        Self {
            store: Arc::clone(&app.store),
            runner: Arc::clone(&app.runner),
            clock: Arc::clone(&app.clock),
            ages: Box::new(ages),
            metrics: Arc::clone(&app.metrics),
            bell: Arc::clone(&app.sweeping),
            before,
        }
    }
}

impl std::fmt::Debug for Sweeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sweeper").finish_non_exhaustive()
    }
}

/// How far a round came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    /// Everything of age is gone.
    ToTheEnd,
    /// Something could not go yet.
    Short,
}

/// Sweeps for ever.
pub async fn sweep_for_ever(with: Arc<Sweeper>) {
    let mut watch = Watch::default();
    loop {
        let rest = match with.round(&mut watch).await.unwrap_or_else(tried_again) {
            Came::ToTheEnd => LOOK_EVERY,
            Came::Short => LOOK_AGAIN,
        };
        tokio::select! {
            biased;
            () = with.bell.notified() => {}
            () = with.clock.sleep(rest) => {}
        }
    }
}

/// What fails stops nothing else, and is met again by the next round.
fn tried_again(error: StoreError) -> Came {
    tracing::warn!(%error, "what is to go could not be removed; it is tried again");
    Came::Short
}

impl Sweeper {
    async fn round(&self, watch: &mut Watch) -> StoreResult<Came> {
        let mut came = self.purge(watch).await.unwrap_or_else(tried_again);
        let now = self.clock.now();
        if !self.believes(watch, now).await? {
            return Ok(came);
        }
        (watch.removed, watch.lag) = (0, Duration::ZERO);
        let all = (self.ages)();
        let again = watch.again_at.is_none_or(|at| now.since(at) >= AGAIN_EVERY);
        for (environment, ages) in &all {
            let expired = self.expire(watch, *environment, ages, now).await;
            came = came.max(expired.unwrap_or_else(tried_again));
            for part in Part::ALL.into_iter().filter(|part| ages.of(*part) != Age::ForEver) {
                let again = again && part == Part::Attempts;
                let order = SweepOrder { again, ..order(*environment, ages, part, now) };
                came = came.max(self.sweep(watch, order).await.unwrap_or_else(tried_again));
            }
        }
        if again {
            watch.again_at = Some(now);
        }
        if let Some(age) = audit_age(all.iter().map(|(_, ages)| ages)) {
            while self.step(watch, self.store.sweep_audit(now - age)).await? > 0 {}
        }
        self.metrics.retention_lag(watch.lag);
        if watch.removed > 0 {
            self.note(watch, now).await?;
        }
        Ok(came)
    }

    /// Takes a step, then rests.
    async fn step<T>(
        &self,
        watch: &mut Watch,
        step: impl Future<Output = StoreResult<T>>,
    ) -> StoreResult<T> {
        let begun = Instant::now();
        let taken = step.await?;
        let took = begun.elapsed();
        self.metrics.swept_for(took);
        self.rest(watch, (took * REST).max(BREATH)).await;
        Ok(taken)
    }

    /// Removes what deleted tenants had.
    async fn purge(&self, watch: &mut Watch) -> StoreResult<Came> {
        loop {
            match self.step(watch, self.store.purge()).await? {
                Purged::Some(events) => self.metrics.swept("tenant", events),
                Purged::HeldUp => return Ok(Came::Short),
                Purged::Nothing => return Ok(Came::ToTheEnd),
            }
        }
    }

    /// Gives up what still waits although its event's payload is of age.
    async fn expire(
        &self,
        watch: &mut Watch,
        no: EnvironmentNo,
        ages: &Ages,
        now: Timestamp,
    ) -> StoreResult<Came> {
        let end = ages.end(Part::Payload, now);
        let (environment, limit) = (no, EXPIRED_AT_ONCE);
        let mut query = ExpiringQuery { environment, end, cursor: None, limit };
        loop {
            let page = self.store.expiring(query).await?;
            // What has ended or begun anew meanwhile is refused, and met again by the next round.
            let expire = |row: DeliveryRow| self.runner.expire_delivery(expiry(row));
            in_order(page.items.into_iter().map(expire)).await;
            query.cursor = match page.next {
                Some(next) => Some(next),
                None => return Ok(Came::ToTheEnd),
            };
            self.rest(watch, BREATH).await;
        }
    }

    async fn sweep(&self, watch: &mut Watch, mut order: SweepOrder) -> StoreResult<Came> {
        for steps in 1.. {
            let swept = self.step(watch, self.store.sweep(order, self.clock.now())).await?;
            order.again = false;
            self.metrics.swept(order.part.as_str(), swept.events);
            self.metrics.swept("damaged", swept.damaged);
            watch.removed += swept.events;
            let lag = order.end.time().since(swept.upto.time());
            match swept.next {
                SweepNext::More => self.metrics.retention_lag(watch.lag.max(lag)),
                SweepNext::Reached => return Ok(Came::ToTheEnd),
                SweepNext::HeldUp(holds) => {
                    watch.lag = watch.lag.max(lag);
                    self.release(&holds).await?;
                    return Ok(Came::Short);
                }
            }
            if steps % STEPS_IN_A_ROW == 0 {
                self.purge(watch).await?;
            }
        }
        Ok(Came::Short)
    }

    /// A dead letter that nobody has skipped until its event goes holds its lane no longer.
    async fn release(&self, holds: &[DeliveryKey]) -> StoreResult<()> {
        for key in holds {
            let Some(held) = self.store.delivery(*key).await? else { continue };
            let tenant = held.row.tenant;
            let place = Place::Tenant(tenant);
            let skip = Deed::new(Author::SERVER, Action::DeliverySkip, place, key);
            if let Err(refusal) = self.runner.skip_delivery(tenant, *key, Trace::of(skip)).await {
                tracing::debug!(%key, %refusal, "a lane is let go on later");
            }
        }
        Ok(())
    }
}

fn order(environment: EnvironmentNo, ages: &Ages, part: Part, now: Timestamp) -> SweepOrder {
    let (end, attempts_end) = (ages.end(part, now), ages.end(Part::Attempts, now));
    SweepOrder { environment, part, end, attempts_end, again: false }
}

fn expiry(row: DeliveryRow) -> Expiry {
    let last =
        row.last.map(|last| LastAttempt { at: last.at, class: last.class, status: last.status });
    let letter = DeadLetter {
        delivery: row.key,
        event: row.event_id,
        event_type: row.event_kind.into(),
        attempts: row.attempts,
        reason: EndReason::Expired.as_str(),
        last,
        left_out: 0,
    };
    Expiry { tenant: row.tenant, letter: Box::new(letter) }
}
