//! The one writer: everything that waits goes into one transaction with one sync, then each is
//! answered (storage.md, section 6d).
//!
//! What is written is a [`Work`]; the writer only knows how a transaction begins and ends:
//!
//! ```text
//!  failed before COMMIT ──▶ rolled back ──▶ NotCommitted
//!  failed at COMMIT: no room ──▶ rolled back ──▶ NotCommitted
//!                    the file failed ──▶ Ambiguous; before anything else the connection is closed,
//!                                        the log settled (a failed fsync may have lost pages, see
//!                                        `log.rs`) and opened anew
//! ```

use super::fault::Fault;
use super::keyring::{Keyring, Vault};
use super::open::{self, Database};
use super::readers::{self, View};
use super::state::{Gauges, State};
use super::usage::Counting;
use crate::error::{StoreError, StoreResult};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::oneshot;

/// An open transaction of the writer.
pub(super) struct Tx<'a> {
    /// The connection, inside the transaction.
    pub(super) connection: &'a Connection,
    /// What the writer holds in memory; taken back if the transaction fails.
    pub(super) state: &'a mut State,
    /// The keys that are known.
    pub(super) keyring: &'a Keyring,
    /// What tenants take, as far as this transaction changes it.
    pub(super) counting: &'a mut Counting,
}

impl<'a> Tx<'a> {
    /// For secrets.
    pub(super) const fn vault(&self) -> Vault<'a> {
        Vault { connection: self.connection, keyring: self.keyring }
    }
}

/// Something to write, and someone who waits for it.
pub(super) trait Work: Send {
    /// Writes it; may be called again after a rollback.
    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), Fault>;
    /// Answers, once it is durable or certainly or possibly not.
    fn answer(self: Box<Self>, ended: &Result<(), Failed>);
}

/// How a transaction failed.
#[derive(Debug, Clone)]
pub(super) enum Failed {
    /// Nothing of it was written; others' work may be to blame.
    Rejected(String),
    /// Nothing of it was written, nor would anything else be now.
    NotCommitted(String),
    /// Nobody knows.
    Ambiguous(String),
}

impl Failed {
    fn to_error(&self) -> StoreError {
        match self {
            Failed::Rejected(why) | Failed::NotCommitted(why) => {
                StoreError::NotCommitted(why.clone())
            }
            Failed::Ambiguous(why) => StoreError::Ambiguous(why.clone()),
        }
    }
}

/// A closure as [`Work`].
pub(super) struct Job<F, T> {
    write: F,
    made: Option<T>,
    reply: oneshot::Sender<StoreResult<T>>,
}

/// Makes work of a closure, and the place where its answer arrives.
pub(super) fn job<F, T>(write: F) -> (Box<dyn Work>, oneshot::Receiver<StoreResult<T>>)
where
    F: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    T: Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let job = Job { write, made: None, reply };
    (Box::new(job), answer)
}

impl<F, T> Work for Job<F, T>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send,
    T: Send,
{
    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        self.made = Some((self.write)(tx)?);
        Ok(())
    }

    fn answer(self: Box<Self>, ended: &Result<(), Failed>) {
        let answer = match (ended, self.made) {
            (Ok(()), Some(made)) => Ok(made),
            (Ok(()), None) => Err(StoreError::NotCommitted("was not written".into())),
            (Err(failed), _) => Err(failed.to_error()),
        };
        // A caller that went away needs no answer.
        drop(self.reply.send(answer));
    }
}

/// Owns the connection that writes.
pub(super) struct Writer {
    database: Database,
    connection: Option<Connection>,
    state: State,
    keyring: Arc<Keyring>,
    gauges: Arc<Gauges>,
    counting: Counting,
}

impl Writer {
    /// Takes an open database over.
    pub(super) fn new(
        database: Database,
        connection: Connection,
        keyring: Arc<Keyring>,
        gauges: Arc<Gauges>,
    ) -> Result<Self, Fault> {
        let state = State::load(&connection)?;
        gauges.show(&state);
        gauges.usages.load(&connection)?;
        let (connection, counting) = (Some(connection), Counting::default());
        Ok(Self { database, connection, state, keyring, gauges, counting })
    }

    /// Writes all of it in one transaction and answers each. If one piece of work spoils the
    /// transaction by itself, each is tried alone, so that it spoils nobody else's.
    pub(super) fn run(&mut self, mut group: Vec<Box<dyn Work>>) {
        let ended = self.attempt(&mut group);
        if matches!(ended, Err(Failed::Rejected(_))) && group.len() > 1 {
            for work in group {
                self.run(vec![work]);
            }
            return;
        }
        for work in group {
            work.answer(&ended);
        }
    }

