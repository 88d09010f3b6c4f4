//! D1: what was acknowledged survives a power cut (reliability-security plan, B2.3 and B2.4).
//!
//! The recorder notes every write and sync of the store's files while the real server runs under
//! load; the publisher notes how long the trace was when each acknowledgement arrived. From the
//! trace come images: disks that a cut at a random moment could have left. Every image must open,
//! be whole, and have every event that was acknowledged before the cut. The same with
//! `synchronous=NORMAL` must lose events, or this test could not see a loss.

mod driver;
mod failed_sync;
mod trace;

use crate::support::client::Connection;
use crate::support::dice::Dice;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::{Server, Start};
use crate::support::shop::text;
use crate::support::{client::Api, figure, rounds};
use angarium_core::id::EventId;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use trace::{Change, Disk};

const PUBLISHERS: usize = 16;
const LOAD: Duration = Duration::from_millis(1500);

/// An acknowledged event: its key, and where the trace was when the publisher knew of it.
#[derive(Debug, Clone, Copy)]
struct Acked {
    key: i64,
    position: u64,
}

/// Compiles the recorder.
fn recorder(folder: &Path) -> PathBuf {
    let library = folder.join("recorder.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promises/power_cut/recorder.c");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-o"])
        .arg(&library)
        .arg(source)
        .args(["-ldl", "-lpthread"])
        .status()
        .expect("a C compiler (`cc`) is needed");
    assert!(status.success(), "the recorder does not compile");
    library
}

fn trace_length(trace: &Path) -> u64 {
    std::fs::metadata(trace).map_or(0, |meta| meta.len())
}

/// What became of the images.
#[derive(Debug, Default)]
struct Tally {
    images: u64,
    events_checked: u64,
    missing: u64,
    damaged: Vec<String>,
    opened_by_the_product: u64,
}

/// Makes images at random moments and looks into each.
fn cut(
    trace: &Path,
    acked: &[Acked],
    images: u64,
    dice: &mut Dice,
    mut look: impl FnMut(&Path, u64) -> bool,
) -> Tally {
    let changes = trace::read(trace);
    let first = acked.iter().map(|one| one.position).min().expect("something was acknowledged");
    let begin = changes.partition_point(|(end, _)| *end < first);
    let span = (changes.len() - begin) as u64;
    let mut moments: Vec<usize> = (0..images)
        .map(|_| begin + usize::try_from(dice.below(span)).expect("a place in the trace"))
        .collect();
    moments.sort_unstable();
    let (mut disk, mut done, mut tally) = (Disk::default(), 0, Tally::default());
    for (number, moment) in moments.into_iter().enumerate() {
        changes[done..moment].iter().for_each(|(_, change)| disk.apply(change));
        done = moment;
        let folder = tempfile::tempdir().expect("a folder");
        disk.image(folder.path(), dice);
        let cut_at = changes[..moment].last().map_or(0, |(end, _)| *end);
        let due: Vec<i64> =
            acked.iter().filter(|one| one.position <= cut_at).map(|one| one.key).collect();
        tally.images += 1;
        tally.events_checked += due.len() as u64;
        match keys(&folder.path().join("angarium.db")) {
            Ok(found) => {
                tally.missing += due.iter().filter(|key| !found.contains(key)).count() as u64;
            }
            Err(damage) => tally.damaged.push(damage),
        }
        tally.opened_by_the_product += u64::from(look(folder.path(), number as u64));
    }
    tally
}

/// The keys of the events in an image, or what is wrong with it.
fn keys(file: &Path) -> Result<BTreeSet<i64>, String> {
    let read = || -> rusqlite::Result<(String, BTreeSet<i64>)> {
        let database = rusqlite::Connection::open(file)?;
        let check = "PRAGMA integrity_check";
        let check: String = database.query_row(check, [], |row| row.get(0))?;
        let mut select = database.prepare("SELECT key FROM event")?;
        let keys = select.query_map([], |row| row.get(0))?;
        Ok((check, keys.collect::<Result<_, _>>()?))
    };
    match read() {
        Ok((check, keys)) if check == "ok" => Ok(keys),
        Ok((check, _)) => Err(check),
        // Even the schema was lost, and with it every event.
        Err(error) if error.to_string().starts_with("no such table") => Ok(BTreeSet::new()),
        Err(error) => Err(rusqlite::Error::to_string(&error)),
    }
}

