//! Opens the database: the directory's lock, the settings, the schema, the master key's check.

use super::fault::{self, Fault};
use super::keyring::{Keyring, Vault};
use super::{SqliteConfig, Synchronous, log, private};
use crate::error::{StoreError, StoreResult};
use crate::seal::MasterKeyId;
use angarium_core::id::ShardId;
use refinery::embed_migrations;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

embed_migrations!("migrations/sqlite");

/// Statements that a connection keeps prepared; more than there are.
const CACHED_STATEMENTS: usize = 128;

/// 64 MiB of log between two checkpoints: pages that are written often are merged (storage.md).
/// What a page loses is overwritten in it, where that writes no other page (decision 9).
const WRITER: &str = "
    PRAGMA page_size = 8192;
    PRAGMA journal_mode = WAL;
    PRAGMA wal_autocheckpoint = 8000;
    PRAGMA cache_size = -65536;
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 0;
    PRAGMA cell_size_check = 1;
    PRAGMA secure_delete = FAST;
    PRAGMA fullfsync = 1;
    PRAGMA checkpoint_fullfsync = 1;
    PRAGMA busy_timeout = 5000;
";

const READER: &str = "
    PRAGMA cache_size = -16384;
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 0;
    PRAGMA cell_size_check = 1;
    PRAGMA busy_timeout = 5000;
";

/// Where the database is, and how to open it.
#[derive(Debug)]
pub(super) struct Database {
    place: Place,
    synchronous: Synchronous,
    released: bool,
}

#[derive(Debug)]
enum Place {
    Memory,
    Directory { file: PathBuf, lock: Option<File> },
}

impl Database {
    /// Takes the directory; nobody else can until it is released.
    pub(super) fn acquire(config: &SqliteConfig) -> StoreResult<Self> {
        let place = match &config.path {
            None => Place::Memory,
            Some(directory) => Place::Directory {
                lock: Some(lock(directory)?),
                file: directory.join("angarium.db"),
            },
        };
        Ok(Self { place, synchronous: config.synchronous, released: false })
    }

    /// Looks at the log before SQLite does; no connection may be writing.
    pub(super) fn settle(&self) -> StoreResult<()> {
        match &self.place {
            Place::Memory => Ok(()),
            Place::Directory { file, .. } => log::settle(&file.with_extension("db-wal")),
        }
    }

    /// Opens the connection that writes.
    pub(super) fn connect_writer(&self) -> Result<Connection, Fault> {
        let connection = match &self.place {
            Place::Memory => Connection::open_in_memory()?,
            Place::Directory { file, .. } => {
                private::keep(file)?;
                Connection::open(file)?
            }
        };
        connection.execute_batch(WRITER)?;
        connection.execute_batch(match self.synchronous {
            Synchronous::Full => "PRAGMA synchronous = FULL",
            Synchronous::Normal => "PRAGMA synchronous = NORMAL",
        })?;
        keep_statements(&connection)?;
        Ok(connection)
    }

    /// Opens a connection that reads; none in memory, where there is only the writer's.
    pub(super) fn connect_reader(&self) -> Result<Option<Connection>, Fault> {
        let Place::Directory { file, .. } = &self.place else {
            return Ok(None);
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags)?;
        connection.execute_batch(READER)?;
        keep_statements(&connection)?;
        Ok(Some(connection))
    }

    /// Whether what was committed is still there after the connection is closed.
    pub(super) fn outlives_a_connection(&self) -> bool {
        matches!(self.place, Place::Directory { .. })
    }

    /// Gives the directory back.
    pub(super) fn release(&mut self) {
        self.released = true;
        if let Place::Directory { lock, .. } = &mut self.place {
            *lock = None;
        }
    }

    /// Whether it was given back.
    pub(super) fn is_released(&self) -> bool {
        self.released
    }

