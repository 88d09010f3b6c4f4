//! Opening a store: who may, with which key, over which schema.

use angarium_core::account::{Environment, Tenant};
use angarium_core::id::{EnvironmentNo, ShardId, SigningKeyId, TenantNo};
use angarium_core::secret::{SecretText, SigningKey};
use angarium_core::time::Timestamp;
use angarium_store::seal::MasterKey;
use angarium_store::sqlite::{Mode, SqliteConfig, SqliteStore, Synchronous};
use angarium_store::{AccountChange, Store as _, StoreError};
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
    store.ping(Timestamp::from_millis(1)).await.expect("it writes");
    store.close().await;
    let file = rusqlite::Connection::open(directory.join("angarium.db")).expect("its file");
    file.execute_batch(sql).expect("the change");
}

#[tokio::test]
async fn a_directory_has_one_owner_at_a_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(config(directory.path())).expect("a new store");
    let second = SqliteStore::open(config(directory.path())).err();
    assert!(matches!(second, Some(StoreError::InUse { .. })), "{second:?}");
    store.close().await;
    assert!(SqliteStore::open(config(directory.path())).is_ok());
}

#[tokio::test]
async fn another_master_key_does_not_open_a_store() {
    let directory = tempfile::tempdir().expect("a directory");
    tampered(directory.path(), "").await;
    let other =
        SqliteConfig { master_key: MasterKey::from_bytes([2; 32]), ..config(directory.path()) };
    let refused = SqliteStore::open(other).err();
    assert!(matches!(refused, Some(StoreError::WrongMasterKey)), "{refused:?}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let newer = "INSERT INTO refinery_schema_history
                 VALUES (99, 'later', '2030-01-01T00:00:00Z', '1')";
    tampered(directory.path(), newer).await;
    let refused = SqliteStore::open(config(directory.path())).err();
    assert!(
        matches!(refused, Some(StoreError::NewerSchema { found: 99, known: ..99 })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_migration_that_differs_from_the_applied_one_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    tampered(directory.path(), "UPDATE refinery_schema_history SET checksum = '1'").await;
    let refused = SqliteStore::open(config(directory.path())).err();
    assert!(matches!(refused, Some(StoreError::DivergentSchema(_))), "{refused:?}");
}

#[tokio::test]
async fn a_closed_store_refuses_what_comes_later() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(config(directory.path())).expect("a new store");
    store.close().await;
    let late = store.ping(Timestamp::from_millis(1)).await;
    assert!(matches!(late, Err(StoreError::NotCommitted(_))), "{late:?}");
    assert!(matches!(store.accounts().await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_secret_that_was_moved_to_another_row_is_damage() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = Timestamp::from_millis(1);
    let store = SqliteStore::open(config(directory.path())).expect("a new store");
    let environment = Environment {
        no: EnvironmentNo::default(),
        slug: "prod".into(),
        title: String::new(),
        contracts: Vec::new(),
        hosts: Vec::new(),
        created_at: at,
    };
    let mut changes = vec![AccountChange::CreateEnvironment(environment)];
    for no in 1..=2 {
        changes.push(AccountChange::PutTenant(Tenant {
            no: TenantNo::default(),
            environment: EnvironmentNo::new(1),
            id: format!("tenant-{no}"),
            name: None,
            plan: None,
            metadata: serde_json::Map::new(),
            rate: None,
            created_at: at,
        }));
        let key = SigningKey {
            id: SigningKeyId::from_bytes([1; 16]),
            secret: SecretText::new(format!("whsec_{no}")),
            created_at: at,
            retired_at: None,
            signs_until: None,
        };
        changes.push(AccountChange::PutTenantKeys(TenantNo::new(no), "aleta".into(), vec![key]));
    }
    for change in changes {
        store.change_account(change, None, at).await.expect("changed");
    }
    let shards: Vec<_> = ShardId::all().collect();
    assert!(store.load_shards(&shards).await.is_ok());
    store.close().await;
    let moved = "UPDATE tenant_key SET keys = (SELECT keys FROM tenant_key WHERE tenant = 2)";
    tampered(directory.path(), moved).await;
    let store = SqliteStore::open(config(directory.path())).expect("it opens");
    let read = store.load_shards(&shards).await;
    assert!(matches!(&read, Err(StoreError::Corrupt(_))), "{read:?}");
    assert!(!format!("{read:?}").contains("whsec"));
}
