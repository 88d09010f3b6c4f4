//! Whether what happens can be recorded: while it cannot, no attempt starts and nothing is accepted
//! (D16).

use super::Runner;
use angarium_core::refusal::{Code, Refusal};
use angarium_store::Room;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// Pause before shards are read anew after a second commit in a row failed; it doubles.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is known of the store's ability to write.
#[derive(Debug, Default)]
pub(super) struct Recording {
    /// A commit failed, and its shards have not been taken over again since.
    failed: AtomicBool,
    /// The store has no room but for what is under way.
    scarce: AtomicBool,
    /// Commits of the group committer that failed since the last that did not.
    failures: AtomicU32,
}

impl Recording {
    /// Whether the record of what starts now can be written, as far as is known.
    pub(super) fn is_possible(&self) -> bool {
        !self.has_failed() && !self.scarce.load(Ordering::Relaxed)
    }

    /// Whether nothing can be written now.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// A commit failed. Answers how long to leave the store alone: after the first not at all, so
    /// that a passing fault costs nothing; then ever longer, because each time the attempts that
    /// were under way are repeated.
    pub(super) fn fail(&self) -> Duration {
        self.failed.store(true, Ordering::Relaxed);
        match self.failures.fetch_add(1, Ordering::Relaxed) {
            0 => Duration::ZERO,
            n => SHORTEST_PAUSE.saturating_mul(1 << (n - 1).min(10)).min(LONGEST_PAUSE),
        }
    }

    /// The shards of the commit that failed are taken over again.
    pub(super) fn resume(&self) {
        self.failed.store(false, Ordering::Relaxed);
    }

    /// A commit did not fail.
    pub(super) fn succeed(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }
}

impl Runner {
    /// Asks the store how much room there is; cheap enough to be asked before attempts start.
    pub(super) fn look_for_room(self: &Arc<Self>) {
        let scarce = self.parts.store.room() == Room::Scarce;
        let was_scarce = self.recording.scarce.swap(scarce, Ordering::Relaxed);
        match (was_scarce, scarce) {
            (false, true) => tracing::error!(
                "the store's disk is full: nothing is accepted and no attempt starts until there \
                 is room"
            ),
            (true, false) => {
                tracing::info!("the store's disk has room again");
                self.feed_starved();
            }
            (true, true) | (false, false) => {}
        }
    }

    /// Refuses what is new while it could not be recorded, before anybody waits for it.
    pub(super) fn check_recording(&self) -> Result<(), Refusal> {
        match self.recording.is_possible() {
            true => Ok(()),
            false => {
                let message = "the store cannot write now; nothing is promised, send it again";
                Err(Refusal::whole(Code::Unavailable, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_make_the_pauses_longer_and_a_success_ends_the_row() {
        let recording = Recording::default();
        let pauses = [0, 250, 500, 1_000].map(Duration::from_millis);
        assert_eq!(pauses.map(|_| recording.fail()), pauses);
        assert!((0..40).map(|_| recording.fail()).all(|pause| pause <= LONGEST_PAUSE));
        assert!(!recording.is_possible());
        recording.resume();
        recording.succeed();
        assert_eq!((recording.is_possible(), recording.fail()), (true, Duration::ZERO));
    }
}
