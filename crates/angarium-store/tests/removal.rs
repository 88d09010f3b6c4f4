//! Of what is removed no row is left, not even one that nobody would find; and what is damaged or
//! left over holds nothing up.

use angarium_core::account::{Environment, Tenant};
use angarium_core::batch::{
    BatchResult, Checkpoint, EventWrite, Fanout, FanoutStart, ShardBatch, Trace,
};
use angarium_core::event::{DataKind, EventType, NewEvent};
use angarium_core::id::{EndpointNo, EnvironmentNo, EventKey, ShardId, TenantNo};
use angarium_core::retention::{Part, Retention};
use angarium_core::time::Timestamp;
use angarium_store::removal::{Purged, SweepNext, SweepOrder, Swept};
use angarium_store::seal::MasterKey;
use angarium_store::sqlite::{Mode, SqliteConfig, SqliteStore, Synchronous};
use angarium_store::{AccountChange, AccountChanged, Removal as _, Store as _};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;

const AT: Timestamp = Timestamp::from_millis(1_776_686_400_000);

async fn made(store: &SqliteStore, change: AccountChange) -> i64 {
    match store.change_account(change, Trace::default(), AT).await {
        Ok(AccountChanged::Created(no)) => no,
        other => panic!("not made: {other:?}"),
    }
}

/// A store with events of one tenant, to an endpoint that there is not.
struct Stage {
    directory: tempfile::TempDir,
    store: Option<SqliteStore>,
    environment: EnvironmentNo,
    tenant: TenantNo,
}

fn opened(directory: &Path) -> SqliteStore {
    SqliteStore::open(SqliteConfig {
        path: Some(directory.to_owned()),
        master_key: MasterKey::from_bytes([5; 32]),
        next_master_key: None,
        synchronous: Synchronous::Full,
        mode: Mode::Threads,
    })
    .expect("a store")
}

impl Stage {
    async fn with_events(events: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = opened(directory.path());
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
        batch.events.extend((1..=events).map(|sequence| written(tenant, sequence)));
        let upto = EventKey::new(i64::MAX);
        batch.checkpoint = Some(Checkpoint { upto, ..Checkpoint::default() });
        let committed = store.commit(Arc::new(vec![batch]), AT).await.expect("committed");
        assert!(matches!(committed[0], BatchResult::Committed(_)));
        while store.upkeep(AT).await.expect("upkeep").more {}
        Self { directory, store: Some(store), environment, tenant }
    }

    fn store(&self) -> &SqliteStore {
        self.store.as_ref().expect("it is open")
    }

    async fn close(&mut self) -> Connection {
        self.store.take().expect("it is open").close().await;
        Connection::open(self.directory.path().join("angarium.db")).expect("the file")
    }

    /// Changes the file by hand.
    async fn tamper(&mut self, sql: &str) {
        self.close().await.execute_batch(sql).expect("the change");
        self.store = Some(opened(self.directory.path()));
    }

    async fn sweep(&self, part: Part) -> Swept {
        let (environment, end) = (self.environment, EventKey::new(i64::MAX));
        let order = SweepOrder { environment, part, end, attempts_end: end, again: false };
        self.store().sweep(order, AT).await.expect("swept")
    }

    async fn assert_nothing_is_left(mut self) {
        assert_eq!(self.store().usage(self.tenant).bytes, 0);
        let file = self.close().await;
        for table in TABLES {
            let count = format!("SELECT count(*) FROM {table}");
            let rows: i64 = file.query_row(&count, [], |row| row.get(0)).expect(table);
            assert_eq!(rows, 0, "{table}");
        }
    }
}

/// Where something of an event stands.
const TABLES: [&str; 7] =
    ["event", "event_by_tenant", "pair_by_endpoint", "own_id", "delivery", "attempt", "lane_hold"];

