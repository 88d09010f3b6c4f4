//! The real executable, started on a port of its own with a data directory of its own.

use super::client::Api;
use super::turns::{self, Place};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Longer than any key needs to be.
pub(crate) const ADMIN_KEY: &str = "test-admin-key-0123456789abcdef-0123456789abcdef";
const START_TIMEOUT: Duration = Duration::from_secs(30);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// The executable that was built with the tests, or the one that `ANGARIUM_BIN` names.
pub(crate) fn executable() -> PathBuf {
    let chosen = std::env::var_os("ANGARIUM_BIN");
    chosen.unwrap_or_else(|| env!("CARGO_BIN_EXE_angarium").into()).into()
}

/// How to start it.
#[derive(Clone)]
pub(crate) struct Start {
    data: PathBuf,
    launcher: Vec<String>,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Start {
    /// With egress open to loopback, as most tests need it.
    pub(crate) fn local(data: &Path) -> Self {
        Self::closed(data).argument("--allow-http").argument("--allow-cidr=127.0.0.0/8")
    }

    /// With the egress policy as it is by default.
    pub(crate) fn closed(data: &Path) -> Self {
        let (launcher, arguments, variables) = (Vec::new(), Vec::new(), Vec::new());
        Self { data: data.to_owned(), launcher, arguments, variables }
    }

    /// Behind a command that ends by executing what follows it, under the same process id.
    pub(crate) fn behind(mut self, launcher: &[&str]) -> Self {
        self.launcher = launcher.iter().copied().map(str::to_owned).collect();
        self
    }

    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and waits until it listens.
    pub(crate) fn run(&self) -> Server {
        match self.try_run() {
            Ok(server) => server,
            Err(log) => panic!("the server never said where it listens:\n{log}"),
        }
    }

    /// As [`Start::run`]; where it ends or does not listen in time, what it said.
    pub(crate) fn try_run(&self) -> Result<Server, String> {
        let place = turns::place();
        let log_path = self.data.with_extension("log");
        let log = File::options().create(true).append(true).open(&log_path).expect("a log");
        let started = Instant::now();
        let mut command = match self.launcher.split_first() {
            None => Command::new(executable()),
            Some((launcher, words)) => {
                let mut command = Command::new(launcher);
                command.args(words).arg(executable());
                command
            }
        };
        let mut child = command
            .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data"])
            .arg(&self.data)
            .args(&self.arguments)
            .env("ANGARIUM_ADMIN_KEY", ADMIN_KEY)
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the executable starts");
        let (sender, receiver) = mpsc::channel();
        let stdout = child.stdout.take().expect("stdout is piped");
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listening on http://") {
                    let _ = sender.send(address.trim().to_owned());
                }
            }
        });
        let (address, ready) = (String::new(), Duration::ZERO);
        let mut server = Server { child, address, log_path, ready, _place: place };
        // It hangs up when it ends without listening.
        server.address = match receiver.recv_timeout(START_TIMEOUT) {
            Ok(address) => address,
            Err(_) => return Err(server.log()),
        };
        server.ready = started.elapsed();
        Ok(server)
    }
}

/// A running server; it is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    log_path: PathBuf,
    /// From the start of the process to the line that says where it listens.
    pub(crate) ready: Duration,
    _place: Place,
}

impl Server {
    pub(crate) fn admin(&self) -> Api {
        Api::new(&self.address, ADMIN_KEY)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far, in all its runs.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log_path).unwrap_or_default()
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the process is ours");
        self.child.wait().expect("it ends");
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let asked = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        assert!(asked.is_ok_and(|status| status.success()), "SIGTERM could not be sent");
        let started = Instant::now();
        loop {
            match self.child.try_wait().expect("the process is ours") {
                Some(status) => return status,
                None => assert!(started.elapsed() < STOP_TIMEOUT, "no stop after SIGTERM"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether the process is still there.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Resident memory, in bytes: now and at most so far.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let kib = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            let number = line.and_then(|line| line.split_whitespace().nth(1));
            number.and_then(|text| text.parse::<u64>().ok()).unwrap_or_default()
        };
        (kib("VmRSS:") * 1024, kib("VmHWM:") * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines.len().saturating_sub(40);
            eprintln!("--- the server's last words\n{}", lines[last..].join("\n"));
        } else {
            assert!(!self.log().contains(ADMIN_KEY), "the log has the admin key");
        }
    }
}
