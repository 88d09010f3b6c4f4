//! The store as a whole: how it is opened, and how what is to be written or read reaches the writer
//! and the readers.

use super::fault::Fault;
use super::keyring::Keyring;
use super::open::{self, Database};
use super::orders::{Order, Orders};
use super::readers::{Readers, View, lock};
use super::settings::{Mode, SqliteConfig};
use super::state::Gauges;
use super::writer::{self, Tx, Work, Writer};
use crate::Room;
use crate::error::{StoreError, StoreResult};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Threads that read.
const READERS: usize = 3;
/// Free bytes that are kept for the records of what is under way: below this nothing new is begun.
const RESERVE: u64 = 16 * 1024 * 1024;

/// The embedded store.
pub struct SqliteStore {
    orders: Orders,
    reads: Reads,
    gauges: Arc<Gauges>,
    files: Vec<PathBuf>,
}

enum Reads {
    Threads(Readers),
    WithWriter(Arc<Mutex<Writer>>),
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("files", &self.files).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens a store, or makes one; brings an older schema up to date.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::WrongMasterKey`], [`StoreError::NewerSchema`],
    /// [`StoreError::DivergentSchema`], [`StoreError::Corrupt`] or [`StoreError::CannotOpen`].
    pub fn open(config: SqliteConfig) -> StoreResult<Self> {
        let database = Database::acquire(&config)?;
        let masters = std::iter::once(&config.master_key).chain(&config.next_master_key);
        let keyring = Arc::new(Keyring::new(masters));
        database.settle()?;
        let cannot = |fault: Fault| database.cannot_open(fault);
        let mut connection = database.connect_writer().map_err(cannot)?;
        open::migrate(&mut connection)?;
        open::prepare(&mut connection, &keyring, config.master_key.id())?;
        open::inspect(&connection)?;
        let mut connections = Vec::new();
        if config.mode == Mode::Threads {
            for _ in 0..READERS {
                connections.extend(database.connect_reader().map_err(cannot)?);
            }
        }
        let files = database.files();
        let gauges = Arc::new(Gauges::default());
        let writer = Writer::new(database, connection, Arc::clone(&keyring), Arc::clone(&gauges));
        let writer = Arc::new(Mutex::new(writer.map_err(Fault::of_reading)?));
        let no_thread = |error: std::io::Error| StoreError::CannotOpen {
            path: "a thread".into(),
            reason: error.to_string(),
        };
        let reads = if connections.is_empty() {
            Reads::WithWriter(Arc::clone(&writer))
        } else {
            Reads::Threads(Readers::start(connections, &keyring).map_err(no_thread)?)
        };
        let orders = Orders::open(writer, config.mode).map_err(no_thread)?;
        Ok(Self { orders, reads, gauges, files })
    }

    /// Writes together with everything else that waits, and answers after the sync.
    pub(super) async fn write<T, F>(&self, write: F) -> StoreResult<T>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        self.order(Order::Together, write).await
    }

    /// Writes in a transaction of its own, after what waits to be written together.
    pub(super) async fn write_alone<T, F>(&self, write: F) -> StoreResult<T>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        self.order(Order::Alone, write).await
    }

    async fn order<T, F>(&self, order: fn(Box<dyn Work>) -> Order, write: F) -> StoreResult<T>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        let (work, answer) = writer::job(write);
        self.orders.hand_in(order(work)).await?;
        // The writer vanished with the work in its hands: nobody knows.
        answer.await.map_err(|_| StoreError::Ambiguous("the writer has ended".into()))?
    }

    /// What is free where the database is; none in memory, or if the file system does not say.
    fn free_bytes(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(self.files.first()?.parent()?).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// How much room there is.
    pub(super) fn room_on_disk(&self) -> Room {
        match self.free_bytes() {
            Some(0..RESERVE) => Room::Scarce,
            Some(RESERVE..) | None => Room::Ample,
        }
    }

    /// What the database's files take.
    pub(super) fn bytes(&self) -> u64 {
        let size = |file: &PathBuf| std::fs::metadata(file).map_or(0, |found| found.len());
        self.files.iter().map(size).sum()
    }

    /// What the writer counts.
    pub(super) fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// Refuses what can be done without while only what is under way has room.
    pub(super) fn ensure_room(&self) -> StoreResult<()> {
        match self.room_on_disk() {
            Room::Ample => Ok(()),
            Room::Scarce => Err(StoreError::NotCommitted(format!(
                "the disk is full: less than {} MiB are free",
                RESERVE >> 20
            ))),
        }
    }

    /// Reads, as of the last commit.
    pub(super) async fn read<T, F>(&self, read: F) -> StoreResult<T>
    where
        F: FnOnce(&View<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        match &self.reads {
            Reads::Threads(readers) => readers.read(read).await,
            Reads::WithWriter(writer) => lock(writer).look(read),
        }
    }

    /// Empties the log, where it may hold a key that was deleted.
    pub(super) async fn scrub(&self) -> StoreResult<()> {
        self.orders.scrub().await
    }

    /// Writes a copy.
    pub(super) async fn copy(&self, to: &Path) -> StoreResult<()> {
        match &self.reads {
            Reads::Threads(readers) => readers.copy(to.to_owned()).await,
            Reads::WithWriter(writer) => lock(writer).copy(to),
        }
    }

    /// Ends the threads; what was handed in is written.
    pub(super) async fn end(&self) {
        if let Reads::Threads(readers) = &self.reads {
            readers.close().await;
        }
        self.orders.close().await;
    }
}
