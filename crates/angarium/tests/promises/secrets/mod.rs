//! K2: secrets at rest. Keys are rotated while the server serves, and killed in the middle of it;
//! values are moved in the real database file. What tells is the receivers, which know every
//! secret by themselves, and the files.

mod moved;
mod platform;

use crate::support::dice::Dice;
use crate::support::server::{Server, Start};
use crate::support::{eventually, figure, rounds};
use platform::{Load, Platform, TENANTS};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);
/// A kill comes at a moment of this span after the call that rotates.
const AROUND: Duration = Duration::from_millis(12);

/// A server with its master key in a file, and where the next one goes.
struct Keyed {
    folder: TempDir,
    key: PathBuf,
    next: PathBuf,
}

impl Keyed {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let [key, next] = ["master.key", "master.key.next"].map(|name| folder.path().join(name));
        let keyed = Self { folder, key, next };
        keyed.generate(&keyed.key);
        keyed
    }

    fn start(&self) -> Start {
        let key = format!("--master-key-file={}", self.key.display());
        Start::local(&self.folder.path().join("data")).argument(&key)
    }

    /// As an operator would.
    fn generate(&self, into: &Path) {
        let made = run(None, &["key", "generate-master"]).expect("a key");
        std::fs::write(into, made).expect("written");
    }

    /// The last step of a rotation.
    fn put_in_place(&self) {
        std::fs::rename(&self.next, &self.key).expect("moved");
    }
}

/// Runs a command, against a server if it is to call one; what it said.
fn run(server: Option<&Server>, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(crate::support::server::executable());
    if let Some(server) = server {
        command.env("ANGARIUM_URL", format!("http://{}", server.address));
        command.env("ANGARIUM_KEY", crate::support::server::ADMIN_KEY);
    }
    let output = command.args(arguments).output().expect("the command runs");
    let said = |bytes| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(said(&output.stdout)),
        false => Err(said(&output.stderr)),
    }
}

fn encryption(server: &Server) -> Value {
    server.admin().get("/v1/encryption").expect(200)
}

fn has_settled(server: &Server) -> bool {
    encryption(server)["retired_data_keys"] == 0
}

#[test]
fn keys_are_rotated_under_load_and_nobody_notices() {
    let keyed = Keyed::new();
    let server = keyed.start().run();
    let platform = Platform::make(&server);
    let first = encryption(&server)["master_key"].clone();
    let refused = run(Some(&server), &["key", "rotate-master"]).expect_err("there is none yet");
    assert!(refused.contains("there is no next master key in"), "{refused}");
    let (load, started) = (Load::begin(&platform, &server), Instant::now());
    let turns = rounds("ROTATIONS", 6);
    let mut slowest = Duration::ZERO;
    for turn in 0..turns {
        keyed.generate(&keyed.next);
        let asked = Instant::now();
        let said = run(Some(&server), &["key", "rotate-master"]).expect("rotated");
        slowest = slowest.max(asked.elapsed());
        assert!(said.contains("in the place of the master key before it"), "{said}");
        keyed.put_in_place();
        let whose = ["--all", "--tenant=t1"][usize::from(turn % 2 == 1)];
        let asked = ["key", "rotate-data", whose, "--environment=shop"];
        run(Some(&server), &asked).expect("begun");
        eventually("no retired data key", SOON, || has_settled(&server));
    }
    let took = started.elapsed();
    let done = load.end();
    assert_eq!(done.failures, Vec::<String>::new());
    assert_eq!(platform.forged(), 0);
    assert_ne!(encryption(&server)["master_key"], first);
    let keys = encryption(&server)["data_keys"].as_u64().expect("a number");
    assert_eq!(keys, TENANTS, "one for each tenant");
    server.stop();
    let server = keyed.start().run();
    platform.deliver_to_all(&server);
    figure(format_args!(
        "{turns} rotations of the master key and {turns} of data keys in {took:.1?}: {} calls, {} \
         endpoints made meanwhile, {} genuine deliveries; failures 0; slowest {slowest:.0?}",
        done.calls,
        done.endpoints,
        platform.genuine(),
    ));
    drop(server);
    keyed.generate(&keyed.key);
    let refused = keyed.start().try_run().err().expect("no such key");
    assert!(refused.contains("the master key does not open this store"), "{refused}");
}

