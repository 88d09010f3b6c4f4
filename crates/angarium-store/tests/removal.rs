//! Of what is removed no row is left, not even one that nobody would find.

use angarium_core::account::{Environment, Tenant};
use angarium_core::batch::{BatchResult, Checkpoint, EventWrite, ShardBatch, Trace};
use angarium_core::event::{DataKind, EventType, NewEvent};
use angarium_core::id::{EnvironmentNo, EventKey, ShardId, TenantNo};
use angarium_core::retention::{Part, Retention};
use angarium_core::time::Timestamp;
use angarium_store::removal::SweepOrder;
use angarium_store::seal::MasterKey;
use angarium_store::sqlite::{Mode, SqliteConfig, SqliteStore, Synchronous};
use angarium_store::{AccountChange, AccountChanged, Removal as _, Store as _};
use rusqlite::Connection;
use std::sync::Arc;

const AT: Timestamp = Timestamp::from_millis(1_776_686_400_000);

async fn made(store: &SqliteStore, change: AccountChange) -> i64 {
    match store.change_account(change, Trace::default(), AT).await {
        Ok(AccountChanged::Created(no)) => no,
        other => panic!("not made: {other:?}"),
    }
}

#[tokio::test]
async fn no_index_names_an_event_that_is_gone() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(SqliteConfig {
        path: Some(directory.path().to_owned()),
        master_key: MasterKey::from_bytes([5; 32]),
        next_master_key: None,
        synchronous: Synchronous::Full,
        mode: Mode::Threads,
    })
    .expect("a store");
    let environment = AccountChange::CreateEnvironment(Environment {
        no: EnvironmentNo::default(),
        slug: "prod".into(),
        title: String::new(),
        contracts: Vec::new(),
        hosts: Vec::new(),
        egress: Default::default(),
        retention: Retention::default(),
        created_at: AT,
    });
    let environment = EnvironmentNo::new(made(&store, environment).await);
    let tenant = AccountChange::PutTenant(Tenant {
        no: TenantNo::default(),
        environment,
        id: "acme".into(),
        name: None,
        plan: None,
        metadata: serde_json::Map::new(),
        rate: None,
        created_at: AT,
    });
    let tenant = TenantNo::new(made(&store, tenant).await);
    let shard = ShardId::of(tenant);
    let epoch = store.claim(&[shard], AT).await.expect("claimed")[0].1;
    let mut batch = ShardBatch { shard, epoch, ..ShardBatch::default() };
    batch.events.push(EventWrite {
        tenant,
        sequence: 1,
        accepted_at: AT,
        body: Arc::new(NewEvent {
            own_id: Some("order-1".into()),
            kind: EventType::from_stored("order.paid"),
            time: None,
            subject: None,
            ordering_key: None,
            attributes: Vec::new(),
            data: bytes::Bytes::from_static(b"{}"),
            data_kind: DataKind::Json,
        }),
        fanout: Vec::new(),
        guard: None,
    });
    let end = EventKey::new(i64::MAX);
    batch.checkpoint = Some(Checkpoint { upto: end, ..Checkpoint::default() });
    let committed = store.commit(Arc::new(vec![batch]), AT).await.expect("committed");
    assert!(matches!(committed[0], BatchResult::Committed(_)));
    while store.upkeep(AT).await.expect("upkeep").more {}
    let order = SweepOrder { environment, part: Part::Metadata, end, attempts_end: end };
    assert_eq!(store.sweep(order, AT).await.expect("swept").events, 1);
    store.close().await;
    let file = Connection::open(directory.path().join("angarium.db")).expect("the file");
    for table in ["event", "event_by_tenant", "pair_by_endpoint", "own_id", "delivery", "attempt"] {
        let count = format!("SELECT count(*) FROM {table}");
        let rows: i64 = file.query_row(&count, [], |row| row.get(0)).expect(table);
        assert_eq!(rows, 0, "{table}");
    }
}
