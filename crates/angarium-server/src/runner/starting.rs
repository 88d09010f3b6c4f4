//! Attempts to many endpoints start in portions, over half a second, and leave most of the machine
//! to everybody else.

use super::Runner;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Attempts in a portion, for each core, if no more wait: a tenth of a millisecond of work.
const EACH_CORE: usize = 2;
/// What others have the machine for after a portion, at least …
const PAUSE: Duration = Duration::from_millis(1);
/// … and so many times as long as it took to begin its attempts: a machine that is busy anyway
/// starts them more slowly.
const OTHERS: u32 = 2;

impl Runner {
    /// Starts portions, with a pause for everybody else after each.
    pub(super) async fn start_for_ever(self: Arc<Self>) {
        let portion = EACH_CORE * tokio::runtime::Handle::current().metrics().num_workers();
        loop {
            let crowded = self.shards.take_crowded();
            if crowded.is_empty() {
                self.crowd.notified().await;
                continue;
            }
            let began = Instant::now();
            let each = (portion / crowded.len()).max(1);
            for id in crowded {
                let _ = self.with(id, |owned, now, fx| owned.machine.start_portion(each, now, fx));
            }
            // It goes on when those that were started have had their turn.
            tokio::task::yield_now().await;
            tokio::time::sleep(PAUSE.max(began.elapsed() * OTHERS)).await;
        }
    }
}