    /// Bytes of the database's files.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        match &self.place {
            Place::Memory => Vec::new(),
            Place::Directory { file, .. } => vec![file.clone(), file.with_extension("db-wal")],
        }
    }

    /// An error that says where.
    pub(super) fn cannot_open(&self, reason: Fault) -> StoreError {
        if reason.is_damage() {
            return reason.of_reading();
        }
        let path = match &self.place {
            Place::Memory => "memory".to_owned(),
            Place::Directory { file, .. } => file.display().to_string(),
        };
        StoreError::CannotOpen { path, reason: reason.to_string() }
    }
}

/// Each statement is prepared once. Without the planner's stability guarantee SQLite prepares one
/// anew for each value that it is given as soon as a partial index might serve some values of it.
fn keep_statements(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Makes the directory if there is none, for its owner's eyes only, and locks it.
fn lock(directory: &Path) -> StoreResult<File> {
    let path = directory.display().to_string();
    let cannot = |error: std::io::Error| StoreError::CannotOpen {
        path: path.clone(),
        reason: error.to_string(),
    };
    private::make_directory(directory).map_err(cannot)?;
    let file = private::open(&directory.join("angarium.lock")).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path }),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

/// Brings the schema up to this program's, all steps in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> StoreResult<()> {
    let runner = migrations::runner().set_grouped(true);
    let newest = runner.get_migrations().iter().map(|m| m.version()).max();
    let newest = newest.unwrap_or_default();
    // A migration that was applied twice with different texts must be refused even when it is the
    // newest one, and a newer one must be told from a missing one.
    if let Some(last) = applied(connection)?
        && last > i64::from(newest)
    {
        return Err(StoreError::NewerSchema {
            found: i32::try_from(last).unwrap_or(i32::MAX),
            known: newest,
        });
    }
    match runner.run(connection) {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            refinery::error::Kind::DivergentVersion(applied, _)
            | refinery::error::Kind::MissingVersion(applied) => {
                Err(StoreError::DivergentSchema(applied.to_string()))
            }
            _ => Err(unreadable(&error)),
        },
    }
}

/// The newest migration that the database has seen.
fn applied(connection: &Connection) -> StoreResult<Option<i64>> {
    let read = || -> rusqlite::Result<Option<i64>> {
        let table = "SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history'";
        if connection.query_row(table, [], |_| Ok(())).optional()?.is_none() {
            return Ok(None);
        }
        let newest = "SELECT max(version) FROM refinery_schema_history";
        connection.query_row(newest, [], |row| row.get(0))
    };
    read().map_err(unavailable)
}

/// Makes the rows that a new store needs, under `master`; refuses a store that is under a master
/// key that the keyring does not know.
pub(super) fn prepare(
    connection: &mut Connection,
    keyring: &Keyring,
    master: MasterKeyId,
) -> StoreResult<()> {
    let tx = connection.transaction().map_err(unavailable)?;
    let check: Option<Vec<u8>> = tx
        .query_row("SELECT value FROM meta WHERE name = 'key_check'", [], |row| row.get(0))
        .optional()
        .map_err(unavailable)?;
    let vault = Vault { connection: &tx, keyring };
    match check {
        Some(check) if vault.is_opened(&check) => {}
        Some(_) => return Err(StoreError::WrongMasterKey),
        None => vault.put_key_check(master).map_err(Fault::of_reading)?,
    }
    for shard in ShardId::all() {
        let insert = "INSERT INTO shard (shard, epoch, checkpoint) VALUES (?1, 0, 0)
                      ON CONFLICT DO NOTHING";
        tx.execute(insert, [shard.get()]).map_err(unavailable)?;
    }
    tx.commit().map_err(unavailable)
}

