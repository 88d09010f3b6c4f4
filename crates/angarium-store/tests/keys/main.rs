//! Keys and files of a store: what a rotation, a deletion and the version before leave in them.

mod secrets;

use angarium_core::batch::Trace;
use angarium_store::seal::{Cipher, KeyName, MasterKey, SealedPlace};
use angarium_store::sqlite::{SqliteConfig, SqliteStore};
use angarium_store::{AccountChange, MasterKeyRotated, Store as _, StoreError};
use rusqlite::Connection;
use secrets::{Secrets, at, config, furnished, settle};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn key(byte: u8) -> MasterKey {
    MasterKey::from_bytes([byte; 32])
}

#[tokio::test]
async fn a_store_opens_with_the_master_key_that_it_was_put_under_and_no_more_with_the_one_before() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = furnished(directory.path()).await;
    let before = Secrets::of(&store).await;
    let rotated =
        store.rotate_master_key(key(2), Trace::default(), at(5)).await.expect("an answer");
    assert_eq!(rotated, MasterKeyRotated::Done);
    store.close().await;
    let old = SqliteStore::open(config(directory.path())).err();
    assert!(matches!(old, Some(StoreError::WrongMasterKey)), "{old:?}");
    for (master_key, next_master_key) in [(key(2), None), (key(1), Some(key(2)))] {
        let config = config(directory.path());
        let config = SqliteConfig { master_key, next_master_key, ..config };
        let store = SqliteStore::open(config).expect("one of the keys is the store's");
        assert_eq!(store.encryption().await.expect("read").master_key, key(2).id());
        assert_eq!(Secrets::of(&store).await, before);
        store.close().await;
    }
}

/// Tenants of the run that measures a rotation.
fn tenants() -> usize {
    let chosen = std::env::var("ROTATION_TENANTS").ok();
    chosen.map_or(300, |text| text.parse().expect("ROTATION_TENANTS is a number"))
}

/// How long the store takes, and whoever writes meanwhile waits at most.
async fn measured(store: &Arc<SqliteStore>, work: impl Future<Output = ()>) -> [Duration; 2] {
    let (over, store) = (Arc::new(AtomicBool::new(false)), Arc::clone(store));
    let waiter = {
        let over = Arc::clone(&over);
        tokio::spawn(async move {
            let mut longest = Duration::ZERO;
            while !over.load(Ordering::SeqCst) {
                let asked = Instant::now();
                store.ping(at(9)).await.expect("written");
                longest = longest.max(asked.elapsed());
            }
            longest
        })
    };
    let begun = Instant::now();
    work.await;
    let took = begun.elapsed();
    over.store(true, Ordering::SeqCst);
    [took, waiter.await.expect("it ends")]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_many_tenants_are_rotated_in_one_commit_and_their_secrets_in_many() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Arc::new(furnished(directory.path()).await);
    secrets::add_tenants(&store, tenants()).await;
    let before = store.accounts().await.expect("read").tenant_keys;
    assert_eq!(before.len(), tenants() + 3);
    let [master, held_by_master] = measured(&store, async {
        store.rotate_master_key(key(2), Trace::default(), at(5)).await.expect("rotated");
    })
    .await;
    let [data, held_by_data] = measured(&store, async {
        store.rotate_data_keys(None, Trace::default(), at(5)).await.expect("rotated");
    })
    .await;
    let [sealed, held_by_sealing] = measured(&store, settle(&store)).await;
    let now = store.encryption().await.expect("read");
    assert_eq!((now.data_keys, now.retired_data_keys), (tenants() as u64 + 3, 0));
    store.close().await;
    let opened = Instant::now();
    let config = SqliteConfig { master_key: key(2), ..config(directory.path()) };
    let store = SqliteStore::open(config).expect("it opens");
    assert_eq!(store.accounts().await.expect("read").tenant_keys, before);
    println!(
        "{} tenants: master key in {master:?} (a writer waits {held_by_master:?}), data keys \
         retired in {data:?} ({held_by_data:?}), all secrets sealed anew in {sealed:?} \
         ({held_by_sealing:?}), opened and read in {:?}",
        tenants(),
        opened.elapsed(),
    );
}

/// The store of the version before: the schema without data keys, and each value sealed with the
/// master key itself.
fn take_back(directory: &Path) {
    let file = Connection::open(directory.join("angarium.db")).expect("the file");
    for column in &secrets::COLUMNS[secrets::EARLIER] {
        column.leave_first(&file);
        let (row, plain) = column.plain();
        // Answers were nobody's then.
        let tenant = if column.table == "idempotency" { 0 } else { 1 };
        let place = SealedPlace { table: column.table, tenant, row: &row, column: column.column };
        column.put(&file, &Cipher::of_master_key(&key(1)).seal(place, &plain));
    }
    file.execute_batch(
        "DROP INDEX endpoint_by_data_key; DROP INDEX tenant_key_by_data_key;
         DROP INDEX source_by_data_key; DROP INDEX idempotency_by_data_key;
         ALTER TABLE idempotency DROP COLUMN tenant; DROP TABLE data_key;
         DROP INDEX api_key_by_forgetting; ALTER TABLE api_key DROP COLUMN last_used_at;
         ALTER TABLE api_key DROP COLUMN rate; ALTER TABLE api_key DROP COLUMN forget_at;
         DROP TABLE tenant_usage;
         ALTER TABLE environment DROP COLUMN egress; DROP TABLE audit; DROP TABLE audit_head;
         DROP INDEX endpoint_by_end; DROP INDEX deleted_endpoint_by_tenant;
         ALTER TABLE environment DROP COLUMN retention;
         ALTER TABLE event DROP COLUMN gone_at; DROP TABLE swept; DROP TABLE purge;
         DROP TABLE erasure; DROP TABLE audit_base;
         DELETE FROM refinery_schema_history WHERE version >= 9",
    )
    .expect("the schema before");
}

