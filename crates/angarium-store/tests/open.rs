//! Opening a store: who may, with which key, over which schema.

use angarium_core::time::Timestamp;
use angarium_store::seal::MasterKey;
use angarium_store::sqlite::{Mode, SqliteConfig, SqliteStore, Synchronous};
use angarium_store::{Store as _, StoreError};
use std::path::Path;

fn config(directory: &Path) -> SqliteConfig {
    SqliteConfig {
        path: Some(directory.to_owned()),
        master_key: MasterKey::from_bytes([1; 32]),
        synchronous: Synchronous::Full,
        mode: Mode::Threads,
    }
}

/// Makes a store, closes it, and changes its file by hand.
async fn tampered(directory: &Path, sql: &str) {
    let store = SqliteStore::open(config(directory)).expect("a new store");
    store
        .ping(Timestamp::from_millis(1))
        .await
        .expect("it writes");
    store.close().await;
    let file = rusqlite::Connection::open(directory.join("angarium.db")).expect("its file");
    file.execute_batch(sql).expect("the change");
}

#[tokio::test]
async fn a_directory_has_one_owner_at_a_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(config(directory.path())).expect("a new store");
    let second = SqliteStore::open(config(directory.path())).err();
    assert!(
        matches!(second, Some(StoreError::InUse { .. })),
        "{second:?}"
    );
    store.close().await;
    assert!(SqliteStore::open(config(directory.path())).is_ok());
}

#[tokio::test]
async fn another_master_key_does_not_open_a_store() {
    let directory = tempfile::tempdir().expect("a directory");
    tampered(directory.path(), "").await;
    let other = SqliteConfig {
        master_key: MasterKey::from_bytes([2; 32]),
        ..config(directory.path())
    };
    let refused = SqliteStore::open(other).err();
    assert!(
        matches!(refused, Some(StoreError::WrongMasterKey)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let newer = "INSERT INTO refinery_schema_history
                 VALUES (99, 'later', '2030-01-01T00:00:00Z', '1')";
    tampered(directory.path(), newer).await;
    let refused = SqliteStore::open(config(directory.path())).err();
    assert!(
        matches!(
            refused,
            Some(StoreError::NewerSchema {
                found: 99,
                known: 1
            })
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_migration_that_differs_from_the_applied_one_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    tampered(
        directory.path(),
        "UPDATE refinery_schema_history SET checksum = '1'",
    )
    .await;
    let refused = SqliteStore::open(config(directory.path())).err();
    assert!(
        matches!(refused, Some(StoreError::DivergentSchema(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_closed_store_refuses_what_comes_later() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(config(directory.path())).expect("a new store");
    store.close().await;
    let late = store.ping(Timestamp::from_millis(1)).await;
    assert!(matches!(late, Err(StoreError::NotCommitted(_))), "{late:?}");
    assert!(matches!(
        store.accounts().await,
        Err(StoreError::Unavailable(_))
    ));
}
