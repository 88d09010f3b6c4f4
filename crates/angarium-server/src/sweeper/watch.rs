//! Whether the sweeper believes its clock.

use super::Sweeper;
use angarium_core::retention::{Belief, Looked};
use angarium_core::time::Timestamp;
use angarium_store::{Store, StoreResult};
use std::time::Duration;

/// So often it is noted that the clock goes on, while something is noted at all.
const NOTE_EVERY: Duration = Duration::from_secs(600);

/// What is known of the clock from before; asked before the store is taken over, which writes.
///
/// # Errors
/// The store's.
pub async fn look_before(store: &dyn Store, now: Timestamp) -> StoreResult<Looked> {
    let (noted, written_at) = store.clock_looked_at().await?;
    Ok(match noted {
        Some(mut looked) => {
            looked.note(written_at);
            looked
        }
        None if written_at == Timestamp::default() => Looked::first(now),
        None => Looked::first(written_at),
    })
}

/// What a round knows, and what it found.
#[derive(Debug, Default)]
pub(super) struct Watch {
    looked: Option<Looked>,
    noted_at: Option<Timestamp>,
    is_doubted: bool,
    /// When late attempts were looked for.
    pub(super) again_at: Option<Timestamp>,
    /// Events of which this round removed something.
    pub(super) removed: u64,
    /// How far it is behind.
    pub(super) lag: Duration,
}

impl Sweeper {
    /// Whether the clock goes on as it should.
    pub(super) async fn believes(&self, watch: &mut Watch, now: Timestamp) -> StoreResult<bool> {
        let mut looked = watch.looked.unwrap_or(self.before);
        let belief = looked.look(now);
        watch.looked = Some(looked);
        let is_doubted = belief != Belief::Believed;
        self.metrics.clock_doubted(is_doubted);
        if let Belief::DoubtedUntil(until) = belief
            && !watch.is_doubted
        {
            tracing::warn!(
                "the clock has jumped, or the server was down for more than an hour: nothing is \
                 removed for its age until {until}"
            );
        }
        if is_doubted || watch.is_doubted {
            self.note(watch, now).await?;
        }
        watch.is_doubted = is_doubted;
        Ok(!is_doubted)
    }

    /// Notes what is known of the clock, not too often.
    pub(super) async fn note(&self, watch: &mut Watch, now: Timestamp) -> StoreResult<()> {
        let is_fresh = watch.noted_at.is_some_and(|at| now.since(at) < NOTE_EVERY);
        if let Some(looked) = watch.looked.filter(|_| !is_fresh) {
            self.store.note_clock(looked).await?;
            watch.noted_at = Some(now);
        }
        Ok(())
    }

    /// Rests. The clock is looked at, so that a round may last: one that jumps meanwhile is doubted
    /// by the next round, and this one goes by the time at which it began.
    pub(super) async fn rest(&self, watch: &mut Watch, rest: Duration) {
        self.clock.sleep(rest).await;
        if let Some(looked) = &mut watch.looked {
            looked.look(self.clock.now());
        }
    }
}
