//! What a durable event and its delivered row cost: CPU microseconds per event, by events in a
//! commit. `cargo run --release -p angarium-store --example commit_cost`.
//!
//! As in a live gateway, the outcomes of one commit ride in the next one, and the listing indexes
//! are filled now and then.

use angarium_core::account::{Environment, Tenant};
use angarium_core::batch::{
    AttemptRecord, DeliveryWrite, EventWrite, Fanout, FanoutStart, NextState, ShardBatch, Trace,
};
use angarium_core::delivery::DeliveryState;
use angarium_core::egress::EgressSettings;
use angarium_core::event::{DataKind, EventType, NewEvent};
use angarium_core::id::{DeliveryKey, EndpointNo, EnvironmentNo, EventKey, ShardId, TenantNo};
use angarium_core::outcome::Class;
use angarium_core::time::Timestamp;
use angarium_store::seal::MasterKey;
use angarium_store::sqlite::{Mode, SqliteConfig, SqliteStore, Synchronous};
use angarium_store::{AccountChange, AccountChanged, Store as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

const EVENTS: usize = 60_000;
const ENDPOINTS: i64 = 300;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    println!("events/commit  CPU µs/event  of them upkeep  wall µs/event  bytes/event");
    for _ in 0..3 {
        for size in [16, 64, 256] {
            runtime.block_on(measure(size))?;
        }
    }
    Ok(())
}

async fn measure(size: usize) -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir_in(".")?;
    let store = SqliteStore::open(SqliteConfig {
        path: Some(directory.path().to_owned()),
        master_key: MasterKey::from_bytes([1; 32]),
        next_master_key: None,
        synchronous: Synchronous::Full,
        mode: Mode::Threads,
    })?;
    let tenant = accounts(&store).await?;
    let shard = ShardId::of(tenant);
    let epoch = store.claim(&[shard], at(0)).await?[0].1;
    let (begun, cpu, mut upkeep) = (Instant::now(), cpu_micros()?, 0);
    let mut accepted: Vec<(EventKey, EndpointNo)> = Vec::new();
    for round in 0..EVENTS / size {
        let first = round * size;
        let mut batch = ShardBatch { shard, epoch, ..ShardBatch::default() };
        batch.events = (first..first + size).map(|n| event(tenant, n)).collect();
        batch.deliveries = accepted.drain(..).map(delivered).collect();
        let endpoints: Vec<_> = batch.events.iter().map(|e| e.fanout[0].endpoint).collect();
        let done = store.commit(Arc::new(vec![batch]), at(i64::try_from(round)?)).await?;
        let angarium_core::batch::BatchResult::Committed(done) = &done[0] else {
            return Err("a stale epoch".into());
        };
        accepted = done.events.iter().copied().zip(endpoints).collect();
        if first % 20_000 + size >= 20_000 {
            let before = cpu_micros()?;
            while store.upkeep(at(0)).await?.more {}
            upkeep += cpu_micros()? - before;
        }
    }
    let (cpu, wall) = (cpu_micros()? - cpu, begun.elapsed());
    let bytes = store.depth(at(0)).await?.bytes;
    store.close().await;
    let each = |total: u128| total as f64 / EVENTS as f64;
    println!(
        "{size:>13}  {:>12.1}  {:>14.1}  {:>13.1}  {:>11.0}",
        each(cpu.into()),
        each(upkeep.into()),
        each(wall.as_micros()),
        each(bytes.into())
    );
    Ok(())
}

async fn accounts(store: &SqliteStore) -> Result<TenantNo, Box<dyn std::error::Error>> {
    let environment = AccountChange::CreateEnvironment(Environment {
        no: EnvironmentNo::default(),
        slug: "prod".into(),
        title: String::new(),
        contracts: Vec::new(),
        hosts: Vec::new(),
        egress: EgressSettings::default(),
        retention: Default::default(),
        created_at: at(0),
    });
    let AccountChanged::Created(no) =
        store.change_account(environment, Trace::default(), at(0)).await?
    else {
        return Err("no environment".into());
    };
    let tenant = AccountChange::PutTenant(Tenant {
        no: TenantNo::default(),
        environment: EnvironmentNo::new(no),
        id: "acme".into(),
        name: None,
        plan: None,
        metadata: serde_json::Map::new(),
        rate: None,
        created_at: at(0),
    });
    match store.change_account(tenant, Trace::default(), at(0)).await? {
        AccountChanged::Created(no) => Ok(TenantNo::new(no)),
        other => Err(format!("no tenant: {other:?}").into()),
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_776_686_400_000 + millis)
}

fn event(tenant: TenantNo, n: usize) -> EventWrite {
    let sequence = n as u64;
    EventWrite {
        tenant,
        sequence,
        accepted_at: at(0),
        body: Arc::new(NewEvent {
            own_id: None,
            kind: EventType::from_stored("order.paid"),
            time: None,
            subject: None,
            ordering_key: None,
            attributes: Vec::new(),
            data: vec![b'x'; 1024].into(),
            data_kind: DataKind::Json,
        }),
        fanout: vec![Fanout {
            endpoint: EndpointNo::new(1 + i64::try_from(n).unwrap_or_default() % ENDPOINTS),
            sequence,
            lane: None,
            start: FanoutStart::Held,
        }],
        guard: None,
    }
}

fn delivered((event, endpoint): (EventKey, EndpointNo)) -> DeliveryWrite {
    DeliveryWrite {
        key: DeliveryKey::first(event, endpoint),
        sequence: 1,
        attempts: 1,
        lane: None,
        has_row: false,
        attempt: Some(Box::new(AttemptRecord {
            n: 1,
            at: at(1),
            took: Duration::from_millis(3),
            class: Class::Success,
            status: Some(200),
            detail: None,
            request: "r".repeat(300).into(),
            response: "content-type: application/json".into(),
            body: (*b"{\"received\":true}").into(),
        })),
        next: NextState::Ended { state: DeliveryState::Delivered, reason: None, at: at(2) },
    }
}

/// User and system time of this process, from `/proc`: ticks of ten milliseconds.
fn cpu_micros() -> Result<u64, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Ok(ticks.sum::<Result<u64, _>>()? * 10_000)
}
