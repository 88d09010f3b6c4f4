//! What a queue reads back from the store: rows that are due, and those that wait in its lanes.

use super::{Held, Queue};
use crate::id::DeliveryKey;
use crate::lane::Lane;
use crate::limits::Limits;
use crate::shard::Room;
use crate::shard::held::LoadWish;
use crate::shard::lanes::Commits;
use crate::time::Timestamp;

impl Queue {
    /// Notes that the store has rows that are not in memory, due at `due` or later.
    pub(in crate::shard) fn note_unloaded(&mut self, due: Timestamp) {
        self.unloaded = Some(self.unloaded.map_or(due, |earlier| earlier.min(due)));
    }

    /// What to read from the store now: rows are due there, and memory has emptied enough. In a
    /// full shard an endpoint reads only when it has nothing to send.
    pub(in crate::shard) fn begin_load(
        &mut self,
        limits: &Limits,
        room: Room,
        now: Timestamp,
    ) -> Option<LoadWish> {
        let due = self.unloaded.is_some_and(|due| due <= now);
        let enough = match room {
            Room::Free => limits.endpoint_ready / 4,
            Room::Full => 0,
        };
        if !due || self.loading || !self.is_open() || self.ready.len() > enough {
            return None;
        }
        let limit = self.free(limits).max(1);
        self.loading = true;
        self.unloaded = None;
        let ready = self.ready.iter().filter(|held| held.has_row);
        let waiting = self.waiting.values().chain(ready).map(|h| (h.event.key, h.generation));
        let skip = waiting.chain(self.sending.keys().copied()).collect();
        Some(LoadWish { skip, limit })
    }

    /// Ends a load; rows that were noted meanwhile stay noted.
    pub(in crate::shard) fn end_load(&mut self, next_due: Option<Timestamp>) {
        self.loading = false;
        self.outdated.clear();
        if let Some(due) = next_due {
            self.note_unloaded(due);
        }
    }

    /// A commit changed a delivery's row, or took it away.
    pub(in crate::shard) fn row_changed(&mut self, key: DeliveryKey) {
        if self.loading {
            self.outdated.insert((key.event, key.generation));
        }
    }

    /// Whether what is read of a due row is still true.
    pub(in crate::shard) fn is_current(&self, key: DeliveryKey) -> bool {
        !self.outdated.contains(&(key.event, key.generation))
    }

    /// A lane whose next rows are to be read now.
    pub(in crate::shard) fn begin_lane_load(&mut self, commits: Commits) -> Option<Lane> {
        if self.is_open() { self.lanes.next_load(commits) } else { None }
    }

    /// Rows of a lane that were asked for.
    pub(in crate::shard) fn lane_loaded(&mut self, lane: Lane, rows: Vec<Held>, commits: Commits) {
        self.ready.extend(self.lanes.loaded(lane, rows, commits));
    }
}
