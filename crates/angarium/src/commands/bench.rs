//! `angarium bench`: publishes to a server of its own, delivers to a sink, and reports what a
//! delivery costs on this machine.
//!
//! The server is a child process with a temporary store, so that its processor time is its own:
//! publishers and sink run here.

use crate::client::{Client, Connection};
use crate::commands::serve;
use crate::machine;
use crate::output::line;
use angarium_server::entropy::{OsEntropy, random};
use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longest wait for the next delivery before the run is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait for the server to start or stop.
const START: Duration = Duration::from_secs(30);

/// How much, how fast.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Events to publish.
    #[arg(short, long, default_value = "20000", value_name = "NUMBER")]
    number: usize,
    /// Connections that publish at once.
    #[arg(short, long, default_value = "64", value_name = "NUMBER")]
    #[arg(value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1_024))]
    connections: usize,
    /// Bytes of an event's data.
    #[arg(long, default_value = "1024", value_name = "BYTES")]
    size: usize,
    /// Endpoints that every event goes to.
    #[arg(long, default_value = "1", value_name = "NUMBER")]
    #[arg(value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1_000))]
    fanout: usize,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the benchmark.
///
/// # Errors
/// The server does not start, refuses an event, or something does not arrive.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let report = serve::runtime()?.block_on(measure(options))?;
    line(&match options.json {
        true => report.to_json().to_string(),
        false => report.to_text(),
    });
    Ok(())
}

async fn measure(options: &Options) -> anyhow::Result<Report> {
    let server = Served::start().await?;
    let (sender, mut delivered) = mpsc::channel(4_096);
    let started = Instant::now();
    let sink = Sink::start(sender, started).await?;
    server.furnish(sink.address, options.fanout).await?;
    let processor_before = machine::processor_time(server.pid)?;
    let begun = Instant::now();
    let publishers = publish(&server.connection, options, started);
    let expected = options.number * options.fanout;
    let receive = async {
        let mut latencies = Vec::with_capacity(expected);
        while latencies.len() < expected {
            let next = timeout(PATIENCE, delivered.recv()).await;
            let latency = next.ok().flatten().with_context(|| {
                format!("only {} of {expected} deliveries arrived", latencies.len())
            })?;
            latencies.push(latency);
        }
        anyhow::Ok((latencies, begun.elapsed()))
    };
    let (accepted, (latencies, took)) = tokio::try_join!(publishers, receive)?;
    let processor = machine::processor_time(server.pid)?.saturating_sub(processor_before);
    server.stop().await;
    Ok(Report::new(latencies, took, accepted, processor))
}

