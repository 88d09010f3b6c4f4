//! What a durable event and its delivered row cost: CPU microseconds per event, by events in a
//! commit; then what their removal costs, and whoever commits beside it.
//! `cargo run --release -p angarium-store --example commit_cost`.
//!
//! As in a live gateway, the outcomes of one commit ride in the next one, and the listing indexes
//! are filled now and then.

use angarium_core::account::{Environment, Tenant};
use angarium_core::batch::{
    AttemptRecord, Checkpoint, DeliveryWrite, EventWrite, Fanout, FanoutStart, NextState,
    ShardBatch, Trace,
};
use angarium_core::delivery::DeliveryState;
use angarium_core::egress::EgressSettings;
use angarium_core::event::{DataKind, EventType, NewEvent};
use angarium_core::id::{
    DeliveryKey, EndpointNo, EnvironmentNo, Epoch, EventKey, ShardId, TenantNo,
};
use angarium_core::outcome::Class;
use angarium_core::retention::Part;
use angarium_core::time::Timestamp;
use angarium_store::removal::{SweepNext, SweepOrder};
use angarium_store::seal::MasterKey;
use angarium_store::sqlite::{Mode, SqliteConfig, SqliteStore, Synchronous};
use angarium_store::{AccountChange, AccountChanged, Removal as _, Store as _};
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
    if size == 256 {
        sweep(&store, tenant, shard, epoch).await?;
    }
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

/// Removes everything as the server does, in steps with rests, while small commits go on.
async fn sweep(
    store: &SqliteStore,
    tenant: TenantNo,
    shard: ShardId,
    epoch: Epoch,
) -> Result<(), Box<dyn std::error::Error>> {
    while store.upkeep(at(0)).await?.more {}
    let environment = store.accounts().await?.environments[0].no;
    let commit = async |n: usize, upto: EventKey| -> Result<_, Box<dyn std::error::Error>> {
        let mut batch = ShardBatch { shard, epoch, ..ShardBatch::default() };
        batch.events = (n..n + 16).map(|n| event(tenant, n)).collect();
        batch.checkpoint = Some(Checkpoint { upto, ..Checkpoint::default() });
        let begun = Instant::now();
        store.commit(Arc::new(vec![batch]), at(i64::MAX >> 24)).await?;
        Ok(begun.elapsed())
    };
    let end = EventKey::first_at(at(1_000_000));
    let mut alone = Vec::new();
    for n in 0..2_000 {
        alone.push(commit(EVENTS + n * 16, end).await?);
    }
    println!("commits of 16 alone: {}", percentiles(alone));
    for part in Part::ALL {
        let order =
            SweepOrder { environment, part, end, attempts_end: EventKey::ZERO, again: false };
        let (mut events, mut held, mut longest) = (0, Duration::ZERO, Duration::ZERO);
        let (mut beside, mut n, begun) = (Vec::new(), 10 * EVENTS, Instant::now());
        loop {
            let step_begun = Instant::now();
            let step = async {
                let swept = store.sweep(order, at(0)).await;
                (swept, step_begun.elapsed())
            };
            let (both, took) = tokio::join!(step, commit(n, end));
            let (swept, step_took) = both;
            let swept = swept?;
            beside.push(took?);
            n += 16;
            (held, longest) = (held + step_took, longest.max(step_took));
            events += swept.events;
            let rested = Instant::now();
            while rested.elapsed() < 3 * step_took {
                beside.push(commit(n, end).await?);
                n += 16;
            }
            if swept.next != SweepNext::More {
                break;
            }
        }
        let (name, rate) = (part.as_str(), events as f64 / begun.elapsed().as_secs_f64());
        println!(
            "{name}: {events} events at {rate:.0} a second, {:.1} µs each in steps, the longest \
             {:.1?}; commits of 16 beside it: {}",
            held.as_micros() as f64 / events.max(1) as f64,
            longest,
            percentiles(beside)
        );
    }
    Ok(())
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    format!("median {:.2?}, p99 {:.2?}, longest {:.2?}", at(50), at(99), at(100))
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
