//! The store alone under the recorder, because the server has no way to turn syncing off: this
//! executable started again, with the store's own `synchronous` setting.

use super::Acked;
use angarium_core::batch::{BatchResult, EventWrite, ShardBatch};
use angarium_core::event::{DataKind, EventType, NewEvent};
use angarium_core::id::{Epoch, ShardId, TenantNo};
use angarium_core::time::Timestamp;
use angarium_store::Store;
use angarium_store::seal::MasterKey;
use angarium_store::sqlite::{Mode, SqliteConfig, SqliteStore, Synchronous};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

const COMMITS: u64 = 400;
const EVENTS_A_COMMIT: u64 = 8;
const VARIABLE: &str = "POWER_CUT_DRIVER";

/// Runs the driver under the recorder; each line that it prints is an acknowledgement.
pub(super) fn record(folder: &Path, library: &Path, synchronous: &str) -> (PathBuf, Vec<Acked>) {
    let (data, trace) = (folder.join("data"), folder.join("trace"));
    std::fs::create_dir(&data).expect("a folder");
    let mut child = Command::new(std::env::current_exe().expect("this executable"))
        .args(["--exact", "power_cut::driver::driver", "--ignored", "--nocapture"])
        .env("LD_PRELOAD", library)
        .env("RECORDER_TRACE", &trace)
        .env("RECORDER_DIRECTORY", &data)
        .env(VARIABLE, synchronous)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the driver starts");
    let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let mut acked = Vec::new();
    for line in lines.map_while(Result::ok) {
        if let Some(rest) = line.strip_prefix("acked ") {
            let mut numbers = rest.split(' ').map(|text| text.parse::<i64>().expect("a number"));
            let position = numbers.next().and_then(|number| number.try_into().ok());
            let position = position.expect("a position");
            acked.extend(numbers.map(|key| Acked { key, position }));
        }
    }
    assert!(child.wait().expect("the driver ends").success());
    (trace, acked)
}

/// Not a test: what [`record`] runs. Ends without closing the store, as a cut would.
#[test]
#[ignore = "started by the power-cut test"]
fn driver() {
    let Ok(synchronous) = std::env::var(VARIABLE) else {
        return;
    };
    let config = SqliteConfig {
        path: std::env::var_os("RECORDER_DIRECTORY").map(PathBuf::from),
        master_key: MasterKey::from_bytes([7; 32]),
        next_master_key: None,
        synchronous: match synchronous.as_str() {
            "NORMAL" => Synchronous::Normal,
            _ => Synchronous::Full,
        },
        mode: Mode::Threads,
    };
    let trace = PathBuf::from(std::env::var_os("RECORDER_TRACE").expect("a trace"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let store = SqliteStore::open(config).expect("the store opens");
        let now = Timestamp::from_millis(1_800_000_000_000);
        let claimed = store.claim(&[ShardId::new(0)], now).await.expect("claimed");
        for commit in 0..COMMITS {
            let batch = batch(claimed[0].1, commit);
            let results = store.commit(Arc::new(vec![batch]), now).await.expect("committed");
            let BatchResult::Committed(committed) = &results[0] else {
                panic!("nobody else owns the shard");
            };
            let keys: Vec<String> =
                committed.events.iter().map(|key| key.get().to_string()).collect();
            println!("acked {} {}", super::trace_length(&trace), keys.join(" "));
        }
        std::process::exit(0);
    });
}

fn batch(epoch: Epoch, commit: u64) -> ShardBatch {
    let event = |n: u64| EventWrite {
        tenant: TenantNo::new(1),
        sequence: commit * EVENTS_A_COMMIT + n + 1,
        accepted_at: Timestamp::from_millis(1_800_000_000_000),
        body: Arc::new(NewEvent {
            own_id: None,
            kind: EventType::from_stored("a"),
            time: None,
            subject: None,
            ordering_key: None,
            attributes: Vec::new(),
            data: vec![b'1'; 900].into(),
            data_kind: DataKind::Json,
        }),
        fanout: Vec::new(),
        guard: None,
    };
    ShardBatch {
        shard: ShardId::new(0),
        epoch,
        events: (0..EVENTS_A_COMMIT).map(event).collect(),
        ..ShardBatch::default()
    }
}
