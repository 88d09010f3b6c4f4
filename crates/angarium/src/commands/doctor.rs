//! `angarium doctor`: looks at everything that a server needs, a line each, with the cure of what
//! is wrong. It changes nothing but a file that it writes and removes again.

mod keys;

use crate::config::Settings;
use crate::machine;
use crate::output::line;
use angarium_core::contract::ContractLibrary;
use angarium_core::limits::Limits;
use angarium_core::time::Timestamp;
use angarium_server::clock::{Clock, SystemClock};
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Less free space than this is worth a warning.
const LITTLE_SPACE: u64 = 2 * 1024 * 1024 * 1024;
/// With less than this, the store stops soon.
const NO_SPACE: u64 = 256 * 1024 * 1024;
/// A disk that syncs more slowly keeps every publisher waiting.
const SLOW_SYNC: Duration = Duration::from_millis(20);
/// A limit on open files below this leaves few attempts in flight.
const FEW_FILES: usize = 4_096;
/// What others than the owner of a directory may do.
const OTHERS: u32 = 0o077;
/// A clock before this (2026-01-01) is wrong: this program is younger.
const OLDEST_NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Ok,
    Warn,
    Fail,
}

/// What was found, and what to do about it.
struct Finding {
    level: Level,
    subject: &'static str,
    finding: String,
    cure: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        write!(f, "{level:5} {:15} {}", self.subject, self.finding)?;
        match self.level {
            Level::Ok => Ok(()),
            Level::Warn | Level::Fail => write!(f, "\n{:21} → {}", "", self.cure),
        }
    }
}

impl Finding {
    fn new(
        level: Level,
        subject: &'static str,
        finding: impl Into<String>,
        cure: &'static str,
    ) -> Self {
        Self { level, subject, finding: finding.into(), cure }
    }

    fn ok(subject: &'static str, finding: impl Into<String>) -> Self {
        Self::new(Level::Ok, subject, finding, "")
    }
}

/// Runs the command.
///
/// # Errors
/// Something would keep a server from working.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<()> {
    let findings = [
        data_directory(&settings.data),
        disk_space(&settings.data),
        sync_time(&settings.data),
        file_limit(machine::raise_file_limit()),
        clock(SystemClock.now()),
        name_servers(Path::new("/etc/resolv.conf")),
        keys::master_key(settings),
        keys::next_master_key(settings),
        contracts(settings),
        keys::store(settings),
        listener(settings),
    ];
    for finding in &findings {
        line(&finding.to_string());
    }
    let failed = findings.iter().filter(|finding| finding.level == Level::Fail);
    match failed.count() {
        0 => Ok(()),
        1 => anyhow::bail!("one thing would keep a server from working"),
        count => anyhow::bail!("{count} things would keep a server from working"),
    }
}

fn data_directory(data: &Path) -> Finding {
    let subject = "data directory";
    match std::fs::metadata(data) {
        Ok(metadata) if metadata.is_dir() => {
            let mode = metadata.permissions().mode() & 0o777;
            match mode & OTHERS {
                0 => Finding::ok(subject, data.display().to_string()),
                _ => Finding::new(
                    Level::Warn,
                    subject,
                    format!("others may enter {} (mode {mode:o})", data.display()),
                    "chmod 700 on it: events in the store are not encrypted",
                ),
            }
        }
        Ok(_) => Finding::new(
            Level::Fail,
            subject,
            format!("{} is not a directory", data.display()),
            "name a directory with --data",
        ),
        Err(_) => Finding::new(
            Level::Warn,
            subject,
            format!("{} is not there yet", data.display()),
            "the first start makes it, if the directory above may be written",
        ),
    }
}

/// The data directory, or where it will be made.
fn existing(data: &Path) -> &Path {
    let above = data.ancestors().find(|path| path.is_dir());
    above.unwrap_or(Path::new("."))
}

fn disk_space(data: &Path) -> Finding {
    let subject = "disk space";
    let Ok(free) = machine::free_bytes(existing(data)) else {
        let finding = "the file system does not say";
        return Finding::new(Level::Warn, subject, finding, "look with df");
    };
    let level = match free {
        0..NO_SPACE => Level::Fail,
        NO_SPACE..LITTLE_SPACE => Level::Warn,
        LITTLE_SPACE.. => Level::Ok,
    };
    let finding = format!("{} MiB free", free / 1024 / 1024);
    Finding::new(level, subject, finding, "make room, or move the data directory")
}

