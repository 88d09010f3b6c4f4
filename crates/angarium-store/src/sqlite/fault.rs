//! What can go wrong inside, and what that means to a caller.

use crate::error::StoreError;
use crate::seal::{SealedPlace, UnsealError};
use rusqlite::ErrorCode;

/// Something went wrong inside a transaction; nothing of it will stay.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// SQLite said so.
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    /// The file system said so.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// A stored value is not what was written. Names the place, not the value.
    #[error("{0}")]
    Damaged(String),
}

impl Fault {
    /// A value of a column that cannot be read.
    pub(super) fn damaged(place: &str, why: impl std::fmt::Display) -> Self {
        Fault::Damaged(format!("{place}: {why}"))
    }

    /// A sealed value that cannot be read.
    pub(super) fn sealed(place: SealedPlace<'_>) -> impl Fn(UnsealError) -> Self + Copy {
        let SealedPlace { table, row, column, .. } = place;
        move |error| Fault::damaged(&format!("{table}.{column} of {row}"), error)
    }

    /// Whether the file itself failed, after which its handle is not to be trusted.
    pub(super) fn is_of_the_file(&self) -> bool {
        matches!(
            self.code(),
            Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        )
    }

    /// Whether the same work may succeed later: no room, or another holds a lock.
    pub(super) fn is_passing(&self) -> bool {
        matches!(
            self.code(),
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        )
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Fault::Sql(error) => error.sqlite_error_code(),
            Fault::File(_) | Fault::Damaged(_) => None,
        }
    }

    /// As a reader's caller sees it.
    pub(super) fn of_reading(self) -> StoreError {
        match self.is_damage() {
            true => StoreError::Corrupt(format!("angarium.db: {self}")),
            false => StoreError::Unavailable(self.to_string()),
        }
    }

    /// Whether one row is not what was written, in a file that is sound.
    pub(super) fn is_of_a_row(&self) -> bool {
        self.is_damage() && !self.is_of_the_file()
    }

    /// Whether what is stored is not what was written.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Fault::Damaged(_) => true,
            Fault::File(_) => false,
            Fault::Sql(error) => is_damage(error),
        }
    }
}

/// Whether SQLite calls the file damaged, or a value is not of its column's type.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
        )
}
