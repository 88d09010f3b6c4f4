//! A sync that fails, then a power cut (D16): the system reports the error once, takes the pages
//! for clean and lets them be read, but they are not on the disk. What is acknowledged after that
//! must not stand on them.

use super::{Acked, LOAD, cut, opened_each, opens, publish, recorder, trace, trace_length};
use crate::support::dice::Dice;
use crate::support::injector::Injector;
use crate::support::server::Start;
use crate::support::{figure, rounds};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use trace::Change;

const RUNS: usize = 5;

/// Runs of a server whose syncs begin to fail under load. It is killed before it can write anything
/// over what failed, and the next run finds that in the log, whole.
fn record(folder: &Path, dice: &mut Dice) -> (PathBuf, Vec<Acked>) {
    let (data, trace, pipe) = (folder.join("data"), folder.join("trace"), folder.join("fiu"));
    std::fs::create_dir(&data).expect("a folder");
    // The recorder comes first, so that it sees what libfiu makes of a call.
    let first = recorder(folder);
    let start = Injector::put_under(Start::local(&data), Some(&first), &pipe)
        .variable("RECORDER_TRACE", &trace.display().to_string())
        .variable("RECORDER_DIRECTORY", &data.display().to_string());
    let acked = Mutex::new(Vec::new());
    for run in 0..RUNS {
        let server = start.run();
        let api = server.admin().with("angarium-environment", "shop");
        if run == 0 {
            let environment = json!({"slug": "shop", "title": "Shop", "contracts": ["standard"]});
            api.post("/v1/environments", &environment).expect(201);
            api.put("/v1/tenants/acme", &json!({})).expect(201);
        }
        std::thread::scope(|scope| {
            scope.spawn(|| publish(&api, &trace, Instant::now() + LOAD / 2, &acked));
            std::thread::sleep(LOAD / 4 + Duration::from_millis(dice.below(100)));
            let injector = Injector::of(&server, &pipe);
            injector.order("enable name=posix/io/sync/*,failinfo=5");
        });
        server.kill();
    }
    (trace, acked.into_inner().expect("not poisoned"))
}

#[test]
fn no_acknowledged_event_is_lost_by_a_sync_that_failed_and_a_later_power_cut() {
    let images = rounds("POWER_CUT_IMAGES", 100);
    let (mut dice, _) = Dice::from_environment("failed syncs, power cut");
    let folder = tempfile::tempdir().expect("a folder");
    let (trace, acked) = record(folder.path(), &mut dice);
    let failed = |change: &Change| matches!(change, Change::SyncFailed { .. });
    let failed = trace::read(&trace).iter().filter(|(_, change)| failed(change)).count();
    let (data, opened_each) = (folder.path().join("data"), opened_each(images));
    let tally = cut(&trace, &acked, images, &mut dice, |image, number| {
        number % opened_each == 0 && opens(&data, image)
    });
    figure(format_args!(
        "failed syncs, power cut: {failed} syncs failed, {} acknowledged, trace {} MiB, {tally:?}",
        acked.len(),
        trace_length(&trace) >> 20
    ));
    assert!(failed > 0, "no sync failed");
    assert_eq!((tally.missing, tally.damaged), (0, Vec::new()));
    assert_eq!(tally.opened_by_the_product, images.div_ceil(opened_each));
}
