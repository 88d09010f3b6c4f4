//! How to open a store.

use crate::seal::MasterKey;
use std::path::PathBuf;

/// How durable a commit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// Synced before it is answered (D1).
    #[default]
    Full,
    /// Synced at checkpoints only: for the test that shows that a power cut is noticed.
    Normal,
}

/// Who runs the store's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Threads of the store's own.
    #[default]
    Threads,
    /// The caller; no call ever waits.
    InPlace,
}

/// How to open a store.
#[derive(Debug, Clone)]
pub struct SqliteConfig {
    /// The data directory; none for a store in memory, which ends with its process.
    pub path: Option<PathBuf>,
    /// What data keys are encrypted with.
    pub master_key: MasterKey,
    /// The one that may have taken its place, or is to: a store that is under either opens.
    pub next_master_key: Option<MasterKey>,
    /// How durable a commit is.
    pub synchronous: Synchronous,
    /// Who runs the code.
    pub mode: Mode,
}