#[tokio::test]
async fn a_store_of_the_version_before_opens_and_is_carried_over_in_steps() {
    for rotates_at_once in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let store = furnished(directory.path()).await;
        let before = Secrets::of(&store).await.first();
        store.close().await;
        take_back(directory.path());
        let store = SqliteStore::open(config(directory.path())).expect("it opens");
        assert!(store.encryption().await.expect("read").has_earlier_form);
        assert_eq!(Secrets::of(&store).await.first(), before, "it reads before all is done");
        if rotates_at_once {
            store.rotate_master_key(key(2), Trace::default(), at(5)).await.expect("rotated");
        } else {
            settle(&store).await;
        }
        let now = store.encryption().await.expect("read");
        assert!(!now.has_earlier_form, "{now:?}");
        assert_eq!(now.data_keys, 2, "the tenant's, and that of the answer that was nobody's");
        assert_eq!(Secrets::of(&store).await.first(), before);
        store.close().await;
        let file = Connection::open(directory.path().join("angarium.db")).expect("the file");
        for column in &secrets::COLUMNS[secrets::EARLIER] {
            let sealed = column.value(&file);
            assert!(matches!(KeyName::of(&sealed), Ok(KeyName::Data(_))), "{}", column.table);
        }
    }
}

/// Every byte of the directory's files.
fn bytes(directory: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(directory).expect("a directory");
    files.flat_map(|file| std::fs::read(file.expect("a file").path()).expect("bytes")).collect()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn nothing_decrypts_what_is_left_of_a_deleted_tenant() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = furnished(directory.path()).await;
    let file = Connection::open(directory.path().join("angarium.db")).expect("the file");
    let select = "SELECT wrapped FROM data_key WHERE tenant = 1";
    let wrapped: Vec<u8> = file.query_row(select, [], |row| row.get(0)).expect("its key");
    let [_, keys, ..] = secrets::COLUMNS;
    let sealed = keys.value(&file);
    assert!(holds(&bytes(directory.path()), &wrapped), "so this looks in the right place");
    secrets::delete_all_of_acme(&store).await;
    let gone = AccountChange::DeleteTenant(secrets::ACME);
    store.change_account(gone, Trace::default(), at(9)).await.expect("deleted");
    drop(file);
    settle(&store).await;
    assert!(!holds(&bytes(directory.path()), &wrapped), "while the store is in use");
    store.close().await;
    assert!(!holds(&bytes(directory.path()), &wrapped), "and after it");
    // What a backup or a free page may still have, put back where it was.
    let file = Connection::open(directory.path().join("angarium.db")).expect("the file");
    let insert = "INSERT INTO tenant_key (tenant, contract, keys) VALUES (1, 'aleta', ?1)";
    file.execute(insert, [sealed]).expect("put back");
    drop(file);
    let store = SqliteStore::open(config(directory.path())).expect("it opens");
    let read = store.accounts().await;
    assert!(
        matches!(&read, Err(StoreError::Corrupt(why)) if why.contains("not there")),
        "{read:?}"
    );
}

#[tokio::test]
async fn no_moved_changed_or_cut_secret_is_decrypted() {
    let original = tempfile::tempdir().expect("a directory");
    furnished(original.path()).await.close().await;
    let mut tries = 0;
    for column in secrets::COLUMNS {
        for change in column.changes() {
            let directory = tempfile::tempdir().expect("a directory");
            let (from, to) = (original.path(), directory.path().join("angarium.db"));
            std::fs::copy(from.join("angarium.db"), &to).expect("a copy");
            Connection::open(&to).expect("the file").execute_batch(&change).expect(&change);
            let store = SqliteStore::open(config(directory.path())).expect("it opens");
            let failed = column.read(&store).await.expect_err(&change);
            assert!(matches!(failed, StoreError::Corrupt(_)), "{change}: {failed:?}");
            assert!(!failed.to_string().contains("whsec"), "{change}: {failed}");
            store.close().await;
            tries += 1;
        }
    }
    println!("{tries} ways to move, change or cut a sealed value: 0 decrypted");
}

#[tokio::test]
async fn files_are_for_their_owner_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let mode = |name: &str| {
        let file = std::fs::metadata(directory.path().join(name)).expect(name);
        file.permissions().mode() & 0o777
    };
    let store = furnished(directory.path()).await;
    for name in ["angarium.db", "angarium.db-wal", "angarium.db-shm", "angarium.lock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    let copy = directory.path().join("copy.db");
    store.backup(&copy).await.expect("a copy");
    assert_eq!(mode("copy.db"), 0o600);
    store.close().await;
    for name in ["angarium.db", "angarium.lock"] {
        let wide = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(directory.path().join(name), wide).expect("as it was before");
    }
    let store = SqliteStore::open(config(directory.path())).expect("it opens");
    for name in ["angarium.db", "angarium.lock"] {
        assert_eq!(mode(name), 0o600, "{name} of the version before");
    }
    store.close().await;
}