#[test]
fn a_kill_in_the_middle_of_a_rotation_loses_no_secret() {
    let (mut dice, _) = Dice::from_environment("rotation kills");
    let keyed = Keyed::new();
    let mut server = keyed.start().run();
    let platform = Platform::make(&server);
    platform.make_endpoints(&server, rounds("ROTATION_ENDPOINTS", 64));
    let kills = rounds("ROTATION_KILLS", 20);
    let mut carried_out = 0;
    for round in 0..kills {
        keyed.generate(&keyed.next);
        let before = encryption(&server)["master_key"].clone();
        let api = server.admin();
        let asked = std::thread::spawn(move || {
            // In the other rounds no data key is new: each has to be wrapped anew.
            if round % 2 == 1 {
                let _ = api.try_post("/v1/encryption/rotate-data-keys", &json!({"all": true}));
            }
            let _ = api.try_post("/v1/encryption/rotate-master-key", &json!({}));
        });
        let micros = u64::try_from(AROUND.as_micros()).unwrap_or(u64::MAX);
        std::thread::sleep(Duration::from_micros(dice.below(micros)));
        server.kill();
        asked.join().expect("it ends with the server");
        // Whichever of the two it is: the store opens.
        server = keyed.start().run();
        let is_rotated = encryption(&server)["master_key"] != before;
        let log = server.log();
        if is_rotated {
            carried_out += 1;
            assert!(log.contains("the store is under the next master key"), "{log}");
            keyed.put_in_place();
            let doctor = keyed.doctor();
            assert!(doctor.contains("a server is using it now"), "{doctor}");
        } else {
            std::fs::remove_file(&keyed.next).expect("it was there");
        }
        platform.deliver_to_all(&server);
    }
    eventually("no retired data key", SOON, || has_settled(&server));
    server.stop();
    let server = keyed.start().run();
    platform.deliver_to_all(&server);
    assert_eq!(platform.forged(), 0);
    figure(format_args!(
        "{kills} kills around rotations, {carried_out} after the master key's commit: the store \
         opened {kills} times, {} genuine deliveries, 0 with a wrong signature",
        platform.genuine(),
    ));
}

impl Keyed {
    fn doctor(&self) -> String {
        let data = self.folder.path().join("data");
        let (data, key) = (data.display().to_string(), self.key.display().to_string());
        let arguments = ["doctor", "--data", &data, "--master-key-file", &key];
        let arguments = [&arguments[..], &["--listen", "127.0.0.1:0"]].concat();
        let output = Command::new(crate::support::server::executable()).args(arguments).output();
        String::from_utf8_lossy(&output.expect("it runs").stdout).into_owned()
    }
}

#[test]
fn the_doctor_tells_with_which_key_the_store_opens() {
    let keyed = Keyed::new();
    let server = keyed.start().run();
    keyed.generate(&keyed.next);
    run(Some(&server), &["key", "rotate-master"]).expect("rotated");
    let again = run(Some(&server), &["key", "rotate-master"]).expect_err("it is the same");
    assert!(again.contains("already"), "{again}");
    server.stop();
    let before = keyed.doctor();
    assert!(before.contains("opens with the next master key only"), "{before}");
    keyed.put_in_place();
    let after = keyed.doctor();
    assert!(after.contains("ok    store"), "{after}");
    std::fs::write(&keyed.next, "c2VjcmV0").expect("written");
    let wrong = keyed.doctor();
    assert!(wrong.contains("is not a master key: it has 6 bytes, not 32"), "{wrong}");
    // A wrong next key keeps no server from starting.
    let server = keyed.start().run();
    let refused = run(Some(&server), &["key", "rotate-master"]).expect_err("it is no key");
    assert!(refused.contains("it has 6 bytes, not 32") && !refused.contains("c2Vj"), "{refused}");
}
