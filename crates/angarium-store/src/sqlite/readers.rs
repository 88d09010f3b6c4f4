//! Readers: a few threads with a connection of their own, and short transactions, because a long
//! reader keeps the log from being reused (storage.md, section 6d).

use super::fault::Fault;
use super::keyring::{Keyring, Vault};
use super::private;
use crate::error::{StoreError, StoreResult};
use rusqlite::Connection;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// Reads that wait; more make their callers wait before they are handed in.
const QUEUE: usize = 256;

/// What a reader sees: one moment of the database.
pub(super) struct View<'a> {
    /// Inside a read transaction.
    pub(super) connection: &'a Connection,
    keyring: &'a Keyring,
}

impl<'a> View<'a> {
    /// For secrets.
    pub(super) const fn vault(&self) -> Vault<'a> {
        Vault { connection: self.connection, keyring: self.keyring }
    }
}

type Read = Box<dyn FnOnce(&Connection, &Keyring) + Send>;

/// Threads that read.
#[derive(Debug)]
pub(super) struct Readers {
    queue: Mutex<Option<mpsc::Sender<Read>>>,
    ended: Mutex<Vec<oneshot::Receiver<()>>>,
}

impl Readers {
    /// Starts a thread for each connection.
    pub(super) fn start(
        connections: Vec<Connection>,
        keyring: &Arc<Keyring>,
    ) -> std::io::Result<Self> {
        let (queue, waiting) = mpsc::channel::<Read>(QUEUE);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut ended = Vec::new();
        for connection in connections {
            let (end, at_end) = oneshot::channel::<()>();
            ended.push(at_end);
            let waiting = Arc::clone(&waiting);
            let keyring = Arc::clone(keyring);
            let serve = move || {
                while let Some(read) = next(&waiting) {
                    read(&connection, &keyring);
                }
                drop(connection);
                drop(end);
            };
            thread::Builder::new().name("store-reader".into()).spawn(serve)?;
        }
        Ok(Self { queue: Mutex::new(Some(queue)), ended: Mutex::new(ended) })
    }

    /// Reads on one of the threads.
    pub(super) async fn read<T, F>(&self, read: F) -> StoreResult<T>
    where
        F: FnOnce(&View<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        self.hand_in(move |connection, keyring| look(connection, keyring, read)).await
    }

    async fn hand_in<T, F>(&self, work: F) -> StoreResult<T>
    where
        F: FnOnce(&Connection, &Keyring) -> StoreResult<T> + Send + 'static,
        T: Send + 'static,
    {
        let closed = || StoreError::Unavailable("the store is closed".into());
        let queue = lock(&self.queue).clone().ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        let job: Read = Box::new(move |connection, keyring| {
            // A caller that went away needs no answer.
            drop(reply.send(work(connection, keyring)));
        });
        queue.send(job).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Writes a consistent copy on one of the threads; commits go on meanwhile.
    pub(super) async fn copy(&self, to: PathBuf) -> StoreResult<()> {
        self.hand_in(move |connection, _| copy(connection, &to)).await
    }

    /// Ends the threads once what waits is read.
    pub(super) async fn close(&self) {
        drop(lock(&self.queue).take());
        let ended = std::mem::take(&mut *lock(&self.ended));
        for end in ended {
            // The sender is dropped when the thread ends: the error is the news.
            drop(end.await);
        }
    }
}

fn next(waiting: &Mutex<mpsc::Receiver<Read>>) -> Option<Read> {
    lock(waiting).blocking_recv()
}

/// What a panic left behind here is a queue, which is as good as before.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads in one transaction, so that all of it is of one moment.
pub(super) fn look<T>(
    connection: &Connection,
    keyring: &Keyring,
    read: impl FnOnce(&View<'_>) -> Result<T, Fault>,
) -> StoreResult<T> {
    let looked = || {
        let moment = connection.unchecked_transaction()?;
        let found = read(&View { connection, keyring })?;
        moment.finish()?;
        Ok(found)
    };
    looked().map_err(Fault::of_reading)
}

/// Writes a consistent copy to a new file, synced, then gives it its name: a copy that was cut
/// short never looks like one.
pub(super) fn copy(connection: &Connection, to: &Path) -> StoreResult<()> {
    let cannot = |reason: String| StoreError::CannotOpen { path: to.display().to_string(), reason };
    if to.exists() {
        return Err(cannot("it exists".into()));
    }
    let mut unfinished = to.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let written = private::make(&unfinished)
        .map_err(|error| error.to_string())
        .and_then(|()| {
            let copied = connection.execute("VACUUM INTO ?1", [unfinished.to_string_lossy()]);
            copied.map_err(|error| error.to_string())
        })
        .and_then(|_| sync_and_name(&unfinished, to).map_err(|error| error.to_string()));
    written.map_err(|reason| {
        // What is left of it is worthless; the first error is the one to report.
        drop(fs::remove_file(&unfinished));
        cannot(reason)
    })
}

fn sync_and_name(unfinished: &Path, to: &Path) -> std::io::Result<()> {
    File::open(unfinished)?.sync_all()?;
    fs::rename(unfinished, to)
}