/// Publishes everything over so many connections; answers how long that took.
async fn publish(
    connection: &Connection,
    options: &Options,
    started: Instant,
) -> anyhow::Result<Duration> {
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut publishers = JoinSet::new();
    for _ in 0..options.connections {
        let mut client = Client::new(connection)?;
        let (next, number, size) = (Arc::clone(&next), options.number, options.size);
        publishers.spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < number {
                let event = Some(event(size, started.elapsed()));
                client.call(Method::POST, "/v1/events", event).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(publisher) = publishers.join_next().await {
        publisher??;
    }
    Ok(begun.elapsed())
}

/// An event whose data has `size` bytes and begins with the time of its publish.
fn event(size: usize, now: Duration) -> Bytes {
    let head = format!(r#"{{"sent":"{:020}","fill":""#, now.as_micros());
    let fill = "x".repeat(size.saturating_sub(head.len() + 2));
    format!(r#"{{"tenant":"bench","type":"bench.event","data":{head}{fill}"}}}}"#).into()
}

/// The time that [`event`] wrote into a body.
fn sent(body: &[u8]) -> Option<Duration> {
    const MARK: &[u8] = br#""sent":""#;
    let at = body.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let digits = std::str::from_utf8(body.get(at..at + 20)?).ok()?;
    digits.parse().ok().map(Duration::from_micros)
}

/// A server in a child process.
struct Served {
    child: Child,
    pid: u32,
    connection: Connection,
    output: Lines<BufReader<ChildStdout>>,
    _data: TempDir,
}

impl Served {
    async fn start() -> anyhow::Result<Self> {
        let data = tempfile::tempdir().context("no temporary directory can be made")?;
        let key = hex::encode(random::<32>(&OsEntropy));
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", "--dev", "--listen=127.0.0.1:0", "--allow-http", "--log=error"])
            .arg("--allow-cidr=127.0.0.0/8")
            .arg("--data")
            .arg(data.path())
            .env("ANGARIUM_ADMIN_KEY", &key)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the server cannot be started")?;
        let output = child.stdout.take().context("its output is piped")?;
        let mut output = BufReader::new(output).lines();
        let url = timeout(START, listening(&mut output))
            .await
            .context("the server takes too long to start")??;
        Ok(Self {
            pid: child.id().context("the server has ended")?,
            child,
            connection: Connection { url, key: Some(key), environment: Some("bench".to_owned()) },
            output,
            _data: data,
        })
    }

    async fn furnish(&self, sink: SocketAddr, fanout: usize) -> anyhow::Result<()> {
        let environment = json!({"slug": "bench", "title": "bench", "contracts": ["standard"]});
        let mut instance = Client::new(&self.connection.to_instance())?;
        instance.post("/v1/environments", &environment).await?;
        let mut client = Client::new(&self.connection)?;
        let nothing = Some(Bytes::from_static(b"{}"));
        client.call(Method::PUT, "/v1/tenants/bench", nothing).await?;
        for n in 0..fanout {
            let endpoint = json!({"url": format!("http://{sink}/{n}"), "types": ["*"]});
            client.post("/v1/tenants/bench/endpoints", &endpoint).await?;
        }
        Ok(())
    }

    async fn stop(mut self) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = timeout(START, self.child.wait()).await;
        drop(self.output);
    }
}

async fn listening(output: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<String> {
    while let Some(text) = output.next_line().await? {
        if let Some(url) = text.strip_prefix("listening on ") {
            return Ok(url.to_owned());
        }
    }
    anyhow::bail!("the server ended before it listened")
}

/// Takes every delivery and reports its latency.
struct Sink {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Sink {
    async fn start(latencies: mpsc::Sender<Duration>, started: Instant) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                let latencies = latencies.clone();
                let service = service_fn(move |request| take(request, latencies.clone(), started));
                connections.spawn(async move {
                    let server = hyper::server::conn::http1::Builder::new();
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Self { address, _tasks: tasks })
    }
}

async fn take(
    request: Request<Incoming>,
    latencies: mpsc::Sender<Duration>,
    started: Instant,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    if let Some(sent) = sent(&body) {
        let _ = latencies.send(started.elapsed().saturating_sub(sent)).await;
    }
    Ok(Response::default())
}

/// What was measured.
struct Report {
    deliveries: usize,
    took: Duration,
    accepted: Duration,
    processor: Duration,
    latencies: Vec<Duration>,
}

impl Report {
    fn new(
        mut latencies: Vec<Duration>,
        took: Duration,
        accepted: Duration,
        processor: Duration,
    ) -> Self {
        latencies.sort_unstable();
        Self { deliveries: latencies.len(), took, accepted, processor, latencies }
    }

    fn percentile_ms(&self, percent: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let latency = self.latencies.get(last * percent / 100);
        latency.map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn per_second(&self) -> f64 {
        self.deliveries as f64 / self.took.as_secs_f64().max(f64::EPSILON)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn processor_us(&self) -> f64 {
        self.processor.as_secs_f64() * 1e6 / self.deliveries.max(1) as f64
    }

    fn to_text(&self) -> String {
        format!(
            "{} deliveries in {:.2} s ({:.2} s until the last event was accepted)\n\
             {:.0} deliveries/s\n\
             {:.1} µs of processor time per delivery (server only)\n\
             publish to delivery: p50 {:.2} ms, p99 {:.2} ms",
            self.deliveries,
            self.took.as_secs_f64(),
            self.accepted.as_secs_f64(),
            self.per_second(),
            self.processor_us(),
            self.percentile_ms(50),
            self.percentile_ms(99),
        )
    }

    fn to_json(&self) -> Value {
        json!({
            "deliveries": self.deliveries,
            "seconds": self.took.as_secs_f64(),
            "deliveries_per_second": self.per_second(),
            "cpu_us_per_delivery": self.processor_us(),
            "p50_ms": self.percentile_ms(50),
            "p99_ms": self.percentile_ms(99),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_size_that_was_asked_for_and_tells_when_it_was_sent() {
        let now = Duration::from_micros(123_456);
        let event = event(1_024, now);
        assert_eq!(sent(&event), Some(now));
        let event: Value = serde_json::from_slice(&event).expect("it is JSON");
        assert_eq!(event["data"].to_string().len(), 1_024);
    }

    #[test]
    fn a_report_names_rate_cost_and_percentiles() {
        let latencies = (1..=100).rev().map(Duration::from_millis).collect();
        let second = Duration::from_secs(1);
        let report = Report::new(latencies, second, second, Duration::from_millis(5));
        assert_eq!(report.per_second().round(), 100.0);
        assert_eq!(report.processor_us().round(), 50.0);
        assert_eq!(report.percentile_ms(50).round(), 50.0);
        assert_eq!(report.percentile_ms(99).round(), 99.0);
    }
}
