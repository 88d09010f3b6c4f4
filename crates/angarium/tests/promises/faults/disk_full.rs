//! B2.5: the disk of the store becomes full, all at once or slowly, and gets room again.

use super::load::Load;
use super::{is_ready, readiness, spans};
use crate::support::client::Api;
use crate::support::dice::Dice;
use crate::support::server::Start;
use crate::support::{eventually, figure, rounds};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What one cycle may add to the store, and the room in which it goes on.
const DISK_MIB: usize = 160;
/// Longer than the server waits between two looks at the disk.
const HELD: Duration = Duration::from_millis(1_500);
/// Nothing is accepted later than this after the disk became full.
const REFUSAL: Duration = Duration::from_secs(2);
/// A server that sees room again begins within this.
const RECOVERY: Duration = Duration::from_secs(5);

/// A small file system that nobody else sees: it is mounted in a namespace that a process holds.
struct Disk {
    holder: Child,
    mount: PathBuf,
}

impl Disk {
    fn mount(place: &Path) -> Self {
        std::fs::create_dir(place).expect("a folder");
        let script = format!(
            "mount -t tmpfs -o size={DISK_MIB}m tmpfs '{}' && echo mounted && exec sleep 3600",
            place.display()
        );
        let mut holder = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", &script])
            .stdout(Stdio::piped())
            .spawn()
            .expect("`unshare` (util-linux) is needed");
        let mut said = String::new();
        let stdout = holder.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut said).expect("it can be read");
        assert_eq!(said.trim(), "mounted", "this test needs user namespaces, to mount a tmpfs");
        Self { holder, mount: place.to_owned() }
    }

    /// A server with its data there.
    fn start(&self) -> Start {
        let holder = self.holder.id().to_string();
        Start::local(&self.mount.join("data")).behind(&[
            "nsenter",
            "--target",
            &holder,
            "--user",
            "--mount",
            "--preserve-credentials",
            "--",
        ])
    }

    /// The file that takes the room, as this process sees it.
    fn ballast(&self) -> PathBuf {
        let seen = format!("/proc/{}/root{}/ballast", self.holder.id(), self.mount.display());
        PathBuf::from(seen)
    }

    /// Fills the disk but for some bytes.
    fn fill(&self, left: usize) {
        let mut file = File::create(self.ballast()).expect("the ballast");
        let block = vec![7; 64 * 1024];
        let mut written = 0;
        while file.write_all(&block).is_ok() {
            written += block.len();
        }
        let keep = file.metadata().map_or(written as u64, |metadata| metadata.len());
        file.set_len(keep.saturating_sub(left as u64)).expect("a shorter ballast");
    }

    fn make_room(&self) {
        std::fs::remove_file(self.ballast()).expect("the ballast goes");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// What the cycles showed.
#[derive(Default)]
struct Figures {
    refused_after: Vec<Duration>,
    recovered_after: Vec<Duration>,
    attempts_while_full: usize,
}

#[test]
fn a_full_disk_is_told_to_publishers_loses_nothing_and_ends_by_itself() {
    let cycles = rounds("DISK_FULL_CYCLES", 6);
    let (mut dice, seed) = Dice::from_environment("disk full");
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Disk::mount(&folder.path().join("disk"));
    let server = disk.start().run();
    let api = server.admin().with("angarium-environment", "shop");
    let load = Load::new();
    let endpoints = load.set_up(&api, seed);
    load.turn_to(Some(&api));
    let mut figures = Figures::default();
    load.during(|| {
        for cycle in 0..cycles {
            std::thread::sleep(Duration::from_millis(200 + dice.below(400)));
            // By turns to the last byte, and so that what is under way can still be recorded.
            let left = if cycle % 2 == 0 { 0 } else { 8 << 20 };
            fill_and_make_room(&disk, &load, &api, left, &mut figures);
        }
        std::thread::sleep(Duration::from_millis(300));
    });
    let verdict = load.verdict(&api, &endpoints);
    figure(format_args!(
        "disk full: {cycles} cycles, {verdict}; attempts while full {}; first 503 after {}; first \
         202 after there was room after {}; publishers were told {:?}",
        figures.attempts_while_full,
        spans(figures.refused_after),
        spans(figures.recovered_after),
        load.told(),
    ));
    verdict.assert_promises(cycles);
    assert_eq!(figures.attempts_while_full, 0);
    assert_eq!(server.stop().code(), Some(0));
}

fn fill_and_make_room(disk: &Disk, load: &Load, api: &Api, left: usize, figures: &mut Figures) {
    disk.fill(left);
    let full = Instant::now();
    let refused = load.until_told(full, |status| status == 503);
    assert!(refused < REFUSAL, "{refused:?} until publishers are refused");
    figures.refused_after.push(refused);
    std::thread::sleep(HELD);
    let (status, detail) = readiness(api);
    assert_eq!(status, 503, "/readyz while the disk is full");
    assert!(detail.contains("disk is full"), "{detail}");
    assert_eq!(api.get("/v1/events?limit=1").status, 200, "reading goes on");
    figures.attempts_while_full += load.arrived(full + refused, Instant::now());
    disk.make_room();
    let room = Instant::now();
    let recovered = load.until_told(room, |status| status == 202);
    assert!(recovered < RECOVERY, "{recovered:?} until something is accepted again");
    figures.recovered_after.push(recovered);
    eventually("/readyz is green again", RECOVERY, || is_ready(api));
}

#[test]
fn a_server_that_stops_on_a_full_disk_starts_when_there_is_room() {
    let (_, seed) = Dice::from_environment("disk full at the start");
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Disk::mount(&folder.path().join("disk"));
    let server = disk.start().run();
    let api = server.admin().with("angarium-environment", "shop");
    let load = Load::new();
    let endpoints = load.set_up(&api, seed);
    load.turn_to(Some(&api));
    load.during(|| {
        std::thread::sleep(Duration::from_millis(300));
        disk.fill(0);
        load.until_told(Instant::now(), |status| status == 503);
    });
    load.turn_to(None);
    server.kill();
    let log = disk.start().try_run().err().expect("no start without room");
    assert!(log.lines().last().is_some_and(|line| line.contains("full")), "{log}");
    disk.make_room();
    let server = disk.start().run();
    let api = server.admin().with("angarium-environment", "shop");
    let verdict = load.verdict(&api, &endpoints);
    figure(format_args!("disk full at the start: {verdict}; ready after {:?}", server.ready));
    verdict.assert_promises(1);
}