fn written(tenant: TenantNo, sequence: u64) -> EventWrite {
    let (endpoint, start) = (EndpointNo::new(7), FanoutStart::Held);
    EventWrite {
        tenant,
        sequence,
        accepted_at: AT,
        body: Arc::new(NewEvent {
            own_id: Some(format!("order-{sequence}").into()),
            kind: EventType::from_stored("order.paid"),
            time: None,
            subject: None,
            ordering_key: None,
            attributes: Vec::new(),
            data: bytes::Bytes::from_static(b"{}"),
            data_kind: DataKind::Json,
        }),
        fanout: vec![Fanout { endpoint, sequence, lane: None, start }],
        guard: None,
    }
}

#[tokio::test]
async fn no_index_names_an_event_that_is_gone() {
    let stage = Stage::with_events(1).await;
    assert_eq!(stage.sweep(Part::Metadata).await.events, 1);
    stage.assert_nothing_is_left().await;
}

#[tokio::test]
async fn a_damaged_event_goes_at_its_age_and_stops_nobody() {
    let mut stage = Stage::with_events(3).await;
    stage.tamper("UPDATE event SET data = x'0000' WHERE sequence = 2").await;
    let swept = stage.sweep(Part::Payload).await;
    assert_eq!((swept.events, swept.damaged, swept.next), (3, 1, SweepNext::Reached));
    assert_eq!(stage.store().usage(stage.tenant).bytes, 0);
    stage.tamper("UPDATE event SET fanout = x'ff' WHERE sequence = 3").await;
    let swept = stage.sweep(Part::Metadata).await;
    assert_eq!((swept.events, swept.damaged, swept.next), (2, 1, SweepNext::Reached));
    let pairs = "DELETE FROM pair_by_endpoint WHERE sequence = 3";
    stage.tamper(pairs).await; // Which endpoint it was says the damaged row alone.
    stage.assert_nothing_is_left().await;
}

#[tokio::test]
async fn a_hold_of_an_endpoint_that_is_gone_holds_nothing() {
    let mut stage = Stage::with_events(2).await;
    stage.tamper("INSERT INTO lane_hold SELECT 7, key, 0, zeroblob(16) FROM event").await;
    let swept = stage.sweep(Part::Metadata).await;
    assert_eq!((swept.events, swept.next), (2, SweepNext::Reached));
    stage.assert_nothing_is_left().await;
}

#[tokio::test]
async fn events_of_a_tenant_that_is_gone_go_when_they_are_met() {
    let mut stage = Stage::with_events(2).await;
    let ended = "
        INSERT INTO delivery (event, endpoint, generation, sequence, state, attempts, ended_at)
        SELECT key, 7, 0, sequence, 4, 0, 0 FROM event;
        DELETE FROM tenant";
    stage.tamper(ended).await;
    assert_eq!(stage.store().purge().await.expect("a step"), Purged::Nothing);
    assert_eq!(stage.sweep(Part::Payload).await.events, 0);
    assert_eq!(stage.store().purge().await.expect("a step"), Purged::Some(2));
    stage.assert_nothing_is_left().await;
}

#[tokio::test]
async fn the_log_is_emptied_after_a_run_whose_last_step_removes_nothing() {
    let mut stage = Stage::with_events(251).await;
    let below_the_last = "UPDATE shard SET checkpoint = (SELECT max(key) - 1 FROM event)";
    stage.tamper(below_the_last).await;
    while stage.store().upkeep(AT).await.expect("upkeep").more {}
    let log = stage.directory.path().join("angarium.db-wal");
    let bytes = || std::fs::metadata(&log).map_or(0, |log| log.len());
    let swept = stage.sweep(Part::Payload).await;
    assert_eq!((swept.events, swept.next), (250, SweepNext::More));
    assert!(bytes() > 0);
    let swept = stage.sweep(Part::Payload).await;
    assert_eq!((swept.events, swept.next), (0, SweepNext::HeldUp(vec![])));
    assert_eq!(bytes(), 0);
}