/// Tables whose damage nobody would notice: what lacks in them is not asked for again. In the big
/// ones, of events and deliveries, every row has a checksum and is asked for by name.
const INSPECTED: [&str; 21] = [
    "meta",
    "data_key",
    "environment",
    "host",
    "tenant",
    "tenant_counter",
    "tenant_key",
    "api_key",
    "event_type",
    "endpoint",
    "endpoint_counter",
    "shard",
    "pending",
    "lane_hold",
    "idempotency",
    "job",
    "source",
    "swept",
    "purge",
    "erasure",
    "audit_base",
];

/// Neither waits for its turn nor is due: it would wait for ever.
const STRAY: &str = "SELECT 1 FROM pending WHERE state NOT IN (1, 2) LIMIT 1";

/// Looks for rows that are lost, and for indexes that say other than their tables.
///
/// # Errors
/// [`StoreError::Corrupt`].
pub(super) fn inspect(connection: &Connection) -> StoreResult<()> {
    let damaged = |table: &str, what: &str| {
        Err(StoreError::Corrupt(format!("angarium.db, table {table}: {what}")))
    };
    for table in INSPECTED {
        let check = format!("PRAGMA integrity_check('{table}')");
        let found: String =
            connection.query_row(&check, [], |row| row.get(0)).map_err(unavailable)?;
        if found != "ok" {
            return damaged(table, found.lines().last().unwrap_or_default());
        }
    }
    let stray = connection.query_row(STRAY, [], |_| Ok(())).optional().map_err(unavailable)?;
    match stray {
        Some(()) => damaged("pending", "a state that no waiting delivery has"),
        None => Ok(()),
    }
}

/// Moves everything from the log into the database and cuts the log off; whether it could. It waits
/// for nobody.
pub(super) fn empty_log(connection: &Connection) -> Result<bool, Fault> {
    connection.execute_batch("PRAGMA busy_timeout = 0")?;
    let is_busy = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))
        .map_err(Fault::from);
    connection.execute_batch("PRAGMA busy_timeout = 5000")?;
    is_busy.map(|is_busy| !is_busy)
}

fn unavailable(error: rusqlite::Error) -> StoreError {
    Fault::from(error).of_reading()
}

/// A migration that SQLite refused; the cause says whether the file is damaged.
fn unreadable(error: &refinery::Error) -> StoreError {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    match cause.is_some_and(fault::is_damage) {
        true => StoreError::Corrupt(format!("angarium.db: {error}")),
        false => StoreError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::MasterKey;
    use crate::sqlite::Mode;
    use refinery::Target;

    #[test]
    fn what_was_there_before_there_were_ages_is_kept_for_ever() {
        let config = SqliteConfig {
            path: None,
            master_key: MasterKey::from_bytes([0; 32]),
            next_master_key: None,
            synchronous: Synchronous::Full,
            mode: Mode::InPlace,
        };
        let database = Database::acquire(&config).expect("memory");
        let mut connection = database.connect_writer().expect("a connection");
        let before = migrations::runner().set_target(Target::Version(12));
        before.run(&mut connection).expect("the schema of then");
        let make = "
            INSERT INTO environment (no, slug, title, contracts, created_at)
            VALUES (1, 'prod', '', '[]', 0);
            INSERT INTO tenant (no, environment, id, metadata, created_at)
            VALUES (2, 1, 'acme', '{}', 0);
            INSERT INTO event_by_tenant (tenant, event) VALUES (1, 10), (1, 11), (2, 12), (4, 13)";
        connection.execute_batch(make).expect("what was there");
        migrate(&mut connection).expect("the schema of now");
        let kept: String = connection
            .query_row("SELECT retention FROM environment", [], |row| row.get(0))
            .expect("its ages");
        assert_eq!(kept, r#"{"payload":null,"attempts":null,"metadata":null}"#);
        let mut select = connection.prepare("SELECT tenant FROM purge ORDER BY 1").expect("rows");
        let purged: Vec<i64> =
            select.query_map([], |row| row.get(0)).and_then(Iterator::collect).expect("numbers");
        assert_eq!(purged, [1, 4], "tenants that were deleted, and no other");
    }
}
