//! The processes of a run: the product, the harness's sink, relay and driver. Each is ended when
//! its handle is dropped.

use super::Scenario;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SINK_PORT: u16 = 9900;
const RELAY_PORT: u16 = 9901;
const ADMIN_KEY: &str = "bench-admin-key-0123456789abcdef-0123456789abcdef";
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A child process that does not outlive its handle.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The release binary.
pub(super) struct Product {
    binary: PathBuf,
}

/// The neutral harness.
pub(super) struct Harness {
    binary: PathBuf,
}

impl Product {
    /// Builds the release binary.
    pub(super) fn build(root: &Path) -> Result<Self> {
        build(root, &["--locked", "--package", "angarium"], None)?;
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
        Ok(Self { binary: root.join(target).join("release/angarium") })
    }

    /// One run against an empty store: fresh data, environment, tenant and endpoints.
    pub(super) fn run(&self, harness: &Harness, scenario: &Scenario) -> Result<Value> {
        let sink = harness.sink()?;
        let data = std::env::temp_dir().join(format!("angarium-bench-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&data);
        let (server, address) = self.serve(&data)?;
        set_up(&address, scenario)?;
        let url = format!("http://{address}/v1/events");
        let mut args = vec![
            "--header".to_owned(),
            format!("authorization: Bearer {ADMIN_KEY}"),
            "--header".to_owned(),
            "angarium-environment: bench".to_owned(),
            "--body".to_owned(),
            r#"{"tenant":"bench","type":"bench.event","data":{payload}}"#.to_owned(),
        ];
        args.extend(["--fanout".to_owned(), scenario.fanout.to_string()]);
        let report = harness.drive(scenario, &url, &args, ("server", &server), &sink);
        drop(server);
        let _ = std::fs::remove_dir_all(&data);
        report
    }

    fn serve(&self, data: &Path) -> Result<(Running, String)> {
        let mut child = Command::new(&self.binary)
            .arg("serve")
            .arg("--data")
            .arg(data)
            .args(["--dev", "--allow-http", "--allow-cidr", "127.0.0.0/8"])
            .args(["--listen", "127.0.0.1:0"])
            .env("ANGARIUM_ADMIN_KEY", ADMIN_KEY)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", self.binary.display()))?;
        let stdout = child.stdout.take().context("no stdout")?;
        let running = Running(child);
        let mut lines = BufReader::new(stdout).lines();
        for line in lines.by_ref() {
            if let Some((_, address)) = line?.split_once("listening on http://") {
                let address = address.trim().to_owned();
                std::thread::spawn(move || lines.for_each(drop));
                return Ok((running, address));
            }
        }
        bail!("the server ended before it listened");
    }
}

/// An environment under `standard`, a tenant, and as many endpoints as the fan-out.
fn set_up(address: &str, scenario: &Scenario) -> Result<()> {
    let environment = json!({"slug": "bench", "title": "Bench", "contracts": ["standard"]});
    call(address, "POST", "/v1/environments", &environment)?;
    call(address, "PUT", "/v1/tenants/bench", &json!({}))?;
    for index in 0..scenario.fanout {
        let url = format!("http://127.0.0.1:{SINK_PORT}/e/{index}{}", scenario.receiver);
        let endpoint = json!({
            "url": url,
            "types": ["*"],
            "delivery": {"timeout": "10s", "retries": vec!["1s"; 20]},
        });
        call(address, "POST", "/v1/tenants/bench/endpoints", &endpoint)?;
    }
    Ok(())
}

/// One call of the native API.
fn call(address: &str, method: &str, path: &str, body: &Value) -> Result<Value> {
    let body = body.to_string();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {ADMIN_KEY}\r\n\
         angarium-environment: bench\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = connect(address)?;
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    if !head.starts_with("HTTP/1.1 20") {
        bail!("{method} {path}: {answer}");
    }
    Ok(serde_json::from_str(body).unwrap_or_default())
}

#[expect(clippy::disallowed_methods, reason = "a dev command, not the product")]
fn connect(address: &str) -> Result<TcpStream> {
    TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))
}

impl Harness {
    /// Builds the harness in a target folder of its own, so that it shares nothing with the
    /// product.
    pub(super) fn build(folder: &Path) -> Result<Self> {
        let target = std::env::temp_dir().join("angarium-peerbench-target");
        build(folder, &[], Some(&target))?;
        Ok(Self { binary: target.join("release/peerbench") })
    }

    fn sink(&self) -> Result<Running> {
        self.start("sink", SINK_PORT, &[])
    }

    fn start(&self, role: &str, port: u16, args: &[String]) -> Result<Running> {
        let child = Command::new(&self.binary)
            .args([role, "--port", &port.to_string()])
            .args(args)
            .spawn()
            .with_context(|| format!("cannot start {}", self.binary.display()))?;
        let mut running = Running(child);
        let started = Instant::now();
        while connect(&format!("127.0.0.1:{port}")).is_err() {
            if running.0.try_wait()?.is_some() || started.elapsed() > START_TIMEOUT {
                bail!("the {role} did not start on port {port}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(running)
    }

    /// One run of the floor.
    pub(super) fn relay(&self, scenario: &Scenario) -> Result<Value> {
        let sink = self.sink()?;
        let forward = |index| format!("--forward=http://127.0.0.1:{SINK_PORT}/e/{index}");
        let forwards: Vec<String> = (0..scenario.fanout).map(forward).collect();
        let relay = self.start("relay", RELAY_PORT, &forwards)?;
        let url = format!("http://127.0.0.1:{RELAY_PORT}/");
        let args = ["--fanout".to_owned(), scenario.fanout.to_string()];
        self.drive(scenario, &url, &args, ("relay", &relay), &sink)
    }

    fn drive(
        &self,
        scenario: &Scenario,
        url: &str,
        args: &[String],
        (name, system): (&str, &Running),
        sink: &Running,
    ) -> Result<Value> {
        let mut command = Command::new(&self.binary);
        command.args(["drive", "--url", url, "--label", scenario.name]).args(args);
        command.args(["-n", &scenario.messages.to_string(), "-c", "64", "--settle", "3"]);
        command.args(["--proc", &format!("{name}={}", system.0.id())]);
        command.args(["--other", &format!("sink={}", sink.0.id())]);
        if let Some(rate) = scenario.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        let output = command.stderr(Stdio::inherit()).output().context("cannot drive")?;
        serde_json::from_slice(&output.stdout).context("the driver reported nothing")
    }
}

fn build(folder: &Path, args: &[&str], target: Option<&Path>) -> Result<()> {
    let mut command = Command::new("cargo");
    command.args(["build", "--release"]).args(args).current_dir(folder);
    if let Some(target) = target {
        command.env("CARGO_TARGET_DIR", target);
    }
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("cargo build --release failed in {}", folder.display());
    }
    Ok(())
}
