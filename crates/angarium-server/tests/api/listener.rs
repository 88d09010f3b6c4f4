//! The listener, and what is served without a key.

use super::stage::{ADMIN, Stage};
use angarium_core::time::Timestamp;
use angarium_server::clock::Clock;
use angarium_server::http::{ConnectionLimits, serve};
use angarium_server::metrics::Figures;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

async fn served(stage: &Stage, limits: ConnectionLimits) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let shutdown = async {
        let _ = stopped.await;
    };
    let serving = serve(listener, stage.app.clone(), stage.router.clone(), limits, shutdown);
    Served { address, stop, task: tokio::spawn(serving) }
}

#[expect(clippy::disallowed_methods, reason = "the test is a client of its own server")]
async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("a connection")
}

/// Reads until the answer's body has come.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = stream.read(&mut buffer).await.expect("bytes");
        text.extend_from_slice(&buffer[..n]);
        let said = String::from_utf8_lossy(&text);
        let length = |line: &str| line.strip_prefix("content-length: ")?.parse::<usize>().ok();
        let length = said.lines().find_map(length);
        if let (Some(head), Some(length)) = (said.find("\r\n\r\n"), length)
            && text.len() >= head + 4 + length
        {
            return said.into_owned();
        }
        assert_ne!(n, 0, "closed early: {said}");
    }
}

#[tokio::test]
async fn a_connection_serves_calls_one_after_the_other_and_ends_with_the_server() {
    let stage = Stage::ready().await;
    let server = served(&stage, ConnectionLimits::default()).await;
    let mut stream = connect(server.address).await;
    let body = json!({"tenant": "acme", "type": "a.b", "data": 1}).to_string();
    let publish = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN}\r\n\
         angarium-environment: prod\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    for _ in 0..2 {
        stream.write_all(publish.as_bytes()).await.expect("written");
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 202 "));
    }
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
    assert!(answer(&mut stream).await.ends_with("{\"status\":\"ok\"}"));
    server.stop.send(()).expect("it runs");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("the end");
    assert!(rest.is_empty(), "an idle connection is closed when the server stops");
    server.task.await.expect("no panic").expect("a clean end");
}

#[tokio::test]
async fn a_head_that_does_not_come_and_an_idle_connection_are_ended() {
    let stage = Stage::new().await;
    let limits = ConnectionLimits {
        head_time: Duration::from_millis(200),
        idle_time: Duration::from_millis(300),
        ..ConnectionLimits::default()
    };
    let server = served(&stage, limits).await;
    for begun in ["GET /healthz HTTP/1.1\r\nho", ""] {
        let mut stream = connect(server.address).await;
        stream.write_all(begun.as_bytes()).await.expect("written");
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest));
        ended.await.expect("it ends").expect("the end");
    }
}

/// Breaks when it is asked.
#[derive(Debug)]
struct Broken;

impl Clock for Broken {
    fn now(&self) -> Timestamp {
        panic!("on purpose")
    }
}

#[tokio::test]
async fn a_panic_costs_its_own_call_only_and_is_counted() {
    let stage = Stage::by(Arc::new(Broken)).await;
    let server = served(&stage, ConnectionLimits::default()).await;
    let mut stream = connect(server.address).await;
    let guarded = "idempotency-key: k\r\n";
    for (method, path, more) in
        [("PUT", "/v1/tenants/a", ""), ("POST", "/v1/events", ""), ("POST", "/v1/events", guarded)]
    {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN}\r\n\
             {more}content-length: 0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("written");
        let said = answer(&mut stream).await;
        assert!(said.starts_with("HTTP/1.1 500 "), "{said}");
        assert!(said.contains("\"code\":\"internal\"") && !said.contains("on purpose"), "{said}");
    }
    let now = Timestamp::from_millis(0);
    let figures = stage.app.metrics.print(&Figures::default(), now);
    assert!(figures.contains("angarium_panics_total 3"), "{figures}");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let stage = Stage::ready().await;
    assert_eq!(stage.get("/nope").send().await.refusal().1, "not_found");
    assert_eq!(stage.get("/v1/nope").send().await.refusal().1, "not_found");
    assert_eq!(stage.get("/v1/tenants/%ff").send().await.status, 404);
    let wrong = stage.call("PATCH", "/v1/events").send().await;
    assert_eq!(wrong.refusal().1, "method_not_allowed");
    assert!(wrong.headers["allow"].to_str().is_ok_and(|allow| allow.contains("POST")));
}

#[tokio::test]
async fn the_document_and_its_page_are_served_offline_under_a_strict_policy() {
    let stage = Stage::new().await;
    let document = stage.get("/openapi.json").without("authorization").send().await;
    assert_eq!(document.status, 200);
    assert!(document.json()["paths"]["/v1/events"]["post"].is_object());
    let page = stage.get("/docs/api/").without("authorization").send().await;
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"));
    assert!(!page.text.contains("https://"), "nothing comes from elsewhere");
}

#[tokio::test]
async fn the_figures_name_no_tenant_and_begin_with_the_oldest_due() {
    let stage = Stage::ready().await;
    let event = json!({"tenant": "acme", "type": "a.b", "data": 1});
    stage.post("/v1/events").json(event).send().await;
    let figures = stage.get("/metrics").without("authorization").send().await;
    assert!(figures.text.starts_with("# HELP angarium_oldest_due_delivery_age_seconds"));
    assert!(figures.text.contains("angarium_events_accepted_total 1"));
    assert!(!figures.text.contains("acme"), "{}", figures.text);
    let ready = stage.get("/readyz").without("authorization").send().await;
    assert_eq!((ready.status, &ready.json()["status"]), (200, &json!("ready")));
}
