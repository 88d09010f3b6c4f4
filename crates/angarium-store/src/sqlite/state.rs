//! What the writer holds in memory: few numbers that every commit needs, read once at the start.

use super::audit;
use super::fault::Fault;
use super::reseal::Progress;
use super::usage::Usages;
use angarium_core::audit::Link;
use angarium_core::id::{EventKey, ShardId};
use angarium_core::time::Timestamp;
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};

const SHARDS: usize = ShardId::COUNT as usize;

/// Copied before each transaction, so that a rollback takes it back too.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    /// The newest key that was given out.
    pub(super) last: EventKey,
    /// The listing indexes reach up to here.
    pub(super) indexed_upto: EventKey,
    /// Rows in `pending`.
    pub(super) pending: i64,
    /// Rows in `event`.
    pub(super) events: i64,
    /// The last entry of the audit log.
    pub(super) audited: Link,
    /// The last commit of shards that `meta` does not tell of yet.
    pub(super) written_at: Option<Timestamp>,
    /// How far keys on their way out have been followed.
    pub(super) resealing: Progress,
    /// Whether the log may hold a key that was deleted; after a start nobody knows.
    pub(super) to_scrub: bool,
    /// Whether a run that is not at its end has removed something.
    pub(super) removed: bool,
    epochs: [i64; SHARDS],
}

impl State {
    /// Reads it from the database. Events are counted in their small index and above it.
    pub(super) fn load(connection: &Connection) -> Result<Self, Fault> {
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let indexed_upto = number("SELECT value FROM meta WHERE name = 'indexed_upto'")?;
        let newest = number("SELECT ifnull(max(key), 0) FROM event")?;
        let checkpoint = number("SELECT ifnull(max(checkpoint), 0) FROM shard")?;
        let unindexed = connection.query_row(
            "SELECT count(*) FROM event WHERE key > ?1",
            [indexed_upto],
            |row| row.get::<_, i64>(0),
        )?;
        let mut epochs = [0; SHARDS];
        let mut select = connection.prepare("SELECT shard, epoch FROM shard")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(epoch) = epochs.get_mut(usize::from(row.get::<_, u16>(0)?)) {
                *epoch = row.get(1)?;
            }
        }
        Ok(Self {
            last: EventKey::new(newest.max(indexed_upto).max(checkpoint)),
            indexed_upto: EventKey::new(indexed_upto),
            pending: number("SELECT count(*) FROM pending")?,
            events: number("SELECT count(*) FROM event_by_tenant")? + unindexed,
            audited: audit::head(connection)?,
            written_at: None,
            resealing: Progress::default(),
            to_scrub: true,
            removed: false,
            epochs,
        })
    }

    /// Gives out the next key (rule 1).
    pub(super) fn next_key(&mut self, now: Timestamp) -> EventKey {
        self.last = self.last.next(now);
        self.last
    }

    /// The epoch of a shard; 0 if there is no such shard.
    pub(super) fn epoch(&self, shard: ShardId) -> i64 {
        self.epochs.get(usize::from(shard.get())).copied().unwrap_or_default()
    }

    /// Notes a new epoch.
    pub(super) fn set_epoch(&mut self, shard: ShardId, epoch: i64) {
        if let Some(known) = self.epochs.get_mut(usize::from(shard.get())) {
            *known = epoch;
        }
    }
}

/// What the last commit left, for whoever asks how deep the store is.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    pending: AtomicU64,
    events: AtomicU64,
    /// What tenants take.
    pub(super) usages: Usages,
}

impl Gauges {
    /// Shows a state that is durable.
    pub(super) fn show(&self, state: &State) {
        self.pending.store(state.pending.max(0).cast_unsigned(), Ordering::Relaxed);
        self.events.store(state.events.max(0).cast_unsigned(), Ordering::Relaxed);
    }

    /// Rows in `pending`.
    pub(super) fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Rows in `event`.
    pub(super) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }
}
