//! When the disk is full, the file fails, or one piece of work spoils a transaction
//! (reliability-security.md, D16).

use super::fault::Fault;
use super::keyring::Keyring;
use super::open::{self, Database};
use super::state::Gauges;
use super::writer::{Tx, Work, Writer, job};
use super::{Mode, SqliteConfig, Synchronous};
use crate::error::{StoreError, StoreResult};
use crate::seal::MasterKey;
use angarium_core::id::EventKey;
use angarium_core::time::Timestamp;
use rusqlite::ffi;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::oneshot;

fn writer(directory: &Path) -> Writer {
    let config = SqliteConfig {
        path: Some(directory.to_owned()),
        master_key: MasterKey::from_bytes([1; 32]),
        next_master_key: None,
        synchronous: Synchronous::Full,
        mode: Mode::InPlace,
    };
    let keyring = Arc::new(Keyring::new([&config.master_key]));
    let database = Database::acquire(&config).expect("the directory");
    let mut connection = database.connect_writer().expect("a connection");
    open::migrate(&mut connection).expect("the schema");
    open::prepare(&mut connection, &keyring, config.master_key.id()).expect("its rows");
    Writer::new(database, connection, keyring, Arc::new(Gauges::default())).expect("a writer")
}

/// Notes something under a name; large enough to need new pages.
fn note(name: &'static str) -> impl FnMut(&mut Tx<'_>) -> Result<EventKey, Fault> + Send {
    move |tx| {
        let insert = "INSERT INTO meta (name, value) VALUES (?1, zeroblob(100000))";
        tx.connection.execute(insert, [name])?;
        Ok(tx.state.next_key(Timestamp::from_millis(1)))
    }
}

fn pragma(sql: &'static str) -> impl FnMut(&mut Tx<'_>) -> Result<(), Fault> + Send {
    move |tx| Ok(tx.connection.query_row(sql, [], |_| Ok(()))?)
}

fn failing(code: i32) -> impl FnMut(&mut Tx<'_>) -> Result<EventKey, Fault> + Send {
    move |_| Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into())
}

fn run<T, F>(writer: &mut Writer, write: F) -> StoreResult<T>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    T: Send + 'static,
{
    let (work, answer) = job(write);
    writer.run(vec![work]);
    answered(answer)
}

fn answered<T>(mut answer: oneshot::Receiver<StoreResult<T>>) -> StoreResult<T> {
    answer.try_recv().expect("an answer at once")
}

#[test]
fn a_full_disk_refuses_and_work_goes_on_when_there_is_room() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut writer = writer(directory.path());
    let first = run(&mut writer, note("a")).expect("room");
    run(&mut writer, pragma("PRAGMA max_page_count = 1")).expect("set");
    let full = run(&mut writer, note("b"));
    assert!(matches!(full, Err(StoreError::NotCommitted(_))), "{full:?}");
    run(&mut writer, pragma("PRAGMA max_page_count = 100000")).expect("set");
    let next = run(&mut writer, note("b")).expect("nothing of the first try is left");
    assert_eq!(next.get(), first.get() + 1, "the key was taken back");
}

#[test]
fn work_that_spoils_a_transaction_spoils_nobody_elses() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut writer = writer(directory.path());
    let (good, good_answer) = job(note("a"));
    let (bad, bad_answer) = job(failing(ffi::SQLITE_CONSTRAINT));
    let (other, other_answer) = job(note("b"));
    let group: Vec<Box<dyn Work>> = vec![good, bad, other];
    writer.run(group);
    assert!(answered(good_answer).is_ok() && answered(other_answer).is_ok());
    let refused = answered(bad_answer);
    assert!(matches!(refused, Err(StoreError::NotCommitted(_))), "{refused:?}");
}

#[test]
fn a_file_that_failed_is_opened_again_before_anything_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut writer = writer(directory.path());
    run(&mut writer, note("a")).expect("room");
    let failed = run(&mut writer, failing(ffi::SQLITE_IOERR_FSYNC));
    assert!(matches!(failed, Err(StoreError::NotCommitted(_))), "{failed:?}");
    assert!(writer.look(|_| Ok(())).is_err(), "the handle that failed is gone");
    run(&mut writer, note("b")).expect("opened anew");
    let again = run(&mut writer, note("a"));
    assert!(again.is_err(), "what was committed before is there");
}
