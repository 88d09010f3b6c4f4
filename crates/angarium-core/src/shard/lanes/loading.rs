//! What of a lane is read back from the store, and when: not before every row that stands before
//! others is committed.

use super::{BatchNo, Commits, Head, Lanes, Loading};
use crate::id::DeliveryKey;
use crate::lane::Lane;
use crate::shard::held::Held;

impl Lanes {
    /// A lane whose next deliveries are to be read from the store now.
    pub(in crate::shard) fn next_load(&mut self, commits: Commits) -> Option<Lane> {
        while let Some(lane) = self.to_load.pop_first() {
            let Some(line) = self.lines.get_mut(&lane) else { continue };
            if self.writing.contains_key(&lane) {
                self.too_early.insert(lane);
            } else if line.head == Head::Nobody && line.stored > 0 && line.loading.is_none() {
                line.loading = Some(Loading { expected: line.stored, commits, ended: self.ended });
                return Some(lane);
            }
        }
        None
    }

    /// A row that stands before others of its lane is in this batch.
    pub(in crate::shard) fn writes_before_others(&mut self, lane: Lane, batch: BatchNo) {
        self.writing.insert(lane, batch);
    }

    /// A commit has ended: rows that were asked for too early may be there now, and deliveries in
    /// memory that waited for others to be written may begin.
    pub(in crate::shard) fn commit_ended(&mut self, committed: BatchNo) -> Vec<Held> {
        self.ended += 1;
        self.writing.retain(|_, batch| *batch > committed);
        let waiting = std::mem::take(&mut self.too_early);
        waiting.into_iter().filter_map(|lane| self.advance(lane)).collect()
    }

    /// Whether a row that was read is still there.
    pub(in crate::shard) fn is_there(&self, lane: Lane, key: DeliveryKey) -> bool {
        self.lines.get(&lane).is_none_or(|line| !line.gone.contains(&key))
    }

    /// Rows that were asked for, in the order of their events; the head is given back.
    pub(in crate::shard) fn loaded(
        &mut self,
        lane: Lane,
        rows: Vec<Held>,
        commits: Commits,
    ) -> Option<Held> {
        let line = self.lines.get_mut(&lane)?;
        let loading = line.loading.take()?;
        let gone = std::mem::take(&mut line.gone);
        let may_come = [loading.commits, commits].contains(&Commits::UnderWay);
        if rows.is_empty() && may_come {
            // A commit that has ended meanwhile may have written them after the reading.
            let ended_meanwhile = loading.ended != self.ended;
            let again = if ended_meanwhile { &mut self.to_load } else { &mut self.too_early };
            again.insert(lane);
            return None;
        }
        // What is not there although every commit had ended is no longer waited for, but once.
        let missing = loading.expected.saturating_sub(gone.len());
        let taken = if rows.is_empty() { missing } else { rows.len() };
        line.stored = line.stored.saturating_sub(taken);
        self.behind += rows.len();
        line.behind.extend(rows);
        self.advance(lane)
    }

    /// Rows could not be read, or are not wanted now: they are asked for again.
    pub(in crate::shard) fn not_loaded(&mut self, lane: Lane) {
        if let Some(line) = self.lines.get_mut(&lane) {
            line.loading = None;
            line.gone.clear();
            self.to_load.insert(lane);
        }
    }
}
