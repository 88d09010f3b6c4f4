//! What can go wrong with a store.

/// A result of the store.
pub type StoreResult<T> = Result<T, StoreError>;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Certainly nothing was written: the disk is full, the store is busy or closing.
    #[error("nothing was committed: {0}")]
    NotCommitted(String),
    /// It is not known whether the commit took place: the shards concerned must be read anew (rule
    /// 5).
    #[error("the commit may or may not have taken place: {0}")]
    Ambiguous(String),
    /// The store cannot be read now.
    #[error("the store cannot be read: {0}")]
    Unavailable(String),
    /// What is stored is not what it should be; the row is named, its content is not.
    #[error(
        "stored data is damaged: {0}; keep a copy of the data directory and restore a backup \
         (docs/faults.md)"
    )]
    Corrupt(String),
    /// The schema is newer than this program.
    #[error(
        "the store has schema version {found}, this program knows up to {known}: use a newer one"
    )]
    NewerSchema {
        /// The store's.
        found: i32,
        /// The program's.
        known: i32,
    },
    /// An applied migration is not the one that this program has.
    #[error("migration {0} in the store differs from this program's")]
    DivergentSchema(String),
    /// The master key is not the one that the store was made with.
    #[error("the master key does not open this store")]
    WrongMasterKey,
    /// The data directory cannot be used.
    #[error("cannot open the store at {path}: {reason}")]
    CannotOpen {
        /// Where.
        path: String,
        /// Why.
        reason: String,
    },
    /// Another process owns the data directory.
    #[error("{path} is in use by another process")]
    InUse {
        /// Where.
        path: String,
    },
}