    /// Reads on the writer's connection, where there is no other.
    pub(super) fn look<T>(
        &self,
        read: impl FnOnce(&View<'_>) -> Result<T, Fault>,
    ) -> StoreResult<T> {
        readers::look(self.open_connection()?, &self.keyring, read)
    }

    /// Writes a copy, where no reader can.
    pub(super) fn copy(&self, to: &Path) -> StoreResult<()> {
        readers::copy(self.open_connection()?, to)
    }

    /// Empties the log where a key was deleted, so that its bytes are in no file any more; later if
    /// a reader is still at work on what the log has. Nobody waits for that.
    pub(super) fn scrub(&mut self) {
        let Some(connection) = self.connection.as_ref().filter(|_| self.state.to_scrub) else {
            return;
        };
        match open::empty_log(connection) {
            Ok(emptied) => self.state.to_scrub = !emptied,
            Err(fault) => {
                tracing::warn!(error = %fault, "the log cannot be emptied");
                if fault.is_of_the_file() {
                    self.distrust();
                }
            }
        }
    }

    fn open_connection(&self) -> StoreResult<&Connection> {
        let closed = || StoreError::Unavailable("the database is closed".into());
        self.connection.as_ref().ok_or_else(closed)
    }

    /// Closes the file; what comes later is refused.
    pub(super) fn close(&mut self) {
        self.connection = None;
        self.database.release();
    }

    fn attempt(&mut self, group: &mut [Box<dyn Work>]) -> Result<(), Failed> {
        self.ensure_open()?;
        let Some(connection) = &self.connection else {
            return Err(Failed::NotCommitted("the store is closed".into()));
        };
        let before = self.state;
        let (state, counting) = (&mut self.state, &mut self.counting);
        counting.begin();
        let mut tx = Tx { connection, state, keyring: &self.keyring, counting };
        let ended = write(&mut tx, group).and_then(|()| commit(connection));
        match &ended {
            Ok(()) => {
                self.gauges.show(&self.state);
                self.gauges.usages.follow(&mut self.counting);
            }
            Err((failed, fault)) => {
                tracing::warn!(error = %fault, "a commit failed: {failed:?}");
                self.state = before;
                let unended = !connection.is_autocommit() && rollback(connection).is_err();
                if unended || fault.is_of_the_file() {
                    self.distrust();
                }
            }
        }
        ended.map_err(|(failed, _)| failed)
    }

    /// Opens the file again after it was closed for distrust; what is written is read anew.
    fn ensure_open(&mut self) -> Result<(), Failed> {
        if self.connection.is_some() || self.database.is_released() {
            return Ok(());
        }
        let cannot = |why: String| Failed::NotCommitted(format!("cannot reopen: {why}"));
        self.database.settle().map_err(|error| cannot(error.to_string()))?;
        let reopened = self.database.connect_writer().and_then(|connection| {
            self.state = State::load(&connection)?;
            self.gauges.usages.load(&connection)?;
            Ok(connection)
        });
        self.connection = Some(reopened.map_err(|fault| cannot(fault.to_string()))?);
        Ok(())
    }

    fn distrust(&mut self) {
        if self.database.outlives_a_connection() {
            self.connection = None;
        }
    }
}

fn write(tx: &mut Tx<'_>, group: &mut [Box<dyn Work>]) -> Result<(), (Failed, Fault)> {
    let applied = tx
        .connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(Fault::from)
        .and_then(|()| group.iter_mut().try_for_each(|work| work.apply(tx)));
    applied.map_err(|fault| {
        let why = why(&fault);
        let everyone = fault.is_passing() || fault.is_of_the_file();
        let failed = if everyone { Failed::NotCommitted } else { Failed::Rejected };
        (failed(why), fault)
    })
}

fn commit(connection: &Connection) -> Result<(), (Failed, Fault)> {
    connection.execute_batch("COMMIT").map_err(|error| {
        let fault = Fault::from(error);
        let why = why(&fault);
        let failed = if fault.is_passing() { Failed::NotCommitted } else { Failed::Ambiguous };
        (failed(why), fault)
    })
}

/// In words; damage is called so, whatever SQLite calls it.
fn why(fault: &Fault) -> String {
    match fault.is_damage() {
        true => StoreError::Corrupt(format!("angarium.db: {fault}")).to_string(),
        false => fault.to_string(),
    }
}

fn rollback(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("ROLLBACK")
}
