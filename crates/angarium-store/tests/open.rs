//! Opening a store: who may, with which key, over which schema.

use angarium_core::account::{Environment, Tenant};
use angarium_core::batch::Trace;
use angarium_core::egress::EgressSettings;
use angarium_core::id::{EndpointId, EnvironmentNo, ShardId, SigningKeyId, SourceId, TenantNo};
use angarium_core::secret::{SecretText, SigningKey};
use angarium_core::source::SourceConfig;
use angarium_core::time::Timestamp;
use angarium_store::seal::MasterKey;
use angarium_store::sqlite::{Mode, SqliteConfig, SqliteStore, Synchronous};
use angarium_store::{AccountChange, Store as _, StoreError};
use serde_json::json;
use std::path::Path;

fn config(directory: &Path) -> SqliteConfig {
    SqliteConfig {
        path: Some(directory.to_owned()),
        master_key: MasterKey::from_bytes([1; 32]),
        next_master_key: None,
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

/// A store with tenants 1 and 2.
async fn with_tenants(directory: &Path) -> SqliteStore {
    let at = Timestamp::from_millis(1);
    let store = SqliteStore::open(config(directory)).expect("a new store");
    let mut changes = vec![AccountChange::CreateEnvironment(Environment {
        no: EnvironmentNo::default(),
        slug: "prod".into(),
        title: String::new(),
        contracts: Vec::new(),
        hosts: Vec::new(),
        egress: EgressSettings::default(),
        retention: Default::default(),
        created_at: at,
    })];
    changes.extend(["tenant-1", "tenant-2"].map(|id| {
        AccountChange::PutTenant(Tenant {
            no: TenantNo::default(),
            environment: EnvironmentNo::new(1),
            id: id.into(),
            name: None,
            plan: None,
            metadata: serde_json::Map::new(),
            rate: None,
            created_at: at,
        })
    }));
    for change in changes {
        store.change_account(change, Trace::default(), at).await.expect("changed");
    }
    store
}

fn key(secret: &str) -> SigningKey {
    SigningKey {
        id: SigningKeyId::from_bytes([1; 16]),
        secret: SecretText::new(secret),
        created_at: Timestamp::from_millis(1),
        retired_at: None,
        signs_until: None,
    }
}

#[tokio::test]
async fn a_secret_that_was_moved_to_another_row_is_damage() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = with_tenants(directory.path()).await;
    for no in 1..=2 {
        let keys = vec![key(&format!("whsec_{no}"))];
        let put = AccountChange::PutTenantKeys(TenantNo::new(no), "aleta".into(), keys);
        store
            .change_account(put, Trace::default(), Timestamp::from_millis(1))
            .await
            .expect("changed");
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

#[tokio::test]
async fn a_source_that_was_changed_in_the_file_is_damage() {
    for change in [
        "keys = (SELECT other.keys FROM source AS other WHERE other.id <> source.id)",
        "config = replace(config, 'github', 'gitlab')",
        "tenant = 3 - tenant",
        "id = randomblob(16)",
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let store = with_tenants(directory.path()).await;
        for no in 1..=2 {
            let source = AccountChange::CreateSource(source(no), 1);
            store
                .change_account(source, Trace::default(), Timestamp::from_millis(1))
                .await
                .expect("changed");
        }
        assert!(store.accounts().await.is_ok());
        store.close().await;
        tampered(directory.path(), &format!("UPDATE source SET {change}")).await;
        let store = SqliteStore::open(config(directory.path())).expect("it opens");
        let read = store.accounts().await;
        assert!(matches!(&read, Err(StoreError::Corrupt(_))), "{change}: {read:?}");
        assert!(!format!("{read:?}").contains("whsec"));
    }
}

fn source(no: u8) -> SourceConfig {
    let config: SourceConfig = serde_json::from_value(json!({
        "name": "A source",
        "scheme": "github",
        "forward": { "endpoint": EndpointId::from_bytes([no; 16]), "url": "https://example.com" },
        "dedupe_seconds": 60,
        "status": "active",
        "created_at": 1,
        "updated_at": 1,
    }))
    .expect("a source");
    let (id, tenant) = (SourceId::from_bytes([no; 16]), TenantNo::new(no.into()));
    SourceConfig { id, tenant, keys: vec![key(&format!("whsec_{no}"))], ..config }
}