fn sync_time(data: &Path) -> Finding {
    let subject = "write and sync";
    let path = existing(data).join(".angarium-doctor");
    let timed = timed_sync(&path);
    let _ = std::fs::remove_file(&path);
    match timed {
        Ok(took) => {
            let level = match took > SLOW_SYNC {
                true => Level::Warn,
                false => Level::Ok,
            };
            let finding = format!("{:.2} ms, median of 9", took.as_secs_f64() * 1e3);
            Finding::new(level, subject, finding, "use a disk with a faster sync")
        }
        Err(error) => Finding::new(
            Level::Fail,
            subject,
            format!("{}: {error}", path.display()),
            "let this user write the data directory",
        ),
    }
}

fn timed_sync(path: &Path) -> std::io::Result<Duration> {
    let mut file = File::create(path)?;
    let mut times = Vec::new();
    for _ in 0..9 {
        let started = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn file_limit(descriptors: usize) -> Finding {
    let level = match descriptors < FEW_FILES {
        true => Level::Warn,
        false => Level::Ok,
    };
    let window = machine::node_window(descriptors, Limits::default().node_window);
    let finding = format!("{descriptors}: at most {window} attempts in flight");
    Finding::new(level, "open files", finding, "raise it: ulimit -Hn 65536, LimitNOFILE=65536")
}

fn clock(now: Timestamp) -> Finding {
    match now < OLDEST_NOW {
        true => Finding::new(
            Level::Fail,
            "clock",
            format!("{now} is in the past"),
            "set the clock: signatures carry the time, and receivers refuse an old one",
        ),
        false => Finding::ok("clock", now.to_string()),
    }
}

fn name_servers(file: &Path) -> Finding {
    let subject = "name servers";
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let servers: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .map(str::trim)
        .collect();
    match servers.is_empty() {
        true => Finding::new(
            Level::Warn,
            subject,
            format!("none in {}", file.display()),
            "without one, only literal addresses and the hosts file can be reached",
        ),
        false => Finding::ok(subject, servers.join(", ")),
    }
}

fn contracts(settings: &Settings) -> Finding {
    let subject = "contracts";
    let limits = settings.limits(usize::MAX);
    let directory = settings.contracts.as_deref();
    match angarium_server::server::load_contracts(directory, &limits) {
        Ok(library) => Finding::ok(subject, names(&library)),
        Err(error) => Finding::new(
            Level::Fail,
            subject,
            format!("{:#}", anyhow::Error::from(error)),
            "mend the file; angarium contract check FILE",
        ),
    }
}

fn names(library: &ContractLibrary) -> String {
    let names: Vec<&str> = library.iter().map(|contract| contract.name()).collect();
    names.join(", ")
}

fn listener(settings: &Settings) -> Finding {
    let subject = "listen address";
    match TcpListener::bind(settings.listen) {
        Ok(_) => Finding::ok(subject, format!("{} is free", settings.listen)),
        Err(error) => Finding::new(
            Level::Warn,
            subject,
            format!("{}: {error}", settings.listen),
            "stop what listens there (a running server?), or choose another with --listen",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_comes_with_its_cure_and_what_is_right_without() {
        let wrong = clock(Timestamp::from_millis(0)).to_string();
        assert!(wrong.starts_with("FAIL  clock"), "{wrong}");
        assert!(wrong.contains("\n") && wrong.contains("→ set the clock"), "{wrong}");
        let right = clock(OLDEST_NOW).to_string();
        assert!(right.starts_with("ok    clock") && !right.contains('→'), "{right}");
        assert_eq!(file_limit(1_024).level, Level::Warn);
        assert_eq!(file_limit(65_536).level, Level::Ok);
    }

    #[test]
    fn the_doctor_leaves_nothing_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path().join("not/yet");
        assert_eq!(sync_time(&data).level, sync_time(directory.path()).level);
        let left = std::fs::read_dir(directory.path()).expect("it can be read");
        assert_eq!(left.count(), 0);
    }
}
