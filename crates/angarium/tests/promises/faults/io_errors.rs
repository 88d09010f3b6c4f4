//! B2.6: the system's calls on the store's files fail, made by libfiu between the server and libc.

use super::load::Load;
use super::{is_ready, spans};
use crate::support::dice::Dice;
use crate::support::injector::Injector;
use crate::support::server::Start;
use crate::support::{eventually, figure, rounds};
use std::time::{Duration, Instant};

const EIO: u32 = 5;
const ENOSPC: u32 = 28;
/// Errors that end are over within this: the shards are read anew, at worst after a pause.
const RECOVERY: Duration = Duration::from_secs(5);

/// How a call fails: the point's name in libfiu, the system's number of the error.
#[derive(Debug, Clone, Copy)]
struct Failing {
    point: &'static str,
    error: u32,
}

/// SQLite's calls. `write` is left out: sockets and the scheduler's own wake-ups use it too.
const FAILING: [Failing; 6] = [
    Failing { point: "posix/io/sync/fdatasync", error: EIO },
    Failing { point: "posix/io/sync/fsync", error: EIO },
    Failing { point: "posix/io/sync/*", error: EIO },
    Failing { point: "posix/io/rw/pwrite", error: EIO },
    Failing { point: "posix/io/rw/pwrite", error: ENOSPC },
    Failing { point: "posix/io/rw/pread", error: EIO },
];

/// How long a call fails.
#[derive(Debug, Clone, Copy)]
enum Often {
    Once,
    /// Each time, with this chance in a hundred, for a while.
    Now(u64),
}

impl Often {
    /// libfiu's order.
    fn order(self, Failing { point, error }: Failing) -> String {
        let (name, error) = (format!("name={point}"), format!("failinfo={error}"));
        match self {
            Often::Once => format!("enable {name},{error},onetime"),
            Often::Now(percent) => {
                format!("enable_random {name},{error},probability=0.{percent:02}")
            }
        }
    }
}

#[test]
fn failing_reads_writes_and_syncs_lose_nothing_that_was_acknowledged() {
    let faults = rounds("IO_ERRORS", 18);
    let (mut dice, seed) = Dice::from_environment("I/O errors");
    let folder = tempfile::tempdir().expect("a folder");
    let (data, pipe) = (folder.path().join("data"), folder.path().join("fiu"));
    let mut server = Injector::put_under(Start::local(&data), None, &pipe).run();
    let injector = Injector::of(&server, &pipe);
    let api = server.admin().with("angarium-environment", "shop");
    let load = Load::new();
    let endpoints = load.set_up(&api, seed);
    load.turn_to(Some(&api));
    let (mut refused, mut recovered) = (0, Vec::new());
    load.during(|| {
        for number in 0..faults {
            std::thread::sleep(Duration::from_millis(100 + dice.below(150)));
            let failing = FAILING[usize::try_from(number).unwrap_or_default() % FAILING.len()];
            let often = match dice.below(3) {
                0 => Often::Once,
                1 => Often::Now(99),
                _ => Often::Now(10 + dice.below(60)),
            };
            let before = load.told().get(&503).copied().unwrap_or_default();
            injector.order(&often.order(failing));
            std::thread::sleep(Duration::from_millis(100 + dice.below(500)));
            injector.order(&format!("disable name={}", failing.point));
            let healed = Instant::now();
            recovered.push(load.until_told(healed, |status| status == 202));
            eventually(&format!("ready after {failing:?} {often:?}"), RECOVERY, || is_ready(&api));
            let after = load.told().get(&503).copied().unwrap_or_default();
            refused += usize::from(after > before);
        }
    });
    let most = recovered.iter().max().copied().unwrap_or_default();
    let verdict = load.verdict(&api, &endpoints);
    figure(format_args!(
        "I/O errors: {faults} faults, {refused} of them told to publishers by 503, {verdict}; \
         first 202 after the fault after {}; publishers were told {:?}",
        spans(recovered),
        load.told(),
    ));
    verdict.assert_promises(faults);
    assert!(most < RECOVERY, "{most:?} until something is accepted again");
    assert!(server.is_running());
    // What it left is whole for the next start, without faults.
    assert!(server.stop().success());
    let server = Start::local(&data).run();
    let api = server.admin().with("angarium-environment", "shop");
    load.verdict(&api, &endpoints).assert_promises(faults);
}