/// Publishes from several connections until the time is up.
fn publish(api: &Api, trace: &Path, until: Instant, acked: &Mutex<Vec<Acked>>) {
    let body = json!({"tenant": "acme", "type": "a", "data": {"text": "x".repeat(700)}});
    let body = body.to_string();
    let one = || {
        let mut connection = Connection::open(&api.address).expect("a connection");
        while Instant::now() < until {
            let answer = connection.exchange(api, "POST", "/v1/events", Some(body.as_bytes()));
            let answer = answer.expect("an answer");
            if answer.status == 503 {
                std::thread::sleep(Duration::from_millis(10));
                continue;
            }
            let event = answer.expect(202);
            let position = trace_length(trace);
            let Ok(EventId::Made(key)) = EventId::parse(text(&event, "id")) else {
                panic!("not an id that Angarium makes: {event}");
            };
            acked.lock().expect("not poisoned").push(Acked { key: key.get(), position });
        }
    };
    std::thread::scope(|scope| (0..PUBLISHERS).for_each(|_| drop(scope.spawn(one))));
}

/// Runs the real server under the recorder: load, a clean stop (which checkpoints), load, a kill.
fn record_server(folder: &Path) -> (PathBuf, Vec<Acked>) {
    let (data, trace) = (folder.join("data"), folder.join("trace"));
    std::fs::create_dir(&data).expect("a folder");
    let library = recorder(folder);
    let start = Start::local(&data)
        .variable("LD_PRELOAD", &library.display().to_string())
        .variable("RECORDER_TRACE", &trace.display().to_string())
        .variable("RECORDER_DIRECTORY", &data.display().to_string());
    let receiver = Receiver::unrecorded(|request| match request.body.len() % 5 {
        0 => Reply::Status(500),
        _ => Reply::Status(200),
    });
    let acked = Mutex::new(Vec::new());
    let load = |server: &Server| {
        let api = server.admin().with("angarium-environment", "shop");
        publish(&api, &trace, Instant::now() + LOAD, &acked);
    };
    let server = start.run();
    let api = server.admin().with("angarium-environment", "shop");
    let environment = json!({"slug": "shop", "title": "Shop", "contracts": ["standard"]});
    api.post("/v1/environments", &environment).expect(201);
    api.put("/v1/tenants/acme", &json!({}));
    let endpoint = json!({"url": receiver.url("/"), "types": ["*"]});
    api.post("/v1/tenants/acme/endpoints", &endpoint).expect(201);
    load(&server);
    assert!(server.stop().success());
    let server = start.run();
    load(&server);
    server.kill();
    (trace, acked.into_inner().expect("not poisoned"))
}

#[test]
fn no_acknowledged_event_is_lost_by_a_power_cut() {
    let images = rounds("POWER_CUT_IMAGES", 100);
    let (mut dice, _) = Dice::from_environment("power cut");
    let folder = tempfile::tempdir().expect("a folder");
    let (trace, acked) = record_server(folder.path());
    let data = folder.path().join("data");
    let opened_each = opened_each(images);
    let tally = cut(&trace, &acked, images, &mut dice, |image, number| {
        number % opened_each == 0 && opens(&data, image)
    });
    figure(format_args!(
        "{} acknowledged, trace {} MiB, {tally:?}",
        acked.len(),
        trace_length(&trace) >> 20
    ));
    assert_eq!((tally.missing, tally.damaged), (0, Vec::new()));
    assert_eq!(tally.opened_by_the_product, images.div_ceil(opened_each));
}

/// The product is started on each so manieth image.
fn opened_each(images: u64) -> u64 {
    (images / 20).clamp(1, 5)
}

/// Whether the product starts on an image and answers for its events.
fn opens(data: &Path, image: &Path) -> bool {
    for entry in std::fs::read_dir(data).expect("the data directory").flatten() {
        let to = image.join(entry.file_name());
        let is_store = entry.file_name().to_string_lossy().starts_with("angarium.db");
        if !is_store && !to.exists() && entry.path().is_file() {
            std::fs::copy(entry.path(), to).expect("a copy, such as of the master key");
        }
    }
    let server = Start::local(image).run();
    let api = server.admin().with("angarium-environment", "shop");
    api.get("/v1/events?limit=1").status == 200
}

#[test]
fn the_same_images_of_a_store_that_does_not_sync_show_lost_events() {
    let (mut dice, _) = Dice::from_environment("power cut, synchronous=NORMAL");
    let images = rounds("POWER_CUT_IMAGES", 100).min(100);
    for (synchronous, loses) in [("FULL", false), ("NORMAL", true)] {
        let folder = tempfile::tempdir().expect("a folder");
        let (trace, acked) = driver::record(folder.path(), &recorder(folder.path()), synchronous);
        let tally = cut(&trace, &acked, images, &mut dice, |_, _| true);
        figure(format_args!("synchronous={synchronous}: {} acknowledged, {tally:?}", acked.len()));
        assert_eq!(tally.missing > 0, loses, "synchronous={synchronous}");
        assert_eq!(tally.damaged, Vec::<String>::new(), "synchronous={synchronous}");
        let syncs =
            trace::read(&trace).iter().filter(|(_, c)| matches!(c, Change::Sync { .. })).count();
        figure(format_args!("synchronous={synchronous}: {syncs} syncs"));
    }
}
