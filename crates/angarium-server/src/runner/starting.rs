//! How attempts start: a few at once; many in portions, with everybody else's turn in between.
//!
//! An event to a thousand endpoints opens a thousand connections, which is all that two cores can
//! do for forty milliseconds. If they began together, an event to one endpoint would wait behind
//! them at every step, and each would hold its buffers meanwhile. So they begin over half a second,
//! by turns with those of other shards, and leave most of the machine to everybody else.

use super::Runner;
use angarium_core::id::{Epoch, ShardId};
use angarium_core::shard::Start;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::vec;
use tokio::sync::Notify;

/// Attempts to up to so many endpoints begin at once: what goes to a few goes to them now, and many
/// to one endpoint, which has its window, share their connections.
const FEW: usize = 32;
/// Attempts in a portion, for each core: a tenth of a millisecond of work.
const EACH_CORE: usize = 2;
/// However many wait, they have begun after about so many portions.
const PORTIONS: usize = 250;
/// What others have the machine for after a portion.
const PAUSE: Duration = Duration::from_millis(1);

/// Attempts of one shard that are under way but have not begun.
#[derive(Debug)]
struct Many {
    shard: ShardId,
    epoch: Epoch,
    starts: vec::IntoIter<Start>,
}

/// Those of all shards, whose turn is next first.
#[derive(Debug, Default)]
pub(super) struct Starts {
    waiting: Mutex<VecDeque<Many>>,
    filled: Notify,
}

impl Starts {
    fn len(&self) -> usize {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.iter().map(|many| many.starts.len()).sum()
    }

    fn push(&self, many: Many) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(many);
    }

    fn pop(&self) -> Option<Many> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Runner {
    /// Starts attempts that a shard asked for.
    pub(super) fn start_attempts(
        self: &Arc<Self>,
        shard: ShardId,
        epoch: Epoch,
        starts: Vec<Start>,
    ) {
        let is_same = |one: &Start, next: &Start| one.key.endpoint == next.key.endpoint;
        if starts.chunk_by(is_same).count() <= FEW {
            for start in starts {
                self.start_attempt(shard, epoch, start);
            }
            return;
        }
        self.starts.push(Many { shard, epoch, starts: starts.into_iter() });
        self.starts.filled.notify_one();
    }

    /// Starts portions by turns, with a pause for everybody else after each.
    pub(super) async fn start_for_ever(self: Arc<Self>) {
        let portion = EACH_CORE * tokio::runtime::Handle::current().metrics().num_workers();
        loop {
            let waiting = self.starts.len();
            if waiting == 0 {
                self.starts.filled.notified().await;
                continue;
            }
            let mut room = portion.max(waiting / PORTIONS);
            while room > 0
                && let Some(mut many) = self.starts.pop()
            {
                let turn = room.min(portion);
                room -= turn.min(many.starts.len());
                for start in many.starts.by_ref().take(turn) {
                    self.start_attempt(many.shard, many.epoch, start);
                }
                if many.starts.len() > 0 {
                    self.starts.push(many);
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn start_attempt(self: &Arc<Self>, shard: ShardId, epoch: Epoch, start: Start) {
        tokio::spawn(Arc::clone(self).attempt(shard, epoch, start));
    }
}
